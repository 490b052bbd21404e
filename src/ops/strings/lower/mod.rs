pub mod digits;
pub mod join;
pub mod tables;
pub mod text;
