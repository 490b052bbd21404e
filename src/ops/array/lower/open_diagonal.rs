//! Diagonals of matrices where it is known only when the model runs which ones are meant: the positions are computed in
//! the model, by the arithmetic of `diagonal`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::zeros_are_lengths;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::{int_vector, reshaped};
use crate::ops::array::lower::diagonal::LEFT;

/// The diagonals that an op means.
struct Diagonals {
    lower: String,
    upper: String,
    /// Whether there is only one, which then has no axis of its own; `None` if only the model knows.
    is_single: Option<bool>,
}

impl Diagonals {
    /// Those that an input names; without the input, the main one.
    fn of_input(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize) -> Result<Self> {
        let known = match node.inputs.get(index) {
            Some(_) => cx.known_integers(node, index)?,
            None => Some(vec![0]),
        };
        if let Some(&[lower] | &[lower, _]) = known.as_deref() {
            let upper = known.as_ref().and_then(|known| known.last().copied()).unwrap_or(lower);
            let mut steps = Steps { cx, node };
            let is_single = Some(lower == upper);
            return Ok(Self { lower: steps.int(lower), upper: steps.int(upper), is_single });
        }
        let is_single = match cx.shape(cx.input_of(node, index)?).fully_known().as_deref() {
            Some([] | [1]) => Some(true),
            // Two numbers may be the same.
            _ => None,
        };
        let vector = int_vector(cx, node, index)?;
        let mut steps = Steps { cx, node };
        let (first, last) = (steps.int(0), steps.int(-1));
        let (lower, upper) = (steps.op("Gather", &[&vector, &first]), steps.op("Gather", &[&vector, &last]));
        Ok(Self { lower, upper, is_single })
    }

    /// One of two vectors of integers: the first if there is only one diagonal.
    fn choose(&self, steps: &mut Steps<'_, '_, '_>, [single, several]: [&[i64]; 2]) -> String {
        match self.is_single {
            Some(true) => steps.ints(single),
            Some(false) => steps.ints(several),
            None => {
                let is_single = steps.op("Equal", &[&self.lower, &self.upper]);
                let (single, several) = (steps.ints(single), steps.ints(several));
                steps.op("Where", &[&is_single, &single, &several])
            }
        }
    }

    /// Tensors that hold the diagonals, with all elements of a matrix on one axis.
    fn flattened(&self, steps: &mut Steps<'_, '_, '_>, name: &String) -> String {
        let merged = self.choose(steps, [&[-1], &[-2]]);
        flattened(steps, name, &merged)
    }
}

/// A tensor whose axes from one on, which is counted from the end, are made one.
fn flattened(steps: &mut Steps<'_, '_, '_>, name: &String, from: &String) -> String {
    let shape = steps.op("Shape", &[name]);
    let (first, end) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let kept = steps.op("Slice", &[&shape, &first, from, &first]);
    let merged = steps.op("Slice", &[&shape, from, &end, &first]);
    let merged = steps.reduce("ReduceProd", &merged, &[0], true);
    let shape = steps.op_with("Concat", &[&kept, &merged], "axis", 0);
    reshaped(steps, name, &shape)
}

/// The value around the diagonals: an input, or zero.
fn padding(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize) -> Result<String> {
    match node.inputs.get(index) {
        Some(&padding) => cx.in_tensorflow_layout(padding),
        None => Ok(cx.scalar(node, "padding", cx.dtype(node.into()), 0.0)),
    }
}

/// The number of rows and columns of matrices.
fn matrix_size(steps: &mut Steps<'_, '_, '_>, matrices: &String) -> (String, String) {
    let shape = steps.op("Shape", &[matrices]);
    let (rows, columns) = (steps.int(-2), steps.int(-1));
    (steps.op("Gather", &[&shape, &rows]), steps.op("Gather", &[&shape, &columns]))
}

/// The positive and the negative part of numbers.
fn above_and_below(steps: &mut Steps<'_, '_, '_>, k: &String) -> (String, String) {
    let zero = steps.int(0);
    let negated = steps.op("Neg", &[k]);
    (steps.op("Max", &[k, &zero]), steps.op("Max", &[&negated, &zero]))
}

