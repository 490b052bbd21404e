//! The batch norms of whatever there is: of a graph, of an ONNX model, or told by the names of variables.

use hashbrown::{HashMap, HashSet};
use serde::Serialize;

use crate::convert::BatchNormSummary;
use crate::graph::import::data_inputs;
use crate::onnx::OnnxFile;
use crate::onnx::proto::NodeProto;
use crate::passes::batch_norm::{BatchNorm, Origin};
use crate::proto::{GraphDef, NodeDef};
use crate::tensor::Statistics;
use crate::tensors_in_file::{NamedTensor, TensorFile};

/// A batch norm, and what of it is stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchNormEntry {
    /// The scope of its variables, or the name of its node.
    pub name: String,
    /// How many channels it normalizes.
    pub channels: Option<usize>,
    /// The scale.
    pub gamma: Origin,
    /// The offset.
    pub beta: Origin,
    /// What is added to the variance; `None` where there is neither a graph nor a known network: no checkpoint holds it.
    pub epsilon: Option<f32>,
}

impl From<BatchNorm> for BatchNormEntry {
    fn from(norm: BatchNorm) -> Self {
        let BatchNorm { name, channels, gamma, beta, epsilon } = norm;
        Self { name, channels, gamma, beta, epsilon: Some(epsilon) }
    }
}

/// Counts over batch norms; `epsilon_source` is who says their epsilons.
pub fn summary(norms: &[BatchNormEntry], epsilon_source: String) -> BatchNormSummary {
    let parts = norms.iter().map(|norm| (&norm.gamma, &norm.beta, norm.epsilon));
    BatchNormSummary::of_parts(parts, epsilon_source)
}

/// The batch norms that can be told by the names of their variables.
pub fn batch_norms_by_name(tensors: &[NamedTensor]) -> Vec<BatchNormEntry> {
    let names: HashSet<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let part = |scope: &str, part: &str| {
        let variable = format!("{scope}/{part}");
        if names.contains(variable.as_str()) { Origin::Stored { variable } } else { Origin::Synthesized }
    };
    let means = tensors.iter().filter_map(|tensor| Some((tensor, tensor.name.strip_suffix("/moving_mean")?)));
    means
        .map(|(tensor, scope)| BatchNormEntry {
            name: scope.to_owned(),
            channels: tensor.shape.first().copied(),
            gamma: part(scope, "gamma"),
            beta: part(scope, "beta"),
            epsilon: None,
        })
        .collect()
}

/// The places of a batch norm's scale, offset and statistics among its inputs, in TensorFlow as in ONNX.
const GAMMA: usize = 1;
const BETA: usize = 2;
const MEAN: usize = 3;
const VARIANCE: usize = 4;

/// ONNX's default (<https://onnx.ai/onnx/operators/onnx__BatchNormalization.html>).
const ONNX_EPSILON: f32 = 1e-5;

fn is_onnx_batch_norm(node: &NodeProto) -> bool {
    node.op_type == "BatchNormalization" && matches!(node.domain.as_str(), "" | "ai.onnx")
}

/// The batch norms of an ONNX model. A scale that is all ones, and an offset that is all zeros, count as synthesized.
pub fn batch_norms_of_onnx(file: &OnnxFile, tensors: &[NamedTensor]) -> Vec<BatchNormEntry> {
    let tensors: HashMap<&str, &NamedTensor> =
        tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut norms = vec![];
    file.visit_nodes(&mut |node| {
        if !is_onnx_batch_norm(node) {
            return;
        }
        let input = |place: usize| node.input.get(place).map(String::as_str).unwrap_or_default();
        let origin = |place: usize, neutral: f64| match tensors.get(input(place)) {
            Some(tensor) if is_all(tensor, neutral) => Origin::Synthesized,
            _ => Origin::Stored { variable: input(place).to_owned() },
        };
        // As in a checkpoint, its name is the scope that its mean is in.
        let scope = tensors.get(input(MEAN)).and_then(|mean| mean.name.rsplit_once('/'));
        let fallback = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
        let name = scope.map_or_else(|| fallback.cloned().unwrap_or_default(), |(scope, _)| scope.to_owned());
        let epsilon = node.attribute.iter().find(|attribute| attribute.name == "epsilon");
        norms.push(BatchNormEntry {
            name,
            channels: tensors.get(input(MEAN)).and_then(|mean| mean.shape.first().copied()),
            gamma: origin(GAMMA, 1.0),
            beta: origin(BETA, 0.0),
            epsilon: Some(epsilon.map_or(ONNX_EPSILON, |epsilon| epsilon.f)),
        });
    });
    norms
}

