//! Ops that make tensors: ranges, repeated values, shapes and sizes.
//!
//! Sources: `tf.range`, `tf.fill`, `tf.broadcast_to`, `tf.linspace`, `tf.zeros_like` and `tf.size` in TensorFlow's API
//! documentation; Range, Expand and Size in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::tensor::DType;

fn expand(cx: &mut Lowering<'_>, node: NodeRef<'_>, value: String, shape: String) {
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Expand", vec![value, shape], layout, vec![]);
}

pub fn fill(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let shape = cx.in_type(node, cx.input_of(node, 0)?, DType::Int64)?;
    let value = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    expand(cx, node, value, shape);
    Ok(())
}

pub fn broadcast_to(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let value = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let shape = cx.in_type(node, cx.input_of(node, 1)?, DType::Int64)?;
    expand(cx, node, value, shape);
    Ok(())
}

/// A value in the shape of the input.
pub fn like(cx: &mut Lowering<'_>, node: NodeRef<'_>, value: f64) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let value = cx.scalar(node, "value", cx.dtype(node.into()), value);
    let shape = cx.step(node, "shape", "Shape", vec![name], vec![]);
    cx.emit(node, "Expand", vec![value, shape], layout, vec![]);
    Ok(())
}

pub fn range(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let inputs: Result<Vec<String>> =
        node.inputs.iter().map(|&input| cx.in_tensorflow_layout(input)).collect();
    cx.emit(node, "Range", inputs?, Layout::tensorflow(1), vec![]);
    Ok(())
}

pub fn size(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, _) = cx.stored(cx.input_of(node, 0)?)?;
    let size = cx.step(node, "size", "Size", vec![name], vec![]);
    cx.emit_cast(node, size, Layout::tensorflow(0));
    Ok(())
}

pub fn rank(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, _) = cx.stored(cx.input_of(node, 0)?)?;
    let shape = cx.step(node, "shape", "Shape", vec![name], vec![]);
    let rank = cx.step(node, "rank", "Size", vec![shape], vec![]);
    cx.emit_cast(node, rank, Layout::tensorflow(0));
    Ok(())
}

/// `start + i * (stop - start) / (count - 1)`.
pub fn lin_space(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    let start = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let stop = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let count = cx.in_type(node, cx.input_of(node, 2)?, DType::Int64)?;
    let (zero, one) = (cx.scalar(node, "zero", DType::Int64, 0.0), cx.scalar(node, "one", DType::Int64, 1.0));
    let positions = cx.step(node, "places", "Range", vec![zero, count.clone(), one.clone()], vec![]);
    let steps = cx.step(node, "steps", "Sub", vec![count, one.clone()], vec![]);
    // One number alone is the start.
    let steps = cx.step(node, "at_least_one", "Max", vec![steps, one], vec![]);
    let [positions, steps] = [positions, steps].map(|name| cx.cast(node, name, dtype));
    let distance = cx.step(node, "distance", "Sub", vec![stop, start.clone()], vec![]);
    let step = cx.step(node, "step", "Div", vec![distance, steps], vec![]);
    let offsets = cx.step(node, "offsets", "Mul", vec![positions, step], vec![]);
    cx.emit(node, "Add", vec![start, offsets], Layout::tensorflow(1), vec![]);
    Ok(())
}
