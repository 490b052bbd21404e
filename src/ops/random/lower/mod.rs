//! Random numbers. They come from another generator than TensorFlow's, so that only their distribution is the same.
//!
//! Sources: `tf.random` in TensorFlow's API documentation; RandomUniformLike, RandomNormalLike and Multinomial in
//! <https://onnx.ai/onnx/operators/>.

pub mod distorted_box;
pub mod philox;
pub mod stateless;

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, Attributes, onnx_dtype};
use crate::ops::operator;
use crate::tensor::{Constant, DType};

fn seed(node: NodeRef<'_>) -> Attributes {
    let seed = [node.int("seed", 0), node.int("seed2", 0)].into_iter().find(|&seed| seed != 0);
    seed.map(|seed| ("seed", Attribute::Float(seed as f32))).into_iter().collect()
}

/// Random float32 numbers of the shape that an input describes.
fn numbers(cx: &mut Lowering<'_>, node: NodeRef<'_>, shape: TensorRef, op: &'static str) -> Result<String> {
    let shape = cx.in_tensorflow_layout(shape)?;
    let shape = cx.cast(node, shape, DType::Int64);
    let zero = cx.scalar(node, "zero", DType::Float32, 0.0);
    let zeros = cx.step(node, "zeros", "Expand", vec![zero, shape], vec![]);
    let dtype = Attribute::Int(onnx_dtype(DType::Float32).unwrap_or(1).into());
    let attributes = [vec![("dtype", dtype)], seed(node)].concat();
    Ok(cx.step(node, "random", op, vec![zeros], attributes))
}

pub fn like(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let random = numbers(cx, node, cx.input_of(node, 0)?, operator(&node))?;
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit_cast(node, random, layout);
    Ok(())
}

/// From the lower bound up to the upper one, which is left out.
pub fn integers(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let random = numbers(cx, node, cx.input_of(node, 0)?, "RandomUniformLike")?;
    let mut bounds = vec![];
    for index in [1, 2] {
        let bound = cx.in_tensorflow_layout(cx.input_of(node, index)?)?;
        bounds.push(cx.cast(node, bound, DType::Float32));
    }
    let range = cx.step(node, "range", "Sub", vec![bounds[1].clone(), bounds[0].clone()], vec![]);
    let scaled = cx.step(node, "scaled", "Mul", vec![random, range], vec![]);
    let moved = cx.step(node, "moved", "Add", vec![scaled, bounds[0].clone()], vec![]);
    let floor = cx.step(node, "floor", "Floor", vec![moved], vec![]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit_cast(node, floor, layout);
    Ok(())
}

pub fn multinomial(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let name = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let count = match cx.integers(node, 1, "number of samples")?[..] {
        [count] => count,
        _ => return Err(node.error("its number of samples is not one number")),
    };
    let to = onnx_dtype(cx.dtype(node.into())).unwrap_or(7);
    let attributes =
        [vec![("sample_size", Attribute::Int(count)), ("dtype", Attribute::Int(to.into()))], seed(node)];
    cx.emit(node, "Multinomial", vec![name], Layout::tensorflow(2), attributes.concat());
    Ok(())
}

/// The rows in the order of random numbers.
pub fn shuffle(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let shape = cx.step(node, "shape", "Shape", vec![name.clone()], vec![]);
    let (start, end) = (cx.vector(node, "start", &[0]), cx.vector(node, "end", &[1]));
    let count = cx.step(node, "count", "Slice", vec![shape, start, end], vec![]);
    let zero = cx.scalar(node, "zero", DType::Float32, 0.0);
    let zeros = cx.step(node, "zeros", "Expand", vec![zero, count.clone()], vec![]);
    let random = cx.step(node, "random", "RandomUniformLike", vec![zeros], seed(node));
    let outputs = ("top_k", ["sorted", "order"]);
    let [_, order] = cx.step_with_outputs(node, outputs, "TopK", vec![random, count], vec![]);
    let layout = Layout::tensorflow_of(cx.shape(input));
    cx.emit(node, "Gather", vec![name, order], layout, vec![("axis", Attribute::Int(0))]);
    Ok(())
}

/// How many numbers are drawn for each one of a truncated distribution. With a probability below 1e-10, all of them are too large.
const TRIED: i64 = 8;

/// The first of several normal numbers that is not too large.
pub fn truncated_normal(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (shape, tried) = (steps.integers(0)?, steps.ints(&[TRIED]));
    let shape = steps.op_with("Concat", &[&tried, &shape], "axis", 0);
    let zero = steps.number(DType::Float32, 0.0);
    let zeros = steps.op("Expand", &[&zero, &shape]);
    let random = steps.cx.step(node, "random", "RandomNormalLike", vec![zeros], seed(node));
    let (size, bound) = (steps.op("Abs", &[&random]), steps.number(DType::Float32, 2.0));
    let is_taken = steps.op("Less", &[&size, &bound]);
    let is_taken = steps.cast(&is_taken, DType::Int32);
    let index = steps.op_with("ArgMax", &[&is_taken], "axis", 0);
    let chosen = steps.op_with("GatherElements", &[&random, &index], "axis", 0);
    let least = steps.number(DType::Float32, -2.0);
    let chosen = steps.op("Clip", &[&chosen, &least, &bound]);
    let first = steps.ints(&[0]);
    let chosen = steps.op("Squeeze", &[&chosen, &first]);
    steps.set_output(0, chosen, DType::Float32);
    Ok(())
}

/// The algorithm of stateless random numbers on processors: Philox.
pub fn algorithm(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    cx.set_constant(node.into(), Constant::scalar(DType::Int32, 1.0));
    Ok(())
}
