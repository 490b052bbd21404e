//! The ops that wrap operations of XLA, as JAX and Hugging Face's generation of texts write them.
//!
//! Sources: `tensorflow/compiler/tf2xla/ops/xla_ops.cc`, `tensorflow/compiler/tf2xla/python/xla.py`, and
//! <https://openxla.org/xla/operation_semantics>.

pub mod dimensions;
pub mod lower;
pub mod shape;

use super::array::lower::basic::{identities, identity};
use super::{Op, by_parts, op};
use crate::ops::infer::like_first_input;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("XlaDot").also(&["XlaDotV2"]).shape(shape::dot).lower(lower::product::dot, &["Einsum", "Cast"]),
    by_parts("XlaDynamicSlice")
        .shape(shape::dynamic_slice)
        .lower(lower::slice::dynamic_slice, &["Slice", "Min", "Max"])
        .float16(),
    by_parts("XlaDynamicUpdateSlice")
        .shape(shape::dynamic_update_slice)
        .lower(lower::slice::dynamic_update_slice, &["Concat", "Slice", "Min", "Max"])
        .float16(),
    op("XlaEinsum")
        .shape(super::matrix::shape::einsum)
        .lower(super::matrix::lower::product::einsum, &["Einsum"]),
    by_parts("XlaOptimizationBarrier").shape(shape::like_inputs).lower(identities, &[]),
    by_parts("XlaSharding").shape(like_first_input).lower(identity, &[]),
];
