//! Which open axes of a model are its batch.
//!
//! Axes of one name have one length: ONNX Runtime plans its memory by that, and fails where they differ. TensorFlow says of
//! no open axis that it is as long as another, so the name is kept where the graph shows it.

use crate::graph::{Graph, TensorRef};
use crate::onnx::{Dim, Model, TensorInfo};
use crate::passes::batch::follow_batch;

/// Takes the name of the batch from all axes but that of the first input, and those of `outputs` that follow it where it is
/// the only input that has one: images and boxes, say, may be of different numbers, and so may be the boxes that are chosen.
pub fn tell_batches_apart(model: &mut Model, graph: &Graph, outputs: &[TensorRef]) {
    let named: Vec<&str> =
        model.inputs.iter().filter(|info| is_named(info)).map(|info| &*info.name).collect();
    let follows = match named[..] {
        [input] if model.outputs.iter().any(is_named) => follow_batch(graph, input, outputs),
        _ => vec![false; outputs.len()],
    };
    model.inputs.iter_mut().filter(|info| is_named(info)).skip(1).for_each(forget_name);
    let others = model.outputs.iter_mut().zip(follows).filter(|(_, follows)| !follows);
    others.for_each(|(info, _)| forget_name(info));
}

fn is_named(info: &TensorInfo) -> bool {
    info.shape.iter().flatten().any(|dim| matches!(dim, Dim::Named(_)))
}

fn forget_name(info: &mut TensorInfo) {
    for dim in info.shape.iter_mut().flatten().filter(|dim| matches!(dim, Dim::Named(_))) {
        *dim = Dim::Unknown;
    }
}
