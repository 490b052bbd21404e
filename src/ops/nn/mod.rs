//! Layers of neural networks: convolution, pooling, normalization, losses.

pub mod check;
pub mod eval;
pub mod lower;
pub mod shape;
mod variants;

use self::lower::transposed::transposed_convolution;
use super::{Op, op};
use crate::graph::own_ops::{GROUP_NORMALIZATION, LAYER_NORMALIZATION};
use crate::ops::infer::like_first_input;

const SMALLER_THAN_WINDOW: &str =
    "of images smaller than the window ONNX Runtime computes a pixel where TensorFlow computes none";
const SMALLER_THAN_FILTER: &str =
    "ONNX Runtime refuses images smaller than the filter, of which TensorFlow computes no pixels";
const VOLUMES: &str = "ONNX Runtime refuses volumes smaller than the filter, of which TensorFlow computes no pixels; where strides are \
     longer than windows, TensorFlow's CPU kernel pads `SAME` otherwise than TensorFlow documents";
const POOLED_VOLUMES: &str = "of volumes smaller than the window ONNX Runtime computes a pixel where TensorFlow computes none; where \
     strides are longer than windows, TensorFlow's CPU kernel pads `SAME` otherwise than TensorFlow documents";

/// What a beam search becomes.
const BEAM_SEARCH: &[&str] =
    &["Loop", "TopK", "GatherElements", "ScatterElements", "CumSum", "Exp", "Log", "NonZero", "GatherND"];
const EQUAL_PATHS: &str = "of paths that are equally likely, TensorFlow's heap and ONNX may choose different ones; nor do they agree \
     where the blank and labels have logits of minus infinity";

/// What tells the size of the result of a transposed convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeOf {
    /// A vector of the lengths.
    Vector,
    /// A tensor of that size.
    Tensor,
}

