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
    let mut steps = Steps { cx, node };
    let [least, end] = [steps.input_as(1, DType::Int64)?, steps.input_as(2, DType::Int64)?];
    let range = steps.op("Sub", &[&end, &least]);
    // In float64, no product is rounded up to the end of the range.
    let (random, range) = (steps.cast(&random, DType::Float64), steps.cast(&range, DType::Float64));
    let scaled = steps.op("Mul", &[&random, &range]);
    let floor = steps.op("Floor", &[&scaled]);
    let floor = steps.cast(&floor, DType::Int64);
    let moved = steps.op("Add", &[&floor, &least]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit_cast(node, moved, layout);
    Ok(())
}

/// ONNX Runtime has no kernel for the form that Multinomial has from this operator set on.
const WITHOUT_MULTINOMIAL: i64 = 22;

pub fn multinomial(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let count = match cx.known_integers(node, 1)?.as_deref() {
        Some(&[count]) if cx.opset() < WITHOUT_MULTINOMIAL => count,
        _ => return greatest_of_classes(cx, node),
    };
    let name = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let to = onnx_dtype(cx.dtype(node.into())).unwrap_or(7);
    let attributes =
        [vec![("sample_size", Attribute::Int(count)), ("dtype", Attribute::Int(to.into()))], seed(node)];
    cx.emit(node, "Multinomial", vec![name], Layout::tensorflow(2), attributes.concat());
    Ok(())
}

/// The class whose logit is the greatest after a number of Gumbel's distribution is added to each: each class is the greatest with
/// its probability.
fn greatest_of_classes(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (logits, count) = (steps.input_as(0, DType::Float32)?, steps.integers(1)?);
    let along = steps.ints(&[1]);
    let logits = steps.op("Unsqueeze", &[&logits, &along]);
    let one = steps.ints(&[-1]);
    let count = steps.op("Reshape", &[&count, &one]);
    let one = steps.ints(&[1]);
    let shape = steps.op_with("Concat", &[&one, &count, &one], "axis", 0);
    let spread = steps.op("Expand", &[&logits, &shape]);
    let random = steps.cx.step(node, "random", "RandomUniformLike", vec![spread], seed(node));
    let log = steps.op("Log", &[&random]);
    let minus_log = steps.op("Neg", &[&log]);
    let log = steps.op("Log", &[&minus_log]);
    let drawn = steps.op("Sub", &[&logits, &log]);
    let class = steps.cx.step(
        node,
        "class",
        "ArgMax",
        vec![drawn],
        vec![("axis", Attribute::Int(2)), ("keepdims", Attribute::Int(0))],
    );
    cx.emit_cast(node, class, Layout::tensorflow(2));
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
