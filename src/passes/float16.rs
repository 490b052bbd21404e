//! Weights and arithmetic in float16: the input computes in float32; the output computes the same in float16
//! wherever an op is known to tolerate it. The model's inputs and outputs stay float32.
//!
//! A `Cast` converts a value from one to the other, once for all its readers. Constants need no `Cast`: they
//! are rounded when they are written. Batch norms normalize float16 by float32 statistics, as TensorFlow's own
//! `FusedBatchNormV3` does: a variance may be too small for float16.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use serde::Serialize;

use super::compared::compared_with_chosen;
use crate::error::{Error, Result};
use crate::graph::{Attr, Attrs, Graph, Moved, Node, NodeId, TensorMap, TensorRef};
use crate::setting::Setting;
use crate::tensor::DType;

/// The first operator set in which a batch norm may have statistics of another type than its input.
/// Source: <https://onnx.ai/onnx/operators/onnx__BatchNormalization.html>.
const MIXED_BATCH_NORM_SINCE: i64 = 15;

/// The types in which the ops that compute with floats were converted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Float16 {
    /// How many compute in float16.
    pub narrowed: usize,
    /// How many stayed in float32, by op.
    pub kept: BTreeMap<String, usize>,
}

impl std::fmt::Display for Float16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ops = if self.narrowed == 1 { "op and its" } else { "ops and their" };
        write!(f, "float16 for {} {ops} weights", self.narrowed)?;
        if self.kept.is_empty() {
            return Ok(());
        }
        let kept: Vec<String> = self.kept.iter().map(|(op, count)| format!("{count} {op}")).collect();
        write!(f, ", float32 for {}", kept.join(", "))
    }
}

/// Lets a graph compute in float16. The model's `outputs` stay float32; `kept` are ops, nodes and scopes that the user wants in
/// float32.
///
/// # Errors
/// If an entry of `kept` names nothing in the graph, or the new graph is not valid.
pub fn to_float16(
    graph: &Graph,
    outputs: &[TensorRef],
    kept: &[String],
    opset: i64,
) -> Result<(Graph, Moved, Float16)> {
    let is_named =
        |node: &Node, name: &str| node.op == name || node.name == name || is_in_scope(&node.name, name);
    if let Some(name) = kept.iter().find(|name| !graph.nodes().any(|(_, node)| is_named(node, name))) {
        return Err(Error::new(
            Setting::KeepFloat32.to(name),
            "the graph has no op, node or scope of that name",
        )
        .advice("name a TensorFlow op such as Softmax, or the beginning of nodes' names"));
    }
    let mut narrowing = Narrowing {
        old: graph,
        new: Graph::with_library(graph.library().clone()),
        outputs: outputs.iter().copied().collect(),
        versions: HashMap::new(),
        summary: Float16 { narrowed: 0, kept: BTreeMap::new() },
    };
    let compared = compared_with_chosen(graph);
    for (id, node) in graph.nodes() {
        let is_kept = kept.iter().any(|name| is_named(node, name))
            || compared.contains(&id)
            || (opset < MIXED_BATCH_NORM_SINCE && node.is_batch_norm());
        narrowing.add(id, node, is_kept)?;
    }
    let Narrowing { new, versions, summary, .. } = narrowing;
    let has_its_type = |((old, dtype), new): ((TensorRef, DType), TensorRef)| {
        (graph.tensor_type(old).dtype == dtype).then_some((old, new))
    };
    let moved = Moved::by_tensors(TensorMap::of(graph, versions.into_iter().filter_map(has_its_type)));
    Ok((new, moved, summary))
}

