//! Summaries of graphs, of TensorFlow's and of ONNX's: their nodes, and the inputs and outputs of a converted model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hashbrown::HashSet;
use serde::Serialize;

use crate::convert::{Examination, FunctionTensor, Note, ObjectFunction, is_callable};
use crate::error::Result;
use crate::graph::{Shape, TensorType, node_def};
use crate::onnx::proto::{ValueInfoProto, tensor_shape_proto::dimension, type_proto};
use crate::onnx::{Dim, OnnxFile, TensorInfo, type_name};
use crate::proto::{NodeDef, SignatureDef, TensorInfo as SignatureInfo, tensor_info};
use crate::source::{GraphFile, GraphKind, Source};
use crate::tensor::DType;

/// The summary of a graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphSummary {
    /// The file it is in.
    pub path: PathBuf,
    /// `GraphDef`, `MetaGraph`, `SavedModel` or `ONNX`.
    pub kind: &'static str,
    /// The version of TensorFlow that wrote it.
    pub tensorflow_version: Option<String>,
    /// The tags of a SavedModel's graph.
    pub tags: Vec<String>,
    /// The number of its nodes, without those of its functions.
    pub nodes: usize,
    /// The number of its functions.
    pub functions: usize,
    /// The ops of all nodes, including those in functions and in other nodes, the most frequent first.
    pub ops: Vec<OpCount>,
    /// Its placeholders.
    pub placeholders: Vec<TensorSummary>,
    /// Its variables.
    pub variables: Vec<TensorSummary>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
    /// The functions of a SavedModel's root object, which a conversion can use as signatures.
    pub object_functions: Vec<FunctionSummary>,
    /// The signature that a conversion would use.
    pub signature: Option<String>,
    /// The inputs that the ONNX model has, or would have.
    pub inputs: Vec<TensorSummary>,
    /// The outputs that it has, or would have.
    pub outputs: Vec<TensorSummary>,
    /// The ops that cannot be converted; `None` if that is not known.
    pub missing_ops: Option<Vec<OpCount>>,
    /// Why it cannot be converted.
    pub problem: Option<String>,
    /// What a conversion would assume of it.
    pub notes: Vec<Note>,
}

/// An op, and the number of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpCount {
    /// The op; in another domain, `domain.op`.
    pub op: String,
    /// How many nodes.
    pub count: usize,
}

/// A tensor of a graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// The name of its type: TensorFlow's where TensorFlow has it.
    pub dtype: String,
    /// For each axis a number, or a name or `null` for an open length; `None` if the rank is not known.
    pub shape: Option<Vec<serde_json::Value>>,
}

/// A signature of a graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Signature {
    /// Its name.
    pub name: String,
    /// Its method: `tensorflow/serving/predict`.
    pub method: String,
    /// Its inputs, by key.
    pub inputs: BTreeMap<String, SignatureTensor>,
    /// Its outputs, by key.
    pub outputs: BTreeMap<String, SignatureTensor>,
}

/// A function of a SavedModel's root object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionSummary {
    /// The name of its method, with a number if the method was traced several times: `__call__:1`.
    pub name: String,
    /// What the method is called with that is not a tensor: `training=False`.
    pub settings: Vec<String>,
    /// The tensors that it takes.
    pub inputs: Vec<TensorSummary>,
    /// The tensors that it returns.
    pub outputs: Vec<TensorSummary>,
}

/// A tensor of a signature; one of composite type has no name.
pub type SignatureTensor = TensorSummary;

