//! The report of `inspect` as text.

use std::collections::BTreeMap;

use super::report::{InspectReport, NetworkEntry, TensorEntry};
use crate::cli::output::{self, Column};
use crate::cli::scope;
use crate::convert::Note;
use crate::inspect::{
    BatchNormEntry, FunctionSummary, GraphSummary, Kinds, OnnxSummary, Signature, SignatureTensor,
    TensorSummary,
};
use crate::passes::batch_norm::Origin;
use crate::suggestion::first_of;
use crate::tensor::Statistics;

/// How many variables a cell names.
const LISTED: usize = 3;

/// The report as tables and sentences.
pub fn text(report: &InspectReport<'_>) -> String {
    let mut parts = vec![head(report), tensors(&report.tensors), batch_norms(report)];
    // With --match, the ops and layers are left out.
    let is_whole = report.tensors.len() == report.tensors_in_file;
    parts.extend(
        report
            .layers
            .iter()
            .filter(|layers| is_whole && !layers.is_empty())
            .map(|layers| super::layers::table(layers)),
    );
    parts.extend(report.graph.iter().filter(|_| is_whole).map(ops));
    let mut lines = vec![];
    lines.extend(report.onnx.iter().flat_map(onnx));
    lines.extend(report.graph.iter().flat_map(|graph| graph_lines(graph, report.format)));
    match (&report.network, &report.graph) {
        (Some(network), _) => lines.extend(network_lines(network)),
        // A graph does not need the name of a network.
        (None, Some(_)) => {}
        (None, None) => {
            let problem = report.network_problem.as_deref().unwrap_or("none");
            lines.push(format!("no network recognized: {problem}"));
        }
    }
    if report.network.is_none() && !report.batch_norms.is_empty() && report.onnx.is_none() {
        lines.push(report.batch_norm_summary.to_string());
    }
    lines.extend(report.kinds.iter().map(kind_line));
    lines.extend(report.findings.iter().map(|finding| format!("{}: {}", finding.level.name(), finding.text)));
    parts.push(lines.into_iter().map(|line| line + "\n").collect());
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn head(report: &InspectReport<'_>) -> String {
    let what = match report.format {
        "V1" | "V2" => format!("{} checkpoint", report.format),
        "ONNX" => "ONNX model".to_owned(),
        graph => graph.to_owned(),
    };
    let (shown, all) = (report.tensors.len(), report.tensors_in_file);
    let bytes: usize = report.tensors.iter().filter_map(|tensor| tensor.bytes).sum();
    let count = if shown == all {
        output::count(all, "tensor")
    } else {
        format!("{shown} of {}", output::count(all, "tensor"))
    };
    format!("{}: {what}, {count}, {}\n", report.path.display(), output::bytes(bytes as u64))
}

fn tensors(tensors: &[TensorEntry]) -> String {
    if tensors.is_empty() {
        return String::new();
    }
    let has_statistics = tensors.iter().any(|tensor| tensor.statistics.is_some());
    let mut columns = vec![
        Column::names("tensor"),
        Column::new("dtype"),
        Column::new("shape"),
        Column::new("bytes"),
        Column::new("kind"),
    ];
    if has_statistics {
        columns.extend(["min", "max", "mean", "std", "zeros", "nan", "inf"].map(Column::new));
    }
    let rows = tensors.iter().map(|tensor| {
        let bytes = tensor.bytes.map_or_else(|| "?".to_owned(), |bytes| output::bytes(bytes as u64));
        let mut row = vec![
            tensor.name.clone(),
            tensor.dtype.clone(),
            output::shape(&tensor.shape),
            bytes,
            tensor.kind.name().to_owned(),
        ];
        if has_statistics {
            row.extend(
                tensor.statistics.map_or_else(Default::default, |found| statistics(&found, &tensor.dtype)),
            );
        }
        row
    });
    output::table(&columns, rows)
}

fn statistics(found: &Statistics, dtype: &str) -> [String; 7] {
    let shown = |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "-".to_owned(), show);
    let element =
        if dtype.contains("float") || dtype == "double" { number } else { |whole| format!("{whole:.0}") };
    let [min, max] = [found.min, found.max].map(|value| shown(value, element));
    let [mean, std] = [found.mean, found.std].map(|value| shown(value, number));
    let zeros = format!("{:.1} %", 100.0 * found.zero_share());
    [min, max, mean, std, zeros, found.nan.to_string(), found.inf.to_string()]
}

