//! What would become of a graph that came with a model, found out without converting it: no weights are needed.

use super::keys::Called;
use super::{ConvertOptions, GraphOrigin, InterfaceNames, convert, graph, pruned, rewritten, variables};
use crate::error::{Error, Result};
use crate::graph::{Graph, TensorRef};
use crate::lower::missing_ops;
use crate::model::Model as Source;
use crate::onnx::{Dim, TensorInfo};
use crate::passes::batch_norm::{BatchNorm, batch_norms};
use crate::passes::conditionals::call_branches;
use crate::passes::moving_averages::MovingAverages;

/// What would become of a graph.
#[derive(Debug)]
pub struct Examination {
    /// What was assumed on the way.
    pub origin: GraphOrigin,
    /// What the model would take.
    pub inputs: Vec<TensorInfo>,
    /// What it would deliver.
    pub outputs: Vec<TensorInfo>,
    /// Its batch norms.
    pub batch_norms: Vec<BatchNorm>,
    /// The names under which the tensors that it reads are stored.
    pub read: Vec<String>,
    /// The ops in the way that cannot be converted, each with the number of nodes that are of it.
    pub missing_ops: Vec<(String, usize)>,
    /// What else a conversion fails of.
    pub problem: Option<Error>,
}

/// Draws the graph that comes with a model, as a conversion would; `None` where it comes with none.
///
/// # Errors
/// Where it cannot be drawn: what is asked for is not there, or nothing looks like an output.
pub fn examine(source: &Source, options: &ConvertOptions) -> Result<Option<Examination>> {
    let Some(file) = source.graph() else { return Ok(None) };
    let (bound, origin) = graph::bind(source, file, options)?;
    let described =
        |tensors: &[TensorRef]| tensors.iter().map(|&tensor| info(&bound.graph, tensor)).collect();
    let (inputs, outputs): (Vec<TensorInfo>, Vec<TensorInfo>) =
        (described(&bound.inputs), described(&bound.outputs));
    let names = |infos: &[TensorInfo]| infos.iter().map(|info| info.name.clone()).collect::<Vec<_>>();
    let called = Called::new(&names(&inputs), &names(&outputs), &bound.keys);
    let (inputs, outputs) = called.infos(&inputs, &outputs);
    let interface = InterfaceNames::new(&bound);
    let names = interface.all();
    let graph = rewritten(pruned(bound.graph, &names), &names)?;
    let batch_norms = batch_norms(&graph);
    let graph = call_branches(graph, &interface.outputs)?;
    let lookup = variables::Lookup::new(source);
    let averages = MovingAverages::choose(&graph, options.moving_averages, &bound.described, |name| {
        lookup.constant(name).map(|constant| constant.shape().to_vec())
    })?;
    let variables = graph.nodes().map(|(_, node)| node).filter(|node| node.is_variable());
    let read: Vec<String> =
        variables.map(|variable| lookup.key(&averages.stored_name(&variable.name)).to_owned()).collect();
    let missing_ops = missing_ops(&graph);
    // The rest shows when it is done. Weights stay where they are, so that this costs little.
    let has_weights = read.is_empty() || source.checkpoint().is_some();
    let problem = if missing_ops.is_empty() && has_weights { convert(source, options).err() } else { None };
    Ok(Some(Examination { origin, inputs, outputs, batch_norms, read, missing_ops, problem }))
}

fn info(graph: &Graph, tensor: TensorRef) -> TensorInfo {
    let tensor_type = graph.tensor_type(tensor);
    TensorInfo {
        name: graph.tensor_name(tensor),
        dtype: tensor_type.dtype,
        shape: tensor_type.shape.dims().map(Dim::of_axes),
    }
}
