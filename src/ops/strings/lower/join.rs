//! Strings along axes, joined to one.
//!
//! Sources: `tf.strings.reduce_join` in TensorFlow's API documentation; StringConcat and Loop in
//! <https://onnx.ai/onnx/operators/>.

use super::text::text;
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::coordinates::{from_front, transposed};
use crate::tensor::{DType, element_count};

/// Up to so many strings are joined by a node each, and more by a loop.
const MOST_NODES: usize = 16;

/// The strings that become one, along a first axis.
pub struct Joined {
    pub strings: String,
    /// How many there are, as a vector of one number.
    pub count: String,
    /// The lengths of the other axes.
    pub rest: String,
}

/// The strings along axes, one after the other. Those along the first axis that is named are joined first.
pub fn reduce_join(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let axes = known_axes(cx, node, input)?;
    if axes.as_ref().is_some_and(Vec::is_empty) {
        return cx.alias(node.into(), input);
    }
    let name = cx.in_tensorflow_layout(input)?;
    let lengths: Option<Vec<usize>> =
        axes.as_ref().and_then(|axes| axes.iter().map(|&axis| cx.shape(input).dim(axis)).collect());
    let known_count = lengths.and_then(|lengths| element_count(&lengths));
    let rank = cx.shape(input).rank();
    let mut steps = Steps { cx, node };
    let (joined, kept) = match axes.zip(rank) {
        Some((axes, rank)) => along_known(&mut steps, name, &axes, rank),
        None => along_open(&mut steps, name)?,
    };
    let result = match known_count {
        Some(count) if count <= MOST_NODES => by_nodes(&mut steps, &joined, count),
        _ => by_loop(&mut steps, &joined)?,
    };
    let result = match node.bool("keep_dims", false) {
        true => steps.cx.reshaped(node, "kept", result, kept),
        false => result,
    };
    steps.set_output(0, result, DType::String);
    Ok(())
}

/// The axes, if they and the rank are known.
fn known_axes(cx: &mut Lowering<'_>, node: NodeRef<'_>, input: TensorRef) -> Result<Option<Vec<usize>>> {
    let (Some(rank), Some(named)) = (cx.shape(input).rank(), cx.known_integers(node, 1)?) else {
        return Ok(None);
    };
    let mut axes = vec![];
    for axis in named {
        let axis = node.axis(axis, rank)?;
        if axes.contains(&axis) {
            return Err(node.error(format!("it names axis {axis} more than once")));
        }
        axes.push(axis);
    }
    Ok(Some(axes))
}

fn along_known(steps: &mut Steps<'_, '_, '_>, name: String, axes: &[usize], rank: usize) -> (Joined, String) {
    let others: Vec<i64> = (0..rank).filter(|axis| !axes.contains(axis)).map(|axis| axis as i64).collect();
    let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    let order: Vec<i64> = axes.iter().rev().chain(&others).copied().collect();
    let shape = steps.op("Shape", &[&name]);
    let moved = if order.is_sorted() { name } else { steps.transpose(&name, &order) };
    let is_joined: Vec<i64> = (0..rank as i64).map(|axis| i64::from(axes.contains(&axis))).collect();
    let [axes, others, is_joined] = [&axes, &others, &is_joined].map(|numbers| steps.ints(numbers));
    rows(steps, &moved, [&shape, &axes, &others, &is_joined])
}

fn along_open(steps: &mut Steps<'_, '_, '_>, name: String) -> Result<(Joined, String)> {
    let shape = steps.op("Shape", &[&name]);
    let rank = steps.op("Shape", &[&shape]);
    let named = steps.integers(1)?;
    let axes = from_front(steps, &named, &rank);
    let (none, one, all) = (steps.ints(&[0]), steps.ints(&[1]), steps.ints(&[-1]));
    let places = steps.positions(&rank);
    let column = steps.op("Unsqueeze", &[&places, &one]);
    let is_axis = steps.op("Equal", &[&column, &axes]);
    let is_axis = steps.cast(&is_axis, DType::Int64);
    let is_joined = steps.reduce("ReduceSum", &is_axis, &[1], false);
    let is_other = steps.op("Equal", &[&is_joined, &none]);
    let others = steps.op("NonZero", &[&is_other]);
    let others = steps.op("Reshape", &[&others, &all]);
    let before_first = steps.ints(&[i64::MIN]);
    let reversed = steps.op("Slice", &[&axes, &all, &before_first, &none, &all]);
    let order = steps.op_with("Concat", &[&reversed, &others], "axis", 0);
    let moved = transposed(steps, &name, &order);
    Ok(rows(steps, &moved, [&shape, &axes, &others, &is_joined]))
}

