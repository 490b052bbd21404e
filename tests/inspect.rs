//! `inspect`: graphs, ONNX models, and problems of tensors.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, tf2onnx_rs};
use crate::support::onnx::Model;
use crate::support::repository::fixture;
use crate::support::zoo::Case;

fn containers() -> PathBuf {
    fixture("graphs/containers")
}

fn text(path: &Path, options: &[&str]) -> String {
    let done = tf2onnx_rs(["inspect", path.to_str().unwrap()].iter().chain(options));
    assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{}", path.display());
    done.stdout
}

fn json(path: &Path, options: &[&str]) -> Value {
    let options: Vec<&str> = ["--json"].iter().chain(options).copied().collect();
    serde_json::from_str(&text(path, &options)).expect("it is JSON")
}

fn names(array: &Value) -> Vec<&str> {
    array.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

fn findings(report: &Value) -> Vec<(&str, Vec<&str>)> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let about = finding["about"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            (finding["finding"].as_str().unwrap(), about.collect())
        })
        .collect()
}

#[test]
fn a_frozen_graph_shows_its_ops_inputs_outputs_and_batch_norms() {
    let report = json(&containers().join("frozen.pb"), &[]);
    assert_eq!((&report["format"], &report["graph"]["kind"]), (&"GraphDef".into(), &"GraphDef".into()));
    assert_eq!(names(&report["graph"]["inputs"]), ["input:0"]);
    assert_eq!(names(&report["graph"]["outputs"]), ["Net/logits/BiasAdd:0", "predictions:0"]);
    assert_eq!(report["graph"]["inputs"][0]["shape"], serde_json::json!(["batch", 12, 10, 3]));
    let ops = report["graph"]["ops"].as_array().unwrap();
    assert!(ops.contains(&serde_json::json!({ "op": "Conv2D", "count": 2 })), "{ops:?}");
    assert_eq!(report["graph"]["missing_ops"], serde_json::json!([]));
    let norm = &report["batch_norms"][0];
    assert_eq!(
        (&norm["name"], &norm["gamma"]["origin"]),
        (&"Net/conv1/BatchNorm".into(), &"synthesized".into())
    );
    assert_eq!(norm["beta"]["variable"], "Net/conv1/BatchNorm/beta");
    assert!((norm["epsilon"].as_f64().unwrap() - 0.001).abs() < 1e-9, "the graph says it: {norm}");
    let gamma =
        report["tensors"].as_array().unwrap().iter().find(|t| t["name"] == "Net/conv1/BatchNorm/Const");
    assert_eq!(gamma.unwrap()["kind"], "batch_norm", "the ones that it was frozen with");
    assert_eq!(json(&containers().join("frozen.pbtxt"), &[])["batch_norms"], report["batch_norms"]);
}

#[test]
fn a_saved_model_shows_tags_signatures_and_variables() {
    let report = json(&containers().join("saved_model"), &[]);
    let graph = &report["graph"];
    assert_eq!((&report["format"], &graph["kind"]), (&"V2".into(), &"SavedModel".into()));
    assert_eq!(graph["tags"], serde_json::json!(["serve"]));
    assert_eq!(names(&graph["signatures"]), ["probabilities", "serving_default"]);
    assert_eq!(graph["signature"], "serving_default");
    assert_eq!(graph["signatures"][0]["outputs"].as_object().unwrap().len(), 1);
    assert_eq!(graph["variables"].as_array().unwrap().len(), 10);
    assert!(report["tensors"].as_array().unwrap().iter().all(|tensor| tensor["converted"] == true));
    let shown = text(&containers().join("saved_model"), &["--signature", "probabilities"]);
    assert!(shown.contains("outputs probabilities float32 [batch, 5]\n"), "{shown}");
    assert!(!shown.contains("save/filename"), "a saver's placeholders are nobody's inputs: {shown}");
}

#[test]
fn a_graph_without_its_checkpoint_shows_what_its_variables_are() {
    let folder = TempDir::new().unwrap();
    let alone = folder.path().join("graph.meta");
    std::fs::copy(containers().join("model.ckpt.meta"), &alone).unwrap();
    let report = json(&alone, &[]);
    assert_eq!(report["format"], "MetaGraph");
    assert_eq!(report["batch_norms"].as_array().unwrap().len(), 2);
    assert!(text(&alone, &[]).contains("variable Net/conv1/weights float32 [3, 3, 3, 8]\n"));
}