/// A number with four significant digits.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e5).contains(&size) {
        let digits = if size < 1.0 { 4 } else { 3 - size.log10().floor().min(3.0) as usize };
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    }
}

fn batch_norms(report: &InspectReport<'_>) -> String {
    if report.batch_norms.is_empty() {
        return String::new();
    }
    // An ONNX model always has a scale, which may have no effect.
    let missing = if report.onnx.is_some() { "all" } else { "not stored:" };
    let row = |norm: &BatchNormEntry| {
        let part = |origin: &Origin, neutral: &str| match origin {
            Origin::Stored { .. } => "stored".to_owned(),
            Origin::Computed { from } if from.is_empty() => "computed".to_owned(),
            Origin::Computed { from } => format!("computed from {}", first_of(from, LISTED)),
            Origin::Synthesized => format!("{missing} {neutral}"),
        };
        vec![
            norm.name.clone(),
            norm.channels.map_or_else(|| "?".to_owned(), |channels| channels.to_string()),
            part(&norm.gamma, "ones"),
            part(&norm.beta, "zeros"),
            norm.epsilon.map_or_else(|| "not known".to_owned(), |epsilon| epsilon.to_string()),
        ]
    };
    let columns = [
        Column::names("batch norm"),
        Column::new("channels"),
        Column::new("gamma"),
        Column::new("beta"),
        Column::new("epsilon"),
    ];
    output::table(&columns, report.batch_norms.iter().map(row))
}

fn ops(graph: &GraphSummary) -> String {
    let rows = graph.ops.iter().map(|op| vec![op.op.clone(), op.count.to_string()]);
    output::table(&[Column::names("op"), Column::new("nodes")], rows)
}

fn onnx(onnx: &OnnxSummary) -> Vec<String> {
    let sets = onnx.opsets.iter().map(|(domain, version)| match domain.as_str() {
        "" => format!("opset {version}"),
        domain => format!("{domain} {version}"),
    });
    let sets: Vec<String> = sets.collect();
    let producer = format!("{} {}", onnx.producer_name, onnx.producer_version);
    let producer = if producer.trim().is_empty() { "an unnamed program" } else { producer.trim() };
    let mut lines = vec![format!("{}, IR version {}, by {producer}", sets.join(", "), onnx.ir_version)];
    for (key, value) in &onnx.metadata {
        // An empty value has a line, too.
        lines.extend(value.split('\n').map(|line| format!("{key}: {line}").trim_end().to_owned()));
    }
    lines.extend(onnx.external_data.iter().map(|file| {
        let tensors = output::count(file.tensors, "tensor");
        let bytes = file.bytes.map_or_else(|| "missing".to_owned(), output::bytes);
        format!("{tensors} in {} ({bytes})", file.location)
    }));
    lines
}

