pub mod large;
pub mod log_sum;
pub mod open_axes;
pub mod reduce;
pub mod segment;
