//! Runs the program as a user does.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub struct Done {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// What a command did whose standard output is text.
    pub fn new(output: Output) -> Self {
        Self {
            status: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).expect("it prints text"),
            stderr: String::from_utf8(output.stderr).expect("it prints text"),
        }
    }
}

pub fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tf2onnx-rs"))
}

/// Runs `tf2onnx-rs` with these arguments.
pub fn tf2onnx_rs<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Done {
    Done::new(binary().args(args).output().expect("the binary runs"))
}

/// What a successful command prints.
pub fn prints(args: &[&str]) -> String {
    let done = tf2onnx_rs(args);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{args:?}");
    done.stdout
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

/// Runs a command with something on its standard input, and returns also the bytes that it writes.
pub fn fed(args: &[&str], input: &[u8]) -> (Done, Vec<u8>) {
    fed_in(Path::new("."), args, input)
}

/// The same in another folder.
pub fn fed_in(folder: &Path, args: &[&str], input: &[u8]) -> (Done, Vec<u8>) {
    let mut child = binary()
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its input need not read it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let bytes = output.stdout.clone();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned().into_bytes();
    (Done::new(Output { stdout, ..output }), bytes)
}
