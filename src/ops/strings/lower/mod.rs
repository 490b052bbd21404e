pub mod digits;
pub mod join;
pub mod join_segments;
pub mod replace;
pub mod tables;
pub mod text;
