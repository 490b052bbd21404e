//! Ops that put tensors together and take them apart along an axis.
//!
//! Sources: `tf.stack`, `tf.unstack`, `tf.concat` and `tf.split` in TensorFlow's API documentation; Concat, Split,
//! Squeeze and Unsqueeze in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::axis::axis_from_front;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, Attributes};
use crate::ops::array::lower::around::{Around, int_vector};
use crate::ops::array::lower::basic::common_layout;
use crate::ops::array::{AxisInput, Parts};
use crate::tensor::{Constant, DType};

/// Joins along an axis, in the layout that most inputs have.
pub fn concat(cx: &mut Lowering<'_>, node: NodeRef<'_>, axis: AxisInput) -> Result<()> {
    let parts = match axis {
        AxisInput::First => node.inputs.split_first(),
        AxisInput::Last => node.inputs.split_last(),
    };
    let Some((&axis, inputs)) = parts else { return Err(node.error("it has no inputs")) };
    if let [only] = inputs {
        return cx.alias(node.into(), *only);
    }
    let axis = match cx.constant(axis).map(Constant::to_i64s).transpose()?.flatten().as_deref() {
        Some(&[axis]) => axis,
        _ => return concat_open(cx, node, inputs, if axis == node.inputs[0] { 0 } else { inputs.len() }),
    };
    let rank = cx.shape(node.into()).rank();
    let layout = rank.map_or(Layout::tensorflow(0), |rank| common_layout(cx, inputs, rank));
    let mut names = vec![];
    for &input in inputs {
        names.push(if rank.is_some() {
            cx.in_layout(input, &layout)?
        } else {
            cx.in_tensorflow_layout(input)?
        });
    }
    let stored_axis = match rank {
        Some(rank) => layout.stored_axis(node.axis(axis, rank)?) as i64,
        None => axis,
    };
    cx.emit(node, "Concat", names, layout, vec![("axis", Attribute::Int(stored_axis))]);
    Ok(())
}

/// Joins along an axis that an input names when the model runs.
fn concat_open(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    inputs: &[TensorRef],
    axis_index: usize,
) -> Result<()> {
    let axis = int_vector(cx, node, axis_index)?;
    let names: Result<Vec<String>> = inputs.iter().map(|&input| cx.in_tensorflow_layout(input)).collect();
    let mut steps = Steps { cx, node };
    let parts: Vec<Around> = names?.iter().map(|name| Around::new(&mut steps, name, &axis)).collect();
    let values: Vec<&String> = parts.iter().map(|part| &part.value).collect();
    let joined = steps.op_with("Concat", &values, "axis", 1);
    let length = steps.length(&joined, 1);
    parts[0].emit(&mut steps, node, joined, Some(&length));
    Ok(())
}

/// A new axis. A tensor that is stored in another order keeps this order if the new axis is the first or the last one.
pub fn expand_dims(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if cx.reshape_constant(node, input) {
        return Ok(());
    }
    let axis = match cx.known_integers(node, 1)?.as_deref() {
        Some(&[axis]) => axis,
        Some(_) => return Err(node.error("its axis is not one number")),
        None => {
            let (name, axes) = (cx.in_tensorflow_layout(input)?, int_vector(cx, node, 1)?);
            let layout = Layout::tensorflow_of(cx.shape(node.into()));
            cx.emit(node, "Unsqueeze", vec![name, axes], layout, vec![]);
            return Ok(());
        }
    };
    let (name, layout) = cx.stored(input)?;
    let (axis, layout) = match cx.shape(input).rank() {
        Some(rank) => {
            let axis = node.axis(axis, rank + 1)?;
            let layout = layout.with(axis);
            (layout.stored_axis(axis) as i64, layout)
        }
        None => (axis, Layout::tensorflow_of(cx.shape(node.into()))),
    };
    let axes = cx.vector(node, "axes", &[axis]);
    cx.emit(node, "Unsqueeze", vec![name, axes], layout, vec![]);
    Ok(())
}

