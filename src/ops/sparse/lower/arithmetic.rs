//! Sums and products with sparse tensors, and their softmax.
//!
//! Sources: `tf.sparse.{add,maximum,sparse_dense_matmul,reduce_sum,reduce_max,softmax}` and the ops `SparseDenseCwise*` in TensorFlow's
//! API documentation; ScatterND and GatherND in <https://onnx.ai/onnx/operators/>.

use super::order::{flattened, inputs, sorting};
use super::sparse::known_rank;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::{widened, zeros_are_lengths};
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// Values of a type for arithmetic: as they are, or cast to a wider type that ONNX Runtime has arithmetic for.
fn wide(steps: &mut Steps<'_, '_, '_>, values: String, dtype: DType) -> String {
    if widened(dtype) == dtype { values } else { steps.cast(&values, widened(dtype)) }
}

/// Emits an output that was computed in the wider type.
fn emit_as(cx: &mut Lowering<'_>, output: crate::graph::TensorRef, value: String) {
    let layout = Layout::tensorflow_of(cx.shape(output));
    if widened(cx.dtype(output)) == cx.dtype(output) {
        cx.emit(output, "Identity", vec![value], layout, vec![]);
    } else {
        cx.emit_cast(output, value, layout);
    }
}

/// Combines the values with what a dense tensor, broadcast to the sparse one's shape, has at their indices.
pub fn with_dense(cx: &mut Lowering<'_>, node: NodeRef<'_>, op: &'static str) -> Result<()> {
    let [indices, values, shape, dense] = inputs(cx, node, 0)?;
    let dtype = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let dense = steps.op("Expand", &[&dense, &shape]);
    let there = steps.op("GatherND", &[&dense, &indices]);
    let (values, there) = (wide(&mut steps, values, dtype), wide(&mut steps, there, dtype));
    let result = steps.op(op, &[&values, &there]);
    emit_as(cx, node.into(), result);
    Ok(())
}

/// Writes rows to the indices of a tensor, where they are combined.
fn scattered(steps: &mut Steps<'_, '_, '_>, [start, indices, rows]: [&String; 3], reduction: &str) -> String {
    let inputs = vec![start.clone(), indices.clone(), rows.clone()];
    let attributes = vec![("reduction", Attribute::Text(reduction.to_owned()))];
    steps.cx.step(steps.node, "scattered", "ScatterND", inputs, attributes)
}

/// The sum of a sparse and a dense tensor.
pub fn to_dense(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [indices, values] = inputs(cx, node, 0)?;
    let [dense] = inputs(cx, node, 3)?;
    let dtype = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let indices = steps.cast(&indices, DType::Int64);
    let (values, dense) = (wide(&mut steps, values, dtype), wide(&mut steps, dense, dtype));
    let result = scattered(&mut steps, [&dense, &indices, &values], "add");
    emit_as(cx, node.into(), result);
    Ok(())
}

/// The product of a sparse and a dense matrix: the rows of the dense one, multiplied by the values, add up.
pub fn matrix_product(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [indices, values, shape, dense] = inputs(cx, node, 0)?;
    let dtype = cx.dtype(node.into());
    let (row, column) = if node.bool("adjoint_a", false) { (1, 0) } else { (0, 1) };
    let mut steps = Steps { cx, node };
    let indices = steps.cast(&indices, DType::Int64);
    let (values, mut dense) = (wide(&mut steps, values, dtype), wide(&mut steps, dense, dtype));
    if node.bool("adjoint_b", false) {
        dense = steps.transpose(&dense, &[1, 0]);
    }
    let rows = steps.part(&indices, 1, row, row + 1);
    let read = steps.int(column);
    let read = steps.op_with("Gather", &[&indices, &read], "axis", 1);
    let read = steps.op_with("Gather", &[&dense, &read], "axis", 0);
    let behind = steps.ints(&[1]);
    let values = steps.op("Unsqueeze", &[&values, &behind]);
    let products = steps.op("Mul", &[&read, &values]);
    let height = steps.part(&shape, 0, row, row + 1);
    let width = steps.length(&dense, 1);
    let shape = steps.op_with("Concat", &[&height, &width], "axis", 0);
    let zero = steps.number(widened(dtype), 0.0);
    let start = steps.op("Expand", &[&zero, &shape]);
    let result = scattered(&mut steps, [&start, &rows, &products], "add");
    emit_as(cx, node.into(), result);
    Ok(())
}

/// How the values of a group are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    Sum,
    Max,
}

