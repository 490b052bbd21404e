//! Lists whose elements are the parts of a tensor along its first axis.
//!
//! Sources: `TensorListConcatV2` and `TensorListSplit` in `tensorflow/core/ops/list_ops.cc`.

use super::elements::elements_shape;
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Rows, Value};
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::lists::shape::element;
use crate::tensor::DType;

/// The elements joined along their first axis, and how long each of them is.
pub fn concat(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if let Some(Rows { values, splits }) = cx.rows(input).cloned() {
        let mut steps = Steps { cx, node };
        let (starts, ends) = (steps.part(&splits, 0, 0, -1), steps.part(&splits, 0, 1, i64::MAX));
        let lengths = steps.op("Sub", &[&ends, &starts]);
        steps.set_output(1, lengths, DType::Int64);
        let layout = Layout::tensorflow_of(cx.shape(node.into()));
        cx.set(node.into(), Value::Computed { name: values, layout });
        return Ok(());
    }
    if element(cx.shape(input)).dim(0).is_none() && !are_of_one_tensor(cx, input) {
        let problem = "the lengths of the elements that it joins are not known, and may not be equal";
        return Err(node.error(problem).advice(cx.shape_advice(input)));
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

/// Whether all elements of a list come from one tensor, so that they have one shape. The parts that are not equal are rows.
fn are_of_one_tensor(cx: &Lowering<'_>, list: TensorRef) -> bool {
    let made = cx.producer(cx.origin(list));
    match made.op.as_str() {
        "TensorListFromTensor" | "TensorListScatter" | "TensorListScatterV2" | "TensorListSplit" => true,
        "TensorListScatterIntoExistingList" => {
            let before = made.inputs.first().map(|&before| cx.producer(cx.origin(before)).op.as_str());
            matches!(before, Some("TensorListReserve" | "EmptyTensorList"))
        }
        _ => false,
    }
}

/// The parts of a tensor: a list of rows if their lengths are not the same.
pub fn split(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let tensor = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let lengths = cx.known_integers(node, 2)?;
    let equal = lengths.as_ref().filter(|lengths| lengths.windows(2).all(|pair| pair[0] == pair[1]));
    let Some(lengths) = equal else {
        let mut steps = Steps { cx, node };
        let lengths = steps.integers(2)?;
        let (axis, first) = (steps.int(0), steps.ints(&[0]));
        let ends = steps.op("CumSum", &[&lengths, &axis]);
        let splits = steps.op_with("Concat", &[&first, &ends], "axis", 0);
        cx.set(node.into(), Value::Rows(Rows { values: tensor, splits }));
        return Ok(());
    };
    let rest = elements_shape(cx, node, &tensor);
    let parts = [lengths.len() as i64, lengths.first().copied().unwrap_or(0)];
    let parts = cx.vector(node, "parts", &parts);
    let shape = cx.step(node, "shape", "Concat", vec![parts, rest], vec![("axis", Attribute::Int(0))]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    // Parts may be empty: a 0 is a length.
    cx.emit(node, "Reshape", vec![tensor, shape], layout, vec![("allowzero", Attribute::Int(1))]);
    Ok(())
}
