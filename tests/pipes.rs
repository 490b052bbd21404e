//! Pipes as standard input and standard output.

use std::fs;
use std::io::Write;

use tempfile::TempDir;

use crate::support::command::{convert, fails, fed, prints, tf2onnx_rs};
use crate::support::onnx::Model;
use crate::support::repository::{example, fixture};

#[test]
fn a_model_goes_through_pipes() {
    let folder = TempDir::new().unwrap();
    let (file, piped) = (folder.path().join("file.onnx"), folder.path().join("piped.onnx"));
    for input in [example(), fixture("graphs/containers/frozen.pb")] {
        let bytes = fs::read(&input).unwrap();
        convert(&input, &file, &[]);
        let (done, model) = fed(&["convert", "-", "-"], &bytes);
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(done.stderr.starts_with("standard input → standard output\n"), "{}", done.stderr);
        fs::write(&piped, model).unwrap();
        let [of_file, of_pipe] = [&file, &piped].map(|path| Model::load(path));
        // They differ in what they say they come from, and in nothing else.
        assert_eq!(of_pipe.metadata("source"), Some("standard input"));
        assert_eq!(of_pipe.proto().graph.node, of_file.proto().graph.node);
        assert_eq!(of_pipe.proto().graph.initializer, of_file.proto().graph.initializer);
    }
    let (done, _) = fed(&["inspect", "-"], &fs::read(example()).unwrap());
    assert!(done.stdout.starts_with("standard input: V1 checkpoint, 388 tensors"), "{}", done.stdout);
    let arrays = folder.path().join("weights.npz");
    let (done, _) = fed(&["extract", "-", arrays.to_str().unwrap()], &fs::read(example()).unwrap());
    assert!(done.stdout.starts_with("standard input → "), "{}", done.stdout);
}

/// The files of a V2 checkpoint, as `tar c model.ckpt.*` writes them.
fn tar_of_checkpoint() -> Vec<u8> {
    let mut archive = tar::Builder::new(vec![]);
    for suffix in ["index", "data-00000-of-00001", "meta"] {
        let name = format!("model.ckpt.{suffix}");
        archive.append_path_with_name(fixture(&format!("graphs/containers/{name}")), name).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn archives_and_compressed_files_go_through_pipes() {
    let frozen = fs::read(fixture("graphs/containers/frozen.pb")).unwrap();
    let tar = tar_of_checkpoint();
    let inputs = [tar.clone(), gzip(&tar), gzip(&frozen), gzip(&fs::read(example()).unwrap())];
    let models = inputs.map(|input| {
        let (done, model) = fed(&["convert", "-", "-"], &input);
        assert_eq!(done.status, 0, "{}", done.stderr);
        model
    });
    assert_eq!(models[0], models[1]);
    let folder = TempDir::new().unwrap();
    for (name, contents) in [("frozen.pb.gz", &frozen), ("net.ckpt.gz", &fs::read(example()).unwrap())] {
        let path = folder.path().join(name);
        fs::write(&path, gzip(contents)).unwrap();
        convert(&path, &folder.path().join("model.onnx"), &[]);
    }
}

#[test]
fn a_compressed_model_with_a_wrong_checksum_is_refused() {
    for mut input in [gzip(&tar_of_checkpoint()), gzip(&fs::read(example()).unwrap())] {
        let checksum = input.len() - 8;
        input[checksum] ^= 1;
        let (done, _) = fed(&["convert", "-", "-"], &input);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{}", done.stderr);
        assert!(done.stderr.contains("standard input: the archive cannot be read"), "{}", done.stderr);
    }
}

#[test]
fn unsuitable_standard_input_and_output_are_refused() {
    for (input, said) in [
        (&b""[..], "standard input: it is empty"),
        (b"<html>404</html>", "standard input: it is a web page"),
        (b"learning_rate: 0.1", "standard input: is text, but not a graph"),
        (b"\x1f\x8bdamaged", "standard input: the archive cannot be read"),
    ] {
        let (done, _) = fed(&["convert", "-", "-"], input);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{}", done.stderr);
        assert!(done.stderr.contains(said) && !done.stderr.contains("/tf2onnx-rs-"), "{}", done.stderr);
    }
    let index = fs::read(fixture("graphs/keras/saved_model/variables/variables.index")).unwrap();
    let (done, _) = fed(&["convert", "-", "-"], &index);
    assert!(done.stderr.contains("standard input: it is the index of a V2 checkpoint"), "{}", done.stderr);
    let (done, _) = fed(&["convert", example().to_str().unwrap(), "-", "--external-data"], b"");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr.contains("standard output: the model has its weights in a second file"),
        "{}",
        done.stderr
    );
}

#[test]
fn an_error_is_one_line_whatever_a_file_is_called() {
    assert_eq!(fails(&["inspect", "no\nerror: where"]).lines().count(), 1);
}

#[test]
fn a_pipe_gets_colors_only_on_request() {
    const ESCAPE: char = '\u{1b}';
    let checkpoint = example();
    let inspect = ["inspect", checkpoint.to_str().unwrap()];
    assert!(!prints(&inspect).contains(ESCAPE));
    assert!(prints(&[&inspect[..], &["--color", "always"]].concat()).contains(ESCAPE));
    assert!(!fails(&["inspect", "nowhere"]).contains(ESCAPE));
    assert!(fails(&["inspect", "nowhere", "--color=always"]).contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "));
    let json = prints(&[&inspect[..], &["--json", "--color=always"]].concat());
    assert!(!json.contains(ESCAPE));
    assert!(tf2onnx_rs(["frobnicate", "--color=always"]).stderr.contains(ESCAPE));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_not_an_error() {
    use std::process::Stdio;

    use crate::support::command::binary;

    for args in
        [&["networks"][..], &["inspect", example().to_str().unwrap()], &["convert", "--help"], &["man"]]
    {
        let mut child = binary().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}