#[test]
fn ops_that_cannot_be_converted_are_named() {
    let folder = TempDir::new().unwrap();
    let graph = folder.path().join("graph.pbtxt");
    let nodes = r#"
        node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
        node { name: "y" op: "Frobnicate" input: "x" }
        node { name: "z" op: "Frobnicate" input: "y" }
        node { name: "out" op: "Identity" input: "z" attr { key: "T" value { type: DT_FLOAT } } }
    "#;
    std::fs::write(&graph, nodes).unwrap();
    let report = json(&graph, &[]);
    assert_eq!(report["graph"]["missing_ops"], serde_json::json!([{ "op": "Frobnicate", "count": 2 }]));
    assert!(text(&graph, &[]).contains("warning: an op of the graph cannot be converted: Frobnicate (2)\n"));
}

#[test]
fn an_onnx_model_can_be_compared_with_its_checkpoint() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&Case::load("inception_v3_tiny")), Format::V2);
    let model = folder.path().join("model.onnx");
    convert(&checkpoint, &model, &[]);
    let (before, after) = (json(&checkpoint, &[]), json(&model, &[]));
    let keys = |report: &Value| report.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&before), keys(&after));
    let parts = |report: &Value| -> Vec<Value> {
        let norms = report["batch_norms"].as_array().unwrap();
        let part = |norm: &Value| {
            let origins = [&norm["gamma"]["origin"], &norm["beta"]["origin"]];
            serde_json::json!([norm["name"], norm["channels"], origins, norm["epsilon"]])
        };
        norms.iter().map(part).collect()
    };
    assert_eq!(parts(&before).len(), 94);
    assert_eq!(parts(&before), parts(&after));
    assert_eq!((&after["format"], &after["onnx"]["opset"]), (&"ONNX".into(), &17.into()));
    assert_eq!(after["onnx"]["metadata"]["network"], "inception_v3");
    assert_eq!(after["graph"]["inputs"][0]["shape"], serde_json::json!(["batch", 299, 299, 3]));
    let convolutions =
        after["graph"]["ops"].as_array().unwrap().iter().find(|op| op["op"] == "Conv").unwrap();
    assert_eq!(convolutions["count"], Model::load(&model).nodes("Conv").len());
    let shown = text(&model, &[]);
    assert!(shown.contains("all ones") && shown.contains("opset 17, IR version 8, by tf2onnx-rs"), "{shown}");
}

#[test]
fn missing_external_data_of_an_onnx_model_is_reported() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&Case::load("inception_v3_tiny")), Format::V2);
    let model = folder.path().join("model.onnx");
    convert(&checkpoint, &model, &[]);
    let whole = json(&model, &["--stats"]);
    convert(&checkpoint, &model, &["--external-data"]);
    let split = json(&model, &["--stats"]);
    assert_eq!(whole["tensors"], split["tensors"]);
    assert_eq!(split["onnx"]["external_data"][0]["location"], "model.onnx.data");
    std::fs::remove_file(folder.path().join("model.onnx.data")).unwrap();
    let without = json(&model, &["--stats"]);
    let kinds: Vec<&str> = findings(&without).into_iter().map(|(finding, _)| finding).collect();
    assert!(kinds.contains(&"missing_file") && kinds.contains(&"unreadable"), "{kinds:?}");
    assert!(without["onnx"]["external_data"][0]["bytes"].is_null());
}

/// What a training run leaves, with some damage.
fn training() -> Vec<Variable> {
    let ones = |name: &str, count: usize| Variable::float32(name, &[count], vec![1.0; count]);
    vec![
        Variable::float32("net/weights", &[2, 2], vec![1.0, f32::NAN, f32::INFINITY, -4.0]),
        ones("net/weights/Adam", 4),
        ones("net/weights/Adam_1", 4),
        ones("net/BatchNorm/beta", 3),
        ones("net/BatchNorm/moving_mean", 3),
        Variable::float32("net/BatchNorm/moving_variance", &[3], vec![0.5, 0.0, -1.0]),
        Variable::float32("beta1_power", &[], vec![0.9]),
        Variable::int64_scalar("global_step", 7),
    ]
}

#[test]
fn wrong_values_are_reported() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &training(), Format::V1);
    let variance = vec!["net/BatchNorm/moving_variance"];
    let report = json(&checkpoint, &[]);
    assert_eq!(
        findings(&report),
        [
            ("no_gamma", vec!["net/BatchNorm"]),
            ("nan", vec!["net/weights"]),
            ("inf", vec!["net/weights"]),
            ("negative_variance", variance.clone()),
            ("zero_variance", variance),
        ]
    );
    let kinds: Vec<String> = report["kinds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| format!("{} {} {}", kind["kind"].as_str().unwrap(), kind["tensors"], kind["bytes"]))
        .collect();
    assert_eq!(kinds, ["weights 1 16", "batch_norm 3 36", "optimizer 3 36", "counter 1 8"]);
    let shown = text(&checkpoint, &[]);
    assert!(shown.contains("warning: a tensor has elements that are not a number (1 in all): net/weights\n"));
}

