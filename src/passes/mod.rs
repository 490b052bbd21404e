//! Passes over the graph, one a file, each with what comes in and what goes out.

pub mod batch_norm;
pub mod freeze;
