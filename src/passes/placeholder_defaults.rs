//! Placeholders whose default is computed: the input has `PlaceholderWithDefault` nodes that read more than a constant; the
//! output has their defaults instead, or plain placeholders.
//!
//! ONNX has defaults of inputs too, but only constant ones. TensorFlow computes the default where the placeholder is
//! not fed, so the model computes a default that depends on one of its inputs. A default that depends only on training
//! data is for training: the placeholder is the input.

use hashbrown::{HashMap, HashSet};

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Attrs, Graph, Moved, Node, NodeRef, TensorRef};

/// The decision about a placeholder whose default is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The placeholder.
    pub name: String,
    /// The node that its default is computed from, if the default is used; `None` if the placeholder is an input.
    pub computed_from: Option<String>,
}

/// Decides for all placeholders whose default is computed. `is_taken` returns whether a placeholder is an input of the model,
/// `is_of_training` whether a node outputs training data.
///
/// # Errors
/// If the graph is not valid any more.
pub fn settle_defaults(
    graph: Graph,
    is_taken: impl Fn(NodeRef<'_>) -> bool,
    is_of_training: impl Fn(&Node) -> bool,
) -> Result<(Graph, Moved, Vec<Settled>)> {
    let computed = |node: &Node| node.op == "PlaceholderWithDefault";
    if !graph.nodes().any(|(_, node)| computed(node)) {
        return Ok((graph, Moved::default(), vec![]));
    }
    let mut found = vec![];
    for (_, node) in graph.nodes().filter(|(_, node)| computed(node)) {
        let Some(sources) = node.inputs.first().map(|&default| sources(&graph, default)) else { continue };
        let is_input = |node: &&NodeRef<'_>| {
            node.op == "PlaceholderWithDefault" || node.is_placeholder() && is_taken(**node)
        };
        let source = match sources.iter().find(is_input) {
            Some(input) => Some(input.name.clone()),
            None if sources.iter().any(|node| is_of_training(node) || node.is_placeholder()) => None,
            None => match sources.iter().find(|node| node.constant().is_none()) {
                Some(variable) => Some(variable.name.clone()),
                // A default that is computed from constants is a constant.
                None => continue,
            },
        };
        found.push(Settled { name: node.name.clone(), computed_from: source });
    }
    let names: HashMap<String, bool> =
        found.iter().map(|settled| (settled.name.clone(), settled.computed_from.is_some())).collect();
    let (graph, moved) = rewrite(graph, |rewriting, node| match names.get(&node.name) {
        Some(true) => {
            let inputs = node.inputs.iter().map(|&input| rewriting.moved(input)).collect();
            rewriting.add(node.name.clone(), "Identity", inputs, Attrs::new()).map(Some)
        }
        Some(false) => rewriting.add(node.name.clone(), "Placeholder", vec![], node.attrs.clone()).map(Some),
        None => Ok(None),
    })?;
    Ok((graph, moved, found))
}

/// The nodes without inputs that a tensor is computed from, and other placeholders with defaults.
fn sources(graph: &Graph, tensor: TensorRef) -> Vec<NodeRef<'_>> {
    let (mut open, mut seen) = (vec![tensor.node], HashSet::new());
    let mut found = vec![];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = NodeRef::new(id, graph.node(id));
        match node.inputs.is_empty() || node.op == "PlaceholderWithDefault" {
            true => found.push(node),
            false => open.extend(node.inputs.iter().map(|input| input.node)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Shape};
    use crate::tensor::{Constant, DType};

    fn add(graph: &mut Graph, name: &str, op: &str, inputs: &[TensorRef]) -> TensorRef {
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[2])))];
        let value = [("value", Attr::Tensor(Constant::from_f32(vec![2], &[1.0, 2.0])))];
        let attrs: Attrs = if op == "Const" { value.into() } else { attrs.into() };
        graph.add(name, op, inputs.to_vec(), attrs).unwrap().into()
    }

    fn settled(graph: Graph) -> (Graph, Vec<Settled>) {
        let (graph, _, settled) =
            settle_defaults(graph, |node| node.name == "x", |node| node.op == "IteratorGetNext").unwrap();
        (graph, settled)
    }

    fn op<'g>(graph: &'g Graph, name: &str) -> &'g str {
        &graph.node(graph.find(name).unwrap()).op
    }

    #[test]
    fn a_default_that_is_computed_from_an_input_is_used() {
        let mut graph = crate::ops::new_graph();
        let x = add(&mut graph, "x", "Placeholder", &[]);
        let features = add(&mut graph, "features", "Relu", &[x]);
        add(&mut graph, "bottleneck", "PlaceholderWithDefault", &[features]);
        let (graph, settled) = settled(graph);
        assert_eq!(op(&graph, "bottleneck"), "Identity");
        assert_eq!(settled[0].computed_from.as_deref(), Some("x"));
    }

    #[test]
    fn a_default_of_training_data_leaves_an_input() {
        let mut graph = crate::ops::new_graph();
        let batch = add(&mut graph, "batch", "IteratorGetNext", &[]);
        add(&mut graph, "images", "PlaceholderWithDefault", &[batch]);
        let (graph, settled) = settled(graph);
        assert_eq!(op(&graph, "images"), "Placeholder");
        assert_eq!(settled, [Settled { name: "images".to_owned(), computed_from: None }]);
    }

    #[test]
    fn a_constant_default_stays_a_default() {
        let mut graph = crate::ops::new_graph();
        let value = add(&mut graph, "value", "Const", &[]);
        let half = add(&mut graph, "half", "Mul", &[value, value]);
        add(&mut graph, "keep_prob", "PlaceholderWithDefault", &[half]);
        let (graph, settled) = settled(graph);
        assert_eq!((op(&graph, "keep_prob"), settled.len()), ("PlaceholderWithDefault", 0));
    }
}
