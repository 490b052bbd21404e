//! Shapes that say how many numbers are generated (`tensorflow/core/ops/random_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::ops::infer::one;
use crate::tensor::DType;

pub fn random(inputs: &Inputs<'_>, dtype: DType) -> Result<Vec<TensorType>> {
    one(dtype, inputs.described_shape(0)?)
}

pub fn multinomial(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let count = inputs.integers(1)?.and_then(|count| usize::try_from(*count.first()?).ok());
    one(node.dtype("output_dtype").unwrap_or(DType::Int64), Shape::new(vec![inputs.shape(0)?.dim(0), count]))
}

/// A key of one number, and a counter of two.
pub fn key_and_counter() -> Vec<TensorType> {
    [1, 2].map(|count| TensorType::new(DType::UInt64, Shape::known(&[count]))).to_vec()
}

/// The begin and the size of a slice of an image, and the box in it as a share of the image.
pub fn distorted_box(inputs: &Inputs<'_>) -> Result<Vec<TensorType>> {
    let slice = TensorType::new(inputs.dtype(0)?, Shape::known(&[3]));
    Ok(vec![slice.clone(), slice, TensorType::new(DType::Float32, Shape::known(&[1, 1, 4]))])
}
