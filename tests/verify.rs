//! `tf2onnx-rs verify` and `convert --verify`: correct models pass, and wrong ones are found.

use std::path::{Path, PathBuf};

use ndarray::ArrayD;
use onnx_protobuf::{Message, ModelProto};
use serde_json::Value;
use tempfile::TempDir;
use tf2onnx_rs::convert::ConvertOptions;
use tf2onnx_rs::error::Error;
use tf2onnx_rs::source::OpenOptions;
use tf2onnx_rs::tensor::Tensor;
use tf2onnx_rs::verify::save_arrays;

use crate::support::checkpoint_writer::{Values, Variable};
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{Done, convert, fails, tf2onnx_rs};
use crate::support::fill;
use crate::support::op_cases;
use crate::support::zoo::Case;

const LOGITS: &str = "InceptionV3/Logits/SpatialSqueeze:0";

/// A small network, its checkpoint, and what TensorFlow was given and computed.
struct Setting {
    folder: TempDir,
    checkpoint: PathBuf,
    case: Case,
}

impl Setting {
    fn new() -> Self {
        Self::with(|_| ())
    }

    /// With variables that are changed before they are written.
    fn with(change: impl Fn(&mut Variable)) -> Self {
        let case = Case::load("inception_v3_tiny");
        let folder = TempDir::new().unwrap();
        let mut variables = filled(&case);
        variables.iter_mut().for_each(change);
        let checkpoint = write(folder.path(), &variables, Format::V2);
        let setting = Self { folder, checkpoint, case };
        let shape: Vec<usize> =
            setting.case.input.shape.iter().map(|dim| dim.unwrap_or(setting.case.input.batch)).collect();
        setting.save("images.npz", "input", &shape, fill::image(&shape));
        let logits = setting.case.logits();
        setting.save("logits.npz", LOGITS, &[setting.case.input.batch, 11], logits);
        setting
    }

    fn save(&self, file: &str, name: &str, shape: &[usize], elements: Vec<f32>) {
        let array = ArrayD::from_shape_vec(shape, elements).unwrap();
        save_arrays(&self.folder.path().join(file), &[(name.to_owned(), Tensor::Float32(array))]).unwrap();
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }

    fn convert(&self, output: &str, options: &[&str]) -> Done {
        let size = self.case.image_size();
        let size = format!("--image-size={}x{}", size[0], size[1]);
        convert(&self.checkpoint, Path::new(&self.path(output)), &[&[&size[..]], options].concat())
    }

    fn verify(&self, model: &str, options: &[&str]) -> Done {
        let model = self.path(model);
        tf2onnx_rs([&["verify", &model], options].concat())
    }

    /// Against what TensorFlow computed.
    fn verify_logits(&self, model: &str) -> Done {
        let (images, logits) = (self.path("images.npz"), self.path("logits.npz"));
        self.verify(model, &["--inputs", &images, "--expected", &logits, "--json"])
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stdout))
}

