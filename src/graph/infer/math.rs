//! Arithmetic, matrix products and reductions (`tensorflow/core/ops/math_ops.cc`).

use super::Inputs;
use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};

/// Two inputs, broadcast against each other as NumPy does.
pub fn broadcast(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    let (Some(a_dims), Some(b_dims)) = (a.dims(), b.dims()) else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let rank = a_dims.len().max(b_dims.len());
    let aligned = |dims: &[Option<usize>], axis: usize| {
        (axis + dims.len()).checked_sub(rank).map_or(Some(1), |axis| dims[axis])
    };
    let mut dims = Vec::with_capacity(rank);
    for axis in 0..rank {
        dims.push(match (aligned(a_dims, axis), aligned(b_dims, axis)) {
            (Some(1), other) | (other, Some(1)) => other,
            (Some(a), Some(b)) if a == b => Some(a),
            (Some(n), None) | (None, Some(n)) => Some(n),
            (None, None) => None,
            _ => return Err(node.error(format!("shapes {a} and {b} do not broadcast"))),
        });
    }
    Ok(vec![TensorType::new(dtype, Shape::new(dims))])
}

pub fn matmul(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    let (a_inner, a_outer) = if node.bool("transpose_a", false) { (0, 1) } else { (1, 0) };
    let (b_inner, b_outer) = if node.bool("transpose_b", false) { (1, 0) } else { (0, 1) };
    let is_matrix = |shape: &Shape| shape.rank().is_none_or(|rank| rank == 2);
    let inner = (a.dim(a_inner), b.dim(b_inner));
    if !is_matrix(a) || !is_matrix(b) || matches!(inner, (Some(a), Some(b)) if a != b) {
        return Err(node.error(format!("matrices of shapes {a} and {b} cannot be multiplied")));
    }
    let shape = Shape::new(vec![a.dim(a_outer), b.dim(b_outer)]);
    Ok(vec![TensorType::new(inputs.dtype(0)?, shape)])
}

pub fn reduce(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let keep = node.bool("keep_dims", false);
    let (Some(dims), axes) = (inputs.shape(0)?.dims(), inputs.integers(1)?) else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let Some(axes) = axes else {
        let shape = if keep { Shape::of_rank(dims.len()) } else { Shape::UNKNOWN };
        return Ok(vec![TensorType::new(dtype, shape)]);
    };
    let mut reduced = vec![false; dims.len()];
    for axis in axes {
        reduced[inputs.checked_axis(axis, dims.len())?] = true;
    }
    let left = dims.iter().zip(reduced).filter_map(|(&dim, reduced)| match (reduced, keep) {
        (false, _) => Some(dim),
        (true, true) => Some(Some(1)),
        (true, false) => None,
    });
    Ok(vec![TensorType::new(dtype, Shape::new(left.collect()))])
}
