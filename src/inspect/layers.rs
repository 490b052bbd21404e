//! The layers that the names and shapes of variables show, for a checkpoint whose network is not known.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hashbrown::HashSet;
use serde::Serialize;

use super::{Kind, kind_of};
use crate::checkpoint::kind::OBJECT_VALUE;
use crate::tensors_in_file::{NamedTensor, TensorFile};

/// The kind of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// A convolution of images.
    Conv2d,
    /// A convolution with its own filters for each channel.
    DepthwiseConv2d,
    /// A depthwise convolution, and a pointwise one in the same scope.
    SeparableConv2d,
    /// A convolution of sequences.
    Conv1d,
    /// A convolution of volumes.
    Conv3d,
    /// A matrix: a fully connected layer, or the vectors of an embedding.
    FullyConnected,
    /// A recurrent cell: the matrix has the columns of several gates.
    Recurrent,
    /// A batch norm that belongs to no other layer.
    BatchNorm,
    /// A layer norm, or another normalization without moving averages.
    Norm,
    /// Variables of another kind.
    Other,
}

/// A layer, as its variables show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerEntry {
    /// The scope of its variables; empty at the top.
    pub scope: String,
    /// The kind of the layer.
    pub kind: LayerKind,
    /// The lengths of the window of a convolution.
    pub kernel: Vec<usize>,
    /// The number of input channels; `None` if it is not in the variables.
    pub inputs: Option<usize>,
    /// The number of output channels.
    pub outputs: Option<usize>,
    /// The name of the variable with the weights, without the scope; empty if there are none.
    pub weights: String,
    /// The name of the variable with the biases, without the scope.
    pub biases: Option<String>,
    /// The scope of its batch norm, if one belongs to it.
    pub batch_norm: Option<String>,
    /// Whether the batch norm, or the normalization, has a gamma and a beta.
    pub gamma: bool,
    /// See `gamma`.
    pub beta: bool,
    /// The names of the other variables in the scope.
    pub others: Vec<String>,
}

/// A tensor of a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Variable<'a> {
    /// Its name.
    pub name: &'a str,
    /// The lengths of its axes.
    pub shape: &'a [usize],
    /// Its purpose.
    pub kind: Kind,
}

/// The layers of a checkpoint; see [`layers`].
pub fn layers_in(file: &TensorFile) -> Vec<LayerEntry> {
    let tensors = file.tensors();
    let names: HashSet<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let kind = |tensor: &NamedTensor| {
        let exists = |name: &str| names.contains(name);
        kind_of(&tensor.name, tensor.dtype, tensor.shape.len(), &|_| false, &exists)
    };
    layers(tensors.iter().map(|tensor| Variable {
        name: &tensor.name,
        shape: &tensor.shape,
        kind: kind(tensor),
    }))
}

/// The names of weights and biases in slim, tf.layers and Keras, Sonnet, and code without a library.
const WEIGHTS: [&str; 7] = ["weights", "kernel", "w", "weight", "W", "filter", "filters"];
const BIASES: [&str; 5] = ["biases", "bias", "b", "B", "offset"];
const DEPTHWISE: [&str; 3] = ["depthwise_weights", "depthwise_kernel", "depthwise_filter"];
const POINTWISE: [&str; 3] = ["pointwise_weights", "pointwise_kernel", "pointwise_filter"];

/// The scopes of batch norms in slim, which puts them below the scope of the layer.
const BATCH_NORM_SCOPE: &str = "/BatchNorm";

/// The variables of one scope, by their last name.
type ScopeVariables<'a> = BTreeMap<&'a str, &'a [usize]>;

/// The layers of a checkpoint, in the order of their names, with numbers in names compared as numbers. The order in which the
/// network computes them is not stored.
pub fn layers<'a>(variables: impl Iterator<Item = Variable<'a>>) -> Vec<LayerEntry> {
    let mut scopes: BTreeMap<Natural<'a>, ScopeVariables<'a>> = BTreeMap::new();
    for variable in variables.filter(|variable| matches!(variable.kind, Kind::Weights | Kind::BatchNorm)) {
        let name = variable.name.strip_suffix(OBJECT_VALUE).unwrap_or(variable.name);
        let (scope, last) = name.rsplit_once('/').unwrap_or(("", name));
        scopes.entry(Natural(scope)).or_default().insert(last, variable.shape);
    }
    let mut layers: Vec<LayerEntry> = vec![];
    for (Natural(scope), variables) in &scopes {
        let layer = layer(scope, variables);
        let owner = layers.iter_mut().rev().find(|owner| owns(owner, &layer));
        match owner.filter(|_| layer.kind == LayerKind::BatchNorm) {
            Some(owner) => {
                owner.batch_norm = Some(layer.scope);
                (owner.gamma, owner.beta) = (layer.gamma, layer.beta);
            }
            None => layers.push(layer),
        }
    }
    layers
}

