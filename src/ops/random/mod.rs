//! Random numbers.

pub mod lower;
pub mod shape;

use super::{Op, checks, op};
use crate::ops::infer::{declared_type, like_first_input};
use crate::tensor::DType;

/// ONNX Runtime registers no kernels for the versions of these operators in opset 22 (seen up to 1.32).
const KERNELS: &str = "ONNX Runtime has no kernel for it from opset 22 on";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Multinomial")
        .shape(shape::multinomial)
        .lower(lower::multinomial, &["Multinomial"])
        .note(KERNELS)
        .constants(&[("num_samples", "it is the attribute `sample_size` of ONNX's Multinomial")]),
    op("RandomShuffle")
        .shape(like_first_input)
        .lower(lower::shuffle, &["RandomUniformLike", "TopK", "Gather"])
        .note(KERNELS),
    op("RandomStandardNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(lower::like, &["RandomNormalLike"])
        .note(KERNELS),
    op("RandomUniform")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(lower::like, &["RandomUniformLike"])
        .note(KERNELS),
    op("RandomUniformInt")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "Tout", DType::Int32)))
        .check(checks::described_shape)
        .lower(lower::integers, &["RandomUniformLike", "Mul", "Floor"])
        .note(KERNELS),
    op("TruncatedNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .not_lowered("ONNX has no truncated normal distribution"),
];
