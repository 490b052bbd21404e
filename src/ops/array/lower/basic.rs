//! Constants and inputs, and ops that reshape and join tensors.
//!
//! Sources: `tf.concat`, `tf.reshape`, `tf.squeeze` in TensorFlow's API documentation; Concat, Reshape, Squeeze
//! and Shape in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::partial::Length;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::zeros_are_lengths;
use crate::lower::flatten::flattened;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, onnx_dtype};
use crate::ops::lists::rows;
use crate::tensor::{Constant, DType};

pub fn constant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let constant = node.constant().ok_or_else(|| node.error("it has no value"))?;
    cx.set_constant(node.into(), constant.clone());
    Ok(())
}

/// Every output of it that is read becomes an input of the model.
pub fn placeholder(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    for port in 0..node.outputs.len() {
        let tensor = node.output(port);
        if cx.is_used(tensor) {
            cx.input(tensor);
        }
    }
    Ok(())
}

/// An input with a default: ONNX has that too, as an initializer of the input's name.
pub fn placeholder_with_default(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let default = cx.input_of(node, 0)?;
    let default = cx.constant(default).cloned();
    cx.input(node.into());
    if let Some(default) = default {
        cx.default_of_input(node.into(), default)?;
    }
    Ok(())
}

pub fn identity(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    cx.alias(node.into(), node.inputs[0])
}

/// The input. Where the op tells its rank, its axes have an order that others may read.
pub fn ensure_shape(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, shape) = (node.inputs[0], cx.shape(node.into()));
    if cx.constant(input).is_none() && cx.shape(input).rank() != shape.rank() {
        return cx.alias_in_layout(node.into(), input, Layout::tensorflow_of(shape));
    }
    cx.alias(node.into(), input)
}

/// Each output is the input with the same index.
pub fn identities(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    for (port, &input) in node.inputs.iter().enumerate() {
        cx.alias(node.output(port), input)?;
    }
    Ok(())
}

/// The layout that most of the tensors of this rank have; of two, the one that is not TensorFlow's, because the
/// readers probably need their channels second, too.
pub fn common_layout(cx: &Lowering<'_>, tensors: &[TensorRef], rank: usize) -> Layout {
    let mut counts: Vec<(&Layout, usize)> = vec![];
    for layout in tensors.iter().filter_map(|&tensor| cx.layout(tensor)) {
        if layout.axes().len() != rank {
            continue;
        }
        match counts.iter_mut().find(|(known, _)| *known == layout) {
            Some((_, count)) => *count += 1,
            None => counts.push((layout, 1)),
        }
    }
    let most = counts.into_iter().max_by_key(|(layout, count)| (*count, !layout.is_tensorflow()));
    most.map_or_else(|| Layout::tensorflow(rank), |(layout, _)| layout.clone())
}

/// Drops axes of length 1; the layout of the rest stays.
pub fn squeeze(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = node.inputs[0];
    let named = match node.ints("squeeze_dims") {
        [] => node.ints("axis"),
        axes => axes,
    };
    if named.is_empty() && cx.shape(input).fully_known().is_none() {
        let name = cx.in_tensorflow_layout(input)?;
        cx.emit(node, "Squeeze", vec![name], Layout::tensorflow_of(cx.shape(node.into())), vec![]);
        return Ok(());
    }
    let Some(rank) = cx.shape(input).rank() else {
        let (name, axes) = (cx.in_tensorflow_layout(input)?, cx.vector(node, "axes", named));
        cx.emit(node, "Squeeze", vec![name, axes], Layout::tensorflow(0), vec![]);
        return Ok(());
    };
    let dropped: Vec<bool> = if named.is_empty() {
        cx.shape(input).dims().unwrap_or_default().iter().map(|&dim| dim == Some(1)).collect()
    } else {
        let axes = node.axes(named, rank)?;
        (0..rank).map(|axis| axes.contains(&axis)).collect()
    };
    let (name, layout) = cx.stored(input)?;
    let mut axes: Vec<i64> =
        (0..rank).filter(|&axis| dropped[axis]).map(|axis| layout.stored_axis(axis) as i64).collect();
    axes.sort_unstable();
    let axes = cx.vector(node, "axes", &axes);
    cx.emit(node, "Squeeze", vec![name, axes], layout.without(&dropped), vec![]);
    Ok(())
}

