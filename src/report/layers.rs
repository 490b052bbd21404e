//! The layers of a graph: its nodes that compute something from the inputs, with the weights that each reads.

use hashbrown::{HashMap, HashSet};
use serde::Serialize;

use super::{Histogram, TensorReport};
use crate::graph::{Graph, Node, NodeId, TensorRef};
use crate::passes::batch_norm::{self, BatchNorm};
use crate::tensor::{Constant, DType, Statistics};

/// A node of the graph that computes something from the inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerReport {
    /// The node's name, with its scopes.
    pub name: String,
    /// The TensorFlow op.
    pub op: String,
    /// The indices of the layers that it reads.
    pub inputs: Vec<usize>,
    /// Its outputs that are read.
    pub outputs: Vec<TensorReport>,
    /// Whether it is an input of the model.
    pub is_input: bool,
    /// Whether it is an output of the model.
    pub is_output: bool,
    /// The elements of its weights. A weight that several layers read counts for the first of them.
    pub parameters: u64,
    /// The bytes of its weights.
    pub weight_bytes: u64,
    /// The bytes of its outputs, with an open batch as 1; `null` if other lengths are open.
    pub activation_bytes: Option<u64>,
    /// Its share of the bytes of all weights, from 0 to 1.
    pub share: f64,
}

/// A trained tensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightReport {
    /// The variable, or the constant that it was frozen to.
    pub name: String,
    /// TensorFlow's name of its type.
    pub dtype: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The index of the first layer that reads it.
    pub layer: usize,
    /// The number of its elements.
    pub parameters: u64,
    /// The bytes of its elements.
    pub bytes: u64,
    /// Statistics of its elements.
    pub statistics: Statistics,
    /// The distribution of its finite elements; `null` if it has none.
    pub histogram: Option<Histogram>,
}

/// The layers and weights of a graph.
pub struct Listed {
    pub layers: Vec<LayerReport>,
    /// The weights with their elements. Their statistics are still empty.
    pub weights: Vec<(WeightReport, Constant)>,
    /// The index of each constant in the weights.
    pub weight_of: HashMap<NodeId, usize>,
}

/// Lists the layers of a graph whose variables are constants. `outputs` are the names of the tensors that are the model's
/// outputs.
pub fn list(graph: &Graph, batch_norms: &[BatchNorm], outputs: &[&str]) -> Listed {
    let outputs: HashSet<TensorRef> = outputs.iter().filter_map(|output| graph.find_tensor(output)).collect();
    let is_fixed = fixed_nodes(graph);
    let neutral = synthesized(graph, batch_norms);
    let read: HashSet<TensorRef> =
        graph.nodes().flat_map(|(_, node)| &node.inputs).chain(&outputs).copied().collect();
    let mut listed = Listed { layers: vec![], weights: vec![], weight_of: HashMap::new() };
    let mut indices: HashMap<NodeId, usize> = HashMap::new();
    for (id, node) in graph.nodes() {
        let ports = || (0..node.outputs.len()).map(|port| TensorRef { node: id, port });
        let is_output = ports().any(|tensor| outputs.contains(&tensor));
        if is_fixed.contains(&id) && !is_output {
            continue;
        }
        let index = listed.layers.len();
        let weights = listed.weights.len();
        let mut inputs: Vec<usize> = vec![];
        // Constant expressions are followed to the constants that they are computed from.
        let mut fixed: Vec<NodeId> = if node.constant().is_some() { vec![id] } else { vec![] };
        let mut visited = HashSet::new();
        for input in &node.inputs {
            match indices.get(&input.node) {
                Some(layer) if inputs.contains(layer) => {}
                Some(&layer) => inputs.push(layer),
                None => fixed.push(input.node),
            }
        }
        fixed.reverse();
        while let Some(id) = fixed.pop() {
            let source = graph.node(id);
            fixed.extend(source.inputs.iter().map(|input| input.node).filter(|id| visited.insert(*id)));
            if let Some(constant) = source.constant()
                && is_weight(constant)
                && !neutral.contains(&id)
                && !listed.weight_of.contains_key(&id)
            {
                listed.weight_of.insert(id, listed.weights.len());
                listed.weights.push((weight(source, constant, index), constant.clone()));
            }
        }
        let used: Vec<(TensorRef, TensorReport)> = ports()
            .filter(|tensor| tensor.port == 0 || read.contains(tensor))
            .map(|tensor| {
                let name = graph.tensor_name(tensor);
                (tensor, TensorReport::of_graph(name, graph.tensor_type(tensor)))
            })
            .collect();
        let bytes = |(tensor, _): &(TensorRef, TensorReport)| bytes_of(graph, *tensor);
        let activation_bytes = used.iter().map(bytes).sum();
        let weights = &listed.weights[weights..];
        listed.layers.push(LayerReport {
            name: node.name.clone(),
            op: node.op.clone(),
            inputs,
            outputs: used.into_iter().map(|(_, report)| report).collect(),
            is_input: node.is_placeholder(),
            is_output,
            parameters: weights.iter().map(|(weight, _)| weight.parameters).sum(),
            weight_bytes: weights.iter().map(|(weight, _)| weight.bytes).sum(),
            activation_bytes,
            share: 0.0,
        });
        indices.insert(id, index);
    }
    let total: u64 = listed.layers.iter().map(|layer| layer.weight_bytes).sum();
    for layer in listed.layers.iter_mut().filter(|layer| layer.weight_bytes > 0) {
        layer.share = layer.weight_bytes as f64 / total as f64;
    }
    listed
}

