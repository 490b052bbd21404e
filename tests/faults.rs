//! Every call of the system fails in turn, as on a full or broken disk. Each command ends with one sentence and leaves its target and
//! all folders as they were, or it succeeds with the same output as ever.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rayon::prelude::*;
use tempfile::TempDir;

use crate::support::command::binary;
use crate::support::repository::{fixture, repository};

/// A command, which runs in a folder with the inputs.
struct Case {
    name: &'static str,
    args: &'static [&'static str],
    /// The input that it reads from a pipe.
    piped: Option<&'static str>,
}

const CASES: [Case; 13] = [
    Case { name: "V1", args: &["convert", "v1.ckpt", "out/model.onnx"], piped: None },
    Case { name: "V2", args: &["convert", "model.ckpt", "out/model.onnx", "--external-data"], piped: None },
    Case {
        name: "verified",
        args: &["convert", "model.ckpt", "out/model.onnx", "--verify", "--external-data"],
        piped: None,
    },
    Case { name: "graph", args: &["convert", "frozen.pb", "out/model.onnx"], piped: None },
    Case { name: "archive", args: &["convert", "model.tar.gz", "out/model.onnx"], piped: None },
    Case { name: "pipe", args: &["convert", "-", "out/model.onnx"], piped: Some("frozen.pb") },
    Case {
        name: "zip",
        args: &["convert", "frozen.pb", "--output", "out/model.zip", "--large_model"],
        piped: None,
    },
    Case { name: "arrays", args: &["extract", "model.ckpt", "out/weights.npz"], piped: None },
    Case { name: "safetensors", args: &["extract", "v1.ckpt", "out/weights.safetensors"], piped: None },
    Case { name: "folder", args: &["extract", "model.ckpt", "out/weights"], piped: None },
    Case { name: "saved model", args: &["graph", "model.ckpt", "out/saved"], piped: None },
    Case { name: "inspect", args: &["inspect", "model.ckpt", "--stats"], piped: None },
    Case { name: "batch", args: &["batch", "inputs", "--out-dir", "out", "--jobs", "1"], piped: None },
];

const EIO: i32 = 5;
const ENOMEM: i32 = 12;
const ENOSPC: i32 = 28;
const EOPNOTSUPP: i32 = 95;
/// Only a part of what was asked for.
const PARTLY: i32 = 0;

/// The calls that fail, and how.
const FAULTS: [(&str, &[i32]); 11] = [
    ("open", &[EIO]),
    ("read", &[EIO, PARTLY]),
    ("mmap", &[ENOMEM, PARTLY]),
    ("write", &[ENOSPC, PARTLY]),
    ("copy", &[ENOSPC, PARTLY]),
    ("fallocate", &[ENOSPC, EOPNOTSUPP]),
    ("lseek", &[EIO]),
    ("close", &[EIO]),
    ("fchmod", &[EIO]),
    ("mkdir", &[ENOSPC]),
    ("rename", &[EIO]),
];

/// The calls that replace a file, and undo it.
const LINKS: (&str, &[i32]) = ("link", &[EOPNOTSUPP]);

/// The library that lets calls fail.
fn library(folder: &Path) -> PathBuf {
    let library = folder.join("libfaults.so");
    let source = repository("tests/support/faults.rs");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiled = Command::new(compiler)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-O", "-o"])
        .args([&library, &source])
        .output()
        .expect("there is a compiler");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    library
}

/// A folder with the inputs of all commands, and with old outputs.
fn inputs() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["out", "out/weights", "out/saved", "inputs", "tmp"] {
        fs::create_dir(path(name)).unwrap();
    }
    let files = ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "model.ckpt.meta", "frozen.pb"];
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        File::create(path("model.tar.gz")).unwrap(),
        flate2::Compression::fast(),
    ));
    for name in files {
        let from = fixture("graphs/containers").join(name);
        fs::copy(&from, path(name)).unwrap();
        if name != "frozen.pb" {
            archive.append_path_with_name(&from, name).unwrap();
        }
    }
    archive.into_inner().unwrap().finish().unwrap();
    fs::copy(fixture("batchnorm/fused_scale_center/v1.ckpt"), path("v1.ckpt")).unwrap();
    let graph = File::open(fixture("batchnorm/fused_scale_center/model.ckpt.meta.gz")).unwrap();
    let mut meta = File::create(path("v1.ckpt.meta")).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(graph), &mut meta).unwrap();
    fs::copy(path("frozen.pb"), path("inputs/net.pb")).unwrap();
    for name in
        ["model.onnx", "model.onnx.data", "model.zip", "weights.npz", "weights.safetensors", "net.onnx"]
    {
        fs::write(path("out").join(name), "old").unwrap();
    }
    folder
}

/// The files in a folder, with their content.
fn files_in(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap());
    let paths = entries.map(walkdir::DirEntry::into_path);
    paths
        .map(|path| (path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap_or_default()))
        .collect()
}

