//! What is in a file: what each tensor is for and what its elements are like, what a graph takes and delivers, what is
//! worth knowing before it is converted.

mod batch_norms;
mod findings;
mod graph;
mod identify;
mod onnx;
mod tensors;

pub use crate::checkpoint::kind::{Kind, kind_of};
pub use batch_norms::{BatchNormEntry, Parts, batch_norms_by_name, batch_norms_of_onnx, summary};
pub use findings::{Finding, conversion_fails, findings, unused_variables};
pub use graph::{GraphSummary, OpCount, Signature, SignatureTensor, TensorSummary};
pub use identify::{Identified, IdentifiedNetwork, conversion_problem, identify};
pub use onnx::{External, OnnxSummary};
pub use tensors::{Inspected, Kinds, inspect_tensors, kinds};