/// Whether all elements of a tensor are this number.
fn is_all(tensor: &NamedTensor, number: f64) -> bool {
    let statistics = tensor.value.as_ref().ok().and_then(|value| Statistics::of(value).ok().flatten());
    statistics.is_some_and(|found| {
        (found.min, found.max) == (Some(number), Some(number)) && found.nan == 0 && found.inf == 0
    })
}

/// The names of tensors that batch norms read.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Scales, offsets, means and variances.
    pub all: HashSet<String>,
    /// Variances alone.
    pub variances: HashSet<String>,
}

impl Parts {
    /// What the batch norms of a graph or an ONNX model read; nothing for a checkpoint without a graph.
    pub fn of(file: &TensorFile) -> Self {
        let mut parts = Self::default();
        match file {
            TensorFile::Onnx(onnx) => onnx.visit_nodes(&mut |node| {
                if is_onnx_batch_norm(node) {
                    node.input.iter().enumerate().for_each(|(place, name)| parts.add(place, name));
                }
            }),
            TensorFile::Model(model) => {
                if let Some(graph) = model.graph() {
                    parts.add_graph(graph.definition());
                }
            }
        }
        parts
    }

    fn add(&mut self, place: usize, name: &str) {
        if (GAMMA..=VARIANCE).contains(&place) {
            self.all.insert(name.to_owned());
        }
        if place == VARIANCE {
            self.variances.insert(name.to_owned());
        }
    }

    fn add_graph(&mut self, definition: &GraphDef) {
        let nodes: HashMap<&str, &NodeDef> =
            definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
        for norm in definition.node.iter().filter(|node| node.op.starts_with("FusedBatchNorm")) {
            if norm.op.contains("Grad") {
                continue;
            }
            for (place, (input, _)) in data_inputs(norm).enumerate() {
                self.add(place, origin(&nodes, input));
            }
        }
    }
}

/// How many nodes a value is followed through.
const MAX_STEPS: usize = 16;

/// The node that a value is handed on from.
fn origin<'a>(nodes: &HashMap<&str, &'a NodeDef>, mut name: &'a str) -> &'a str {
    for _ in 0..MAX_STEPS {
        let node = nodes.get(name).filter(|node| matches!(node.op.as_str(), "Identity" | "ReadVariableOp"));
        match node.and_then(|node| data_inputs(node).next()) {
            Some((input, _)) => name = input,
            None => break,
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Constant;

    fn tensor(name: &str, values: &[f32]) -> NamedTensor {
        NamedTensor::new(name, Constant::from_f32(vec![values.len()], values))
    }

    #[test]
    fn names_tell_what_is_stored_of_a_batch_norm() {
        let names = ["a/BatchNorm/beta", "a/BatchNorm/moving_mean", "a/BatchNorm/moving_variance", "a/gamma"];
        let norms = batch_norms_by_name(&names.map(|name| tensor(name, &[1.0, 2.0])));
        let beta = Origin::Stored { variable: "a/BatchNorm/beta".to_owned() };
        let (name, gamma) = ("a/BatchNorm".to_owned(), Origin::Synthesized);
        assert_eq!(norms, [BatchNormEntry { name, channels: Some(2), gamma, beta, epsilon: None }]);
        let summary = summary(&norms, String::new());
        assert_eq!((summary.gamma_synthesized, summary.beta_stored), (1, 1));
    }

    #[test]
    fn parts_of_a_graph_are_found_through_what_hands_them_on() {
        let node = |name: &str, op: &str, inputs: &[&str]| NodeDef {
            name: name.to_owned(),
            op: op.to_owned(),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            ..NodeDef::default()
        };
        let nodes = vec![
            node("v", "Const", &[]),
            node("v/read", "Identity", &["v"]),
            node("norm", "FusedBatchNormV3", &["x", "g", "b:0", "m", "v/read"]),
        ];
        let mut parts = Parts::default();
        parts.add_graph(&GraphDef { node: nodes, ..GraphDef::default() });
        let mut all: Vec<&str> = parts.all.iter().map(String::as_str).collect();
        all.sort_unstable();
        assert_eq!(all, ["b", "g", "m", "v"]);
        assert!(parts.variances.contains("v") && parts.variances.len() == 1);
    }
}
