//! GatherND with batch axes, for the set that has it without.
//!
//! Source: `batch_dims` of GatherND in <https://onnx.ai/onnx/operators/onnx__GatherND.html>, since set 12.

use super::writer::Writer;
use crate::error::Result;
use crate::onnx::Attribute;

/// Each index gets the position in the batch in front.
pub(super) fn gather(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (data, indices) = (w.input(0), w.input(1));
    let (first, last, one) = (w.ints(&[0]), w.ints(&[-1]), w.ints(&[1]));
    let shape = w.op("Shape", &[&indices])?;
    let places = w.part(&shape, &first, &last)?;
    let column = w.op_with("Concat", &[&places, &one], vec![("axis", Attribute::Int(0))])?;
    let number = w.int(1);
    let ones = w.op("Expand", &[&number, &column])?;
    let mut parts = vec![];
    for axis in 0..w.attribute("batch_dims", 0) {
        let axis = w.int(axis);
        // How many ones are before each one along the axis is its position there.
        parts.push(w.op_with("CumSum", &[&ones, &axis], vec![("exclusive", Attribute::Int(1))])?);
    }
    parts.push(indices);
    let parts: Vec<&String> = parts.iter().collect();
    let indices = w.op_with("Concat", &parts, vec![("axis", Attribute::Int(-1))])?;
    w.emit("GatherND", &[&data, &indices], vec![])
}
