//! Random numbers.

pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::stateless::{Distribution, Seed, draw};
use super::{Op, checks, op};
use crate::graph::Shape;
use crate::ops::infer::{declared_type, like_first_input, one};
use crate::tensor::{DType, Tensor};

const NUMBERS: &str = "other numbers than TensorFlow's";

const ALGORITHM: &[(&str, &str)] = &[("alg", "each algorithm draws other numbers")];

const STATELESS: &[&str] = &["Loop", "BitwiseXor", "Mul", "Div", "Mod"];

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Multinomial")
        .shape(shape::multinomial)
        .lower(lower::multinomial, &["Multinomial", "RandomUniformLike", "Log", "Sub", "ArgMax"])
        .note(NUMBERS),
    op("RandomShuffle")
        .shape(like_first_input)
        .lower(lower::shuffle, &["RandomUniformLike", "TopK", "Gather"])
        .note(NUMBERS),
    op("RandomStandardNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(lower::like, &["RandomNormalLike"])
        .note(NUMBERS),
    op("RandomUniform")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(lower::like, &["RandomUniformLike"])
        .note(NUMBERS),
    op("RandomUniformInt")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "Tout", DType::Int32)))
        .check(checks::described_shape)
        .lower(lower::integers, &["RandomUniformLike", "Mul", "Floor"])
        .note(NUMBERS),
    op("SampleDistortedBoundingBox")
        .also(&["SampleDistortedBoundingBoxV2"])
        .shape(|inputs, _| shape::distorted_box(inputs))
        .lower(lower::distorted_box::distorted_box, &["RandomUniform", "Where", "ArgMax"])
        .note(NUMBERS),
    op("StatelessRandomGetAlg")
        .shape(|_, _| one(DType::Int32, Shape::scalar()))
        .lower(lower::algorithm, &[])
        .fold(|_, _| Some(vec![Tensor::Int32(ndarray::arr0(1).into_dyn())])),
    op("StatelessRandomGetKeyCounter")
        .shape(|_, _| Ok(shape::key_and_counter()))
        .lower(lower::philox::key_and_counter, STATELESS),
    op("StatelessRandomGetKeyCounterAlg")
        .shape(|_, _| Ok([shape::key_and_counter(), one(DType::Int32, Shape::scalar())?].concat()))
        .lower(lower::philox::key_and_counter, STATELESS),
    op("StatelessRandomNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Seed, Distribution::Normal), STATELESS)
        .eval(|node, inputs| eval::draw(node, inputs, Distribution::Normal)),
    op("StatelessRandomNormalV2")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Key, Distribution::Normal), STATELESS)
        .constants(ALGORITHM),
    op("StatelessRandomUniform")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Seed, Distribution::Uniform), STATELESS)
        .eval(|node, inputs| eval::draw(node, inputs, Distribution::Uniform)),
    op("StatelessRandomUniformFullInt")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::UInt64)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Seed, Distribution::AllIntegers), STATELESS)
        .eval(|node, inputs| eval::draw(node, inputs, Distribution::AllIntegers)),
    op("StatelessRandomUniformFullIntV2")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::UInt64)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Key, Distribution::AllIntegers), STATELESS)
        .constants(ALGORITHM),
    op("StatelessRandomUniformInt")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Int32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Seed, Distribution::Integers(2)), STATELESS)
        .eval(|node, inputs| eval::draw(node, inputs, Distribution::Integers(2))),
    op("StatelessRandomUniformIntV2")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Int32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Key, Distribution::Integers(4)), STATELESS)
        .constants(ALGORITHM),
    op("StatelessRandomUniformV2")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Key, Distribution::Uniform), STATELESS)
        .constants(ALGORITHM),
    op("StatelessTruncatedNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Seed, Distribution::TruncatedNormal), STATELESS)
        .eval(|node, inputs| eval::draw(node, inputs, Distribution::TruncatedNormal)),
    op("StatelessTruncatedNormalV2")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(|cx, node| draw(cx, node, Seed::Key, Distribution::TruncatedNormal), STATELESS)
        .constants(ALGORITHM),
    op("TruncatedNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(lower::truncated_normal, &["RandomNormalLike", "ArgMax", "GatherElements"])
        .note(NUMBERS),
];
