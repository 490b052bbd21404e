// Checks the pages in a folder in Chromium; called by check_report.sh. Exit status 1 where something is wrong.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };
const MOST_BYTES = 5e6;
const MOST_SECONDS = 3;

let failures = 0;
const check = (page, what, holds, detail = "") => {
  if (!holds) failures += 1;
  if (!holds) console.log(`FAILED ${page}: ${what} ${detail}`);
};

// Every box with its position, in the order in which they are drawn.
const boxes = (page) => page.$$eval("#drawn rect.box, #drawn rect.frame", (rects) =>
  rects.map((rect) => ["x", "y", "width", "height"].map((side) => Number(rect.getAttribute(side)))));
const lines = (page) => page.$$eval("#drawn path.edge", (edges) => edges.map((edge) => edge.getAttribute("d").match(/-?[\d.]+/g).map(Number)));
const near = (a, b) => a.length === b.length && a.every((numbers, index) =>
  numbers.length === b[index].length && numbers.every((number, place) => Math.abs(number - b[index][place]) < 0.25));

async function open(browser, file, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("dialog", (dialog) => { problems.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    if (request.url() !== pathToFileURL(file).href) problems.push(`request ${request.url()}`);
  });
  const start = Date.now();
  await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
  return { page, problems, seconds: (Date.now() - start) / 1000, close: () => context.close() };
}

async function accessible(page, name, what) {
  const found = await page.evaluate(`${AXE}; axe.run(document, { resultTypes: ["violations"] })`);
  const serious = found.violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
  const violations = serious.map((violation) => `${violation.id}: ${violation.nodes[0].html.slice(0, 160)}`
    + ` ${violation.nodes[0].failureSummary ?? ""} (${violation.nodes.length} times)`);
  check(name, `accessibility, ${what}`, serious.length === 0, `\n  ${violations.join("\n  ")}`);
}

const column = (page, section, index) => page.$$eval(`#${section} tbody tr:not([hidden])`, (rows, index) =>
  rows.map((row) => row.cells[index].dataset.v ?? row.cells[index].textContent.trim()), index);
const isSorted = (values, sign) => values.every((value, index) => index === 0 || sign * (value - values[index - 1]) >= 0);

async function checkTables(page, name) {
  const numbers = async () => (await column(page, "layers", 4)).map(Number);
  const original = await numbers();
  const button = page.locator("#layers thead th:nth-child(5) button");
  await button.click();
  check(name, "a click sorts by weights, the greatest first", isSorted(await numbers(), -1));
  check(name, "the order is announced", await page.getAttribute("#layers thead th:nth-child(5)", "aria-sort") === "descending");
  await button.focus();
  await page.keyboard.press("Enter");
  check(name, "Enter sorts the other way", isSorted(await numbers(), 1));
  await page.keyboard.press("Space");
  check(name, "Space brings the graph's order back", String(await numbers()) === String(original));
  const ops = await column(page, "layers", 1);
  const op = ops[Math.floor(ops.length / 2)];
  await page.fill("#layers-filter", op.toLowerCase());
  const left = await page.$$eval("#layers tbody tr:not([hidden])", (rows) => rows.map((row) => row.textContent));
  check(name, "the filter leaves what it names", left.length > 0 && left.length < ops.length
    && left.every((text) => text.toLowerCase().includes(op.toLowerCase())));
  check(name, "the filter says how many", await page.textContent("#layers .filter output") === `${left.length} of ${ops.length}`);
  await page.fill("#layers-filter", "no such layer");
  check(name, "the filter can leave nothing", (await column(page, "layers", 1)).length === 0);
  await page.fill("#layers-filter", "");
}

async function checkPicture(page, name) {
  const before = await boxes(page);
  const closed = page.locator("#drawn [aria-expanded=false]").first();
  if (await closed.count() > 0) {
    const part = await closed.getAttribute("data-part");
    const same = page.locator(`#drawn [data-part="${part}"]`);
    await closed.click();
    check(name, "a click opens a scope", await same.getAttribute("aria-expanded") === "true"
      && (await boxes(page)).length > before.length);
    await page.keyboard.press("ArrowLeft");
    check(name, "← closes it again, and it keeps the focus", await same.getAttribute("aria-expanded") === "false"
      && await same.evaluate((box) => box === document.activeElement));
    check(name, "everything is where it was", near(await boxes(page), before));
    for (const [key, state] of [["Enter", "true"], ["Space", "false"], ["ArrowRight", "true"]]) {
      await page.keyboard.press(key);
      check(name, `${key} opens and closes`, await same.getAttribute("aria-expanded") === state);
    }
    await page.keyboard.press("ArrowDown");
    check(name, "↓ goes to the next box", !await same.evaluate((box) => box === document.activeElement));
    const visible = await page.evaluate(() => {
      const [box] = document.activeElement.querySelectorAll("rect");
      return getComputedStyle(box).strokeWidth;
    });
    check(name, "the focus is seen", visible === "3px", visible);
  }
  await page.click("[data-do=close]");
  check(name, "all scopes are closed", await page.locator("#drawn [aria-expanded=true]").count() === 0);
  const row = page.locator("#layers tbody th a").last();
  const id = (await row.evaluate((link) => link.closest("tr").id)).replace("layer-", "");
  await row.click();
  check(name, "a row leads to its box", await page.evaluate((id) => document.activeElement.dataset.part === id, id));
  await page.keyboard.press("Enter");
  // The address changes a little after the key.
  await page.waitForURL((url) => url.hash === `#layer-${id}`, { timeout: 5000 }).catch(() => {});
  check(name, "a box leads to its row", page.url().endsWith(`#layer-${id}`), page.url());
  for (let level = 0; level < 30 && await page.locator("#drawn [aria-expanded=false]").count() > 0; level += 1) {
    await page.click("[data-do=deeper]");
  }
  const [drawn, listed] = [await page.locator("#drawn a.layer").count(), await page.locator("#layers tbody tr").count()];
  check(name, "the picture goes down to every single layer", drawn === listed, `${drawn} of ${listed}`);
  const overlapping = await page.evaluate(() => {
    const leaves = [...document.querySelectorAll("#drawn rect.box")].map((rect) => rect.getBBox());
    let count = 0;
    leaves.sort((a, b) => a.y - b.y);
    leaves.forEach((a, index) => {
      for (let other = index + 1; other < leaves.length && leaves[other].y < a.y + a.height; other += 1) {
        const b = leaves[other];
        if (a.x < b.x + b.width && b.x < a.x + a.width) count += 1;
      }
    });
    return count;
  });
  check(name, "no two boxes overlap", overlapping === 0, overlapping);
}

