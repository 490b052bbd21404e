pub mod elementwise;
pub mod functions;
pub mod matrix;
pub mod reduction;
