//! The order of uint64, for operators that ONNX Runtime has kernels of int64 for, and no wider ones.

use super::writer::Writer;
use crate::error::Result;
use crate::tensor::{Constant, DType};

/// Half of the numbers of uint64 are beyond int64. Moved by that half, around the end, and read as int64, all of them keep their order.
pub(super) fn ordered(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let half = w.constant("half", Constant::scalar(DType::UInt64, 2_f64.powi(63)));
    let moved = w.op("Add", &[&w.input(0), &half])?;
    let mut node = w.node.clone();
    node.inputs[0] = w.cast(&moved, DType::Int64)?;
    if node.op != "TopK" {
        return w.finish.push(node);
    }
    let found = w.name("found");
    let values = std::mem::replace(&mut node.outputs[0], found.clone());
    w.finish.push(node)?;
    let moved = w.cast(&found, DType::UInt64)?;
    let back = w.unnamed("Add", &[&moved, &half], vec![values], vec![]);
    w.finish.push(back)
}
