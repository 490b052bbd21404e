//! Arithmetic, matrix products and reductions (`tensorflow/core/ops/math_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::ops::infer::one;
use crate::tensor::DType;

/// Two inputs, broadcast against each other as NumPy does.
pub fn broadcast(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    match a.broadcast_with(b) {
        Some(shape) => Ok(vec![TensorType::new(inputs.dtype(0)?, shape)]),
        None => Err(node.error(format!("shapes {a} and {b} do not broadcast"))),
    }
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

/// The shape that two shapes broadcast to; open where they cannot be compared.
fn broadcast_shape(inputs: &Inputs<'_>, node: &Node) -> Result<Shape> {
    Ok(broadcast(inputs, node)?.swap_remove(0).shape)
}

pub fn compare(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    // Tensors that do not broadcast may be compared, and differ.
    let shape = match node.bool("incompatible_shape_error", true) {
        true => broadcast_shape(inputs, node)?,
        false => broadcast_shape(inputs, node).unwrap_or(Shape::UNKNOWN),
    };
    Ok(vec![TensorType::new(DType::Bool, shape)])
}

pub fn flags(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::Bool, inputs.shape(0)?.clone())])
}

pub fn cast(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("DstT").ok_or_else(|| node.error("it has no DstT"))?;
    Ok(vec![TensorType::new(dtype, inputs.shape(0)?.clone())])
}

pub fn select(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let chosen = inputs.tensor_type(1)?;
    if node.op == "Select" {
        return Ok(vec![chosen.clone()]);
    }
    let shapes = [inputs.shape(0)?, &chosen.shape, inputs.shape(2)?];
    let shape = shapes.into_iter().try_fold(Shape::scalar(), |all, shape| all.broadcast_with(shape));
    match shape {
        Some(shape) => Ok(vec![TensorType::new(chosen.dtype, shape)]),
        None => Err(node.error("its inputs do not broadcast")),
    }
}

pub fn add_n(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let first = inputs.tensor_type(0)?;
    let known = (0..node.inputs.len()).filter_map(|index| inputs.tensor_type(index).ok());
    let known = known.into_iter().find(|input| input.shape.fully_known().is_some());
    Ok(vec![known.unwrap_or(first).clone()])
}

pub fn batch_matmul(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    let dtype = node.dtype("Tout").unwrap_or(a.dtype);
    let (Some([a_batch @ .., a_rows, a_columns]), Some([b_batch @ .., b_rows, b_columns])) =
        (a.shape.dims(), b.dims())
    else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let rows = if node.bool("adj_x", false) { a_columns } else { a_rows };
    let columns = if node.bool("adj_y", false) { b_rows } else { b_columns };
    let batch = Shape::new(a_batch.to_vec()).broadcast_with(&Shape::new(b_batch.to_vec()));
    let Some(batch) = batch.as_ref().and_then(Shape::dims) else {
        return Err(node.error(format!("batches of shapes {} and {b} do not broadcast", a.shape)));
    };
    Ok(vec![TensorType::new(dtype, Shape::new([batch, &[*rows, *columns]].concat()))])
}

/// The letters of an equation stand for axes, an ellipsis for those that broadcast.
pub fn einsum(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let unknown = || Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    let Some((terms, result)) = node.text("equation").and_then(|equation| equation.split_once("->")) else {
        return unknown();
    };
    if terms.contains('.') {
        return unknown();
    }
    let mut lengths = hashbrown::HashMap::new();
    for (index, term) in terms.split(',').enumerate() {
        let letters: Vec<char> = term.chars().filter(|c| !c.is_whitespace()).collect();
        match inputs.shape(index)?.dims() {
            Some(dims) if dims.len() == letters.len() => {
                for (letter, dim) in letters.iter().zip(dims) {
                    let known = lengths.entry(*letter).or_insert(*dim);
                    *known = known.or(*dim);
                }
            }
            Some(dims) => {
                return Err(
                    node.error(format!("its term {term} names not the {} axes of input {index}", dims.len()))
                );
            }
            None => {}
        }
    }
    let dims = result.chars().filter(|c| !c.is_whitespace()).map(|c| lengths.get(&c).copied().flatten());
    Ok(vec![TensorType::new(dtype, Shape::new(dims.collect()))])
}

pub fn determinant(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match input.shape.dims() {
        Some([batch @ .., _, _]) => Shape::new(batch.to_vec()),
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(input.dtype, shape)])
}

pub fn arg(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("output_type").unwrap_or(DType::Int64);
    let Some(dims) = inputs.shape(0)?.dims() else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let shape = match inputs.axis(1, dims.len())? {
        Some(axis) => {
            let mut dims = dims.to_vec();
            dims.remove(axis);
            Shape::new(dims)
        }
        None => Shape::of_rank(dims.len().saturating_sub(1)),
    };
    Ok(vec![TensorType::new(dtype, shape)])
}

/// The shape of rows of the first input, which are so many.
pub fn rows(inputs: &Inputs<'_>, count: Option<usize>, axes: Option<usize>) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match (input.shape.dims(), axes) {
        (Some(dims), Some(axes)) if axes <= dims.len() => Shape::new([&[count], &dims[axes..]].concat()),
        _ => Shape::UNKNOWN,
    };
    one(input.dtype, shape)
}

pub fn segment(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    rows(inputs, None, Some(1))
}

pub fn numbered_segment(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let is_sparse = node.op.starts_with("Sparse");
    let count = inputs.integers(if is_sparse { 3 } else { 2 })?;
    let count = count.and_then(|count| usize::try_from(*count.first()?).ok());
    rows(inputs, count, if is_sparse { Some(1) } else { inputs.shape(1)?.rank() })
}
