//! What `tf2onnx-rs batch` finds and reports: it does not ignore a named input, and overwrites nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::command::{Done, binary, convert, fails, tf2onnx_rs};
use crate::support::repository::repository;

const EXAMPLE: &str = "examples/inception_v3_tiny/inception_v3_tiny.ckpt";
const FROZEN: &str = "tests/fixtures/graphs/containers/frozen.pb";

/// A folder with models in it, and the folder of the outputs beside them.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    fn copy(&self, fixture: &str, name: impl AsRef<Path>) {
        self.write(name, fs::read(repository(fixture)).unwrap());
    }

    /// Runs `batch` from within the folder.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command.arg("batch").args(args).arg("--no-shard").current_dir(self.0.path());
        command
    }

    fn batch(&self, args: &[&str]) -> Done {
        Done::new(self.command(&[args, &["--out-dir", "out"]].concat()).output().unwrap())
    }

    /// The names in the folder of the outputs that are models.
    fn models(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("out")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(".onnx"));
        names.sort();
        names
    }
}

#[test]
fn a_report_replaces_no_other_file() {
    let folder = Folder::new();
    folder.copy(FROZEN, "models/net.pb");
    folder.write("models.toml", "[[model]]\ninput = \"models/net.pb\"\n");
    let manifest = ["--manifest", "models.toml", "--report", "models.toml"];
    for (args, expected) in [
        (&["models", "--report", "models/net.pb"][..], "models/net.pb: it is an input too"),
        (&manifest, "models.toml: it is an input too"),
        (&["models", "--report", "./out/net.onnx"], "out/net.onnx: another output has this name"),
        (&["models", "--report", "out/tf2onnx-rs.state.jsonl"], "it is the state file of --resume"),
    ] {
        fs::create_dir_all(folder.path("out")).unwrap();
        let before =
            [folder.path("models/net.pb"), folder.path("models.toml")].map(|path| fs::read(path).unwrap());
        let done = folder.batch(args);
        assert!(done.status == 1 && done.stderr.contains(expected), "{args:?}: {}", done.stderr);
        let after =
            [folder.path("models/net.pb"), folder.path("models.toml")].map(|path| fs::read(path).unwrap());
        assert!(before == after && fs::read_dir(folder.path("out")).unwrap().next().is_none(), "{args:?}");
    }
    let done = folder.batch(&["models", "--report", "-"]);
    assert!(done.status == 2 && done.stderr.contains("--json prints the same lines"), "{}", done.stderr);
}

