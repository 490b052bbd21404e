pub mod ragged;
pub mod sets;
pub mod sparse;
