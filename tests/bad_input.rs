//! Bad input: one clear sentence, exit status 1, and nothing written.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, prints, tf2onnx_rs};
use crate::support::repository::fixture;
use crate::support::zoo::Case;

/// A folder with a good checkpoint of each format and a file where the output would go.
struct Folder {
    dir: TempDir,
}

const OLD_OUTPUT: &[u8] = b"a model from before";

impl Folder {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("model.onnx"), OLD_OUTPUT).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// Converting fails with a message that has all these parts, and leaves the output as it was.
    fn refuses(&self, input: &Path, options: &[&str], parts: &[&str]) {
        let before = fs::read_dir(self.dir.path()).unwrap().count();
        let output = self.path("model.onnx");
        let paths = ["convert", input.to_str().unwrap(), output.to_str().unwrap()];
        let said = fails(&[&paths[..], options].concat());
        for part in parts {
            assert!(said.contains(part), "no \"{part}\" in: {said}");
        }
        assert_eq!(fs::read(&output).unwrap(), OLD_OUTPUT, "the old output is as it was");
        assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), before, "nothing is left beside it");
    }

    fn tiny(&self, format: Format) -> PathBuf {
        write(self.dir.path(), &filled(&Case::load("inception_v3_tiny")), format)
    }
}

#[test]
fn no_such_file() {
    let folder = Folder::new();
    folder.refuses(&folder.path("no.ckpt"), &[], &["no.ckpt"]);
}

#[test]
fn a_folder_without_a_checkpoint() {
    let folder = Folder::new();
    let empty = folder.path("empty");
    fs::create_dir(&empty).unwrap();
    folder.refuses(&empty, &[], &["empty", "checkpoint"]);
}

#[test]
fn files_of_other_kinds() {
    let folder = Folder::new();
    let text =
        folder.file("notes.txt", b"Inception v3, fine-tuned in May. See the wiki.\n".repeat(9).as_slice());
    folder.refuses(&text, &[], &["notes.txt", "text"]);
    folder.refuses(&folder.file("empty.ckpt", b""), &[], &["empty.ckpt"]);
    folder.refuses(&folder.file("zeros.ckpt", &[0; 4096]), &[], &["zeros.ckpt"]);
}

#[test]
fn a_truncated_table() {
    let folder = Folder::new();
    for format in [Format::V1, Format::V2] {
        let checkpoint = folder.tiny(format);
        let table = if format == Format::V1 { checkpoint.clone() } else { folder.path("model.ckpt.index") };
        let whole = fs::read(&table).unwrap();
        fs::write(&table, &whole[..whole.len() / 2]).unwrap();
        folder.refuses(&checkpoint, &[], &["model.ckpt"]);
        fs::remove_file(&table).unwrap();
    }
}