fn graph_lines(graph: &GraphSummary, format: &str) -> Vec<String> {
    let mut head = format!("graph {}: {}", graph.path.display(), graph.kind);
    if let Some(version) = &graph.tensorflow_version {
        head += &format!(" of TensorFlow {version}");
    }
    if !graph.tags.is_empty() {
        head += &format!(", tags {}", graph.tags.join(" and "));
    }
    head += &format!(", {}", output::count(graph.nodes, "node"));
    if graph.functions > 0 {
        head += &format!(", {}", output::count(graph.functions, "function"));
    }
    if !graph.variables.is_empty() {
        head += &format!(", {}", output::count(graph.variables.len(), "variable"));
    }
    let mut lines = vec![head];
    // The table of tensors has the variables of a checkpoint.
    if !matches!(format, "V1" | "V2") {
        lines.extend(graph.variables.iter().map(|variable| format!("variable {variable}")));
    }
    let is_of_signature =
        |signature: &&Signature| !signature.inputs.is_empty() || !signature.outputs.is_empty();
    lines.extend(graph.signatures.iter().filter(is_of_signature).map(signature_line));
    // A model of Keras has a dozen, and one signature, which is what most want.
    if graph.signatures.is_empty() {
        lines.extend(graph.object_functions.iter().map(function_line));
    }
    let placeholders = graph.placeholders.iter().filter(|placeholder| !is_of_saver(placeholder));
    lines.extend(placeholders.map(|placeholder| format!("placeholder {placeholder}")));
    for (what, tensors) in [("inputs", &graph.inputs), ("outputs", &graph.outputs)] {
        if !tensors.is_empty() {
            lines.push(format!("{what} {}", join(tensors.iter())));
        }
    }
    lines.extend(graph.notes.iter().map(Note::to_string));
    lines
}

/// Whether a placeholder is one of the two by which a `tf.train.Saver` gets the name of a file.
fn is_of_saver(placeholder: &TensorSummary) -> bool {
    let Some((scope, name)) = placeholder.name.split_once('/') else { return false };
    let is_saver = scope == "save" || scope.starts_with("save_");
    is_saver && matches!(name, "filename" | "Const") && placeholder.dtype == "string"
}

fn signature_line(signature: &Signature) -> String {
    let method = if signature.method.is_empty() { String::new() } else { format!(" ({})", signature.method) };
    format!(
        "signature {}{method}: {} → {}",
        signature.name,
        by_key(&signature.inputs),
        by_key(&signature.outputs)
    )
}

fn function_line(function: &FunctionSummary) -> String {
    let settings = match &function.settings[..] {
        [] => String::new(),
        settings => format!(" ({})", settings.join(", ")),
    };
    let [inputs, outputs] = [&function.inputs, &function.outputs].map(|tensors| join(tensors.iter()));
    format!("function {}{settings}: {inputs} → {outputs}", function.name)
}

/// Tensors with their keys in a signature.
fn by_key(tensors: &BTreeMap<String, SignatureTensor>) -> String {
    let keyed = tensors.iter().map(|(key, tensor)| format!("{key} is {tensor}"));
    keyed.collect::<Vec<_>>().join(", ")
}

fn join<'a>(tensors: impl Iterator<Item = &'a TensorSummary>) -> String {
    tensors.map(TensorSummary::to_string).collect::<Vec<_>>().join(", ")
}

fn network_lines(network: &NetworkEntry) -> Vec<String> {
    let found = network.variables_found as f64 / (network.variables_expected as f64).max(1.0);
    let rest = match network.unused_variables[..] {
        [] => String::new(),
        _ => format!("; certainty {:.0} %, since the checkpoint holds more", 100.0 * network.certainty),
    };
    let head = format!(
        "network {} in {}: the file has {} of its {} variables ({:.0} %){rest}",
        network.name,
        scope(&network.scope),
        network.variables_found,
        network.variables_expected,
        100.0 * found
    );
    [Some(head), Some(network.batch_norms.to_string()), network.moving_averages.note()]
        .into_iter()
        .flatten()
        .collect()
}

fn kind_line(kinds: &Kinds) -> String {
    let Kinds { kind, tensors, bytes, converted } = kinds;
    let converted = match converted {
        None => String::new(),
        Some(0) => ", not converted".to_owned(),
        Some(all) if all == tensors => ", converted".to_owned(),
        Some(some) => format!(", {some} of them converted"),
    };
    format!("{}: {}, {}{converted}", kind.name(), output::count(*tensors, "tensor"), output::bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits() {
        let numbers = [0.0, 0.12345, -1.23456, 12.3456, 1234.56, 99999.4, 1e-7, -3.2e9, 1.0];
        let written =
            ["0.0000", "0.1235", "-1.235", "12.35", "1235", "99999", "1.000e-7", "-3.200e9", "1.000"];
        assert_eq!(numbers.map(number), written);
    }
}
