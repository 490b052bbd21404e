//! Which tensors are rounded, and the variables with their ranges.
//!
//! Source: `Quantize`, `_QuantizeActivationLayers` and `_InsertQuantOp` in `quantize.py`; `variable_scope` in
//! `tensorflow/python/ops/variable_scope.py` for the numbers behind names that were taken.

use hashbrown::{HashMap, HashSet};

use super::{layers, parent, within};
use crate::graph::{Graph, NodeId, TensorRef};

/// The range of a tensor.
#[derive(Debug, Clone)]
pub struct Range {
    /// The scope of the variables `min` and `max`.
    pub scope: String,
    /// Whether the least of the numbers is left out, as it is for weights: then 0 is in the middle of them.
    pub is_narrow: bool,
}

/// How deeply sums and products of sums and products are looked into.
const MOST_DEEP: usize = 100;

/// The ranges by the nodes whose first outputs they belong to.
pub fn choose(graph: &Graph, order: &[NodeId]) -> HashMap<NodeId, Range> {
    let mut readers: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for (id, node) in graph.nodes() {
        for input in &node.inputs {
            readers.entry(input.node).or_default().push(id);
        }
    }
    let mut choice =
        Choice { graph, readers, ranges: HashMap::new(), names: HashSet::new(), seen: HashSet::new() };
    choice.round_layers(order);
    for &id in order {
        if choice.joins_rounded(id, 0, &mut HashSet::new()) {
            let node = graph.node(id);
            choice.round(id, &node.name, &["activation_", &node.op, "_quant"].concat(), false);
        }
    }
    choice.ranges
}

struct Choice<'a> {
    graph: &'a Graph,
    readers: HashMap<NodeId, Vec<NodeId>>,
    ranges: HashMap<NodeId, Range>,
    /// The scopes that were opened.
    names: HashSet<String>,
    /// The nodes that are not looked at again.
    seen: HashSet<NodeId>,
}

impl Choice<'_> {
    fn round_layers(&mut self, order: &[NodeId]) {
        for layer in layers::find(self.graph, order) {
            let context = parent(&self.graph.node(layer.op).name);
            if let Some(weights) = layer.weights {
                self.round(weights, context, "weights_quant", true);
            }
            let around = if layer.bypass.is_some() { parent(context) } else { context };
            self.round(layer.activation, around, "act_quant", false);
            self.seen.insert(layer.activation);
            if let Some(bypass) = layer.bypass {
                if let Some(bias_add) = layer.bias_add {
                    self.round(bias_add, context, "conv_quant", false);
                    self.seen.insert(bias_add);
                }
                if !self.is_read_by(bypass, &["Relu", "Relu6", "Identity"]) {
                    self.round(bypass, around, "add_quant", false);
                    self.seen.insert(bypass);
                }
            }
            if let Some(bypass) =
                layer.bypass_after.filter(|&bypass| !self.is_read_by(bypass, &["Relu", "Relu6"]))
            {
                let context = parent(&self.graph.node(bypass).name);
                self.round(bypass, context, "post_activation_bypass_quant", false);
                self.seen.insert(bypass);
            }
        }
    }

    /// Rounds the output of a node, unless it is rounded already.
    fn round(&mut self, node: NodeId, context: &str, name: &str, is_narrow: bool) {
        if self.is_rounded_after(node) {
            return;
        }
        let scope = self.unique(within(context, name));
        self.ranges.insert(node, Range { scope, is_narrow });
    }

    /// The name of a new variable scope.
    fn unique(&mut self, name: String) -> String {
        let mut unique = name.clone();
        let mut number = 0;
        while !self.names.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        unique
    }

    /// Whether a node's output is rounded, at once or after nodes that pass it on.
    fn is_rounded_after(&self, node: NodeId) -> bool {
        let (mut open, mut known) = (vec![node], HashSet::new());
        while let Some(node) = open.pop() {
            if self.ranges.contains_key(&node) {
                return true;
            }
            if !known.insert(node) {
                continue;
            }
            let readers = self.readers.get(&node).into_iter().flatten();
            open.extend(readers.filter(|&&reader| self.has_op(reader, &["Reshape", "Identity"])));
        }
        false
    }

    fn is_read_by(&self, node: NodeId, ops: &[&str]) -> bool {
        self.readers.get(&node).into_iter().flatten().any(|&reader| self.has_op(reader, ops))
    }

    fn has_op(&self, node: NodeId, ops: &[&str]) -> bool {
        ops.contains(&self.graph.node(node).op.as_str())
    }

    /// Whether a node is a sum or a product of rounded tensors that no activation follows directly. `tried` are nodes that were found to
    /// be none: several paths may lead to a node.
    fn joins_rounded(&self, id: NodeId, depth: usize, tried: &mut HashSet<NodeId>) -> bool {
        if depth > MOST_DEEP || self.seen.contains(&id) || !self.has_op(id, &["Add", "AddV2", "Mul"]) {
            return false;
        }
        if !tried.insert(id) {
            return false;
        }
        if let Some(&[reader]) = self.readers.get(&id).map(Vec::as_slice)
            && !self.ranges.contains_key(&id)
            && self.has_op(reader, &["Relu", "Relu6"])
        {
            return false;
        }
        self.graph.node(id).inputs.iter().any(|&input| match self.passed_on(input) {
            None => true,
            Some(from) => {
                self.has_op(from, &["Add", "AddV2", "Mul"])
                    && self.graph.node(from).inputs.iter().any(|input| {
                        !self.ranges.contains_key(&input.node)
                            && self.joins_rounded(input.node, depth + 1, tried)
                    })
            }
        })
    }

    /// The node that a tensor is passed on from, or `None` if it is rounded on the way.
    fn passed_on(&self, mut tensor: TensorRef) -> Option<NodeId> {
        const PASS_ON: [&str; 6] =
            ["Reshape", "Identity", "BatchToSpaceND", "SpaceToBatchND", "MaxPool", "Max"];
        loop {
            if self.ranges.contains_key(&tensor.node) {
                return None;
            }
            let from = tensor.node;
            match self.graph.node(from).inputs.first() {
                Some(&input) if self.has_op(from, &PASS_ON) => tensor = input,
                _ => return Some(from),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, Shape};
    use crate::tensor::DType;

    #[test]
    fn sums_that_many_paths_lead_to_are_looked_at_once() {
        let mut graph = crate::ops::new_graph();
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[2])))];
        let mut sum = TensorRef::from(graph.add("x", "Placeholder", vec![], attrs.into()).unwrap());
        for index in 0..200 {
            let name = format!("sum_{index}");
            sum = graph.add(name, "AddV2", vec![sum, sum], Attrs::new()).unwrap().into();
        }
        let order: Vec<NodeId> = graph.nodes().map(|(id, _)| id).collect();
        assert!(choose(&graph, &order).is_empty());
    }
}
