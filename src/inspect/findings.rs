//! Findings about a model before it is converted, in sentences.

use std::path::Path;

use hashbrown::HashSet;
use serde::Serialize;

use super::{BatchNormEntry, GraphSummary, Inspected, Kind, OnnxSummary};
use crate::convert::{Severity, Unused};
use crate::setting::{Command, Setting};
use crate::suggestion::first_of;
use crate::tensor::{DType, Statistics};

/// Something that the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its kind, for programs.
    pub finding: &'static str,
    /// How serious it is.
    pub level: Severity,
    /// The tensors, batch norms, ops or files that it is about.
    pub about: Vec<String>,
    /// The sentence.
    pub text: String,
}

/// The findings that are only good to know.
const NOTES: [&str; 5] = ["no_gamma", "no_beta", "unusual_dtype", "zero_variance", "not_converted"];

/// How many names a sentence lists.
const LISTED: usize = 3;

impl Finding {
    fn new(
        finding: &'static str,
        about: Vec<String>,
        text: impl FnOnce(usize, &str) -> String,
    ) -> Option<Self> {
        if about.is_empty() {
            return None;
        }
        let text = text(about.len(), &first_of(&about, LISTED));
        let level = if NOTES.contains(&finding) { Severity::Info } else { Severity::Warning };
        Some(Self { finding, level, about, text })
    }
}

/// `one` if the number is 1, otherwise `many`.
fn by_number<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// The findings about a model. `is_network` says that a network was recognized; `onnx` is `Some` for an ONNX model.
pub fn findings(
    tensors: &[Inspected],
    batch_norms: &[BatchNormEntry],
    graph: Option<&GraphSummary>,
    onnx: Option<&OnnxSummary>,
    is_network: bool,
) -> Vec<Finding> {
    let of_norms = of_batch_norms(batch_norms, onnx.is_some());
    let of_tensors = of_values(tensors);
    let of_files = [missing_files(onnx), missing_ops(graph), problem(graph)];
    let of_conversion = [unusual_types(tensors, is_network), not_converted(tensors, is_network)];
    of_norms.into_iter().chain(of_tensors).chain(of_conversion).chain(of_files).flatten().collect()
}

fn of_batch_norms(norms: &[BatchNormEntry], is_onnx: bool) -> [Option<Finding>; 2] {
    let names = |is_missing: fn(&BatchNormEntry) -> bool| {
        norms.iter().filter(|norm| is_missing(norm)).map(|norm| norm.name.clone()).collect::<Vec<_>>()
    };
    let all = norms.len();
    let gamma = Finding::new("no_gamma", names(|norm| norm.gamma.is_synthesized()), |count, _| {
        let have = by_number(count, "has", "have");
        match is_onnx {
            true => format!(
                "the scale of {count} of {all} batch norms is all ones, as for slim's batch norms without gamma (scale=False)"
            ),
            false => format!(
                "{count} of {all} batch norms {have} no gamma, as slim's have none with scale=False: it is 1; {} \
                 writes ones, and {} does with {}",
                Command::Convert,
                Command::Extract,
                Setting::WithSynthesized
            ),
        }
    });
    let beta = Finding::new("no_beta", names(|norm| norm.beta.is_synthesized()), |count, _| {
        let have = by_number(count, "has", "have");
        match is_onnx {
            true => format!("the offset of {count} of {all} batch norms is all zeros"),
            false => format!(
                "{count} of {all} batch norms {have} no beta, as slim's have none with center=False: it is 0"
            ),
        }
    });
    [gamma, beta]
}

fn names_where(tensors: &[Inspected], holds: impl Fn(&Inspected) -> bool) -> Vec<String> {
    tensors.iter().filter(|tensor| holds(tensor)).map(|inspected| inspected.tensor.name.clone()).collect()
}

fn of_values(tensors: &[Inspected]) -> [Option<Finding>; 5] {
    let has = |tensor: &Inspected, count: fn(&Statistics) -> u64| {
        tensor.statistics.as_ref().is_some_and(|statistics| count(statistics) > 0)
    };
    let total = |names: &[String], count: fn(&Statistics) -> u64| -> u64 {
        let of = tensors.iter().filter(|inspected| names.contains(&inspected.tensor.name));
        of.filter_map(|inspected| inspected.statistics.as_ref()).map(count).sum()
    };
    let nan = names_where(tensors, |tensor| has(tensor, |found| found.nan));
    let nans = total(&nan, |found| found.nan);
    let inf = names_where(tensors, |tensor| has(tensor, |found| found.inf));
    let infs = total(&inf, |found| found.inf);
    let negative = names_where(tensors, |tensor| tensor.is_variance && has(tensor, |found| found.negative));
    let zero = names_where(tensors, |tensor| tensor.is_variance && has(tensor, |found| found.zeros));
    let zeros = total(&zero, |found| found.zeros);
    let unreadable = names_where(tensors, |tensor| tensor.problem.is_some());
    let first = tensors.iter().find_map(|tensor| tensor.problem.as_ref());
    let first = first.map(ToString::to_string).unwrap_or_default();
    [
        Finding::new("nan", nan, |count, listed| {
            let tensors = by_number(count, "a tensor has", "tensors have");
            let count = if count == 1 { String::new() } else { format!("{count} ") };
            format!("{count}{tensors} elements that are not a number ({nans} in all): {listed}")
        }),
        Finding::new("inf", inf, |count, listed| {
            let tensors = by_number(count, "a tensor has", "tensors have");
            let count = if count == 1 { String::new() } else { format!("{count} ") };
            format!("{count}{tensors} infinite elements ({infs} in all): {listed}")
        }),
        Finding::new("negative_variance", negative, |count, listed| {
            let norms = by_number(count, "batch norm has", "batch norms have");
            format!(
                "{count} {norms} negative variances, which cannot come from data and make the results NaN: {listed}"
            )
        }),
        Finding::new("zero_variance", zero, |count, listed| {
            let norms = by_number(count, "batch norm has", "batch norms have");
            let channels = if zeros == 1 { "channel" } else { "channels" };
            format!(
                "{count} {norms} variances of zero ({zeros} {channels} in all): the channel never varied in training, and is \
                 divided by the root of epsilon alone: {listed}"
            )
        }),
        Finding::new("unreadable", unreadable, |count, _| match count {
            1 => format!("a tensor cannot be read: {first}"),
            _ => format!("{count} tensors cannot be read; the first: {first}"),
        }),
    ]
}

