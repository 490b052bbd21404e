//! Slices read from a tensor, and written to it.
//!
//! The axes that indices count along become one axis, along which the elements of all slices have positions.
//!
//! Sources: Gather and Scatter in <https://openxla.org/xla/operation_semantics>; Gather and ScatterND in
//! <https://onnx.ai/onnx/operators/>.

use super::computation::{Combination, combination};
use super::slice::inside;
use crate::error::Result;
use crate::graph::partial::Length;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::around::reshaped;
use crate::ops::array::lower::coordinates::open_strides;
use crate::ops::xla::slices::Slices;
use crate::tensor::DType;

/// A number for each axis of the operand.
struct Numbers {
    known: Option<Vec<i64>>,
    name: String,
}

impl Numbers {
    /// Those of some axes, as a vector.
    fn of(&self, steps: &mut Steps<'_, '_, '_>, axes: &[usize]) -> String {
        match &self.known {
            Some(known) => steps.ints(&axes.iter().map(|&axis| known[axis]).collect::<Vec<_>>()),
            None => {
                let axes = steps.ints(&axes.iter().map(|&axis| axis as i64).collect::<Vec<_>>());
                steps.op("Gather", &[&self.name, &axes])
            }
        }
    }

    /// The shape of a tensor.
    fn shape(cx: &mut Lowering<'_>, node: NodeRef<'_>, tensor: TensorRef) -> Result<Self> {
        if let Some(dims) = cx.shape(tensor).fully_known() {
            let known = dims.into_iter().map(|length| length as i64).collect();
            return Ok(Self { known: Some(known), name: String::new() });
        }
        let value = cx.in_tensorflow_layout(tensor)?;
        Ok(Self { known: None, name: Steps { cx, node }.op("Shape", &[&value]) })
    }
}

/// The indices of a node, with their components along the last axis.
fn starts(cx: &mut Lowering<'_>, node: NodeRef<'_>, slices: &Slices) -> Result<String> {
    let indices = cx.input_of(node, 1)?;
    if slices.indexed.is_empty() {
        return Err(node.error("its indices have no components").unsupported());
    }
    let order = slices.index_axes().into_iter().chain(slices.vector).collect();
    let mut name = cx.in_layout(indices, &Layout::of_axes(order)?)?;
    if cx.dtype(indices) != DType::Int64 {
        name = cx.cast(node, name, DType::Int64);
    }
    let mut steps = Steps { cx, node };
    let last = steps.ints(&[-1]);
    Ok(if slices.vector.is_none() { steps.op("Unsqueeze", &[&name, &last]) } else { name })
}

/// The positions of the elements of slices along the axis that these axes of the operand become. Behind the axes of the indices, they have
/// an axis for each of them that the slices have.
fn positions(
    steps: &mut Steps<'_, '_, '_>,
    starts: &String,
    (slices, moved): (&Slices, &[usize]),
    [lengths, sizes]: [&Numbers; 2],
) -> String {
    // Of tensors without elements, ONNX Runtime does not drop an axis that is counted from the end.
    let last = slices.batch.len() as i64;
    let moved_lengths = lengths.of(steps, moved);
    let strides = match &lengths.known {
        _ if moved.len() == 1 => steps.ints(&[1]),
        Some(known) => {
            let product =
                |axes: &[usize]| axes.iter().fold(1i64, |product, &axis| product.wrapping_mul(known[axis]));
            steps.ints(&(1..=moved.len()).map(|next| product(&moved[next..])).collect::<Vec<_>>())
        }
        None => open_strides(steps, &moved_lengths),
    };
    let mut positions = if let [_] = moved {
        let last = steps.ints(&[last]);
        steps.op("Squeeze", &[starts, &last])
    } else {
        let strides = steps.part(&strides, 0, 0, slices.indexed.len() as i64);
        let positions = steps.op("Mul", &[starts, &strides]);
        steps.reduce("ReduceSum", &positions, &[last], false)
    };
    let last = steps.ints(&[-1]);
    for (index, &axis) in moved.iter().enumerate().filter(|&(_, &axis)| slices.place(axis).is_some()) {
        let size = sizes.of(steps, &[axis]);
        let stride = steps.part(&strides, 0, index as i64, index as i64 + 1);
        let behind = steps.positions(&size);
        let behind = steps.op("Mul", &[&behind, &stride]);
        positions = steps.op("Unsqueeze", &[&positions, &last]);
        positions = steps.op("Add", &[&positions, &behind]);
    }
    positions
}

