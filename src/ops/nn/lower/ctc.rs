//! Connectionist temporal classification: from the classes of moments to sequences.
//!
//! Sources: `CTCGreedyDecoder` in TensorFlow's API documentation and `tensorflow/core/kernels/ctc_decoder_ops.cc`; ArgMax,
//! of equal elements the first one, in <https://onnx.ai/onnx/operators/onnx__ArgMax.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::sparse::lower::sets::repeated;
use crate::ops::sparse::lower::sparse::emit_kept;
use crate::tensor::DType;

/// The most likely class of each time step, without blanks and, if requested, without repetitions. Steps after the end of
/// a sequence are ignored.
pub fn greedy_decoder(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (logits, lengths) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    if cx.shape(logits).rank().is_some_and(|rank| rank != 3) {
        return Err(node.error("its input does not have three axes: time, batch and classes"));
    }
    let dtype = cx.dtype(logits);
    let classes = cx.shape(logits).dim(2).map(|classes| classes as i64);
    // Graphs from before TensorFlow 2.6 do not have the attribute: the blank is the last class.
    let blank = node.int("blank_index", -1);
    if classes.is_some_and(|classes| !(-classes..classes).contains(&blank)) {
        return Err(node.error(format!("it has no class {blank}, which is to be the blank")));
    }
    let by_batch = cx.in_layout(logits, &Layout::of_axes(vec![1, 0, 2])?)?;
    let lengths = cx.in_tensorflow_layout(lengths)?;
    let mut steps = Steps { cx, node };
    let blank = match classes {
        _ if blank >= 0 => steps.int(blank),
        Some(classes) => steps.int(classes + blank),
        None => {
            let (classes, blank) = (steps.length(&by_batch, 2), steps.int(blank));
            steps.op("Add", &[&classes, &blank])
        }
    };
    let attributes = vec![("axis", Attribute::Int(2)), ("keepdims", Attribute::Int(0))];
    let best = steps.cx.step(node, "best", "ArgMax", vec![by_batch.clone()], attributes);
    let largest = steps.reduce("ReduceMax", &by_batch, &[2], false);

    let time = steps.length(&best, 1);
    let moments = steps.positions(&time);
    let behind = steps.ints(&[1]);
    let lengths = steps.cast(&lengths, DType::Int64);
    let lengths = steps.op("Unsqueeze", &[&lengths, &behind]);
    let counts = steps.op("Less", &[&moments, &lengths]);

    let is_blank = steps.op("Equal", &[&best, &blank]);
    let is_class = steps.op("Not", &[&is_blank]);
    let mut kept = steps.op("And", &[&counts, &is_class]);
    if node.bool("merge_repeated", false) {
        let is_repeated = repeated(&mut steps, &best);
        let is_new = steps.op("Not", &[&is_repeated]);
        kept = steps.op("And", &[&kept, &is_new]);
    }
    emit_kept(&mut steps, &kept, &best, Some(2), [0, 1, 2]);

    let (losses, none) = (steps.op("Neg", &[&largest]), steps.number(dtype, 0.0));
    let losses = steps.op("Where", &[&counts, &losses, &none]);
    let (inputs, attributes) = cx.reduction(node, losses, &[1], true);
    let tensor = node.output(3);
    cx.emit(tensor, "ReduceSum", inputs, Layout::tensorflow(2), attributes);
    Ok(())
}
