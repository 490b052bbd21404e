//! Elements in another order that is known only when the model runs, for tensors of any rank. A matrix with a row for each element of
//! the result has its coordinates; the op says which coordinates the element has in the input, and one Gather from all elements picks
//! it.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::{int_vector, reshaped};
use crate::ops::array::lower::extent::open_pads;

/// The distance of neighbors along each axis of a tensor of this shape, to divide by.
fn strides(steps: &mut Steps<'_, '_, '_>, shape: &String) -> String {
    let strides = open_strides(steps, shape);
    at_least_one(steps, &strides)
}

/// The distance of neighbors along each axis of a tensor of this shape: the product of the lengths behind the axis.
pub fn open_strides(steps: &mut Steps<'_, '_, '_>, shape: &String) -> String {
    let rank = steps.op("Shape", &[shape]);
    let axes = steps.positions(&rank);
    let (first, second, one) = (steps.ints(&[0]), steps.ints(&[1]), steps.int(1));
    let (rows, columns) = (steps.op("Unsqueeze", &[&axes, &second]), steps.op("Unsqueeze", &[&axes, &first]));
    let is_behind = steps.op("Greater", &[&columns, &rows]);
    let lengths = steps.op("Where", &[&is_behind, shape, &one]);
    steps.reduce("ReduceProd", &lengths, &[1], false)
}

/// Numbers to divide by. ONNX Runtime refuses a division by 0 even if there is nothing to divide.
fn at_least_one(steps: &mut Steps<'_, '_, '_>, numbers: &String) -> String {
    let one = steps.int(1);
    steps.op("Max", &[numbers, &one])
}

/// An axis or several, counted from the front of a tensor of this rank.
pub fn from_front(steps: &mut Steps<'_, '_, '_>, axes: &String, rank: &String) -> String {
    let rank = at_least_one(steps, rank);
    steps.op("Mod", &[axes, &rank])
}

/// The coordinates of all elements of a tensor of this shape, a row each.
fn coordinates(steps: &mut Steps<'_, '_, '_>, shape: &String) -> String {
    let count = steps.reduce("ReduceProd", shape, &[0], true);
    let (positions, second) = (steps.positions(&count), steps.ints(&[1]));
    let positions = steps.op("Unsqueeze", &[&positions, &second]);
    let strides = strides(steps, shape);
    let counted = steps.op("Div", &[&positions, &strides]);
    let lengths = at_least_one(steps, shape);
    steps.op("Mod", &[&counted, &lengths])
}

/// The elements of a value at coordinates, of which each counts so many positions, as a tensor of a shape.
fn picked(
    steps: &mut Steps<'_, '_, '_>,
    value: &String,
    [coordinates, strides]: [&String; 2],
    shape: &str,
) -> String {
    let positions = steps.op("Mul", &[coordinates, strides]);
    let positions = steps.reduce("ReduceSum", &positions, &[1], false);
    let all = steps.ints(&[-1]);
    let flat = steps.op("Reshape", &[value, &all]);
    let elements = steps.op_with("Gather", &[&flat, &positions], "axis", 0);
    reshaped(steps, &elements, shape)
}

/// A value with its axes in another order.
pub fn transposed(steps: &mut Steps<'_, '_, '_>, value: &String, perm: &String) -> String {
    let shape = steps.op("Shape", &[value]);
    let strides = strides(steps, &shape);
    let [shape, strides] = [&shape, &strides].map(|numbers| steps.op("Gather", &[numbers, perm]));
    let coordinates = coordinates(steps, &shape);
    picked(steps, value, [&coordinates, &strides], &shape)
}

pub fn transpose(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let value = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let perm = int_vector(cx, node, 1)?;
    let transposed = transposed(&mut Steps { cx, node }, &value, &perm);
    emit(cx, node, transposed);
    Ok(())
}

