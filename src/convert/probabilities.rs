//! `--softmax` and `--no-softmax`: whether the model delivers probabilities beside its logits.

use super::BoundGraph;
use crate::error::{Error, Result};
use crate::graph::{Attrs, Graph, Node, TensorRef};
use crate::tensor::DType;

/// Whether a model delivers the probabilities of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Probabilities {
    /// Where the network or the graph computes them.
    #[default]
    AsDrawn,
    /// Also where it computes nothing but logits: a softmax follows them.
    Added,
    /// Not at all: the logits stand in their place.
    LeftOut,
}

/// Adds the probabilities to what the model delivers, or leaves them out. `are_named` says that the user chose the
/// outputs. Returns what is to be said where that is nothing to be done, or a guess.
///
/// # Errors
/// Where it is not clear which output the logits are, or the user named probabilities that are to be left out.
pub(super) fn settle(
    bound: &mut BoundGraph,
    choice: Probabilities,
    are_named: bool,
) -> Result<Option<String>> {
    match choice {
        Probabilities::AsDrawn => Ok(None),
        Probabilities::Added => add(bound),
        Probabilities::LeftOut => leave_out(bound, are_named),
    }
}

fn add(bound: &mut BoundGraph) -> Result<Option<String>> {
    let BoundGraph { graph, outputs, .. } = bound;
    let are_probabilities = |&&tensor: &&TensorRef| {
        logits_of(graph, tensor).is_some() || graph.node(past_reshapes(graph, tensor).node).op == "Sigmoid"
    };
    if let Some(&drawn) = outputs.iter().find(are_probabilities) {
        let name = graph.tensor_name(drawn);
        return Ok(Some(format!("note: --softmax adds nothing, since {name} has probabilities already")));
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
        return Err(Error::new("--softmax", problem).advice("name the logits alone with --outputs"));
    };
    let probabilities = match bound.probabilities {
        Some(drawn) => drawn,
        None => {
            let name = unused(graph, &format!("{}/Softmax", graph.node(logits.node).name));
            graph.add(name, "Softmax", vec![logits], Attrs::new())?.into()
        }
    };
    outputs.push(probabilities);
    let guess =
        || format!("note: {} is taken for the logits, and has a softmax added", graph.tensor_name(logits));
    Ok(bound.logits.is_none().then(guess))
}

fn leave_out(bound: &mut BoundGraph, are_named: bool) -> Result<Option<String>> {
    let graph = &bound.graph;
    let mut outputs = vec![];
    for &output in &bound.outputs {
        let logits = logits_of(graph, output);
        if logits.is_some() && are_named {
            let problem = format!("--outputs asks for {}, which is a softmax", graph.tensor_name(output));
            return Err(Error::new("--no-softmax", problem).advice("leave one of them out"));
        }
        let output = logits.unwrap_or(output);
        if !outputs.contains(&output) {
            outputs.push(output);
        }
    }
    let is_as_it_was = outputs == bound.outputs;
    bound.outputs = outputs;
    let note = "note: --no-softmax leaves nothing out, since no output is computed by a softmax";
    Ok(is_as_it_was.then(|| note.to_owned()))
}

/// What the softmax reads that a tensor is the result of.
pub(super) fn logits_of(graph: &Graph, tensor: TensorRef) -> Option<TensorRef> {
    let softmax = graph.node(past_reshapes(graph, tensor).node);
    let logits = match (softmax.op.as_str(), &softmax.inputs[..]) {
        ("Softmax", [logits]) => *logits,
        ("RealDiv", [shares, sum]) => exponents(graph, *shares, *sum)?,
        _ => return None,
    };
    Some(past_reshapes(graph, logits))
}

/// The logits of a softmax that is spelled out as Keras does for more than two axes: their exponentials, of which the
/// largest may have been subtracted before, divided by their sum.
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

/// The tensor that a tensor is a reshaped copy of: slim's softmax flattens what it is given, and shapes its result.
fn past_reshapes(graph: &Graph, mut tensor: TensorRef) -> TensorRef {
    loop {
        let node = graph.node(tensor.node);
        // What a function returns is handed out by an IdentityN.
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
