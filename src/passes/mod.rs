//! Passes over the graph, one a file, each with what comes in and what goes out.

pub mod atrous;
pub mod batch_norm;
pub mod freeze;
pub mod fuse_batch_norm;
pub mod pad_convolutions;
pub mod rewrite;
