pub mod resize;
pub mod suppression;
