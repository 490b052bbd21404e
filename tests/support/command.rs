//! The binary as a user runs it.

use std::path::Path;
use std::process::Command;

pub struct Done {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `tf2onnx-rs` with these arguments.
pub fn tf2onnx_rs<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Done {
    let output = Command::new(env!("CARGO_BIN_EXE_tf2onnx-rs")).args(args).output().expect("the binary runs");
    Done {
        status: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("it prints text"),
        stderr: String::from_utf8(output.stderr).expect("it prints text"),
    }
}

/// Converts and demands success.
pub fn convert(input: &Path, output: &Path, options: &[&str]) -> Done {
    let paths = [input.to_str().unwrap(), output.to_str().unwrap()];
    let done = tf2onnx_rs(["convert"].iter().chain(&paths).chain(options));
    assert_eq!(done.status, 0, "{}", done.stderr);
    done
}

/// Runs a command that has to fail: with status 1, one sentence on standard error and nothing on standard output.
pub fn fails(args: &[&str]) -> String {
    let done = tf2onnx_rs(args);
    assert_eq!(done.status, 1, "{args:?}: {}{}", done.stdout, done.stderr);
    assert_eq!(done.stdout, "", "{args:?}");
    assert_eq!(done.stderr.lines().count(), 1, "{args:?}: {}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{args:?}: {}", done.stderr);
    done.stderr
}