fn is_in_scope(name: &str, scope: &str) -> bool {
    name.strip_prefix(scope.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

struct Narrowing<'a> {
    old: &'a Graph,
    new: Graph,
    outputs: HashSet<TensorRef>,
    /// The new tensor for a tensor of the old graph, by the type that its readers need.
    versions: HashMap<(TensorRef, DType), TensorRef>,
    summary: Float16,
}

impl Narrowing<'_> {
    fn add(&mut self, id: NodeId, node: &Node, is_kept: bool) -> Result<()> {
        let tensors: Vec<TensorRef> =
            (0..node.outputs.len()).map(|port| TensorRef { node: id, port }).collect();
        let is_float = |tensor: &TensorRef| self.old.tensor_type(*tensor).dtype == DType::Float32;
        if node.constant().is_some() && tensors.iter().all(is_float) {
            // Added when a node reads it, as the type that the node needs.
            for tensor in tensors {
                if self.outputs.contains(&tensor) {
                    self.version(tensor, DType::Float32)?;
                }
            }
            return Ok(());
        }
        let is_output = tensors.iter().any(|tensor| self.outputs.contains(tensor));
        if only_forwards(node) && !is_output {
            return Ok(());
        }
        let computes = node.inputs.iter().any(is_float) && tensors.iter().any(is_float);
        let is_narrowed = computes
            && crate::ops::find(&node.op).is_some_and(|op| op.float16)
            && !is_kept
            // An output has the name of its node, and the Cast to float32 would need that name.
            && !(is_output && tensors.len() > 1 && !node.is_batch_norm());
        if is_narrowed {
            self.summary.narrowed += 1;
        } else if computes && !only_forwards(node) && node.op != "IdentityN" {
            *self.summary.kept.entry(node.op.clone()).or_default() += 1;
        }
        let wanted = if is_narrowed { DType::Float16 } else { DType::Float32 };
        let mut inputs = vec![];
        for (index, &input) in node.inputs.iter().enumerate() {
            let is_statistic = node.is_batch_norm() && index > 0;
            inputs.push(self.version(input, if is_statistic { DType::Float32 } else { wanted })?);
        }
        let attrs = if is_narrowed { narrowed_attrs(node) } else { node.attrs.clone() };
        let name = if is_narrowed && is_output {
            self.unique(&format!("{}/float16", node.name))
        } else {
            self.unique(&node.name)
        };
        let new = self.new.add_with_outputs(name, &node.op, inputs, attrs, &node.outputs)?;
        for tensor in tensors {
            let version = TensorRef { node: new, port: tensor.port };
            let (was, is) = (self.old.tensor_type(tensor).dtype, self.new.tensor_type(version).dtype);
            let key = if was == DType::Float32 && is == DType::Float16 { is } else { was };
            self.versions.insert((tensor, key), version);
            if key != was && self.outputs.contains(&tensor) {
                self.version(tensor, was)?;
            }
        }
        Ok(())
    }

    /// The new tensor for a tensor: of this type where it is a float, and of its own type otherwise.
    fn version(&mut self, tensor: TensorRef, wanted: DType) -> Result<TensorRef> {
        let tensor = self.forwarded_from(tensor);
        let (node, dtype) = (self.old.node(tensor.node), self.old.tensor_type(tensor).dtype);
        let wanted = if dtype == DType::Float32 { wanted } else { dtype };
        if let Some(&found) = self.versions.get(&(tensor, wanted)) {
            return Ok(found);
        }
        let name = self.version_name(node, tensor, wanted);
        let version = match (node.constant(), self.other_version(tensor, wanted)) {
            (Some(constant), _) if dtype == DType::Float32 => {
                let value = if wanted == DType::Float16 { constant.to_float16() } else { constant.clone() };
                self.new.add(name, "Const", vec![], [("value", Attr::Tensor(value))].into())?
            }
            (_, Some(other)) => {
                let attrs = Attrs::from([("DstT", Attr::Type(wanted))]);
                self.new.add(name, "Cast", vec![other], attrs)?
            }
            (_, None) => return Err(node.error("it is read before it is computed")),
        };
        self.versions.insert((tensor, wanted), version.into());
        Ok(version.into())
    }

    /// The tensor that a tensor is forwarded from. The readers choose the type, not the nodes that forward it.
    fn forwarded_from(&self, tensor: TensorRef) -> TensorRef {
        match self.old.node(tensor.node) {
            node if only_forwards(node) && !self.outputs.contains(&tensor) => {
                self.forwarded_from(node.inputs[0])
            }
            _ => tensor,
        }
    }

    fn other_version(&self, tensor: TensorRef, wanted: DType) -> Option<TensorRef> {
        let other = if wanted == DType::Float16 { DType::Float32 } else { DType::Float16 };
        self.versions.get(&(tensor, other)).copied()
    }

    /// A node's own name for its first version, and another name for the second one.
    fn version_name(&self, node: &Node, tensor: TensorRef, wanted: DType) -> String {
        if tensor.port == 0 && self.new.find(&node.name).is_none() {
            return node.name.clone();
        }
        let port = if tensor.port == 0 { String::new() } else { format!("_{}", tensor.port) };
        self.unique(&format!("{}/{wanted}{port}", node.name))
    }

    fn unique(&self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.new.find(&unique).is_some() {
            unique.push('_');
        }
        unique
    }
}

/// Whether a node only forwards its one input.
fn only_forwards(node: &Node) -> bool {
    node.forwarded(0).is_some() && node.inputs.len() == 1
}

/// The attributes of a node with float16 instead of float32, except the type of a batch norm's statistics.
fn narrowed_attrs(node: &Node) -> Attrs {
    let types: Vec<&'static str> = ["T", "dtype", "Tparams", "preferred_element_type"]
        .into_iter()
        .filter(|name| node.dtype(name) == Some(DType::Float32))
        .collect();
    let mut attrs = node.attrs.clone();
    for name in types {
        attrs.insert(name, Attr::Type(DType::Float16));
    }
    attrs
}
