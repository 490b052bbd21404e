//! Ops that compute with shapes, axes and indices.

pub mod eval;
pub mod lower;
pub mod shape;

use super::{Op, by_parts, op};
use crate::ops::infer::like_first_input;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("BroadcastArgs")
        .shape(shape::broadcast_args)
        .lower(lower::broadcast_args, &["Concat", "Equal", "Where"])
        .fold(eval::broadcast_args),
    op("ConcatOffset")
        .shape(shape::like_shapes)
        .lower(lower::concat_offset, &["Range", "Equal", "Where", "Add"])
        .fold(eval::concat_offset),
    op("DataFormatDimMap").shape(like_first_input).lower(lower::data_format_dim_map, &["Mod", "Gather"]),
    op("DataFormatVecPermute")
        .shape(like_first_input)
        .lower(lower::data_format_vec_permute, &["Equal", "Where", "Gather"]),
    by_parts("ShapeN").shape(shape::shape_n).lower(lower::shape_n, &["Shape", "Cast"]).fold(eval::shape_n),
    op("UnravelIndex")
        .shape(shape::unravel_index)
        .lower(lower::unravel_index, &["ReduceProd", "Div", "Mod"])
        .eval(eval::unravel_index),
];
