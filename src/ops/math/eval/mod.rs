pub mod elementwise;
pub mod functions;
