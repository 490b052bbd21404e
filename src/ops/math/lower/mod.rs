pub mod binary;
pub mod elementwise;
pub mod shift;
