//! Ops that put elements into another order, and ops that look for elements.
//!
//! Sources: `tf.transpose`, `tf.reverse`, `tf.reverse_sequence`, `tf.roll`, `tf.where`, `tf.unique`, `tf.math.top_k`,
//! `tf.math.bincount` and `tf.sets` in TensorFlow's API documentation; Transpose, Slice, ReverseSequence, NonZero, Unique
//! and TopK in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{Attr, NodeRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::Parameter;
use crate::ops::array::lower::around::int_vector;
use crate::ops::array::lower::coordinates;
use crate::ops::array::lower::gather::hot;
use crate::ops::array::lower::open_slice::slice_of_any_rank;
use crate::tensor::{Constant, DType};

/// Other names for the axes, and no element is moved until a reader needs TensorFlow's order.
pub fn transpose(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let Some(perm) = cx.known_integers(node, 1)? else { return coordinates::transpose(cx, node) };
    let rank = perm.len();
    let axes = node.axes(&perm, rank)?;
    if let Some(constant) = cx.constant(input).cloned()
        && constant.shape().len() == rank
        && (0..rank).all(|axis| axes.contains(&axis))
    {
        let name = format!("{}:0", node.name);
        cx.set(
            node.into(),
            crate::lower::context::Value::Constant { name, constant: constant.permuted(&axes)? },
        );
        return Ok(());
    }
    let (_, layout) = cx.stored(input)?;
    if layout.axes().len() != rank || !(0..rank).all(|axis| axes.contains(&axis)) {
        let name = cx.in_tensorflow_layout(input)?;
        let layout = Layout::tensorflow(if cx.shape(node.into()).rank().is_some() { rank } else { 0 });
        cx.emit(node, "Transpose", vec![name], layout, vec![("perm", Attribute::Ints(perm))]);
        return Ok(());
    }
    let renamed = layout.axes().iter().filter_map(|axis| axes.iter().position(|other| other == axis));
    cx.alias_in_layout(node.into(), input, Layout::of_axes(renamed.collect())?)
}

pub fn reverse(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let rank = cx.shape(input).rank();
    let count = cx.shape(cx.input_of(node, 1)?).dim(0);
    if count == Some(0) || rank == Some(0) {
        return cx.alias(node.into(), input);
    }
    let Some(axes) = cx.known_integers(node, 1)? else {
        let (name, mut axes) = (cx.in_tensorflow_layout(input)?, int_vector(cx, node, 1)?);
        let mut steps = Steps { cx, node };
        let lengths = steps.op("Shape", &[&axes]);
        let [back, end] = [-1, i64::MIN].map(|bound| {
            let bound = steps.ints(&[bound]);
            steps.op("Expand", &[&bound, &lengths])
        });
        if rank.or(count).is_none() {
            // Axes that are counted from the end are one further from it.
            let zero = steps.int(0);
            let is_from_end = steps.op("Less", &[&axes, &zero]);
            let further = steps.cast(&is_from_end, DType::Int64);
            axes = steps.op("Sub", &[&axes, &further]);
            slice_of_any_rank(cx, node, &name, &[&back, &end, &axes, &back]);
            return Ok(());
        }
        let layout = Layout::tensorflow_of(cx.shape(input));
        cx.emit(node, "Slice", vec![name, back.clone(), end, axes, back], layout, vec![]);
        return Ok(());
    };
    let (name, layout) = cx.stored(input)?;
    let axes: Vec<i64> = match rank {
        Some(rank) => {
            let axes = node.axes(&axes, rank)?.into_iter();
            axes.map(|axis| layout.stored_axis(axis) as i64).collect()
        }
        None => axes,
    };
    let all = |value: i64| vec![value; axes.len()];
    let inputs = vec![
        name,
        cx.vector(node, "starts", &all(-1)),
        cx.vector(node, "ends", &all(i64::MIN)),
        cx.vector(node, "axes", &axes),
        cx.vector(node, "steps", &all(-1)),
    ];
    cx.emit(node, "Slice", inputs, layout, vec![]);
    Ok(())
}

