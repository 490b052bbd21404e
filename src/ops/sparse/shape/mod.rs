pub mod ragged;
pub mod sparse;