/// Whether a batch norm belongs to the layer by the name of its scope.
fn owns(owner: &LayerEntry, norm: &LayerEntry) -> bool {
    owner.kind != LayerKind::BatchNorm
        && owner.outputs == norm.outputs
        && norm.scope.strip_suffix(BATCH_NORM_SCOPE) == Some(owner.scope.as_str())
}

fn layer(scope: &str, variables: &ScopeVariables<'_>) -> LayerEntry {
    let mut others: Vec<&str> = variables.keys().copied().collect();
    let mut take = |names: &[&'static str]| {
        let name = names.iter().find(|name| variables.contains_key(**name))?;
        others.retain(|other| other != name);
        Some((*name, variables[*name]))
    };
    let statistics = take(&["moving_mean"]).or(take(&["moving_variance"]));
    take(&["moving_variance"]);
    let depthwise = take(&DEPTHWISE);
    let pointwise = if depthwise.is_some() { take(&POINTWISE) } else { None };
    let weights = if depthwise.is_some() { depthwise } else { take(&WEIGHTS) };
    let has_weights = weights.is_some();
    // In the scope of a normalization, "beta" and "gamma" are its own; with weights they may be something else.
    let (gamma, beta) =
        if has_weights && statistics.is_none() { (None, None) } else { (take(&["gamma"]), take(&["beta"])) };
    let biases = if has_weights { take(&BIASES) } else { None };
    let norm_length = statistics.or(gamma).or(beta).and_then(|(_, shape)| shape.last().copied());
    let (kind, kernel, inputs, outputs) = match (weights, statistics) {
        (Some((_, shape)), _) => of_weights(shape, depthwise.is_some(), pointwise.map(|(_, shape)| shape)),
        (None, Some(_)) => (LayerKind::BatchNorm, vec![], norm_length, norm_length),
        (None, None) if gamma.is_some() || beta.is_some() => {
            (LayerKind::Norm, vec![], norm_length, norm_length)
        }
        (None, None) => (LayerKind::Other, vec![], None, None),
    };
    // The cells of tf.nn.rnn_cell are called `lstm_cell` and the like; Keras has a matrix of its own for the state.
    let is_recurrent = others.contains(&"recurrent_kernel")
        || kind == LayerKind::FullyConnected
            && scope.rsplit('/').next().is_some_and(|last| last.contains("cell"));
    LayerEntry {
        scope: scope.to_owned(),
        kind: if is_recurrent { LayerKind::Recurrent } else { kind },
        kernel,
        inputs,
        outputs,
        weights: weights.map_or(String::new(), |(name, _)| name.to_owned()),
        biases: biases.map(|(name, _)| name.to_owned()),
        batch_norm: (has_weights && statistics.is_some()).then(|| scope.to_owned()),
        gamma: gamma.is_some(),
        beta: beta.is_some(),
        others: others.into_iter().map(str::to_owned).collect(),
    }
}

/// The kind, the window, and the input and output channels of a layer with weights of this shape.
fn of_weights(
    shape: &[usize],
    is_depthwise: bool,
    pointwise: Option<&[usize]>,
) -> (LayerKind, Vec<usize>, Option<usize>, Option<usize>) {
    match *shape {
        [height, width, inputs, multiplier] if is_depthwise => {
            let kind =
                if pointwise.is_some() { LayerKind::SeparableConv2d } else { LayerKind::DepthwiseConv2d };
            let outputs = pointwise.map_or(Some(inputs * multiplier), |shape| shape.last().copied());
            (kind, vec![height, width], Some(inputs), outputs)
        }
        [depth, height, width, inputs, outputs] => {
            (LayerKind::Conv3d, vec![depth, height, width], Some(inputs), Some(outputs))
        }
        [height, width, inputs, outputs] => {
            (LayerKind::Conv2d, vec![height, width], Some(inputs), Some(outputs))
        }
        [length, inputs, outputs] => (LayerKind::Conv1d, vec![length], Some(inputs), Some(outputs)),
        [inputs, outputs] => (LayerKind::FullyConnected, vec![], Some(inputs), Some(outputs)),
        _ => (LayerKind::Other, vec![], None, shape.last().copied()),
    }
}

/// A name in natural order: numbers in it are compared as numbers, so that `block_2` is before `block_10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Natural<'a>(&'a str);