/// ONNX reverses along the first or second axis, the batch being the other.
pub fn reverse_sequence(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, lengths) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let given = [node.int("seq_dim", 0), node.int("batch_dim", 0)];
    let is_direct = matches!(given, [0, 1] | [1, 0]);
    let rank = match cx.shape(input).rank() {
        None if !is_direct => return coordinates::reverse_sequence(cx, node, given),
        None => 0,
        Some(rank) => rank,
    };
    let [time, batch] = given.map(|axis| {
        let rank = if is_direct { rank.max(2) } else { rank };
        node.axis(axis, rank)
    });
    let (time, batch) = (time?, batch?);
    let lengths = cx.in_tensorflow_layout(lengths)?;
    let lengths = cx.cast(node, lengths, DType::Int64);
    let name = cx.in_tensorflow_layout(input)?;
    // To reverse no element is to reverse one, if there is one; ONNX Runtime leaves rows of length 0 unwritten.
    let one = cx.vector(node, "one", &[1]);
    let lengths = cx.step(node, "at_least_one", "Max", vec![lengths, one], vec![]);
    let length = cx.length_of(node, &name, time as i64);
    let lengths = cx.step(node, "lengths", "Min", vec![lengths, length], vec![]);
    let layout = Layout::tensorflow(rank);
    let attributes = |time: usize, batch: usize| {
        vec![("time_axis", Attribute::Int(time as i64)), ("batch_axis", Attribute::Int(batch as i64))]
    };
    if is_direct {
        cx.emit(node, "ReverseSequence", vec![name, lengths], layout, attributes(time, batch));
        return Ok(());
    }
    let rest = (0..rank).filter(|&axis| axis != time && axis != batch);
    let perm: Vec<usize> = [batch, time].into_iter().chain(rest).collect();
    let back: Vec<i64> = (0..rank)
        .filter_map(|axis| perm.iter().position(|&other| other == axis))
        .map(|axis| axis as i64)
        .collect();
    let perm = perm.into_iter().map(|axis| axis as i64).collect();
    let moved = cx.step(node, "moved", "Transpose", vec![name], vec![("perm", Attribute::Ints(perm))]);
    let reversed = cx.step(node, "reversed", "ReverseSequence", vec![moved, lengths], attributes(1, 0));
    cx.emit(node, "Transpose", vec![reversed], layout, vec![("perm", Attribute::Ints(back))]);
    Ok(())
}

/// Swaps the two parts of each axis, before and after the shift. Shifts may be negative or longer than their axis, and an
/// axis that is named twice is shifted twice.
pub fn roll(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (Some(axes), Some(rank)) = (cx.known_integers(node, 2)?, cx.shape(input).rank()) else {
        return coordinates::roll(cx, node);
    };
    let rank = rank.max(1);
    let known = cx.known_integers(node, 1)?;
    let (mut name, layout) = cx.stored(input)?;
    let zero = cx.vector(node, "zero", &[0]);
    let end = cx.vector(node, "end", &[i64::MAX]);
    let shifts = match &known {
        Some(_) => None,
        None => {
            let shifts = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
            let shifts = cx.cast(node, shifts, DType::Int64);
            let flat = cx.vector(node, "flat", &[-1]);
            let shifts = cx.step(node, "shifts", "Reshape", vec![shifts, flat], vec![]);
            Some(shifts)
        }
    };
    for (position, &axis) in axes.iter().enumerate() {
        let axis = node.axis(axis, rank)?;
        let stored = layout.stored_axis(axis) as i64;
        let shift = known.as_ref().map(|known| known.get(position).copied().unwrap_or(0));
        let at = match (shift, cx.shape(input).dim(axis)) {
            (Some(shift), Some(length)) => {
                cx.vector(node, &format!("at_{position}"), &[-shift.rem_euclid(length.max(1) as i64)])
            }
            _ => {
                let shift = match (shift, &shifts) {
                    (Some(shift), _) => cx.vector(node, &format!("shift_{position}"), &[shift]),
                    (None, Some(shifts)) => {
                        let index = cx.vector(node, &format!("place_{position}"), &[position as i64]);
                        cx.step(node, "shift", "Gather", vec![shifts.clone(), index], vec![])
                    }
                    (None, None) => return Err(node.error("it has no shifts")),
                };
                // ONNX's Mod of integers has the sign of the divisor; an axis without elements cannot be one.
                let length = cx.length_of(node, &name, stored);
                let one = cx.vector(node, "one", &[1]);
                let length = cx.step(node, "at_least_one", "Max", vec![length, one], vec![]);
                let shift = cx.step(node, "within", "Mod", vec![shift, length], vec![]);
                cx.step(node, "at", "Neg", vec![shift], vec![])
            }
        };
        let axis = cx.vector(node, &format!("axis_{stored}"), &[stored]);
        let inputs = vec![name.clone(), at.clone(), end.clone(), axis.clone()];
        let behind = cx.step(node, "behind", "Slice", inputs, vec![]);
        let front = cx.step(node, "front", "Slice", vec![name, zero.clone(), at, axis], vec![]);
        name = cx.step(node, "rolled", "Concat", vec![behind, front], vec![("axis", Attribute::Int(stored))]);
    }
    cx.emit(node, "Identity", vec![name], layout, vec![]);
    Ok(())
}

