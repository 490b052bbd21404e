//! An ONNX model whose initializers are recipes instead of bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use onnx_protobuf::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_shape_proto, type_proto,
};

use super::dtype::onnx_dtype;
use crate::error::Result;
use crate::file_state::FileState;
use crate::tensor::{Constant, DType};

/// The length of an axis of an input or output. In JSON, it is the length, the name, or `null`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Dim {
    /// A fixed length.
    Known(usize),
    /// A variable length with a name: axes of the same name have the same length.
    Named(String),
    /// A variable length.
    Unknown,
}

impl Dim {
    /// The axes of an input or output. A first axis of variable length is the batch.
    pub fn of_axes(dims: &[Option<usize>]) -> Vec<Self> {
        let dim = |(axis, dim): (usize, &Option<usize>)| match dim {
            Some(length) => Self::Known(*length),
            None if axis == 0 => Self::Named("batch".to_owned()),
            None => Self::Unknown,
        };
        dims.iter().enumerate().map(dim).collect()
    }
}

/// An input or output of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape; `None` if the rank is not known.
    pub shape: Option<Vec<Dim>>,
}

/// The attributes of a node, by name.
pub type Attributes = Vec<(&'static str, Attribute)>;

/// An attribute of a node.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the variants are the types' own names
pub enum Attribute {
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Texts(Vec<Vec<u8>>),
    Tensor(Constant),
    Graph(Graph),
}

/// The domain of ONNX's operators for classical machine learning.
pub const ML_DOMAIN: &str = "ai.onnx.ml";

/// The domain of TensorFlow ops that are written unchanged.
pub const TENSORFLOW_DOMAIN: &str = "ai.onnx.converters.tensorflow";

/// A graph inside a node: a branch of a conditional, or the body of a loop. Its nodes can read the values of the graphs
/// around it by name, so it needs no initializers.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// Its inputs.
    pub inputs: Vec<TensorInfo>,
    /// Its outputs.
    pub outputs: Vec<TensorInfo>,
    /// Its nodes, each after the nodes that it reads from.
    pub nodes: Vec<Node>,
}

/// An ONNX node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name, unique in the model.
    pub name: String,
    /// The operator.
    pub op: Cow<'static, str>,
    /// The domain of the operator; empty for ONNX's default domain.
    pub domain: Cow<'static, str>,
    /// The names of its inputs; empty for an omitted optional input.
    pub inputs: Vec<String>,
    /// The names of its outputs.
    pub outputs: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<(Cow<'static, str>, Attribute)>,
}

impl Node {
    /// The graphs among its attributes.
    pub fn graphs(&self) -> impl Iterator<Item = &Graph> {
        self.attributes.iter().filter_map(|(_, attribute)| match attribute {
            Attribute::Graph(graph) => Some(graph),
            _ => None,
        })
    }

    /// The graphs among its attributes, mutable.
    pub fn graphs_mut(&mut self) -> impl Iterator<Item = &mut Graph> {
        self.attributes.iter_mut().filter_map(|(_, attribute)| match attribute {
            Attribute::Graph(graph) => Some(graph),
            _ => None,
        })
    }

    /// Calls `visit` with every name that the node or its graphs read.
    pub fn visit_reads<'n>(&'n self, visit: &mut dyn FnMut(&'n str)) {
        self.inputs.iter().for_each(|input| visit(input));
        for graph in self.graphs() {
            graph.nodes.iter().for_each(|node| node.visit_reads(visit));
            graph.outputs.iter().for_each(|output| visit(&output.name));
        }
    }

    /// Makes the node and its graphs read `to` instead of `from`.
    pub fn rename_reads(&mut self, from: &str, to: &str) {
        for input in self.inputs.iter_mut().filter(|input| *input == from) {
            to.clone_into(input);
        }
        for node in self.graphs_mut().flat_map(|graph| &mut graph.nodes) {
            node.rename_reads(from, to);
        }
    }
}

/// A tensor that is part of the model.
#[derive(Debug, Clone)]
pub struct Initializer {
    /// Its name.
    pub name: String,
    /// The recipe for its elements.
    pub value: Constant,
}

/// An ONNX model.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The graph's name.
    pub name: String,
    /// The version of the default operator set.
    pub opset: i64,
    /// The versions of other domains, where they are not those that the operators need.
    pub extra_opsets: Vec<(String, i64)>,
    /// Its inputs.
    pub inputs: Vec<TensorInfo>,
    /// Its outputs.
    pub outputs: Vec<TensorInfo>,
    /// Its nodes, each after the nodes that it reads from.
    pub nodes: Vec<Node>,
    /// Its initializers.
    pub initializers: Vec<Initializer>,
    /// Its metadata: pairs of a key and a text.
    pub metadata: Vec<(String, String)>,
    /// The state of the files that its initializers are read from, when they were opened.
    pub sources: Vec<FileState>,
}

impl Model {
    /// The number of nodes with this operator, including those inside loops and conditionals.
    pub fn count_nodes(&self, op: &str) -> usize {
        fn count(nodes: &[Node], op: &str) -> usize {
            let nested = |node: &Node| node.graphs().map(|graph| count(&graph.nodes, op)).sum::<usize>();
            nodes.iter().map(|node| usize::from(node.op == op) + nested(node)).sum()
        }
        count(&self.nodes, op)
    }

