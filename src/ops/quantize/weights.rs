//! Weights that simulated quantization rounds.
//!
//! ONNX Runtime computes with integers where inputs, weights and result of an op are quantized. Where it would compute otherwise
//! than with numbers, weights stay numbers.

use super::lower::fake::{Bounds, integers_of};
use crate::error::Result;
use crate::graph::{Graph, Node, NodeId, TensorRef};
use crate::tensor::{Constant, DType, Levels};

/// Whether an op simulates quantization.
fn is_fake_quant(node: &Node) -> bool {
    node.op.starts_with("FakeQuantWithMinMax") && !node.op.ends_with("Gradient")
}

/// The constant that a tensor is, past what forwards it.
fn constant<'a>(graph: &'a Graph, tensor: Option<&TensorRef>) -> Option<&'a Constant> {
    graph.constant(graph.origin(*tensor?))
}

/// Whether a graph was trained for integers: it quantizes weights, and all of them to integers of which one is zero. ONNX Runtime has
/// no convolution for channels with different zeros, and quantizes such weights anew.
///
/// # Errors
/// If the bounds of the weights cannot be read.
pub fn has_quantized_weights(graph: &Graph) -> Result<bool> {
    let mut is_any = false;
    for (_, node) in graph.nodes().filter(|(_, node)| is_fake_quant(node)) {
        let weights = constant(graph, node.inputs.first()).filter(|found| found.dtype() == DType::Float32);
        is_any |= weights.is_some();
        if weights.is_none() || node.op != "FakeQuantWithMinMaxVarsPerChannel" {
            continue;
        }
        let bounds =
            |index: usize| constant(graph, node.inputs.get(index)).map(Constant::to_f32s).transpose();
        let (Some(mins), Some(maxs)) = (bounds(1)?.flatten(), bounds(2)?.flatten()) else { continue };
        let zero = |(&min, &max): (&f32, &f32)| {
            Levels::new([min, max], integers_of(node), Bounds::PerChannel.divides()).zero_point
        };
        let mut zeros = mins.iter().zip(&maxs).map(zero);
        let first = zeros.next();
        if zeros.any(|zero| Some(zero) != first) {
            return Ok(false);
        }
    }
    Ok(is_any)
}

/// Ops whose result is quantized if their first input is.
const KEEPS_LEVELS: [&str; 8] =
    ["Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "MaxPool", "Pad", "StopGradient"];

fn is_quantized(graph: &Graph, tensor: TensorRef) -> bool {
    let mut tensor = tensor;
    loop {
        let node = graph.node(tensor.node);
        match node.inputs.first() {
            _ if is_fake_quant(node) => return true,
            Some(&input) if KEEPS_LEVELS.contains(&node.op.as_str()) => tensor = input,
            _ => return false,
        }
    }
}

/// Whether a matrix product reads these weights, or what forwards them, and its other input is not quantized. ONNX Runtime computes the
/// product of numbers and bytes less exactly than that of numbers.
pub fn is_in_product_with_numbers(graph: &Graph, weights: NodeId) -> bool {
    let mut open = vec![weights];
    while let Some(id) = open.pop() {
        for (reader, node) in graph.nodes() {
            if !node.inputs.iter().any(|input| input.node == id) {
                continue;
            }
            let others = node.inputs.iter().filter(|input| input.node != id);
            match node.op.as_str() {
                "MatMul" | "BatchMatMul" | "BatchMatMulV2" | "BatchMatMulV3" | "Einsum" => {
                    if others.copied().any(|other| !is_quantized(graph, other)) {
                        return true;
                    }
                }
                op if KEEPS_LEVELS.contains(&op) => open.push(reader),
                _ => {}
            }
        }
    }
    false
}
