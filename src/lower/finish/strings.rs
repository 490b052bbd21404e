//! Whether strings are equal, for sets in which Equal has no strings.

use super::writer::Writer;
use crate::error::Result;
use crate::onnx::Attribute;

/// Strings are equal that are the same one of the distinct strings.
///
/// Source: Unique in <https://onnx.ai/onnx/operators/onnx__Unique.html>, whose third output says for each element which of the distinct
/// ones it is.
pub(super) fn equal(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (a, b) = (w.input(0), w.input(1));
    let flat = w.ints(&[-1]);
    let (flat_a, flat_b) = (w.op("Reshape", &[&a, &flat])?, w.op("Reshape", &[&b, &flat])?);
    let all = w.op_with("Concat", &[&flat_a, &flat_b], vec![("axis", Attribute::Int(0))])?;
    let outputs: Vec<String> = ["distinct", "first", "which"].map(|what| w.name(what)).into();
    let unique = w.unnamed("Unique", &[&all], outputs.clone(), vec![("sorted", Attribute::Int(0))]);
    w.finish.push(unique)?;
    let count = w.op("Shape", &[&flat_a])?;
    let (first, last) = (w.ints(&[0]), w.ints(&[i64::MAX]));
    let (which_a, which_b) = (w.part(&outputs[2], &first, &count)?, w.part(&outputs[2], &count, &last)?);
    let (shape_a, shape_b) = (w.op("Shape", &[&a])?, w.op("Shape", &[&b])?);
    let (which_a, which_b) = (w.reshape(&which_a, &shape_a)?, w.reshape(&which_b, &shape_b)?);
    w.emit("Equal", &[&which_a, &which_b], vec![])
}
