//! Passes over the graph, one per file. Each file describes the input and the output of its pass.

pub mod activations;
pub mod atrous;
pub mod batch;
pub mod batch_norm;
pub mod batch_norm_arithmetic;
pub mod branches;
pub mod conditionals;
pub mod control_flow;
pub mod cut;
pub mod failing;
pub mod float16;
pub mod fold;
pub mod freeze;
pub mod fuse_batch_norm;
pub mod join_concats;
pub mod layer_norm;
pub mod moving_averages;
pub mod neutral;
pub mod own_statistics;
pub mod pad_convolutions;
pub mod placeholder_defaults;
pub mod preprocess;
pub mod repeated;
pub mod rewrite;
pub mod tensordot;
pub mod training_mode;
