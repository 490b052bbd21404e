pub mod arithmetic;
pub mod edit_distance;
pub mod groups;
pub mod order;
pub mod ragged;
pub mod sets;
pub mod sparse;
