pub mod inverse;
pub mod product;
