//! Tensors whose elements are not read yet: a type, a shape, and a *recipe* for the bytes.
//!
//! Weights are never held in memory. A [`Constant`] records where its bytes are and how to transform them. The writer
//! reads them when it reaches their position in the file.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod computed;
mod constant;
mod dtype;
mod element_source;
mod elements;
mod few_numbers;
mod fill;
mod joined;
mod levels;
mod literals;
mod numbers;
mod permute;
mod round;
mod scale;
mod slice;
mod statistics;
mod transpose;
mod values;

pub use constant::Constant;
pub use dtype::DType;
pub use element_source::{ElementSource, Inline, Made};
pub use elements::{BlockLayout, Buffer, Elements};
pub use few_numbers::A_CONSTANT;
pub use fill::Fill;
pub use levels::{Levels, Quantization, Quantized};
pub use numbers::for_each_number;
pub use permute::{Block, Permutation, check_length};
pub use statistics::Statistics;
pub use values::Tensor;
pub(crate) use values::same_type;

/// The number of elements of a tensor of this shape, or `None` if it, or a product of some of the lengths, does not fit a `usize`.
pub fn element_count(shape: &[usize]) -> Option<usize> {
    let not_zero = shape.iter().filter(|&&length| length != 0);
    let count = not_zero.copied().try_fold(1usize, usize::checked_mul)?;
    Some(if shape.contains(&0) { 0 } else { count })
}
