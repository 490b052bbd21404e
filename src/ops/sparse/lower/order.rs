//! Sparse tensors in order, joined, and cut: their indices are sorted and moved, and their values follow.
//!
//! Sources: `tf.sparse.{reorder,concat,slice,split}` in TensorFlow's API documentation, `tensorflow/core/util/sparse/sparse_tensor.h`;
//! TopK, Compress and Gather in <https://onnx.ai/onnx/operators/>.

use super::sparse::{known_rank, open_unit, strides, unit};
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::DType;

/// The inputs of a node from an index on, in TensorFlow's order of axes.
pub fn inputs<const N: usize>(cx: &mut Lowering<'_>, node: NodeRef<'_>, first: usize) -> Result<[String; N]> {
    let mut names = vec![];
    for index in first..first + N {
        names.push(cx.in_tensorflow_layout(cx.input_of(node, index)?)?);
    }
    <[String; N]>::try_from(names).map_err(|_| node.error("it has too few inputs"))
}

/// The position of each index in a dense tensor of this shape that is read row by row.
pub fn flattened(
    steps: &mut Steps<'_, '_, '_>,
    indices: &String,
    shape: &String,
    rank: Option<usize>,
) -> String {
    let strides = strides(steps, shape, rank);
    let products = steps.op("Mul", &[indices, &strides]);
    steps.reduce("ReduceSum", &products, &[1], false)
}

/// The order that sorts numbers. Equal ones stay in theirs.
pub fn sorting(steps: &mut Steps<'_, '_, '_>, numbers: &String) -> String {
    let count = steps.op("Shape", &[numbers]);
    let [_, order] = steps.ascending(numbers, &count);
    order
}

/// Emits indices and values in the order of the indices, as the first two outputs.
fn emit_sorted(steps: &mut Steps<'_, '_, '_>, [indices, values, shape]: [String; 3], rank: Option<usize>) {
    let flat = flattened(steps, &indices, &shape, rank);
    let order = sorting(steps, &flat);
    let axis = || vec![("axis", Attribute::Int(0))];
    let (cx, node) = (&mut *steps.cx, steps.node);
    cx.emit(node, "Gather", vec![indices, order.clone()], Layout::tensorflow(2), axis());
    cx.emit(node.output(1), "Gather", vec![values, order], Layout::tensorflow(1), axis());
}

pub fn reorder(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let rank = known_rank(cx, node, [(0, 1), (2, 0)])?;
    let inputs = inputs(cx, node, 0)?;
    emit_sorted(&mut Steps { cx, node }, inputs, rank);
    Ok(())
}

/// The indices of each tensor begin behind those before it.
pub fn concat(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let count = node.inputs.len() / 3;
    let ranks = (0..count).flat_map(|index| [(index, 1), (2 * count + index, 0)]);
    let known = ranks.filter_map(|(index, axis)| cx.shape(*node.inputs.get(index)?).dim(axis)).next();
    let rank = match known {
        Some(rank @ 1..=64) => Some(rank),
        Some(rank) => return Err(node.error(format!("it takes sparse tensors of {rank} axes"))),
        None => None,
    };
    let mut parts: [Vec<String>; 3] = Default::default();
    for (index, &input) in node.inputs.iter().take(3 * count).enumerate() {
        parts[index / count].push(cx.in_tensorflow_layout(input)?);
    }
    let mut steps = Steps { cx, node };
    let unit = unit(&mut steps, &parts[2][0], node.int("concat_dim", 0), rank)?;
    let mut lengths = parts[2][0].clone();
    let mut moved = vec![parts[0][0].clone()];
    for (indices, shape) in parts[0].iter().zip(&parts[2]).skip(1) {
        let offset = steps.op("Mul", &[&lengths, &unit]);
        moved.push(steps.op("Add", &[indices, &offset]));
        let length = steps.op("Mul", &[shape, &unit]);
        lengths = steps.op("Add", &[&lengths, &length]);
    }
    let indices = steps.op_with("Concat", &moved.iter().collect::<Vec<_>>(), "axis", 0);
    let values = steps.op_with("Concat", &parts[1].iter().collect::<Vec<_>>(), "axis", 0);
    emit_sorted(&mut steps, [indices, values, lengths.clone()], rank);
    cx.emit(node.output(2), "Identity", vec![lengths], Layout::tensorflow(1), vec![]);
    Ok(())
}

