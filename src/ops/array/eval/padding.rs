//! Arrays with more around them.

use ndarray::{ArrayD, Axis, Slice};

use crate::graph::Node;
use crate::ops::array::eval::basic::picked;
use crate::tensor::Tensor;
use crate::tensor::element_count;

/// Counts before and after each axis.
fn pads(tensor: &Tensor, rank: usize) -> Option<Vec<(usize, usize)>> {
    let counts: Option<Vec<usize>> =
        tensor.integers()?.into_iter().map(|count| usize::try_from(count).ok()).collect();
    let pairs: Vec<(usize, usize)> =
        counts?.as_chunks::<2>().0.iter().map(|&[before, after]| (before, after)).collect();
    (pairs.len() == rank).then_some(pairs)
}

/// An array filled with one element, with another array in its midst.
fn framed<T: Copy>(array: &ArrayD<T>, pads: &[(usize, usize)], element: T) -> Option<ArrayD<T>> {
    let shape: Vec<usize> = array
        .shape()
        .iter()
        .zip(pads)
        .map(|(length, (before, after))| length.checked_add(*before)?.checked_add(*after))
        .collect::<Option<_>>()?;
    element_count(&shape)?;
    let mut result = ArrayD::from_elem(shape, element);
    let mut inner = result.view_mut();
    for (axis, (&length, (before, _))) in array.shape().iter().zip(pads).enumerate() {
        inner.slice_axis_inplace(Axis(axis), Slice::from(*before..before + length));
    }
    inner.assign(array);
    Some(result)
}

pub fn constant(input: &Tensor, amounts: &Tensor, value: Option<&Tensor>) -> Option<Vec<Tensor>> {
    let pads = pads(amounts, input.shape().len())?;
    macro_rules! padded {
        ($variant:ident, $array:expr) => {{
            let element = match value {
                Some(Tensor::$variant(value)) => *value.first()?,
                Some(_) => return None,
                None => Default::default(),
            };
            Tensor::$variant(framed($array, &pads, element)?)
        }};
    }
    Some(vec![match input {
        Tensor::Float32(array) => padded!(Float32, array),
        Tensor::Float64(array) => padded!(Float64, array),
        Tensor::Int32(array) => padded!(Int32, array),
        Tensor::Int64(array) => padded!(Int64, array),
        Tensor::UInt8(array) => padded!(UInt8, array),
        Tensor::Bool(array) => padded!(Bool, array),
    }])
}

/// Under `SYMMETRIC` the border itself is repeated, under `REFLECT` it is not.
pub fn mirror(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, amounts] = inputs else { return None };
    let border = usize::from(node.text("mode")? == "REFLECT");
    let mut result = Tensor::clone(input);
    for (axis, (before, after)) in pads(amounts, input.shape().len())?.into_iter().enumerate() {
        let length = input.shape()[axis];
        if before.max(after) + border > length {
            return None;
        }
        let ahead = (border..border + before).rev();
        let behind = (length - border - after..length - border).rev();
        let indices: Vec<usize> = ahead.chain(0..length).chain(behind).collect();
        result = picked(&result, axis, &indices);
    }
    Some(vec![result])
}
