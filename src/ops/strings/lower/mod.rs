pub mod tables;
pub mod text;