#[test]
fn files_with_the_extension_of_an_archive_that_are_not_archives_fail() {
    let folder = Folder::new();
    folder.copy(FROZEN, "models/net.pb");
    folder.write("models/page.tar.gz", "<!DOCTYPE html>\n");
    folder.write("models/empty.zip", "");
    folder.write("models/pointer.tgz", "version https://git-lfs.github.com/spec/v1\n");
    let done = folder.batch(&["models"]);
    assert!(done.stdout.contains("1 converted, 3 failed"), "{}", done.stdout);
    for said in ["it is a web page", "it is empty", "it is a Git LFS pointer"] {
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
}

#[test]
fn a_damaged_newer_checkpoint_is_not_skipped() {
    let folder = Folder::new();
    folder.copy(EXAMPLE, "train/model.ckpt-1000");
    let (train, output) = (folder.text("train"), folder.text("x.onnx"));
    let said = convert(&folder.path("train"), &folder.path("x.onnx"), &[]).stdout;
    assert!(said.contains(&format!("\ncheckpoint {train}/model.ckpt-1000\n")), "{said}");
    let json = convert(&folder.path("train"), &folder.path("x.onnx"), &["--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["checkpoint"], format!("{train}/model.ckpt-1000"));
    folder.write("train/model.ckpt-2000.data-00000-of-00001", "weights");
    let said = fails(&["convert", &train, &output]);
    let parts = ["model.ckpt-2000.index: is missing", "or give the path of another one: model.ckpt-1000"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    fs::remove_file(folder.path("train/model.ckpt-2000.data-00000-of-00001")).unwrap();
    // A damaged one of an earlier step is not what is meant.
    folder.write("train/model.ckpt-500.data-00000-of-00001", "weights");
    convert(&folder.path("train"), &folder.path("x.onnx"), &[]);
}

#[test]
fn a_recursive_pattern_finds_files_at_the_top_and_notes_only_what_is_skipped() {
    let folder = Folder::new();
    folder.copy(FROZEN, "n/top.pb");
    folder.copy(FROZEN, "n/deep/below.pb");
    let done = folder.batch(&["n/**", "--dry-run"]);
    assert!(done.stdout.contains("2 to convert"), "{}", done.stdout);
    for step in [1000, 2000] {
        folder.copy(EXAMPLE, format!("n/train/model.ckpt-{step}"));
    }
    let done = folder.batch(&["n/**/*", "--dry-run"]);
    assert!(done.stdout.contains("4 to convert") && done.stderr.is_empty(), "{}{}", done.stdout, done.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_text_are_converted_or_reported() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    folder.copy(EXAMPLE, Path::new("models").join(OsStr::from_bytes(b"bad\xff.ckpt")));
    let done = folder.batch(&["models", "--json"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let line: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(line["input"], "models/bad\u{fffd}.ckpt");
    let done = folder.batch(&["models/*.ckpt"]);
    assert!(done.status == 1 && done.stderr.contains("its name is not UTF-8"), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_not_read() {
    let folder = Folder::new();
    fs::create_dir(folder.path("ff")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.path("ff/f.ckpt")).status().unwrap().success());
    let done = folder.batch(&["ff/*"]);
    assert!(done.status == 1 && done.stderr.contains("neither a file nor a folder"), "{}", done.stderr);
}

#[test]
fn hidden_checkpoints_and_graphs_without_weights_are_skipped() {
    let folder = Folder::new();
    folder.copy(FROZEN, "models/net.pb");
    folder.copy(EXAMPLE, "models/.hidden.ckpt");
    folder.copy("tests/fixtures/graphs/containers/model.ckpt.meta", "models/lone.ckpt.meta");
    let done = folder.batch(&["models"]);
    assert_eq!(folder.models(), ["net.onnx"]);
    assert_eq!(done.stderr, "note: models/lone.ckpt.meta: left out: it is a graph without its weights\n");
}

#[test]
fn a_list_may_begin_with_a_byte_order_mark_and_cannot_name_itself() {
    use std::io::Write;
    let folder = Folder::new();
    folder.copy(FROZEN, "net.pb");
    let mut command = folder.command(&["-", "--out-dir", "out"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all("\u{feff}net.pb\n-\n".as_bytes()).unwrap();
    let done = Done::new(child.wait_with_output().unwrap());
    assert!(done.stdout.contains("1 converted, 1 failed"), "{}", done.stdout);
    assert!(done.stderr.contains("the list cannot contain itself as a model"), "{}", done.stderr);
}

#[test]
fn colliding_names_are_counted_in_a_sentence() {
    let folder = Folder::new();
    for place in ["a", "b", "c", "d"] {
        folder.copy(FROZEN, format!("{place}/net.pb"));
    }
    for (inputs, expected) in [
        (&["a/net.pb", "b/net.pb", "c/net.pb"][..], "and 1 more input has an output"),
        (&["a/net.pb", "b/net.pb", "c/net.pb", "d/net.pb"], "and 2 more inputs have an output"),
    ] {
        let said = folder.batch(inputs).stderr;
        assert!(said.contains(expected) && said.contains("in folders and patterns"), "{said}");
    }
}

#[test]
fn warnings_of_a_conversion_name_its_input() {
    let folder = Folder::new();
    folder.copy(FROZEN, "net.pb");
    let names = tf2onnx_rs(["inspect", &folder.text("net.pb"), "--json"]).stdout;
    let names: serde_json::Value = serde_json::from_str(&names).unwrap();
    let constant = names["tensors"][0]["name"].as_str().unwrap();
    let done = folder.batch(&["net.pb", "--outputs", constant]);
    assert!(done.stderr.contains("warning: net.pb: the outputs depend on no input"), "{}", done.stderr);
    assert!(folder.batch(&["net.pb", "--outputs", constant, "--quiet"]).stderr.is_empty());
}
