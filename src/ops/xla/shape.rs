//! Types and shapes of the ops of XLA (`tensorflow/compiler/tf2xla/ops/xla_ops.cc`).

use super::lower::product::Roles;
use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, one};

/// As many outputs as inputs, of the same types.
pub fn like_inputs(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    (0..node.inputs.len()).map(|index| inputs.tensor_type(index).cloned()).collect()
}

/// Refuses a slice that is longer than the tensor that it is a part of.
fn check_fits(node: &Node, slice: &Shape, whole: &Shape) -> Result<()> {
    let (Some(sizes), Some(lengths)) = (slice.dims(), whole.dims()) else { return Ok(()) };
    let is_longer = |(size, length): (&Option<usize>, &Option<usize>)| size > length && length.is_some();
    if sizes.len() != lengths.len() || sizes.iter().zip(lengths).any(is_longer) {
        return Err(node.error(format!("a slice of shape {slice} does not fit into one of shape {whole}")));
    }
    Ok(())
}

/// The sizes of the slice are an input.
pub fn dynamic_slice(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let mut shape = inputs.described_shape(2)?;
    if shape.rank().is_none() {
        let rank = input.shape.rank().or(inputs.shape(1)?.dim(0));
        shape = rank.map_or(Shape::UNKNOWN, Shape::of_rank);
    }
    check_fits(node, &shape, &input.shape)?;
    one(input.dtype, shape)
}

/// The shape of the input, into which the update fits.
pub fn dynamic_update_slice(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (input, update) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    check_fits(node, update, &input.shape)?;
    let rank = update.rank().or(inputs.shape(2)?.dim(0));
    let shape = match (input.shape.rank(), rank) {
        (None, Some(rank)) => Shape::of_rank(rank),
        _ => input.shape.clone(),
    };
    one(input.dtype, shape)
}

/// The batch axes, then the axes of each factor that are not summed along.
pub fn dot(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (lhs, rhs) = (inputs.tensor_type(0)?, inputs.tensor_type(1)?);
    let dtype = node.dtype("preferred_element_type").unwrap_or(lhs.dtype);
    let (Some(left), Some(right)) = (lhs.shape.dims(), rhs.shape.dims()) else {
        return one(dtype, Shape::UNKNOWN);
    };
    let roles = Roles::of(node, [left.len(), right.len()])?;
    let pairs = |[a, b]: &[Vec<usize>; 2]| -> Vec<[Option<usize>; 2]> {
        a.iter().zip(b).map(|(&a, &b)| [left[a], right[b]]).collect()
    };
    let (batch, summed) = (pairs(&roles.batch), pairs(&roles.summed));
    let differ = |pair: &[Option<usize>; 2]| matches!(pair, [Some(a), Some(b)] if a != b);
    if batch.iter().chain(&summed).any(differ) {
        return Err(
            node.error(format!("tensors of shapes {} and {} have no such product", lhs.shape, rhs.shape))
        );
    }
    let mut dims: Vec<Option<usize>> = batch.iter().map(|[a, b]| a.or(*b)).collect();
    dims.extend(roles.free(0, left.len()).map(|axis| left[axis]));
    dims.extend(roles.free(1, right.len()).map(|axis| right[axis]));
    one(dtype, Shape::new(dims))
}
