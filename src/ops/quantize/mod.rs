//! Ops that imitate quantized numbers.

pub mod eval;
pub mod lower;
pub mod shape;
pub mod weights;

use self::lower::fake::{Bounds, fake_quant};
use self::lower::linear;
use self::lower::round_trip::quantize_and_dequantize;
use super::{Op, Parameter, op};
use crate::ops::infer::like_first_input;

/// Bounds that are known, and integers of up to 8 bits.
const QDQ: &[&str] =
    &["QuantizeLinear", "DequantizeLinear", "Min", "Max", "Sub", "Div", "Mul", "Add", "Floor", "Where"];

const ROUNDING: &str =
    "half way between two levels, TensorFlow chooses the greater one, and QuantizeLinear the even one";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Dequantize")
        .shape(shape::dequantize)
        .lower(linear::dequantize, &["Sub", "Mul", "Add", "Div"])
        .note("integers of 8 and 16 bits"),
    op("FakeQuantWithMinMaxArgs")
        .shape(like_first_input)
        .lower(|cx, node| fake_quant(cx, node, Bounds::Attributes), QDQ)
        .eval(|node, inputs| eval::fake_quant(node, inputs, eval::given_bounds(node), false))
        .note(ROUNDING),
    op("FakeQuantWithMinMaxVars")
        .shape(like_first_input)
        .lower(|cx, node| fake_quant(cx, node, Bounds::Scalars), QDQ)
        .eval(|node, inputs| eval::fake_quant(node, inputs, eval::fed_bounds(inputs)?, true))
        .note(ROUNDING),
    op("FakeQuantWithMinMaxVarsPerChannel")
        .shape(like_first_input)
        .lower(|cx, node| fake_quant(cx, node, Bounds::PerChannel), QDQ)
        .eval(|node, inputs| eval::fake_quant(node, inputs, eval::fed_bounds(inputs)?, false))
        .note(ROUNDING),
    op("QuantizeAndDequantizeV2").also(&["QuantizeAndDequantizeV4"]).shape(like_first_input).lower(
        |cx, node| quantize_and_dequantize(cx, node, Parameter::Attribute),
        &["Clip", "Mul", "Round", "Floor", "Div"],
    ),
    op("QuantizeAndDequantizeV3").shape(like_first_input).lower(
        |cx, node| quantize_and_dequantize(cx, node, Parameter::Input(3)),
        &["Clip", "Mul", "Round", "Floor", "Div"],
    ),
    op("QuantizeV2")
        .shape(shape::quantize)
        .lower(linear::quantize, &["Clip", "Mul", "Floor", "Round", "Cast"])
        .note("integers of 8 and 16 bits; TensorFlow's oneDNN kernels round some of them otherwise"),
];
