//! What is in a file: the kind and the statistics of each tensor, the inputs and outputs of a graph, and findings that the
//! user should know before a conversion.

mod batch_norms;
mod draft;
mod findings;
mod graph;
mod identify;
mod layers;
mod onnx;
mod tensors;

pub use crate::checkpoint::kind::{Kind, kind_of};
pub use batch_norms::{BatchNormEntry, Parts, batch_norms_by_name, batch_norms_of_onnx, summary};
pub use draft::draft;
pub use findings::{Finding, conversion_fails, findings, unused_variables};
pub use graph::{FunctionSummary, GraphSummary, OpCount, Signature, SignatureTensor, TensorSummary};
pub use identify::{Identified, IdentifiedNetwork, conversion_problem, identify};
pub use layers::{LayerEntry, LayerKind, Variable, layers, layers_in};
pub use onnx::{External, OnnxSummary};
pub use tensors::{Inspected, Kinds, inspect_tensors, kinds};
