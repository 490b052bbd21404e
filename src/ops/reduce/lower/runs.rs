//! Sums and means along axes with kept ones between them.
//!
//! ONNX Runtime adds up one element after the other there, which is slow and loses digits: a group norm over `[batch, height, width,
//! groups, channels]` by its axes 1, 2 and 4 was off by 3e-6. Along adjacent axes it adds up blocks
//! (`FastReduceKind` in `onnxruntime/core/providers/cpu/reduction/reduction_ops.h`).

use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;

/// Reduces along all adjacent axes but the first ones. Returns the result and these axes. The axes are sorted; the last ones are reduced
/// first, so that the others keep their numbers even if `keep` is false.
pub fn reduce_all_but_first(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    op: &'static str,
    mut value: String,
    axes: Vec<i64>,
    (rank, keep): (usize, bool),
) -> (String, Vec<i64>) {
    let runs: Vec<&[i64]> = axes.chunk_by(|a, b| b - a == 1).collect();
    // The first axes and the last ones, which ONNX Runtime reduces at once.
    let is_around = runs.len() == 2 && axes.first() == Some(&0) && axes.last() == Some(&(rank as i64 - 1));
    let Some((first, others)) = runs.split_first().filter(|_| !is_around) else { return (value, axes) };
    for run in others.iter().rev() {
        let run = cx.vector(node, "axes", run);
        value =
            cx.step(node, "partly", op, vec![value, run], vec![("keepdims", Attribute::Int(keep.into()))]);
    }
    (value, first.to_vec())
}
