//! Ragged tensors: rows of different lengths, one after the other in one tensor, and where each row begins.
//!
//! These ops have in common the pair (row, position in the row) of every element. They are the positions of the
//! nonzero elements of a mask: its rows are as long as the longest row, and each has as many elements set as the row has.
//!
//! Sources: `tf.RaggedTensor` in TensorFlow's API documentation; NonZero, CumSum and ScatterND in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{Attr, NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Rows};
use crate::onnx::{Attribute, onnx_dtype};
use crate::ops::sparse::shape::ragged::ragged_rank;
use crate::tensor::{Constant, DType};

/// Shorthands for steps on vectors of int64.
struct Steps<'c, 'a, 'n> {
    cx: &'c mut Lowering<'a>,
    node: NodeRef<'n>,
}

impl Steps<'_, '_, '_> {
    fn step(&mut self, what: &str, op: &'static str, inputs: &[&str]) -> String {
        let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
        self.cx.step(self.node, what, op, inputs, vec![])
    }

    fn axis_step(&mut self, what: &str, op: &'static str, inputs: &[&str], axis: i64) -> String {
        let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
        self.cx.step(self.node, what, op, inputs, vec![("axis", Attribute::Int(axis))])
    }

    fn vector(&mut self, what: &str, values: &[i64]) -> String {
        self.cx.vector(self.node, what, values)
    }

    fn scalar(&mut self, value: i64) -> String {
        self.cx.initializer(&format!("number_{value}"), Constant::from_i64(vec![], &[value]), &[])
    }

    /// An input as int64.
    fn integers(&mut self, index: usize) -> Result<String> {
        self.cx.in_type(self.node, self.cx.input_of(self.node, index)?, DType::Int64)
    }

    /// The part of a vector between two bounds.
    fn part(&mut self, vector: &str, start: i64, end: i64) -> String {
        let bounds =
            [self.vector(&format!("from_{start}"), &[start]), self.vector(&format!("to_{end}"), &[end])];
        self.step("part", "Slice", &[vector, &bounds[0], &bounds[1]])
    }

    /// The lengths of the rows that begin and end at `splits`.
    fn sizes(&mut self, splits: &str) -> String {
        let (ends, starts) = (self.part(splits, 1, i64::MAX), self.part(splits, 0, -1));
        self.step("sizes", "Sub", &[&ends, &starts])
    }

    /// The positions where rows of these lengths begin and end.
    fn splits(&mut self, sizes: &str) -> String {
        let axis = self.scalar(0);
        let ends = self.step("ends", "CumSum", &[sizes, &axis]);
        let first = self.vector("zero", &[0]);
        self.axis_step("splits", "Concat", &[&first, &ends], 0)
    }

    /// The greatest of some lengths, 0 where there are none, as a scalar.
    fn greatest(&mut self, sizes: &str) -> String {
        let zero = self.vector("zero", &[0]);
        let all = self.axis_step("all_sizes", "Concat", &[sizes, &zero], 0);
        let attributes = vec![("keepdims", Attribute::Int(0))];
        self.cx.step(self.node, "greatest", "ReduceMax", vec![all], attributes)
    }

    fn range(&mut self, count: &str) -> String {
        let (zero, one) = (self.scalar(0), self.scalar(1));
        self.step("range", "Range", &[&zero, count, &one])
    }

    /// The row and the position in it of every element of rows of these lengths.
    fn positions(&mut self, sizes: &str, greatest: &str) -> [String; 2] {
        let positions = self.range(greatest);
        let axes = self.vector("column", &[1]);
        let column = self.step("size_column", "Unsqueeze", &[sizes, &axes]);
        let mask = self.step("mask", "Less", &[&positions, &column]);
        let found = self.step("places", "NonZero", &[&mask]);
        [0, 1].map(|row| {
            let row = self.scalar(row);
            self.axis_step("place", "Gather", &[&found, &row], 0)
        })
    }

    /// How long the rows at these indices are, and the positions of all that is in them.
    fn selected(&mut self, splits: &str, indices: &str) -> (String, String) {
        let one = self.scalar(1);
        let next = self.step("next", "Add", &[indices, &one]);
        let starts = self.axis_step("starts", "Gather", &[splits, indices], 0);
        let ends = self.axis_step("ends", "Gather", &[splits, &next], 0);
        let sizes = self.step("sizes", "Sub", &[&ends, &starts]);
        let greatest = self.greatest(&sizes);
        let [row, position] = self.positions(&sizes, &greatest);
        let start = self.axis_step("start", "Gather", &[&starts, &row], 0);
        let places = self.step("taken", "Add", &[&start, &position]);
        (sizes, places)
    }

    /// The length of a vector, as a scalar.
    fn length(&mut self, vector: &str) -> String {
        let shape = self.step("shape", "Shape", &[vector]);
        let first = self.scalar(0);
        self.axis_step("length", "Gather", &[&shape, &first], 0)
    }

    /// A scalar as a vector of one.
    fn as_vector(&mut self, scalar: &str) -> String {
        let one = self.vector("one", &[1]);
        self.step("vector", "Reshape", &[scalar, &one])
    }

    /// Emits an output, cast to its type.
    fn emit(&mut self, tensor: TensorRef, value: String) {
        let to = Attribute::Int(onnx_dtype(self.cx.dtype(tensor)).unwrap_or_default().into());
        let layout = Layout::tensorflow_of(self.cx.shape(tensor));
        self.cx.emit(tensor, "Cast", vec![value], layout, vec![("to", to)]);
    }
}

