//! Complex numbers. Where the rules of an op for them are more than those for real numbers twice, its row names a function of this folder.
//!
//! Sources: `tf.math` in TensorFlow's API documentation.

pub mod arithmetic;
pub mod functions;
pub mod parts;
pub mod products;
mod shape;

use super::array::lower::order::transpose;
use super::{Op, op};
use crate::ops::infer::like_first_input;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Angle").shape(shape::part).lower(parts::angle, &["Atan", "Div", "Where"]).complex(parts::angle),
    op("Complex")
        .shape(shape::complex)
        .lower(parts::complex, &["Unsqueeze", "Concat"])
        .complex(parts::complex),
    op("ComplexAbs")
        .shape(shape::part)
        .lower(parts::absolute, &["ReduceL2"])
        .complex(parts::absolute)
        .note("NaN where one part is infinite and the other NaN"),
    op("Conj").shape(like_first_input).lower(parts::conjugate, &["Neg"]).complex(parts::conjugate),
    op("ConjugateTranspose")
        .shape(crate::ops::array::shape::order::transpose)
        .lower(transpose, &["Transpose", "Neg"])
        .complex(|cx, node| parts::conjugate_transpose(cx, node, transpose)),
    op("Imag")
        .shape(shape::part)
        .lower(|cx, node| parts::part(cx, node, 1), &["Gather"])
        .complex(|cx, node| parts::part(cx, node, 1)),
    op("Real")
        .shape(shape::part)
        .lower(|cx, node| parts::part(cx, node, 0), &["Gather"])
        .complex(|cx, node| parts::part(cx, node, 0)),
];
