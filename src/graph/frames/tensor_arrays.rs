//! The arrays that loops of TensorFlow 1 read and write, as lists of tensors.
//!
//! A TensorArray has a handle and a flow, a scalar that orders the operations on it: each write takes the flow and returns
//! another. A list has one tensor, which each write returns anew, so the list takes the place of the flow, and nothing reads the
//! handle. An element that was never written is zero in a list and an error in an array.
//!
//! Sources: `tensorflow/core/ops/{data_flow_ops,list_ops}.cc`; `_GraphTensorArray` and `_GraphTensorArrayV2` in
//! `tensorflow/python/ops/tensor_array_ops.py`, which have the same methods.

use hashbrown::HashMap;

use super::error;
use super::old_arrays::{as_v3, is_old_array};
use crate::error::Result;
use crate::graph::node_def::data_inputs;
use crate::graph::predicates::{is_enter, is_exit, is_merge, is_next_iteration, is_switch};
use crate::proto::attr_value::Value;
use crate::proto::{
    AttrMap, AttrValue, DataType, NodeDef, TensorProto, TensorShapeProto, tensor_shape_proto::Dim,
};

/// The nodes, in which lists take the place of arrays. Operations that lists do not have stay as they are; [`refuse`] refuses them.
pub fn as_lists(nodes: &[NodeDef]) -> Vec<NodeDef> {
    if !nodes.iter().any(is_array) {
        return nodes.to_vec();
    }
    let nodes = as_v3(nodes);
    let arrays = Arrays { by_name: nodes.iter().map(|node| (node.name.as_str(), node)).collect() };
    let mut lists = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let (list, shape) = arrays.as_list(node);
        lists.extend(shape);
        lists.push(list);
    }
    lists
}

/// Whether a node creates an array.
pub fn is_array(node: &NodeDef) -> bool {
    node.op == "TensorArrayV3" || is_old_array(node)
}

/// Refuses an operation on an array that lists do not have.
///
/// # Errors
/// If the node is one.
pub fn refuse(node: &NodeDef) -> Result<()> {
    let problem = match node.op.as_str() {
        op if op.starts_with("TensorArrayGrad") => "it computes gradients",
        op if op.starts_with("TensorArray") => "the array that it reads or writes is not known",
        _ => return Ok(()),
    };
    Err(error(node, problem).advice("choose outputs before it, or inputs after it"))
}

/// The attribute of a write that tells whether it may make the list longer.
const GROWS: &str = "resize_if_index_out_of_bounds";

/// The nodes that forward their first input, such as a flow.
pub fn is_forward(node: &NodeDef) -> bool {
    matches!(node.op.as_str(), "Identity" | "RefIdentity")
        || [is_enter, is_exit, is_merge, is_next_iteration, is_switch].iter().any(|is| is(&node.op))
}

struct Arrays<'a> {
    by_name: HashMap<&'a str, &'a NodeDef>,
}

impl<'a> Arrays<'a> {
    /// The node with lists instead of arrays, and the constant that it reads the shape of the elements from.
    fn as_list(&self, node: &'a NodeDef) -> (NodeDef, Option<NodeDef>) {
        let controls = node.input.iter().filter(|input| input.starts_with('^')).cloned();
        let inputs: Vec<String> = data_inputs(node).map(|(name, port)| self.renamed(name, port)).collect();
        let with = |op: &str, inputs: Vec<&String>, attrs: AttrMap| NodeDef {
            name: node.name.clone(),
            op: op.to_owned(),
            input: inputs.into_iter().cloned().chain(controls.clone()).collect(),
            attr: attrs,
            ..NodeDef::default()
        };
        let typed = |from: &str| {
            let dtype = node.attr.get(from).cloned().unwrap_or_default();
            let shape_type = value(Value::Type(DataType::DtInt32 as i32));
            AttrMap::from([("element_dtype".to_owned(), dtype), ("shape_type".to_owned(), shape_type)])
        };
        let shape = element_shape(node, self.element_shape(node));
        match (node.op.as_str(), &inputs[..]) {
            ("TensorArrayV3", [size]) => {
                (with("TensorListReserve", vec![&shape.name, size], typed("dtype")), Some(shape))
            }
            ("TensorArrayWriteV3", [_, index, item, flow]) => {
                let mut attrs = typed("T");
                attrs.remove("shape_type");
                attrs.insert(GROWS.to_owned(), value(Value::B(self.is_dynamic(node))));
                (with("TensorListSetItem", vec![flow, index, item], attrs), None)
            }
            ("TensorArrayReadV3", [_, index, flow]) => {
                let mut attrs = typed("dtype");
                attrs.remove("shape_type");
                (with("TensorListGetItem", vec![flow, index, &shape.name], attrs), Some(shape))
            }
            ("TensorArrayGatherV3", [_, indices, flow]) => {
                let mut attrs = typed("dtype");
                attrs.remove("shape_type");
                (with("TensorListGather", vec![flow, indices, &shape.name], attrs), Some(shape))
            }
            ("TensorArrayScatterV3", [_, indices, values, flow]) => {
                let mut attrs = typed("T");
                attrs.remove("shape_type");
                attrs.insert(GROWS.to_owned(), value(Value::B(self.is_dynamic(node))));
                (with("TensorListScatterIntoExistingList", vec![flow, values, indices], attrs), None)
            }
            // It reads as many elements as the array has.
            ("TensorArrayPack", [_, flow]) => {
                let mut attrs = typed("dtype");
                attrs.remove("shape_type");
                (with("TensorListStack", vec![flow, &shape.name], attrs), Some(shape))
            }
            // It writes as many elements as the array has.
            ("TensorArrayUnpack", [_, values, _]) => {
                (with("TensorListFromTensor", vec![values, &shape.name], typed("T")), Some(shape))
            }
            ("TensorArraySplitV3", [_, values, lengths, _]) => {
                (with("TensorListSplit", vec![values, &shape.name, lengths], typed("T")), Some(shape))
            }
            ("TensorArrayConcatV3", [_, flow]) => {
                let mut attrs = typed("dtype");
                attrs.remove("shape_type");
                let shape =
                    node.attr.get("element_shape_except0").and_then(|attr| match attr.value.as_ref()? {
                        Value::Shape(shape) if !shape.unknown_rank => Some(shape),
                        _ => None,
                    });
                let any = Dim { size: -1, ..Dim::default() };
                let of_parts = shape.map(|rest| TensorShapeProto {
                    dim: [&[any], &rest.dim[..]].concat(),
                    ..TensorShapeProto::default()
                });
                let of_any_rank = TensorShapeProto { unknown_rank: true, ..TensorShapeProto::default() };
                let shape = of_parts.unwrap_or(of_any_rank);
                attrs.insert("element_shape".to_owned(), value(Value::Shape(shape)));
                (with("TensorListConcat", vec![flow], attrs), None)
            }
            ("TensorArraySizeV3", [_, flow]) => {
                (with("TensorListLength", vec![flow], AttrMap::default()), None)
            }
            _ if is_forward(node) && self.is_flow(node) => {
                let input = inputs.into_iter().chain(controls).collect();
                let mut attr = node.attr.clone();
                attr.insert("T".to_owned(), value(Value::Type(DataType::DtVariant as i32)));
                (NodeDef { input, attr, ..node.clone() }, None)
            }
            _ => (NodeDef { input: inputs.into_iter().chain(controls).collect(), ..node.clone() }, None),
        }
    }

