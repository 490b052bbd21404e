//! The command `tf2onnx-rs`.

use std::process::ExitCode;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: allocator::BySize = allocator::BySize;

fn main() -> ExitCode {
    tf2onnx_rs::cli::run(std::env::args_os())
}
