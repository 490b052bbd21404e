//! Variables that a saver computes from the stored tensors, such as the parameters of cuDNN's layers in `tf.contrib`: these are stored
//! as the kernels and biases of ordinary cells.
//!
//! Source: `CudnnOpaqueParamsSaveable` in `tensorflow/contrib/cudnn_rnn/python/ops/cudnn_rnn_ops.py` of TensorFlow 1.

use hashbrown::{HashMap, HashSet};

use super::variables::strings;
use crate::checkpoint::Checkpoint;
use crate::graph::is_variable;
use crate::graph::node_def::{data_inputs, past_identities};
use crate::proto::attr_value::Value;
use crate::proto::{AttrMap, AttrValue, GraphDef, NodeDef, TensorShapeProto, tensor_shape_proto::Dim};

/// The graph in which each variable that is not stored is computed as the saver computes it, of variables that are stored; `None` if
/// it has no such variables.
pub(super) fn with_restored_variables(
    definition: &GraphDef,
    checkpoint: Option<&Checkpoint>,
) -> Option<GraphDef> {
    let checkpoint = checkpoint?;
    let indices: HashMap<&str, usize> =
        definition.node.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    let graph = Restoring { definition, indices, checkpoint };
    let mut changed: Option<GraphDef> = None;
    for assign in definition.node.iter().filter(|node| node.op == "Assign") {
        let &[(variable, _), value] = &data_inputs(assign).collect::<Vec<_>>()[..] else { continue };
        let is_stored = checkpoint.get(variable).is_some();
        let Some(&index) = graph.indices.get(variable).filter(|_| !is_stored) else { continue };
        if !is_variable(&definition.node[index].op) {
            continue;
        }
        let Some(steps) = graph.steps(value) else { continue };
        let changed = changed.get_or_insert_with(|| definition.clone());
        for (step, input, key) in &steps {
            changed.node[*step].input[*input].clone_from(key);
            if !graph.indices.contains_key(key.as_str()) && changed.node.iter().all(|node| node.name != *key)
            {
                changed.node.extend(graph.stored_variable(key));
            }
        }
        let node = &mut changed.node[index];
        let dtype = node.attr.remove("dtype").unwrap_or_default();
        let input = vec![format!("{}:{}", value.0, value.1)];
        let attr = AttrMap::from([("T".to_owned(), dtype)]);
        *node = NodeDef { op: "Identity".to_owned(), input, attr, ..node.clone() };
    }
    changed
}

/// An input of a node that is a restored tensor: the index of the node, the position of the input, and the name of the tensor.
type Restored = (usize, usize, String);

struct Restoring<'a> {
    definition: &'a GraphDef,
    indices: HashMap<&'a str, usize>,
    checkpoint: &'a Checkpoint,
}

impl Restoring<'_> {
    /// The stored tensors that a value is computed of; `None` if it is one of them, or also depends on other tensors.
    fn steps(&self, (value, port): (&str, usize)) -> Option<Vec<Restored>> {
        let find = |name: &str| self.indices.get(name).map(|&index| &self.definition.node[index]);
        let (value, _) = past_identities((value, port), find);
        let (mut found, mut seen) = (vec![], HashSet::new());
        let mut open = vec![*self.indices.get(value)?];
        while let Some(index) = open.pop() {
            let node = &self.definition.node[index];
            let is_other =
                is_variable(&node.op) || node.op.starts_with("Restore") || node.op == "Placeholder";
            if is_other {
                return None;
            }
            for (position, (name, port)) in data_inputs(node).enumerate() {
                let input = *self.indices.get(name)?;
                let restore = &self.definition.node[input];
                if restore.op == "RestoreV2" {
                    found.push((index, position, self.key(restore, port)?));
                } else if seen.insert(input) {
                    open.push(input);
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// The name of the stored tensor that is an output of a node; `None` for a part of one.
    fn key(&self, restore: &NodeDef, port: usize) -> Option<String> {
        let text = |input: usize| {
            let (texts, _) = data_inputs(restore).nth(input)?;
            strings(&self.definition.node[*self.indices.get(texts)?]).into_iter().nth(port)
        };
        let key = text(1).filter(|_| text(2).is_some_and(|part| part.is_empty()))?;
        let is_variable = |&index: &usize| is_variable(&self.definition.node[index].op);
        let is_free = self.indices.get(key.as_str()).is_none_or(is_variable);
        (is_free && self.checkpoint.get(&key).is_some()).then_some(key)
    }

    /// A variable that is a stored tensor.
    fn stored_variable(&self, key: &str) -> Option<NodeDef> {
        let stored = self.checkpoint.get(key)?;
        let dim = stored.shape().iter().map(|&length| Dim { size: length as i64, ..Dim::default() });
        let shape = TensorShapeProto { dim: dim.collect(), ..TensorShapeProto::default() };
        let attr = |name: &str, value| (name.to_owned(), AttrValue { value: Some(value) });
        let dtype = Value::Type(stored.dtype().to_proto() as i32);
        Some(NodeDef {
            name: key.to_owned(),
            op: "VariableV2".to_owned(),
            attr: [attr("dtype", dtype), attr("shape", Value::Shape(shape))].into(),
            ..NodeDef::default()
        })
    }
}