/// The filters of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filters {
    /// Each reads all channels.
    Full,
    /// Each reads one channel.
    Depthwise,
}

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("AvgPool")
        .shape(|inputs, node| shape::pooling(inputs, node, 4))
        .lower(lower::layers::average_pool, &["AveragePool"])
        .note(SMALLER_THAN_WINDOW)
        .eval(|node, inputs| eval::pooling::pool(node, inputs, 0.0, |a, b| a + b, |count| count as f32))
        .float16(),
    op("AvgPool3D")
        .shape(|inputs, node| shape::pooling(inputs, node, 5))
        .lower(lower::layers::average_pool, &["AveragePool"])
        .note(POOLED_VOLUMES)
        .eval(|node, inputs| eval::pooling::pool(node, inputs, 0.0, |a, b| a + b, |count| count as f32))
        .float16(),
    op("BiasAdd")
        .also(&["BiasAddV1"])
        .shape(like_first_input)
        .check(check::bias)
        .lower(lower::layers::bias_add, &["Add"])
        .eval(super::matrix::eval::bias_add)
        .float16(),
    op("Conv")
        .shape(variants::convolution_shape)
        .lower(variants::convolution, &["Conv"])
        .eval(variants::convolution_eval)
        .float16(),
    op("Conv2D")
        .shape(|inputs, node| shape::convolution(inputs, node, 4))
        .lower(lower::layers::convolution, &["Conv"])
        .note(SMALLER_THAN_FILTER)
        .eval(eval::convolution::convolution)
        .float16(),
    op("Conv2DBackpropInput")
        .shape(|inputs, node| shape::transposed_convolution(inputs, node, 4, SizeOf::Vector))
        .lower(
            |cx, node| transposed_convolution(cx, node, SizeOf::Vector, Filters::Full),
            &["ConvTranspose", "Slice"],
        )
        .eval(eval::convolution::transposed)
        .float16(),
    op("Conv2DBackpropInputV2")
        .shape(|inputs, node| shape::transposed_convolution(inputs, node, 4, SizeOf::Tensor))
        .lower(
            |cx, node| transposed_convolution(cx, node, SizeOf::Tensor, Filters::Full),
            &["ConvTranspose", "Slice"],
        )
        .float16(),
    op("Conv3D")
        .shape(|inputs, node| shape::convolution(inputs, node, 5))
        .lower(lower::layers::convolution, &["Conv"])
        .note(VOLUMES)
        .eval(eval::convolution::convolution)
        .float16(),
    op("Conv3DBackpropInput")
        .shape(|inputs, node| shape::transposed_convolution(inputs, node, 5, SizeOf::Tensor))
        .lower(
            |cx, node| transposed_convolution(cx, node, SizeOf::Tensor, Filters::Full),
            &["ConvTranspose", "Slice"],
        )
        .float16(),
    op("Conv3DBackpropInputV2")
        .shape(|inputs, node| shape::transposed_convolution(inputs, node, 5, SizeOf::Vector))
        .lower(
            |cx, node| transposed_convolution(cx, node, SizeOf::Vector, Filters::Full),
            &["ConvTranspose", "Slice"],
        )
        .eval(eval::convolution::transposed)
        .float16(),
    op("CTCBeamSearchDecoder")
        .shape(super::sparse::shape::sparse::beam_search_decoder)
        .lower(lower::beam_search::beam_search_decoder, BEAM_SEARCH)
        .note(EQUAL_PATHS),
    op("CTCGreedyDecoder").shape(super::sparse::shape::sparse::greedy_decoder).lower(
        lower::ctc::greedy_decoder,
        &["ArgMax", "ReduceMax", "Equal", "Where", "ReduceSum", "CumSum", "NonZero", "GatherND"],
    ),
    op("DepthwiseConv2dNative")
        .shape(shape::depthwise_convolution)
        .lower(lower::layers::depthwise_convolution, &["Conv"])
        .note(SMALLER_THAN_FILTER)
        .eval(eval::convolution::depthwise)
        .float16(),
    op("DepthwiseConv2dNativeBackpropInput")
        .shape(|inputs, node| shape::transposed_convolution(inputs, node, 4, SizeOf::Vector))
        .lower(
            |cx, node| transposed_convolution(cx, node, SizeOf::Vector, Filters::Depthwise),
            &["ConvTranspose", "Slice"],
        )
        .float16(),
    op("Dilation2D")
        .shape(shape::dilation)
        .lower(lower::taps::dilation, &["Slice", "Add", "Greater", "Where"])
        .note("sums of integers beyond their type are its largest or least number, where TensorFlow's wrap around"),
    op("ExtractImagePatches")
        .shape(shape::extract_patches)
        .lower(lower::open_windows::extract_patches, &["Pad", "Gather", "Transpose", "Reshape"]),
    op("ExtractVolumePatches")
        .shape(shape::volume_patches)
        .lower(lower::taps::volume_patches, &["Slice", "Concat"]),
    op("FusedBatchNorm")
        .also(&["FusedBatchNormV2"])
        .shape(|inputs, node| shape::batch_norm(inputs, node, 4))
        .lower(lower::layers::batch_norm, &["BatchNormalization"])
        .eval(eval::normalization::batch_norm)
        .float16(),
    op("FusedBatchNormV3")
        .shape(|inputs, node| shape::batch_norm(inputs, node, 5))
        .lower(lower::layers::batch_norm, &["BatchNormalization"])
        .eval(eval::normalization::batch_norm)
        .float16(),
    op("LRN")
        .shape(shape::local_response_normalization)
        .lower(lower::local::local_response_normalization, &["LRN"])
        .eval(eval::normalization::local_response),
    op("MaxPool")
        .shape(shape::max_pooling)
        .lower(lower::layers::max_pool, &["MaxPool", "Pad", "Slice", "Gather", "ReduceMax"])
        .note(SMALLER_THAN_WINDOW)
        .eval(|node, inputs| eval::pooling::pool(node, inputs, f32::NEG_INFINITY, f32::max, |_| 1.0))
        .float16(),
    op("MaxPool3D")
        .shape(|inputs, node| shape::pooling(inputs, node, 5))
        .lower(lower::layers::max_pool, &["MaxPool", "Pad", "Slice"])
        .note(POOLED_VOLUMES)
        .eval(|node, inputs| eval::pooling::pool(node, inputs, f32::NEG_INFINITY, f32::max, |_| 1.0))
        .float16(),
    op("MaxPoolV2")
        .shape(variants::max_pool_shape)
        .lower(variants::max_pool, &["MaxPool", "Pad", "Slice", "Gather", "ReduceMax"])
        .note(SMALLER_THAN_WINDOW)
        .eval(variants::max_pool_eval)
        .float16(),
    op("MaxPoolWithArgmax")
        .shape(shape::max_pool_with_argmax)
        .lower(lower::patches::max_pool_with_argmax, &["MaxPool", "Mod", "Mul", "Add"])
        .note("ONNX Runtime finds no place in a window of nothing but -infinity"),
    op("SoftmaxCrossEntropyWithLogits")
        .shape(shape::cross_entropy)
        .lower(lower::loss::softmax_cross_entropy, &["LogSoftmax", "Mul", "ReduceSum", "Neg"]),
    op("SparseSoftmaxCrossEntropyWithLogits").shape(shape::cross_entropy).lower(
        lower::loss::sparse_softmax_cross_entropy,
        &["LogSoftmax", "OneHot", "Mul", "ReduceSum", "Neg"],
    ),
    op(GROUP_NORMALIZATION)
        .shape(like_first_input)
        .lower(lower::group_norm::group_normalization, &["InstanceNormalization", "Reshape"]),
    op(LAYER_NORMALIZATION)
        .shape(like_first_input)
        .lower(lower::layer_norm::layer_normalization, &["LayerNormalization", "ReduceMean", "Sub"])
        .since(17),
];