#[test]
fn a_right_model_computes_tensorflows_logits() {
    let setting = Setting::new();
    setting.convert("model.onnx", &[]);
    let done = setting.verify_logits("model.onnx");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let report = json(&done);
    assert_eq!(report["ok"], true);
    assert_eq!(report["seed"], Value::Null);
    let outputs = report["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 1, "the predictions are not expected");
    assert_eq!(outputs[0]["name"], LOGITS);
    assert!(outputs[0]["relative"].as_f64().unwrap() < 2e-5);
    assert_eq!(outputs[0]["top1"]["agree"], outputs[0]["top1"]["rows"]);
}

#[test]
fn a_model_with_another_epsilon_is_caught() {
    let setting = Setting::new();
    setting.convert("model.onnx", &[]);
    let path = setting.path("model.onnx");
    let mut model = ModelProto::parse_from_bytes(&std::fs::read(&path).unwrap()).unwrap();
    let graph = model.graph.mut_or_insert_default();
    for node in graph.node.iter_mut().filter(|node| node.op_type == "BatchNormalization") {
        for attribute in node.attribute.iter_mut().filter(|attribute| attribute.name == "epsilon") {
            attribute.f = 1e-5;
        }
    }
    std::fs::write(&path, model.write_to_bytes().unwrap()).unwrap();
    let done = setting.verify_logits("model.onnx");
    assert_eq!(done.status, 1);
    assert_eq!(json(&done)["ok"], false);
    assert!(done.stderr.starts_with("error: ") && done.stderr.lines().count() == 1, "{}", done.stderr);
    assert!(done.stderr.contains(LOGITS), "{}", done.stderr);
}

#[test]
fn a_model_of_another_checkpoint_is_caught() {
    let other = Setting::with(|variable| {
        if let Values::Float32(values) = &mut variable.values
            && variable.name.ends_with("Conv2d_2b_3x3/weights")
        {
            values.iter_mut().for_each(|value| *value *= 1.01);
        }
    });
    other.convert("model.onnx", &[]);
    assert_eq!(other.verify_logits("model.onnx").status, 1);
}

#[test]
fn models_with_their_weights_beside_them_and_with_folded_batch_norms_agree() {
    let setting = Setting::new();
    setting.convert("model.onnx", &["--external-data"]);
    setting.convert("folded.onnx", &["--fold-batch-norm"]);
    let folded = setting.path("folded.onnx");
    let done = setting.verify("model.onnx", &["--against", &folded]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stdout.contains("random inputs, seed 0"), "{}", done.stdout);
    std::fs::remove_file(setting.path("model.onnx.data")).unwrap();
    let done = setting.verify("model.onnx", &["--against", &folded]);
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("its weights cannot be read"), "{}", done.stderr);
}

