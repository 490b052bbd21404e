//! What a tensor is before anybody reads it: a type, a shape, and a *recipe* for its bytes.
//!
//! Weights are never held in memory. A [`Constant`] says where its bytes are and what is to be done to them
//! on the way out; the writer asks for them when it reaches them.

mod constant;
mod dtype;
mod elements;
mod numbers;
mod part;
mod permute;
mod round;
mod scale;
mod source;
mod statistics;
mod transpose;
mod values;

pub use constant::Constant;
pub use dtype::DType;
pub use elements::{Elements, Filled, Room};
pub use numbers::for_each_number;
pub use permute::{Block, Permutation, check_length};
pub use source::{Fill, Inline, Source};
pub use statistics::Statistics;
pub use values::Tensor;
pub(crate) use values::same_type;

/// The number of elements of a tensor of this shape, or `None` where it does not fit a `usize`.
pub fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))
}
