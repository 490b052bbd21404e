//! Ops that TensorFlow does not have, in graphs that the program rewrites.
//!
//! Their names have a colon, which no name of an op in TensorFlow has: another program's op `Gelu` may be anything. Nodes of files do
//! not have these ops, so that their inputs are as many as they should be.
//!
//! Source: `OpDefBuilder::Finalize` in `tensorflow/core/framework/op_def_builder.cc`, for the names.

use super::branches::ON_BRANCH;

/// Rounds float32 to float16. With `clamp`, finite numbers beyond the range of float16 become its largest or smallest number.
pub const ROUND_TO_FLOAT16: &str = "tf2onnx-rs:RoundToFloat16";

/// Normalizes the last axis of a tensor by its own mean and variance, and multiplies and adds vectors: the inputs are the tensor, the
/// scale and the offset; the attribute is `epsilon`.
pub const LAYER_NORMALIZATION: &str = "tf2onnx-rs:LayerNormalization";

/// Normalizes each group of the channels of a tensor, which are on its last axis, by the group's own mean and variance, along all axes
/// but the first one: the inputs are the tensor, and the scale and the offset of each group; the attributes are `groups` and `epsilon`.
pub const GROUP_NORMALIZATION: &str = "tf2onnx-rs:GroupNormalization";

/// `x * relu6(x + 3) / 6`.
pub const HARD_SWISH: &str = "tf2onnx-rs:HardSwish";

/// `x / 2 * (1 + erf(x / sqrt(2)))`; with `approximate`, by the hyperbolic tangent.
pub const GELU: &str = "tf2onnx-rs:Gelu";

/// The first input, where it is not negative, and else its product with the second one.
pub const PRELU: &str = "tf2onnx-rs:PRelu";

/// All of them.
pub const ALL: [&str; 7] =
    [ROUND_TO_FLOAT16, LAYER_NORMALIZATION, GROUP_NORMALIZATION, HARD_SWISH, GELU, PRELU, ON_BRANCH];

/// The attribute of a node that computes the gradient of a batch norm in training: that of inference is another one.
pub const OF_TRAINING: &str = "_gradient_of_training";
