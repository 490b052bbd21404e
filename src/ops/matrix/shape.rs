//! Products of matrices (`tensorflow/core/ops/math_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;

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

/// The most axes of a tensor (`TensorShapeRep::MaxDimensions` in `tensorflow/core/framework/tensor_shape.h`).
const MAX_AXES: usize = 254;

/// The letters of an equation name axes, and an ellipsis the axes that broadcast. TensorFlow computes products of one or two tensors
/// (`ValidateEinsumEquation` in `tensorflow/core/util/einsum_op_util.cc`), and `tf.einsum` makes such products of more.
pub fn einsum(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    if node.inputs.len() > 2 {
        return Err(
            node.error(format!("it has {} inputs, and TensorFlow takes one or two", node.inputs.len()))
        );
    }
    let letters = |term: &str| term.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')).count();
    let equation = node.text("equation").unwrap_or_default();
    if let Some(count) = equation.split([',', '>']).map(letters).find(|&count| count > MAX_AXES) {
        let problem =
            format!("its equation has a term of {count} letters, and a tensor has at most {MAX_AXES} axes");
        return Err(node.error(problem));
    }
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
                return Err(node.error(format!(
                    "its term {term} does not name the {} axes of input {index}",
                    dims.len()
                )));
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
