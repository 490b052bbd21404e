//! `graph` writes TensorFlow's own files. They are read back and converted: the model is that of the checkpoint.
//! `scripts/check_graphs.py` loads them with TensorFlow.

use std::fs;
use std::path::{Path, PathBuf};

use onnx_protobuf::Message;
use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tf2onnx_rs::proto::{GraphDef, MetaGraphDef, NodeDef, SavedModel};
use tf2onnx_rs::source::Source;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, prints, tf2onnx_rs};
use crate::support::onnx::Model;
use crate::support::repository;
use crate::support::zoo::Case;

/// Writes a graph and returns its path.
fn graph(input: &Path, output: &Path, options: &[&str]) -> PathBuf {
    let paths = [input.to_str().unwrap(), output.to_str().unwrap()];
    let done = tf2onnx_rs(["graph"].iter().chain(&paths).chain(options));
    assert_eq!(done.status, 0, "{}", done.stderr);
    output.to_owned()
}

/// What a model consists of. The order of nodes that do not read each other, and what the metadata say about the files, may differ.
fn content(model: &Path) -> [Vec<Vec<u8>>; 3] {
    let model = Model::load(model);
    let graph = &model.proto().graph;
    let mut nodes: Vec<Vec<u8>> = graph.node.iter().map(|node| node.write_to_bytes().unwrap()).collect();
    let mut weights: Vec<Vec<u8>> =
        graph.initializer.iter().map(|tensor| tensor.write_to_bytes().unwrap()).collect();
    nodes.sort();
    weights.sort();
    let ends = graph.input.iter().chain(&graph.output).map(|info| info.write_to_bytes().unwrap());
    [nodes, weights, ends.collect()]
}

/// The nodes of a MetaGraphDef.
fn nodes_of(meta: &Path) -> Vec<NodeDef> {
    MetaGraphDef::decode(&fs::read(meta).unwrap()[..]).unwrap().graph_def.unwrap().node
}

/// The texts of a constant.
fn texts(nodes: &[NodeDef], name: &str) -> Vec<String> {
    use tf2onnx_rs::proto::attr_value::Value;
    let node = nodes.iter().find(|node| node.name == name).unwrap();
    match &node.attr["value"].value {
        Some(Value::Tensor(tensor)) => {
            tensor.string_val.iter().map(|text| String::from_utf8(text.clone()).unwrap()).collect()
        }
        _ => vec![],
    }
}

#[test]
fn a_graph_is_the_same_each_time() {
    let folder = TempDir::new().unwrap();
    let checkpoint = repository::fixture("graphs/containers/model.ckpt");
    let written =
        |n: usize| fs::read(graph(&checkpoint, &folder.path().join(format!("{n}.pb")), &[])).unwrap();
    let first = written(0);
    // Four variables have no order of their own: without one, few of these would be equal.
    assert!((1..5).all(|n| written(n) == first));
}

#[test]
fn a_network_in_each_file_is_the_model_of_its_checkpoint() {
    for (name, format) in
        [("lenet", Format::V1), ("mobilenet_v3_small", Format::V2), ("inception_v3_tiny", Format::V1)]
    {
        let case = Case::load(name);
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let checkpoint = write(folder.path(), &filled(&case), format);
        let [height, width] = case.image_size();
        let size = format!("{height}x{width}");
        let outputs: Vec<String> =
            [Some(case.output.clone()), case.predictions.clone()].into_iter().flatten().collect();
        let outputs = outputs.join(",");
        let chosen = ["--image-size", &size, "--outputs", &outputs];
        convert(&checkpoint, &path("own.onnx"), &chosen);
        let own = content(&path("own.onnx"));
        let is_own = |input: &Path, options: &[&str], what: &str| {
            convert(input, &path("again.onnx"), &[&["--outputs", &outputs], options].concat());
            assert!(content(&path("again.onnx")) == own, "{name}: {what}");
        };
        for file in ["graph.pb", "graph.pbtxt", "graph.meta"] {
            let written = graph(&checkpoint, &path(file), &chosen);
            is_own(&checkpoint, &["--graph", written.to_str().unwrap()], file);
        }
        is_own(
            &graph(&checkpoint, &path("frozen.pb"), &[&chosen[..], &["--frozen"]].concat()),
            &[],
            "frozen.pb",
        );
        if name != "lenet" {
            let text = graph(&checkpoint, &path("frozen.pbtxt"), &[&chosen[..], &["--frozen"]].concat());
            is_own(&text, &[], "frozen.pbtxt");
        }
        // The signature names the outputs.
        let saved = graph(&checkpoint, &path("saved_model"), &chosen);
        convert(&saved, &path("again.onnx"), &[]);
        assert!(content(&path("again.onnx")) == own, "{name}: SavedModel");
    }
}