#[test]
fn statistics_are_of_the_finite_elements() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &training(), Format::V2);
    let report = json(&checkpoint, &["--stats", "--match", "net/weights"]);
    let expected = serde_json::json!({
        "count": 4, "min": -4.0, "max": 1.0, "mean": -1.5, "std": 2.5, "zeros": 0, "nan": 1, "inf": 1, "negative": 1
    });
    assert_eq!(report["tensors"][0]["statistics"], expected);
    let shown = text(&checkpoint, &["--stats", "--match", "net/weights"]);
    let row = shown.lines().find(|line| line.starts_with(" net/weights")).unwrap();
    let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells[5..], ["-4.000", "1.000", "-1.500", "2.500", "0.0 %", "1", "1"]);
}

#[test]
fn tensors_are_chosen_and_sorted() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &training(), Format::V2);
    let report = json(&checkpoint, &["--match", "*/Adam*", "--match", "*/moving_mean", "--sort", "size"]);
    assert_eq!(
        names(&report["tensors"]),
        ["net/weights/Adam", "net/weights/Adam_1", "net/BatchNorm/moving_mean"]
    );
    assert_eq!(report["tensors_in_file"], 8);
    assert_eq!(names(&report["batch_norms"]), ["net/BatchNorm"], "a part of it matches");
    let by_kind = json(&checkpoint, &["--sort", "kind"]);
    assert_eq!(names(&by_kind["tensors"])[..2], ["net/weights", "net/BatchNorm/beta"]);
    assert_eq!(tf2onnx_rs(["inspect", "x", "--match", "a["]).status, 2, "what is no pattern is bad usage");
}

#[test]
fn options_of_convert_are_refused_for_onnx_models() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("frozen.onnx");
    convert(&containers().join("frozen.pb"), &model, &[]);
    let said = fails(&["inspect", model.to_str().unwrap(), "--tag", "serve"]);
    assert!(said.contains("graph of its own"), "{said}");
    let arrays = folder.path().join("arrays.npz");
    for command in [&["inspect"][..], &["extract"]] {
        let mut args = [command, &[model.to_str().unwrap()]].concat();
        args.extend(arrays.to_str().filter(|_| command == ["extract"]));
        let said = fails(&[&args[..], &["--opset", "18"]].concat());
        assert!(said.contains("it is an ONNX model, which --opset does not apply to"), "{said}");
    }
    assert!(!arrays.exists());
    // Its name does not matter.
    let renamed = folder.path().join("model.bin");
    std::fs::rename(&model, &renamed).unwrap();
    assert_eq!(json(&renamed, &[])["format"], "ONNX");
}

#[test]
fn a_network_that_is_not_known_is_described_by_its_layers() {
    let folder = TempDir::new().unwrap();
    let variable =
        |name: &str, shape: &[usize]| Variable::float32(name, shape, vec![0.5; shape.iter().product()]);
    let norm = |scope: &str, channels: usize| {
        ["beta", "moving_mean", "moving_variance"]
            .map(|part| variable(&format!("{scope}/{part}"), &[channels]))
    };
    let mut variables = vec![
        variable("my/block_2/conv/weights", &[3, 3, 3, 4]),
        variable("my/block_10/conv/weights", &[3, 3, 4, 6]),
        variable("my/fc/weights", &[6, 5]),
        variable("my/fc/biases", &[5]),
    ];
    variables.extend(norm("my/block_2/conv/BatchNorm", 4).into_iter().chain(norm("my/block_10/bn", 6)));
    let checkpoint = write(folder.path(), &variables, Format::V2);
    let report = json(&checkpoint, &[]);
    let layers = report["layers"].as_array().unwrap();
    let scopes: Vec<&str> = layers.iter().map(|layer| layer["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["my/block_2/conv", "my/block_10/bn", "my/block_10/conv", "my/fc"]);
    assert_eq!((&layers[0]["kernel"], &layers[0]["gamma"]), (&serde_json::json!([3, 3]), &false.into()));

    // The draft reads all of the variables, and needs the user for what they do not show.
    let draft = folder.path().join("draft.toml");
    let shown = text(&checkpoint, &["--draft", draft.to_str().unwrap()]);
    assert!(shown.contains("layers, by their variables"), "{shown}");
    let model = folder.path().join("model.onnx");
    let options = ["--network", draft.to_str().unwrap(), "--image-size", "8"];
    assert_eq!(convert(&checkpoint, &model, &options).status, 0);
    let report = json(&checkpoint, &["--network", draft.to_str().unwrap()]);
    assert_eq!((&report["network"]["variables_found"], &report["layers"]), (&10.into(), &Value::Null));

    let arguments = ["inspect", checkpoint.to_str().unwrap(), "--draft", draft.to_str().unwrap()];
    let error = fails(&arguments);
    assert!(error.contains("exists already; choose another name"), "{error}");
}
