//! The picture of the network: a static drawing of its outer scopes, and the data from which the page's script draws it with
//! other open scopes.

use std::fmt::Write;

use hashbrown::HashSet;
use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use crate::report::coordinates::{self, BOX_HEIGHT, HEAD, LABEL, Placed, SIGN};
use crate::report::numbers::{shape, thousands};
use crate::report::{ConversionReport, LayerReport, Part, Scope};

/// Space around the picture.
const MARGIN: f64 = 12.0;

/// Kinds of ops. All other ops have the last kind.
const KINDS: [(&str, &[&str]); 8] = [
    (
        "convolution",
        &["Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2"],
    ),
    ("batch norm", &["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "LRN"]),
    (
        "activation",
        &[
            "Relu",
            "Relu6",
            "Sigmoid",
            "Tanh",
            "Softmax",
            "LogSoftmax",
            "LeakyRelu",
            "Elu",
            "Selu",
            "Softplus",
        ],
    ),
    ("pooling", &["MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "Mean", "Max", "Sum"]),
    ("dense", &["MatMul", "BatchMatMul", "BatchMatMulV2"]),
    ("join", &["Add", "AddV2", "AddN", "ConcatV2", "Concat", "Mul", "Sub", "BiasAdd", "Pack"]),
    ("input", &["Placeholder", "PlaceholderWithDefault", "PlaceholderV2"]),
    ("other", &[]),
];

/// The data for the page's script.
#[derive(Serialize)]
struct Data<'a> {
    scopes: Vec<ScopeData<'a>>,
    /// For each layer its label, its second line, its kind, and whether it is an output.
    layers: Vec<(&'a str, String, usize, bool)>,
    /// The scopes that are open at first.
    open: Vec<usize>,
}

#[derive(Serialize)]
struct ScopeData<'a> {
    label: &'a str,
    second: String,
    parent: Option<usize>,
    /// Scopes are negative numbers, layers are not. Scope 0 is never a part.
    parts: Vec<i64>,
    rows: &'a [Vec<usize>],
    edges: &'a [Vec<usize>],
    entry: Option<usize>,
    exit: Option<usize>,
}

pub fn picture(report: &ConversionReport) -> Markup {
    let drawing = Drawing::new(report);
    let open = coordinates::open_at_first(&report.picture);
    let lines = |part| drawing.lines(part);
    let placed = coordinates::place(&report.picture, 0, &open, &lines);
    let [width, height] = [placed.width + 2.0 * MARGIN, placed.height + 2.0 * MARGIN];
    let mut drawn = String::new();
    drawing.draw(0, &placed, [MARGIN, MARGIN], &mut drawn);
    let used: HashSet<usize> = report.layers.iter().map(|layer| kind(&layer.op)).collect();
    html! {
        p #picture-help {
            "Boxes are the name scopes of the graph; edges lead from what computes a tensor to what reads it."
            span.scripted hidden {
                " A box with ▸ is a scope: activate it to open it. With the keyboard: Tab or the arrow keys go from box to box, \
                 Enter or → opens, ← closes. A layer leads to its row in the table."
            }
        }
        noscript { p { "Scopes are opened by a script, which this browser does not run; all layers are in the table below." } }
        p.controls.scripted hidden {
            button type="button" data-do="deeper" { "Open one level" }
            button type="button" data-do="close" { "Close all" }
            button type="button" data-do="smaller" aria-label="Zoom out" { "−" }
            button type="button" data-do="larger" aria-label="Zoom in" { "+" }
            button type="button" data-do="fit" { "Fit" }
        }
        ul.legend aria-label="Colors" {
            @for (index, (name, _)) in KINDS.iter().enumerate().filter(|(index, _)| used.contains(index)) {
                li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class={ "k" (index) } width="10" height="10" {} } (name) }
            }
        }
        div #canvas.scroll role="region" aria-label="Picture of the network" aria-describedby="picture-help" tabindex="0" {
            svg #graph xmlns="http://www.w3.org/2000/svg" role="group" aria-labelledby="graph-title graph-desc"
                width=(round(width)) height=(round(height)) viewBox={ "0 0 " (round(width)) " " (round(height)) } {
                title #graph-title { "The network's layers and scopes" }
                desc #graph-desc {
                    (report.totals.layers) " layers in " (report.picture.scopes.len().saturating_sub(1)) " scopes, from top to bottom."
                }
                defs {
                    marker #arrow viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" {
                        path d="M0 0L8 4L0 8z" {}
                    }
                }
                g #drawn { (PreEscaped(drawn)) }
            }
        }
        script #graph-data type="application/json" { (PreEscaped(drawing.data(&open))) }
    }
}