/// How many positions each diagonal is moved to the right where it is shorter than the longest.
fn offsets(
    steps: &mut Steps<'_, '_, '_>,
    k: &String,
    (rows, columns): (&String, &String),
    longest: &String,
    left: [bool; 2],
) -> String {
    let zero = steps.int(0);
    let (above, below) = above_and_below(steps, k);
    let (rows, columns) = (steps.op("Sub", &[rows, &below]), steps.op("Sub", &[columns, &above]));
    let length = steps.op("Min", &[&rows, &columns]);
    let missing = steps.op("Sub", &[longest, &length]);
    match left {
        [true, true] => zero,
        [false, false] => missing,
        [left_above, _] => {
            let op = if left_above { "Less" } else { "Greater" };
            let is_right = steps.op(op, &[k, &zero]);
            steps.op("Where", &[&is_right, &missing, &zero])
        }
    }
}

pub fn diag_part(cx: &mut Lowering<'_>, node: NodeRef<'_>, left: [bool; 2]) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let diagonals = Diagonals::of_input(cx, node, 1)?;
    let (lower, upper) = (diagonals.lower.clone(), diagonals.upper.clone());
    let name = cx.in_tensorflow_layout(input)?;
    let padding = padding(cx, node, 2)?;
    let mut steps = Steps { cx, node };
    let matrix_axes = steps.ints(&[-2]);
    let flat = flattened(&mut steps, &name, &matrix_axes);
    let (rows, columns) = matrix_size(&mut steps, &name);
    let (zero, one, back) = (steps.int(0), steps.int(1), steps.int(-1));
    let stop = steps.op("Sub", &[&lower, &one]);
    let k = steps.op("Range", &[&upper, &stop, &back]);
    let (_, upper_below) = above_and_below(&mut steps, &upper);
    let (lower_above, _) = above_and_below(&mut steps, &lower);
    let (by_rows, by_columns) =
        (steps.op("Sub", &[&rows, &upper_below]), steps.op("Sub", &[&columns, &lower_above]));
    let longest = steps.op("Min", &[&by_rows, &by_columns]);
    let offset = offsets(&mut steps, &k, (&rows, &columns), &longest, left);
    let positions = steps.op("Range", &[&zero, &longest, &one]);
    let (first, second) = (steps.ints(&[0]), steps.ints(&[1]));
    let k = steps.op("Unsqueeze", &[&k, &second]);
    let is_even = left == LEFT;
    let offset = if is_even { offset } else { steps.op("Unsqueeze", &[&offset, &second]) };
    let positions = steps.op("Unsqueeze", &[&positions, &first]);
    let at = steps.op("Sub", &[&positions, &offset]);
    let (above, below) = above_and_below(&mut steps, &k);
    let (row, column) = (steps.op("Add", &[&at, &below]), steps.op("Add", &[&at, &above]));
    let starts = steps.op("GreaterOrEqual", &[&at, &zero]);
    let (row_ends, column_ends) = (steps.op("Less", &[&row, &rows]), steps.op("Less", &[&column, &columns]));
    let ends = steps.op("And", &[&row_ends, &column_ends]);
    let is_inside = steps.op("And", &[&starts, &ends]);
    let before = steps.op("Mul", &[&row, &columns]);
    let position = steps.op("Add", &[&before, &column]);
    let position = steps.op("Where", &[&is_inside, &position, &zero]);
    let gathered = steps.op_with("Gather", &[&flat, &position], "axis", -1);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    if diagonals.is_single == Some(false) {
        cx.emit(node, "Where", vec![is_inside, gathered, padding], layout, vec![]);
        return Ok(());
    }
    let chosen = steps.op("Where", &[&is_inside, &gathered, &padding]);
    if diagonals.is_single == Some(true) {
        cx.emit(node, "Squeeze", vec![chosen, matrix_axes], layout, vec![]);
        return Ok(());
    }
    // A single diagonal has no axis that counts the diagonals.
    let shape = steps.op("Shape", &[&chosen]);
    let end = steps.ints(&[i64::MAX]);
    let batch = steps.op("Slice", &[&shape, &first, &matrix_axes, &first]);
    let from = diagonals.choose(&mut steps, [&[-1], &[-2]]);
    let kept = steps.op("Slice", &[&shape, &from, &end, &first]);
    let shape = steps.op_with("Concat", &[&batch, &kept], "axis", 0);
    let attributes = zeros_are_lengths();
    cx.emit(node, "Reshape", vec![chosen, shape], layout, attributes);
    Ok(())
}