/// A tensor whose first axes, which are these of the operand, are one.
fn flattened(
    steps: &mut Steps<'_, '_, '_>,
    value: String,
    [moved, kept]: [&[usize]; 2],
    lengths: &Numbers,
) -> String {
    if moved.len() == 1 {
        return value;
    }
    let moved = lengths.of(steps, moved);
    let count = steps.reduce("ReduceProd", &moved, &[0], true);
    let kept = lengths.of(steps, kept);
    let shape = steps.op_with("Concat", &[&count, &kept], "axis", 0);
    reshaped(steps, &value, &shape)
}

pub fn gather(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (operand, sizes) = (cx.input_of(node, 0)?, cx.input_of(node, 2)?);
    let slices = Slices::gathered(&node, cx.rank(node, cx.input_of(node, 1)?)?)?;
    let (shape, measured) = (cx.shape(operand), cx.origin(operand));
    let known = cx.lengths(sizes).unwrap_or_default();
    let is_whole = |axis: usize| match known.get(axis) {
        Some(&Length::Known(size)) => shape.dim(axis).is_some_and(|length| length as i64 == size),
        Some(&size) => size == Length::Of(measured, axis),
        None => false,
    };
    let [moved, kept] = slices.ordered(is_whole);
    let starts = starts(cx, node, &slices)?;
    let sizes = Numbers {
        known: known
            .iter()
            .map(|length| length.value())
            .collect::<Option<Vec<i64>>>()
            .filter(|known| known.len() == slices.rank()),
        name: cx.in_type(node, sizes, DType::Int64)?,
    };
    // One axis stays where it is.
    let is_one = moved.len() == 1;
    let order = if is_one { (0..slices.rank()).collect() } else { [&moved[..], &kept].concat() };
    let value = cx.in_layout(operand, &Layout::of_axes(order)?)?;
    let lengths = Numbers::shape(cx, node, operand)?;
    let mut steps = Steps { cx, node };
    let bounds = [&lengths, &sizes].map(|numbers| numbers.of(&mut steps, &slices.indexed));
    let starts = inside(&mut steps, &starts, [&bounds[0], &bounds[1]]);
    let positions = positions(&mut steps, &starts, (&slices, &moved), [&lengths, &sizes]);
    let value = flattened(&mut steps, value, [&moved, &kept], &lengths);
    let axis = if is_one { moved[0] } else { 0 };
    let places = |axes: &[usize]| axes.iter().filter_map(|&axis| slices.place(axis)).collect::<Vec<usize>>();
    let before: Vec<usize> = kept.iter().copied().filter(|&kept| is_one && kept < axis).collect();
    let behind = kept[before.len()..].to_vec();
    let layout = [places(&before), slices.batch.clone(), places(&moved), places(&behind)].concat();
    let attributes = vec![("axis", Attribute::Int(axis as i64))];
    cx.emit(node, "Gather", vec![value, positions], Layout::of_axes(layout)?, attributes);
    Ok(())
}

