//! The distributions of stateless random numbers. Each group of four random words becomes four or two numbers, in a row.
//!
//! Sources: `tf.random.stateless_uniform`, `stateless_normal` and `stateless_truncated_normal` in TensorFlow's API documentation, and
//! `tensorflow/core/lib/random/random_distributions.h`.

use std::f64::consts::PI;

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::tensor::DType;

use super::philox::{Generator, joined};

/// What stateless random numbers are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// From 0 up to 1, which is left out.
    Uniform,
    Normal,
    /// Normal, without numbers of 2 and above.
    TruncatedNormal,
    /// All integers of the type.
    AllIntegers,
    /// Integers from one input up to another, which is left out. This is the first of the two.
    Integers(usize),
}

/// Where the seed of an op is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// A seed of two numbers.
    Seed,
    /// A key, a counter and an algorithm.
    Key,
}

/// Numbers for which words are reserved, for each number of a distribution that may reject some.
const RESERVED: i64 = 256;
/// Groups of words that are tried for a group of truncated numbers. Of their 24 numbers, all but three are rejected with a probability
/// below 1e-24.
const TRIED: i64 = 6;

pub fn draw(cx: &mut Lowering<'_>, node: NodeRef<'_>, seed: Seed, distribution: Distribution) -> Result<()> {
    if seed == Seed::Key {
        // 1 is Philox. With 3, TensorFlow chooses, on processors Philox.
        match cx.integers(node, 3, "algorithm")?[..] {
            [1 | 3] => {}
            _ => return Err(node.error("its algorithm is not Philox").unsupported()),
        }
    }
    let dtype = cx.dtype(node.into());
    let is_wide = matches!(dtype, DType::Float64 | DType::Int64 | DType::UInt64);
    let each = if is_wide { 2 } else { 4 };
    let mut steps = Steps { cx, node };
    let generator = match seed {
        Seed::Seed => Generator::of_seed(&mut steps, 1)?,
        Seed::Key => Generator::of_key(&mut steps, 1)?,
    };
    let shape = steps.integers(0)?;
    let count = steps.reduce("ReduceProd", &shape, &[0], false);
    let (more, divisor) = (steps.int(each - 1), steps.int(each));
    let groups = steps.op("Add", &[&count, &more]);
    let groups = steps.op("Div", &[&groups, &divisor]);
    let groups = steps.numbers_below(&groups);
    let (numbers, computed) = match distribution {
        Distribution::TruncatedNormal => (truncated(&mut steps, &generator, &groups, dtype)?, float(dtype)),
        _ => {
            let words = generator.groups(&mut steps, &groups)?;
            numbers(&mut steps, &words, dtype, distribution)?
        }
    };
    let (first, flat) = (steps.ints(&[0]), steps.ints(&[-1]));
    let numbers = steps.op("Reshape", &[&numbers, &flat]);
    let count = steps.op("Reshape", &[&count, &flat]);
    let numbers = steps.op("Slice", &[&numbers, &first, &count]);
    let result = steps.cx.reshaped(node, "numbers", numbers, shape);
    steps.set_output(0, result, computed);
    Ok(())
}

/// The type in which real numbers are computed.
fn float(dtype: DType) -> DType {
    if dtype == DType::Float64 { DType::Float64 } else { DType::Float32 }
}

/// The numbers of groups of words `[groups, 4]`, and their type.
fn numbers(
    steps: &mut Steps<'_, '_, '_>,
    words: &String,
    dtype: DType,
    distribution: Distribution,
) -> Result<(String, DType)> {
    let is_wide = matches!(dtype, DType::Int64 | DType::UInt64);
    Ok(match distribution {
        Distribution::Uniform => (fractions(steps, words, dtype), float(dtype)),
        Distribution::Normal | Distribution::TruncatedNormal => (normal(steps, words, dtype), float(dtype)),
        Distribution::AllIntegers if is_wide => (pairs(steps, words), DType::Int64),
        Distribution::AllIntegers => (words.clone(), DType::Int64),
        Distribution::Integers(first) => {
            let bounds = [first, first + 1].map(|index| steps.input_as(index, DType::Int64));
            let [least, end] = bounds;
            let (least, end) = (least?, end?);
            let range = steps.op("Sub", &[&end, &least]);
            let offset = if is_wide {
                // Divided as numbers without a sign.
                let (number, range) = (pairs(steps, words), steps.cast(&range, DType::UInt64));
                let number = steps.cast(&number, DType::UInt64);
                let rest = steps.op("Mod", &[&number, &range]);
                steps.cast(&rest, DType::Int64)
            } else {
                steps.op("Mod", &[words, &range])
            };
            (steps.op("Add", &[&least, &offset]), DType::Int64)
        }
    })
}

/// Pairs of words as int64.
fn pairs(steps: &mut Steps<'_, '_, '_>, words: &String) -> String {
    let [low, high] = halves(steps, words);
    joined(steps, &low, &high)
}

/// The first and the second of each pair of numbers.
fn halves(steps: &mut Steps<'_, '_, '_>, numbers: &String) -> [String; 2] {
    [[0, 2], [1, 3]].map(|columns| {
        let columns = steps.ints(&columns);
        steps.op_with("Gather", &[numbers, &columns], "axis", 1)
    })
}

