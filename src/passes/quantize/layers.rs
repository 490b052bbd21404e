//! The layers whose weights and results are rounded: a convolution or a product of matrices, what is added to it, and its activation.
//!
//! Source: the patterns of `_FindLayersToQuantize` in `quantize.py`. Operands in either order are matched as there: the given order first.

use hashbrown::HashSet;

use crate::graph::{Graph, Node, NodeId, TensorRef};

/// What belongs to a layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    pub op: NodeId,
    pub weights: Option<NodeId>,
    pub bias_add: Option<NodeId>,
    /// The sum with another tensor before the activation.
    pub bypass: Option<NodeId>,
    pub activation: NodeId,
    /// The sum with another tensor after the activation.
    pub bypass_after: Option<NodeId>,
}

/// The layers of a graph, each once. `order` is that in which TensorFlow looks at the nodes.
pub fn find(graph: &Graph, order: &[NodeId]) -> Vec<Layer> {
    let patterns = Patterns { graph };
    let mut found = vec![];
    let mut matched = HashSet::new();
    let mut take = |layer: Option<Layer>| {
        if let Some(layer) = layer.filter(|layer| matched.insert(layer.op)) {
            found.push(layer);
        }
    };
    let tensors = || order.iter().map(|&id| TensorRef::from(id));
    // The largest match of a layer counts.
    tensors().for_each(|tensor| take(patterns.bypassed_after(tensor)));
    tensors().for_each(|tensor| take(patterns.activated(tensor)));
    // What has no activation ends at the sum with its bias.
    let ending =
        |layer: Layer| Layer { activation: layer.bias_add.unwrap_or(layer.op), bias_add: None, ..layer };
    tensors().for_each(|tensor| take(patterns.biased(tensor).map(ending)));
    tensors().for_each(|tensor| take(patterns.separable(tensor)));
    found
}

/// Patterns of nodes, each tried at the node that a tensor comes from.
struct Patterns<'a> {
    graph: &'a Graph,
}

impl Patterns<'_> {
    fn node(&self, tensor: TensorRef, ops: &[&str]) -> Option<&Node> {
        let node = self.graph.node(tensor.node);
        ops.contains(&node.op.as_str()).then_some(node)
    }

    /// A node of two operands of which one fits, the first one if both do.
    fn either(
        &self,
        tensor: TensorRef,
        ops: &[&str],
        fits: impl Fn(TensorRef) -> Option<Layer>,
    ) -> Option<Layer> {
        let &[first, second] = &self.node(tensor, ops)?.inputs[..] else { return None };
        fits(first).or_else(|| fits(second))
    }

    fn weights(&self, tensor: TensorRef) -> bool {
        let is_read = |node: &Node| {
            node.op == "Identity" && node.inputs.iter().all(|input| self.comes_from_variable(*input))
        };
        self.node(tensor, &["Mul", "ReadVariableOp"]).is_some() || is_read(self.graph.node(tensor.node))
    }

    fn comes_from_variable(&self, tensor: TensorRef) -> bool {
        let node = self.graph.node(tensor.node);
        match node.op.as_str() {
            "Variable" | "VariableV2" => true,
            "Identity" => node.inputs.iter().all(|input| self.graph.node(input.node).is_variable()),
            _ => false,
        }
    }

    fn layer(&self, tensor: TensorRef) -> Option<Layer> {
        let node = self.node(tensor, &["Conv2D", "MatMul", "DepthwiseConv2dNative"])?;
        let &[first, second] = &node.inputs[..] else { return None };
        let weights = [second, first].into_iter().find(|&input| self.weights(input))?;
        let (op, weights) = (tensor.node, Some(weights.node));
        Some(Layer { op, weights, bias_add: None, bypass: None, activation: op, bypass_after: None })
    }

    fn layer_output(&self, tensor: TensorRef) -> Option<Layer> {
        match self.node(tensor, &["BatchToSpaceND"]) {
            Some(node) => self.layer(*node.inputs.first()?),
            None => self.layer(tensor),
        }
    }

    /// The sum of a layer and its bias, or of a layer whose weights were corrected in training.
    fn biased(&self, tensor: TensorRef) -> Option<Layer> {
        let sums = ["Add", "AddV2"];
        let product = |tensor| {
            let &[first, second] = &self.node(tensor, &["Mul"])?.inputs[..] else { return None };
            self.layer_output(second).or_else(|| self.layer_output(first))
        };
        let corrected = |tensor| self.either(tensor, &sums, product);
        let layer = self.either(tensor, &["Add", "AddV2", "BiasAdd"], |input| self.layer_output(input));
        let layer = layer.or_else(|| self.either(tensor, &sums, corrected))?;
        Some(Layer { bias_add: Some(tensor.node), ..layer })
    }

    fn bypassed(&self, tensor: TensorRef) -> Option<Layer> {
        let layer = self.either(tensor, &["Add", "AddV2"], |input| self.biased(input))?;
        Some(Layer { bypass: Some(tensor.node), ..layer })
    }

    fn activated(&self, tensor: TensorRef) -> Option<Layer> {
        let &[input] = &self.node(tensor, &["Relu", "Relu6", "Identity"])?.inputs[..] else { return None };
        let layer = self.biased(input).or_else(|| self.bypassed(input)).or_else(|| self.layer(input))?;
        Some(Layer { activation: tensor.node, ..layer })
    }

    fn bypassed_after(&self, tensor: TensorRef) -> Option<Layer> {
        let &[first, second] = &self.node(tensor, &["Add", "AddV2"])?.inputs[..] else { return None };
        let layer = self.activated(second).or_else(|| self.activated(first))?;
        Some(Layer { bypass_after: Some(tensor.node), ..layer })
    }

    /// A convolution that another one reads directly. Weights that were folded are not rounded here.
    fn separable(&self, tensor: TensorRef) -> Option<Layer> {
        let ops = ["Conv2D", "MatMul", "DepthwiseConv2dNative"];
        let layer = self.either(tensor, &ops, |input| self.layer_output(input))?;
        let is_folded = layer.weights.is_some_and(|weights| self.graph.node(weights).op == "Mul");
        Some(Layer { weights: layer.weights.filter(|_| !is_folded), ..layer })
    }
}