impl Ord for Natural<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let scopes = |name: &'_ str| name.split('/').map(str::to_owned).collect::<Vec<_>>();
        let (a, b) = (scopes(self.0), scopes(other.0));
        let by_scope = a.iter().zip(&b).map(|(a, b)| compare_naturally(a, b)).find(|order| order.is_ne());
        by_scope.unwrap_or_else(|| a.len().cmp(&b.len())).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Natural<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn compare_naturally(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let (text_a, text_b) = (take(&mut a, false), take(&mut b, false));
        let (digits_a, digits_b) = (take(&mut a, true), take(&mut b, true));
        let trimmed = |digits: &str| digits.trim_start_matches('0').len();
        let order = text_a
            .cmp(text_b)
            .then_with(|| trimmed(digits_a).cmp(&trimmed(digits_b)))
            .then_with(|| digits_a.trim_start_matches('0').cmp(digits_b.trim_start_matches('0')));
        if order.is_ne() || a.is_empty() || b.is_empty() {
            return order.then_with(|| a.len().cmp(&b.len()));
        }
    }
}

/// Takes the digits, or what is no digit, from the beginning of a text.
fn take<'a>(text: &mut &'a str, digits: bool) -> &'a str {
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers_of(variables: &[(&str, &[usize])]) -> Vec<LayerEntry> {
        let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
        let kind = |name: &str, rank| {
            crate::checkpoint::kind::kind_of(
                name,
                Some(crate::tensor::DType::Float32),
                rank,
                &|_| false,
                &|other| names.contains(&other),
            )
        };
        layers(variables.iter().map(|&(name, shape)| Variable { name, shape, kind: kind(name, shape.len()) }))
    }

    #[test]
    fn layers_are_read_from_names_and_shapes_in_natural_order() {
        let found = layers_of(&[
            ("net/conv10/w", &[1, 1, 8, 4]),
            ("net/conv2/kernel", &[3, 3, 3, 8]),
            ("net/conv2/bias", &[8]),
            ("net/dw/depthwise_kernel", &[3, 3, 8, 1]),
            ("net/sep/depthwise_weights", &[3, 3, 8, 1]),
            ("net/sep/pointwise_weights", &[1, 1, 8, 16]),
            ("net/fc/weights", &[16, 10]),
            ("net/rnn/lstm_cell/kernel", &[20, 40]),
            ("net/rnn/lstm_cell/bias", &[40]),
            ("net/conv2/kernel/Adam", &[3, 3, 3, 8]),
        ]);
        let shown: Vec<_> = found
            .iter()
            .map(|layer| (layer.scope.as_str(), layer.kind, layer.inputs, layer.outputs))
            .collect();
        assert_eq!(
            shown,
            [
                ("net/conv2", LayerKind::Conv2d, Some(3), Some(8)),
                ("net/conv10", LayerKind::Conv2d, Some(8), Some(4)),
                ("net/dw", LayerKind::DepthwiseConv2d, Some(8), Some(8)),
                ("net/fc", LayerKind::FullyConnected, Some(16), Some(10)),
                ("net/rnn/lstm_cell", LayerKind::Recurrent, Some(20), Some(40)),
                ("net/sep", LayerKind::SeparableConv2d, Some(8), Some(16)),
            ]
        );
        assert_eq!((found[0].weights.as_str(), found[0].biases.as_deref()), ("kernel", Some("bias")));
    }

    #[test]
    fn names_of_objects_show_the_same_layers() {
        let found = layers_of(&[
            ("layer-0/kernel/.ATTRIBUTES/VARIABLE_VALUE", &[3, 3, 3, 8]),
            ("layer-0/bias/.ATTRIBUTES/VARIABLE_VALUE", &[8]),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].scope.as_str(), found[0].kind), ("layer-0", LayerKind::Conv2d));
    }

    #[test]
    fn a_batch_norm_below_a_layer_belongs_to_it_and_another_one_stands_alone() {
        let found = layers_of(&[
            ("a/conv/weights", &[3, 3, 3, 8]),
            ("a/conv/BatchNorm/beta", &[8]),
            ("a/conv/BatchNorm/moving_mean", &[8]),
            ("a/conv/BatchNorm/moving_variance", &[8]),
            ("a/norm/gamma", &[8]),
            ("a/norm/moving_mean", &[8]),
            ("a/norm/moving_variance", &[8]),
            ("a/ln/gamma", &[8]),
            ("a/ln/beta", &[8]),
        ]);
        let kinds: Vec<_> = found.iter().map(|layer| (layer.scope.as_str(), layer.kind)).collect();
        assert_eq!(
            kinds,
            [("a/conv", LayerKind::Conv2d), ("a/ln", LayerKind::Norm), ("a/norm", LayerKind::BatchNorm)]
        );
        let conv = &found[0];
        assert_eq!(
            (conv.batch_norm.as_deref(), conv.gamma, conv.beta),
            (Some("a/conv/BatchNorm"), false, true)
        );
        assert_eq!((found[2].gamma, found[2].beta), (true, false));
    }
}