/// Weights whose type is not float32, the type of slim's networks.
fn unusual_types(tensors: &[Inspected], is_network: bool) -> Option<Finding> {
    let is_weight = |tensor: &Inspected| matches!(tensor.kind, Kind::Weights | Kind::BatchNorm);
    let is_unusual = |tensor: &Inspected| tensor.tensor.dtype != Some(DType::Float32);
    let unusual = |tensor: &&Inspected| is_weight(tensor) && is_unusual(tensor);
    let mut types: Vec<&str> =
        tensors.iter().filter(unusual).map(|inspected| inspected.tensor.type_name.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    let types = types.join(", ");
    let names = names_where(tensors, |tensor| unusual(&tensor));
    Finding::new("unusual_dtype", names, |count, listed| {
        let weights = by_number(count, "weight is", "weights are");
        let demand = if is_network { "; convert accepts only float32 for this network" } else { "" };
        format!("{count} {weights} not float32 but {types}{demand}: {listed}")
    })
}

/// Weights that a conversion does not read, although they are not only for training.
fn not_converted(tensors: &[Inspected], is_network: bool) -> Option<Finding> {
    // If a conversion reads the moving average of a weight, the weight counts as read.
    let read = tensors.iter().filter(|inspected| inspected.converted == Some(true));
    let read: HashSet<&str> = read.map(|inspected| inspected.tensor.name.as_str()).collect();
    let has_average = |name: &str| read.contains(format!("{name}/ExponentialMovingAverage").as_str());
    let is_left = |inspected: &Inspected| {
        matches!(inspected.kind, Kind::Weights | Kind::BatchNorm)
            && inspected.converted == Some(false)
            && !has_average(&inspected.tensor.name)
    };
    Finding::new("not_converted", names_where(tensors, is_left), |count, listed| {
        let belong = by_number(count, "variable is not a part", "variables are not a part");
        let of = if is_network { "the converted network" } else { "what the graph computes" };
        let note =
            if listed.contains("AuxLogits") { " (the auxiliary classifier is for training)" } else { "" };
        format!("{count} {belong} of {of}{note}: {listed}")
    })
}

/// The finding about trained variables of the checkpoint that the network does not have.
pub fn unused_variables(network: &str, unused: &Unused) -> Option<Finding> {
    let warning = unused.warning(network)?;
    let about = unused.scopes.iter().map(|scope| scope.scope.clone()).collect();
    Finding::new("unused_variables", about, |_, _| warning.text)
}

fn missing_files(onnx: Option<&OnnxSummary>) -> Option<Finding> {
    let files = onnx.map(|onnx| &onnx.external_data[..]).unwrap_or_default();
    let missing =
        files.iter().filter(|file| file.bytes.is_none()).map(|file| file.location.clone()).collect();
    Finding::new("missing_file", missing, |count, listed| {
        let files =
            by_number(count, "the file beside the model that holds weights", "files beside the model");
        let count = if count == 1 { String::new() } else { format!("{count} ") };
        format!("{count}{files} cannot be read: {listed}")
    })
}

fn missing_ops(graph: Option<&GraphSummary>) -> Option<Finding> {
    let missing = graph.and_then(|graph| graph.missing_ops.as_deref()).unwrap_or_default();
    let listed: Vec<String> = missing.iter().map(|op| format!("{} ({})", op.op, op.count)).collect();
    let ops = missing.iter().map(|op| op.op.clone()).collect();
    Finding::new("missing_ops", ops, |count, _| {
        let ops = by_number(count, "an op of the graph", "ops of the graph");
        format!("{ops} cannot be converted: {}", listed.join(", "))
    })
}

fn problem(graph: Option<&GraphSummary>) -> Option<Finding> {
    let graph = graph?;
    conversion_fails(&graph.path, graph.problem.as_ref()?)
}

/// The finding that a conversion of the model or graph at this path would fail, and why.
pub fn conversion_fails(path: &Path, problem: &impl std::fmt::Display) -> Option<Finding> {
    let about = vec![path.display().to_string()];
    Finding::new("conversion_fails", about, |_, _| format!("convert would fail: {problem}"))
}
