//! The map from the tensors of a graph to those of the graph that a pass returns.

use super::{NodeId, TensorMap, TensorRef};

/// The map from the tensors of a graph to those of the graph that passes returned. Tensors that are not needed are not in the
/// new graph.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// The passes that changed the graph, in their order.
    steps: Vec<Step>,
}

/// The map of one pass.
#[derive(Debug, Clone)]
enum Step {
    /// For each node of the old graph, in its order, the node of the new one that has its outputs.
    Nodes(Vec<Option<NodeId>>),
    /// The tensors of the old graph that are in the new one.
    Tensors(TensorMap<Option<TensorRef>>),
}

impl Moved {
    /// The map of a pass that keeps the outputs of nodes together: for each node of the old graph, in its order, the new one.
    pub fn by_nodes(nodes: Vec<Option<NodeId>>) -> Self {
        Self { steps: vec![Step::Nodes(nodes)] }
    }

    /// The map of a pass that moves single tensors.
    pub fn by_tensors(tensors: TensorMap<Option<TensorRef>>) -> Self {
        Self { steps: vec![Step::Tensors(tensors)] }
    }

    /// The map of this pass and the next.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.steps.extend(next.steps);
        self
    }

    /// The tensor of the new graph for a tensor of the old one, if there is one.
    pub fn tensor(&self, old: TensorRef) -> Option<TensorRef> {
        self.steps.iter().try_fold(old, |tensor, step| step.tensor(tensor))
    }

    /// The tensors of the new graph for these tensors, as far as there are any.
    pub fn tensors(&self, old: &[TensorRef]) -> Vec<TensorRef> {
        old.iter().filter_map(|&tensor| self.tensor(tensor)).collect()
    }
}

impl Step {
    fn tensor(&self, old: TensorRef) -> Option<TensorRef> {
        match self {
            Self::Nodes(nodes) => {
                let node = nodes.get(old.node.index()).copied().flatten()?;
                Some(TensorRef { node, port: old.port })
            }
            Self::Tensors(tensors) => tensors.get(old).copied().flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attrs, Graph, Node, Shape, TensorType};
    use crate::tensor::DType;

    fn tensor(node: u32, port: usize) -> TensorRef {
        TensorRef { node: NodeId(node), port }
    }

    #[test]
    fn tensors_are_followed_through_passes() {
        let first = Moved::by_nodes(vec![None, Some(NodeId(0)), Some(NodeId(1))]);
        assert_eq!(first.tensors(&[tensor(0, 0), tensor(1, 1), tensor(2, 0)]), [tensor(0, 1), tensor(1, 0)]);
        let two_outputs = |_: &Graph, _: &Node| Ok(vec![TensorType::new(DType::Int32, Shape::UNKNOWN); 2]);
        let mut graph = Graph::new(two_outputs);
        graph.add("a", "Op", vec![], Attrs::new()).unwrap();
        let second = Moved::by_tensors(TensorMap::of(&graph, [(tensor(0, 1), tensor(7, 3))]));
        let both = first.then(Moved::default()).then(second);
        assert_eq!(both.tensor(tensor(1, 1)), Some(tensor(7, 3)));
        assert_eq!(both.tensor(tensor(2, 0)), None);
    }

    #[test]
    fn nothing_moves_without_a_pass() {
        assert_eq!(Moved::default().tensor(tensor(5, 1)), Some(tensor(5, 1)));
    }
}
