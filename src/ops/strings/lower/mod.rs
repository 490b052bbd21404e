pub mod digits;
pub mod tables;
pub mod text;
