//! `--softmax` and `--no-softmax`: whether the model delivers probabilities beside its logits.

use super::Drawing;
use crate::error::{Error, Result};
use crate::graph::{Attrs, Graph, TensorRef};
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
/// outputs.
///
/// # Errors
/// Where it is not clear which output the logits are, or the user named probabilities that are to be left out.
pub(super) fn settle(drawing: &mut Drawing, choice: Probabilities, are_named: bool) -> Result<()> {
    match choice {
        Probabilities::AsDrawn => Ok(()),
        Probabilities::Added => add(drawing),
        Probabilities::LeftOut => leave_out(drawing, are_named),
    }
}

fn add(drawing: &mut Drawing) -> Result<()> {
    let Drawing { graph, outputs, .. } = drawing;
    let are_probabilities = |&tensor: &TensorRef| {
        matches!(graph.node(past_reshapes(graph, tensor).node).op.as_str(), "Softmax" | "Sigmoid")
    };
    if outputs.iter().any(are_probabilities) {
        return Ok(());
    }
    let can_be_logits = |tensor: &TensorRef| match drawing.logits {
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
    let probabilities = match drawing.probabilities {
        Some(drawn) => drawn,
        None => {
            let name = unused(graph, &format!("{}/Softmax", graph.node(logits.node).name));
            graph.add(name, "Softmax", vec![logits], Attrs::new())?.into()
        }
    };
    outputs.push(probabilities);
    Ok(())
}

fn leave_out(drawing: &mut Drawing, are_named: bool) -> Result<()> {
    let graph = &drawing.graph;
    let mut outputs = vec![];
    for &output in &drawing.outputs {
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
    drawing.outputs = outputs;
    Ok(())
}

/// What the softmax reads that a tensor is the result of.
pub(super) fn logits_of(graph: &Graph, tensor: TensorRef) -> Option<TensorRef> {
    let softmax = graph.node(past_reshapes(graph, tensor).node);
    let &input = softmax.inputs.first().filter(|_| softmax.op == "Softmax")?;
    Some(past_reshapes(graph, input))
}

/// The tensor that a tensor is a reshaped copy of: slim's softmax flattens what it is given, and shapes its result.
fn past_reshapes(graph: &Graph, mut tensor: TensorRef) -> TensorRef {
    loop {
        let node = graph.node(tensor.node);
        match (node.op.as_str(), node.inputs.first()) {
            ("Reshape" | "Identity", Some(&input)) => tensor = input,
            _ => return tensor,
        }
    }
}

fn unused(graph: &Graph, name: &str) -> String {
    let numbered = (1..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| graph.find(name).is_none()).unwrap_or_default()
}