/// Which axes of a sparse tensor are reduced, as a vector of bool: the axes are an input.
fn reduced_axes(cx: &mut Lowering<'_>, node: NodeRef<'_>, rank: Option<usize>) -> Result<String> {
    let (Some(given), Some(rank)) = (cx.known_integers(node, 3)?, rank) else {
        let [shape] = inputs(cx, node, 2)?;
        let mut steps = Steps { cx, node };
        let axes = steps.integers(3)?;
        let rank = match rank {
            Some(rank) => steps.ints(&[rank as i64]),
            None => steps.op("Shape", &[&shape]),
        };
        let axes = steps.op("Mod", &[&axes, &rank]);
        let behind = steps.ints(&[1]);
        let axes = steps.op("Unsqueeze", &[&axes, &behind]);
        let numbers = steps.positions(&rank);
        let is_named = steps.op("Equal", &[&axes, &numbers]);
        let is_named = steps.cast(&is_named, DType::Int64);
        let often = steps.reduce("ReduceSum", &is_named, &[0], false);
        return Ok(steps.cast(&often, DType::Bool));
    };
    let mut is_reduced = vec![false; rank];
    for axis in given {
        is_reduced[node.axis(axis, rank)?] = true;
    }
    let is_reduced = Constant::from_bools(vec![rank], &is_reduced);
    Ok(cx.initializer(&format!("{}/is_reduced", node.name), is_reduced, &[]))
}

/// What a sparse tensor is reduced to.
struct Reduced {
    /// The results, with axes of length 1 where the tensor was reduced.
    result: String,
    /// Whether there are values.
    is_any: String,
    /// The lengths of the result's axes: of all of them, or of those that were not reduced.
    lengths: String,
    /// Which axes are left.
    is_kept: String,
}

/// The sum or the greatest of the values along axes. Where there are no values, it is 0.
fn reduced(
    steps: &mut Steps<'_, '_, '_>,
    reduction: Reduction,
    rank: Option<usize>,
    needs_any: bool,
) -> Result<Reduced> {
    let node = steps.node;
    let is_reduced = reduced_axes(steps.cx, node, rank)?;
    let [indices, values, shape] = inputs(steps.cx, node, 0)?;
    let dtype = steps.cx.dtype(node.inputs[1]);
    let wide_type = match reduction {
        // No other integers hold those of uint64 in their order.
        Reduction::Max if dtype == DType::UInt64 => dtype,
        _ => widened(dtype),
    };
    let values = if wide_type == dtype { values } else { steps.cast(&values, wide_type) };
    let (zero, one) = (steps.int(0), steps.int(1));
    let places = steps.op("Where", &[&is_reduced, &zero, &indices]);
    let all = steps.op("Where", &[&is_reduced, &one, &shape]);
    let none = steps.number(wide_type, 0.0);
    let start = match reduction {
        Reduction::Sum => none.clone(),
        Reduction::Max => steps.number(wide_type, least(wide_type)),
    };
    let start = steps.op("Expand", &[&start, &all]);
    let is_any = if needs_any || reduction == Reduction::Max {
        let (no, yes) = (steps.number(DType::Int32, 0.0), steps.number(DType::Int32, 1.0));
        let count = steps.op("Shape", &[&values]);
        let (no, yes) = (steps.op("Expand", &[&no, &all]), steps.op("Expand", &[&yes, &count]));
        let is_any = steps.op("ScatterND", &[&no, &places, &yes]);
        steps.cast(&is_any, DType::Bool)
    } else {
        String::new()
    };
    let result = match reduction {
        Reduction::Sum => scattered(steps, [&start, &places, &values], "add"),
        Reduction::Max => {
            let greatest = scattered(steps, [&start, &places, &values], "max");
            steps.op("Where", &[&is_any, &greatest, &none])
        }
    };
    let is_kept = steps.op("Not", &[&is_reduced]);
    let lengths = match node.bool("keep_dims", false) {
        true => all,
        false => steps.op_with("Compress", &[&shape, &is_kept], "axis", 0),
    };
    Ok(Reduced { result, is_any, lengths, is_kept })
}

/// The sum or the greatest of the values along axes, as a dense tensor.
pub fn reduce(cx: &mut Lowering<'_>, node: NodeRef<'_>, reduction: Reduction) -> Result<()> {
    let rank = known_rank(cx, node, [(0, 1), (2, 0)])?;
    let mut steps = Steps { cx, node };
    let Reduced { mut result, lengths, .. } = reduced(&mut steps, reduction, rank, false)?;
    if !node.bool("keep_dims", false) {
        let inputs = vec![result, lengths];
        result = steps.cx.step(node, "reshape", "Reshape", inputs, zeros_are_lengths());
    }
    emit_as(cx, node.into(), result);
    Ok(())
}

/// The sum or the greatest of the values along axes, as a sparse tensor with a value wherever one was reduced.
pub fn reduce_to_sparse(cx: &mut Lowering<'_>, node: NodeRef<'_>, reduction: Reduction) -> Result<()> {
    let rank = known_rank(cx, node, [(0, 1), (2, 0)])?;
    let mut steps = Steps { cx, node };
    let Reduced { result, is_any, lengths, is_kept } = reduced(&mut steps, reduction, rank, true)?;
    let found = steps.op("NonZero", &[&is_any]);
    let found = steps.transpose(&found, &[1, 0]);
    let values = steps.op("GatherND", &[&result, &found]);
    let indices = match node.bool("keep_dims", false) {
        true => found,
        false => steps.op_with("Compress", &[&found, &is_kept], "axis", 1),
    };
    cx.emit(node, "Identity", vec![indices], Layout::tensorflow(2), vec![]);
    emit_as(cx, node.output(1), values);
    cx.emit(node.output(2), "Identity", vec![lengths], Layout::tensorflow(1), vec![]);
    Ok(())
}

