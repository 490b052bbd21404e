//! Zeros with a sign: the input reads the bits of a number as an integer, which is negative if the number has a sign; the output computes
//! the number's reciprocal, which is negative infinity for a negative zero.
//!
//! Keras writes `x == 0 and bitcast(x) & SIGN < 0` (`argmax` and `argmin` in `keras/src/backend/tensorflow/numpy.py`), and ONNX reads bits
//! as another type from operator set 26 on. A test of the sign alone stays: NaN has a sign, too,
//! which only its bits tell.

use super::{element, has_op};
use crate::error::Result;
use crate::graph::{Attrs, Graph, Node, NodeId, TensorRef};
use crate::passes::rewrite::Rewriting;
use crate::tensor::DType;

/// Replaces a test for negative zeros.
///
/// # Errors
/// If a constant cannot be read.
pub fn replaced(rewriting: &mut Rewriting<'_>, node: &Node) -> Result<Option<NodeId>> {
    let Some(Test { x, zero, is_zero }) = test(rewriting.old, node)? else { return Ok(None) };
    let [x, zero, is_zero] = [x, zero, is_zero].map(|tensor| rewriting.moved(tensor));
    let name = rewriting.unique(&format!("{}/reciprocal", node.name));
    let reciprocal = rewriting.add(name, "Reciprocal", vec![x], Attrs::new())?;
    let name = rewriting.unique(&format!("{}/is_negative", node.name));
    let is_negative = rewriting.add(name, "Less", vec![reciprocal.into(), zero], Attrs::new())?;
    let inputs = vec![is_zero, is_negative.into()];
    rewriting.add(node.name.clone(), "LogicalAnd", inputs, Attrs::new()).map(Some)
}

/// A test for negative zeros.
struct Test {
    /// The numbers.
    x: TensorRef,
    /// A zero of their type.
    zero: TensorRef,
    /// Whether the numbers are zero.
    is_zero: TensorRef,
}

/// The test that a node makes, if it makes one.
fn test(graph: &Graph, node: &Node) -> Result<Option<Test>> {
    let &[a, b] = &node.inputs[..] else { return Ok(None) };
    for (is_zero, has_sign) in [(a, b), (b, a)] {
        let Some([x, zero]) = has_op(graph, is_zero, "Equal") else { continue };
        if is_zero_number(graph, zero)? && is_sign(graph, has_sign, x)? {
            return Ok(Some(Test { x, zero, is_zero }));
        }
    }
    Ok(None)
}

/// Whether a tensor says which numbers have a sign, as their bits say.
fn is_sign(graph: &Graph, tensor: TensorRef, x: TensorRef) -> Result<bool> {
    let Some([bits, zero]) = has_op(graph, tensor, "Less") else { return Ok(false) };
    let (bits, keeps_sign) = match has_op(graph, bits, "BitwiseAnd") {
        Some([bits, mask]) => {
            let mask = element(graph, mask)?;
            (bits, mask.and_then(|bytes| bytes.last().copied()).is_some_and(|byte| byte >= 1 << 7))
        }
        None => (bits, true),
    };
    let cast = graph.node(graph.origin(bits).node);
    let of_x = cast.inputs.first().is_some_and(|&input| graph.origin(input) == graph.origin(x));
    // A type of another size has other axes.
    let is_same_size = matches!(
        (graph.tensor_type(x).dtype, graph.tensor_type(bits).dtype),
        (DType::Float32, DType::Int32)
            | (DType::Float64, DType::Int64)
            | (DType::Float16 | DType::BFloat16, DType::Int16)
    );
    Ok(cast.op == "Bitcast" && of_x && is_same_size && keeps_sign && is_zero_number(graph, zero)?)
}

fn is_zero_number(graph: &Graph, tensor: TensorRef) -> Result<bool> {
    Ok(element(graph, tensor)?.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0)))
}