pub fn reshape(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, target) = (node.inputs[0], node.inputs[1]);
    if cx.reshape_constant(node, input) {
        return Ok(());
    }
    if keeps_shape(cx, node.into(), input) {
        return cx.alias(node.into(), input);
    }
    // Elements in TensorFlow's order need no Transpose.
    let (name, layout) = cx.stored(input)?;
    let (name, layout) = if layout.keeps_element_order(cx.shape(input)) {
        (name, layout)
    } else if let Some(flattened) = flattened(cx, node, &layout) {
        cx.flattened.insert(node.into(), flattened);
        (name, layout)
    } else {
        (cx.in_tensorflow_layout(input)?, Layout::tensorflow(layout.axes().len()))
    };
    let mut attributes = vec![];
    let shape = match reshape_target(cx, input, &layout, target)? {
        Some(dims) => {
            // TensorFlow's 0 is a length; ONNX's is one only where `allowzero` is set.
            if cx.constant(target).is_some() && dims.contains(&0) {
                attributes = zeros_are_lengths();
            }
            cx.vector(node, "shape", &dims)
        }
        None => {
            attributes = zeros_are_lengths();
            let shape = cx.in_tensorflow_layout(target)?;
            cx.cast(node, shape, DType::Int64)
        }
    };
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Reshape", vec![name, shape], layout, attributes);
    Ok(())
}

/// The target of an ONNX Reshape as a constant, if that is possible: each element is a length, -1 for the remaining
/// length, or 0 for the length of the input on the same axis.
fn reshape_target(
    cx: &Lowering<'_>,
    input: TensorRef,
    layout: &Layout,
    target: TensorRef,
) -> Result<Option<Vec<i64>>> {
    if let Some(dims) = cx.constant(target).map(Constant::to_i64s).transpose()?.flatten() {
        return Ok(Some(dims));
    }
    let Some(lengths) = cx.lengths(target) else { return Ok(None) };
    let source = cx.origin(input);
    let words = lengths.iter().enumerate().map(|(axis, length)| match length {
        Length::Known(0) => None,
        Length::Known(length) => Some(*length),
        Length::Of(tensor, measured) => {
            let is_same = *tensor == source && *measured == axis && layout.axes().get(axis) == Some(&axis);
            is_same.then_some(0)
        }
        Length::Open => None,
    });
    let words: Vec<Option<i64>> = words.collect();
    // The one length that is not known follows from the others, unless one of them is 0 when the model runs.
    let is_remaining = words.iter().filter(|word| word.is_none()).count() == 1
        && lengths.iter().filter(|length| matches!(length, Length::Known(1..))).count() + 1 == lengths.len();
    Ok(words.into_iter().map(|word| word.or(is_remaining.then_some(-1))).collect())
}

/// Whether a Reshape gives its input the shape that it has: at most one length is open on both sides, which then
/// follows from the others.
fn keeps_shape(cx: &Lowering<'_>, output: TensorRef, input: TensorRef) -> bool {
    let (Some(before), Some(after)) = (cx.shape(input).dims(), cx.shape(output).dims()) else { return false };
    let open = before.iter().filter(|dim| dim.is_none()).count();
    before == after && open <= 1 && !before.contains(&Some(0))
}

/// The shape of a tensor, in TensorFlow's order of axes.
pub fn shape(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    shape_of(cx, node, node.inputs[0], 0)
}

/// The shape of a tensor as an output of a node.
pub fn shape_of(cx: &mut Lowering<'_>, node: NodeRef<'_>, input: TensorRef, port: usize) -> Result<()> {
    let output = node.output(port);
    let dtype = cx.dtype(output);
    if let Some(dims) = cx.shape(input).fully_known() {
        let dims: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
        let constant = match dtype {
            DType::Int64 => Constant::from_i64(vec![dims.len()], &dims),
            _ => {
                Constant::from_i32(vec![dims.len()], &dims.iter().map(|&dim| dim as i32).collect::<Vec<_>>())
            }
        };
        cx.set_constant(output, constant);
        return Ok(());
    }
    if let Some(of) = cx.rows(input).cloned() {
        let length = rows::length(&mut Steps { cx, node }, &of);
        cx.emit_cast(output, length, Layout::tensorflow(1));
        return Ok(());
    }
    let (name, layout) = cx.stored(input)?;
    let mut shape = cx.step(node, "shape", "Shape", vec![name], vec![]);
    if !layout.is_tensorflow() {
        let rank = layout.axes().len();
        let order: Vec<i64> = (0..rank).map(|axis| layout.stored_axis(axis) as i64).collect();
        let order = cx.vector(node, "order", &order);
        shape = cx.step(node, "gather", "Gather", vec![shape, order], vec![]);
    }
    let to = onnx_dtype(dtype).unwrap_or_default();
    cx.emit(output, "Cast", vec![shape], Layout::tensorflow(1), vec![("to", Attribute::Int(to.into()))]);
    Ok(())
}
