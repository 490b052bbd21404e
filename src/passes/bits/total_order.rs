//! The order of JAX: the input compares the bits of numbers as integers, in the order of the numbers; the output compares the numbers.
//!
//! `lt_to` and `le_to` of JAX count zeros of both signs as equal, and NaN as greater than all numbers: before, both zeros become one, and
//! all NaN become one (`_operands_to_keys` in `jax/_src/lax/lax.py`). jax2tf writes them with shifts and `BitwiseXor`.

use super::{element, has_op};
use crate::error::Result;
use crate::graph::{Attrs, Graph, Node, NodeId, TensorRef};
use crate::passes::rewrite::Rewriting;
use crate::tensor::DType;

/// Replaces a comparison of float32.
///
/// # Errors
/// If a constant cannot be read.
pub fn replaced(rewriting: &mut Rewriting<'_>, node: &Node) -> Result<Option<NodeId>> {
    let &[a, b] = &node.inputs[..] else { return Ok(None) };
    let (Some(x), Some(y)) = (number(rewriting.old, a)?, number(rewriting.old, b)?) else { return Ok(None) };
    let [x, y] = [x, y].map(|tensor| rewriting.moved(tensor));
    let mut added = |what: &str, op: &str, inputs: [TensorRef; 2]| {
        let name = rewriting.unique(&format!("{}/{what}", node.name));
        rewriting.add(name, op, inputs.to_vec(), Attrs::new()).map(TensorRef::from)
    };
    let is_before = added("of_numbers", &node.op, [x, y])?;
    let mut is_last = added("is_last", "NotEqual", [y, y])?;
    if node.op == "Less" {
        let is_number = added("is_number", "Equal", [x, x])?;
        is_last = added("is_before_last", "LogicalAnd", [is_number, is_last])?;
    }
    rewriting.add(node.name.clone(), "LogicalOr", vec![is_before, is_last], Attrs::new()).map(Some)
}

/// The number whose bits make an integer of the same order.
fn number(graph: &Graph, tensor: TensorRef) -> Result<Option<TensorRef>> {
    let found = has_op(graph, tensor, "BitwiseXor").and_then(|[bits, mask]| {
        // All bits but the sign are turned round for negative numbers.
        let [low] = has_op(graph, mask, "Bitcast")?;
        let [sign, one] = has_op(graph, low, "RightShift")?;
        let [sign] = has_op(graph, sign, "Bitcast")?;
        let [shifted, places] = has_op(graph, sign, "RightShift")?;
        let [canonical] = has_op(graph, bits, "Bitcast")?;
        let is_same = graph.origin(shifted) == graph.origin(bits);
        let dtypes = [canonical, bits, low].map(|tensor| graph.tensor_type(tensor).dtype);
        let fits = is_same && dtypes == [DType::Float32, DType::Int32, DType::UInt32];
        fits.then_some((canonical, one, places))
    });
    let Some((canonical, one, places)) = found else { return Ok(None) };
    let is = |tensor, integer: u32| -> Result<bool> {
        Ok(element(graph, tensor)?.is_some_and(|bytes| bytes == integer.to_le_bytes()))
    };
    if !is(one, 1)? || !is(places, 31)? {
        return Ok(None);
    }
    before_canonical(graph, canonical)
}

/// The number before both zeros become one, and all NaN become one.
fn before_canonical(graph: &Graph, tensor: TensorRef) -> Result<Option<TensorRef>> {
    let found = has_op(graph, tensor, "SelectV2").and_then(|[is_none, none, rest]| {
        let [is_zero, zero, x] = has_op(graph, rest, "SelectV2")?;
        let [a, b] = has_op(graph, is_none, "NotEqual")?;
        let [c, compared] = has_op(graph, is_zero, "Equal")?;
        let is_x = |tensor: &TensorRef| graph.origin(*tensor) == graph.origin(x);
        [a, b, c].iter().all(is_x).then_some((x, none, [zero, compared]))
    });
    let Some((x, none, zeros)) = found else { return Ok(None) };
    let float = |tensor| -> Result<Option<f32>> {
        let bytes = element(graph, tensor)?.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        Ok(bytes.map(f32::from_le_bytes))
    };
    // A longer constant would broadcast the number.
    let is_scalar = |tensor: &TensorRef| graph.shape(*tensor).rank() == Some(0);
    let is_as_long = match (graph.shape(tensor).fully_known(), graph.shape(x).fully_known()) {
        (Some(all), Some(own)) => all == own,
        _ => [none, zeros[0], zeros[1]].iter().all(is_scalar),
    };
    let is_zero = float(zeros[0])? == Some(0.0) && float(zeros[1])? == Some(0.0);
    let is_none = float(none)?.is_some_and(|none| none.is_nan() && none.is_sign_positive());
    Ok((is_as_long && is_zero && is_none).then_some(x))
}
