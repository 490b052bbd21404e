//! Batch norms become part of the weights of the layers before them, whose products are what is rounded.
//!
//! Source: `_FoldFusedBatchNorms` in `fold_batch_norms.py`.

use hashbrown::HashSet;

use super::{parent, with_graph, within};
use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, Moved, Node, NodeId, TensorRef};
use crate::passes::rewrite::{Rewriting, rewrite};
use crate::tensor::Constant;

/// A graph whose batch norms are folded.
pub struct Folded {
    pub graph: Graph,
    pub moved: Moved,
    /// The nodes in the order in which TensorFlow creates them: the folded layers come last.
    pub order: Vec<NodeId>,
}

pub fn fold(graph: Graph) -> Result<Folded> {
    let counts = graph.reader_counts();
    let mut created: HashSet<String> = HashSet::new();
    let (graph, moved) = rewrite(graph, |rewriting, node| {
        let output = rewriting.current_tensor(0);
        if !node.is_batch_norm() || counts.get(output).is_none_or(|&readers| readers == 0) {
            return Ok(None);
        }
        let Some(layer) = node.inputs.first().and_then(|&input| layer_before(rewriting.old, input)) else {
            return Ok(None);
        };
        let folded = Folding { rewriting, norm: node, layer, created: &mut created }.fold()?;
        rewriting.redirect(output, folded);
        Ok(None)
    })?;
    let (old, new): (Vec<NodeId>, Vec<NodeId>) =
        graph.nodes().map(|(id, _)| id).partition(|&id| !created.contains(&graph.node(id).name));
    Ok(Folded { moved, order: [old, new].concat(), graph })
}

/// The convolution that a batch norm reads.
fn layer_before(graph: &Graph, tensor: TensorRef) -> Option<NodeId> {
    let is_layer =
        |id: NodeId| matches!(graph.node(id).op.as_str(), "Conv2D" | "DepthwiseConv2dNative" | "MatMul");
    let node = graph.node(tensor.node);
    match node.op.as_str() {
        "Identity" | "BatchToSpaceND" | "Reshape" => {
            let input = node.inputs.first()?.node;
            let is_reordered = graph.node(input).op == "BatchToSpaceND" && node.op == "Identity";
            if is_reordered { layer_before(graph, input.into()) } else { is_layer(input).then_some(input) }
        }
        _ => is_layer(tensor.node).then_some(tensor.node),
    }
}

/// One batch norm with its layer.
struct Folding<'f, 'r, 'g> {
    rewriting: &'f mut Rewriting<'r>,
    norm: &'g Node,
    layer: NodeId,
    created: &'f mut HashSet<String>,
}

impl Folding<'_, '_, '_> {
    /// `layer(x, weights * multiplier) + bias`, where the multiplier is `gamma * rsqrt(variance + epsilon)` and the bias is
    /// `beta - mean * multiplier`.
    fn fold(mut self) -> Result<TensorRef> {
        let layer = self.rewriting.old.node(self.layer);
        let norm = self.norm;
        let (&[input, weights], &[normalized, gamma, beta, mean, variance]) =
            (&layer.inputs[..], &norm.inputs[..])
        else {
            return Err(layer.error("it does not read an input and weights alone"));
        };
        // The images of a dilated depthwise layer are joined before its batch norm. The function loses what joins those of other layers.
        let joining = self.rewriting.old.node(normalized.node);
        let is_depthwise = layer.op == "DepthwiseConv2dNative";
        let is_direct = normalized.node == self.layer && layer.op != "MatMul";
        let is_dilated = layer.ints("dilations").iter().any(|&dilation| dilation != 1);
        if !(is_depthwise && (is_direct || joining.op == "BatchToSpaceND") || is_direct && !is_dilated) {
            let problem =
                "tf.contrib.quantize is rebuilt for batch norms after convolutions without dilation alone";
            return Err(with_graph(layer.error(problem)));
        }
        let within = |name: &str| within(parent(&layer.name), name);
        let folded = |name: &str| within(&format!("BatchNorm_Fold/{name}"));
        let [gamma, beta, mean, variance, input, weights] =
            [gamma, beta, mean, variance, input, weights].map(|tensor| self.rewriting.moved(tensor));
        let epsilon = Constant::from_f32(vec![], &[norm.float("epsilon", 1e-4)]);
        let epsilon = self.constant(folded("add/y"), epsilon)?;
        let sum = self.add(folded("add"), "AddV2", vec![variance, epsilon])?;
        let root = self.add(folded("Rsqrt"), "Rsqrt", vec![sum])?;
        let mut multiplier = self.add(folded("mul"), "Mul", vec![gamma, root])?;
        let moved = self.add(folded("mul_1"), "Mul", vec![mean, multiplier])?;
        let bias = self.add(folded("bias"), "Sub", vec![beta, moved])?;
        if is_depthwise {
            let shape = self.rewriting.graph().shape(weights).clone();
            let (Some(channels), Some(times)) = (shape.dim(2), shape.dim(3)) else {
                return Err(layer.error("the shape of its weights is not known"));
            };
            let shape = Constant::from_i32(vec![2], &[channels as i32, times as i32]);
            let shape = self.constant(folded("scale_reshape/shape"), shape)?;
            multiplier = self.add(folded("scale_reshape"), "Reshape", vec![multiplier, shape])?;
        }
        let weights = self.add(within("mul_fold"), "Mul", vec![weights, multiplier])?;
        let copy = self.named(format!("{}_Fold", layer.name));
        let mut product = self.rewriting.add(copy, &layer.op, vec![input, weights], layer.attrs.clone())?;
        if let ("BatchToSpaceND", [_, others @ ..]) = (joining.op.as_str(), &joining.inputs[..]) {
            let others = others.iter().map(|&other| self.rewriting.moved(other));
            let inputs = std::iter::once(product.into()).chain(others).collect();
            let copy = self.named(format!("{}_Fold", joining.name));
            product = self.rewriting.add(copy, &joining.op, inputs, joining.attrs.clone())?;
        }
        self.add(within("add_fold"), "Add", vec![product.into(), bias])
    }

    fn constant(&mut self, name: String, value: Constant) -> Result<TensorRef> {
        let name = self.named(name);
        Ok(self.rewriting.add(name, "Const", vec![], Attrs::from([("value", Attr::Tensor(value))]))?.into())
    }

    fn add(&mut self, name: String, op: &str, inputs: Vec<TensorRef>) -> Result<TensorRef> {
        let name = self.named(name);
        Ok(self.rewriting.add(name, op, inputs, Attrs::new())?.into())
    }

    /// A free name, which is remembered.
    fn named(&mut self, name: String) -> String {
        let name = self.rewriting.unique(&name);
        self.created.insert(name.clone());
        name
    }
}