/// The index of an op's kind.
fn kind(op: &str) -> usize {
    KINDS.iter().position(|(_, ops)| ops.contains(&op)).unwrap_or(KINDS.len() - 1)
}

struct Drawing<'a> {
    report: &'a ConversionReport,
    /// The name of each layer within its scope.
    labels: Vec<&'a str>,
    /// The last layer of each scope.
    last: Vec<Option<usize>>,
}

impl<'a> Drawing<'a> {
    fn new(report: &'a ConversionReport) -> Self {
        let scopes = &report.picture.scopes;
        let mut labels = vec![""; report.layers.len()];
        let mut last: Vec<Option<usize>> = vec![None; scopes.len()];
        // Inner scopes come after their parents.
        for (id, scope) in scopes.iter().enumerate().rev() {
            for part in &scope.parts {
                let reached = match *part {
                    Part::Layer(layer) => {
                        let name = &report.layers[layer].name;
                        labels[layer] = within(name, scope);
                        Some(layer)
                    }
                    Part::Scope(inner) => last[inner],
                };
                last[id] = last[id].max(reached);
            }
        }
        Self { report, labels, last }
    }

    /// The text in the box of a part.
    fn lines(&self, part: Part) -> [String; 2] {
        match part {
            Part::Layer(index) => {
                let (layer, label) = (&self.report.layers[index], self.labels[index]);
                [label.to_owned(), second_line(layer, label)]
            }
            Part::Scope(index) => {
                let scope = &self.report.picture.scopes[index];
                let shape =
                    self.last[index].map(|last| output_shape(&self.report.layers[last])).unwrap_or_default();
                let dot = if shape.is_empty() { "" } else { " · " };
                [scope.label.clone(), format!("{} layers{dot}{shape}", scope.layers)]
            }
        }
    }

    fn draw(&self, scope: usize, placed: &Placed, [left, top]: [f64; 2], out: &mut String) {
        let scope = &self.report.picture.scopes[scope];
        // Writing to a string cannot fail.
        for edge in scope.arrangement.edges() {
            let is_cut = edge.last().copied() == scope.arrangement.exit();
            let marker = if is_cut { "" } else { " marker-end=\"url(#arrow)\"" };
            let _ = write!(
                out,
                "<path class=\"edge\"{marker} d=\"{}\"/>",
                line(&placed.route(&scope.arrangement, edge), [left, top])
            );
        }
        for (item, &part) in scope.parts.iter().enumerate() {
            let [width, height] = placed.sizes[item];
            let at = [left + placed.x[item] - width / 2.0, top + placed.top[item]];
            let open = placed.open.iter().find(|(open, _)| *open == item);
            match (part, open) {
                (Part::Scope(inner), Some((_, contents))) => {
                    out.push_str(&self.frame(part, at, [width, height]).into_string());
                    let [x, y] = contents.inset(width);
                    self.draw(inner, contents, [at[0] + x, at[1] + y], out);
                }
                _ => out.push_str(&self.closed(part, at, width).into_string()),
            }
        }
    }

    fn frame(&self, part: Part, [x, y]: [f64; 2], [width, height]: [f64; 2]) -> Markup {
        let [label, _] = self.lines(part);
        html! {
            rect.frame x=(round(x)) y=(round(y)) width=(round(width)) height=(round(height)) rx="6" {}
            text.sign x=(round(x + 12.0)) y=(round(y + HEAD - 9.0)) aria-hidden="true" { "▾" }
            text x=(round(x + 12.0 + SIGN)) y=(round(y + HEAD - 9.0)) { (shortened(&label)) }
        }
    }

    fn closed(&self, part: Part, [x, y]: [f64; 2], width: f64) -> Markup {
        let lines = self.lines(part);
        let content = html! {
            title { (self.title(part)) }
            rect.box x=(round(x)) y=(round(y)) width=(round(width)) height=(BOX_HEIGHT) rx="5" {}
            @if let Part::Layer(index) = part {
                rect class={ "k" (kind(&self.report.layers[index].op)) } x=(round(x)) y=(round(y + 5.0)) width="4"
                    height=(BOX_HEIGHT - 10.0) {}
            }
            @if let Part::Scope(_) = part {
                text.sign x=(round(x + 12.0)) y=(round(y + 17.0)) aria-hidden="true" { "▸" }
            }
            text x=(round(x + 12.0 + if let Part::Scope(_) = part { SIGN } else { 0.0 })) y=(round(y + 17.0)) {
                (shortened(&lines[0]))
            }
            text.second x=(round(x + 12.0)) y=(round(y + 31.0)) { (shortened(&lines[1])) }
        };
        html! {
            @match part {
                Part::Layer(index) => a.layer.output[self.report.layers[index].is_output] href={ "#layer-" (index) } { (content) },
                Part::Scope(_) => g.scope { (content) },
            }
        }
    }