impl GraphSummary {
    /// The summary of the graph of a model. `examined` is what a conversion would make of it.
    pub fn of_model(model: &Source, file: &GraphFile, examined: Result<Option<Examination>>) -> Self {
        let definition = file.definition();
        let info = file.meta().meta_info_def.as_ref();
        let functions = definition.library.as_ref().map(|library| &library.function[..]).unwrap_or_default();
        let all = definition.node.iter().chain(functions.iter().flat_map(|function| &function.node_def));
        let of = |ops: &[&str]| -> Vec<TensorSummary> {
            let nodes = definition.node.iter().filter(|node| ops.contains(&node.op.as_str()));
            nodes.map(TensorSummary::of_node).collect()
        };
        let mut summary = Self {
            path: model.shown_path(file.path()),
            kind: match file.kind() {
                GraphKind::GraphDef => "GraphDef",
                GraphKind::MetaGraph => "MetaGraph",
                GraphKind::SavedModel => "SavedModel",
                GraphKind::TfjsGraphModel => "TensorFlow.js graph model",
            },
            tensorflow_version: info.map(|info| info.tensorflow_version.clone()).filter(|v| !v.is_empty()),
            tags: info.map(|info| info.tags.clone()).unwrap_or_default(),
            nodes: definition.node.len(),
            functions: functions.len(),
            ops: count_ops(all.map(|node| node.op.clone())),
            placeholders: of(&["Placeholder", "PlaceholderV2", "PlaceholderWithDefault"]),
            variables: of(&["Variable", "VariableV2", "VarHandleOp"]),
            signatures: signatures(file),
            object_functions: object_functions(file),
            signature: None,
            inputs: vec![],
            outputs: vec![],
            missing_ops: None,
            problem: None,
            notes: vec![],
        };
        match examined {
            Ok(None) => {}
            Err(error) => summary.problem = Some(model.error(error).to_string()),
            Ok(Some(examined)) => {
                summary.signature = examined.origin.signature;
                summary.inputs = examined.inputs.iter().map(TensorSummary::new).collect();
                summary.outputs = examined.outputs.iter().map(TensorSummary::new).collect();
                summary.notes = examined.notes;
                let missing = examined.missing_ops.into_iter().map(|(op, count)| OpCount { op, count });
                summary.missing_ops = Some(missing.collect());
                summary.problem = examined.problem.map(|error| model.error(error).to_string());
            }
        }
        summary
    }

    /// The graph of an ONNX model.
    pub fn of_onnx(file: &OnnxFile) -> Self {
        let graph = file.graph();
        let mut ops = vec![];
        file.visit_nodes(&mut |node| {
            let is_default = matches!(node.domain.as_str(), "" | "ai.onnx");
            let domain = if is_default { String::new() } else { format!("{}.", node.domain) };
            ops.push(domain + &node.op_type);
        });
        // Models of the first versions list their initializers among their inputs.
        let initializers: HashSet<&str> = file.tensors().iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|input| !initializers.contains(input.name.as_str()));
        Self {
            path: file.path().to_owned(),
            kind: "ONNX",
            tensorflow_version: None,
            tags: vec![],
            nodes: graph.node.len(),
            functions: file.model().functions.len(),
            ops: count_ops(ops.into_iter()),
            placeholders: vec![],
            variables: vec![],
            signatures: vec![],
            object_functions: vec![],
            signature: None,
            inputs: inputs.map(TensorSummary::of_value).collect(),
            outputs: graph.output.iter().map(TensorSummary::of_value).collect(),
            missing_ops: None,
            problem: None,
            notes: vec![],
        }
    }
}

/// The number of nodes of each op, the most frequent first.
fn count_ops(ops: impl Iterator<Item = String>) -> Vec<OpCount> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    ops.for_each(|op| *counts.entry(op).or_default() += 1);
    let mut counts: Vec<OpCount> = counts.into_iter().map(|(op, count)| OpCount { op, count }).collect();
    counts.sort_by_key(|op| std::cmp::Reverse(op.count));
    counts
}

fn object_functions(file: &GraphFile) -> Vec<FunctionSummary> {
    let tensors = |tensors: Vec<FunctionTensor>| -> Vec<TensorSummary> {
        let summary = |tensor: FunctionTensor| {
            let shape = node_def::shape(&tensor.shape);
            TensorSummary::of(&tensor.name, DType::from_proto(tensor.dtype), Some(&shape))
        };
        tensors.into_iter().map(summary).collect()
    };
    let functions = ObjectFunction::all(file.meta()).into_iter().map(|function| FunctionSummary {
        inputs: tensors(function.inputs()),
        outputs: tensors(function.outputs()),
        name: function.name,
        settings: function.settings,
    });
    functions.collect()
}