/// The nodes whose results are known before the model runs: constants, and nodes that read only such nodes.
fn fixed_nodes(graph: &Graph) -> HashSet<NodeId> {
    let mut fixed = HashSet::new();
    for (id, node) in graph.nodes() {
        let from_fixed =
            || !node.inputs.is_empty() && node.inputs.iter().all(|input| fixed.contains(&input.node));
        if node.constant().is_some() || (!is_random(node) && from_fixed()) {
            fixed.insert(id);
        }
    }
    fixed
}

/// Random ops: their inputs are shapes and parameters of distributions (`tensorflow/core/ops/random_ops.cc`,
/// `stateless_random_ops.cc`).
fn is_random(node: &Node) -> bool {
    ["Random", "TruncatedNormal", "Multinomial"].iter().any(|word| node.op.contains(word))
}

/// The scales and offsets of batch norms that are not stored: they were not trained.
fn synthesized(graph: &Graph, batch_norms: &[BatchNorm]) -> HashSet<NodeId> {
    let norms = batch_norm_nodes(graph).zip(batch_norms);
    norms
        .flat_map(|(node, norm)| {
            [(&norm.gamma, 1), (&norm.beta, 2)]
                .into_iter()
                .filter(|(origin, _)| origin.is_synthesized())
                .filter_map(|(_, input)| constant_of(graph, node.inputs[input]))
        })
        .collect()
}

/// The nodes that `passes::batch_norm` lists, in the same order.
pub fn batch_norm_nodes(graph: &Graph) -> impl Iterator<Item = &Node> {
    graph.nodes().map(|(_, node)| node).filter(|node| batch_norm::is_batch_norm(node))
}

/// The constant that a tensor is read from.
pub fn constant_of(graph: &Graph, tensor: TensorRef) -> Option<NodeId> {
    let mut tensor = tensor;
    loop {
        let node = graph.node(tensor.node);
        match node.op.as_str() {
            "Const" => return Some(tensor.node),
            // Nodes come after the nodes that they read, so that the loop ends.
            "Identity" | "ReadVariableOp" | "StopGradient" | "PreventGradient" | "Snapshot" => {
                tensor = *node.inputs.first()?;
            }
            "IdentityN" => tensor = *node.inputs.get(tensor.port)?,
            _ => return None,
        }
    }
}

/// Whether a constant looks like a trained weight: real numbers along an axis, not a shape or a scalar.
fn is_weight(constant: &Constant) -> bool {
    let is_quantized = matches!(
        constant.dtype(),
        DType::QInt8 | DType::QUInt8 | DType::QInt16 | DType::QUInt16 | DType::QInt32
    );
    (constant.dtype().is_float() || is_quantized) && !constant.shape().is_empty()
}

fn weight(node: &Node, constant: &Constant, layer: usize) -> WeightReport {
    WeightReport {
        name: node.name.clone(),
        dtype: constant.dtype().name(),
        shape: constant.shape().to_vec(),
        layer,
        parameters: constant.len() as u64,
        bytes: constant.byte_len().unwrap_or(0) as u64,
        statistics: Statistics::default(),
        histogram: None,
    }
}

/// The bytes of a tensor, with a first axis that is open as 1.
fn bytes_of(graph: &Graph, tensor: TensorRef) -> Option<u64> {
    let tensor = graph.tensor_type(tensor);
    let size = tensor.dtype.size()? as u64;
    tensor.shape.dims()?.iter().enumerate().try_fold(size, |bytes, (axis, dim)| match dim {
        Some(length) => bytes.checked_mul(*length as u64),
        None if axis == 0 => Some(bytes),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, Shape};

    fn constant(graph: &mut Graph, name: &str, value: Constant) -> TensorRef {
        graph.add(name, "Const", vec![], Attrs::from([("value", Attr::Tensor(value))])).unwrap().into()
    }

    #[test]
    fn a_weight_counts_for_the_first_layer_that_reads_it_and_a_shape_for_none() {
        let mut graph = crate::ops::new_graph();
        let shape = Shape::new(vec![None, Some(6)]);
        let attrs = Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))]);
        let input = graph.add("x", "Placeholder", vec![], attrs).unwrap().into();
        let stored = constant(&mut graph, "w", Constant::from_f32(vec![6, 6], &[0.5; 36]));
        let weights = graph.add("w/read", "Identity", vec![stored], Attrs::new()).unwrap().into();
        let first = graph.add("a", "MatMul", vec![input, weights], Attrs::new()).unwrap().into();
        let second = graph.add("b", "MatMul", vec![first, weights], Attrs::new()).unwrap().into();
        let to = constant(&mut graph, "shape", Constant::from_i32(vec![2], &[-1, 3]));
        graph.add("c", "Reshape", vec![second, to], Attrs::new()).unwrap();
        let listed = list(&graph, &[], &["c:0"]);
        let found: Vec<_> =
            listed.layers.iter().map(|l| (l.name.as_str(), l.parameters, &l.inputs[..])).collect();
        assert_eq!(found, [("x", 0, &[][..]), ("a", 36, &[0][..]), ("b", 0, &[1][..]), ("c", 0, &[2][..])]);
        assert_eq!(listed.layers[1].activation_bytes, Some(24), "one of an open batch");
        assert_eq!((listed.layers[1].share, listed.layers[2].share), (1.0, 0.0));
        assert!(listed.layers[0].is_input && listed.layers[3].is_output);
        assert_eq!(listed.weights[0].0.name, "w");
    }

    #[test]
    fn an_output_that_is_constant_is_a_layer() {
        let mut graph = crate::ops::new_graph();
        constant(&mut graph, "answer", Constant::from_f32(vec![2], &[1.0, 2.0]));
        let listed = list(&graph, &[], &["answer:0"]);
        assert_eq!((listed.layers.len(), listed.layers[0].parameters), (1, 2));
    }
}