    fn title(&self, part: Part) -> String {
        match part {
            Part::Layer(index) => {
                let layer = &self.report.layers[index];
                format!("{}: {} {}", layer.name, layer.op, output_shape(layer))
            }
            Part::Scope(index) => {
                let scope = &self.report.picture.scopes[index];
                format!("{}: {} layers, {} parameters", scope.name, scope.layers, thousands(scope.parameters))
            }
        }
    }

    /// The data in a script element. It is escaped, so that it cannot end the element.
    fn data(&self, open: &HashSet<usize>) -> String {
        let scopes = self.report.picture.scopes.iter().enumerate().map(|(index, scope)| ScopeData {
            label: &scope.label,
            second: self.lines(Part::Scope(index))[1].clone(),
            parent: scope.parent,
            parts: scope
                .parts
                .iter()
                .map(|part| match *part {
                    Part::Scope(inner) => -(inner as i64),
                    Part::Layer(layer) => layer as i64,
                })
                .collect(),
            rows: scope.arrangement.rows(),
            edges: scope.arrangement.edges(),
            entry: scope.arrangement.entry(),
            exit: scope.arrangement.exit(),
        });
        let layers = self.report.layers.iter().zip(&self.labels);
        let mut first: Vec<usize> = open.iter().copied().collect();
        first.sort_unstable();
        let data = Data {
            scopes: scopes.collect(),
            layers: layers
                .map(|(layer, &label)| (label, second_line(layer, label), kind(&layer.op), layer.is_output))
                .collect(),
            open: first,
        };
        // Names, numbers and lists of these can always be written as JSON.
        let text = serde_json::to_string(&data).unwrap_or_default();
        text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
    }
}

/// The name of a layer without the name of its scope.
fn within<'a>(name: &'a str, scope: &Scope) -> &'a str {
    match scope.parent {
        Some(_) => name.get(scope.name.len() + 1..).unwrap_or(name),
        None => name,
    }
}

/// The shape of a layer's output, without its batch.
fn output_shape(layer: &LayerReport) -> String {
    match layer.outputs.first().and_then(|output| output.shape.as_deref()) {
        Some([_, rest @ ..]) if !rest.is_empty() => shape(Some(rest)),
        Some(dims) => shape(Some(dims)),
        None => String::new(),
    }
}

/// The op and the shape. The op is left out if the label has it.
fn second_line(layer: &LayerReport, label: &str) -> String {
    let [op, last] = [&layer.op, label.rsplit('/').next().unwrap_or(label)].map(str::to_lowercase);
    let says_op =
        !last.is_empty() && (last.contains(&op) || op.contains(last.trim_end_matches(['_', '1', '2', '3'])));
    let shape = output_shape(layer);
    if says_op { shape } else { format!("{} {shape}", layer.op).trim_end().to_owned() }
}

/// A label that fits its box.
fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL {
        return label.to_owned();
    }
    // Names differ more often at their end.
    let tail: Vec<char> = label.chars().rev().take(LABEL - 1).collect();
    std::iter::once('…').chain(tail.into_iter().rev()).collect()
}

/// The curve through the points of an edge. Each step starts and ends vertically.
fn line(points: &[[f64; 2]], [left, top]: [f64; 2]) -> String {
    let mut line = String::new();
    let mut before: Option<[f64; 2]> = None;
    // Writing to a string cannot fail.
    for [x, y] in points.iter().map(|[x, y]| [left + x, top + y]) {
        let _ = match before {
            None => write!(line, "M{} {}", round(x), round(y)),
            Some([from, _]) if (from - x).abs() < 0.1 => write!(line, "V{}", round(y)),
            Some([from, above]) => {
                let middle = round((above + y) / 2.0);
                write!(line, "C{} {middle} {} {middle} {} {}", round(from), round(x), round(x), round(y))
            }
        };
        before = Some([x, y]);
    }
    line
}

/// A coordinate to a tenth.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_vertical_or_bend_in_the_middle() {
        assert_eq!(line(&[[5.0, 0.0], [5.0, 10.0], [9.0, 20.0]], [1.0, 2.0]), "M6 2V12C6 17 10 17 10 22");
    }

    #[test]
    fn long_labels_keep_their_ends() {
        let label = shortened("a_very_long_scope_of_somebody/BatchNorm");
        assert_eq!((label.chars().count(), label.ends_with("body/BatchNorm")), (LABEL, true));
    }
}
