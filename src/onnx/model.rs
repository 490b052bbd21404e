//! An ONNX model whose initializers are recipes instead of bytes.

use onnx_protobuf::tensor_proto::DataType;
use onnx_protobuf::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_shape_proto, type_proto,
};

use crate::tensor::{Constant, DType};

/// ONNX's number of an element type; `None` where ONNX has no such type.
pub fn onnx_dtype(dtype: DType) -> Option<i32> {
    Some(match dtype {
        DType::Float32 => DataType::FLOAT,
        DType::Float64 => DataType::DOUBLE,
        DType::Float16 => DataType::FLOAT16,
        DType::BFloat16 => DataType::BFLOAT16,
        DType::Int8 | DType::QInt8 => DataType::INT8,
        DType::Int16 | DType::QInt16 => DataType::INT16,
        DType::Int32 | DType::QInt32 => DataType::INT32,
        DType::Int64 => DataType::INT64,
        DType::UInt8 | DType::QUInt8 => DataType::UINT8,
        DType::UInt16 | DType::QUInt16 => DataType::UINT16,
        DType::UInt32 => DataType::UINT32,
        DType::UInt64 => DataType::UINT64,
        DType::Bool => DataType::BOOL,
        DType::Complex64 => DataType::COMPLEX64,
        DType::Complex128 => DataType::COMPLEX128,
        DType::String => DataType::STRING,
        DType::Resource | DType::Variant => return None,
    } as i32)
}

/// The length of one axis of a model's input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// Always this.
    Known(usize),
    /// Open, under a name: axes of the same name have the same length.
    Named(String),
    /// Open.
    Unknown,
}

/// An input or output of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape; `None` where not even the rank is known.
    pub shape: Option<Vec<Dim>>,
}

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the variants are the types' own names
pub enum Attribute {
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
}

/// An ONNX node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name, unique in the model.
    pub name: String,
    /// The ONNX operator.
    pub op: &'static str,
    /// Names of the tensors it reads; empty for an optional one that is left out.
    pub inputs: Vec<String>,
    /// Names of the tensors it computes.
    pub outputs: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<(&'static str, Attribute)>,
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
    /// Its inputs.
    pub inputs: Vec<TensorInfo>,
    /// Its outputs.
    pub outputs: Vec<TensorInfo>,
    /// Its nodes, each after those it reads.
    pub nodes: Vec<Node>,
    /// The tensors that are part of it.
    pub initializers: Vec<Initializer>,
    /// What is to be known about the model: pairs of a key and a text.
    pub metadata: Vec<(String, String)>,
}

impl Model {
    /// The number of nodes of this operator.
    pub fn count_nodes(&self, op: &str) -> usize {
        self.nodes.iter().filter(|node| node.op == op).count()
    }

    /// The messages of the model without its graph, and of the graph without its initializers. The writer adds
    /// what is left out here.
    pub(super) fn messages(&self) -> (ModelProto, GraphProto) {
        let graph = GraphProto {
            name: self.name.clone(),
            node: self.nodes.iter().map(node_message).collect(),
            input: self.inputs.iter().map(tensor_info_message).collect(),
            output: self.outputs.iter().map(tensor_info_message).collect(),
            ..Default::default()
        };
        let opset = OperatorSetIdProto { version: self.opset, ..Default::default() };
        let metadata = self.metadata.iter().map(|(key, value)| StringStringEntryProto {
            key: key.clone(),
            value: value.clone(),
            ..Default::default()
        });
        let model = ModelProto {
            ir_version: ir_version(self.opset),
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            opset_import: vec![opset],
            metadata_props: metadata.collect(),
            ..Default::default()
        };
        (model, graph)
    }
}

/// The least format version that has this operator set.
///
/// Source: the table in <https://onnx.ai/onnx/repo-docs/Versioning.html>.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        _ => 10,
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

fn node_message(node: &Node) -> NodeProto {
    NodeProto {
        name: node.name.clone(),
        op_type: node.op.to_owned(),
        input: node.inputs.clone(),
        output: node.outputs.clone(),
        attribute: node.attributes.iter().map(|(name, value)| attribute_message(name, value)).collect(),
        ..Default::default()
    }
}

fn attribute_message(name: &str, value: &Attribute) -> AttributeProto {
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
    };
    message.type_ = kind.into();
    message
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