pub fn invert_permutation(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let name = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let perm = cx.cast(node, name, DType::Int64);
    let size = cx.step(node, "size", "Size", vec![perm.clone()], vec![]);
    let (zero, one) = (cx.scalar(node, "zero", DType::Int64, 0.0), cx.scalar(node, "one", DType::Int64, 1.0));
    let positions = cx.step(node, "places", "Range", vec![zero, size, one], vec![]);
    let attributes = vec![("axis", Attribute::Int(0))];
    let inverse =
        cx.step(node, "inverse", "ScatterElements", vec![perm.clone(), perm, positions], attributes);
    cx.emit_cast(node, inverse, Layout::tensorflow(1));
    Ok(())
}

/// The coordinates of elements that are not zero, a row each.
pub fn positions(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let mut name = cx.in_tensorflow_layout(input)?;
    if !matches!(cx.dtype(input), DType::Bool | DType::Float32 | DType::Int32 | DType::Int64 | DType::UInt8) {
        name = cx.cast(node, name, DType::Bool);
    }
    let positions = cx.step(node, "places", "NonZero", vec![name], vec![]);
    let perm = vec![("perm", Attribute::Ints(vec![1, 0]))];
    cx.emit(node, "Transpose", vec![positions], Layout::tensorflow(2), perm);
    Ok(())
}

/// Distinct elements in the order in which they first occur, and for each element which of them it is.
pub fn unique(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let attributes = vec![("sorted", Attribute::Int(0))];
    let outputs = ("unique", ["y", "first", "inverse", "counts"]);
    let [y, _, inverse, counts] = cx.step_with_outputs(node, outputs, "Unique", vec![name], attributes);
    for (port, value) in [y, inverse, counts].into_iter().enumerate().take(node.outputs.len()) {
        cx.emit_cast(node.output(port), value, Layout::tensorflow(1));
    }
    Ok(())
}

pub fn top_k(cx: &mut Lowering<'_>, node: NodeRef<'_>, k: Parameter) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let k = match k {
        Parameter::Attribute => cx.vector(node, "k", &[node.int("k", 1)]),
        Parameter::Input(index) => {
            let k = cx.in_tensorflow_layout(cx.input_of(node, index)?)?;
            let (k, flat) = (cx.cast(node, k, DType::Int64), cx.vector(node, "flat", &[-1]));
            cx.step(node, "k", "Reshape", vec![k, flat], vec![])
        }
    };
    let attributes =
        vec![("axis", Attribute::Int(-1)), ("sorted", Attribute::Int(node.bool("sorted", true).into()))];
    let outputs = ("top_k", ["values", "indices"]);
    let outputs = cx.step_with_outputs(node, outputs, "TopK", vec![name, k], attributes);
    for (port, value) in outputs.into_iter().enumerate() {
        let tensor = node.output(port);
        let layout = Layout::tensorflow_of(cx.shape(tensor));
        cx.emit_cast(tensor, value, layout);
    }
    Ok(())
}

