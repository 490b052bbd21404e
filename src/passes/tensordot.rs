//! Products of tensors and matrices: the input reshapes a tensor into a matrix, multiplies it, and reshapes the rows back into the
//! axes that they were; the output has one product, as ONNX multiplies tensors of any rank by matrices.
//!
//! `tf.tensordot` builds graphs so, and with it Keras' dense layers of sequences. Source: `tensordot` in
//! `tensorflow/python/ops/math_ops.py`.

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::partial::{Length, integers, origin};
use crate::graph::{Attrs, Graph, Moved, Node, TensorMap, TensorRef};

/// Multiplies tensors by matrices without reshaping them.
///
/// # Errors
/// If the new nodes do not fit.
pub fn multiply_tensors(graph: Graph) -> Result<(Graph, Moved)> {
    if !graph.has_op(&["MatMul"]) {
        return Ok((graph, Moved::default()));
    }
    let readers = graph.reader_counts();
    rewrite(graph, |rewriting, node| {
        let Some(factors) = product(rewriting.old, node, &readers) else { return Ok(None) };
        let inputs = factors.map(|factor| rewriting.moved(factor)).to_vec();
        rewriting.add(node.name.clone(), "BatchMatMulV2", inputs, Attrs::new()).map(Some)
    })
}

/// The tensor and the matrix whose product a Reshape returns.
fn product(graph: &Graph, end: &Node, readers: &TensorMap<usize>) -> Option<[TensorRef; 2]> {
    let &[rows, target] = reshape(end)?;
    let product = graph.node(rows.node);
    let &[matrix, weights] = &product.inputs[..] else { return None };
    let is_plain = product.op == "MatMul"
        && !product.bool("transpose_a", false)
        && !product.bool("transpose_b", false)
        && readers[rows] == 1;
    let &[tensor, _] = reshape(graph.node(graph.origin(matrix).node))?;
    let shape = graph.shape(tensor).dims()?;
    let (&inner, axes) = shape.split_last()?;
    let is_matrix = graph.shape(matrix).rank() == Some(2)
        && inner.is_some_and(|inner| inner > 0)
        && graph.shape(matrix).last() == inner;
    let (last, lengths) = integers(graph, target)
        .and_then(|all| all.split_last().map(|(&last, rest)| (last, rest.to_vec())))?;
    let columns = graph.shape(weights).last().and_then(|columns| i64::try_from(columns).ok())?;
    let source = origin(graph, tensor);
    let is_length = |(axis, length): (usize, &Length)| match (axes[axis], length) {
        (Some(known), Length::Known(length)) => i64::try_from(known) == Ok(*length),
        (None, Length::Of(measured, of)) => (*measured, *of) == (source, axis),
        _ => false,
    };
    (is_plain
        && is_matrix
        && axes.len() >= 2
        && last == Length::Known(columns)
        && lengths.len() == axes.len()
        && lengths.iter().enumerate().all(is_length))
    .then_some([tensor, weights])
}

fn reshape(node: &Node) -> Option<&[TensorRef; 2]> {
    (node.op == "Reshape").then(|| node.inputs.as_slice().try_into().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Shape};
    use crate::tensor::{Constant, DType};

    /// The op that computes a dense layer of a tensor [open, open, 8] with 4 units, whose result has the length of axis `first` of
    /// the tensor first.
    fn layer(first: i32) -> String {
        let mut graph = crate::ops::new_graph();
        let mut add = |name: &str, op: &str, inputs: &[TensorRef], attrs: Attrs| -> TensorRef {
            graph.add(name, op, inputs.to_vec(), attrs).unwrap().into()
        };
        let tensor = |dims: &[Option<usize>]| {
            [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::new(dims.to_vec())))].into()
        };
        let ints = |shape: &[usize], values: &[i32]| {
            [("value", Attr::Tensor(Constant::from_i32(shape.to_vec(), values)))].into()
        };
        let x = add("x", "Placeholder", &[], tensor(&[None, None, Some(8)]));
        let weights = add("weights", "Placeholder", &[], tensor(&[Some(8), Some(4)]));
        let shape = add("shape", "Shape", &[x], Attrs::new());
        let zero = add("zero", "Const", &[], ints(&[], &[0]));
        let axes = add("axes", "Const", &[], ints(&[2], &[first, 1]));
        let free = add("free", "GatherV2", &[shape, axes, zero], Attrs::new());
        let target = add("target", "Const", &[], ints(&[2], &[-1, 8]));
        let matrix = add("matrix", "Reshape", &[x, target], Attrs::new());
        let product = add("product", "MatMul", &[matrix, weights], Attrs::new());
        let units = add("units", "Const", &[], ints(&[1], &[4]));
        let back = add("back", "ConcatV2", &[free, units, zero], Attrs::new());
        add("out", "Reshape", &[product, back], Attrs::new());
        let (graph, _) = multiply_tensors(graph).unwrap();
        graph.node(graph.find("out").unwrap()).op.clone()
    }

    #[test]
    fn a_dense_layer_of_sequences_is_one_product() {
        assert_eq!(layer(0), "BatchMatMulV2");
    }

    #[test]
    fn a_result_with_other_axes_stays() {
        assert_eq!(layer(1), "Reshape");
    }
}
