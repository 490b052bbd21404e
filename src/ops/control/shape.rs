//! Ops that call functions (`tensorflow/core/ops/functional_ops.cc`).
//!
//! The types of their outputs are those of their functions, built for the call arguments. A list of tensors counts as the
//! tensor of its elements, stacked; that is how `crate::ops::lists::shape` sees them.

use crate::error::Result;
use crate::graph::{Argument, Attr, Graph, Node, Shape, TensorRef, TensorType};
use crate::ops::infer::Inputs;
use crate::ops::lists::shape::is_written;
use crate::tensor::DType;

/// The most times that a loop's body is built until the types of its loop variables do not change any more.
const MAX_ROUNDS: usize = 6;

pub fn conditional(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let branches = [node.function("then_branch")?, node.function("else_branch")?];
    chosen(inputs, node, &branches)
}

pub fn case(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let Some(Attr::Functions(branches)) = node.attrs.get("branches") else {
        return Err(node.error("it has no branches"));
    };
    chosen(inputs, node, &branches.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The types of the results of one of several functions, as far as they agree.
fn chosen(inputs: &Inputs<'_>, node: &Node, branches: &[&str]) -> Result<Vec<TensorType>> {
    let call_arguments = arguments(inputs.graph, node.inputs.get(1..).unwrap_or_default());
    let mut joined: Option<Vec<TensorType>> = None;
    for branch in branches {
        // A branch that is invalid for these shapes may be one that is never taken.
        let Ok(types) = inputs.graph.library().types_of_results(branch, &call_arguments) else { continue };
        joined = Some(match joined {
            None => types,
            Some(known) if known.len() == types.len() => {
                known.iter().zip(&types).map(|(a, b)| join(a, b)).collect()
            }
            Some(_) => return Err(node.error("its branches compute different numbers of tensors")),
        });
    }
    Ok(with_declared(node, "Tout", joined))
}

pub fn call(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let call_arguments = arguments(inputs.graph, &node.inputs);
    let types = inputs.graph.library().types_of_results(node.function("f")?, &call_arguments)?;
    Ok(with_declared(node, "Tout", Some(types)))
}

/// The types of the loop variables: those that they have before every iteration.
pub fn while_loop(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (graph, body) = (inputs.graph, node.function("body")?);
    let invariants = graph.library().invariants(body)?;
    let mut types: Vec<TensorType> =
        node.inputs.iter().map(|&input| graph.tensor_type(input).clone()).collect();
    if invariants.len() != types.len() {
        return Err(node.error("its body takes another number of tensors"));
    }
    let is_list = |index: usize| declared_dtype(node, "T", index) == Some(DType::Variant);
    for round in 0..MAX_ROUNDS {
        let call_arguments: Vec<Argument> = (0..types.len())
            .map(|index| match constant(graph, node.inputs[index]) {
                Some(known) if invariants[index] => known,
                _ => Argument::Open(types[index].clone()),
            })
            .collect();
        let Ok(results) = graph.library().types_of_results(body, &call_arguments) else { break };
        let mut is_settled = true;
        for (index, result) in results.iter().enumerate().filter(|&(index, _)| !invariants[index]) {
            // What the elements of a list of variants hold is known as soon as the first one is written.
            if types
                .get(index)
                .is_some_and(|before| before.dtype == DType::Variant && result.dtype != before.dtype)
            {
                is_settled = false;
                types[index].dtype = result.dtype;
            }
            let before = types.get(index).ok_or_else(|| node.error("its body computes too many tensors"))?;
            let shape = match is_list(index) {
                true if is_written(graph, node.inputs[index]) => before.shape.union(&result.shape),
                true => written_list(&before.shape, &result.shape),
                false => join(before, result).shape,
            };
            if shape != before.shape {
                is_settled = false;
                let shape = if round + 1 == MAX_ROUNDS { Shape::UNKNOWN } else { shape };
                types[index].shape = shape;
            }
        }
        if is_settled {
            break;
        }
    }
    Ok(with_declared(node, "T", Some(types)))
}

/// The arguments of a function: constants with their values, other tensors with their types.
pub fn arguments(graph: &Graph, tensors: &[TensorRef]) -> Vec<Argument> {
    let open = |tensor| Argument::Open(graph.tensor_type(tensor).clone());
    tensors.iter().map(|&tensor| constant(graph, tensor).unwrap_or_else(|| open(tensor))).collect()
}

fn constant(graph: &Graph, tensor: TensorRef) -> Option<Argument> {
    graph.constant(tensor).cloned().map(Argument::Known)
}

/// The type of a tensor that is one of two, as far as both agree.
fn join(a: &TensorType, b: &TensorType) -> TensorType {
    TensorType::new(a.dtype, a.shape.union(&b.shape))
}

/// The type of a list before each iteration that writes to it, if nothing is written before the loop. What is known of its elements'
/// shape then is declared; the rest is known as soon as the first element is written.
fn written_list(before: &Shape, after: &Shape) -> Shape {
    match (before.dims(), after.dims()) {
        (None, _) => after.clone(),
        (Some(a), Some(b)) if a.len() == b.len() => {
            let dims = a.iter().zip(b).enumerate().map(|(axis, (&a, &b))| match (a, b) {
                (Some(a), Some(b)) if a == b => Some(a),
                (None, b) if axis > 0 => b,
                (a, None) if axis > 0 => a,
                _ => None,
            });
            Shape::new(dims.collect())
        }
        _ => Shape::UNKNOWN,
    }
}

fn declared_dtype(node: &Node, types: &str, index: usize) -> Option<DType> {
    match node.attrs.get(types) {
        Some(Attr::Types(types)) => types.get(index).copied(),
        _ => None,
    }
}

/// The inferred types, completed by the attributes of the node.
fn with_declared(node: &Node, types: &str, found: Option<Vec<TensorType>>) -> Vec<TensorType> {
    let Some(Attr::Types(dtypes)) = node.attrs.get(types) else { return found.unwrap_or_default() };
    let shapes = match node.attrs.get("output_shapes") {
        Some(Attr::Shapes(shapes)) => &shapes[..],
        _ => &[],
    };
    let unknown = || dtypes.iter().map(|&dtype| TensorType::new(dtype, Shape::UNKNOWN)).collect();
    let mut found: Vec<TensorType> = found.unwrap_or_else(unknown);
    for (index, tensor) in found.iter_mut().enumerate() {
        // The shape of a list is that of its handle.
        let is_tensor = !matches!(dtypes.get(index), Some(DType::Variant | DType::Resource) | None);
        if let Some(declared) = shapes.get(index).filter(|_| is_tensor) {
            tensor.shape = refined(&tensor.shape, declared);
        }
    }
    found
}

/// A shape, with those lengths that are open in it and known in another one.
pub fn refined(shape: &Shape, other: &Shape) -> Shape {
    match (shape.dims(), other.dims()) {
        (None, _) => other.clone(),
        (Some(a), Some(b)) if a.len() == b.len() => {
            Shape::new(a.iter().zip(b).map(|(a, b)| a.or(*b)).collect())
        }
        _ => shape.clone(),
    }
}