/// How many boundaries are not greater than each element.
pub fn bucketize(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let Some(Attr::Floats(boundaries)) = node.attrs.get("boundaries") else {
        // An empty list of boundaries: all elements are in the first bucket.
        let zero = cx.scalar(node, "zero", DType::Int32, 0.0);
        let shape = cx.step(node, "shape", "Shape", vec![name], vec![]);
        cx.emit(node, "Expand", vec![zero, shape], Layout::tensorflow_of(cx.shape(input)), vec![]);
        return Ok(());
    };
    let boundaries = Constant::from_f32(vec![boundaries.len()], boundaries);
    let mut boundaries = cx.initializer(&format!("{}/boundaries", node.name), boundaries, &[]);
    // As in C++, integers are compared as float32, and float32 as float64 with float64.
    let name = if cx.dtype(input) == DType::Float64 {
        boundaries = cx.cast(node, boundaries, DType::Float64);
        name
    } else {
        cx.cast(node, name, DType::Float32)
    };
    let behind = cx.vector(node, "last", &[-1]);
    let column = cx.step(node, "column", "Unsqueeze", vec![name, behind.clone()], vec![]);
    // NaN is not less than any boundary.
    let ahead = cx.step(node, "ahead", "Less", vec![column, boundaries], vec![]);
    let reached = cx.step(node, "reached", "Not", vec![ahead], vec![]);
    let reached = cx.cast(node, reached, DType::Int32);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    // ONNX Runtime mistakes an axis that is counted from the end where there are no elements.
    let axis = match cx.shape(input).rank() {
        Some(rank) => cx.vector(node, "axis", &[rank as i64]),
        None => behind,
    };
    cx.emit(node, "ReduceSum", vec![reached, axis], layout, vec![("keepdims", Attribute::Int(0))]);
    Ok(())
}

/// The elements of the first vector that are not in the second, and their indices.
pub fn list_diff(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [all, left_out] = [0, 1].map(|index| cx.input_of(node, index));
    let (all, left_out) = (cx.in_tensorflow_layout(all?)?, cx.in_tensorflow_layout(left_out?)?);
    let (first, second) = (cx.vector(node, "first", &[0]), cx.vector(node, "second", &[1]));
    let rows = cx.step(node, "rows", "Unsqueeze", vec![all.clone(), second.clone()], vec![]);
    let columns = cx.step(node, "columns", "Unsqueeze", vec![left_out, first], vec![]);
    let equal = cx.step(node, "equal", "Equal", vec![rows, columns], vec![]);
    let equal = cx.cast(node, equal, DType::Int64);
    // A sum, which has its axes as an input in all operator sets, of no elements is zero.
    let hits = cx.step(node, "hits", "ReduceSum", vec![equal, second], vec![("keepdims", Attribute::Int(0))]);
    let zero = cx.scalar(node, "zero", DType::Int64, 0.0);
    let is_kept = cx.step(node, "is_kept", "Equal", vec![hits, zero], vec![]);
    let positions = cx.step(node, "places", "NonZero", vec![is_kept], vec![]);
    let flat = cx.vector(node, "flat", &[-1]);
    let positions = cx.step(node, "kept", "Reshape", vec![positions, flat], vec![]);
    let layout = Layout::tensorflow(1);
    cx.emit(node, "Gather", vec![all, positions.clone()], layout.clone(), vec![("axis", Attribute::Int(0))]);
    cx.emit_cast(node.output(1), positions, layout);
    Ok(())
}

/// Which numbers are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    All,
    /// Those of each row of a matrix.
    Rows,
}

