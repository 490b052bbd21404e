//! Sparse tensors: a matrix of indices, a row for each value, the values, and the shape of the dense tensor.
//!
//! Sources: `SparseReshape` and `SparseFillEmptyRows` in TensorFlow's API documentation,
//! `tensorflow/core/kernels/reshape_util.cc` and `sparse_fill_empty_rows_op.cc`; ScatterElements, TopK, CumSum and GatherND
//! in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::coordinates::open_strides;
use crate::tensor::{Constant, DType};

/// Emits, as three outputs of a node, the sparse tensor of the values that a mask of the same shape keeps. The
/// last coordinate of a value is its position among the kept values of its row. The last axis has the length of the
/// longest row.
pub fn emit_kept(
    steps: &mut Steps<'_, '_, '_>,
    mask: &String,
    values: &String,
    rank: Option<usize>,
    ports: [usize; 3],
) {
    let last = rank.map_or(-1, |rank| rank as i64 - 1);
    let ones = steps.cast(mask, DType::Int64);
    let (axis, one) = (steps.int(last), steps.int(1));
    let counted = steps.op("CumSum", &[&ones, &axis]);
    let positions = steps.op("Sub", &[&counted, &one]);
    let found = steps.op("NonZero", &[mask]);
    let found = steps.transpose(&found, &[1, 0]);
    let position = steps.op("GatherND", &[&positions, &found]);
    let behind = steps.ints(&[1]);
    let position = steps.op("Unsqueeze", &[&position, &behind]);
    let rows = steps.part(&found, 1, 0, last);
    let values = steps.op("GatherND", &[values, &found]);
    // Without rows, the longest row has no elements.
    let (flat, none) = (steps.ints(&[-1]), steps.ints(&[0]));
    let counts = steps.reduce("ReduceSum", &ones, &[last], false);
    let counts = steps.op("Reshape", &[&counts, &flat]);
    let counts = steps.op_with("Concat", &[&counts, &none], "axis", 0);
    let longest = steps.reduce("ReduceMax", &counts, &[0], true);
    let shape = steps.op("Shape", &[mask]);
    let leading = steps.part(&shape, 0, 0, last);
    let axis = |axis| vec![("axis", Attribute::Int(axis))];
    let (cx, node) = (&mut *steps.cx, steps.node);
    let [indices, kept, shape] = ports.map(|port| node.output(port));
    cx.emit(indices, "Concat", vec![rows, position], Layout::tensorflow(2), axis(1));
    cx.emit_cast(kept, values, Layout::tensorflow(1));
    cx.emit(shape, "Concat", vec![leading, longest], Layout::tensorflow(1), axis(0));
}

/// How far apart neighbors along each axis of a tensor of this shape are when it is read row by row: the product of the
/// lengths of the axes behind it.
pub fn strides(steps: &mut Steps<'_, '_, '_>, shape: &String, rank: Option<usize>) -> String {
    let Some(rank) = rank else { return open_strides(steps, shape) };
    let is_behind: Vec<bool> = (0..rank * rank).map(|position| position % rank > position / rank).collect();
    let is_behind = Constant::from_bools(vec![rank, rank], &is_behind);
    let is_behind = steps.cx.initializer(&format!("{}/is_behind", steps.node.name), is_behind, &[]);
    let one = steps.int(1);
    let lengths = steps.op("Where", &[&is_behind, shape, &one]);
    steps.reduce("ReduceProd", &lengths, &[1], false)
}

/// The numbers of the axes of a shape: 0, 1 and so on.
fn axes(steps: &mut Steps<'_, '_, '_>, shape: &String, rank: Option<usize>) -> String {
    if let Some(rank) = rank {
        return steps.ints(&(0..rank as i64).collect::<Vec<_>>());
    }
    let count = steps.op("Shape", &[shape]);
    steps.positions(&count)
}

/// A vector that is 1 at an axis of a shape, which counts from the back if it is negative, and 0 at the others.
///
/// # Errors
/// If there is no such axis.
pub fn unit(steps: &mut Steps<'_, '_, '_>, shape: &String, axis: i64, rank: Option<usize>) -> Result<String> {
    if let Some(rank) = rank {
        let axis = steps.node.axis(axis, rank)?;
        return Ok(steps.ints(&(0..rank).map(|other| i64::from(other == axis)).collect::<Vec<_>>()));
    }
    let axis = steps.int(axis);
    Ok(open_unit(steps, shape, &axis, rank))
}

/// The same for an axis that is an int64 number of the model.
pub fn open_unit(
    steps: &mut Steps<'_, '_, '_>,
    shape: &String,
    axis: &String,
    rank: Option<usize>,
) -> String {
    let (numbers, count) = (axes(steps, shape, rank), steps.op("Shape", &[shape]));
    let axis = steps.op("Mod", &[axis, &count]);
    let is_axis = steps.op("Equal", &[&numbers, &axis]);
    steps.cast(&is_axis, DType::Int64)
}

/// Numbers, with 1 instead of 0. ONNX Runtime's Max is wrong about int64 of 2^31 and more.
pub fn at_least_one(steps: &mut Steps<'_, '_, '_>, numbers: &String) -> String {
    let (none, one) = (steps.int(0), steps.int(1));
    let is_none = steps.op("Equal", &[numbers, &none]);
    steps.op("Where", &[&is_none, &one, numbers])
}