/// The coordinates of every value of a ragged tensor, a vector for each axis, and the lengths of these axes as scalars.
struct Coordinates {
    columns: Vec<String>,
    lengths: Vec<String>,
}

/// Follows the lengths of rows from the outermost axis to the values.
fn positions(steps: &mut Steps<'_, '_, '_>, rows: String, levels: Vec<String>) -> Coordinates {
    let mut positions = Coordinates { columns: vec![steps.range(&rows)], lengths: vec![rows] };
    for sizes in levels {
        let greatest = steps.greatest(&sizes);
        let [row, position] = steps.positions(&sizes, &greatest);
        for column in &mut positions.columns {
            *column = steps.axis_step("column", "Gather", &[column, &row], 0);
        }
        positions.columns.push(position);
        positions.lengths.push(greatest);
    }
    positions
}

/// Coordinates as a matrix with a row for each value.
fn matrix(steps: &mut Steps<'_, '_, '_>, columns: &[String]) -> String {
    let axes = steps.vector("column", &[1]);
    let columns: Vec<String> =
        columns.iter().map(|column| steps.step("column", "Unsqueeze", &[column, &axes])).collect();
    steps.axis_step("indices", "Concat", &columns.iter().map(String::as_str).collect::<Vec<_>>(), 1)
}

/// Ranges, one for each row.
pub fn range(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let values = node.output(1);
    let dtype = cx.dtype(values);
    // Counts of integers are computed in double precision, those of real numbers in their own.
    let exact = if dtype.is_float() { dtype } else { DType::Float64 };
    let mut bounds = vec![];
    for index in 0..3 {
        let bound = cx.in_tensorflow_layout(cx.input_of(node, index)?)?;
        let flat = cx.vector(node, "flat", &[-1]);
        bounds.push(cx.step(node, "bound", "Reshape", vec![bound, flat], vec![]));
    }
    let wide: Vec<String> = bounds
        .iter()
        .map(|bound| if dtype == exact { bound.clone() } else { cx.cast(node, bound.clone(), exact) })
        .collect();
    let mut steps = Steps { cx, node };
    let span = steps.step("span", "Sub", &[&wide[1], &wide[0]]);
    let count = steps.step("count", "Div", &[&span, &wide[2]]);
    let count = steps.step("count", "Ceil", &[&count]);
    let count = steps.cx.cast(node, count, DType::Int64);
    let none = steps.scalar(0);
    let sizes = steps.step("sizes", "Max", &[&count, &none]);
    let splits = steps.splits(&sizes);
    steps.emit(node.into(), splits);
    let greatest = steps.greatest(&sizes);
    let [row, position] = steps.positions(&sizes, &greatest);
    let shape = steps.step("rows", "Shape", &[&sizes]);
    let of_row = |steps: &mut Steps<'_, '_, '_>, bound: &str| {
        let full = steps.step("bounds", "Expand", &[bound, &shape]);
        steps.axis_step("bound", "Gather", &[&full, &row], 0)
    };
    let (start, delta) = (of_row(&mut steps, &bounds[0]), of_row(&mut steps, &bounds[2]));
    let position = steps.cx.cast(node, position, dtype);
    let offset = steps.step("offset", "Mul", &[&position, &delta]);
    let layout = Layout::tensorflow(1);
    steps.cx.emit(values, "Add", vec![start, offset], layout, vec![]);
    Ok(())
}

/// The rows of a list at these indices, a vector of int64.
pub fn rows_at(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: &Rows, indices: &str) -> Rows {
    let mut steps = Steps { cx, node };
    let (sizes, places) = steps.selected(&rows.splits, indices);
    let splits = steps.splits(&sizes);
    Rows { values: steps.axis_step("values", "Gather", &[&rows.values, &places], 0), splits }
}