fn signatures(file: &GraphFile) -> Vec<Signature> {
    let tensors = |infos: &BTreeMap<String, SignatureInfo>| {
        infos.iter().map(|(key, info)| (key.clone(), TensorSummary::of_signature(info))).collect()
    };
    let signature = |(name, signature): (&String, &SignatureDef)| Signature {
        name: name.clone(),
        method: signature.method_name.clone(),
        inputs: tensors(&signature.inputs),
        outputs: tensors(&signature.outputs),
    };
    let callable = file.meta().signature_def.iter().filter(|(name, signature)| is_callable(name, signature));
    let mut signatures: Vec<Signature> = callable.map(signature).collect();
    signatures.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    signatures
}

impl TensorSummary {
    /// A model's input or output.
    pub fn new(info: &TensorInfo) -> Self {
        let dim = |dim: &Dim| match dim {
            Dim::Known(length) => (*length).into(),
            Dim::Named(name) => name.as_str().into(),
            Dim::Unknown => serde_json::Value::Null,
        };
        let shape = info.shape.as_ref().map(|dims| dims.iter().map(dim).collect());
        Self { name: info.name.clone(), dtype: info.dtype.name().to_owned(), shape }
    }

    /// A tensor of TensorFlow's graph.
    pub fn of_tensor(name: &str, known: &TensorType) -> Self {
        Self::of(name, Some(known.dtype), Some(&known.shape))
    }

    fn of(name: &str, dtype: Option<DType>, shape: Option<&Shape>) -> Self {
        let dims = shape.and_then(Shape::dims);
        Self {
            name: name.to_owned(),
            dtype: dtype.map_or("unknown", DType::name).to_owned(),
            shape: dims.map(|dims| dims.iter().map(|&dim| dim.into()).collect()),
        }
    }

    /// The type and shape that a placeholder or a variable declares.
    fn of_node(node: &NodeDef) -> Self {
        Self::of(&node.name, node_def::declared_type(node), node_def::declared_shape(node).as_ref())
    }

    fn of_signature(info: &SignatureInfo) -> Self {
        let name = match &info.encoding {
            Some(tensor_info::Encoding::Name(name)) => name.as_str(),
            Some(tensor_info::Encoding::CooSparse(sparse)) => sparse.values_tensor_name.as_str(),
            Some(tensor_info::Encoding::CompositeTensor(_)) | None => "",
        };
        let shape = info.tensor_shape.as_ref().map(node_def::shape);
        Self::of(name, DType::from_proto(info.dtype), shape.as_ref())
    }

    /// An input or output of an ONNX model.
    fn of_value(info: &ValueInfoProto) -> Self {
        let tensor = match info.r#type.as_ref().and_then(|value_type| value_type.value.as_ref()) {
            Some(type_proto::Value::TensorType(tensor)) => tensor,
            Some(type_proto::Value::SequenceType(_)) => {
                return Self { name: info.name.clone(), dtype: "sequence".to_owned(), shape: None };
            }
            None => return Self { name: info.name.clone(), dtype: "unknown".to_owned(), shape: None },
        };
        let dim = |value: &Option<dimension::Value>| match value {
            Some(dimension::Value::DimValue(length)) => (*length).into(),
            Some(dimension::Value::DimParam(name)) => name.as_str().into(),
            None => serde_json::Value::Null,
        };
        let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(|d| dim(&d.value)).collect());
        Self { name: info.name.clone(), dtype: type_name(tensor.elem_type), shape }
    }
}

impl std::fmt::Display for TensorSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dim = |dim: &serde_json::Value| match dim {
            serde_json::Value::String(name) => name.clone(),
            serde_json::Value::Null => "?".to_owned(),
            length => length.to_string(),
        };
        write!(f, "{} {}", self.name, self.dtype)?;
        match &self.shape {
            Some(dims) => write!(f, " [{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", ")),
            None => f.write_str(" of any shape"),
        }
    }
}

impl std::fmt::Display for OpCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.count, self.op)
    }
}
