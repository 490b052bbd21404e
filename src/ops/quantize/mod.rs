//! Ops that imitate quantized numbers.

pub mod lower;

use self::lower::Bounds;
use super::{Op, Parameter, op};
use crate::ops::infer::like_first_input;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("FakeQuantWithMinMaxArgs").shape(like_first_input).lower(
        |cx, node| lower::fake_quant(cx, node, Bounds::Attributes),
        &["Min", "Max", "Sub", "Mul", "Add", "Floor"],
    ),
    op("FakeQuantWithMinMaxVars").shape(like_first_input).lower(
        |cx, node| lower::fake_quant(cx, node, Bounds::Scalars),
        &["Min", "Max", "Sub", "Div", "Add", "Floor", "Mul"],
    ),
    op("FakeQuantWithMinMaxVarsPerChannel").shape(like_first_input).lower(
        |cx, node| lower::fake_quant(cx, node, Bounds::PerChannel),
        &["Min", "Max", "Sub", "Div", "Add", "Floor", "Mul"],
    ),
    op("QuantizeAndDequantizeV2").also(&["QuantizeAndDequantizeV4"]).shape(like_first_input).lower(
        |cx, node| lower::quantize_and_dequantize(cx, node, Parameter::Attribute),
        &["Clip", "Mul", "Round", "Floor", "Div"],
    ),
    op("QuantizeAndDequantizeV3").shape(like_first_input).lower(
        |cx, node| lower::quantize_and_dequantize(cx, node, Parameter::Input(3)),
        &["Clip", "Mul", "Round", "Floor", "Div"],
    ),
];