#[test]
fn what_was_saved_reproduces_a_run() {
    let setting = Setting::new();
    setting.convert("model.onnx", &[]);
    let [model, inputs, outputs] = ["model.onnx", "in.npz", "out.npz"].map(|file| setting.path(file));
    let saved = ["--seed", "5", "--save-inputs", &inputs, "--save-outputs", &outputs, "-q"];
    let done = setting.verify("model.onnx", &[&["--against", &model], &saved[..]].concat());
    assert_eq!((done.status, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    let again = ["--inputs", &inputs, "--expected", &outputs, "--tolerance", "0"];
    assert_eq!(setting.verify("model.onnx", &again).status, 0);
}

#[test]
fn outputs_that_are_missing_or_of_another_shape_are_beyond_every_tolerance() {
    let setting = Setting::new();
    setting.convert("model.onnx", &[]);
    let images = setting.path("images.npz");
    let verify = |name: &str, shape: &[usize], count: usize| {
        setting.save("expected.npz", name, shape, vec![0.0; count]);
        let expected = setting.path("expected.npz");
        let options = ["--inputs", &images, "--expected", &expected, "--tolerance", "1e9", "--json"];
        let done = setting.verify("model.onnx", &options);
        assert_eq!(done.status, 1);
        json(&done)["outputs"][0]["problem"].as_str().unwrap().to_owned()
    };
    let said = verify("logits", &[1, 11], 11);
    assert!(said.starts_with("the model has no such output; it has InceptionV3/"), "{said}");
    assert!(verify(LOGITS, &[11], 11).contains("instead of [11]"));
}

#[test]
fn convert_verifies_the_model_by_the_graph_it_was_made_from() {
    let setting = Setting::new();
    let nchw = ["--inputs-as-nchw", "input:0", "--outputs", "Mixed_6e,PreLogits,Logits"];
    let layouts = [&nchw[..], &["--outputs-as-nchw", "Mixed_6e"]].concat();
    for options in [&[][..], &["--external-data"], &["--fold-batch-norm"], &nchw, &layouts] {
        let done = setting.convert("model.onnx", &[&["--verify", "--json"], options].concat());
        let report = json(&done);
        let outputs = report["verification"]["outputs"].as_array().unwrap();
        assert_eq!(outputs.len(), report["outputs"].as_array().unwrap().len());
        assert!(outputs.iter().all(|output| output["ok"] == true), "{outputs:?}");
        assert!(outputs.iter().any(|output| output["relative"].as_f64().unwrap() > 0.0), "two computations");
    }
    assert!(setting.convert("model.onnx", &["--verify"]).stdout.contains("verified: "));
    let images = setting.path("images.npz");
    setting.convert("model.onnx", &["--verify", "--verify-inputs", &images]);
}

#[test]
fn a_model_that_fails_does_not_replace_another() {
    let setting = Setting::new();
    std::fs::write(setting.path("model.onnx"), "what was there").unwrap();
    let before = setting.files();
    let checkpoint = setting.checkpoint.to_str().unwrap();
    let args = ["convert", checkpoint, &setting.path("model.onnx"), "--external-data", "--verify"];
    let message = fails(&[&args[..], &["--tolerance", "0"]].concat());
    assert!(message.contains("model.onnx") && message.contains("it is not written"), "{message}");
    assert!(!message.contains(".tf2onnx-rs-"), "{message}");
    assert_eq!(std::fs::read(setting.path("model.onnx")).unwrap(), b"what was there");
    assert_eq!(setting.files(), before);
}

#[test]
fn an_op_that_is_not_evaluated_or_not_executed_is_named() {
    let cases = op_cases::cases();
    let folder = TempDir::new().unwrap();
    let path = |file: &str| folder.path().join(file).to_str().unwrap().to_owned();
    std::fs::write(path("hue.pb"), &cases["adjust_hue.0"]["graph.pb"]).unwrap();
    let done = convert(Path::new(&path("hue.pb")), Path::new(&path("hue.onnx")), &["--verify"]);
    assert!(
        done.stdout.contains("not verified: AdjustHue (1 node) is not evaluated here"),
        "{}",
        done.stdout
    );
    assert!(Path::new(&path("hue.onnx")).exists());
    let files = &cases["sample_distorted_bounding_box_v2.0"];
    std::fs::write(path("custom.pb"), &files["graph.pb"]).unwrap();
    let outputs = op_cases::Case::of(files).outputs.join(",");
    let options = ["--keep-going", "--outputs", &outputs];
    convert(Path::new(&path("custom.pb")), Path::new(&path("custom.onnx")), &options);
    let message = fails(&["verify", &path("custom.onnx"), "--against", &path("custom.onnx")]);
    assert!(
        message.contains("SampleDistortedBoundingBoxV2") && message.contains("ONNX Runtime"),
        "{message}"
    );
}

#[test]
fn files_that_are_not_models_or_arrays_are_refused() {
    let setting = Setting::new();
    setting.convert("model.onnx", &[]);
    std::fs::write(setting.path("text.onnx"), "this is no model").unwrap();
    let [text, images, model] = ["text.onnx", "images.npz", "model.onnx"].map(|file| setting.path(file));
    assert!(fails(&["verify", &text, "--against", &model]).contains("text.onnx"));
    let message = fails(&["verify", &model, "--inputs", &text, "--expected", &images]);
    assert!(message.contains("not an array that NumPy saved"), "{message}");
    let logits = setting.path("logits.npz");
    let message = fails(&["verify", &model, "--inputs", &logits, "--expected", &logits]);
    assert!(message.contains("no such input") && message.contains("input:0"), "{message}");
    save_arrays(&setting.folder.path().join("none.npz"), &[]).unwrap();
    let message = fails(&["verify", &model, "--inputs", &images, "--expected", &setting.path("none.npz")]);
    assert!(message.contains("nothing to compare it with"), "{message}");
    setting.save("small.npz", "input:0", &[1, 8, 8, 3], vec![0.0; 192]);
    let message = fails(&["verify", &model, "--inputs", &setting.path("small.npz"), "--expected", &logits]);
    assert!(message.contains("[1, 8, 8, 3]"), "{message}");
}

#[test]
fn a_comparison_without_expected_values_is_bad_usage() {
    let status = |options: &[&str]| tf2onnx_rs([&["verify", "model.onnx"], options].concat()).status;
    assert_eq!(status(&[]), 2);
    assert_eq!(status(&["--expected", "o.npz"]), 2);
    assert_eq!(status(&["--inputs", "i.npz", "--expected", "o.npz", "--against", "b.onnx"]), 2);
    assert_eq!(status(&["--against", "b.onnx", "--tolerance", "-1"]), 2);
    assert_eq!(status(&["--against", "b.onnx", "--tolerance", "inf"]), 2);
}

#[test]
fn a_comparison_needs_arrays_and_uses_all_of_them() {
    let setting = Setting::new();
    setting.convert("model.onnx", &[]);
    let (model, images) = (setting.path("model.onnx"), setting.path("images.npz"));
    let against = ["verify", &model, "--against", &model];
    let said = fails(&[&against[..], &["--shape", "input=0,75,75,3"]].concat());
    assert!(said.contains("each axis of a random input needs a length of at least 1"), "{said}");
    let said = fails(&[&against[..], &["--inputs", &images, "--inputs", &images]].concat());
    assert!(said.contains("\"input\": two arrays are given for it"), "{said}");
    setting.save("none.npz", "input", &[0, 75, 75, 3], vec![]);
    let said = fails(&[&against[..], &["--inputs", &setting.path("none.npz")]].concat());
    assert!(said.contains("model.onnx"), "{said}");
    let same = setting.path("same.npz");
    let said = fails(&[&against[..], &["--save-inputs", &same, "--save-outputs", &same]].concat());
    assert!(said.contains("same.npz: another output has this name"), "{said}");
    let empty = setting.path("empty.onnx");
    std::fs::write(&empty, "").unwrap();
    let said = fails(&["verify", &empty, "--against", &model]);
    assert!(said.contains("empty.onnx: it is empty"), "{said}");
}

/// 1 + erf(2 x), whose Erf is not evaluated.
const GRAPH: &str = r#"
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "shape" value { shape { dim { size: 3 } } } } }
node { name: "two" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 2 } } } }
node { name: "twice" op: "Mul" input: "x" input: "two" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "erf" op: "Erf" input: "twice" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "sum" op: "AddV2" input: "erf" input: "two" attr { key: "T" value { type: DT_FLOAT } } }
"#;

