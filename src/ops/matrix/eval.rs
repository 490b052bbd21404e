//! Products of matrices, and biases.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayD, ArrayView2, Axis, Ix2};

use crate::graph::Node;
use crate::ops::math::eval::elementwise::broadcast_shape;
use crate::tensor::Tensor;
use crate::tensor::{element_count, same_type};

/// The products of the matrices in the last two axes; the other axes broadcast.
pub fn product(inputs: &[&Tensor], transpose_a: bool, transpose_b: bool) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(a), Tensor::Float32(b)] = inputs else { return None };
    let swapped = |array: &ArrayD<f32>, swap: bool| {
        let mut array = array.clone();
        let rank = array.ndim();
        if swap {
            array.swap_axes(rank - 2, rank - 1);
        }
        array
    };
    if a.ndim() < 2 || b.ndim() < 2 {
        return None;
    }
    let (a, b) = (swapped(a, transpose_a), swapped(b, transpose_b));
    let (&[ref batch_a @ .., rows, inner], &[ref batch_b @ .., same, columns]) = (a.shape(), b.shape())
    else {
        return None;
    };
    if inner != same {
        return None;
    }
    let batch = broadcast_shape(batch_a, batch_b)?;
    let shape = |rows: usize, columns: usize| [&batch[..], &[rows, columns]].concat();
    let (a, b) = (a.broadcast(shape(rows, inner))?, b.broadcast(shape(inner, columns))?);
    let mut elements = Vec::with_capacity(element_count(&shape(rows, columns))?);
    for index in ndarray::indices(batch.clone()) {
        let (mut a, mut b) = (a.clone(), b.clone());
        for axis in 0..batch.len() {
            a = a.index_axis_move(Axis(0), index[axis]);
            b = b.index_axis_move(Axis(0), index[axis]);
        }
        let (a, b): (ArrayView2<'_, f32>, ArrayView2<'_, f32>) =
            (a.into_dimensionality::<Ix2>().ok()?, b.into_dimensionality::<Ix2>().ok()?);
        let mut result = Array2::<f32>::zeros((rows, columns));
        general_mat_mul(1.0, &a, &b, 0.0, &mut result);
        elements.extend(result);
    }
    Some(vec![Tensor::Float32(ArrayD::from_shape_vec(shape(rows, columns), elements).ok()?)])
}

/// Matrices with zeros beyond so many diagonals below and above the main one; all are kept on a side whose number is negative.
pub fn band_part(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, lower, upper] = inputs else { return None };
    let (lower, upper) = (lower.integer()?, upper.integer()?);
    let rank = input.shape().len();
    let is_kept =
        |row: i64, column: i64| (lower < 0 || row - column <= lower) && (upper < 0 || column - row <= upper);
    if rank < 2 {
        return None;
    }
    Some(vec![same_type!(input, array => {
        let mut array = array.clone();
        for (index, element) in array.indexed_iter_mut() {
            if !is_kept(index[rank - 2] as i64, index[rank - 1] as i64) {
                *element = Default::default();
            }
        }
        array
    })])
}

pub fn bias_add(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input), Tensor::Float32(bias)] = inputs else { return None };
    if input.ndim() < 2 || bias.ndim() != 1 {
        return None;
    }
    let axis = node.data_format().channel_axis(input.ndim());
    let mut shape = vec![1; input.ndim()];
    shape[axis] = bias.len();
    if input.shape()[axis] != bias.len() {
        return None;
    }
    Some(vec![Tensor::Float32(input + &bias.to_shape(shape).ok()?)])
}
