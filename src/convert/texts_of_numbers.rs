//! Real numbers as text, which have other digits in the model than in TensorFlow where the runtime chooses them.

use super::{Note, NoteKind};
use crate::graph::{Graph, Node};
use crate::ops::{JOINS_TEXTS, has_digits_of_runtime};
use crate::setting::Setting;

/// Warnings about the nodes that write such texts.
pub(super) fn notes_of_texts(graph: &Graph, opset: i64) -> Vec<Note> {
    let has_other_digits = graph.nodes().filter(|(_, node)| {
        let dtype = node.inputs.first().map(|&input| graph.tensor_type(input).dtype);
        node.op == "AsString" && dtype.is_some_and(|dtype| has_digits_of_runtime(node, dtype, opset))
    });
    let warning = |(_, node): (_, &Node)| {
        let name = &node.name;
        let remedy = match node.bool("shortest", false) {
            true => String::new(),
            false => format!("; choose {} or later for those of TensorFlow", Setting::Opset.to(JOINS_TEXTS)),
        };
        let text = format!("{name} writes real numbers with the digits that the runtime chooses{remedy}");
        Note::warning(NoteKind::Dtype, text).about(name)
    };
    has_other_digits.map(warning).collect()
}
