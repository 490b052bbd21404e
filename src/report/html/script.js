"use strict";
// Tables that can be sorted and filtered, and a picture whose scopes can be opened. The page says everything without it.
{
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  all(".scripted").forEach((part) => { part.hidden = false; });

  // Tables
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    // What is not known comes before what is.
    if (typeof a !== typeof b) return typeof a === "number" ? 1 : -1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        // Numbers begin with the greatest, words with the first; a third time brings the order of the graph back.
        const steps = head.classList.contains("number") ? ["descending", "ascending"] : ["ascending", "descending"];
        const next = steps[steps.indexOf(head.getAttribute("aria-sort")) + 1];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        let rows = original;
        if (next) {
          head.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          const keyed = original.map((row) => [value(row, column), row]);
          rows = keyed.sort((a, b) => sign * compare(a[0], b[0])).map(([, row]) => row);
        }
        body.append(...rows);
      });
    });
    const bar = table.closest("section").querySelector(".filter");
    const [input, output] = [find("input", bar), find("output", bar)];
    bar.hidden = false;
    const texts = original.map((row) => row.textContent.toLowerCase());
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      original.forEach((row, index) => {
        row.hidden = !words.every((word) => texts[index].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      output.textContent = words.length ? `${shown} of ${original.length}` : `${original.length}`;
    };
    input.addEventListener("input", filter);
    filter();
  }

  // Picture: the places are those that src/report/coordinates.rs computes.
  const { scopes, layers, open: first } = JSON.parse(find("#graph-data").textContent);
  const [GAP, ROW_GAP, PADDING, HEAD, BOX_HEIGHT, CHARACTER, LABEL] = [16, 26, 14, 26, 40, 6.7, 26];
  const [SWEEPS, STRAIGHT, MARGIN, SIGN] = [10, 4, 12, 13];
  const open = new Set(first);
  const svg = find("#graph");
  const canvas = find("#canvas");
  let drawn = find("#drawn");
  let size = [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
  let scale = 1;

  const text = (part) => part < 0 ? [scopes[-part].label, scopes[-part].second] : layers[part];
  const boxWidth = (lines) =>
    Math.max(76, Math.max(...lines.map((line) => Math.min(LABEL, [...line].length))) * CHARACTER + 26);
  const round = (number) => Math.round(number * 10) / 10;
  const shortened = (label) => {
    const characters = [...label];
    return characters.length <= LABEL ? label : "…" + characters.slice(1 - LABEL).join("");
  };
  const isOpen = (part) => part < 0 && open.has(-part);

  // Who is above and below each item; it does not depend on what is open.
  const neighbours = (scope) => {
    if (scope.near) return scope.near;
    const row = [];
    scope.rows.forEach((items, place) => items.forEach((item) => { row[item] = place; }));
    const [above, below] = [row.map(() => new Set()), row.map(() => new Set())];
    for (const edge of scope.edges) {
      for (let step = 0; step + 1 < edge.length; step += 1) {
        const [a, b] = [edge[step], edge[step + 1]];
        const [upper, lower] = row[a] <= row[b] ? [a, b] : [b, a];
        above[lower].add(upper);
        below[upper].add(lower);
      }
    }
    scope.near = [above, below];
    return scope.near;
  };

  // Pools neighbours that would overlap.
  const fit = (row, wishes, sizes, x) => {
    const pools = [];
    const offsets = [0];
    row.forEach((item, index) => {
      if (index > 0) offsets[index] = offsets[index - 1] + (sizes[row[index - 1]][0] + sizes[item][0]) / 2 + GAP;
      let pool = [wishes[index][0] - offsets[index], wishes[index][1], 1];
      while (pools.length && pools.at(-1)[0] > pool[0]) {
        const [wish, weight, count] = pools.pop();
        const sum = weight + pool[1];
        pool = [(wish * weight + pool[0] * pool[1]) / sum, sum, count + pool[2]];
      }
      pools.push(pool);
    });
    let index = 0;
    for (const [start, , count] of pools) {
      for (let i = 0; i < count; i += 1, index += 1) x[row[index]] = start + offsets[index];
    }
  };

  const place = (id) => {
    const scope = scopes[id];
    const [above, below] = neighbours(scope);
    const sizes = above.map(() => [0, 0]);
    const inner = new Map();
    scope.parts.forEach((part, item) => {
      const lines = text(part);
      if (isOpen(part)) {
        const placed = place(-part);
        inner.set(item, placed);
        sizes[item] = [
          Math.max(placed.width + 2 * PADDING, boxWidth([lines[0], ""]) + SIGN),
          placed.height + HEAD + 2 * PADDING,
        ];
      } else {
        sizes[item] = [boxWidth([lines[0], lines[1]]) + (part < 0 ? SIGN : 0), BOX_HEIGHT];
      }
    });
    const x = [];
    for (const row of scope.rows) {
      let right = 0;
      for (const item of row) {
        x[item] = right + sizes[item][0] / 2;
        right += sizes[item][0] + GAP;
      }
      for (const item of row) x[item] -= (right - GAP) / 2;
    }
    for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
      const down = sweep % 2 === 0;
      const last = sweep + 2 >= SWEEPS;
      for (const row of down ? scope.rows : [...scope.rows].reverse()) {
        const wishes = row.map((item) => {
          let [sum, weight] = [0, 0];
          for (const [near, counts] of [[above, down || last], [below, !down || last]]) {
            if (!counts) continue;
            for (const other of near[item]) {
              const pull = item >= scope.parts.length && other >= scope.parts.length ? STRAIGHT : 1;
              sum += pull * x[other];
              weight += pull;
            }
          }
          return weight > 0 ? [sum / weight, weight] : [x[item], 1];
        });
        fit(row, wishes, sizes, x);
      }
    }
    let left = Infinity;
    x.forEach((middle, item) => { left = Math.min(left, middle - sizes[item][0] / 2); });
    if (!Number.isFinite(left)) left = 0;
    let width = 0;
    x.forEach((middle, item) => {
      x[item] = middle - left;
      width = Math.max(width, x[item] + sizes[item][0] / 2);
    });
    const [top, rows] = [[], []];
    let y = 0;
    scope.rows.forEach((row, index) => {
      const height = Math.max(0, ...row.map((item) => sizes[item][1]));
      if (index > 0) y += ROW_GAP;
      for (const item of row) {
        top[item] = y + (height - sizes[item][1]) / 2;
        rows[item] = [y, y + height];
      }
      y += height;
    });
    const ends = [scope.entry, scope.exit].map((point) => point === null ? null : x[point]);
    return { scope, sizes, x, top, rows, inner, width, height: y, ends };
  };

  const meets = (placed, item, side) => {
    const inner = placed.inner.get(item);
    if (!inner || inner.ends[side] === null) return placed.x[item];
    return placed.x[item] + inner.ends[side] - inner.width / 2;
  };

  const way = (placed, edge, left, top) => {
    const { scope, rows, sizes } = placed;
    const back = rows[edge[0]][0] > rows[edge.at(-1)][0];
    let [line, before] = ["", null];
    const go = (x, y) => {
      x += left;
      y += top;
      if (before && before[0] === x && before[1] === y) return;
      if (!before) line += `M${round(x)} ${round(y)}`;
      else if (Math.abs(before[0] - x) < 0.1) line += `V${round(y)}`;
      else {
        const middle = round((before[1] + y) / 2);
        line += `C${round(before[0])} ${middle} ${round(x)} ${middle} ${round(x)} ${round(y)}`;
      }
      before = [x, y];
    };
    edge.forEach((item, step) => {
      let [sides, row] = [rows[item], rows[item]];
      if (item < scope.parts.length) sides = [placed.top[item], placed.top[item] + sizes[item][1]];
      else if (item === scope.entry) row = sides = [-PADDING, -PADDING];
      else if (item === scope.exit) row = sides = [placed.height + PADDING, placed.height + PADDING];
      const [near, far] = back ? [1, 0] : [0, 1];
      // Beside higher boxes of its row an edge is upright.
      if (step > 0) [row, sides].forEach((ends) => go(meets(placed, item, near), ends[near]));
      if (step + 1 < edge.length) [sides, row].forEach((ends) => go(meets(placed, item, far), ends[far]));
    });
    return line;
  };

  const element = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, attribute] of Object.entries(attributes)) made.setAttribute(key, attribute);
    made.append(...children);
    return made;
  };

  const draw = (placed, left, top, prefix, out) => {
    const { scope } = placed;
    for (const edge of scope.edges) {
      const attributes = { class: "edge", d: way(placed, edge, left, top) };
      if (edge.at(-1) !== scope.exit) attributes["marker-end"] = "url(#arrow)";
      out.append(element("path", attributes));
    }
    scope.parts.forEach((part, item) => {
      const [width, height] = placed.sizes[item];
      const [x, y] = [left + placed.x[item] - width / 2, top + placed.top[item]];
      const [label, second, kind, isOutput] = text(part);
      const rect = (attributes, x, y, width, height) =>
        element("rect", { ...attributes, x: round(x), y: round(y), width: round(width), height: round(height) });
      const line = (attributes, y, content) =>
        element("text", { ...attributes, x: round(x + (attributes.class === "named" ? 12 + SIGN : 12)), y: round(y) }, content);
      const name = prefix + label;
      if (part >= 0) {
        const box = element("a", { href: `#layer-${part}`, class: isOutput ? "layer output" : "layer", "data-part": part });
        box.append(
          element("title", {}, `${name}: ${second}`),
          rect({ class: "box", rx: 5 }, x, y, width, height),
          rect({ class: `k${kind}` }, x, y + 5, 4, BOX_HEIGHT - 10),
          line({}, y + 17, shortened(label)),
          line({ class: "second" }, y + 31, shortened(second)),
        );
        out.append(box);
        return;
      }
      const inner = placed.inner.get(item);
      const button = element("g", {
        class: "scope", role: "button", tabindex: 0, "aria-expanded": Boolean(inner), "data-part": part,
      });
      const sign = (y) => line({ class: "sign", "aria-hidden": true }, y, inner ? "▾" : "▸");
      button.append(element("title", {}, `${name}: ${second}`));
      out.append(button);
      if (inner) {
        out.insertBefore(rect({ class: "frame", rx: 6 }, x, y, width, height), button);
        button.append(
          rect({ class: "head", rx: 6 }, x, y, width, HEAD),
          sign(y + HEAD - 9),
          line({ class: "named" }, y + HEAD - 9, shortened(label)),
        );
        draw(inner, x + (width - inner.width) / 2, y + HEAD + PADDING, `${name}/`, out);
      } else {
        button.append(
          rect({ class: "box", rx: 5 }, x, y, width, height),
          sign(y + 17),
          line({ class: "named" }, y + 17, shortened(label)),
          line({ class: "second" }, y + 31, shortened(second)),
        );
      }
    });
  };

  const zoom = (to) => {
    scale = Math.min(3, Math.max(0.1, to));
    svg.setAttribute("width", round(size[0] * scale));
    svg.setAttribute("height", round(size[1] * scale));
  };
  const redraw = (focused) => {
    const placed = place(0);
    const next = element("g", { id: "drawn" });
    draw(placed, MARGIN, MARGIN, "", next);
    drawn.replaceWith(next);
    drawn = next;
    size = [placed.width + 2 * MARGIN, placed.height + 2 * MARGIN];
    svg.setAttribute("viewBox", `0 0 ${round(size[0])} ${round(size[1])}`);
    zoom(scale);
    if (focused !== undefined) find(`[data-part="${focused}"]`, drawn)?.focus({ preventScroll: true });
  };
  // What was looked at stays where it was.
  const toggle = (part) => {
    const before = find(`[data-part="${part}"]`, drawn).getBoundingClientRect();
    if (!open.delete(-part)) open.add(-part);
    redraw(part);
    const after = find(`[data-part="${part}"]`, drawn).getBoundingClientRect();
    canvas.scrollLeft += after.left + after.width / 2 - before.left - before.width / 2;
    canvas.scrollTop += after.top - before.top;
  };
  const fitWidth = () => zoom(Math.min(1, (canvas.clientWidth - 2) / size[0]));

  const partOf = (event) => event.target.closest?.("#drawn [data-part]");
  svg.addEventListener("click", (event) => {
    const box = partOf(event);
    if (box && Number(box.dataset.part) < 0) toggle(Number(box.dataset.part));
  });
  svg.addEventListener("keydown", (event) => {
    const box = partOf(event);
    if (!box || event.altKey || event.ctrlKey || event.metaKey) return;
    const part = Number(box.dataset.part);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const boxes = all("[data-part]", drawn);
      const next = boxes[boxes.indexOf(box) + step];
      next?.focus({ preventScroll: true });
      next?.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else if (part < 0 && (event.key === "Enter" || event.key === " ")) toggle(part);
    else if (part < 0 && event.key === "ArrowRight") { if (!isOpen(part)) toggle(part); }
    else if (part < 0 && event.key === "ArrowLeft") { if (isOpen(part)) toggle(part); }
    else return;
    event.preventDefault();
  });
  const commands = {
    deeper: () => {
      const seen = all("[data-part]", drawn).map((box) => Number(box.dataset.part));
      seen.filter((part) => part < 0).forEach((part) => open.add(-part));
      redraw();
    },
    close: () => { open.clear(); open.add(0); redraw(); },
    smaller: () => zoom(scale / 1.25),
    larger: () => zoom(scale * 1.25),
    fit: fitWidth,
  };
  all("[data-do]").forEach((button) => button.addEventListener("click", () => commands[button.dataset.do]()));

  // From a row to its box, and from a box to its row.
  const around = new Map();
  scopes.forEach((scope, id) => scope.parts.forEach((part) => { if (part >= 0) around.set(part, id); }));
  find("#layers").addEventListener("click", (event) => {
    const link = event.target.closest("tbody th a");
    if (!link) return;
    event.preventDefault();
    const layer = Number(link.closest("tr").id.slice("layer-".length));
    for (let id = around.get(layer); id; id = scopes[id].parent) open.add(id);
    redraw(layer);
    find(`[data-part="${layer}"]`, drawn).scrollIntoView({ block: "center", inline: "center" });
  });
  svg.addEventListener("click", (event) => {
    const box = partOf(event);
    if (!box || Number(box.dataset.part) < 0) return;
    const row = find(`#layer-${box.dataset.part}`);
    if (!row.hidden) return;
    const input = find("#layers-filter");
    input.value = "";
    input.dispatchEvent(new Event("input"));
  });

  redraw();
  if (size[0] > canvas.clientWidth) zoom(Math.max(0.5, canvas.clientWidth / size[0]));
}