/// The strings whose axes are in order, by the shape that they had, the axes that are joined, the others, and 1 or 0 for each axis; and
/// the shape of the result if it keeps the axes with length 1.
fn rows(
    steps: &mut Steps<'_, '_, '_>,
    moved: &str,
    [shape, axes, others, is_joined]: [&String; 4],
) -> (Joined, String) {
    let lengths = steps.op_with("Gather", &[shape, axes], "axis", 0);
    let rest = steps.op_with("Gather", &[shape, others], "axis", 0);
    let count = steps.reduce("ReduceProd", &lengths, &[0], true);
    let target = steps.op_with("Concat", &[&count, &rest], "axis", 0);
    let strings = steps.cx.reshaped(steps.node, "rows", moved.to_owned(), target);
    let is_joined = steps.cast(is_joined, DType::Bool);
    let one = steps.ints(&[1]);
    let kept = steps.op("Where", &[&is_joined, &one, shape]);
    (Joined { strings, count, rest }, kept)
}

/// The strings from an index up to the next one, vectors of one number. ONNX Runtime gathers the first string of a row alone.
fn row(steps: &mut Steps<'_, '_, '_>, joined: &Joined, [index, next]: [&String; 2]) -> String {
    let axis = steps.ints(&[0]);
    let row = steps.op("Slice", &[&joined.strings, index, next, &axis]);
    steps.cx.reshaped(steps.node, "row", row, joined.rest.clone())
}

/// No string for each of the others.
fn nothing(steps: &mut Steps<'_, '_, '_>, joined: &Joined) -> String {
    let nothing = text(steps.cx, steps.node, "nothing", b"");
    steps.op("Expand", &[&nothing, &joined.rest])
}

fn separator(steps: &mut Steps<'_, '_, '_>) -> Option<String> {
    let separator = steps.node.text("separator").filter(|separator| !separator.is_empty())?.to_owned();
    Some(text(steps.cx, steps.node, "separator", separator.as_bytes()))
}

fn by_nodes(steps: &mut Steps<'_, '_, '_>, joined: &Joined, count: usize) -> String {
    let separator = separator(steps);
    let mut result: Option<String> = None;
    for index in 0..count as i64 {
        let bounds = [index, index + 1].map(|bound| steps.ints(&[bound]));
        let row = row(steps, joined, bounds.each_ref());
        result = Some(match (result, &separator) {
            (None, _) => row,
            (Some(before), None) => steps.op("StringConcat", &[&before, &row]),
            (Some(before), Some(separator)) => {
                let before = steps.op("StringConcat", &[&before, separator]);
                steps.op("StringConcat", &[&before, &row])
            }
        });
    }
    result.unwrap_or_else(|| nothing(steps, joined))
}

/// As many strings as the model finds.
///
/// # Errors
/// If the loop cannot be written.
pub fn by_loop(steps: &mut Steps<'_, '_, '_>, joined: &Joined) -> Result<String> {
    let separator = separator(steps);
    let (first, shape) = (nothing(steps, joined), steps.ints(&[]));
    let count = steps.op("Reshape", &[&joined.count, &shape]);
    let [result] = steps.repeat(&count, [(first, DType::String)], |steps, iteration, [before]| {
        let one = steps.ints(&[1]);
        let index = steps.op("Reshape", &[iteration, &one]);
        let mut before = before.clone();
        if let Some(separator) = &separator {
            let none = steps.ints(&[0]);
            let is_first = steps.op("Equal", &[&index, &none]);
            let nothing = text(steps.cx, steps.node, "nothing", b"");
            let separator = steps.op("Where", &[&is_first, &nothing, separator]);
            let scalar = steps.ints(&[]);
            let separator = steps.op("Reshape", &[&separator, &scalar]);
            before = steps.op("StringConcat", &[&before, &separator]);
        }
        let next = steps.op("Add", &[&index, &one]);
        let row = row(steps, joined, [&index, &next]);
        Ok([steps.op("StringConcat", &[&before, &row])])
    })?;
    Ok(result)
}
