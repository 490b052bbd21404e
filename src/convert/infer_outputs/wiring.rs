//! Which node of a graph reads which, and what is reached along that.

use hashbrown::HashMap;

use crate::graph::import::data_inputs;
use crate::proto::{GraphDef, NodeDef};

/// A flag for each node, by its place in the graph.
pub(super) type Marks = Vec<bool>;

/// The nodes of a graph and who reads what, by their places.
pub(super) struct Wiring<'a> {
    pub nodes: &'a [NodeDef],
    /// The tensors that each node reads: the place and the port.
    pub inputs: Vec<Vec<(usize, usize)>>,
    /// The nodes that read each node, and from which port.
    pub readers: Vec<Vec<(usize, usize)>>,
}

impl<'a> Wiring<'a> {
    pub fn new(definition: &'a GraphDef) -> Self {
        let nodes = &definition.node[..];
        let places: HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(place, node)| (node.name.as_str(), place)).collect();
        let mut readers = vec![vec![]; nodes.len()];
        let mut inputs = Vec::with_capacity(nodes.len());
        for (reader, node) in nodes.iter().enumerate() {
            let read = data_inputs(node).filter_map(|(name, port)| Some((*places.get(name)?, port)));
            let read: Vec<(usize, usize)> = read.collect();
            for &(place, port) in &read {
                readers[place].push((reader, port));
            }
            inputs.push(read);
        }
        Self { nodes, inputs, readers }
    }

    /// The places of the nodes for which `holds`.
    pub fn places(&self, holds: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |&place| holds(place))
    }

    /// The `starts`, and the nodes for which `within` holds that read them, at any distance.
    pub fn forward(&self, starts: impl IntoIterator<Item = usize>, within: impl Fn(usize) -> bool) -> Marks {
        self.reached(starts, &self.readers, within)
    }

    /// The `starts`, and the nodes for which `within` holds that they read, at any distance.
    pub fn backward(&self, starts: impl IntoIterator<Item = usize>, within: impl Fn(usize) -> bool) -> Marks {
        self.reached(starts, &self.inputs, within)
    }

    fn reached(
        &self,
        starts: impl IntoIterator<Item = usize>,
        edges: &[Vec<(usize, usize)>],
        within: impl Fn(usize) -> bool,
    ) -> Marks {
        let mut reached = vec![false; self.nodes.len()];
        let mut open: Vec<usize> = starts.into_iter().collect();
        open.iter().for_each(|&place| reached[place] = true);
        while let Some(place) = open.pop() {
            for &(next, _) in &edges[place] {
                if !reached[next] && within(next) {
                    reached[next] = true;
                    open.push(next);
                }
            }
        }
        reached
    }
}

/// Whether an op says how large a tensor is, or makes one that is as large, and nothing of its elements.
pub(super) fn is_of_shapes(op: &str) -> bool {
    matches!(op, "Shape" | "ShapeN" | "Size" | "Rank" | "ZerosLike" | "OnesLike")
}
