//! The greatest and least of int64, and of uint64.
//!
//! ONNX Runtime's ReduceMax and ReduceMin compare the lower halves of int64 as if they had a sign of their own: 2147483648 is less than
//! 8. Its ArgMax and ArgMin do not. Of uint64 it computes neither.

use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;

/// The elements at the indices of the greatest or least ones, along one axis after the other.
pub fn extreme(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    mut value: String,
    axes: &[i64],
    (is_greatest, keep, layout): (bool, bool, Layout),
) {
    let operator = if is_greatest { "ArgMax" } else { "ArgMin" };
    for (index, &axis) in axes.iter().enumerate() {
        let inputs = elements(cx, node, operator, value, axis);
        let axis = vec![("axis", Attribute::Int(axis))];
        if keep && index + 1 == axes.len() {
            cx.emit(node, "GatherElements", inputs, layout, axis);
            return;
        }
        value = cx.step(node, "found", "GatherElements", inputs, axis);
    }
    let axes = cx.vector(node, "axes", axes);
    cx.emit(node, "Squeeze", vec![value, axes], layout, vec![]);
}

/// The greatest or least elements along an axis, which goes.
pub fn extreme_along(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    value: String,
    axis: i64,
    is_greatest: bool,
) -> String {
    let operator = if is_greatest { "ArgMax" } else { "ArgMin" };
    let inputs = elements(cx, node, operator, value, axis);
    let found = cx.step(node, "found", "GatherElements", inputs, vec![("axis", Attribute::Int(axis))]);
    let axes = cx.vector(node, "axes", &[axis]);
    cx.step(node, "extreme", "Squeeze", vec![found, axes], vec![])
}

/// A value, and the indices of its greatest or least elements along an axis.
fn elements(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    operator: &'static str,
    value: String,
    axis: i64,
) -> Vec<String> {
    let attributes = vec![("axis", Attribute::Int(axis)), ("keepdims", Attribute::Int(1))];
    let position = cx.step(node, "place", operator, vec![value.clone()], attributes);
    vec![value, position]
}
