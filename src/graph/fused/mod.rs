//! Nodes that an optimizer has fused with the ops after them: Grappler's `_FusedConv2D`, `_FusedConv3D`, `_FusedMatMul`,
//! `_FusedDepthwiseConv2dNative` and `_FusedBatchNormEx`, those that it writes where TensorFlow computes with oneDNN (`_MklSwish`,
//! `_MklFusedMish`, `_MklFusedBatchMatMulV2`), and TF.js's `FusedDepthwiseConv2dNative` and `Prelu`. They are imported as separate
//! ops; the last of these has the fused node's name.
//!
//! Sources: `tensorflow/core/ops/{nn_ops,mkl_nn_ops}.cc`, `tensorflow/core/kernels/fused_eigen_output_kernels.h`, and
//! `tensorflow/core/grappler/optimizers/remapper.cc` for the order of the arguments; for TF.js
//! `tfjs-converter/python/tensorflowjs/converters/fuse_prelu.py` and `fuse_depthwise_conv2d.py`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod arithmetic;

use arithmetic::{Arithmetic, Last};

use super::{Attr, Attrs, Graph, NodeId, TensorRef};
use crate::error::{Error, Result};

/// What to do about a fused node that cannot be converted.
const UNFUSED: &str = "freeze the graph before an optimizer has fused its ops";

/// Whether an op combines several ops.
pub fn is_fused(op: &str) -> bool {
    matches!(op, "Prelu" | "_MklSwish" | "_MklFusedMish" | "_FusedBatchNormEx") || product(op).is_some()
}

/// The op that a fused node begins with.
fn product(op: &str) -> Option<&'static str> {
    Some(match op {
        "_FusedConv2D" | "FusedConv2D" => "Conv2D",
        "_FusedDepthwiseConv2dNative" | "FusedDepthwiseConv2dNative" => "DepthwiseConv2dNative",
        "_FusedConv3D" => "Conv3D",
        "_FusedMatMul" | "FusedMatMul" => "MatMul",
        "_MklFusedBatchMatMulV2" => "BatchMatMulV2",
        _ => return None,
    })
}

/// Adds the nodes that replace a fused node, and returns the last one.
///
/// # Errors
/// If the number of inputs does not fit its ops, or one of these ops is not supported.
pub(super) fn add_fused(
    graph: &mut Graph,
    op: &str,
    name: &str,
    inputs: Vec<TensorRef>,
    attrs: &Attrs,
) -> Result<NodeId> {
    let mut fused = Fused { graph, op, name, attrs, args: inputs.into_iter(), steps: vec![] };
    if let Some(product) = product(op) {
        fused.check_form()?;
        fused.steps.push(product.to_owned());
        fused.steps.extend(fused_ops(attrs));
        let inputs = vec![fused.arg()?, fused.arg()?];
        let product = fused.add(0, product, inputs, attrs.clone())?;
        return fused.run(1, product);
    }
    fused.steps = if op == "_FusedBatchNormEx" { steps_of_batch_norm(attrs) } else { vec![op.to_owned()] };
    let value = fused.arg()?;
    let first = fused.step(0, value)?;
    fused.run(1, first)
}

/// A batch norm, to which another tensor may be added, and an activation.
fn steps_of_batch_norm(attrs: &Attrs) -> Vec<String> {
    let mut steps = vec!["FusedBatchNorm".to_owned()];
    if let Some(Attr::Int(1)) = attrs.get("num_side_inputs") {
        steps.push("Add".to_owned());
    }
    if let Some(Attr::Bytes(activation)) = attrs.get("activation_mode") {
        let activation = String::from_utf8_lossy(activation).into_owned();
        steps.extend(Some(activation).filter(|activation| activation != "Identity"));
    }
    steps
}

/// The ops after the product. TF.js writes `noop` for none.
fn fused_ops(attrs: &Attrs) -> Vec<String> {
    let listed = match attrs.get("fused_ops") {
        Some(Attr::Strings(listed)) => &listed[..],
        _ => &[],
    };
    let names = listed.iter().map(|name| String::from_utf8_lossy(name).into_owned());
    names.filter(|name| name != "noop").collect()
}

struct Fused<'a> {
    graph: &'a mut Graph,
    op: &'a str,
    name: &'a str,
    attrs: &'a Attrs,
    /// The inputs that no step has read.
    args: std::vec::IntoIter<TensorRef>,
    /// The ops that replace the node.
    steps: Vec<String>,
}

