//! Ops that make arrays that are larger than their inputs.

use crate::graph::Node;
use crate::ops::array::eval::basic::{lengths, picked};
use crate::tensor::Tensor;
use crate::tensor::element_count;
use crate::tensor::same_type;

pub fn range_length(inputs: &[&Tensor]) -> Option<usize> {
    steps(inputs).map(|count| count as usize)
}

pub fn filled_length(inputs: &[&Tensor]) -> Option<usize> {
    element_count(&lengths(inputs.first()?)?)
}

pub fn broadcast_length(inputs: &[&Tensor]) -> Option<usize> {
    element_count(&lengths(inputs.get(1)?)?)
}

pub fn tiled_length(inputs: &[&Tensor]) -> Option<usize> {
    let [input, multiples] = inputs else { return None };
    element_count(&[input.shape(), &lengths(multiples)?].concat())
}

/// How many elements a `Range` has, if not more than can be counted.
fn steps(inputs: &[&Tensor]) -> Option<f64> {
    let number = |tensor: &Tensor| match tensor {
        Tensor::Float32(array) => array.first().map(|&number| f64::from(number)),
        Tensor::Float64(array) => array.first().copied(),
        _ => tensor.integer().map(|number| number as f64),
    };
    let [start, limit, delta] = inputs else { return None };
    let count = (number(limit)? - number(start)?) / number(delta)?;
    count.is_finite().then(|| count.ceil().max(0.0))
}

/// A range of floats is counted beforehand, since errors would add up, and one of integers is not.
pub fn range(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    match inputs {
        [Tensor::Float32(start), _, Tensor::Float32(delta)] => {
            let (start, delta) = (f64::from(*start.first()?), f64::from(*delta.first()?));
            let values = (0..steps(inputs)? as usize).map(|index| (start + index as f64 * delta) as f32);
            Some(vec![Tensor::Float32(values.collect::<ndarray::Array1<f32>>().into_dyn())])
        }
        [start, limit, delta] => {
            let (dtype, start, limit, delta) =
                (start.dtype(), start.integer()?, limit.integer()?, delta.integer()?);
            if delta == 0 {
                return None;
            }
            let is_inside = |value: &i64| if delta > 0 { *value < limit } else { *value > limit };
            let values: Vec<i64> = std::iter::successors(Some(start), |value| value.checked_add(delta))
                .take_while(is_inside)
                .collect();
            Some(vec![Tensor::from_integers(dtype, &[values.len()], &values)?])
        }
        _ => None,
    }
}

fn broadcast(value: &Tensor, shape: &[usize]) -> Option<Vec<Tensor>> {
    Some(vec![same_type!(value, array => array.broadcast(shape)?.to_owned())])
}

pub fn fill(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [dims, value] = inputs else { return None };
    broadcast(value, &lengths(dims)?)
}

pub fn broadcast_to(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, shape] = inputs else { return None };
    broadcast(input, &lengths(shape)?)
}

pub fn tile(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, multiples] = inputs else { return None };
    let multiples = lengths(multiples)?;
    if multiples.len() != input.shape().len() {
        return None;
    }
    let mut result = Tensor::clone(input);
    for (axis, &multiple) in multiples.iter().enumerate() {
        let indices: Vec<usize> = (0..multiple).flat_map(|_| 0..input.shape()[axis]).collect();
        result = picked(&result, axis, &indices);
    }
    Some(vec![result])
}
