pub mod binary;
pub mod elementwise;
pub mod inverse;
pub mod matrix;
pub mod reduce;
pub mod segment;
pub mod shift;
