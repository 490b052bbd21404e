pub mod digits;
pub mod join;
pub mod replace;
pub mod tables;
pub mod text;
