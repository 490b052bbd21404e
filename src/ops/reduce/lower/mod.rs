pub mod large;
pub mod reduce;
pub mod segment;
