//! Random numbers for operator sets whose generators ONNX Runtime has no kernel for.
//!
//! Set 22 gave RandomUniform, RandomUniformLike and RandomNormalLike another form, and ONNX Runtime has kernels for the older one
//! alone. It has one for Dropout, which in training chooses elements at random: its mask are random bits. Only the mask is read,
//! because ONNX Runtime removes a Dropout whose mask nothing reads, in training as well.
//!
//! Source: Dropout in <https://onnx.ai/onnx/operators/onnx__Dropout.html>.

use super::writer::Writer;
use crate::error::Result;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// The first operator set without kernels for the generators.
pub(super) const WITHOUT_GENERATORS: i64 = 22;

/// The bits of a number: as many as float32 has digits, so that the number is below 1.
const BITS: usize = 24;

pub(super) fn uniform(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let numbers = numbers(w, 1)?;
    let first = w.int(0);
    w.emit("Gather", &[&numbers, &first], last_axis())
}

/// Normal numbers from two uniform ones, by the method of Box and Muller.
pub(super) fn normal(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let numbers = numbers(w, 2)?;
    let (first, second) = (w.int(0), w.int(1));
    let radius = w.op_with("Gather", &[&numbers, &first], last_axis())?;
    let angle = w.op_with("Gather", &[&numbers, &second], last_axis())?;
    // The number is below 1, so that the logarithm of the rest is finite.
    let one = float(w, "one", 1.0);
    let rest = w.op("Sub", &[&one, &radius])?;
    let log = w.op("Log", &[&rest])?;
    let minus_two = float(w, "minus_two", -2.0);
    let square = w.op("Mul", &[&log, &minus_two])?;
    let radius = w.op("Sqrt", &[&square])?;
    let circle = float(w, "circle", std::f32::consts::TAU);
    let angle = w.op("Mul", &[&angle, &circle])?;
    let cosine = w.op("Cos", &[&angle])?;
    w.emit("Mul", &[&radius, &cosine], vec![])
}

fn last_axis() -> Vec<(&'static str, Attribute)> {
    vec![("axis", Attribute::Int(-1))]
}

fn float(w: &mut Writer<'_, '_, '_>, what: &str, value: f32) -> String {
    w.constant(what, Constant::from_f32(vec![], &[value]))
}

/// The shape of the numbers: that of the input, or the attribute of an operator without an input.
fn shape(w: &mut Writer<'_, '_, '_>) -> Result<String> {
    let given = w.node.attributes.iter().find_map(|(name, value)| match value {
        Attribute::Ints(lengths) if name == "shape" => Some(lengths.clone()),
        _ => None,
    });
    match given {
        Some(lengths) => Ok(w.ints(&lengths)),
        None => w.op("Shape", &[&w.input(0)]),
    }
}

/// Uniform float32 numbers from 0 up to 1, which is left out, `count` along a new last axis: the sums of random bits, each with its
/// weight. They come from one Dropout, because two with the same seed draw the same bits.
fn numbers(w: &mut Writer<'_, '_, '_>, count: usize) -> Result<String> {
    let shape = shape(w)?;
    let length = w.ints(&[(BITS * count) as i64]);
    let shape = w.op_with("Concat", &[&shape, &length], vec![("axis", Attribute::Int(0))])?;
    let one = float(w, "one", 1.0);
    let ones = w.op("Expand", &[&one, &shape])?;
    let half = float(w, "half", 0.5);
    let is_training = w.constant("true", Constant::scalar(DType::Bool, 1.0));
    let seed = w.node.attributes.iter().find_map(|(name, value)| match value {
        // The seed of Dropout is an integer.
        Attribute::Float(seed) if name == "seed" => Some(("seed", Attribute::Int(*seed as i64))),
        _ => None,
    });
    let (kept, mask) = (w.name("kept"), w.name("mask"));
    let inputs = [&ones, &half, &is_training];
    let dropout = w.unnamed("Dropout", &inputs, vec![kept, mask.clone()], seed.into_iter().collect());
    w.finish.push(dropout)?;
    let bits = w.cast(&mask, DType::Float32)?;
    let mut weights = vec![0.0; BITS * count * count];
    for bit in 0..BITS * count {
        weights[bit * count + bit / BITS] = 0.5_f32.powi((bit % BITS) as i32 + 1);
    }
    let weights = w.constant("weights", Constant::from_f32(vec![BITS * count, count], &weights));
    w.op("MatMul", &[&bits, &weights])
}
