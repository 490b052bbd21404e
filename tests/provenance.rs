//! `--provenance`: the SHA-256 of the input's files, the version of the program and the options, in the model's metadata.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::command::{convert, fails, fed, prints};
use crate::support::onnx::Model;
use crate::support::repository::{example, fixture};

const PROGRAM: &str = concat!("tf2onnx-rs ", env!("CARGO_PKG_VERSION"));

/// The line that `sha256sum` prints for a file.
fn line(path: &Path, name: &str) -> String {
    let hash: String =
        Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hash}  {name}")
}

fn entries(path: &Path) -> [Option<String>; 3] {
    let model = Model::load(path);
    ["source_sha256", "converter", "converter_options"].map(|key| model.metadata(key).map(str::to_owned))
}

#[test]
fn a_model_says_what_it_was_made_of_only_if_it_is_asked_to() {
    let folder = TempDir::new().unwrap();
    let [plain, traced] = ["plain.onnx", "traced.onnx"].map(|name| folder.path().join(name));
    let labels = folder.path().join("classes.txt");
    fs::write(&labels, (0..11).map(|number| format!("class {number}\n")).collect::<String>()).unwrap();
    let options = ["--labels", labels.to_str().unwrap(), "--opset", "18", "--verify"];
    let done = convert(&example(), &plain, &options);
    assert_eq!(entries(&plain), [None, None, None]);
    assert!(!done.stdout.contains("SHA-256"));
    let done = convert(&example(), &traced, &[&options[..], &["--provenance"]].concat());
    assert!(
        done.stdout.contains("SHA-256 of 2 files, version and options in the metadata"),
        "{}",
        done.stdout
    );
    let lines = [line(&example(), "inception_v3_tiny.ckpt"), line(&labels, "classes.txt")];
    let expected = [lines.join("\n"), PROGRAM.to_owned(), "--opset=18 --labels=classes.txt".to_owned()];
    assert_eq!(entries(&traced), expected.map(Some));
    // Nothing else is different.
    let [plain, traced] = [plain, traced].map(|path| Model::load(&path));
    assert_eq!(plain.proto().graph, traced.proto().graph);
    let kept = &traced.proto().metadata_props[..plain.proto().metadata_props.len()];
    assert_eq!(kept, plain.proto().metadata_props);
}

#[test]
fn inspect_and_json_show_where_a_model_comes_from() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("model.onnx");
    let [input, output] = [example(), model.clone()].map(|path| path.to_str().unwrap().to_owned());
    let json = |args: &[&str]| -> Value { serde_json::from_str(&prints(args)).unwrap() };
    assert_eq!(json(&["convert", &input, &output, "--json"])["provenance"], Value::Null);
    let summary = json(&["convert", &input, &output, "--json", "--provenance", "--fold-batch-norm"]);
    let line = line(&example(), "inception_v3_tiny.ckpt");
    let (hash, _) = line.split_once(' ').unwrap();
    assert_eq!(
        summary["provenance"],
        serde_json::json!({
            "files": [{"file": "inception_v3_tiny.ckpt", "sha256": hash}],
            "converter": PROGRAM,
            "options": "--fold-batch-norm",
        })
    );
    let shown = prints(&["inspect", &output]);
    assert!(shown.contains(&format!("\nsource_sha256: {line}\n")), "{shown}");
    assert!(shown.contains(&format!("\nconverter: {PROGRAM}\n")), "{shown}");
    assert!(shown.contains("\nconverter_options: --fold-batch-norm\n"), "{shown}");
    assert_eq!(json(&["inspect", &output, "--json"])["onnx"]["metadata"]["source_sha256"], line.as_str());
}

#[test]
fn all_files_of_the_input_are_named_by_their_place_in_it() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let check = |input: &Path, options: &[&str], files: &[(&Path, &str)]| {
        convert(input, &output, &[options, &["--provenance"]].concat());
        let lines: Vec<String> = files.iter().map(|(path, name)| line(path, name)).collect();
        assert_eq!(entries(&output)[0], Some(lines.join("\n")));
    };
    let containers = fixture("graphs/containers");
    let inside = |name: &str| containers.join(name);
    let (data, index) = ("model.ckpt.data-00000-of-00001", "model.ckpt.index");
    let meta = inside("model.ckpt.meta");
    check(
        &inside("model.ckpt"),
        &[],
        &[(&inside(data), data), (&inside(index), index), (&meta, "model.ckpt.meta")],
    );
    // A graph in another folder has its name alone.
    let [away, graph] = ["secret", "secret/graph.meta"].map(|name| folder.path().join(name));
    fs::create_dir(&away).unwrap();
    fs::copy(&meta, &graph).unwrap();
    fs::create_dir(folder.path().join("weights")).unwrap();
    let weights = |name: &str| folder.path().join("weights").join(name);
    // The .meta file beside the checkpoint is not read.
    for name in [data, index, "model.ckpt.meta"] {
        fs::copy(inside(name), weights(name)).unwrap();
    }
    check(
        &weights("model.ckpt"),
        &["--graph", graph.to_str().unwrap()],
        &[(&graph, "graph.meta"), (&weights(data), data), (&weights(index), index)],
    );
    assert_eq!(entries(&output)[2].as_deref(), Some("--graph=graph.meta"));
    assert!(!fs::read(&output).unwrap().windows(6).any(|bytes| bytes == b"secret"));
}

#[test]
fn an_archive_is_one_file_and_a_pipe_has_one_if_its_bytes_are_kept() {
    let folder = TempDir::new().unwrap();
    let [archive, output] = ["model.tar", "model.onnx"].map(|name| folder.path().join(name));
    let mut tar = tar::Builder::new(vec![]);
    tar.append_path_with_name(example(), "inception_v3_tiny.ckpt").unwrap();
    let tar = tar.into_inner().unwrap();
    fs::write(&archive, &tar).unwrap();
    convert(&archive, &output, &["--provenance"]);
    assert_eq!(entries(&output)[0], Some(line(&archive, "model.tar")));
    let to = output.to_str().unwrap();
    let (done, _) = fed(&["convert", "-", to, "--provenance"], &fs::read(example()).unwrap());
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(entries(&output)[0], Some(line(&example(), "standard input")));
    let before = fs::read(&output).unwrap();
    let (done, _) = fed(&["convert", "-", to, "--provenance"], &tar);
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .ends_with("only the unpacked files are kept; save it to a file, or leave out --provenance\n"),
        "{}",
        done.stderr
    );
    assert_eq!(fs::read(&output).unwrap(), before);
}

#[test]
fn batch_traces_each_model() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("models");
    let input = example();
    let options = ["batch", input.to_str().unwrap(), "--out-dir", out.to_str().unwrap(), "--quiet"];
    prints(&[&options[..], &["--provenance", "--opset", "15"]].concat());
    let [hashes, _, given] = entries(&out.join("inception_v3_tiny.onnx"));
    assert_eq!(hashes, Some(line(&input, "inception_v3_tiny.ckpt")));
    assert_eq!(given.as_deref(), Some("--opset=15"));
}

#[test]
#[cfg(unix)]
fn a_file_that_can_be_read_only_once_is_refused() {
    let folder = TempDir::new().unwrap();
    let [input, output] = [example(), folder.path().join("model.onnx")];
    let paths = ["convert", input.to_str().unwrap(), output.to_str().unwrap()];
    let said = fails(&[&paths[..], &["--provenance", "--labels", "/dev/null"]].concat());
    assert!(said.contains("/dev/null: it is no regular file, and cannot be read a second time"), "{said}");
    assert!(!output.exists());
}
