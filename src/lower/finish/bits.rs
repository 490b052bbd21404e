//! Operators on the bits of integers, by arithmetic.
//!
//! Source: BitwiseAnd, BitwiseOr, BitwiseXor and BitwiseNot in <https://onnx.ai/onnx/operators/>, which sets from 18 on have.

use super::writer::Writer;
use crate::error::Result;
use crate::tensor::DType;

/// The operands as int64, the bits that both have, and their type.
struct Operands {
    a: String,
    b: String,
    both: String,
    dtype: DType,
}

fn operands(w: &mut Writer<'_, '_, '_>) -> Result<Operands> {
    let (a, b) = (w.input(0), w.input(1));
    let dtype = w.dtype(&a)?;
    let (a, b) = (w.cast(&a, DType::Int64)?, w.cast(&b, DType::Int64)?);
    let count = dtype.size().unwrap_or(8) * 8;
    let (bits_a, bits_b) = (bits(w, &a, count)?, bits(w, &b, count)?);
    let product = w.op("Mul", &[&bits_a, &bits_b])?;
    let weights: Vec<i64> = (0..count).map(|bit| 1_i64.wrapping_shl(bit as u32)).collect();
    let weights = w.constant("weights", crate::tensor::Constant::from_i64(vec![count, 1], &weights));
    // The product with a column is the sum along the last axis. With a vector, ONNX Runtime does not compute that of no elements.
    let column = w.op("MatMul", &[&product, &weights])?;
    let behind = w.ints(&[-1]);
    let both = w.op("Squeeze", &[&column, &behind])?;
    Ok(Operands { a, b, both, dtype })
}

/// The lower bits of int64 numbers along a new last axis, as 0 and 1.
fn bits(w: &mut Writer<'_, '_, '_>, value: &String, count: usize) -> Result<String> {
    let behind = w.ints(&[-1]);
    let column = w.op("Unsqueeze", &[value, &behind])?;
    // 2 to the 63rd does not fit: the sign is divided twice.
    let powers: Vec<i64> = (0..count).map(|bit| 1 << bit.min(62)).collect();
    let powers = w.ints(&powers);
    let mut quotient = floor_div(w, &column, &powers)?;
    if count == 64 {
        let again = [vec![1; 63], vec![2]].concat();
        let again = w.constant("sign", crate::tensor::Constant::from_i64(vec![64], &again));
        quotient = floor_div(w, &quotient, &again)?;
    }
    let two = w.int(2);
    w.op("Mod", &[&quotient, &two])
}

/// The quotient, rounded down. Div rounds towards zero, and Mod has the sign of the divisor.
fn floor_div(w: &mut Writer<'_, '_, '_>, a: &String, b: &String) -> Result<String> {
    let rest = w.op("Mod", &[a, b])?;
    let even = w.op("Sub", &[a, &rest])?;
    w.op("Div", &[&even, b])
}

pub(super) fn and(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let Operands { both, dtype, .. } = operands(w)?;
    w.emit_cast(&both, dtype)
}

/// `a + b` counts the bits of both twice.
pub(super) fn or(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let Operands { a, b, both, dtype } = operands(w)?;
    let sum = w.op("Add", &[&a, &b])?;
    let either = w.op("Sub", &[&sum, &both])?;
    w.emit_cast(&either, dtype)
}

pub(super) fn xor(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let Operands { a, b, both, dtype } = operands(w)?;
    let sum = w.op("Add", &[&a, &b])?;
    let either = w.op("Sub", &[&sum, &both])?;
    let one = w.op("Sub", &[&either, &both])?;
    w.emit_cast(&one, dtype)
}

/// The opposite of all bits of a number is `-1 - number`.
pub(super) fn not(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let value = w.input(0);
    let dtype = w.dtype(&value)?;
    let (value, minus_one) = (w.cast(&value, DType::Int64)?, w.int(-1));
    let inverted = w.op("Sub", &[&minus_one, &value])?;
    w.emit_cast(&inverted, dtype)
}