/// What a command did.
struct Ran {
    status: Option<i32>,
    stderr: String,
    printed: bool,
    /// The files in the folder of the outputs, without the record of a batch.
    outputs: BTreeMap<PathBuf, Vec<u8>>,
    temporary: usize,
}

fn run(case: &Case, environment: &[(&str, String)]) -> Ran {
    let folder = inputs();
    let piped = case.piped.map_or(Stdio::null(), |name| File::open(folder.path().join(name)).unwrap().into());
    let done = binary()
        .args(case.args)
        .current_dir(folder.path())
        .env("TMPDIR", folder.path().join("tmp"))
        .env("RAYON_NUM_THREADS", "1")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(piped)
        .output()
        .unwrap();
    let mut outputs = files_in(&folder.path().join("out"));
    outputs.retain(|path, _| path.extension().is_none_or(|extension| extension != "jsonl"));
    // A SavedModel has the attributes of a node in any order.
    let saved = outputs.iter_mut().filter(|(path, _)| path.ends_with("saved_model.pb"));
    saved.for_each(|(_, content)| content.sort_unstable());
    Ran {
        status: done.status.code(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        printed: !done.stdout.is_empty(),
        outputs,
        temporary: fs::read_dir(folder.path().join("tmp")).unwrap().count(),
    }
}

/// What is wrong with what a command did.
fn problem(case: &Case, ran: &Ran, before: &Ran, expected: &Ran) -> Option<&'static str> {
    // A batch goes on after a failure, and lists all of them.
    let is_batch = case.name == "batch";
    let is_new = ran.outputs == expected.outputs;
    if ran.temporary > 0 {
        return Some("it left temporary files");
    }
    match ran.status {
        None => Some("a signal ended it"),
        Some(0) if ran.stderr.contains("panicked") => Some("it panicked"),
        Some(0) if !is_new => Some("its output is another one"),
        Some(0) => None,
        Some(1) if !ran.stderr.contains("error: ") || (ran.stderr.lines().count() != 1 && !is_batch) => {
            Some("its error is no sentence")
        }
        // Nothing else is left to do when the result is printed.
        Some(1) if is_new && (ran.stderr.contains("standard output: ") || is_batch) => None,
        Some(1) if ran.outputs != before.outputs => Some("its target is not as before"),
        Some(1) if case.name == "inspect" && ran.printed && !ran.stderr.contains("standard output") => {
            Some("it printed a result")
        }
        Some(1) => None,
        Some(_) => Some("its exit status is wrong"),
    }
}

#[test]
fn every_call_of_the_system_may_fail() {
    let folder = TempDir::new().unwrap();
    let library = library(folder.path()).display().to_string();
    let before = run(&Case { name: "nothing", args: &["--version"], piped: None }, &[]);
    let kinds = FAULTS.iter().chain([&LINKS]);
    let kinds: Vec<(&str, i32)> =
        kinds.flat_map(|(call, errors)| errors.iter().map(move |&error| (*call, error))).collect();
    let ways: Vec<(&Case, (&str, i32))> =
        CASES.iter().flat_map(|case| kinds.iter().map(move |&kind| (case, kind))).collect();
    let expected: Vec<Ran> = CASES.iter().map(|case| run(case, &[])).collect();
    for (case, ran) in CASES.iter().zip(&expected) {
        assert_eq!(ran.status, Some(0), "{}: {}", case.name, ran.stderr);
        assert_eq!(ran.temporary, 0, "{}", case.name);
    }
    let tried = |&(case, (call, error)): &(&Case, (&str, i32))| {
        let expected = &expected[CASES.iter().position(|other| other.name == case.name).unwrap()];
        let mut problems = vec![];
        for number in 1.. {
            let log = folder.path().join(format!("{} {call} {error} {number}", case.name));
            let environment = [
                ("LD_PRELOAD", library.clone()),
                ("FAULT_CALL", call.to_owned()),
                ("FAULT_NUMBER", number.to_string()),
                ("FAULT_ERROR", error.to_string()),
                ("FAULT_LOG", log.display().to_string()),
            ];
            let ran = run(case, &environment);
            if let Some(problem) = problem(case, &ran, &before, expected) {
                let (status, stderr) = (ran.status, ran.stderr.trim_end());
                let names: Vec<_> = ran.outputs.keys().collect();
                problems.push(format!(
                    "{}: {call} {number} fails with {error}: {problem}: status {status:?}, \"{stderr}\", {names:?}",
                    case.name
                ));
            }
            if !log.exists() {
                return (number - 1, problems);
            }
        }
        unreachable!()
    };
    let results: Vec<(usize, Vec<String>)> = ways.par_iter().map(tried).collect();
    let problems: Vec<&str> = results.iter().flat_map(|(_, problems)| problems).map(String::as_str).collect();
    let count: usize = results.iter().map(|(count, _)| count).sum();
    assert!(problems.is_empty(), "{} of {count}:\n{}", problems.len(), problems.join("\n"));
    // In all programs, many calls can fail.
    assert!(count > 500, "only {count} calls failed: is the library loaded?");
}