pub fn pack(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let axis = node.int("axis", 0);
    let axes = cx.vector(node, "axes", &[axis]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    if let [input] = node.inputs[..] {
        let name = cx.in_tensorflow_layout(input)?;
        cx.emit(node, "Unsqueeze", vec![name, axes], layout, vec![]);
        return Ok(());
    }
    let mut names = vec![];
    for (index, &input) in node.inputs.iter().enumerate() {
        if let Some(part) = cx.constant(input).and_then(|constant| with_new_axis(constant, axis)) {
            names.push(cx.initializer(&format!("{}/part_{index}", node.name), part, &[]));
            continue;
        }
        let name = cx.in_tensorflow_layout(input)?;
        names.push(cx.step(node, "unsqueezed", "Unsqueeze", vec![name, axes.clone()], vec![]));
    }
    cx.emit(node, "Concat", names, layout, vec![("axis", Attribute::Int(axis))]);
    Ok(())
}

/// A constant with a new axis of length 1.
fn with_new_axis(constant: &Constant, axis: i64) -> Option<Constant> {
    let mut shape = constant.shape().to_vec();
    shape.insert(axis_from_front(axis, shape.len() + 1)?, 1);
    constant.reshaped(&shape).ok()
}

/// The sizes of equal parts of an axis of a value, or how many parts there are.
fn equal_parts(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    length: Option<usize>,
    count: usize,
) -> Result<(Option<String>, Attributes)> {
    match length {
        Some(length) if count > 0 && length.is_multiple_of(count) => {
            Ok((Some(cx.vector(node, "sizes", &vec![(length / count) as i64; count])), vec![]))
        }
        None => Ok((None, vec![("num_outputs", Attribute::Int(count as i64))])),
        Some(length) => Err(node.error(format!("an axis of {length} has not {count} equal parts"))),
    }
}

pub fn split(cx: &mut Lowering<'_>, node: NodeRef<'_>, parts: Parts) -> Result<()> {
    let (input, axis_index) = match parts {
        Parts::Equal => (1, 0),
        Parts::Given => (0, 2),
    };
    let input = cx.input_of(node, input)?;
    let axis = match cx.known_integers(node, axis_index)?.as_deref() {
        Some(&[axis]) => axis,
        Some(_) => return Err(node.error("its axis is not one number")),
        None => return split_open(cx, node, parts, (input, axis_index)),
    };
    let (name, layout) = cx.stored(input)?;
    let (axis, length) = match cx.shape(input).rank() {
        Some(rank) => {
            let axis = node.axis(axis, rank)?;
            (layout.stored_axis(axis) as i64, cx.shape(input).dim(axis))
        }
        None => (axis, None),
    };
    let (inputs, attributes) = split_inputs(cx, node, parts, length, (name, axis))?;
    cx.emit_all(node, "Split", inputs, vec![layout; node.outputs.len()], attributes);
    Ok(())
}

/// The inputs and attributes of a Split of a value along an axis.
fn split_inputs(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    parts: Parts,
    length: Option<usize>,
    (value, axis): (String, i64),
) -> Result<(Vec<String>, Attributes)> {
    let count = usize::try_from(node.int("num_split", 1)).unwrap_or(1);
    let (sizes, mut attributes) = match parts {
        Parts::Equal => equal_parts(cx, node, length, count)?,
        Parts::Given => (Some(part_sizes(cx, node, length, (&value, axis))?), vec![]),
    };
    attributes.push(("axis", Attribute::Int(axis)));
    Ok(([value].into_iter().chain(sizes).collect(), attributes))
}

/// Splits along an axis that an input names when the model runs.
fn split_open(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    parts: Parts,
    (input, axis_index): (TensorRef, usize),
) -> Result<()> {
    let name = cx.in_tensorflow_layout(input)?;
    let axis = int_vector(cx, node, axis_index)?;
    let around = Around::new(&mut Steps { cx, node }, &name, &axis);
    let (inputs, attributes) = split_inputs(cx, node, parts, None, (around.value.clone(), 1))?;
    let names: Vec<String> =
        (0..node.outputs.len()).map(|port| cx.unique_name(format!("{}/part_{port}", node.name))).collect();
    cx.node(&format!("{}/split", node.name), "Split", inputs, names.clone(), attributes);
    let mut steps = Steps { cx, node };
    for (port, name) in names.into_iter().enumerate() {
        let length = steps.length(&name, 1);
        around.emit(&mut steps, node.output(port), name, Some(&length));
    }
    Ok(())
}

/// The sizes of `SplitV`; -1 is the remaining length.
fn part_sizes(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    length: Option<usize>,
    (value, axis): (&str, i64),
) -> Result<String> {
    let known = cx.known_integers(node, 1)?;
    let length = length.and_then(|length| i64::try_from(length).ok());
    let sizes = match (&known, length) {
        (Some(sizes), _) if sizes.iter().all(|&size| size >= 0) => return Ok(cx.vector(node, "sizes", sizes)),
        (Some(sizes), Some(length)) => {
            let rest = length - sizes.iter().filter(|&&size| size >= 0).sum::<i64>();
            let sizes: Vec<i64> = sizes.iter().map(|&size| if size >= 0 { size } else { rest }).collect();
            return Ok(cx.vector(node, "sizes", &sizes));
        }
        (Some(sizes), None) => cx.vector(node, "given", sizes),
        (None, _) => {
            let sizes = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
            cx.cast(node, sizes, DType::Int64)
        }
    };
    // At most one part has the size -1: the remaining length.
    let length = cx.length_of(node, value, axis);
    let (zero, none) = (cx.vector(node, "zero", &[0]), cx.vector(node, "sum_axis", &[0]));
    let takes_rest = cx.step(node, "takes_rest", "Less", vec![sizes.clone(), zero.clone()], vec![]);
    let named = cx.step(node, "named", "Where", vec![takes_rest.clone(), zero, sizes.clone()], vec![]);
    let sum = cx.step(node, "sum", "ReduceSum", vec![named, none], vec![]);
    let rest = cx.step(node, "rest", "Sub", vec![length, sum], vec![]);
    Ok(cx.step(node, "sizes", "Where", vec![takes_rest, rest, sizes], vec![]))
}

pub fn unpack(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let count = node.outputs.len();
    let name = cx.in_tensorflow_layout(input)?;
    let axis = node.int("axis", 0);
    let length = match cx.shape(input).rank() {
        Some(rank) => cx.shape(input).dim(node.axis(axis, rank)?),
        None => None,
    };
    let axes = cx.vector(node, "axes", &[axis]);
    let (sizes, mut attributes) = equal_parts(cx, node, length, count)?;
    attributes.push(("axis", Attribute::Int(axis)));
    let parts: Vec<String> =
        (0..count).map(|port| cx.unique_name(format!("{}/part_{port}", node.name))).collect();
    cx.node(
        &format!("{}/split", node.name),
        "Split",
        [name].into_iter().chain(sizes).collect(),
        parts.clone(),
        attributes,
    );
    for (port, part) in parts.into_iter().enumerate() {
        let tensor = node.output(port);
        let layout = Layout::tensorflow_of(cx.shape(tensor));
        cx.emit(tensor, "Squeeze", vec![part, axes.clone()], layout, vec![]);
    }
    Ok(())
}
