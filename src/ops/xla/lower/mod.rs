pub mod product;
pub mod slice;
