//! The batch norms of a graph, of an ONNX model, or by the names of variables.

use hashbrown::{HashMap, HashSet};
use serde::Serialize;

use crate::convert::BatchNormSummary;
use crate::graph::is_batch_norm;
use crate::graph::node_def::data_inputs;
use crate::onnx::OnnxFile;
use crate::onnx::proto::NodeProto;
use crate::passes::batch_norm::{BatchNorm, Origin};
use crate::proto::{GraphDef, NodeDef};
use crate::tensor::Statistics;
use crate::tensors_in_file::{NamedTensor, TensorFile};

/// A batch norm, and which of its parts are stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchNormEntry {
    /// The scope of its variables, or the name of its node.
    pub name: String,
    /// The number of its channels.
    pub channels: Option<usize>,
    /// The scale.
    pub gamma: Origin,
    /// The offset.
    pub beta: Origin,
    /// What is added to the variance. `None` if there is neither a graph nor a known network: no checkpoint holds it.
    pub epsilon: Option<f32>,
}

impl From<BatchNorm> for BatchNormEntry {
    fn from(norm: BatchNorm) -> Self {
        let BatchNorm { name, channels, gamma, beta, epsilon } = norm;
        Self { name, channels, gamma, beta, epsilon: Some(epsilon) }
    }
}

/// The summary of batch norms; `epsilon_source` is where their epsilons come from.
pub fn summary(norms: &[BatchNormEntry], epsilon_source: String) -> BatchNormSummary {
    let parts = norms.iter().map(|norm| (&norm.gamma, &norm.beta, norm.epsilon));
    BatchNormSummary::of_parts(parts, epsilon_source)
}

/// The batch norms that the names of variables show.
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

/// The inputs of a batch norm that are its scale, offset and statistics, in TensorFlow and in ONNX.
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
        let input = |index: usize| node.input.get(index).map(String::as_str).unwrap_or_default();
        let origin = |index: usize, neutral: f64| match tensors.get(input(index)) {
            Some(tensor) if is_all(tensor, neutral) => Origin::Synthesized,
            _ => Origin::Stored { variable: input(index).to_owned() },
        };
        // Its name is the scope of its mean, as in a checkpoint.
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

/// Whether all elements of a tensor are equal to this number.
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
    /// The tensors that the batch norms of a graph or an ONNX model read; none for a checkpoint without a graph.
    pub fn of(file: &TensorFile) -> Self {
        let mut parts = Self::default();
        match file {
            TensorFile::Onnx(onnx) => onnx.visit_nodes(&mut |node| {
                if is_onnx_batch_norm(node) {
                    node.input.iter().enumerate().for_each(|(index, name)| parts.add(index, name));
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

    fn add(&mut self, index: usize, name: &str) {
        if (GAMMA..=VARIANCE).contains(&index) {
            self.all.insert(name.to_owned());
        }
        if index == VARIANCE {
            self.variances.insert(name.to_owned());
        }
    }

    fn add_graph(&mut self, definition: &GraphDef) {
        let nodes: HashMap<&str, &NodeDef> =
            definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
        for norm in definition.node.iter().filter(|node| is_batch_norm(&node.op)) {
            for (index, (input, _)) in data_inputs(norm).enumerate() {
                self.add(index, origin(&nodes, input));
            }
        }
    }
}

/// The number of nodes that a value is followed through.
const MAX_STEPS: usize = 16;

/// The node that computes a value, past nodes that forward it.
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
    fn names_show_which_parts_of_a_batch_norm_are_stored() {
        let names = ["a/BatchNorm/beta", "a/BatchNorm/moving_mean", "a/BatchNorm/moving_variance", "a/gamma"];
        let norms = batch_norms_by_name(&names.map(|name| tensor(name, &[1.0, 2.0])));
        let beta = Origin::Stored { variable: "a/BatchNorm/beta".to_owned() };
        let (name, gamma) = ("a/BatchNorm".to_owned(), Origin::Synthesized);
        assert_eq!(norms, [BatchNormEntry { name, channels: Some(2), gamma, beta, epsilon: None }]);
        let summary = summary(&norms, String::new());
        assert_eq!((summary.gamma_synthesized, summary.beta_stored), (1, 1));
    }

    #[test]
    fn parts_of_a_graph_are_found_past_identities() {
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