/// The graph in a folder, and where its model goes.
fn graph(text: &str) -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    std::fs::write(&graph, text).unwrap();
    (folder, graph, model)
}

#[test]
fn everything_except_ops_that_are_not_evaluated_is_verified() {
    let (folder, graph, model) = graph(GRAPH);
    let done = convert(&graph, &model, &["--verify", "--json"]);
    let verification = &json(&done)["verification"];
    assert_eq!(verification["verdict"], "partial");
    assert_eq!(verification["trusted"], serde_json::json!({ "Erf": 1 }));
    assert_eq!(verification["outputs"][0]["name"], "sum:0");
    assert_eq!(verification["inside"][0]["name"], "twice:0");
    assert_eq!(verification["reason"], "Erf (1 node) is not evaluated here");
    let done = convert(&graph, &model, &["--verify"]);
    assert!(done.stdout.contains("verified in part: differs"), "{}", done.stdout);
    assert!(done.stdout.contains("the results of Erf were taken from the model"), "{}", done.stdout);
    // An output of such an op is compared with nothing.
    let done = convert(&graph, &model, &["--verify", "--json", "--outputs", "erf:0,sum:0"]);
    let verification = &json(&done)["verification"];
    assert_eq!(verification["unverified_outputs"], serde_json::json!(["erf:0"]));
    assert_eq!(verification["outputs"].as_array().unwrap().len(), 1);
    drop(folder);
}

/// The runtime leaves 2 as it is.
#[test]
fn differences_of_the_runtime_are_not_mistakes_of_the_model() {
    let graph_text = r#"
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_INT32 } }
       attr { key: "shape" value { shape { dim { size: 3 } } } } }
node { name: "two" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
       attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 2 } } } }
node { name: "twice" op: "Mul" input: "x" input: "two" attr { key: "T" value { type: DT_INT32 } } }
node { name: "more" op: "AddV2" input: "twice" input: "two" attr { key: "T" value { type: DT_INT32 } } }
node { name: "is_any" op: "Cast" input: "more" attr { key: "SrcT" value { type: DT_INT32 } }
       attr { key: "DstT" value { type: DT_BOOL } } }
"#;
    let (_folder, graph, model) = graph(graph_text);
    let done = convert(&graph, &model, &["--verify", "--json"]);
    let verification = &json(&done)["verification"];
    assert_eq!(verification["verdict"], "partial");
    assert_eq!(verification["inside"][0]["name"], "more:0");
    assert_eq!(verification["unverified_outputs"], serde_json::json!(["is_any:0"]));
}

