pub mod computation;
pub mod convolution;
pub mod gather;
pub mod pad;
pub mod product;
pub mod slice;
