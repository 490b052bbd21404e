//! What the fuzz targets do, with the files of their corpora: no file makes the program panic.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeSet;
use std::fs;

use tf2onnx_rs::proto::GraphDef;

use crate::support::repository;
use fuzz::mutation::mutate_in_place;
use fuzz::targets::TARGETS;

/// The limits of the repository on a corpus.
const MAX_FILES: usize = 100;
const MAX_BYTES: usize = 4096;

/// The names and bytes of the files of a target.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = repository::repository("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<(String, Vec<u8>)> = entries.map(|entry| read(entry.unwrap())).collect();
    files.sort();
    files
}

#[test]
fn every_file_has_a_result() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(!files.is_empty() && files.len() <= MAX_FILES, "{name}: {} files", files.len());
        for (file, bytes) in files {
            assert!(bytes.len() <= MAX_BYTES, "{name}/{file}: {} bytes", bytes.len());
            let done = std::panic::catch_unwind(|| target(&bytes));
            assert!(done.is_ok(), "fuzz/corpus/{name}/{file}");
        }
    }
}

#[test]
fn a_changed_graph_is_another_graph_that_has_a_result() {
    let mut seen = BTreeSet::new();
    for (_, bytes) in corpus("graph") {
        for seed in 1..5 {
            let mut buffer = [bytes.as_slice(), &[0; MAX_BYTES]].concat();
            let most = buffer.len();
            let length = mutate_in_place::<GraphDef>(&mut buffer, bytes.len(), most, seed);
            let length = length.expect("it is a graph that fits");
            if seen.insert(buffer[..length].to_vec()) {
                fuzz::targets::graph(&buffer[..length]);
            }
        }
    }
    assert!(seen.len() > 60, "{}", seen.len());
}

#[test]
fn every_target_is_a_program() {
    let manifest = fs::read_to_string(repository::repository("fuzz/Cargo.toml")).unwrap();
    let programs: BTreeSet<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    let targets: BTreeSet<&str> = TARGETS.iter().map(|&(name, _)| name).collect();
    assert_eq!(programs, targets);
}
