//! Ops that imitate quantized numbers.

pub mod lower;

use super::{Op, op};
use crate::ops::infer::like_first_input;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("FakeQuantWithMinMaxArgs")
        .shape(like_first_input)
        .lower(lower::fake_quant, &["Min", "Max", "Sub", "Mul", "Add", "Floor"]),
    op("FakeQuantWithMinMaxVars")
        .shape(like_first_input)
        .lower(lower::fake_quant, &["Min", "Max", "Sub", "Div", "Add", "Floor", "Mul"])
        .note("bounds have to be known before the model runs"),
    op("FakeQuantWithMinMaxVarsPerChannel")
        .shape(like_first_input)
        .lower(lower::fake_quant, &["Min", "Max", "Sub", "Div", "Add", "Floor", "Mul"]),
    op("QuantizeAndDequantizeV2")
        .shape(like_first_input)
        .lower(lower::quantize_and_dequantize, &["Clip", "Mul", "Round", "Floor", "Div"]),
    op("QuantizeAndDequantizeV3")
        .shape(like_first_input)
        .lower(lower::quantize_and_dequantize, &["Clip", "Mul", "Round", "Floor", "Div"]),
    op("QuantizeAndDequantizeV4")
        .shape(like_first_input)
        .lower(lower::quantize_and_dequantize, &["Clip", "Mul", "Round", "Floor", "Div"]),
];