/// Selects rows of a ragged tensor, at every level those in the rows that were selected at the level above. Indices of several axes
/// select rows of equal lengths, and a scalar selects the parts of one row.
pub fn gather(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let levels = ragged_rank(&node, "PARAMS_RAGGED_RANK");
    let indices = cx.input_of(node, levels + 1)?;
    // There is an output of splits for each level and for each axis of the indices but the first, and one of values.
    let rank = node.outputs.len().saturating_sub(levels);
    if let Some(given) = cx.shape(indices).rank()
        && given != rank
    {
        return Err(node.error(format!("it has {} outputs for indices of rank {given}", node.outputs.len())));
    }
    let values = cx.in_tensorflow_layout(cx.input_of(node, levels)?)?;
    let mut steps = Steps { cx, node };
    let given = steps.integers(levels + 1)?;
    let shape = steps.step("indices_shape", "Shape", &[&given]);
    for axis in 0..rank.saturating_sub(1) {
        // The rows that the axes up to this one make, each of the length of the next axis.
        let leading = steps.part(&shape, 0, axis as i64 + 1);
        let attributes = vec![("keepdims", Attribute::Int(0))];
        let rows = steps.cx.step(node, "row_count", "ReduceProd", vec![leading], attributes);
        let one = steps.scalar(1);
        let bounds = steps.step("bounds", "Add", &[&rows, &one]);
        let bounds = steps.range(&bounds);
        let length = steps.part(&shape, axis as i64 + 1, axis as i64 + 2);
        let splits = steps.step("splits", "Mul", &[&bounds, &length]);
        steps.emit(node.output(axis), splits);
    }
    let flat = steps.vector("flat", &[-1]);
    let mut taken = steps.step("indices", "Reshape", &[&given, &flat]);
    for level in 0..levels {
        let splits = steps.integers(level)?;
        let (sizes, places) = steps.selected(&splits, &taken);
        if let Some(port) = (level + rank).checked_sub(1) {
            let out = steps.splits(&sizes);
            steps.emit(node.output(port), out);
        }
        taken = places;
    }
    let tensor = node.output(node.outputs.len() - 1);
    let layout = Layout::tensorflow_of(cx.shape(tensor));
    cx.emit(tensor, "Gather", vec![values, taken], layout, vec![]);
    Ok(())
}