#[test]
fn a_flipped_byte_in_the_weights() {
    let folder = Folder::new();
    for format in [Format::V1, Format::V2] {
        let checkpoint = folder.tiny(format);
        let name = if format == Format::V1 { "model.ckpt" } else { "model.ckpt.data-00000-of-00001" };
        let mut bytes = fs::read(folder.path(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        fs::write(folder.path(name), bytes).unwrap();
        folder.refuses(&checkpoint, &[], &["InceptionV3/", "checksum"]);
        if format == Format::V1 {
            fs::remove_file(checkpoint).unwrap();
        }
    }
}

#[test]
fn a_missing_shard() {
    let folder = Folder::new();
    let checkpoint = folder.tiny(Format::V2);
    fs::remove_file(folder.path("model.ckpt.data-00000-of-00001")).unwrap();
    folder.refuses(&checkpoint, &[], &["model.ckpt.data-00000-of-00001"]);
}

#[test]
fn an_unknown_network() {
    let folder = Folder::new();
    let other = write(folder.dir.path(), &[Variable::float32("my/weights", &[2], vec![0.0; 2])], Format::V2);
    folder.refuses(&other, &[], &["no network of the library", "--network"]);
}

#[test]
fn half_of_a_network_is_reported_as_the_nearest_network() {
    let folder = Folder::new();
    let mut variables = filled(&Case::load("inception_v3_tiny"));
    variables.retain(|variable| !variable.name.contains("/Mixed_6") && !variable.name.contains("/Mixed_7"));
    let half = write(folder.dir.path(), &variables, Format::V2);
    folder.refuses(&half, &[], &["of inception_v3,", "InceptionV3/Mixed_6a"]);
}

#[test]
fn a_wrong_network_or_option() {
    let folder = Folder::new();
    let checkpoint = folder.tiny(Format::V2);
    folder.refuses(&checkpoint, &["--network", "inception_v9"], &["inception_v9", "inception_v3"]);
    folder.refuses(&checkpoint, &["--network", "inception_v1"], &["--network inception_v1"]);
    folder.refuses(&checkpoint, &["--network-option", "classes=3"], &["classes=3", "num_classes"]);
    folder.refuses(&checkpoint, &["--network-option", "spatial_squeeze"], &["KEY=VALUE"]);
    folder.refuses(&checkpoint, &["--network-option", "num_classes=12"], &["[1, 1, 203, 11] instead of"]);
}

#[test]
fn an_image_that_is_too_small() {
    let folder = Folder::new();
    folder.refuses(&folder.tiny(Format::V2), &["--image-size", "20"], &["--image-size"]);
}

#[test]
fn outputs_and_inputs_that_the_network_does_not_have() {
    let folder = Folder::new();
    let checkpoint = folder.tiny(Format::V2);
    folder.refuses(&checkpoint, &["--outputs", "Mixed_9z"], &["Mixed_9z", "Mixed_7c"]);
    folder.refuses(&checkpoint, &["--inputs-as-nchw", "Logits"], &["--inputs-as-nchw", "input:0"]);
    folder.refuses(&checkpoint, &["--outputs-as-nchw", "Logits"], &["--outputs-as-nchw"]);
}

#[test]
fn targets_that_cannot_be_written() {
    let folder = Folder::new();
    let checkpoint = folder.tiny(Format::V2);
    let checkpoint = checkpoint.to_str().unwrap();
    for command in ["convert", "extract"] {
        let existing = folder.path("folder.npz");
        fs::create_dir_all(&existing).unwrap();
        assert!(fails(&[command, checkpoint, existing.to_str().unwrap()]).contains("folder.npz"));
        let nowhere = folder.path("nowhere/model.npz");
        assert!(fails(&[command, checkpoint, nowhere.to_str().unwrap()]).contains("nowhere"));
    }
}

#[test]
fn bad_usage_has_status_2() {
    for args in [&["convert"][..], &["frobnicate"], &["convert", "a", "b", "--image-size", "0"], &[]] {
        let done = tf2onnx_rs(args);
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!done.stderr.is_empty());
    }
    assert_eq!(tf2onnx_rs(["--version"]).status, 0);
    assert_eq!(tf2onnx_rs(["convert", "--help"]).status, 0);
}

#[test]
fn the_image_size_is_required_if_the_variables_depend_on_it() {
    let folder = Folder::new();
    let input = write(folder.dir.path(), &filled(&Case::load("lenet")), Format::V2);
    let parts = ["a variable does not fit", "LeNet/fc3/weights is [3136, 1024]", "--image-size"];
    folder.refuses(&input, &["--image-size", "32"], &parts);
}

#[test]
fn networks_for_sound_have_no_image_size() {
    let folder = Folder::new();
    let layer = |scope: &str, shape: &[usize]| {
        let zeros = |shape: &[usize]| vec![0.0; shape.iter().product()];
        let biases = &shape[shape.len() - 1..];
        [
            Variable::float32(&format!("vggish/{scope}/weights"), shape, zeros(shape)),
            Variable::float32(&format!("vggish/{scope}/biases"), biases, zeros(biases)),
        ]
    };
    let layers: [(&str, &[usize]); 9] = [
        ("conv1", &[3, 3, 1, 64]),
        ("conv2", &[3, 3, 64, 128]),
        ("conv3/conv3_1", &[3, 3, 128, 256]),
        ("conv3/conv3_2", &[3, 3, 256, 256]),
        ("conv4/conv4_1", &[3, 3, 256, 512]),
        ("conv4/conv4_2", &[3, 3, 512, 512]),
        ("fc1/fc1_1", &[512, 4096]),
        ("fc1/fc1_2", &[4096, 4096]),
        ("fc2", &[4096, 128]),
    ];
    let variables: Vec<Variable> = layers.iter().flat_map(|(scope, shape)| layer(scope, shape)).collect();
    let input = write(folder.dir.path(), &variables, Format::V2);
    folder.refuses(
        &input,
        &["--image-size", "96"],
        &["vggish takes spectrograms", "num_frames", "num_bands"],
    );
}

#[test]
fn files_with_the_extension_of_a_graph_or_model_that_are_something_else() {
    let folder = Folder::new();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n";
    let page = b"\n<!doctype html>\n<html>";
    for name in ["g.pb", "g.meta", "g.pbtxt", "g.onnx"] {
        folder.refuses(&folder.file(name, pointer), &[], &[name, "it is a Git LFS pointer"]);
        folder.refuses(&folder.file(name, page), &[], &[name, "it is a web page"]);
        folder.refuses(&folder.file(name, b""), &[], &[name, "it is empty; download it again"]);
        let said = fails(&["inspect", folder.path(name).to_str().unwrap()]);
        assert!(said.contains("it is empty"), "{said}");
    }
    let model = folder.path("real.onnx");
    convert(&fixture("graphs/containers/frozen.pb"), &model, &[]);
    let already = ["it is an ONNX model already, which needs no conversion"];
    folder.refuses(&model, &[], &already);
    let unnamed = folder.path("unnamed.pb");
    fs::copy(&model, &unnamed).unwrap();
    folder.refuses(&unnamed, &[], &already);
}

#[test]
fn errors_about_values_of_options_are_readable() {
    for (option, value, expected) in
        [("--opset", "99", "not a number from 11 to 28"), ("--opset", "new", "not a number from 11 to 28")]
    {
        let done = tf2onnx_rs(["convert", "a.ckpt", "a.onnx", option, value]);
        assert!(done.status == 2 && done.stderr.contains(expected), "{}", done.stderr);
    }
    let done = tf2onnx_rs(["verify", "a.onnx", "--against", "b.onnx", "--seed", "x"]);
    assert!(done.status == 2 && done.stderr.contains("not a whole number from 0"), "{}", done.stderr);
    let folder = Folder::new();
    let zip = folder.file("a.zip", b"PK\x03\x04 and no end");
    folder.refuses(&zip, &[], &["a.zip: the archive cannot be read: a part of it is damaged or missing"]);
    let (checkpoint, options) = (folder.tiny(Format::V1), ["--network-option", "num_classes=-1"]);
    folder.refuses(&checkpoint, &options, &["the value is not a whole number, 0 or more"]);
}

#[test]
fn similar_file_names_are_suggested() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let checkpoint = write(folder.path(), &[Variable::float32("w", &[2], vec![1.0, 2.0])], Format::V2);
    for (part, renamed) in
        [("index", "model.ckpt-5000.index"), ("data-00000-of-00001", "model.ckpt-5000.data-00000-of-00001")]
    {
        fs::rename(format!("{}.{part}", checkpoint.display()), path(renamed)).unwrap();
    }
    fs::write(path("frozen_graph.pb"), b"x").unwrap();
    let inspect = |name: &str| fails(&["inspect", &path(name)]);
    let said = inspect("model.ckpt-500");
    assert!(said.contains("did you mean \"model.ckpt-5000\"?"), "{said}");
    let said = inspect("frozn_graph.pb");
    assert!(said.contains("did you mean \"frozen_graph.pb\"?"), "{said}");
    let said = inspect("something/else.ckpt");
    assert!(said.contains("does not exist"), "{said}");
    // A data file stands for its checkpoint.
    prints(&["inspect", &path("model.ckpt-5000.data-00000-of-00001")]);
    fs::remove_file(path("model.ckpt-5000.index")).unwrap();
    for name in ["model.ckpt-5000", "model.ckpt-5000.data-00000-of-00001"] {
        let said = inspect(name);
        assert!(said.contains("model.ckpt-5000.index: is missing, but is part of the checkpoint"), "{said}");
    }
}
