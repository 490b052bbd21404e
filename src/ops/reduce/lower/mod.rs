pub mod reduce;
pub mod segment;
