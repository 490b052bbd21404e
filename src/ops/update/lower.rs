//! Rows that are replaced or changed.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/array_ops.cc`, and `tensorflow/core/kernels/inplace_ops.cc` for indices
//! outside of the tensor; ScatterND in <https://onnx.ai/onnx/operators/onnx__ScatterND.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Add,
    Subtract,
    Replace,
}

/// Changes the rows at indices, which count around from either end.
pub fn change(cx: &mut Lowering<'_>, node: NodeRef<'_>, change: Change) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (data, indices) = (steps.input(0)?, steps.integers(1)?);
    let mut rows = steps.input(2)?;
    let count = steps.length(&data, 0);
    let one = steps.ints(&[1]);
    // ONNX Runtime divides by the length of a tensor without rows.
    let count = steps.op("Max", &[&count, &one]);
    let indices = steps.op("Mod", &[&indices, &count]);
    let indices = steps.op("Unsqueeze", &[&indices, &one]);
    if change == Change::Subtract {
        // The least integer is its own negative.
        rows = steps.op("Neg", &[&rows]);
    }
    let mut attributes = vec![];
    if change != Change::Replace {
        attributes.push(("reduction", Attribute::Text("add".to_owned())));
    }
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![data, indices, rows], layout, attributes);
    Ok(())
}
