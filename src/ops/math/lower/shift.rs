//! Shifts of bits.
//!
//! Sources: `tf.bitwise` in TensorFlow's API documentation; Mul, Div and Mod in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::ops::math::lower::binary::pair;
use crate::tensor::{Constant, DType};

/// ONNX shifts unsigned integers only: a shift to the left multiplies by a power of two, one to the right divides by it
/// and rounds down. Shifts are held between 0 and the number of bits less one, as TensorFlow's kernels do.
///
/// Source: `left_shift_op` and `right_shift_op` in `tensorflow/core/kernels/cwise_ops.h`.
pub fn shift(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let dtype = cx.dtype(node.into());
    let last_bit = match dtype.size() {
        Some(size) if dtype != DType::UInt64 => size as i64 * 8 - 1,
        _ => return Err(node.error(format!("it shifts {dtype}, which int64 cannot hold"))),
    };
    let [a, b] = [a, b].map(|name| cx.cast(node, name, DType::Int64));
    let number = |cx: &mut Lowering<'_>, what: &str, value: i64| {
        cx.initializer(&format!("{}/{what}", node.name), Constant::from_i64(vec![], &[value]), &[])
    };
    let (zero, last) = (number(cx, "zero", 0), number(cx, "last_bit", last_bit));
    // Not by Max and Min, since ONNX Runtime takes large int64 for small ones there.
    let is_below = cx.step(node, "is_below", "Less", vec![b.clone(), zero.clone()], vec![]);
    let b = cx.step(node, "at_least", "Where", vec![is_below, zero.clone(), b], vec![]);
    let is_beyond = cx.step(node, "is_beyond", "Greater", vec![b.clone(), last.clone()], vec![]);
    let b = cx.step(node, "bits", "Where", vec![is_beyond, last.clone(), b], vec![]);
    let powers: Vec<i64> = (0..=last_bit).map(|bit| 1_i64.wrapping_shl(bit as u32)).collect();
    let powers = cx.vector(node, "powers", &powers);
    let power = cx.step(node, "power", "Gather", vec![powers, b.clone()], vec![]);
    let shifted = if node.op == "LeftShift" {
        cx.step(node, "product", "Mul", vec![a, power], vec![])
    } else {
        let rest = cx.step(node, "rest", "Mod", vec![a.clone(), power.clone()], vec![]);
        let even = cx.step(node, "even", "Sub", vec![a.clone(), rest], vec![]);
        let quotient = cx.step(node, "quotient", "Div", vec![even, power], vec![]);
        if last_bit < 63 {
            quotient
        } else {
            // 2 to the 63rd does not fit in int64; such a shift leaves the sign.
            let minus_one = number(cx, "minus_one", -1);
            let is_negative = cx.step(node, "is_negative", "Less", vec![a, zero.clone()], vec![]);
            let sign = cx.step(node, "sign", "Where", vec![is_negative, minus_one, zero], vec![]);
            let is_last = cx.step(node, "is_last", "Equal", vec![b, last], vec![]);
            cx.step(node, "shifted", "Where", vec![is_last, sign, quotient], vec![])
        }
    };
    cx.emit_cast(node, shifted, layout);
    Ok(())
}