#[test]
fn a_saver_restores_the_names_of_the_checkpoint() {
    let case = Case::load("inception_v3_tiny");
    let folder = TempDir::new().unwrap();
    let renamed = |variable: &Variable, suffix: &str| Variable {
        name: format!("tower/{}{suffix}", variable.name),
        ..variable.clone()
    };
    let mut variables: Vec<Variable> = filled(&case).iter().map(|variable| renamed(variable, "")).collect();
    // The average of each weight is another number.
    let averages = filled(&case).into_iter().filter(|variable| !variable.name.contains("/moving_"));
    variables.extend(averages.map(|variable| renamed(&variable, "/ExponentialMovingAverage")));
    let checkpoint = write(folder.path(), &variables, Format::V2);
    let path = |name: &str| folder.path().join(name);

    let meta = graph(&checkpoint, &path("graph.meta"), &[]);
    let nodes = nodes_of(&meta);
    let weight = "tower/InceptionV3/Conv2d_1a_3x3/weights";
    assert!(nodes.iter().any(|node| node.name == weight && node.op == "VariableV2"));
    let restored = texts(&nodes, "save/RestoreV2/tensor_names");
    assert!(restored.contains(&format!("{weight}/ExponentialMovingAverage")));
    assert!(restored.is_sorted() && !restored.contains(&weight.to_owned()));
    let mean = "tower/InceptionV3/Conv2d_1a_3x3/BatchNorm/moving_mean";
    assert!(restored.contains(&mean.to_owned()), "statistics have no average of their own");
    // The variables of a SavedModel have their own names.
    let saved = graph(&checkpoint, &path("saved_model"), &[]);
    let stored = Source::open(&saved, &Default::default()).unwrap();
    let stored = stored.checkpoint().unwrap();
    assert!(stored.get(weight).is_some() && stored.len() == restored.len());

    let off = graph(&checkpoint, &path("off.meta"), &["--moving-averages", "off"]);
    assert!(texts(&nodes_of(&off), "save/RestoreV2/tensor_names").contains(&weight.to_owned()));
    convert(&checkpoint, &path("own.onnx"), &[]);
    convert(&saved, &path("saved.onnx"), &[]);
    assert!(content(&path("own.onnx")) == content(&path("saved.onnx")));
}

#[test]
fn outputs_cut_the_graph_and_the_same_graph_is_the_same_file() {
    let checkpoint = repository::example();
    let folder = TempDir::new().unwrap();
    for file in ["graph.pb", "graph.pbtxt", "graph.meta"] {
        let bytes = ["first", "second"].map(|run| {
            let output = folder.path().join(format!("{run}_{file}"));
            fs::read(graph(&checkpoint, &output, &["--outputs", "Conv2d_1a_3x3", "--batch-size", "1"]))
                .unwrap()
        });
        assert!(bytes[0] == bytes[1], "{file}");
    }
    let cut = GraphDef::decode(&fs::read(folder.path().join("first_graph.pb")).unwrap()[..]).unwrap();
    let variables = cut.node.iter().filter(|node| node.op == "VariableV2").count();
    assert_eq!((variables, cut.node.last().unwrap().op.as_str()), (4, "Relu"));
}

