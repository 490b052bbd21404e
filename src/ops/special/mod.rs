//! Special functions: the gamma function, Bessel functions, the error function, and their relatives.

pub mod lower;
pub mod shape;

use self::lower::bessel::Scale;
use self::lower::incomplete::Part;
use self::lower::integrals::Wave;
use super::{Op, op};
use crate::ops::complex::arithmetic::both;
use crate::ops::complex::functions;
use crate::ops::infer::like_first_input;
use crate::ops::math::shape::broadcast;

/// The operators of a function that has a table of polynomials.
const TABLE: &[&str] = &["Gather", "Pow", "Where", "MatMul"];
/// Why large numbers have other results.
const EXACT: &str = "of float32, TensorFlow loses digits where both inputs are in the thousands";
/// The operators of a function with a loop.
const LOOP: &[&str] = &["Loop", "Pow", "Where"];

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("BesselI0")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::i(cx, node, 0, Scale::None), TABLE),
    op("BesselI0e")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::i(cx, node, 0, Scale::Exponential), TABLE),
    op("BesselI1")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::i(cx, node, 1, Scale::None), TABLE),
    op("BesselI1e")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::i(cx, node, 1, Scale::Exponential), TABLE),
    op("BesselJ0").shape(like_first_input).lower(|cx, node| lower::bessel::j(cx, node, 0), TABLE),
    op("BesselJ1").shape(like_first_input).lower(|cx, node| lower::bessel::j(cx, node, 1), TABLE),
    op("BesselK0")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::k(cx, node, 0, Scale::None), TABLE),
    op("BesselK0e")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::k(cx, node, 0, Scale::Exponential), TABLE),
    op("BesselK1")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::k(cx, node, 1, Scale::None), TABLE),
    op("BesselK1e")
        .shape(like_first_input)
        .lower(|cx, node| lower::bessel::k(cx, node, 1, Scale::Exponential), TABLE),
    op("BesselY0").shape(like_first_input).lower(|cx, node| lower::bessel::y(cx, node, 0), TABLE),
    op("BesselY1").shape(like_first_input).lower(|cx, node| lower::bessel::y(cx, node, 1), TABLE),
    op("Betainc").shape(shape::betainc).lower(lower::incomplete::betainc, LOOP),
    op("Dawsn").shape(like_first_input).lower(lower::integrals::dawsn, TABLE),
    op("Digamma").shape(like_first_input).lower(lower::gamma::digamma, TABLE),
    op("Erfinv").shape(like_first_input).lower(lower::error::erfinv, TABLE),
    op("Expint").shape(like_first_input).lower(lower::integrals::expint, TABLE),
    op("FresnelCos")
        .shape(like_first_input)
        .lower(|cx, node| lower::integrals::fresnel(cx, node, Wave::Cosine), TABLE),
    op("FresnelSin")
        .shape(like_first_input)
        .lower(|cx, node| lower::integrals::fresnel(cx, node, Wave::Sine), TABLE),
    op("Igamma")
        .shape(broadcast)
        .lower(|cx, node| lower::incomplete::igamma(cx, node, Part::Lower), LOOP)
        .note(EXACT),
    op("Igammac")
        .shape(broadcast)
        .lower(|cx, node| lower::incomplete::igamma(cx, node, Part::Upper), LOOP)
        .note(EXACT),
    op("Lgamma").shape(like_first_input).lower(lower::gamma::lgamma, TABLE),
    op("Ndtri").shape(like_first_input).lower(lower::error::ndtri, TABLE),
    op("NextAfter").shape(broadcast).lower(lower::numbers::next_after, &["Add", "Mul", "Where"]),
    op("Polygamma").shape(broadcast).lower(lower::gamma::polygamma, LOOP),
    op("Spence").shape(like_first_input).lower(lower::integrals::spence, TABLE),
    op("Xlog1py")
        .complex(|cx, node| both(cx, node, &functions::xlog1py))
        .shape(broadcast)
        .lower(lower::numbers::xlog1py, &["Log", "Mul", "Where"]),
    op("Zeta").shape(broadcast).lower(lower::gamma::zeta, LOOP),
];