/// Fractions from 0 up to 1: the low bits of words as the digits of a fraction.
fn fractions(steps: &mut Steps<'_, '_, '_>, words: &String, dtype: DType) -> String {
    let (digits, bits) = match dtype {
        DType::Float64 => {
            let [first, second] = halves(steps, words);
            let (high, word) = (steps.int(1 << 20), steps.int(1 << 32));
            let high = steps.op("Mod", &[&first, &high]);
            let high = steps.op("Mul", &[&high, &word]);
            (steps.op("Add", &[&high, &second]), 52)
        }
        _ => {
            let bits = match dtype {
                DType::Float16 => 10,
                DType::BFloat16 => 7,
                _ => 23,
            };
            let range = steps.int(1 << bits);
            (steps.op("Mod", &[words, &range]), bits)
        }
    };
    let computed = float(dtype);
    let digits = steps.cast(&digits, computed);
    let unit = steps.number(computed, 2f64.powi(-bits));
    steps.op("Mul", &[&digits, &unit])
}

/// Normal numbers by the Box-Muller transform: two of each two fractions.
fn normal(steps: &mut Steps<'_, '_, '_>, words: &String, dtype: DType) -> String {
    let computed = float(dtype);
    let fractions = fractions(steps, words, computed);
    let [first, second] = match computed {
        DType::Float64 => [0, 1].map(|column| steps.part(&fractions, 1, column, column + 1)),
        _ => halves(steps, &fractions),
    };
    let least = steps.number(computed, 1.0e-7);
    let first = steps.op("Max", &[&first, &least]);
    let logarithm = steps.op("Log", &[&first]);
    let factor = steps.number(computed, -2.0);
    let square = steps.op("Mul", &[&factor, &logarithm]);
    let radius = steps.op("Sqrt", &[&square]);
    // The angle is a product of float64 in TensorFlow, rounded once.
    let turn = steps.number(DType::Float64, 2.0 * PI);
    let angle = match computed {
        DType::Float64 => steps.op("Mul", &[&second, &turn]),
        _ => {
            let second = steps.cast(&second, DType::Float64);
            let angle = steps.op("Mul", &[&second, &turn]);
            steps.cast(&angle, computed)
        }
    };
    let sine = steps.op("Sin", &[&angle]);
    let cosine = match computed {
        // ONNX Runtime has no Cos of float64.
        DType::Float64 => {
            let quarter = steps.number(computed, PI / 2.0);
            let angle = steps.op("Add", &[&angle, &quarter]);
            steps.op("Sin", &[&angle])
        }
        _ => steps.op("Cos", &[&angle]),
    };
    let behind = steps.ints(&[2]);
    let [sine, cosine] = [sine, cosine].map(|wave| {
        let number = steps.op("Mul", &[&wave, &radius]);
        steps.op("Unsqueeze", &[&number, &behind])
    });
    let both = steps.op_with("Concat", &[&sine, &cosine], "axis", 2);
    let shape = steps.ints(&[0, if computed == DType::Float64 { 2 } else { 4 }]);
    steps.op("Reshape", &[&both, &shape])
}

/// Of more normal numbers than are needed, those that are not too large, in their order.
fn truncated(
    steps: &mut Steps<'_, '_, '_>,
    generator: &Generator,
    groups: &String,
    dtype: DType,
) -> Result<String> {
    let computed = float(dtype);
    let each = if computed == DType::Float64 { 2 } else { 4 };
    let column = steps.ints(&[1]);
    let distance = steps.int(each * RESERVED / 4);
    let first = steps.op("Mul", &[groups, &distance]);
    let first = steps.op("Unsqueeze", &[&first, &column]);
    let tried: Vec<i64> = (0..TRIED).collect();
    let tried = steps.ints(&tried);
    let offsets = steps.op("Add", &[&first, &tried]);
    let flat = steps.ints(&[-1]);
    let offsets = steps.op("Reshape", &[&offsets, &flat]);
    let words = generator.groups(steps, &offsets)?;
    let numbers = normal(steps, &words, computed);
    let rows = steps.ints(&[-1, 1, each * TRIED]);
    let numbers = steps.op("Reshape", &[&numbers, &rows]);
    let (size, bound) = (steps.op("Abs", &[&numbers]), steps.number(computed, 2.0));
    let is_taken = steps.op("Less", &[&size, &bound]);
    let taken = steps.cast(&is_taken, DType::Int32);
    let axis = steps.int(2);
    let place = steps.op("CumSum", &[&taken, &axis]);
    let wanted: Vec<i64> = (1..=each).collect();
    let (wanted, spread) = (steps.ints(&wanted), steps.ints(&[0, 2]));
    let wanted = steps.cast(&wanted, DType::Int32);
    let wanted = steps.op("Unsqueeze", &[&wanted, &spread]);
    let is_place = steps.op("Equal", &[&place, &wanted]);
    let is_chosen = steps.op("And", &[&is_place, &is_taken]);
    let zero = steps.number(computed, 0.0);
    let chosen = steps.op("Where", &[&is_chosen, &numbers, &zero]);
    Ok(steps.reduce("ReduceSum", &chosen, &[2], false))
}