/// The least number of a type.
fn least(dtype: DType) -> f64 {
    match dtype {
        DType::Int32 => f64::from(i32::MIN),
        DType::Int64 => i64::MIN as f64,
        DType::UInt64 => 0.0,
        _ => f64::NEG_INFINITY,
    }
}

/// The softmax along the last axis of the values that there are.
pub fn softmax(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [indices, values, shape] = inputs(cx, node, 0)?;
    let mut steps = Steps { cx, node };
    let none = steps.number(steps.cx.dtype(node.into()), f64::NEG_INFINITY);
    let dense = steps.op("Expand", &[&none, &shape]);
    let dense = steps.op("ScatterND", &[&dense, &indices, &values]);
    let dense = steps.op_with("Softmax", &[&dense], "axis", -1);
    cx.emit(node, "GatherND", vec![dense, indices], Layout::tensorflow(1), vec![]);
    Ok(())
}

/// What becomes of two values with the same index, where one may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Union {
    /// Their sum. A sum of two that is closer to 0 than a threshold is left out.
    Sum,
    /// The greater one; a missing one is 0.
    Maximum,
    /// The less; a missing one is 0.
    Minimum,
}

/// Combines two sparse tensors whose indices are in order. All values are sorted by their indices; then those of one index are side by
/// side, the one of the first tensor in front.
pub fn union(cx: &mut Lowering<'_>, node: NodeRef<'_>, union: Union) -> Result<()> {
    let rank = known_rank(cx, node, [(0, 1), (2, 0)])?;
    let [a_indices, a_values, shape, b_indices, b_values] = inputs(cx, node, 0)?;
    let dtype = cx.dtype(node.output(1));
    let mut steps = Steps { cx, node };
    let indices = steps.op_with("Concat", &[&a_indices, &b_indices], "axis", 0);
    let values = steps.op_with("Concat", &[&a_values, &b_values], "axis", 0);
    let values = wide(&mut steps, values, dtype);
    let flat = flattened(&mut steps, &indices, &shape, rank);
    let order = sorting(&mut steps, &flat);
    let along =
        |steps: &mut Steps<'_, '_, '_>, value: &String| steps.op_with("Gather", &[value, &order], "axis", 0);
    let (flat, values, indices) =
        (along(&mut steps, &flat), along(&mut steps, &values), along(&mut steps, &indices));
    // The neighbor behind each value, and behind the last one an index that none has.
    let (nowhere, zero) = (steps.ints(&[-1]), steps.number(widened(dtype), 0.0));
    let one = steps.ints(&[1]);
    let none = steps.op("Reshape", &[&zero, &one]);
    let next = |steps: &mut Steps<'_, '_, '_>, value: &String, end: &String| {
        let rest = steps.part(value, 0, 1, i64::MAX);
        let all = steps.op_with("Concat", &[&rest, end], "axis", 0);
        let count = steps.op("Shape", &[value]);
        let from = steps.ints(&[0]);
        steps.op("Slice", &[&all, &from, &count])
    };
    let next_flat = next(&mut steps, &flat, &nowhere);
    let next_value = next(&mut steps, &values, &none);
    let has_partner = steps.op("Equal", &[&flat, &next_flat]);
    let partner = steps.op("Where", &[&has_partner, &next_value, &zero]);
    let combined = match union {
        Union::Sum => steps.op("Add", &[&values, &partner]),
        Union::Maximum | Union::Minimum => {
            let order = if union == Union::Maximum { "Less" } else { "Greater" };
            let is_partner = steps.op(order, &[&values, &partner]);
            steps.op("Where", &[&is_partner, &partner, &values])
        }
    };
    let before = steps.part(&flat, 0, 0, -1);
    let before = steps.op_with("Concat", &[&nowhere, &before], "axis", 0);
    let count = steps.op("Shape", &[&flat]);
    let from = steps.ints(&[0]);
    let before = steps.op("Slice", &[&before, &from, &count]);
    let is_second = steps.op("Equal", &[&flat, &before]);
    let mut kept = steps.op("Not", &[&is_second]);
    if union == Union::Sum {
        let [threshold] = inputs(steps.cx, node, 6)?;
        let threshold = wide(&mut steps, threshold, dtype);
        let size = steps.op("Abs", &[&combined]);
        let is_small = steps.op("Less", &[&size, &threshold]);
        let is_dropped = steps.op("And", &[&is_small, &has_partner]);
        let is_left = steps.op("Not", &[&is_dropped]);
        kept = steps.op("And", &[&kept, &is_left]);
    }
    let combined = steps.op_with("Compress", &[&combined, &kept], "axis", 0);
    let axis = vec![("axis", Attribute::Int(0))];
    cx.emit(node, "Compress", vec![indices, kept], Layout::tensorflow(2), axis);
    emit_as(cx, node.output(1), combined);
    if union == Union::Sum {
        cx.emit(node.output(2), "Identity", vec![shape], Layout::tensorflow(1), vec![]);
    }
    Ok(())
}
