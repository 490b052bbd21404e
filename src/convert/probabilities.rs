//! Whether the model outputs probabilities beside its logits.

use super::{BoundGraph, Note, NoteKind};
use crate::error::{Error, Result};
use crate::graph::{Attrs, Graph, Node, TensorRef};
use crate::setting::Setting;
use crate::tensor::DType;

/// Whether a model outputs the probabilities of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Probabilities {
    /// If the network or the graph computes them.
    #[default]
    AsBuilt,
    /// Always: a softmax is added if there are only logits.
    Added,
    /// Never: the logits replace them.
    LeftOut,
}

/// Adds the probabilities to the model's outputs, or leaves them out. `are_named` says that the options name the outputs.
/// Returns a note if there was nothing to do, or the logits had to be guessed.
///
/// # Errors
/// If it is not clear which output the logits are, or an option names probabilities that another leaves out.
pub(super) fn settle(bound: &mut BoundGraph, choice: Probabilities, are_named: bool) -> Result<Option<Note>> {
    match choice {
        Probabilities::AsBuilt => Ok(None),
        Probabilities::Added => add(bound),
        Probabilities::LeftOut => leave_out(bound, are_named),
    }
}

fn add(bound: &mut BoundGraph) -> Result<Option<Note>> {
    let (graph, outputs) = (&mut bound.graph, &mut bound.tensors.outputs);
    let are_probabilities = |&&tensor: &&TensorRef| {
        logits_of(graph, tensor).is_some() || graph.node(past_reshapes(graph, tensor).node).op == "Sigmoid"
    };
    if let Some(&present) = outputs.iter().find(are_probabilities) {
        let name = graph.tensor_name(present);
        let text = format!("{} adds nothing, since {name} has probabilities already", Setting::Softmax);
        return Ok(Some(Note::info(NoteKind::Classes, text).about(name)));
    }
    let can_be_logits = |tensor: &TensorRef| match bound.logits {
        Some(logits) => *tensor == logits,
        None => {
            let known = graph.tensor_type(*tensor);
            known.dtype == DType::Float32 && known.shape.rank().is_some_and(|rank| rank >= 2)
        }
    };
    let candidates: Vec<TensorRef> = outputs.iter().copied().filter(can_be_logits).collect();
    let names: Vec<String> = outputs.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
    let [logits] = candidates[..] else {
        let which =
            if candidates.is_empty() { "none of them is" } else { "it is not clear which of them are" };
        let problem = format!("the outputs are {}, and {which} the logits", names.join(", "));
        return Err(Error::new(Setting::Softmax, problem)
            .advice(format!("name the logits alone with {}", Setting::Outputs)));
    };
    let probabilities = match bound.probabilities {
        Some(probabilities) => probabilities,
        None => {
            let name = unused(graph, &format!("{}/Softmax", graph.node(logits.node).name));
            graph.add(name, "Softmax", vec![logits], Attrs::new())?.into()
        }
    };
    outputs.push(probabilities);
    let guess = || {
        let name = graph.tensor_name(logits);
        let text = format!("{name} seems to be the logits; a softmax was added to it");
        Note::info(NoteKind::Classes, text).about(name)
    };
    Ok(bound.logits.is_none().then(guess))
}

fn leave_out(bound: &mut BoundGraph, are_named: bool) -> Result<Option<Note>> {
    let graph = &bound.graph;
    let mut outputs = vec![];
    for &output in &bound.tensors.outputs {
        let logits = logits_of(graph, output);
        if logits.is_some() && are_named {
            let problem =
                format!("{} asks for {}, which is a softmax", Setting::Outputs, graph.tensor_name(output));
            return Err(Error::new(Setting::NoSoftmax, problem).advice("leave one of them out"));
        }
        let output = logits.unwrap_or(output);
        if !outputs.contains(&output) {
            outputs.push(output);
        }
    }
    let is_unchanged = outputs == bound.tensors.outputs;
    bound.tensors.outputs = outputs;
    let note = || {
        let text =
            format!("{} leaves nothing out, since no output is computed by a softmax", Setting::NoSoftmax);
        Note::info(NoteKind::Classes, text)
    };
    Ok(is_unchanged.then(note))
}

/// The input of the softmax that computes a tensor.
pub(super) fn logits_of(graph: &Graph, tensor: TensorRef) -> Option<TensorRef> {
    let softmax = graph.node(past_reshapes(graph, tensor).node);
    let logits = match (softmax.op.as_str(), &softmax.inputs[..]) {
        ("Softmax", [logits]) => *logits,
        ("RealDiv", [shares, sum]) => exponents(graph, *shares, *sum)?,
        _ => return None,
    };
    Some(past_reshapes(graph, logits))
}

/// The logits of a softmax in arithmetic, as Keras writes it for more than two axes: exponentials divided by their sum,
/// where the largest logit may be subtracted first.
fn exponents(graph: &Graph, shares: TensorRef, sum: TensorRef) -> Option<TensorRef> {
    let node = |tensor: TensorRef, op: &str| {
        Some(graph.node(past_reshapes(graph, tensor).node)).filter(|node| node.op == op)
    };
    let reads = |node: &&Node, tensor: TensorRef| {
        node.inputs.first().is_some_and(|&input| past_reshapes(graph, input) == past_reshapes(graph, tensor))
    };
    node(sum, "Sum").filter(|sum| reads(sum, shares))?;
    let &exponents = node(shares, "Exp")?.inputs.first()?;
    let shifted = node(exponents, "Sub").and_then(|sub| match sub.inputs[..] {
        [logits, largest] => node(largest, "Max").filter(|max| reads(max, logits)).map(|_| logits),
        _ => None,
    });
    Some(shifted.unwrap_or(exponents))
}

/// The tensor that a tensor is a reshaped copy of: slim's softmax flattens its input and reshapes its result.
fn past_reshapes(graph: &Graph, mut tensor: TensorRef) -> TensorRef {
    loop {
        let node = graph.node(tensor.node);
        // A function returns its results through an IdentityN.
        let input = match node.op.as_str() {
            "Reshape" | "Identity" => node.inputs.first(),
            "IdentityN" => node.inputs.get(tensor.port),
            _ => None,
        };
        match input {
            Some(&input) => tensor = input,
            None => return tensor,
        }
    }
}

fn unused(graph: &Graph, name: &str) -> String {
    let numbered = (1..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| graph.find(name).is_none()).unwrap_or_default()
}