#[test]
fn the_inputs_of_an_op_that_is_not_evaluated_are_compared() {
    let (_folder, graph, _) = graph(GRAPH);
    let source = tf2onnx_rs::source::Source::open(&graph, &OpenOptions::default()).unwrap();
    let conversion = tf2onnx_rs::convert::convert(&source, &ConvertOptions::default()).unwrap();
    let numbers = |numbers: &[f32]| Tensor::Float32(ndarray::arr1(numbers).into_dyn());
    let inputs = [("x:0".to_owned(), numbers(&[1.0, 2.0, 3.0]))];
    // A model that computes something else before the op.
    let mut execute = |model: &tf2onnx_rs::onnx::Model, _: &[(String, Tensor)]| {
        let outputs = model.outputs.iter().map(|output| (output.name.clone(), numbers(&[0.0, 0.0, 0.0])));
        Ok(outputs.collect())
    };
    let evaluated = conversion.evaluate_past(&source, &inputs, &|_, _, _| false, &mut execute).unwrap();
    let [layer] = &evaluated.layers[..] else { panic!("{evaluated:?}") };
    assert_eq!((layer.name.as_str(), layer.expected.numbers().sum()), ("twice:0", 12.0));
    assert_eq!(layer.got.numbers().sum(), 0.0);
    assert_eq!(evaluated.outputs[0].1.numbers().sum(), 6.0, "two is added to what the model computes");
    // Where the model does not say it, what follows is not known.
    let mut nothing =
        |_: &tf2onnx_rs::onnx::Model, _: &[(String, Tensor)]| Err(Error::new("model", "it is not run"));
    let evaluated = conversion.evaluate_past(&source, &inputs, &|_, _, _| false, &mut nothing).unwrap();
    assert_eq!((evaluated.outputs.len(), &evaluated.unknown[..]), (0, &["sum:0".to_owned()][..]));
    assert_eq!(evaluated.lost.get("Erf"), Some(&1));
}

#[test]
fn everything_before_an_unknown_operator_is_compared() {
    let text = GRAPH
        .replace("Erf", "LRN")
        .replace("size: 3", "size: 1 } dim { size: 1 } dim { size: 1 } dim { size: 8");
    let (_folder, graph, model) = graph(&text);
    let inputs = graph.with_file_name("x.npz");
    save_arrays(&inputs, &[("x".to_owned(), Tensor::Float32(ArrayD::ones(vec![1, 1, 1, 8])))]).unwrap();
    for options in [&[][..], &["--verify-inputs", inputs.to_str().unwrap()]] {
        let done = convert(&graph, &model, &[&["--verify", "--json"], options].concat());
        let verification = &json(&done)["verification"];
        assert_eq!(verification["verdict"], "partial", "{verification}");
        assert_eq!(verification["inside"][0]["name"], "twice:0");
        assert_eq!(verification["unverified_outputs"], serde_json::json!(["sum:0"]));
        assert!(
            verification["reason"].as_str().unwrap().contains("LRN operator not supported"),
            "{verification}"
        );
    }
}

#[test]
fn parts_of_a_model_keep_batches_of_different_lengths_apart() {
    let float = r#"attr { key: "T" value { type: DT_FLOAT } }"#;
    let input = |name: &str, dims: &str| {
        format!(
            r#"node {{ name: "{name}" op: "Placeholder" attr {{ key: "dtype" value {{ type: DT_FLOAT }} }}
               attr {{ key: "shape" value {{ shape {{ dim {{ size: -1 }} {dims} }} }} }} }}"#
        )
    };
    let nodes = format!(
        r#"node {{ name: "negated" op: "Neg" input: "rows" {float} }}
           node {{ name: "shape" op: "Shape" input: "images" {float} }}
           node {{ name: "lrn" op: "LRN" input: "images" {float} }}
           node {{ name: "same" op: "Reshape" input: "lrn" input: "shape" {float} }}"#
    );
    let images = input("images", "dim { size: 1 } dim { size: 1 } dim { size: 8 }");
    let (_folder, graph, model) = graph(&[input("rows", ""), images, nodes].concat());
    let inputs = graph.with_file_name("inputs.npz");
    let ones = |shape: &[usize]| Tensor::Float32(ArrayD::ones(shape));
    save_arrays(&inputs, &[("rows:0".to_owned(), ones(&[3])), ("images:0".to_owned(), ones(&[1, 1, 1, 8]))])
        .unwrap();
    let options =
        ["--outputs", "negated:0,same:0", "--verify", "--json", "--verify-inputs", inputs.to_str().unwrap()];
    let done = convert(&graph, &model, &options);
    assert_eq!(json(&done)["verification"]["verdict"], "partial", "{}", done.stdout);
}

