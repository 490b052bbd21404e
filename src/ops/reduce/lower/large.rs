//! The greatest and least of int64.
//!
//! ONNX Runtime's ReduceMax and ReduceMin compare the lower halves of int64 as if they had a sign of their own: 2147483648 is less than
//! 8. Its ArgMax and ArgMin do not.

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
        let axis = ("axis", Attribute::Int(axis));
        let attributes = vec![axis.clone(), ("keepdims", Attribute::Int(1))];
        let position = cx.step(node, "place", operator, vec![value.clone()], attributes);
        let inputs = vec![value, position];
        if keep && index + 1 == axes.len() {
            cx.emit(node, "GatherElements", inputs, layout, vec![axis]);
            return;
        }
        value = cx.step(node, "found", "GatherElements", inputs, vec![axis]);
    }
    let axes = cx.vector(node, "axes", axes);
    cx.emit(node, "Squeeze", vec![value, axes], layout, vec![]);
}
