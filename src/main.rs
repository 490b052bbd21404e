//! The command `tf2onnx-rs`.
fn main() {}
