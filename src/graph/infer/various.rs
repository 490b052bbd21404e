//! Fourier transforms, quantization, random numbers, segments, detection and losses
//! (`tensorflow/core/ops/{spectral,array,random,math,image,sparse,nn}_ops.cc`).

use super::array::like_first_input;
use super::{InferenceFunction, Inputs};
use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::tensor::DType;

/// The inference functions of this family.
pub fn function(op: &str) -> Option<InferenceFunction> {
    Some(match op {
        "FFT"
        | "FFT2D"
        | "FakeQuantWithMinMaxArgs"
        | "FakeQuantWithMinMaxVars"
        | "FakeQuantWithMinMaxVarsPerChannel"
        | "QuantizeAndDequantizeV2"
        | "QuantizeAndDequantizeV3"
        | "QuantizeAndDequantizeV4"
        | "RandomShuffle" => like_first_input,
        "RFFT" | "RFFT2D" => rfft,
        "Complex" => |inputs, node| one(declared(node, "Tout", DType::Complex64), inputs.shape(0)?.clone()),
        "ComplexAbs" | "Real" | "Imag" => {
            |inputs, node| one(declared(node, "Tout", DType::Float32), inputs.shape(0)?.clone())
        }
        "RandomUniform" | "RandomStandardNormal" | "RandomUniformInt" | "TruncatedNormal" => random,
        "Multinomial" => multinomial,
        "SegmentSum" | "SegmentMax" | "SegmentMin" | "SegmentMean" | "SegmentProd" | "SparseSegmentSum"
        | "SparseSegmentMean" | "SparseSegmentSqrtN" => segment,
        "UnsortedSegmentSum"
        | "UnsortedSegmentMax"
        | "UnsortedSegmentMin"
        | "UnsortedSegmentProd"
        | "SparseSegmentSumWithNumSegments"
        | "SparseSegmentMeanWithNumSegments"
        | "SparseSegmentSqrtNWithNumSegments" => numbered_segment,
        "SoftmaxCrossEntropyWithLogits" | "SparseSoftmaxCrossEntropyWithLogits" => cross_entropy,
        "SparseToDense" => |inputs, _| one(inputs.dtype(2)?, inputs.described_shape(1)?),
        "NonMaxSuppression" | "NonMaxSuppressionV2" | "NonMaxSuppressionV3" => {
            |_, _| one(DType::Int32, Shape::new(vec![None]))
        }
        "NonMaxSuppressionV4" => |_, _| {
            Ok(vec![
                TensorType::new(DType::Int32, Shape::new(vec![None])),
                TensorType::new(DType::Int32, Shape::scalar()),
            ])
        },
        "NonMaxSuppressionV5" => |inputs, _| {
            Ok(vec![
                TensorType::new(DType::Int32, Shape::new(vec![None])),
                TensorType::new(inputs.dtype(1)?, Shape::new(vec![None])),
                TensorType::new(DType::Int32, Shape::scalar()),
            ])
        },
        "CombinedNonMaxSuppression" => combined_suppression,
        _ => return None,
    })
}

fn one(dtype: DType, shape: Shape) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(dtype, shape)])
}

/// The type that an attribute holds, or TensorFlow's default for it.
fn declared(node: &Node, name: &str, default: DType) -> DType {
    node.dtype(name).unwrap_or(default)
}

fn rfft(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = declared(node, "Tcomplex", DType::Complex64);
    let axes = if node.op == "RFFT2D" { 2 } else { 1 };
    let Some(dims) = inputs.shape(0)?.dims() else { return one(dtype, Shape::UNKNOWN) };
    let Some(first) = dims.len().checked_sub(axes) else {
        return Err(node.error("its input has too few axes"));
    };
    let mut dims = dims.to_vec();
    let lengths = inputs.integers(1)?;
    for axis in 0..axes {
        let length = lengths.as_ref().and_then(|lengths| usize::try_from(*lengths.get(axis)?).ok());
        dims[first + axis] = if axis + 1 == axes { length.map(|length| length / 2 + 1) } else { length };
    }
    one(dtype, Shape::new(dims))
}

fn random(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = match node.op.as_str() {
        "RandomUniformInt" => node.dtype("Tout").unwrap_or(DType::Int32),
        _ => node.dtype("dtype").unwrap_or(DType::Float32),
    };
    one(dtype, inputs.described_shape(0)?)
}

fn multinomial(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let count = inputs.integers(1)?.and_then(|count| usize::try_from(*count.first()?).ok());
    one(node.dtype("output_dtype").unwrap_or(DType::Int64), Shape::new(vec![inputs.shape(0)?.dim(0), count]))
}

/// The shape of rows of the first input, which are so many.
fn rows(inputs: &Inputs<'_>, count: Option<usize>, axes: Option<usize>) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match (input.shape.dims(), axes) {
        (Some(dims), Some(axes)) if axes <= dims.len() => Shape::new([&[count], &dims[axes..]].concat()),
        _ => Shape::UNKNOWN,
    };
    one(input.dtype, shape)
}

fn segment(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    rows(inputs, None, Some(1))
}

fn numbered_segment(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let is_sparse = node.op.starts_with("Sparse");
    let count = inputs.integers(if is_sparse { 3 } else { 2 })?;
    let count = count.and_then(|count| usize::try_from(*count.first()?).ok());
    rows(inputs, count, if is_sparse { Some(1) } else { inputs.shape(1)?.rank() })
}

fn cross_entropy(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    Ok(vec![TensorType::new(input.dtype, Shape::new(vec![input.shape.dim(0)])), input.clone()])
}

/// Boxes, scores and classes of so many boxes in each image, and how many of them there are.
fn combined_suppression(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let images = inputs.shape(1)?.dim(0);
    let number =
        |index| Ok(inputs.integers(index)?.and_then(|values| usize::try_from(*values.first()?).ok()));
    let mut boxes = number(3)?;
    if node.bool("pad_per_class", false) {
        let of_classes =
            number(2)?.zip(inputs.shape(1)?.dim(2)).map(|(each, classes)| each.saturating_mul(classes));
        boxes = boxes.zip(of_classes).map(|(total, of_classes)| total.min(of_classes));
    }
    let of_boxes = TensorType::new(DType::Float32, Shape::new(vec![images, boxes]));
    Ok(vec![
        TensorType::new(DType::Float32, Shape::new(vec![images, boxes, Some(4)])),
        of_boxes.clone(),
        of_boxes,
        TensorType::new(DType::Int32, Shape::new(vec![images])),
    ])
}
