pub mod large;
pub mod log_sum;
pub mod reduce;
pub mod running;
pub mod runs;
pub mod segment;
