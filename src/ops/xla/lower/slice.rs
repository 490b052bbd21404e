//! Parts of tensors that begin where the model computes, and tensors with such a part replaced.
//!
//! A part that would reach over an end begins so far from it that it does not: "DynamicSlice" and "DynamicUpdateSlice" in
//! <https://openxla.org/xla/operation_semantics>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::tensor::DType;

/// The shape of a tensor of a value.
pub fn lengths(steps: &mut Steps<'_, '_, '_>, tensor: TensorRef, value: &String) -> String {
    match steps.cx.shape(tensor).fully_known() {
        Some(dims) => steps.ints(&dims.into_iter().map(|length| length as i64).collect::<Vec<_>>()),
        None => steps.op("Shape", &[value]),
    }
}

/// Indices where parts of these sizes begin, so that they end within tensors of these lengths.
pub fn inside(steps: &mut Steps<'_, '_, '_>, starts: &String, [lengths, sizes]: [&String; 2]) -> String {
    let (last, first) = (steps.op("Sub", &[lengths, sizes]), steps.int(0));
    let starts = steps.op("Min", &[starts, &last]);
    steps.op("Max", &[&starts, &first])
}

pub fn dynamic_slice(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if cx.rank(node, node.into())? == 0 {
        return cx.alias(node.into(), input);
    }
    let [starts, sizes] = [1, 2].map(|index| cx.in_type(node, node.inputs[index], DType::Int64));
    let (name, starts, sizes) = (cx.in_tensorflow_layout(input)?, starts?, sizes?);
    let mut steps = Steps { cx, node };
    let lengths = lengths(&mut steps, input, &name);
    let starts = inside(&mut steps, &starts, [&lengths, &sizes]);
    let ends = steps.op("Add", &[&starts, &sizes]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![name, starts, ends], layout, vec![]);
    Ok(())
}

/// The update between what is before it and what is behind it, along each axis where it may be shorter.
pub fn dynamic_update_slice(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, update) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let rank = cx.rank(node, node.into())?;
    let (whole, part) = (cx.shape(input), cx.shape(update));
    let is_whole = |axis: &usize| part.dim(*axis).is_some() && part.dim(*axis) == whole.dim(*axis);
    let axes: Vec<i64> = (0..rank).filter(|axis| !is_whole(axis)).map(|axis| axis as i64).collect();
    if axes.is_empty() {
        return cx.alias(node.into(), update);
    }
    let mut around = cx.in_tensorflow_layout(input)?;
    let mut result = cx.in_tensorflow_layout(update)?;
    let starts = cx.in_type(node, cx.input_of(node, 2)?, DType::Int64)?;
    let mut steps = Steps { cx, node };
    let bounds =
        [(input, &around), (update, &result)].map(|(tensor, name)| lengths(&mut steps, tensor, name));
    let starts = inside(&mut steps, &starts, [&bounds[0], &bounds[1]]);
    let ends = steps.op("Add", &[&starts, &bounds[1]]);
    let (first, last) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let mut sides = vec![];
    for &axis in &axes {
        let [start, end] = [&starts, &ends].map(|bounds| steps.part(bounds, 0, axis, axis + 1));
        let along = steps.ints(&[axis]);
        let before = steps.op("Slice", &[&around, &first, &start, &along]);
        let behind = steps.op("Slice", &[&around, &end, &last, &along]);
        around = steps.op("Slice", &[&around, &start, &end, &along]);
        sides.push((axis, before, behind));
    }
    for (axis, before, behind) in sides.into_iter().rev() {
        result = steps.op_with("Concat", &[&before, &result, &behind], "axis", axis);
    }
    let layout = Layout::tensorflow(rank);
    cx.emit(node, "Identity", vec![result], layout, vec![]);
    Ok(())
}
