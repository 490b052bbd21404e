//! Random numbers.

pub mod lower;
pub mod shape;

use super::{Op, checks, op};
use crate::ops::infer::like_first_input;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Multinomial").shape(shape::multinomial).lower(lower::multinomial, &["Multinomial"]),
    op("RandomShuffle")
        .shape(like_first_input)
        .lower(lower::shuffle, &["RandomUniformLike", "TopK", "Gather"]),
    op("RandomStandardNormal")
        .shape(shape::random)
        .check(checks::described_shape)
        .lower(lower::like, &["RandomNormalLike"]),
    op("RandomUniform")
        .shape(shape::random)
        .check(checks::described_shape)
        .lower(lower::like, &["RandomUniformLike"]),
    op("RandomUniformInt")
        .shape(shape::random)
        .check(checks::described_shape)
        .lower(lower::integers, &["RandomUniformLike", "Mul", "Floor"]),
    op("TruncatedNormal")
        .shape(shape::random)
        .check(checks::described_shape)
        .not_lowered("ONNX has no truncated normal distribution"),
];
