//! Diagonals of matrices where it is known only when the model runs which ones are meant: the positions are computed in
//! the model, by the arithmetic of `diagonal`.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::diagonal::{LEFT, flattened};
use crate::tensor::DType;

/// The lowest and the highest diagonal, and whether there is only one.
fn bounds(cx: &mut Lowering<'_>, node: NodeRef<'_>, input: TensorRef) -> Result<(String, String, bool)> {
    let is_single = match cx.shape(input).fully_known().as_deref() {
        Some([] | [1]) => true,
        Some([2]) => false,
        _ => return Err(node.error("it is not known whether it has one diagonal or several")),
    };
    let name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    let (name, flat) = (steps.cast(&name, DType::Int64), steps.ints(&[-1]));
    let vector = steps.op("Reshape", &[&name, &flat]);
    let (first, last) = (steps.int(0), steps.int(-1));
    let (lower, upper) = (steps.op("Gather", &[&vector, &first]), steps.op("Gather", &[&vector, &last]));
    Ok((lower, upper, is_single))
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
    let rank = cx.rank(node, input)?;
    let (lower, upper, is_single) = bounds(cx, node, cx.input_of(node, 1)?)?;
    let name = cx.in_tensorflow_layout(input)?;
    let padding = match node.inputs.get(2) {
        Some(&padding) => cx.in_tensorflow_layout(padding)?,
        None => cx.scalar(node, "padding", cx.dtype(input), 0.0),
    };
    let flat = flattened(cx, node, name.clone(), rank, 2);
    let mut steps = Steps { cx, node };
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
    if is_single {
        let chosen = steps.op("Where", &[&is_inside, &gathered, &padding]);
        let axis = steps.ints(&[-2]);
        cx.emit(node, "Squeeze", vec![chosen, axis], layout, vec![]);
    } else {
        cx.emit(node, "Where", vec![is_inside, gathered, padding], layout, vec![]);
    }
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
    let rank = cx.rank(node, input)?;
    let (lower, upper, is_single) = bounds(cx, node, cx.input_of(node, 1)?)?;
    let name = cx.in_tensorflow_layout(input)?;
    let mut given = vec![];
    for index in [2, 3] {
        let size = cx.in_tensorflow_layout(cx.input_of(node, index)?)?;
        let size = cx.cast(node, size, DType::Int64);
        let scalar = cx.vector(node, "scalar", &[]);
        given.push(cx.step(node, "size", "Reshape", vec![size, scalar], vec![]));
    }
    let padding = cx.in_tensorflow_layout(cx.input_of(node, 4)?)?;
    let flat = flattened(cx, node, name.clone(), rank, if is_single { 1 } else { 2 });
    let mut steps = Steps { cx, node };
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
    let rank = cx.rank(node, diagonal)?;
    let (lower, upper, is_single) = bounds(cx, node, cx.input_of(node, 2)?)?;
    let matrices = cx.in_tensorflow_layout(input)?;
    let name = cx.in_tensorflow_layout(diagonal)?;
    let flat = flattened(cx, node, name.clone(), rank, if is_single { 1 } else { 2 });
    let mut steps = Steps { cx, node };
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
