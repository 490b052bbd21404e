//! Lists whose elements are the parts of a tensor along its first axis.
//!
//! Sources: `TensorListConcatV2` and `TensorListSplit` in `tensorflow/core/ops/list_ops.cc`.

use super::elements::elements_shape;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;
use crate::ops::lists::shape::element;

/// The elements joined along their first axis, and how long each of them is. Elements of several lengths are not those of a list here.
pub fn concat(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if element(cx.shape(input)).dim(0).is_none() {
        let problem = "the lengths of the elements that it joins are not known, and may not be equal";
        return Err(node.error(problem));
    }
    let list = cx.in_tensorflow_layout(input)?;
    let [joined, lengths] = [0, 1].map(|port| node.output(port));
    let shape = cx.step(node, "list_shape", "Shape", vec![list.clone()], vec![]);
    let bounds = [("starts", 2), ("ends", i64::MAX)].map(|(what, value)| cx.vector(node, what, &[value]));
    let inputs = [vec![shape.clone()], bounds.to_vec()].concat();
    let rest = cx.step(node, "rest", "Slice", inputs, vec![]);
    let open = cx.vector(node, "open", &[-1]);
    let target = cx.step(node, "shape", "Concat", vec![open, rest], vec![("axis", Attribute::Int(0))]);
    let layout = Layout::tensorflow_of(cx.shape(joined));
    cx.emit(joined, "Reshape", vec![list, target], layout, vec![]);
    if cx.is_used(lengths) {
        let [first, second] = [("first", 0), ("second", 1)].map(|(what, at)| cx.vector(node, what, &[at]));
        let count = cx.step(node, "count", "Gather", vec![shape.clone(), first], vec![]);
        let rows = cx.step(node, "rows", "Gather", vec![shape, second], vec![]);
        cx.emit(lengths, "Expand", vec![rows, count], Layout::tensorflow(1), vec![]);
    }
    Ok(())
}

/// The parts of a tensor. All elements of a list have the same shape here, so all parts have the same length.
pub fn split(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let advice = "choose outputs before it, or inputs after it";
    let Some(lengths) = cx.known_integers(node, 2)? else {
        let problem = "the lengths of its parts are known only when the model runs, and may not be equal";
        return Err(node.error(problem).advice(advice));
    };
    let length = lengths.first().copied().unwrap_or(0);
    if lengths.iter().any(|&other| other != length) {
        let problem = "its parts have several lengths, and all elements of a list have the same shape";
        return Err(node.error(problem).advice(advice));
    }
    let tensor = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let rest = elements_shape(cx, node, &tensor);
    let parts = cx.vector(node, "parts", &[lengths.len() as i64, length]);
    let shape = cx.step(node, "shape", "Concat", vec![parts, rest], vec![("axis", Attribute::Int(0))]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    // Parts may be empty: a 0 is a length.
    cx.emit(node, "Reshape", vec![tensor, shape], layout, vec![("allowzero", Attribute::Int(1))]);
    Ok(())
}
