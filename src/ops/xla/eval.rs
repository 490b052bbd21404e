//! Ops of XLA computed from their inputs.
//!
//! Source: <https://openxla.org/xla/operation_semantics>.

use super::lower::product::Roles;
use super::slices::Slices;
use crate::graph::Node;
use crate::ops::array::eval::basic::{self, lengths, reshaped, tensors_joined};
use crate::ops::matrix::eval::product;
use crate::tensor::{Tensor, element_count, same_type};

/// Where slices of these sizes begin in a tensor of this shape, so that they end in it.
fn clamped(shape: &[usize], sizes: &[usize], starts: &[i64]) -> Option<Vec<usize>> {
    if shape.len() != sizes.len() || shape.len() != starts.len() {
        return None;
    }
    let bounds = shape.iter().zip(sizes).map(|(length, size)| length.checked_sub(*size));
    let clamp = |(last, &start): (Option<usize>, &i64)| Some(usize::try_from(start.max(0)).ok()?.min(last?));
    bounds.zip(starts).map(clamp).collect()
}

/// The elements of a tensor at positions, as a tensor of a shape.
fn picked(tensor: &Tensor, positions: &[usize], shape: &[usize]) -> Option<Tensor> {
    let flat = reshaped(tensor, &[element_count(tensor.shape())?])?;
    reshaped(&basic::picked(&flat, 0, positions), shape)
}

/// The position of an element, whose index is in these coordinates.
fn position(shape: &[usize], index: impl Iterator<Item = usize>) -> usize {
    shape.iter().zip(index).fold(0, |position, (length, index)| position * length + index)
}

pub fn dynamic_slice(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, starts, sizes] = inputs else { return None };
    let sizes = lengths(sizes)?;
    let starts = clamped(input.shape(), &sizes, &starts.integers()?)?;
    element_count(&sizes)?;
    let from = |index: ndarray::IxDyn| {
        position(input.shape(), (0..sizes.len()).map(|axis| starts[axis] + index[axis]))
    };
    let positions: Vec<usize> = ndarray::indices(&sizes[..]).into_iter().map(from).collect();
    Some(vec![picked(input, &positions, &sizes)?])
}

pub fn dynamic_update_slice(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, update, starts] = inputs else { return None };
    let (shape, sizes) = (input.shape(), update.shape());
    let starts = clamped(shape, sizes, &starts.integers()?)?;
    let count = element_count(shape)?;
    let flat = [reshaped(input, &[count])?, reshaped(update, &[element_count(sizes)?])?];
    let all = tensors_joined(&[&flat[0], &flat[1]], 0, false)?;
    let from = |index: ndarray::IxDyn| {
        let within: Option<Vec<usize>> = (0..sizes.len())
            .map(|axis| index[axis].checked_sub(starts[axis]).filter(|&within| within < sizes[axis]))
            .collect();
        match within {
            Some(within) => count + position(sizes, within.into_iter()),
            None => position(shape, (0..shape.len()).map(|axis| index[axis])),
        }
    };
    let positions: Vec<usize> = ndarray::indices(shape).into_iter().map(from).collect();
    Some(vec![picked(&all, &positions, shape)?])
}

/// A product of batches of matrices, to which the factors are reshaped.
pub fn dot(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [left, right] = inputs else { return None };
    if node.dtype("preferred_element_type").is_some_and(|dtype| dtype != left.dtype()) {
        return None;
    }
    let roles = Roles::of(node, [left.shape().len(), right.shape().len()]).ok()?;
    let shape_of =
        |tensor: &Tensor, axes: &[usize]| axes.iter().map(|&axis| tensor.shape()[axis]).collect::<Vec<_>>();
    let matrices = |factor: usize, tensor: &Tensor| {
        let free: Vec<usize> = roles.free(factor, tensor.shape().len()).collect();
        let order = [&roles.batch[factor][..], &free, &roles.summed[factor]];
        let sizes = order.map(|axes| element_count(&shape_of(tensor, axes)));
        let moved = same_type!(tensor, array => {
            array.view().permuted_axes(order.concat()).as_standard_layout().into_owned()
        });
        Some((reshaped(&moved, &[sizes[0]?, sizes[1]?, sizes[2]?])?, shape_of(tensor, &free)))
    };
    let ((a, rows), (b, columns)) = (matrices(0, left)?, matrices(1, right)?);
    let products = product(&[&a, &b], false, true)?;
    let shape = [shape_of(left, &roles.batch[0]), rows, columns].concat();
    Some(vec![reshaped(products.first()?, &shape)?])
}

pub fn gather(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [operand, indices, sizes] = inputs else { return None };
    let (shape, sizes) = (operand.shape(), lengths(sizes)?);
    let slices = Slices::gathered(node, indices.shape().len()).ok()?;
    if slices.rank() != shape.len() || sizes.len() != shape.len() {
        return None;
    }
    let mut dims =
        vec![0; slices.batch.len() + (0..shape.len()).filter_map(|axis| slices.place(axis)).count()];
    (0..shape.len())
        .for_each(|axis| slices.place(axis).into_iter().for_each(|place| dims[place] = sizes[axis]));
    let index_axes = slices.index_axes();
    slices.batch.iter().zip(&index_axes).for_each(|(&place, &axis)| dims[place] = indices.shape()[axis]);
    let components = indices.integers()?;
    let from = |index: ndarray::IxDyn| {
        let mut at = vec![0; indices.shape().len()];
        slices.batch.iter().zip(&index_axes).for_each(|(&place, &axis)| at[axis] = index[place]);
        let mut starts = vec![0; shape.len()];
        for (component, &axis) in slices.indexed.iter().enumerate() {
            slices.vector.into_iter().for_each(|vector| at[vector] = component);
            starts[axis] = *components.get(position(indices.shape(), at.iter().copied()))?;
        }
        let starts = clamped(shape, &sizes, &starts)?;
        let coordinate = |axis: usize| starts[axis] + slices.place(axis).map_or(0, |place| index[place]);
        Some(position(shape, (0..shape.len()).map(coordinate)))
    };
    element_count(&dims)?;
    let positions: Vec<usize> = ndarray::indices(&dims[..]).into_iter().map(from).collect::<Option<_>>()?;
    Some(vec![picked(operand, &positions, &dims)?])
}
