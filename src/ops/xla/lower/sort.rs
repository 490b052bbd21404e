//! Elements in order.
//!
//! Sources: "Sort" in <https://openxla.org/xla/operation_semantics>; TopK and GatherElements in <https://onnx.ai/onnx/operators/>.

use super::computation::expressions;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::DType;

/// Records tensors whose elements along an axis are in the order of those of one of them. Equal elements keep their order.
fn sorted(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (count, key): (usize, usize),
    (axis, is_descending): (usize, bool),
) -> Result<()> {
    let mut steps = Steps { cx, node };
    let value = steps.input(key)?;
    let axis = axis as i64;
    let length = steps.length(&value, axis);
    let attributes = vec![("axis", Attribute::Int(axis)), ("largest", Attribute::Int(is_descending.into()))];
    let outputs = ("sort", ["sorted", "order"]);
    let [sorted, order] = steps.cx.step_with_outputs(node, outputs, "TopK", vec![value, length], attributes);
    for port in 0..count {
        let dtype = steps.cx.dtype(node.output(port));
        let value = match port == key {
            true => sorted.clone(),
            false => {
                let value = steps.input(port)?;
                steps.op_with("GatherElements", &[&value, &order], "axis", axis)
            }
        };
        steps.set_output(port, value, dtype);
    }
    Ok(())
}

/// The elements of the last axis in ascending order.
fn ascending(cx: &mut Lowering<'_>, node: NodeRef<'_>, count: usize) -> Result<()> {
    match cx.rank(node, cx.input_of(node, 0)?)?.checked_sub(1) {
        Some(last) => sorted(cx, node, (count, 0), (last, false)),
        None => (0..count).try_for_each(|port| cx.alias(node.output(port), node.inputs[port])),
    }
}

pub fn sort(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    ascending(cx, node, 1)
}

/// The second tensor in the order of the first one.
pub fn key_value_sort(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    cx.input_of(node, 1)?;
    ascending(cx, node, 2)
}

/// Whether a function compares elements of one tensor so that the greatest are first; `None` if it compares anything else.
fn is_descending(comparison: &str, key: usize) -> Option<bool> {
    let (a, b) = (format!("${}", 2 * key), format!("${}", 2 * key + 1));
    // JAX sorts NaN behind all numbers.
    let of_jax = format!("LogicalOr(Less({a},{b}),LogicalAnd(Equal({a},{a}),NotEqual({b},{b})))");
    if comparison == of_jax
        || comparison == format!("Less({a},{b})")
        || comparison == format!("Greater({b},{a})")
    {
        return Some(false);
    }
    let is_descending = comparison == format!("Greater({a},{b})") || comparison == format!("Less({b},{a})");
    is_descending.then_some(true)
}

/// Several tensors in the order of the one that the function compares.
pub fn variadic_sort(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let Some((_, tensors)) = node.inputs.split_last() else { return Err(node.error("it has no inputs")) };
    let axis = match cx.known_integers(node, tensors.len())?.as_deref() {
        Some(&[axis]) => node.axis(axis, cx.rank(node, cx.input_of(node, 0)?)?)?,
        _ => return Err(node.error("its dimension is not one number that is known before the model runs")),
    };
    let dtypes: Vec<DType> = tensors.iter().flat_map(|&tensor| [cx.dtype(tensor); 2]).collect();
    let compared = expressions(cx, node, "comparator", &dtypes)?;
    let order = match &compared[..] {
        [compared] => (0..tensors.len()).find_map(|key| Some((key, is_descending(compared, key)?))),
        _ => None,
    };
    match order {
        Some((key, is_descending)) => sorted(cx, node, (tensors.len(), key), (axis, is_descending)),
        None => Err(node
            .error("its function `comparator` does not compare both elements of one tensor")
            .unsupported()
            .advice("sort by one tensor, in ascending or descending order")),
    }
}
