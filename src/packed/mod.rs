//! What is checked of every archive, whatever is in it: how much it unpacks to, and that none of its members is lost.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod growth;
mod zip_names;

pub use growth::Growth;
pub use zip_names::repeated_name;
