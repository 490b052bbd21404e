//! The graph with its variables as constants, as `tf.compat.v1.graph_util.convert_variables_to_constants` makes it.
//!
//! Source: `tensorflow/python/framework/convert_to_constants.py`.

use hashbrown::HashMap;

use crate::convert::{TensorFlowGraph, Variable};
use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, Node, NodeId, TensorRef};
use crate::setting::Setting;
use crate::tensor::Constant;

/// The graph of `model` with constants in place of its variables.
///
/// # Errors
/// If an op needs the variable itself, and not its value.
pub(super) fn frozen(model: &TensorFlowGraph) -> Result<Graph> {
    let values: HashMap<&str, &Constant> =
        model.variables.iter().map(|Variable { name, value, .. }| (name.as_str(), value)).collect();
    let mut frozen = Freezing {
        old: &model.graph,
        new: Graph::with_library(model.graph.library().clone()),
        ids: Vec::with_capacity(model.graph.len()),
    };
    for (_, node) in model.graph.nodes() {
        let id = match values.get(node.name.as_str()).filter(|_| node.is_variable()) {
            Some(&value) => {
                let attrs = Attrs::from([("value", Attr::Tensor(value.clone()))]);
                frozen.new.add(node.name.clone(), "Const", vec![], attrs)?
            }
            None => frozen.copy(node)?,
        };
        frozen.ids.push(id);
    }
    Ok(frozen.new)
}

struct Freezing<'g> {
    old: &'g Graph,
    new: Graph,
    /// The nodes of the new graph, by the index of the old ones.
    ids: Vec<NodeId>,
}

impl Freezing<'_> {
    /// Adds a node that is not a variable. Ops that read a variable by its handle become those that read a tensor.
    fn copy(&mut self, node: &Node) -> Result<NodeId> {
        let moved = |input: &TensorRef| TensorRef { node: self.ids[input.node.index()], port: input.port };
        let inputs: Vec<TensorRef> = node.inputs.iter().map(moved).collect();
        let name = node.name.clone();
        let is_handle = |input: &TensorRef| self.old.node(input.node).op == "VarHandleOp";
        let handles = node.inputs.iter().filter(|input| is_handle(input)).count();
        let kept = |names: &[&str]| -> Attrs {
            let attrs = node.attrs.iter().filter(|(name, _)| names.contains(name));
            attrs.map(|(name, attr)| (name.to_owned(), attr.clone())).collect()
        };
        match node.op.as_str() {
            _ if handles == 0 => {
                self.new.add_with_outputs(name, &node.op, inputs, node.attrs.clone(), &node.outputs)
            }
            "ReadVariableOp" => self.new.add(name, "Identity", inputs, Attrs::new()),
            "ResourceGather" if handles == 1 => {
                let axis = node.int("batch_dims", 0) as i32;
                let axis = Attrs::from([("value", Attr::Tensor(Constant::from_i32(vec![], &[axis])))]);
                let axis = self.new.add(format!("{name}/axis"), "Const", vec![], axis)?;
                let inputs = [&inputs[..], &[axis.into()]].concat();
                self.new.add(name, "GatherV2", inputs, kept(&["batch_dims"]))
            }
            "ResourceGatherNd" if handles == 1 => self.new.add(name, "GatherNd", inputs, Attrs::new()),
            _ => Err(node
                .error("it needs a variable itself, and not its value")
                .advice(format!("leave out {}, or freeze the graph with TensorFlow", Setting::Frozen))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph_files::test_model::model;

    #[test]
    fn variables_become_constants_and_reading_them_is_no_op() {
        for op in ["VariableV2", "VarHandleOp"] {
            let frozen = frozen(&model(op)).unwrap();
            let ops: Vec<(&str, &str)> =
                frozen.nodes().map(|(_, node)| (node.name.as_str(), node.op.as_str())).collect();
            let expected =
                [("x", "Placeholder"), ("net/w", "Const"), ("net/w/read", "Identity"), ("y", "MatMul")];
            assert_eq!(ops, expected, "{op}");
        }
    }
}
