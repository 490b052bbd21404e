pub mod bicubic;
pub mod color;
pub mod crop;
pub mod resize;
pub mod suppression;