/// How often each number from zero on occurs, or what weights it carries.
pub fn bincount(cx: &mut Lowering<'_>, node: NodeRef<'_>, counted: Counted) -> Result<()> {
    let [numbers, size, weights] = [0, 1, 2].map(|index| cx.input_of(node, index));
    let (numbers, size, weights) = (numbers?, size?, weights?);
    let dtype = cx.dtype(node.into());
    let computed = if dtype == DType::Int32 { DType::Int64 } else { dtype };
    let rank = cx.shape(numbers).rank();
    let flat = cx.vector(node, "flat", &[-1]);
    let name = cx.in_tensorflow_layout(numbers)?;
    let mut name = cx.cast(node, name, DType::Int64);
    let is_flattened = counted == Counted::All || rank == Some(0);
    if is_flattened {
        name = cx.step(node, "numbers", "Reshape", vec![name, flat.clone()], vec![]);
    }
    let size = cx.in_tensorflow_layout(size)?;
    let size = cx.cast(node, size, DType::Int64);
    let depth = cx.step(node, "depth", "Reshape", vec![size, flat.clone()], vec![]);
    let numbers_shape = cx.step(node, "shape", "Shape", vec![name.clone()], vec![]);
    let is_hot = hot(cx, node, [name, depth], (None, 0));
    let mut hot = cx.cast(node, is_hot, computed);
    // Whether a number occurs does not depend on its weight.
    let is_binary = node.bool("binary_output", false);
    let weights_shape = cx.shape(weights).fully_known();
    if !is_binary && weights_shape.as_ref().is_none_or(|dims| !dims.contains(&0)) {
        let is_open = weights_shape.is_none();
        let mut weights = cx.in_tensorflow_layout(weights)?;
        if dtype != computed {
            weights = cx.cast(node, weights, computed);
        }
        if is_open {
            // Empty weights mean ones: weights and ones are concatenated, and cut to the right length.
            let weights_flat = cx.step(node, "flat", "Reshape", vec![weights, flat.clone()], vec![]);
            let one = cx.scalar(node, "weight", computed, 1.0);
            let ones = cx.step(node, "ones", "Expand", vec![one, numbers_shape.clone()], vec![]);
            let size = cx.step(node, "size", "Size", vec![ones.clone()], vec![]);
            let size = cx.step(node, "count", "Reshape", vec![size, flat.clone()], vec![]);
            let ones = cx.step(node, "flat_ones", "Reshape", vec![ones, flat.clone()], vec![]);
            let axis = vec![("axis", Attribute::Int(0))];
            let all = cx.step(node, "all", "Concat", vec![weights_flat, ones], axis);
            let from = cx.vector(node, "from", &[0]);
            weights = cx.step(node, "taken", "Slice", vec![all, from, size], vec![]);
        }
        if is_open || is_flattened {
            weights = cx.reshaped(node, "weights", weights, numbers_shape.clone());
        }
        let behind = cx.vector(node, "behind", &[-1]);
        let weights = cx.step(node, "columns", "Unsqueeze", vec![weights, behind], vec![]);
        hot = cx.step(node, "weighted", "Mul", vec![hot, weights], vec![]);
    }
    // ONNX Runtime mistakes an axis that is counted from the end where there are no elements.
    let axes = match rank {
        _ if is_flattened => cx.vector(node, "axes", &[0]),
        Some(rank) => cx.vector(node, "axes", &[rank as i64 - 1]),
        None => {
            let mut steps = Steps { cx, node };
            let (rank, one) = (steps.op("Shape", &[&numbers_shape]), steps.int(1));
            steps.op("Sub", &[&rank, &one])
        }
    };
    let keep = vec![("keepdims", Attribute::Int(0))];
    let mut counts = cx.step(node, "counts", "ReduceSum", vec![hot, axes], keep);
    if is_binary {
        counts = cx.cast(node, counts, DType::Bool);
    }
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit_cast(node, counts, layout);
    Ok(())
}
