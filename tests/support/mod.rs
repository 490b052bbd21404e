//! What the tests share. Each test file uses a part of it.
#![allow(dead_code)]

pub mod checkpoint_writer;
pub mod checkpoints;
pub mod command;
pub mod fill;
pub mod npy;
pub mod onnx;
pub mod op_cases;
pub mod zoo;
