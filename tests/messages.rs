//! Messages of the library name settings, which the command line and other front ends word in their own way.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository::repository;

/// Options of the converter of TensorFlow.js, which a message names.
const OF_OTHER_PROGRAMS: [&str; 2] = ["--input_format=", "--output_format="];

#[test]
fn no_message_outside_of_the_command_line_has_its_options_or_commands() {
    let mut files = vec![];
    collect(&repository("src"), &mut files);
    assert!(files.len() > 200, "only {} files", files.len());
    for file in files {
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let code = OF_OTHER_PROGRAMS.iter().fold(code.to_owned(), |code, other| code.replace(other, ""));
            let begins = |start: &str, next: fn(char) -> bool| {
                code.split(start).skip(1).any(|rest| rest.starts_with(next))
            };
            let found = begins("--", |c| c.is_ascii_lowercase() || c == '{')
                || begins("tf2onnx-rs ", |c| c.is_ascii_lowercase());
            assert!(!found, "{}:{}: {line}", file.display(), number + 1);
        }
    }
}

/// Adds the Rust files of a folder and its subfolders, without those of the command line.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() && path != repository("src/cli") => collect(&path, files),
            Some(extension) if extension == "rs" && path != repository("src/setting.rs") => files.push(path),
            _ => {}
        }
    }
}
