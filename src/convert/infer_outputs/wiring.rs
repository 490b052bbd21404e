//! Which nodes of a graph read which, and what can be reached along these edges.

use hashbrown::HashMap;

use crate::graph::node_def::data_inputs;
use crate::graph::{is_enter, is_exit};
use crate::proto::{GraphDef, NodeDef, attr_value::Value};

/// A flag for each node, by its index in the graph.
pub(super) type Marks = Vec<bool>;

/// The nodes of a graph and their edges, by index.
pub(super) struct Wiring<'a> {
    pub nodes: &'a [NodeDef],
    /// The tensors that each node reads: the index of a node, and the port.
    pub inputs: Vec<Vec<(usize, usize)>>,
    /// The nodes that read each node, each with the port that it reads.
    pub readers: Vec<Vec<(usize, usize)>>,
}

impl<'a> Wiring<'a> {
    pub fn new(definition: &'a GraphDef) -> Self {
        let nodes = &definition.node[..];
        let indices: HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
        let mut readers = vec![vec![]; nodes.len()];
        let mut inputs = Vec::with_capacity(nodes.len());
        for (reader, node) in nodes.iter().enumerate() {
            let read = data_inputs(node).filter_map(|(name, port)| Some((*indices.get(name)?, port)));
            let read: Vec<(usize, usize)> = read.collect();
            for &(index, port) in &read {
                readers[index].push((reader, port));
            }
            inputs.push(read);
        }
        Self { nodes, inputs, readers }
    }

    /// The indices of the nodes for which `holds`.
    pub fn nodes_where(&self, holds: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |&index| holds(index))
    }

    /// The `starts`, and the nodes for which `within` holds that read them, at any distance.
    pub fn forward(&self, starts: impl IntoIterator<Item = usize>, within: impl Fn(usize) -> bool) -> Marks {
        self.reached(starts, &self.readers, within)
    }

    /// The `starts`, and the nodes for which `within` holds that they read, at any distance.
    pub fn backward(&self, starts: impl IntoIterator<Item = usize>, within: impl Fn(usize) -> bool) -> Marks {
        self.reached(starts, &self.inputs, within)
    }

    /// The nodes inside of loops of TensorFlow 1, which have another value in each iteration. The exits of the outermost loops are not
    /// inside.
    pub fn in_loops(&self) -> Marks {
        const MAX_DEPTH: usize = 64;
        // The number of frames that each node runs in.
        let mut depths: Vec<usize> = vec![0; self.nodes.len()];
        let enters = |index: usize| is_enter(&self.nodes[index].op);
        let exits = |index: usize| is_exit(&self.nodes[index].op);
        let mut open: Vec<usize> = self.nodes_where(enters).collect();
        while let Some(index) = open.pop() {
            let depth = match depths[index] {
                depth if enters(index) => depth + 1,
                depth if exits(index) => depth.saturating_sub(1),
                depth => depth,
            };
            for &(reader, _) in &self.readers[index] {
                if depths[reader] < depth && depth <= MAX_DEPTH {
                    depths[reader] = depth;
                    open.push(reader);
                }
            }
        }
        let outside = |index: usize| usize::from(exits(index));
        depths.iter().enumerate().map(|(index, &depth)| depth > outside(index)).collect()
    }

    fn reached(
        &self,
        starts: impl IntoIterator<Item = usize>,
        edges: &[Vec<(usize, usize)>],
        within: impl Fn(usize) -> bool,
    ) -> Marks {
        let mut reached = vec![false; self.nodes.len()];
        let mut open: Vec<usize> = starts.into_iter().collect();
        open.iter().for_each(|&index| reached[index] = true);
        while let Some(index) = open.pop() {
            for &(next, _) in &edges[index] {
                if !reached[next] && within(next) {
                    reached[next] = true;
                    open.push(next);
                }
            }
        }
        reached
    }
}

/// Whether the number of elements that an op returns depends on the elements of its input.
pub(super) fn chooses(op: &str) -> bool {
    matches!(op, "Where" | "DynamicPartition" | "ListDiff" | "CTCBeamSearchDecoder" | "CTCGreedyDecoder")
        || op.starts_with("NonMaxSuppression")
        || op.starts_with("Unique")
}

/// How many of the first outputs of a node are its result. A sparse tensor has three parts: indices, values and shape.
pub(super) fn result_count(node: &NodeDef) -> usize {
    const MOST: i64 = 1 << 10;
    match (node.op.as_str(), node.attr.get("top_paths").and_then(|paths| paths.value.as_ref())) {
        ("CTCBeamSearchDecoder", Some(&Value::I(paths))) => 3 * paths.clamp(1, MOST) as usize,
        ("CTCGreedyDecoder", _) => 3,
        _ => 1,
    }
}