/// Indices relative to a start, and which of them are inside of a size.
fn inside(steps: &mut Steps<'_, '_, '_>, indices: &String, start: &String, size: &String) -> [String; 2] {
    let zero = steps.int(0);
    let moved = steps.op("Sub", &[indices, start]);
    let is_before = steps.op("Less", &[&moved, &zero]);
    let is_behind_start = steps.op("Not", &[&is_before]);
    let is_before_end = steps.op("Less", &[&moved, size]);
    let is_inside = steps.op("And", &[&is_behind_start, &is_before_end]);
    let as_numbers = steps.cast(&is_inside, DType::Int32);
    let all = steps.reduce("ReduceMin", &as_numbers, &[1], false);
    [moved, steps.cast(&all, DType::Bool)]
}

/// Emits the values that a mask keeps, and their indices.
fn emit_inside(cx: &mut Lowering<'_>, [indices, values, mask]: [String; 3], outputs: [TensorRef; 2]) {
    let axis = || vec![("axis", Attribute::Int(0))];
    cx.emit(outputs[0], "Compress", vec![indices, mask.clone()], Layout::tensorflow(2), axis());
    cx.emit(outputs[1], "Compress", vec![values, mask], Layout::tensorflow(1), axis());
}

pub fn slice(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [indices, values, shape, start, size] = inputs(cx, node, 0)?;
    let mut steps = Steps { cx, node };
    let [moved, mask] = inside(&mut steps, &indices, &start, &size);
    let zero = steps.int(0);
    let left = steps.op("Sub", &[&shape, &start]);
    let is_none = steps.op("Less", &[&left, &zero]);
    let left = steps.op("Where", &[&is_none, &zero, &left]);
    let is_enough = steps.op("Less", &[&size, &left]);
    cx.emit(node.output(2), "Where", vec![is_enough, size, left], Layout::tensorflow(1), vec![]);
    emit_inside(cx, [moved, values, mask], [node.into(), node.output(1)]);
    Ok(())
}

/// Parts of equal lengths along an axis. The first ones are longer by one if the length cannot be divided.
pub fn split(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let rank = known_rank(cx, node, [(1, 1), (3, 0)])?;
    let axis = cx.known_integers(node, 0)?;
    let [indices, values, shape] = inputs(cx, node, 1)?;
    let count = node.outputs.len() / 3;
    let mut steps = Steps { cx, node };
    let unit = match axis.as_deref() {
        Some(&[axis]) => unit(&mut steps, &shape, axis, rank)?,
        Some(_) => return Err(node.error("its axis is not one number")),
        None => {
            let axis = steps.integers(0)?;
            open_unit(&mut steps, &shape, &axis, rank)
        }
    };
    let (parts, zero) = (steps.int(count as i64), steps.int(0));
    let length = steps.op("Mul", &[&shape, &unit]);
    let length = steps.reduce("ReduceSum", &length, &[0], true);
    let each = steps.op("Div", &[&length, &parts]);
    let longer = steps.op("Mod", &[&length, &parts]);
    let one = steps.int(1);
    let mut from = steps.op("Mul", &[&unit, &zero]);
    for part in 0..count {
        let number = steps.int(part as i64);
        let is_longer = steps.op("Less", &[&number, &longer]);
        let is_longer = steps.cast(&is_longer, DType::Int64);
        let size = steps.op("Add", &[&each, &is_longer]);
        // The other axes keep their lengths.
        let others = steps.op("Sub", &[&one, &unit]);
        let others = steps.op("Mul", &[&shape, &others]);
        let along = steps.op("Mul", &[&size, &unit]);
        let size = steps.op("Add", &[&others, &along]);
        let [moved, mask] = inside(&mut steps, &indices, &from, &size);
        let outputs = [node.output(part), node.output(count + part)];
        emit_inside(steps.cx, [moved, values.clone(), mask], outputs);
        let shape = node.output(2 * count + part);
        steps.cx.emit(shape, "Identity", vec![size], Layout::tensorflow(1), vec![]);
        from = steps.op("Add", &[&from, &along]);
    }
    Ok(())
}
