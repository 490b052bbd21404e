//! Random numbers.

pub mod lower;
pub mod shape;

use super::{Op, checks, op};
use crate::ops::infer::{declared_type, like_first_input};
use crate::tensor::DType;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Multinomial").shape(shape::multinomial).lower(lower::multinomial, &["Multinomial"]),
    op("RandomShuffle")
        .shape(like_first_input)
        .lower(lower::shuffle, &["RandomUniformLike", "TopK", "Gather"]),
    op("RandomStandardNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(lower::like, &["RandomNormalLike"]),
    op("RandomUniform")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .lower(lower::like, &["RandomUniformLike"]),
    op("RandomUniformInt")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "Tout", DType::Int32)))
        .check(checks::described_shape)
        .lower(lower::integers, &["RandomUniformLike", "Mul", "Floor"]),
    op("TruncatedNormal")
        .shape(|inputs, node| shape::random(inputs, declared_type(node, "dtype", DType::Float32)))
        .check(checks::described_shape)
        .not_lowered("ONNX has no truncated normal distribution"),
];