async function fits(page, name, what) {
  const width = await page.evaluate(() => document.scrollingElement.scrollWidth);
  check(name, `nothing is wider than a phone, ${what}`, width <= PHONE.width, `${width} px`);
}

async function checkPage(browser, file) {
  const name = path.basename(file, ".html");
  const shot = (page, what, options = {}) => page.screenshot({ path: path.join(path.dirname(file), `${name}-${what}.png`), ...options });
  const bytes = fs.statSync(file).size;
  check(name, "the page is small", bytes < MOST_BYTES, `${bytes} bytes`);

  const plain = await open(browser, file, { viewport: DESKTOP, javaScriptEnabled: false });
  const [still, ways] = [await boxes(plain.page), await lines(plain.page)];
  check(name, "without scripts there are a picture and tables", still.length > 0
    && await plain.page.locator("#layers tbody tr").count() > 0);
  check(name, "without scripts nothing is offered that needs them", await plain.page.locator("button:visible, input:visible").count() === 0);
  await plain.close();

  const light = await open(browser, file, { viewport: DESKTOP, colorScheme: "light" });
  check(name, "the page opens fast", light.seconds < MOST_SECONDS, `${light.seconds} s`);
  check(name, "with scripts the picture is the same", near(still, await boxes(light.page)));
  check(name, "and its edges", near(ways, await lines(light.page)));
  await accessible(light.page, name, "light");
  await shot(light.page, "light");
  await shot(light.page, "full", { fullPage: true });
  await checkTables(light.page, name);
  await checkPicture(light.page, name);
  if (still.length < 300) await accessible(light.page, name, "everything open");
  const skip = await light.page.evaluate(() => { document.activeElement.blur(); window.scrollTo(0, 0); return true; });
  await light.page.reload();
  await light.page.keyboard.press("Tab");
  check(name, "the first stop leads past the header", skip
    && await light.page.evaluate(() => document.activeElement.getAttribute("href") === "#main"));
  check(name, "nothing is loaded, logged or asked", light.problems.length === 0, light.problems.join("; "));
  await light.close();

  const dark = await open(browser, file, { viewport: DESKTOP, colorScheme: "dark" });
  await accessible(dark.page, name, "dark");
  await shot(dark.page, "dark", { fullPage: true });
  await dark.close();

  const phone = await open(browser, file, { viewport: PHONE, colorScheme: "light", isMobile: true, hasTouch: true });
  await fits(phone.page, name, "at first");
  await accessible(phone.page, name, "phone");
  await shot(phone.page, "phone", { fullPage: true });
  await phone.page.click("[data-do=deeper]");
  await phone.page.$$eval("details", (parts) => parts.forEach((part) => { part.open = true; }));
  await fits(phone.page, name, "everything open");
  check(name, "nothing is logged on a phone", phone.problems.length === 0, phone.problems.join("; "));
  await phone.close();

  const print = await open(browser, file, { viewport: DESKTOP });
  await print.page.emulateMedia({ media: "print" });
  const hidden = await print.page.locator("nav:visible, .controls:visible, .filter:visible").count();
  check(name, "on paper there is nothing to press", hidden === 0);
  await print.close();
  console.log(`${name}: ${(bytes / 1e6).toFixed(2)} MB, opened in ${light.seconds.toFixed(2)} s`);
}

(async () => {
  const folder = path.resolve(process.argv[2]);
  const files = fs.readdirSync(folder).filter((file) => file.endsWith(".html")).map((file) => path.join(folder, file));
  if (files.length === 0) throw new Error(`no pages in ${folder}`);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  for (const file of files) await checkPage(browser, file);
  await browser.close();
  console.log(failures === 0 ? `${files.length} pages are as they should be` : `${failures} checks failed`);
  process.exitCode = failures === 0 ? 0 : 1;
})().catch((error) => { console.error(error); process.exitCode = 1; });
