//! Interrupted commands: their exit status, and that no incomplete files remain.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, write};
use crate::support::command::binary;
use crate::support::repository::example;

/// Waits until something is in a folder.
fn wait_for_file(folder: &Path) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if fs::read_dir(folder).unwrap().next().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    false
}

/// Whether this process was begun with hangups ignored, as the commands that it starts are then too.
fn hangup_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}

#[test]
fn an_interrupted_command_leaves_no_temporary_files_and_has_its_own_status() {
    // Under nohup, hangups are ignored, and stay so.
    let ends = [(Signal::SIGHUP, 129), (Signal::SIGINT, 130), (Signal::SIGTERM, 143)];
    for (signal, status) in ends.into_iter().skip(usize::from(hangup_is_ignored())) {
        let folder = TempDir::new().unwrap();
        let temporary = folder.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        let output = folder.path().join("model.onnx");
        // It waits for the rest of its input, with what it has in a temporary file.
        let mut child = binary()
            .args(["convert", "-", output.to_str().unwrap()])
            .env("TMPDIR", &temporary)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // More than what tells the format of an archive.
        input.write_all(&[7; 1024]).unwrap();
        assert!(wait_for_file(&temporary));
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let done = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(done.status.code(), Some(status));
        assert_eq!(String::from_utf8_lossy(&done.stderr), "");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
        assert!(!output.exists());
    }
}

#[test]
fn a_command_that_is_interrupted_while_it_writes_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let large =
        |name: &str, shape: &[usize]| Variable::float32(name, shape, vec![0.25; shape.iter().product()]);
    let variables = [large("a", &[1 << 23]), large("b", &[1 << 23])];
    let checkpoint = write(folder.path(), &variables, Format::V2);
    let (large, small) = (checkpoint.to_str().unwrap(), example());
    interrupt_often(&["extract", large], "weights.npz", &[]);
    interrupt_often(&["extract", large], "weights/", &[]);
    interrupt_often(&["convert", small.to_str().unwrap()], "model.onnx", &["--verify"]);
}

#[test]
fn an_interrupted_batch_prints_the_failures_so_far() {
    let folder = TempDir::new().unwrap();
    for number in 0..60 {
        fs::copy(example(), folder.path().join(format!("net_{number}.ckpt"))).unwrap();
    }
    // The largest is the first.
    fs::write(folder.path().join("broken.ckpt"), vec![0; 20 << 20]).unwrap();
    let mut child = binary()
        .args(["batch", ".", "--out-dir", "out", "--jobs", "1", "--no-shard"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    printed.read_line(&mut String::new()).unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(130), "{said}");
    assert!(said.contains("broken.ckpt  is not a checkpoint: it starts with zeros"), "{said}");
    assert!(
        said.ends_with("interrupted: run the command again with --resume to convert the rest\n"),
        "{said}"
    );
}

/// Interrupts a command several times, as soon as there is anything beside its output.
fn interrupt_often(command: &[&str], output: &str, options: &[&str]) {
    let mut interrupted = 0;
    // The end may come before the signal does.
    for _ in 0..20 {
        let outputs = TempDir::new().unwrap();
        let mut child = binary()
            .args(command)
            .arg(outputs.path().join(output))
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        assert!(wait_for_file(outputs.path()));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        let code = child.wait().unwrap().code();
        // All of the output, or nothing.
        for entry in fs::read_dir(outputs.path()).unwrap() {
            assert_eq!(entry.unwrap().path(), outputs.path().join(output), "{command:?}");
        }
        match code {
            // It was done, and had only to end.
            Some(130) if outputs.path().join(output).exists() => {}
            Some(130) => {
                interrupted += 1;
                if interrupted == 3 {
                    break;
                }
            }
            code => assert_eq!(code, Some(0)),
        }
    }
    assert!(interrupted > 0, "{command:?} {output}");
}