    /// The name of a tensor: a list has one where an array has a handle and a flow.
    fn renamed(&self, name: &str, port: usize) -> String {
        match self.by_name.get(name) {
            Some(node) if is_array(node) => name.to_owned(),
            _ if port == 0 => name.to_owned(),
            _ => format!("{name}:{port}"),
        }
    }

    /// The node and port that a tensor is forwarded from.
    fn source(&self, tensor: (&'a str, usize)) -> Option<(&'a NodeDef, usize)> {
        let mut tensor = tensor;
        // No more steps than there are nodes: a damaged graph may have a cycle.
        for _ in 0..=self.by_name.len() {
            let node = *self.by_name.get(tensor.0)?;
            if !is_forward(node) {
                return Some((node, tensor.1));
            }
            let is_next = |name: &str| self.by_name.get(name).is_some_and(|node| is_next_iteration(&node.op));
            tensor = data_inputs(node).find(|(name, _)| !is_next(name)).or(data_inputs(node).next())?;
        }
        None
    }

    /// Whether a node forwards a flow.
    fn is_flow(&self, node: &'a NodeDef) -> bool {
        self.source((&node.name, 0)).is_some_and(|(source, port)| match source.op.as_str() {
            "TensorArrayV3" => port == 1,
            op => matches!(
                op,
                "TensorArrayWriteV3" | "TensorArrayScatterV3" | "TensorArraySplitV3" | "TensorArrayUnpack"
            ),
        })
    }

    /// The array that a node reads or writes.
    fn array(&self, node: &'a NodeDef) -> Option<&'a NodeDef> {
        if is_array(node) {
            return Some(node);
        }
        let (array, _) = self.source(data_inputs(node).next()?)?;
        is_array(array).then_some(array)
    }

    /// Whether the array that a node writes to grows.
    fn is_dynamic(&self, node: &'a NodeDef) -> bool {
        let attr = self.array(node).and_then(|array| array.attr.get("dynamic_size")?.value.as_ref());
        matches!(attr, Some(Value::B(true)))
    }

    /// The shape of the elements as the node or its array has it.
    fn element_shape(&self, node: &'a NodeDef) -> Option<&'a TensorShapeProto> {
        let shape_of = |node: &'a NodeDef| match node.attr.get("element_shape")?.value.as_ref()? {
            Value::Shape(shape) if !shape.unknown_rank => Some(shape),
            _ => None,
        };
        shape_of(node).or_else(|| shape_of(self.array(node)?))
    }
}

/// A constant beside a node with the shape of elements: -1 for axes without a known length, and a scalar -1 for an unknown rank.
fn element_shape(node: &NodeDef, shape: Option<&TensorShapeProto>) -> NodeDef {
    let (dims, lengths) = match shape {
        Some(shape) => {
            let lengths: Vec<i32> =
                shape.dim.iter().map(|dim| i32::try_from(dim.size).unwrap_or(-1)).collect();
            (vec![Dim { size: lengths.len() as i64, ..Dim::default() }], lengths)
        }
        None => (vec![], vec![-1]),
    };
    let tensor = TensorProto {
        dtype: DataType::DtInt32 as i32,
        tensor_shape: Some(TensorShapeProto { dim: dims, ..TensorShapeProto::default() }),
        int_val: lengths,
        ..TensorProto::default()
    };
    let attr = AttrMap::from([
        ("dtype".to_owned(), value(Value::Type(DataType::DtInt32 as i32))),
        ("value".to_owned(), value(Value::Tensor(tensor.into()))),
    ]);
    NodeDef {
        name: format!("{}/list_element_shape", node.name),
        op: "Const".to_owned(),
        attr,
        ..NodeDef::default()
    }
}

fn value(value: Value) -> AttrValue {
    AttrValue { value: Some(value) }
}
