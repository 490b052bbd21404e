//! Shifts of bits.
//!
//! Sources: `tf.bitwise` in TensorFlow's API documentation; Mul, Div and Mod in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::ops::math::lower::binary::pair;
use crate::tensor::{Constant, DType};

/// ONNX shifts unsigned integers only. A shift to the left multiplies by a power of two.
///
/// Source: `left_shift_op` in `tensorflow/core/kernels/cwise_ops.h`.
pub fn left(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let Operands { value, power, layout, .. } = operands(cx, node)?;
    let shifted = cx.step(node, "product", "Mul", vec![value, power], vec![]);
    cx.emit_cast(node, shifted, layout);
    Ok(())
}

/// A shift to the right divides by a power of two, and rounds down.
///
/// Source: `right_shift_op` in `tensorflow/core/kernels/cwise_ops.h`.
pub fn right(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let Operands { value, power, bits, zero, last, last_bit, layout } = operands(cx, node)?;
    let rest = cx.step(node, "rest", "Mod", vec![value.clone(), power.clone()], vec![]);
    let even = cx.step(node, "even", "Sub", vec![value.clone(), rest], vec![]);
    let mut shifted = cx.step(node, "quotient", "Div", vec![even, power], vec![]);
    if last_bit == 63 {
        // 2 to the 63rd does not fit in int64; such a shift leaves the sign.
        let minus_one = number(cx, node, "minus_one", -1);
        let is_negative = cx.step(node, "is_negative", "Less", vec![value, zero.clone()], vec![]);
        let sign = cx.step(node, "sign", "Where", vec![is_negative, minus_one, zero], vec![]);
        let is_last = cx.step(node, "is_last", "Equal", vec![bits, last], vec![]);
        shifted = cx.step(node, "shifted", "Where", vec![is_last, sign, shifted], vec![]);
    }
    cx.emit_cast(node, shifted, layout);
    Ok(())
}

/// The operands of a shift, as int64.
struct Operands {
    value: String,
    /// Two to the power of `bits`.
    power: String,
    /// How far the value is shifted.
    bits: String,
    /// The constant 0.
    zero: String,
    /// The constant `last_bit`.
    last: String,
    /// The number of bits of the type less one.
    last_bit: i64,
    layout: Layout,
}

/// A scalar constant.
fn number(cx: &mut Lowering<'_>, node: NodeRef<'_>, what: &str, value: i64) -> String {
    cx.initializer(&format!("{}/{what}", node.name), Constant::from_i64(vec![], &[value]), &[])
}

/// Shifts are held between 0 and the number of bits less one, as in TensorFlow's kernels.
fn operands(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<Operands> {
    let (a, b, layout) = pair(cx, node)?;
    let dtype = cx.dtype(node.into());
    let last_bit = match dtype.size() {
        Some(size) if dtype != DType::UInt64 => size as i64 * 8 - 1,
        _ => return Err(node.error(format!("it shifts {dtype}, which int64 cannot hold"))),
    };
    let [value, bits] = [a, b].map(|name| cx.cast(node, name, DType::Int64));
    let (zero, last) = (number(cx, node, "zero", 0), number(cx, node, "last_bit", last_bit));
    // Max and Min are not used, since ONNX Runtime treats large int64 as small ones there.
    let is_below = cx.step(node, "is_below", "Less", vec![bits.clone(), zero.clone()], vec![]);
    let bits = cx.step(node, "at_least", "Where", vec![is_below, zero.clone(), bits], vec![]);
    let is_beyond = cx.step(node, "is_beyond", "Greater", vec![bits.clone(), last.clone()], vec![]);
    let bits = cx.step(node, "bits", "Where", vec![is_beyond, last.clone(), bits], vec![]);
    let powers: Vec<i64> = (0..=last_bit).map(|bit| 1_i64.wrapping_shl(bit as u32)).collect();
    let powers = cx.vector(node, "powers", &powers);
    let power = cx.step(node, "power", "Gather", vec![powers, bits.clone()], vec![]);
    Ok(Operands { value, power, bits, zero, last, last_bit, layout })
}
