pub mod convolution;
pub mod pad;
pub mod product;
pub mod slice;
