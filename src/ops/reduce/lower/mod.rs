pub mod large;
pub mod open_axes;
pub mod reduce;
pub mod segment;