    /// The domains of the model's operators, each with the required version.
    fn domains(&self) -> BTreeMap<&str, i64> {
        fn collect<'m>(nodes: &'m [Node], domains: &mut BTreeMap<&'m str, i64>) {
            for node in nodes {
                // LabelEncoder has keys and values of all types since version 2 of its domain.
                domains.insert(&node.domain, if node.domain == ML_DOMAIN { 2 } else { 1 });
                node.graphs().for_each(|graph| collect(&graph.nodes, domains));
            }
        }
        let mut domains = BTreeMap::new();
        collect(&self.nodes, &mut domains);
        domains.extend(self.extra_opsets.iter().map(|(domain, version)| (domain.as_str(), *version)));
        domains.insert("", self.opset);
        domains
    }

    /// The message of the model without its graph, and the message of the graph without its nodes and initializers. The writer adds
    /// the missing parts.
    pub(super) fn messages(&self) -> (ModelProto, GraphProto) {
        let graph = GraphProto {
            name: self.name.clone(),
            input: self.inputs.iter().map(tensor_info_message).collect(),
            output: self.outputs.iter().map(tensor_info_message).collect(),
            ..Default::default()
        };
        let opsets = self.domains().into_iter().map(|(domain, version)| OperatorSetIdProto {
            domain: domain.to_owned(),
            version,
            ..Default::default()
        });
        let metadata = self.metadata.iter().map(|(key, value)| StringStringEntryProto {
            key: key.clone(),
            value: value.clone(),
            ..Default::default()
        });
        let model = ModelProto {
            ir_version: ir_version(self.opset),
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            opset_import: opsets.collect(),
            metadata_props: metadata.collect(),
            ..Default::default()
        };
        (model, graph)
    }
}

/// The minimum IR version for this operator set.
///
/// Source: the table in <https://onnx.ai/onnx/repo-docs/Versioning.html>.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23 => 11,
        24 => 12,
        25..=27 => 13,
        _ => 14,
    }
}

impl Initializer {
    /// The message without its elements.
    pub(super) fn message(&self) -> TensorProto {
        TensorProto {
            name: self.name.clone(),
            dims: self.value.shape().iter().map(|&dim| dim as i64).collect(),
            data_type: onnx_dtype(self.value.dtype()).unwrap_or(0),
            ..Default::default()
        }
    }
}

fn node_messages(nodes: &[Node]) -> Result<Vec<NodeProto>> {
    let message = |node: &Node| {
        let mut message = NodeProto::default();
        fill_message(&mut message, node)?;
        Ok(message)
    };
    nodes.iter().map(message).collect()
}

/// Turns a message into that of this node, in the memory that it has: a model has many nodes.
///
/// # Errors
/// If a tensor in an attribute cannot be read.
pub(super) fn fill_message(message: &mut NodeProto, node: &Node) -> Result<()> {
    message.name.clone_from(&node.name);
    node.op.as_ref().clone_into(&mut message.op_type);
    node.domain.as_ref().clone_into(&mut message.domain);
    message.input.clone_from(&node.inputs);
    message.output.clone_from(&node.outputs);
    let attributes = node.attributes.iter().map(|(name, value)| attribute_message(name, value));
    message.attribute = attributes.collect::<Result<_>>()?;
    Ok(())
}

fn attribute_message(name: &str, value: &Attribute) -> Result<AttributeProto> {
    let mut message = AttributeProto { name: name.to_owned(), ..Default::default() };
    let kind = match value {
        Attribute::Int(value) => {
            message.i = *value;
            AttributeType::INT
        }
        Attribute::Float(value) => {
            message.f = *value;
            AttributeType::FLOAT
        }
        Attribute::Text(value) => {
            message.s = value.clone().into_bytes();
            AttributeType::STRING
        }
        Attribute::Ints(values) => {
            message.ints.clone_from(values);
            AttributeType::INTS
        }
        Attribute::Floats(values) => {
            message.floats.clone_from(values);
            AttributeType::FLOATS
        }
        Attribute::Texts(values) => {
            message.strings.clone_from(values);
            AttributeType::STRINGS
        }
        Attribute::Tensor(value) => {
            message.t = Some(tensor_message(value)?).into();
            AttributeType::TENSOR
        }
        Attribute::Graph(graph) => {
            message.g = Some(graph_message(graph)?).into();
            AttributeType::GRAPH
        }
    };
    message.type_ = kind.into();
    Ok(message)
}

/// A tensor with its elements.
fn tensor_message(value: &Constant) -> Result<TensorProto> {
    let mut message = Initializer { name: String::new(), value: value.clone() }.message();
    match value.dtype() {
        DType::String => message.string_data = value.strings()?,
        _ => message.raw_data = value.bytes()?.into_owned(),
    }
    Ok(message)
}

fn graph_message(graph: &Graph) -> Result<GraphProto> {
    Ok(GraphProto {
        name: graph.name.clone(),
        node: node_messages(&graph.nodes)?,
        input: graph.inputs.iter().map(tensor_info_message).collect(),
        output: graph.outputs.iter().map(tensor_info_message).collect(),
        ..Default::default()
    })
}

fn tensor_info_message(info: &TensorInfo) -> ValueInfoProto {
    let mut tensor =
        type_proto::Tensor { elem_type: onnx_dtype(info.dtype).unwrap_or(0), ..Default::default() };
    if let Some(dims) = &info.shape {
        let dim = dims.iter().map(dimension_message).collect();
        tensor.shape = Some(TensorShapeProto { dim, ..Default::default() }).into();
    }
    let type_ = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: info.name.clone(), type_: Some(type_).into(), ..Default::default() }
}

fn dimension_message(dim: &Dim) -> tensor_shape_proto::Dimension {
    use tensor_shape_proto::dimension::Value;
    let value = match dim {
        Dim::Known(length) => Some(Value::DimValue(*length as i64)),
        Dim::Named(name) => Some(Value::DimParam(name.clone())),
        Dim::Unknown => None,
    };
    tensor_shape_proto::Dimension { value, ..Default::default() }
}
