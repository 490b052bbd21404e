//! Ops that TensorFlow does not have, in graphs that the program rewrites.

use super::branches::ON_BRANCH;

/// Rounds float32 to float16. With `clamp`, finite numbers beyond the range of float16 become its largest or smallest number.
pub const ROUND_TO_FLOAT16: &str = "RoundToFloat16";

/// Normalizes the last axis of a tensor by its own mean and variance, and multiplies and adds vectors: the inputs are the tensor, the
/// scale and the offset; the attribute is `epsilon`.
pub const LAYER_NORMALIZATION: &str = "LayerNormalization";

/// `x * relu6(x + 3) / 6`.
pub const HARD_SWISH: &str = "HardSwish";

/// `x / 2 * (1 + erf(x / sqrt(2)))`; with `approximate`, by the hyperbolic tangent.
pub const GELU: &str = "Gelu";

/// The first input, where it is not negative, and else its product with the second one.
pub const PRELU: &str = "PRelu";

/// All of them.
pub const ALL: [&str; 6] = [ROUND_TO_FLOAT16, LAYER_NORMALIZATION, HARD_SWISH, GELU, PRELU, ON_BRANCH];
