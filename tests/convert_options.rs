//! Options of `convert` for inputs and outputs: names, preprocessing, probabilities, classes.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{Done, convert, fails};
use crate::support::fill;
use crate::support::npy;
use crate::support::onnx::{Model, execute, execute_bytes, relative_error};
use crate::support::repository::fixture;
use crate::support::zoo::Case;

const LOGITS: &str = "InceptionV3/Logits/SpatialSqueeze:0";
const PREDICTIONS: &str = "InceptionV3/Predictions/Reshape_1:0";

/// A checkpoint of a small Inception v3 with 11 classes, or of another case, in a folder of its own.
struct Folder {
    dir: TempDir,
    checkpoint: PathBuf,
}

impl Folder {
    fn new() -> Self {
        Self::with("inception_v3_tiny")
    }

    fn with(case: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let checkpoint = write(dir.path(), &filled(&Case::load(case)), Format::V2);
        Self { dir, checkpoint }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn convert(&self, name: &str, options: &[&str]) -> (Done, Model) {
        let done = convert(&self.checkpoint, &self.path(name), options);
        (done, Model::load(&self.path(name)))
    }

    /// The error of a conversion, which leaves no model.
    fn fails(&self, options: &[&str]) -> String {
        let output = self.path("none.onnx");
        let paths = ["convert", self.checkpoint.to_str().unwrap(), output.to_str().unwrap()];
        let said = fails(&[&paths[..], options].concat());
        assert!(!output.exists());
        said
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

fn names(infos: Vec<(String, String)>) -> Vec<String> {
    infos.into_iter().map(|(name, _)| name).collect()
}

fn graph_fixture(name: &str) -> PathBuf {
    fixture("graphs/containers").join(name)
}

/// The bytes of an image that follow from its shape, of all values.
fn photograph(shape: &[usize]) -> Vec<u8> {
    fill::image(shape).into_iter().map(|value| ((value + 1.0) * 127.999) as u8).collect()
}

#[test]
fn inputs_and_outputs_are_renamed_by_name_by_end_point_or_in_order() {
    let folder = Folder::new();
    let (_, model) =
        folder.convert("a.onnx", &["--rename-inputs", "image", "--rename-outputs", "Predictions=p"]);
    assert_eq!(names(model.inputs()), ["image"]);
    assert_eq!(names(model.outputs()), [LOGITS, "p"]);
    let swap = format!("{LOGITS}={PREDICTIONS},{PREDICTIONS}={LOGITS}");
    let (_, swapped) = folder.convert("b.onnx", &["--rename-outputs", &swap]);
    assert_eq!(names(swapped.outputs()), [PREDICTIONS, LOGITS]);
    // What reads them reads them under their new names, so that results stay where they were.
    let case = Case::load("inception_v3_tiny");
    let shape = [case.input.batch, 299, 299, 3];
    for name in ["a.onnx", "b.onnx"] {
        let outputs = execute(&folder.path(name), &shape, fill::image(&shape));
        assert!(relative_error(&outputs[0].1, &case.logits()) <= 2e-5, "{name}");
    }
}

#[test]
fn names_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let said = folder.fails(&["--rename-inputs", "imput=image"]);
    assert!(
        said.contains("the model has no input imput; did you mean \"input:0\"? its input is input:0"),
        "{said}"
    );
    let said = folder.fails(&["--rename-outputs", "only_one"]);
    assert!(said.contains("the model has 2 outputs; give a name for each of"), "{said}");
    let weights = "InceptionV3/Conv2d_1a_3x3/weights:0";
    let said = folder.fails(&["--rename-inputs", weights]);
    assert!(said.contains("would be the name of"), "{said}");
}

#[test]
fn inception_preprocessing_takes_bytes_and_computes_what_the_scaled_image_gives() {
    let folder = Folder::new();
    folder.convert("plain.onnx", &[]);
    let (done, model) = folder.convert("bytes.onnx", &["--preprocess", "inception"]);
    assert!(done.stdout.contains("input:0 uint8 [batch, 299, 299, 3]"), "{}", done.stdout);
    assert!(done.stdout.contains("preprocessing inception inside of the model"), "{}", done.stdout);
    assert_eq!(model.metadata("preprocess"), Some("inception"));
    let shape = [1, 299, 299, 3];
    let bytes = photograph(&shape);
    // As slim does it: to [0, 1], then to [-1, 1], in float32.
    let scaled = bytes.iter().map(|&byte| (f32::from(byte) * (1.0 / 255.0) - 0.5) * 2.0).collect();
    let expected = execute(&folder.path("plain.onnx"), &shape, scaled);
    let got = execute_bytes(&folder.path("bytes.onnx"), &shape, bytes);
    for ((shape, got), (expected_shape, expected)) in got.iter().zip(&expected) {
        assert_eq!(shape, expected_shape);
        assert!(relative_error(got, expected) <= 1e-6);
    }
    let (done, _) = folder.convert("json.onnx", &["--preprocess", "inception", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(json["preprocess"], "inception");
    assert_eq!(json["inputs"][0]["dtype"], "uint8");
}

#[test]
fn vgg_preprocessing_subtracts_the_mean_in_either_order_of_the_axes_and_from_graphs_too() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let graph = graph_fixture("frozen.pb");
    convert(&graph, &path("plain.onnx"), &[]);
    convert(&graph, &path("nhwc.onnx"), &["--preprocess", "vgg"]);
    convert(&graph, &path("nchw.onnx"), &["--preprocess", "vgg", "--inputs-as-nchw", "input:0"]);
    let shape = [2, 12, 10, 3];
    let bytes = photograph(&shape);
    let mean = [123.68, 116.78, 103.94];
    let centered = bytes.iter().enumerate().map(|(i, &byte)| f32::from(byte) - mean[i % 3]).collect();
    let expected = &execute(&path("plain.onnx"), &shape, centered)[0].1;
    let got = &execute_bytes(&path("nhwc.onnx"), &shape, bytes.clone())[0].1;
    assert!(relative_error(got, expected) <= 1e-6);
    let channels_first: Vec<u8> = (0..2)
        .flat_map(|image| (0..3).map(move |channel| (image, channel)))
        .flat_map(|(image, channel)| (0..120).map(move |pixel| (image * 120 + pixel) * 3 + channel))
        .map(|at| bytes[at])
        .collect();
    let got = &execute_bytes(&path("nchw.onnx"), &[2, 3, 12, 10], channels_first)[0].1;
    assert!(relative_error(got, expected) <= 1e-6);
}

#[test]
fn images_of_one_channel_are_scaled_but_have_no_mean() {
    let folder = Folder::with("lenet");
    let (_, model) = folder.convert("digits.onnx", &["--preprocess", "inception"]);
    assert_eq!(model.nodes("Cast").len(), 1);
    let said = folder.fails(&["--preprocess", "vgg"]);
    assert!(said.contains("--preprocess vgg") && said.contains("these images have one channel"), "{said}");
}

#[test]
fn class_names_are_metadata_where_there_is_one_for_each_class() {
    let folder = Folder::new();
    let lines: String = (0..11).map(|number| format!("{number}:class {number}\n")).collect();
    let (done, model) = folder.convert("a.onnx", &["--labels", &folder.file("labels.txt", &lines)]);
    let written = model.metadata("names").unwrap();
    assert!(
        written.starts_with("{0: \"class 0\", 1: \"class 1\", ") && written.ends_with("10: \"class 10\"}")
    );
    assert!(done.stdout.contains("11 class names in the metadata"), "{}", done.stdout);
    let said = folder.fails(&["--labels", &folder.file("ten.txt", &"x\n".repeat(10))]);
    assert!(
        said.contains("10 names, and the model 11 classes; give the file that the network was trained"),
        "{said}"
    );
    let said = folder.fails(&["--labels", &folder.file("twelve.txt", &"x\n".repeat(12))]);
    assert!(said.contains("12 names, and the model 11 classes"), "{said}");
    let said = folder.fails(&["--labels", &folder.file("three.txt", &"x\n".repeat(3))]);
    assert!(said.contains("three.txt: it has 3 names, and the model 11 classes"), "{said}");
    let said = folder.fails(&["--labels", "nowhere.txt"]);
    assert!(said.contains("nowhere.txt: the file does not exist"), "{said}");
}

#[test]
fn class_names_are_counted_for_graphs_too() {
    let folder = TempDir::new().unwrap();
    let labels = folder.path().join("labels.txt");
    fs::write(&labels, "a\nb\nc\nd\n").unwrap();
    let output = folder.path().join("model.onnx");
    let paths = [graph_fixture("frozen.pb"), output];
    let [graph, output] = [0, 1].map(|index: usize| paths[index].to_str().unwrap());
    let labels = labels.to_str().unwrap();
    let said = fails(&["convert", graph, output, "--labels", labels]);
    assert!(said.contains("4 names, and the model 5 classes; give the file"), "{said}");
}

#[test]
fn probabilities_are_added_or_left_out() {
    let folder = Folder::new();
    let outputs = |name: &str, options: &[&str]| names(folder.convert(name, options).1.outputs());
    assert_eq!(outputs("a.onnx", &["--no-softmax"]), [LOGITS]);
    // The network computes probabilities, so these are the output.
    assert_eq!(outputs("b.onnx", &["--outputs", "Logits", "--softmax"]), [LOGITS, PREDICTIONS]);
    assert_eq!(outputs("c.onnx", &["--softmax"]), [LOGITS, PREDICTIONS]);
    let said = folder.fails(&["--no-softmax", "--outputs", "Predictions"]);
    assert!(
        said.contains("--outputs asks for InceptionV3/Predictions/Reshape_1:0, which is a softmax"),
        "{said}"
    );
    let said = folder.fails(&["--softmax", "--outputs", "Mixed_6e"]);
    assert!(said.contains("none of them is the logits"), "{said}");
}

#[test]
fn a_softmax_is_added_to_a_graph_without_one() {
    let folder = TempDir::new().unwrap();
    let (with, without) = (folder.path().join("with.onnx"), folder.path().join("without.onnx"));
    let logits = "Net/logits/BiasAdd:0";
    convert(&graph_fixture("frozen.pb"), &with, &["--outputs", logits, "--softmax"]);
    convert(&graph_fixture("frozen.pb"), &without, &["--no-softmax"]);
    assert_eq!(names(Model::load(&without).outputs()), [logits]);
    assert_eq!(names(Model::load(&with).outputs()), [logits, "Net/logits/BiasAdd/Softmax:0"]);
    let images = npy::read(&graph_fixture("input.npy"));
    let outputs = execute(&with, &[2, 12, 10, 3], images);
    for (logits, probabilities) in outputs[0].1.chunks(5).zip(outputs[1].1.chunks(5)) {
        let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
        let expected: Vec<f32> = logits.iter().map(|logit| logit.exp() / sum).collect();
        assert!(relative_error(probabilities, &expected) <= 1e-6);
    }
}

#[test]
fn outputs_that_are_named_twice_occur_once() {
    let folder = Folder::new();
    let (_, model) = folder.convert("a.onnx", &["--outputs", &format!("Logits,{LOGITS},Mixed_6e,Logits")]);
    assert_eq!(names(model.outputs()), [LOGITS, "InceptionV3/InceptionV3/Mixed_6e/concat:0"]);
    let output = folder.path("b.onnx");
    convert(&graph_fixture("frozen.pb"), &output, &["--outputs", "predictions,predictions:0"]);
    assert_eq!(names(Model::load(&output).outputs()), ["predictions:0"]);
}

#[test]
fn similar_names_are_suggested_for_mistyped_ones() {
    let folder = Folder::new();
    for (options, answer) in [
        (["--outputs", "Mixed_6"], "did you mean \"Mixed_6a\", \"Mixed_6b\" or \"Mixed_6c\"?"),
        (["--outputs", "prelogits"], "did you mean \"PreLogits\"?"),
        (["--network", "inceptionv3"], "did you mean \"inception_v3\""),
        (["--network-option", "num_class=3"], "did you mean \"num_classes\"?"),
    ] {
        let said = folder.fails(&options);
        assert!(said.contains(answer), "{options:?}: {said}");
    }
}
