//! What the tests share.

pub mod checkpoint_writer;
pub mod checkpoints;
pub mod command;
pub mod fill;
pub mod graph_text;
pub mod network_cases;
pub mod npy;
pub mod onnx;
pub mod op_cases;
pub mod repository;
pub mod settled;
pub mod zoo;
