//! The command `tf2onnx-rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tf2onnx_rs::cli::run(std::env::args_os())
}
