//! Shapes of factors and solutions (`tensorflow/core/ops/linalg_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, declared_type, one};
use crate::tensor::DType;

type Dim = Option<usize>;

/// The batch axes of a matrix, and its numbers of rows and columns; `None` if its rank is not known.
fn matrix<'a>(inputs: &Inputs<'a>, node: &Node, index: usize) -> Result<Option<(&'a [Dim], Dim, Dim)>> {
    let shape = inputs.shape(index)?;
    match shape.dims() {
        None => Ok(None),
        Some([batch @ .., rows, columns]) => Ok(Some((batch, *rows, *columns))),
        Some(_) => Err(node.error(format!("its input {index} has the shape {shape}, which is no matrix"))),
    }
}

fn shaped(batch: &[Dim], dims: &[Dim]) -> Shape {
    Shape::new([batch, dims].concat())
}

/// Refuses a matrix with more or fewer rows than columns, and returns its batch axes and length.
fn square<'a>(inputs: &Inputs<'a>, node: &Node) -> Result<Option<(&'a [Dim], Dim)>> {
    match matrix(inputs, node, 0)? {
        Some((_, Some(rows), Some(columns))) if rows != columns => {
            Err(node.error(format!("its matrix has {rows} rows and {columns} columns")))
        }
        known => Ok(known.map(|(batch, rows, columns)| (batch, rows.or(columns)))),
    }
}

/// A square matrix like the input.
pub fn like_square(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    square(inputs, node)?;
    one(inputs.dtype(0)?, inputs.shape(0)?.clone())
}

pub fn lu(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let known = square(inputs, node)?;
    let rows = known.map_or(Shape::UNKNOWN, |(batch, length)| shaped(batch, &[length]));
    let index = declared_type(node, "output_idx_type", DType::Int32);
    Ok(vec![inputs.tensor_type(0)?.clone(), TensorType::new(index, rows)])
}

pub fn log_determinant(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let shape = square(inputs, node)?.map_or(Shape::UNKNOWN, |(batch, _)| shaped(batch, &[]));
    let output = TensorType::new(inputs.dtype(0)?, shape);
    Ok(vec![output.clone(), output])
}

/// The solution of a square system. With `broadcasts`, batch axes broadcast.
pub fn solution(inputs: &Inputs<'_>, node: &Node, broadcasts: bool) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let (Some((batch, length)), Some((other, rows, columns))) =
        (square(inputs, node)?, matrix(inputs, node, 1)?)
    else {
        return one(dtype, if broadcasts { Shape::UNKNOWN } else { inputs.shape(1)?.clone() });
    };
    if matches!((length, rows), (Some(a), Some(b)) if a != b) {
        return Err(node.error("its matrix and its right side have different numbers of rows"));
    }
    let (a, b) = (Shape::new(batch.to_vec()), Shape::new(other.to_vec()));
    let joined = if broadcasts { a.broadcast_with(&b) } else { a.is_compatible_with(&b).then_some(b) };
    match joined.as_ref().and_then(Shape::dims) {
        Some(batch) => one(dtype, shaped(batch, &[length.or(rows), columns])),
        None => Err(node.error("its matrix and its right side have different batches")),
    }
}

/// The solution of a system whose matrix is given by its diagonals. Batch axes broadcast.
pub fn banded(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let shape = match (matrix(inputs, node, 0)?, matrix(inputs, node, 1)?) {
        (Some((batch, _, length)), Some((other, rows, columns))) => {
            let joined = Shape::new(batch.to_vec()).broadcast_with(&Shape::new(other.to_vec()));
            let joined =
                joined.ok_or_else(|| node.error("its matrix and its right side have different batches"))?;
            joined.dims().map_or(Shape::UNKNOWN, |batch| shaped(batch, &[length.or(rows), columns]))
        }
        _ => Shape::UNKNOWN,
    };
    one(inputs.dtype(0)?, shape)
}

/// The solution of a system with more or fewer equations than unknowns.
pub fn least_squares(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let shape = match (matrix(inputs, node, 0)?, matrix(inputs, node, 1)?) {
        (Some((batch, _, unknowns)), Some((_, _, columns))) => shaped(batch, &[unknowns, columns]),
        _ => Shape::UNKNOWN,
    };
    one(inputs.dtype(0)?, shape)
}

/// Like the input of this index.
pub fn like(inputs: &Inputs<'_>, _: &Node, index: usize) -> Result<Vec<TensorType>> {
    one(inputs.dtype(index)?, inputs.shape(index)?.clone())
}

fn least(a: Dim, b: Dim) -> Dim {
    match (a, b) {
        (Some(0), _) | (_, Some(0)) => Some(0),
        (a, b) => Some(a?.min(b?)),
    }
}

pub fn qr(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let shapes = match matrix(inputs, node, 0)? {
        None => [Shape::UNKNOWN, Shape::UNKNOWN],
        Some((batch, rows, columns)) => {
            let inner = if node.bool("full_matrices", false) { rows } else { least(rows, columns) };
            [shaped(batch, &[rows, inner]), shaped(batch, &[inner, columns])]
        }
    };
    Ok(shapes.map(|shape| TensorType::new(dtype, shape)).to_vec())
}

/// The output that is not computed.
fn nothing(dtype: DType) -> TensorType {
    TensorType::new(dtype, Shape::known(&[0]))
}

pub fn svd(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let has_vectors = node.bool("compute_uv", true);
    let known = matrix(inputs, node, 0)?;
    let inner = known.and_then(|(_, rows, columns)| least(rows, columns));
    let values = known.map_or(Shape::UNKNOWN, |(batch, ..)| shaped(batch, &[inner]));
    let values = TensorType::new(dtype, values);
    if !has_vectors {
        return Ok(vec![values, nothing(dtype), nothing(dtype)]);
    }
    let Some((batch, rows, columns)) = known else {
        return Ok([values].into_iter().chain(vec![TensorType::new(dtype, Shape::UNKNOWN); 2]).collect());
    };
    let is_full = node.bool("full_matrices", false);
    let factor = |length: Dim| shaped(batch, &[length, if is_full { length } else { inner }]);
    Ok(vec![values, TensorType::new(dtype, factor(rows)), TensorType::new(dtype, factor(columns))])
}

pub fn eigen(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let values = square(inputs, node)?.map_or(Shape::UNKNOWN, |(batch, length)| shaped(batch, &[length]));
    let vectors = match node.bool("compute_v", true) {
        true => inputs.tensor_type(0)?.clone(),
        false => nothing(dtype),
    };
    Ok(vec![TensorType::new(dtype, values), vectors])
}

/// The eigenvalues as a row before the eigenvectors.
pub fn eigen_joined(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let shape = square(inputs, node)?.map_or(Shape::UNKNOWN, |(batch, length)| {
        shaped(batch, &[length.and_then(|length| length.checked_add(1)), length])
    });
    one(inputs.dtype(0)?, shape)
}