/// For each position of a matrix: whether it is on one of the diagonals, and its index among their elements.
fn in_diagonals(
    steps: &mut Steps<'_, '_, '_>,
    (rows, columns): (&String, &String),
    (lower, upper): (&String, &String),
    longest: &String,
    left: [bool; 2],
) -> (String, String) {
    let (zero, one) = (steps.int(0), steps.int(1));
    let (row, column) = (steps.op("Range", &[&zero, rows, &one]), steps.op("Range", &[&zero, columns, &one]));
    let (first, second) = (steps.ints(&[0]), steps.ints(&[1]));
    let (row, column) = (steps.op("Unsqueeze", &[&row, &second]), steps.op("Unsqueeze", &[&column, &first]));
    let k = steps.op("Sub", &[&column, &row]);
    let (from, to) = (steps.op("GreaterOrEqual", &[&k, lower]), steps.op("LessOrEqual", &[&k, upper]));
    let is_inside = steps.op("And", &[&from, &to]);
    let (above, _) = above_and_below(steps, &k);
    let offset = offsets(steps, &k, (rows, columns), longest, left);
    let at = steps.op("Sub", &[&column, &above]);
    let at = steps.op("Add", &[&at, &offset]);
    let diagonal = steps.op("Sub", &[upper, &k]);
    let before = steps.op("Mul", &[&diagonal, longest]);
    let position = steps.op("Add", &[&before, &at]);
    let position = steps.op("Where", &[&is_inside, &position, &zero]);
    (is_inside, position)
}

pub fn diag(cx: &mut Lowering<'_>, node: NodeRef<'_>, left: [bool; 2]) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let diagonals = Diagonals::of_input(cx, node, 1)?;
    let (lower, upper) = (diagonals.lower.clone(), diagonals.upper.clone());
    let name = cx.in_tensorflow_layout(input)?;
    let mut given = vec![];
    for index in [2, 3] {
        if node.inputs.len() <= index {
            given.push(Steps { cx, node }.int(-1));
            continue;
        }
        let size = int_vector(cx, node, index)?;
        let scalar = cx.vector(node, "scalar", &[]);
        given.push(cx.step(node, "size", "Reshape", vec![size, scalar], vec![]));
    }
    let padding = padding(cx, node, 4)?;
    let mut steps = Steps { cx, node };
    let flat = diagonals.flattened(&mut steps, &name);
    let shape = steps.op("Shape", &[&name]);
    let (zero, last) = (steps.int(0), steps.int(-1));
    let longest = steps.op("Gather", &[&shape, &last]);
    let (_, upper_below) = above_and_below(&mut steps, &upper);
    let (lower_above, _) = above_and_below(&mut steps, &lower);
    let least_rows = steps.op("Add", &[&longest, &upper_below]);
    let least_columns = steps.op("Add", &[&longest, &lower_above]);
    // Where neither is given the matrices are square.
    let square = steps.op("Max", &[&least_rows, &least_columns]);
    let [no_rows, no_columns] = [0, 1].map(|index| steps.op("Less", &[&given[index], &zero]));
    let rows = steps.op("Where", &[&no_columns, &square, &least_rows]);
    let columns = steps.op("Where", &[&no_rows, &square, &least_columns]);
    let rows = steps.op("Where", &[&no_rows, &rows, &given[0]]);
    let columns = steps.op("Where", &[&no_columns, &columns, &given[1]]);
    let (is_inside, position) = in_diagonals(&mut steps, (&rows, &columns), (&lower, &upper), &longest, left);
    let gathered = steps.op_with("Gather", &[&flat, &position], "axis", -1);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    cx.emit(node, "Where", vec![is_inside, gathered, padding], layout, vec![]);
    Ok(())
}

pub fn set_diag(cx: &mut Lowering<'_>, node: NodeRef<'_>, left: [bool; 2]) -> Result<()> {
    let (input, diagonal) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let diagonals = Diagonals::of_input(cx, node, 2)?;
    let (lower, upper) = (diagonals.lower.clone(), diagonals.upper.clone());
    let matrices = cx.in_tensorflow_layout(input)?;
    let name = cx.in_tensorflow_layout(diagonal)?;
    let mut steps = Steps { cx, node };
    let flat = diagonals.flattened(&mut steps, &name);
    let shape = steps.op("Shape", &[&name]);
    let last = steps.int(-1);
    let longest = steps.op("Gather", &[&shape, &last]);
    let (rows, columns) = matrix_size(&mut steps, &matrices);
    let (is_inside, position) = in_diagonals(&mut steps, (&rows, &columns), (&lower, &upper), &longest, left);
    let gathered = steps.op_with("Gather", &[&flat, &position], "axis", -1);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    cx.emit(node, "Where", vec![is_inside, gathered, matrices], layout, vec![]);
    Ok(())
}