/// Each axis is shifted by the sum of the shifts that name it.
pub fn roll(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let value = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let (shifts, axes) = (int_vector(cx, node, 1)?, int_vector(cx, node, 2)?);
    let mut steps = Steps { cx, node };
    let shape = steps.op("Shape", &[&value]);
    let rank = steps.op("Shape", &[&shape]);
    let axes = from_front(&mut steps, &axes, &rank);
    let (positions, column) = (steps.positions(&rank), steps.ints(&[1]));
    let positions = steps.op("Unsqueeze", &[&positions, &column]);
    let is_named = steps.op("Equal", &[&positions, &axes]);
    let zero = steps.int(0);
    let shifts = steps.op("Where", &[&is_named, &shifts, &zero]);
    let shifts = steps.reduce("ReduceSum", &shifts, &[1], false);
    let (coordinates, strides) = (coordinates(&mut steps, &shape), strides(&mut steps, &shape));
    let moved = steps.op("Sub", &[&coordinates, &shifts]);
    let lengths = at_least_one(&mut steps, &shape);
    let within = steps.op("Mod", &[&moved, &lengths]);
    let rolled = picked(&mut steps, &value, [&within, &strides], &shape);
    emit(cx, node, rolled);
    Ok(())
}

/// Padded by the elements of a tensor, its border included.
pub fn mirror_pad(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let value = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let pads = open_pads(cx, node)?;
    let mut steps = Steps { cx, node };
    let shape = steps.op("Shape", &[&value]);
    let rank = steps.op("Shape", &[&shape]);
    let (first, end) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let before = steps.op("Slice", &[&pads, &first, &rank, &first]);
    let after = steps.op("Slice", &[&pads, &rank, &end, &first]);
    let padded = steps.op("Add", &[&shape, &before]);
    let padded = steps.op("Add", &[&padded, &after]);
    let (coordinates, strides) = (coordinates(&mut steps, &padded), strides(&mut steps, &shape));
    let at = steps.op("Sub", &[&coordinates, &before]);
    // -1 is the first element, and the length is the last one.
    let (zero, one) = (steps.int(0), steps.int(1));
    let negated = steps.op("Neg", &[&at]);
    let mirrored = steps.op("Sub", &[&negated, &one]);
    let is_before = steps.op("Less", &[&at, &zero]);
    let at = steps.op("Where", &[&is_before, &mirrored, &at]);
    let last = steps.op("Sub", &[&shape, &one]);
    let twice = steps.op("Add", &[&shape, &last]);
    let mirrored = steps.op("Sub", &[&twice, &at]);
    let is_after = steps.op("Greater", &[&at, &last]);
    let at = steps.op("Where", &[&is_after, &mirrored, &at]);
    let picked = picked(&mut steps, &value, [&at, &strides], &padded);
    emit(cx, node, picked);
    Ok(())
}

/// The first elements of an axis in reverse order, as many as the coordinate on another axis has in `lengths`.
pub fn reverse_sequence(cx: &mut Lowering<'_>, node: NodeRef<'_>, [time, batch]: [i64; 2]) -> Result<()> {
    let value = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let lengths = int_vector(cx, node, 1)?;
    let mut steps = Steps { cx, node };
    let shape = steps.op("Shape", &[&value]);
    let rank = steps.op("Shape", &[&shape]);
    let (coordinates, strides) = (coordinates(&mut steps, &shape), strides(&mut steps, &shape));
    let [at, row] = [time, batch].map(|axis| {
        let axis = steps.ints(&[axis]);
        steps.op_with("Gather", &[&coordinates, &axis], "axis", 1)
    });
    let length = steps.op("Gather", &[&lengths, &row]);
    let one = steps.int(1);
    let last = steps.op("Sub", &[&length, &one]);
    let reversed = steps.op("Sub", &[&last, &at]);
    let is_reversed = steps.op("Less", &[&at, &length]);
    let at = steps.op("Where", &[&is_reversed, &reversed, &at]);
    let (positions, time) = (steps.positions(&rank), steps.int(time));
    let is_time = steps.op("Equal", &[&positions, &time]);
    let coordinates = steps.op("Where", &[&is_time, &at, &coordinates]);
    let picked = picked(&mut steps, &value, [&coordinates, &strides], &shape);
    emit(cx, node, picked);
    Ok(())
}

fn emit(cx: &mut Lowering<'_>, node: NodeRef<'_>, value: String) {
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Identity", vec![value], layout, vec![]);
}