#[test]
fn a_batch_writes_models_that_cannot_be_verified() {
    let (folder, _, _) = graph(
        &GRAPH
            .replace("Erf", "LRN")
            .replace("size: 3", "size: 1 } dim { size: 1 } dim { size: 1 } dim { size: 8"),
    );
    let out = folder.path().join("out");
    let arguments =
        ["batch", folder.path().to_str().unwrap(), "--out-dir", out.to_str().unwrap(), "--verify", "--json"];
    let done = tf2onnx_rs(arguments);
    assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    let line: Value = serde_json::from_str(done.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(line["status"], "converted");
    assert_eq!(line["verification"]["verdict"], "partial");
    assert!(line["verification"]["reason"].as_str().unwrap().contains("LRN"), "{line}");
    assert!(out.join("graph.onnx").exists());
}

/// a (b x), with a constant of each.
fn products(a: f32, b: f32) -> String {
    let float = r#"attr { key: "T" value { type: DT_FLOAT } }"#;
    let constant = |name: &str, value: f32| {
        format!(
            r#"node {{ name: "{name}" op: "Const" attr {{ key: "dtype" value {{ type: DT_FLOAT }} }}
               attr {{ key: "value" value {{ tensor {{ dtype: DT_FLOAT tensor_shape {{ }} float_val: {value} }} }} }} }}"#
        )
    };
    let x = GRAPH.split("node { name: \"two\"").next().unwrap();
    let products = format!(
        r#"node {{ name: "inner" op: "Mul" input: "x" input: "b" {float} }}
           node {{ name: "outer" op: "Mul" input: "inner" input: "a" {float} }}"#
    );
    [x, &constant("a", a), &constant("b", b), &products].concat()
}

#[test]
fn float16_is_verified_with_its_rounding() {
    let (_folder, graph, model) = graph(&products(2.0, 3.0));
    let done = convert(&graph, &model, &["--verify", "--float16", "--json"]);
    let verification = &json(&done)["verification"];
    let relative = |key: &str| verification[key][0]["relative"].as_f64().unwrap();
    assert_eq!(verification["verdict"], "verified");
    // The constants are numbers of float16: only what is computed is rounded, which rten does not do.
    assert!(relative("outputs") < 1e-6 && (5e-5..1e-3).contains(&relative("float16")), "{verification}");
    let done = convert(&graph, &model, &["--verify", "--float16"]);
    assert!(done.stdout.contains("the evaluation rounded to float16 after each op"), "{}", done.stdout);
    let done = convert(&graph, &model, &["--verify", "--json"]);
    assert_eq!(json(&done)["verification"]["float16"], serde_json::json!([]));
}

#[test]
fn a_model_that_exceeds_the_range_of_float16_is_caught() {
    let (_folder, graph, model) = graph(&products(1e-4, 6e4));
    let wide = graph.to_str().unwrap();
    let inputs = graph.with_file_name("x.npz");
    let numbers = Tensor::Float32(ndarray::arr1(&[1.0_f32, 2.0, 3.0]).into_dyn());
    save_arrays(&inputs, &[("x:0".to_owned(), numbers)]).unwrap();
    let options = ["--verify", "--verify-inputs", inputs.to_str().unwrap()];
    convert(&graph, &model, &options);
    std::fs::remove_file(&model).unwrap();
    let error = fails(&[&["convert", wide, model.to_str().unwrap(), "--float16"], &options[..]].concat());
    assert!(error.contains("output outer:0 differs: NaN or infinity at [1]"), "{error}");
    assert!(!model.exists());
}