/// The number of axes of a sparse tensor whose indices or shape are an input; `None` if it is known only when the model runs.
///
/// # Errors
/// If there are none, or too many.
pub fn known_rank(cx: &Lowering<'_>, node: NodeRef<'_>, from: [(usize, usize); 2]) -> Result<Option<usize>> {
    for (index, axis) in from {
        if let Some(rank) = cx.shape(cx.input_of(node, index)?).dim(axis) {
            return match rank {
                1..=64 => Ok(Some(rank)),
                _ => Err(node.error(format!("it takes a sparse tensor of {rank} axes"))),
            };
        }
    }
    Ok(None)
}

/// Values stay, and their indices are flattened row by row in both shapes.
pub fn reshape(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [indices, old, new] = [0, 1, 2].map(|index| cx.input_of(node, index));
    let old_rank = known_rank(cx, node, [(0, 1), (1, 0)])?;
    let new_rank = known_rank(cx, node, [(2, 0), (2, 0)])?;
    let (indices, old) = (cx.in_tensorflow_layout(indices?)?, cx.in_tensorflow_layout(old?)?);
    let new = cx.in_tensorflow_layout(new?)?;
    let mut steps = Steps { cx, node };
    let (none, one) = (steps.int(0), steps.int(1));
    // One length may be -1: the remaining length. Beside it, a length of 0 is an error in TensorFlow, and
    // nothing may be divided by it.
    let is_open = steps.op("Less", &[&new, &none]);
    let given = steps.op("Where", &[&is_open, &one, &new]);
    let size = steps.reduce("ReduceProd", &old, &[0], true);
    let given = steps.reduce("ReduceProd", &given, &[0], true);
    let given = at_least_one(&mut steps, &given);
    let left = steps.op("Div", &[&size, &given]);
    steps.cx.emit(node.output(1), "Where", vec![is_open, left, new], Layout::tensorflow(1), vec![]);
    let shape = steps.cx.in_tensorflow_layout(node.output(1))?;
    let old_strides = strides(&mut steps, &old, old_rank);
    // Nor are indices divided by lengths of 0: there are no indices then.
    let divisors = at_least_one(&mut steps, &shape);
    let new_strides = strides(&mut steps, &divisors, new_rank);
    let flat = steps.op("Mul", &[&indices, &old_strides]);
    let flat = steps.reduce("ReduceSum", &flat, &[1], true);
    let positions = steps.op("Div", &[&flat, &new_strides]);
    cx.emit(node, "Mod", vec![positions, divisors], Layout::tensorflow(2), vec![]);
    Ok(())
}

/// Rows without values get the default at their beginning; then the values are in the order of their rows.
pub fn fill_empty_rows(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let rank = known_rank(cx, node, [(0, 1), (2, 0)])?;
    let [indices, values, shape, default] = [0, 1, 2, 3].map(|index| cx.input_of(node, index));
    let (indices, values) = (cx.in_tensorflow_layout(indices?)?, cx.in_tensorflow_layout(values?)?);
    let (shape, default) = (cx.in_tensorflow_layout(shape?)?, cx.in_tensorflow_layout(default?)?);
    let port = |port| node.output(port);
    let along_first = || vec![("axis", Attribute::Int(0))];
    let vector = Layout::tensorflow(1);
    let mut steps = Steps { cx, node };
    let rows = steps.part(&shape, 0, 0, 1);
    let first = steps.int(0);
    let row = steps.op_with("Gather", &[&indices, &first], "axis", 1);
    let count = steps.op("Shape", &[&row]);
    // Several values may be written to one index, all of them the same.
    let (yes, no) = (steps.number(DType::Bool, 1.0), steps.number(DType::Bool, 0.0));
    let (yes, no) = (steps.op("Expand", &[&yes, &rows]), steps.op("Expand", &[&no, &count]));
    let inputs = vec![yes, row.clone(), no];
    steps.cx.emit(port(2), "ScatterElements", inputs, vector.clone(), along_first());
    let is_empty = steps.cx.in_tensorflow_layout(port(2))?;

    let flat = steps.ints(&[-1]);
    let empty = steps.op("NonZero", &[&is_empty]);
    let empty = steps.op("Reshape", &[&empty, &flat]);
    let defaults = steps.op("Shape", &[&empty]);
    let defaults = steps.op("Expand", &[&default, &defaults]);
    let values = steps.op_with("Concat", &[&values, &defaults], "axis", 0);
    let behind = steps.ints(&[1]);
    let column = steps.op("Unsqueeze", &[&empty, &behind]);
    let unit = unit(&mut steps, &shape, 0, rank)?;
    let beginnings = steps.op("Mul", &[&column, &unit]);
    let indices = steps.op_with("Concat", &[&indices, &beginnings], "axis", 0);

    let rows = steps.op_with("Concat", &[&row, &empty], "axis", 0);
    let all = steps.op("Shape", &[&rows]);
    let [_, order] = steps.ascending(&rows, &all);
    let positions = steps.positions(&all);
    let map = steps.op_with("ScatterElements", &[&order, &order, &positions], "axis", 0);
    let start = steps.ints(&[0]);
    let matrix = Layout::tensorflow(2);
    cx.emit(node, "Gather", vec![indices, order.clone()], matrix, along_first());
    cx.emit(port(1), "Gather", vec![values, order], vector.clone(), along_first());
    cx.emit(port(3), "Slice", vec![map, start, count], vector, vec![]);
    Ok(())
}
