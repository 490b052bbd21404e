//! Which open axes of a model are its batch.
//!
//! Axes with the same name have the same length: ONNX Runtime plans its memory by that, and fails if they differ. TensorFlow
//! does not say which open axes have the same length, so an axis keeps the name only if the graph shows it.

use crate::graph::{Graph, TensorRef};
use crate::onnx::{Dim, Model, TensorInfo};
use crate::passes::batch::follow_batch;

/// Removes the name of the batch from all axes except that of the first input, and those of `outputs` that have its length.
/// If several inputs have a batch, no output keeps the name: there may be other numbers of images and boxes, say.
pub fn tell_batches_apart(model: &mut Model, graph: &Graph, outputs: &[TensorRef]) {
    let named: Vec<&str> =
        model.inputs.iter().filter(|info| is_named(info)).map(|info| &*info.name).collect();
    let input = match named[..] {
        [input] if model.outputs.iter().any(is_named) => graph.find_tensor(input),
        _ => None,
    };
    let follows = input.map_or(vec![false; outputs.len()], |input| follow_batch(graph, input, outputs));
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