impl Fused<'_> {
    /// Refuses what the op that the node begins with does not have: filters with their axes in another order, and paddings of a
    /// node before it.
    fn check_form(&self) -> Result<()> {
        let is_usual = match (self.attrs.get("filter_format"), self.attrs.get("padding_list")) {
            (Some(Attr::Bytes(format)), _) if format != b"HWIO" => false,
            (_, Some(Attr::Ints(list))) => list.is_empty(),
            _ => true,
        };
        let problem = "its filter_format or padding_list is not supported";
        is_usual.then_some(()).ok_or_else(|| self.error(problem).advice(UNFUSED))
    }

    /// The steps after the first ones, which end in `last`.
    fn run(&mut self, done: usize, mut last: NodeId) -> Result<NodeId> {
        for index in done..self.steps.len() {
            last = self.step(index, last.into())?;
        }
        match self.args.len() {
            0 => Ok(last),
            more => Err(self.error(format!("it has {more} more inputs than {} need", self.steps.join(", ")))),
        }
    }

    /// One of the ops that replace the node.
    fn step(&mut self, index: usize, value: TensorRef) -> Result<NodeId> {
        let op = self.steps.get(index).cloned().unwrap_or_default();
        let no_attrs = Attrs::new();
        match op.as_str() {
            "BiasAdd" => {
                let format = self.attrs.get("data_format").cloned();
                let attrs = format.map(|format| ("data_format", format)).into_iter().collect();
                let inputs = vec![value, self.arg()?];
                self.add(index, "BiasAdd", inputs, attrs)
            }
            "Add" | "Mul" => {
                let inputs = vec![value, self.arg()?];
                self.add(index, if op == "Add" { "AddV2" } else { "Mul" }, inputs, no_attrs)
            }
            "FusedBatchNorm" => {
                let mut attrs = Attrs::from([("is_training", Attr::Bool(false))]);
                for name in ["epsilon", "data_format", "is_training"] {
                    attrs.extend(self.attrs.get(name).cloned().map(|attr| (name, attr)));
                }
                let inputs = vec![value, self.arg()?, self.arg()?, self.arg()?, self.arg()?];
                self.add(index, "FusedBatchNormV3", inputs, attrs)
            }
            "LeakyRelu" => {
                let alpha = self.attrs.get("leakyrelu_alpha").cloned().unwrap_or(Attr::Float(0.2));
                self.add(index, "LeakyRelu", vec![value], [("alpha", alpha)].into())
            }
            "Prelu" => {
                let alpha = self.arg()?;
                self.activation(index, |ops| ops.prelu(value, alpha))
            }
            "_MklSwish" => self.activation(index, |ops| ops.swish(value)),
            "_MklFusedMish" => self.activation(index, |ops| ops.mish(value)),
            "GeluExact" => self.activation(index, |ops| ops.gelu(value)),
            "GeluApproximate" => self.activation(index, |ops| ops.approximate_gelu(value)),
            "Relu" | "Relu6" | "Elu" | "Sigmoid" | "Tanh" => self.add(index, &op, vec![value], no_attrs),
            _ => Err(self.error(format!("it is fused with {op}, which is not supported")).advice(UNFUSED)),
        }
    }

    /// An activation that consists of several ops.
    fn activation(
        &mut self,
        index: usize,
        ops: impl FnOnce(&mut Arithmetic<'_>) -> Result<Last>,
    ) -> Result<NodeId> {
        let step = self.steps.get(index).map_or("", String::as_str);
        let prefix = format!("{}/{step}", self.name);
        let (op, inputs) = ops(&mut Arithmetic { graph: self.graph, prefix })?;
        self.add(index, op, inputs, Attrs::new())
    }

    /// Adds one of the ops. The last one has the node's own name.
    fn add(&mut self, index: usize, op: &str, inputs: Vec<TensorRef>, attrs: Attrs) -> Result<NodeId> {
        let is_last = Some(index) == self.steps.len().checked_sub(1);
        let name = if is_last { self.name.to_owned() } else { format!("{}/{op}", self.name) };
        self.graph.add(name, op, inputs, attrs)
    }

    fn arg(&mut self) -> Result<TensorRef> {
        let missing = "it has too few inputs for the ops that are fused in it";
        self.args.next().ok_or_else(|| self.error(missing))
    }

    fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::new(format!("{} \"{}\"", self.op, self.name), problem)
    }
}
