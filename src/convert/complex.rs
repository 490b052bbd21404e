//! Inputs and outputs of complex numbers, which ONNX has no operators for.

use super::{Note, NoteKind};
use crate::graph::{Graph, TensorRef};

/// Notes about complex inputs and outputs: the model has real tensors for them, with one more axis.
pub(super) fn notes_of_complex(graph: &Graph, inputs: &[TensorRef], outputs: &[TensorRef]) -> Vec<Note> {
    let complex =
        inputs.iter().chain(outputs).filter(|&&tensor| graph.tensor_type(tensor).dtype.is_complex());
    let note = |&tensor: &TensorRef| {
        let (name, dtype) = (graph.tensor_name(tensor), graph.tensor_type(tensor).dtype);
        let text = format!(
            "{name} is {dtype} in TensorFlow: in the model it is {} with a last axis of 2, for the real and the imaginary part",
            dtype.part()
        );
        Note::info(NoteKind::Dtype, text).about(name)
    };
    complex.map(note).collect()
}