/// Values with their coordinates, as a sparse tensor.
pub fn to_sparse(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let levels = ragged_rank(&node, "RAGGED_RANK");
    let values = cx.input_of(node, levels)?;
    let inner = cx.shape(values).rank().map(|rank| rank.saturating_sub(1));
    let name = cx.in_tensorflow_layout(values)?;
    let mut steps = Steps { cx, node };
    let (mut sizes, mut rows) = (vec![], String::new());
    for level in 0..levels {
        let splits = steps.integers(level)?;
        let of_level = steps.sizes(&splits);
        if level == 0 {
            rows = steps.length(&of_level);
        }
        sizes.push(of_level);
    }
    let positions = positions(&mut steps, rows, sizes);
    let mut indices = matrix(&mut steps, &positions.columns);
    let mut lengths: Vec<String> = positions.lengths.iter().map(|length| steps.as_vector(length)).collect();
    if inner != Some(0) {
        let shape = steps.step("values_shape", "Shape", &[&name]);
        let inner_shape = steps.part(&shape, 1, i64::MAX);
        indices = with_inner(&mut steps, &indices, &inner_shape);
        lengths.push(inner_shape);
    }
    let shape =
        steps.axis_step("dense_shape", "Concat", &lengths.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    steps.emit(node.into(), indices);
    steps.emit(node.output(2), shape);
    if inner == Some(0) {
        return cx.alias(node.output(1), values);
    }
    let flat = steps.vector("flat", &[-1]);
    cx.emit(node.output(1), "Reshape", vec![name, flat], Layout::tensorflow(1), vec![]);
    Ok(())
}

/// The coordinates of elements that each index of a matrix has: all positions in a tensor of the inner shape, behind the index.
fn with_inner(steps: &mut Steps<'_, '_, '_>, indices: &str, shape: &str) -> String {
    let (one, single) = (steps.scalar(1), steps.vector("single", &[1]));
    // Beside an axis of length 1, since there may be no inner axes, and a scalar has no positions.
    let beside = steps.axis_step("beside", "Concat", &[&single, shape], 0);
    let ones = steps.step("ones", "Expand", &[&one, &beside]);
    let places = steps.step("places", "NonZero", &[&ones]);
    let places = steps.part(&places, 1, i64::MAX);
    let places = steps.step("places", "Transpose", &[&places]);
    let count = steps.step("count", "Size", &[&ones]);
    let count = steps.as_vector(&count);
    let rows = steps.step("shape", "Shape", &[indices]);
    let (rows, outer) = (steps.part(&rows, 0, 1), steps.part(&rows, 1, 2));
    let as_often = steps.axis_step("as_often", "Concat", &[&single, &count, &single], 0);
    let for_each = steps.axis_step("for_each", "Concat", &[&rows, &single, &single], 0);
    let (first, second) = (steps.vector("first", &[0]), steps.vector("second", &[1]));
    let indices = steps.step("outer", "Unsqueeze", &[indices, &second]);
    let indices = steps.step("outer", "Expand", &[&indices, &as_often]);
    let places = steps.step("inner", "Unsqueeze", &[&places, &first]);
    let places = steps.step("inner", "Expand", &[&places, &for_each]);
    let all = steps.axis_step("all", "Concat", &[&indices, &places], 2);
    let inner = steps.step("inner_axes", "Shape", &[shape]);
    let columns = steps.step("columns", "Add", &[&outer, &inner]);
    let flat = steps.vector("flat", &[-1]);
    let shape = steps.axis_step("rows", "Concat", &[&flat, &columns], 0);
    steps.step("indices", "Reshape", &[&all, &shape])
}

/// Values scattered to their positions in a tensor that is filled with a default. Rows are described by where they begin,
/// or by the row of each value; a given shape cuts off the elements outside.
pub fn to_tensor(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let Some(Attr::Strings(types)) = node.attrs.get("row_partition_types") else {
        return Err(node.error("it has no row_partition_types"));
    };
    let (shape, values, default) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?, cx.input_of(node, 2)?);
    let [shape_rank, values_rank] = [shape, values].map(|tensor| cx.shape(tensor).rank());
    let (mut data, default) = (cx.in_tensorflow_layout(values)?, cx.in_tensorflow_layout(default)?);
    let mut steps = Steps { cx, node };
    let (mut sizes, mut rows) = (vec![], None);
    let mut next_rows = None;
    for (level, kind) in types.iter().enumerate() {
        let partition = steps.integers(level + 3)?;
        match kind.as_slice() {
            b"FIRST_DIM_SIZE" => {
                let scalar = steps.vector("scalar", &[]);
                let size = steps.step("rows", "Reshape", &[&partition, &scalar]);
                rows = Some(size.clone());
                next_rows = Some(size);
            }
            b"ROW_SPLITS" => {
                let of_level = steps.sizes(&partition);
                if rows.is_none() {
                    rows = Some(steps.length(&of_level));
                }
                sizes.push(of_level);
            }
            b"VALUE_ROWIDS" => {
                let Some(count) = next_rows.take() else {
                    return Err(node.error("the number of its rows is not given"));
                };
                // How many values each row has: those whose row it is.
                let all = steps.range(&count);
                let axes = steps.vector("column", &[1]);
                let all = steps.step("row_column", "Unsqueeze", &[&all, &axes]);
                let is_in = steps.step("is_in_row", "Equal", &[&all, &partition]);
                let is_in = steps.cx.cast(node, is_in, DType::Int64);
                let attributes = vec![("keepdims", Attribute::Int(0))];
                sizes.push(steps.cx.step(node, "sizes", "ReduceSum", vec![is_in, axes], attributes));
                next_rows = Some(steps.length(&partition));
            }
            _ => return Err(node.error("it has row partitions of an unknown kind")),
        }
    }
    let rows = rows.ok_or_else(|| node.error("it has no row partitions"))?;
    let ragged = sizes.len() + 1;
    let positions = positions(&mut steps, rows, sizes);
    let mut lengths: Vec<String> = positions.lengths.iter().map(|length| steps.as_vector(length)).collect();
    if values_rank.is_none_or(|rank| rank > 1) {
        let inner = steps.step("values_shape", "Shape", &[&data]);
        lengths.push(steps.part(&inner, 1, i64::MAX));
    }
    let mut dims =
        steps.axis_step("shape", "Concat", &lengths.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    let mut indices = matrix(&mut steps, &positions.columns);
    // A scalar is -1: no length is given.
    if shape_rank != Some(0) {
        let given = steps.integers(0)?;
        let zero = steps.scalar(0);
        let is_given = steps.step("is_given", "GreaterOrEqual", &[&given, &zero]);
        dims = steps.step("shape", "Where", &[&is_given, &given, &dims]);
        let bounds = steps.part(&dims, 0, ragged as i64);
        let fits = steps.step("fits", "Less", &[&indices, &bounds]);
        let fits = steps.cx.cast(node, fits, DType::Int64);
        let (inputs, attributes) = steps.cx.reduction(node, fits, &[1], false);
        let fits = steps.cx.step(node, "fits", "ReduceMin", inputs, attributes);
        let fits = steps.cx.cast(node, fits, DType::Bool);
        indices = steps.axis_step("kept", "Compress", &[&indices, &fits], 0);
        data = steps.axis_step("kept", "Compress", &[&data, &fits], 0);
    }
    let filled = steps.step("filled", "Expand", &[&default, &dims]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![filled, indices, data], layout, vec![]);
    Ok(())
}
