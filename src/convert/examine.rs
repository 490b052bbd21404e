//! What a conversion would make of the graph that comes with a model, without its weights.

use super::keys::Called;
use super::weights::Weights;
use super::{ConvertOptions, GraphOrigin, Note, convert, graph, rewritten};
use crate::error::{Error, Result};
use crate::graph::{Graph, TensorRef};
use crate::onnx::{Dim, TensorInfo};
use crate::ops::missing_ops;
use crate::passes::batch_norm::{BatchNorm, batch_norms};
use crate::passes::conditionals::call_branches;
use crate::source::Source;

/// What a conversion would make of a graph.
#[derive(Debug)]
pub struct Examination {
    /// Where the graph comes from.
    pub origin: GraphOrigin,
    /// What was assumed of the graph.
    pub notes: Vec<Note>,
    /// The inputs that the model would have.
    pub inputs: Vec<TensorInfo>,
    /// The outputs that it would have.
    pub outputs: Vec<TensorInfo>,
    /// Its batch norms.
    pub batch_norms: Vec<BatchNorm>,
    /// The names of the stored tensors that it reads.
    pub read: Vec<String>,
    /// The ops that cannot be converted, each with the number of its nodes.
    pub missing_ops: Vec<(String, usize)>,
    /// Why the conversion would fail, if not for these ops.
    pub problem: Option<Error>,
}

/// Imports the graph that comes with a model, as a conversion would; `None` if there is no graph.
///
/// # Errors
/// If it cannot be imported: an input or output is missing, or nothing looks like an output.
pub fn examine(source: &Source, options: &ConvertOptions) -> Result<Option<Examination>> {
    let Some(file) = source.graph() else { return Ok(None) };
    let (bound, origin) = graph::bind(source, file, options)?;
    let described =
        |tensors: &[TensorRef]| tensors.iter().map(|&tensor| info(&bound.graph, tensor)).collect();
    let (inputs, outputs): (Vec<TensorInfo>, Vec<TensorInfo>) =
        (described(&bound.tensors.inputs), described(&bound.tensors.outputs));
    let names = |infos: &[TensorInfo]| infos.iter().map(|info| info.name.clone()).collect::<Vec<_>>();
    let called = Called::new(&names(&inputs), &names(&outputs), &bound.keys);
    let (inputs, outputs) = called.infos(&inputs, &outputs);
    let bound = rewritten(bound.pruned(), options.opset)?;
    let batch_norms = batch_norms(&bound.graph);
    let bound = bound.after(|graph, of| call_branches(graph, &of.outputs))?;
    let read = Weights::choose(source, &bound, options.moving_averages)?.read(&bound.graph);
    let missing_ops = missing_ops(&bound.graph);
    // Other problems show when the graph is converted. No weights are read, so this is cheap.
    let has_weights = read.is_empty() || source.checkpoint().is_some();
    let problem = if missing_ops.is_empty() && has_weights { convert(source, options).err() } else { None };
    Ok(Some(Examination {
        origin,
        notes: bound.notes,
        inputs,
        outputs,
        batch_norms,
        read,
        missing_ops,
        problem,
    }))
}

fn info(graph: &Graph, tensor: TensorRef) -> TensorInfo {
    let tensor_type = graph.tensor_type(tensor);
    TensorInfo {
        name: graph.tensor_name(tensor),
        dtype: tensor_type.dtype,
        shape: tensor_type.shape.dims().map(Dim::of_axes),
    }
}