#[test]
fn the_graph_of_a_model_is_written_for_inference() {
    let fixture = |name: &str| repository::fixture("graphs").join(name);
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Variables of TensorFlow 1, of TensorFlow 2, in parts, and a graph for training.
    for input in [
        "containers/model.ckpt",
        "keras/saved_model",
        "keras/embedding",
        "partitioned/model.ckpt",
        "switch/model.ckpt",
    ] {
        let _ = fs::remove_dir_all(path("saved_model"));
        convert(&fixture(input), &path("own.onnx"), &[]);
        convert(&graph(&fixture(input), &path("saved_model"), &[]), &path("again.onnx"), &[]);
        let weights = |file: &str| content(&path(file))[1].clone();
        assert!(weights("own.onnx") == weights("again.onnx"), "{input}");
        let frozen = graph(&fixture(input), &path("frozen.pb"), &["--frozen"]);
        let frozen = GraphDef::decode(&fs::read(frozen).unwrap()[..]).unwrap();
        let is_variable = |node: &&NodeDef| node.op.contains("Var") || node.op == "Switch";
        assert_eq!(frozen.node.iter().find(is_variable), None, "{input}");
    }
}

#[test]
fn a_summary_in_json_has_the_documented_keys() {
    let checkpoint = repository::example();
    let folder = TempDir::new().unwrap();
    let saved = folder.path().join("saved_model");
    let printed = prints(&["graph", checkpoint.to_str().unwrap(), saved.to_str().unwrap(), "--json"]);
    let summary: Value = serde_json::from_str(&printed).unwrap();
    let keys: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = fs::read_to_string(repository::repository("docs/json.md")).unwrap();
    let section = documented.split("## `graph --json`").nth(1).unwrap().split("\n## ").next().unwrap();
    for key in keys {
        assert!(section.contains(&format!("`{key}`")), "{key}");
    }
    assert_eq!(summary["form"], "saved_model");
    assert_eq!((&summary["variables"], &summary["network"]), (&json!(378), &json!("inception_v3")));
    let files = ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"];
    let bytes: u64 = files.iter().map(|file| saved.join(file).metadata().unwrap().len()).sum();
    assert_eq!(summary["bytes"], bytes);
    let message = SavedModel::decode(&fs::read(saved.join("saved_model.pb")).unwrap()[..]).unwrap();
    assert_eq!(summary["nodes"], message.meta_graphs[0].graph_def.as_ref().unwrap().node.len());
}

#[test]
fn what_cannot_be_written_is_refused_and_nothing_is_left() {
    let checkpoint = repository::example();
    let checkpoint = checkpoint.to_str().unwrap();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (output, options, reason) in [
        ("graph.meta", vec!["--frozen"], "write a frozen graph as .pb, or leave out --frozen"),
        ("saved_model/", vec!["--frozen"], "write a frozen graph as .pb, or leave out --frozen"),
        ("graph.h5", vec![], "graphs are written as .pb, .pbtxt or .meta, or to a folder"),
        ("model.onnx", vec![], "the name of an ONNX model"),
        ("graph.pb", vec!["--outputs", "Nothing"], "no such tensor or end point"),
        ("graph.pb", vec!["--inputs", "a"], "it is about a graph"),
        ("no_folder/graph.pb", vec![], "does not exist"),
    ] {
        let error = fails(&[&["graph", checkpoint, &path(output)], &options[..]].concat());
        assert!(error.contains(reason), "{error}");
    }
    // A graph that was frozen has nothing to restore.
    let frozen = repository::fixture("graphs/containers/frozen.pb");
    let error = fails(&["graph", frozen.to_str().unwrap(), &path("graph.meta")]);
    assert!(error.contains("there is nothing that a saver restores"), "{error}");
    let table = repository::fixture("graphs/keras/lookup");
    let error = fails(&["graph", table.to_str().unwrap(), &path("saved_model")]);
    assert!(error.contains("the contents of a table are not written"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/file"), "").unwrap();
    let error = fails(&["graph", checkpoint, &path("full")]);
    assert!(error.contains("not empty"), "{error}");
}

#[test]
fn a_frozen_graph_as_text_is_for_small_networks() {
    let case = Case::load("inception_v1");
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&case), Format::V1);
    let output = folder.path().join("graph.pbtxt");
    let error = fails(&["graph", checkpoint.to_str().unwrap(), output.to_str().unwrap(), "--frozen"]);
    assert!(error.contains("MB of weights are too large for text"), "{error}");
}
