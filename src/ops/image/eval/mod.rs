pub mod crop;
pub mod resize;
pub mod suppression;
