//! Ops of TensorFlow that change rows of a tensor where it is. The models compute a changed tensor, as for those that read their result.

pub mod lower;

use self::lower::{Change, change};
use super::{Op, by_parts};
use crate::ops::infer::like_first_input;

const ALIASED: &str = "ops that read the tensor itself find it unchanged";

/// The ops of this family.
pub const OPS: &[Op] = &[
    by_parts("InplaceAdd")
        .shape(like_first_input)
        .lower(|cx, node| change(cx, node, Change::Add), &["ScatterND"])
        .note(ALIASED),
    by_parts("InplaceSub")
        .shape(like_first_input)
        .lower(|cx, node| change(cx, node, Change::Subtract), &["Neg", "ScatterND"])
        .note(ALIASED),
    by_parts("InplaceUpdate")
        .shape(like_first_input)
        .lower(|cx, node| change(cx, node, Change::Replace), &["ScatterND"])
        .note(ALIASED),
];