/// Slices that do not fit into the operand are left out: they are written to a row behind it, which is cut off again.
pub fn scatter(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (operand, updates) = (cx.input_of(node, 0)?, cx.input_of(node, 2)?);
    let slices = Slices::scattered(&node, cx.rank(node, cx.input_of(node, 1)?)?)?;
    let reduction = match combination(cx, node, "update_computation", cx.dtype(operand))? {
        Combination::Second => None,
        Combination::Add => Some("add"),
        Combination::Multiply => Some("mul"),
        Combination::Max => Some("max"),
        Combination::Min => Some("min"),
        Combination::And | Combination::Or => {
            return Err(node.error("it combines truths with those that are there").unsupported());
        }
    };
    let (whole, part) = (cx.shape(operand), cx.shape(updates));
    let size = |axis: usize| slices.place(axis).map_or(Some(1), |place| part.dim(place));
    let is_whole = |axis: usize| whole.dim(axis).is_some() && size(axis) == whole.dim(axis);
    let [moved, kept] = slices.ordered(is_whole);
    let starts = starts(cx, node, &slices)?;
    let order = Layout::of_axes([&moved[..], &kept].concat())?;
    let place = |axes: &[usize]| axes.iter().filter_map(|&axis| slices.place(axis)).collect::<Vec<usize>>();
    let of_updates = [slices.batch.clone(), place(&moved), place(&kept)].concat();
    let (value, written) =
        (cx.in_layout(operand, &order)?, cx.in_layout(updates, &Layout::of_axes(of_updates)?)?);
    let lengths = Numbers::shape(cx, node, operand)?;
    let known =
        (0..slices.rank()).map(|axis| size(axis).map(|size| size as i64)).collect::<Option<Vec<i64>>>();
    let sizes = match known {
        Some(_) => Numbers { known, name: String::new() },
        None => {
            let value = cx.in_tensorflow_layout(updates)?;
            let mut steps = Steps { cx, node };
            let (shape, one) = (steps.op("Shape", &[&value]), steps.ints(&[1]));
            let shape = steps.op_with("Concat", &[&shape, &one], "axis", 0);
            let places = (0..slices.rank()).map(|axis| slices.place(axis).map_or(-1, |place| place as i64));
            let places = steps.ints(&places.collect::<Vec<_>>());
            Numbers { known, name: steps.op("Gather", &[&shape, &places]) }
        }
    };
    let mut steps = Steps { cx, node };
    let bounds = [&lengths, &sizes].map(|numbers| numbers.of(&mut steps, &slices.indexed));
    let fitting = inside(&mut steps, &starts, [&bounds[0], &bounds[1]]);
    let fits = steps.op("Equal", &[&starts, &fitting]);
    let fits = steps.cast(&fits, DType::Int64);
    let fits = steps.reduce("ReduceMin", &fits, &[slices.batch.len() as i64], false);
    let mut fits = steps.cast(&fits, DType::Bool);
    let new: Vec<i64> = place(&moved).iter().enumerate().map(|(index, _)| -1 - index as i64).collect();
    if !new.is_empty() {
        let new = steps.ints(&new);
        fits = steps.op("Unsqueeze", &[&fits, &new]);
    }
    let positions = positions(&mut steps, &starts, (&slices, &moved), [&lengths, &sizes]);
    let value = flattened(&mut steps, value, [&moved, &kept], &lengths);
    let (count, first, last) = (steps.length(&value, 0), steps.ints(&[0]), steps.ints(&[-1]));
    let count = steps.op("Squeeze", &[&count, &first]);
    let positions = steps.op("Where", &[&fits, &positions, &count]);
    let positions = steps.op("Unsqueeze", &[&positions, &last]);
    let mut row = vec![0; 2 * (kept.len() + 1)];
    row[kept.len() + 1] = 1;
    let row = steps.ints(&row);
    let value = steps.op("Pad", &[&value, &row]);
    let attributes = reduction.map(|reduction| ("reduction", Attribute::Text(reduction.to_owned())));
    let inputs = vec![value, positions, written];
    let value = steps.cx.step(node, "scattered", "ScatterND", inputs, attributes.into_iter().collect());
    let value = steps.part(&value, 0, 0, -1);
    let shape = lengths.of(&mut steps, order.axes());
    let value = reshaped(&mut steps, &value, &shape);
    cx.emit(node, "Identity", vec![value], order, vec![]);
    Ok(())
}
