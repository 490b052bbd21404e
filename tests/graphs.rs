//! Models with a graph, in every file that TensorFlow 1 writes graphs to: converted, run
//! and compared with what TensorFlow computed (`scripts/make_fixtures/graphs.py`).

use std::fs;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{Done, convert, fails, tf2onnx_rs};
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::repository;
use crate::support::zoo::Case;

const TOLERANCE: f32 = 2e-5;
const LOGITS: &str = "Net/logits/BiasAdd:0";
const PREDICTIONS: &str = "predictions:0";
const SHAPE: [usize; 4] = [2, 12, 10, 3];

fn fixture(name: &str) -> PathBuf {
    repository::fixture("graphs").join(name)
}

/// Converts, compares the first output with the fixture's logits, and returns the output of the command and the model.
fn check(input: &Path, fixture_folder: &str, options: &[&str]) -> (Done, Model) {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let done = convert(input, &output, options);
    let images = npy::read(&fixture(fixture_folder).join("input.npy"));
    let logits = npy::read(&fixture(fixture_folder).join("logits.npy"));
    let outputs = execute(&output, &SHAPE, images);
    let error = relative_error(&outputs[0].1, &logits);
    assert!(error <= TOLERANCE, "{}: {error}", input.display());
    (done, Model::load(&output))
}

fn names(infos: Vec<(String, String)>) -> Vec<String> {
    infos.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn one_network_gives_one_model_from_every_container() {
    for container in [
        "model.ckpt",
        "model.ckpt.meta",
        "model.ckpt.index",
        "frozen.pb",
        "frozen.pbtxt",
        "saved_model",
        "hub_module",
        "saved_model/saved_model.pb",
    ] {
        let (_, model) = check(&fixture("containers").join(container), "containers", &[]);
        // A signature has keys for them.
        let (input, outputs): (&str, &[&str]) = match container {
            "hub_module" => ("images", &["default"]),
            "saved_model" | "saved_model/saved_model.pb" => ("images", &["logits", "probabilities"]),
            _ => ("input:0", &[LOGITS, PREDICTIONS]),
        };
        assert_eq!(names(model.inputs()), [input], "{container}");
        assert_eq!(names(model.outputs()), outputs, "{container}");
        assert_eq!(model.nodes("BatchNormalization").len(), 2, "{container}");
        assert_eq!(model.nodes("Transpose").len(), 1, "{container}");
    }
}

#[test]
fn tensors_of_a_saved_model_have_the_names_that_the_user_gave() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let saved_model = fixture("containers/saved_model");
    let called = |options: &[&str]| {
        convert(&saved_model, &output, &[options, &["--verify"]].concat());
        let model = Model::load(&output);
        [names(model.inputs()), names(model.outputs())].concat()
    };
    assert_eq!(called(&["--tensor-names"]), ["input:0", LOGITS, PREDICTIONS]);
    assert_eq!(called(&["--outputs", LOGITS]), ["images", LOGITS]);
    assert_eq!(called(&["--outputs", "logits,predictions:0"]), ["images", "logits", PREDICTIONS]);
    assert_eq!(called(&["--inputs", "input:0"]), ["input:0", "logits", "probabilities"]);
    assert_eq!(called(&["--inputs", "input", "--outputs", "probabilities"]), ["input:0", "probabilities"]);
    let renamed = ["--rename-inputs", "input:0=x", "--rename-outputs", "probabilities=logits,logits=scores"];
    assert_eq!(called(&renamed), ["x", "scores", "logits"]);
    // Options take either.
    for name in ["images", "input:0"] {
        assert_eq!(called(&["--inputs-as-nchw", name])[0], "images");
    }
}

#[test]
fn a_graph_elsewhere_is_named() {
    let folder = TempDir::new().unwrap();
    for suffix in ["index", "data-00000-of-00001"] {
        let name = format!("model.ckpt.{suffix}");
        fs::copy(fixture("containers").join(&name), folder.path().join(&name)).unwrap();
    }
    let checkpoint = folder.path().join("model.ckpt");
    for graph in ["model.ckpt.meta", "model.pbtxt", "saved_model"] {
        let graph = fixture("containers").join(graph);
        check(&checkpoint, "containers", &["--graph", graph.to_str().unwrap()]);
    }
}

#[test]
fn archives_of_graphs_are_converted() {
    let folder = TempDir::new().unwrap();
    for name in ["saved_model", "frozen.pb"] {
        let archive = folder.path().join(format!("{name}.tar.gz"));
        let mut tar =
            tar::Builder::new(GzEncoder::new(fs::File::create(&archive).unwrap(), Compression::fast()));
        let path = fixture("containers").join(name);
        if path.is_dir() {
            tar.append_dir_all(name, path).unwrap()
        } else {
            tar.append_path_with_name(path, name).unwrap()
        }
        tar.into_inner().unwrap().finish().unwrap();
        check(&archive, "containers", &[]);
    }
}

#[test]
fn a_signature_and_a_tag_choose_among_what_a_saved_model_holds() {
    let saved_model = fixture("containers/saved_model");
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let done = convert(&saved_model, &output, &["--signature", "probabilities"]);
    assert_eq!(names(Model::load(&output).outputs()), ["probabilities"]);
    assert!(done.stdout.contains("signature probabilities"), "{}", done.stdout);
    // The graph with the other tag has no signatures: its outputs are inferred.
    check(&saved_model, "containers", &["--tag", "train"]);
    let paths = [saved_model.to_str().unwrap(), output.to_str().unwrap()];
    let error = fails(&["convert", paths[0], paths[1], "--tag", "tpu"]);
    assert!(error.contains("\"serve\"") && error.contains("\"train\""), "{error}");
    let error = fails(&["convert", paths[0], paths[1], "--signature", "scores"]);
    assert!(error.contains("probabilities, serving_default"), "{error}");
}

#[test]
fn a_training_graph_becomes_one_for_inference() {
    for (name, kind) in [("switch", "Switch"), ("if", "If")] {
        let (done, model) = check(&fixture(name).join("model.ckpt"), name, &[]);
        assert_eq!(names(model.outputs()), [LOGITS, PREDICTIONS], "{kind}");
        assert_eq!(model.nodes("BatchNormalization").len(), 2, "{kind}");
        assert!(done.stdout.contains("is_training is false, as it is for inference"), "{}", done.stdout);
        // In training mode batch norm and dropout are those of training, and turned into inference one by one.
        if kind == "Switch" {
            let (done, _) = check(&fixture(name).join("model.ckpt"), name, &["--freeze", "is_training=true"]);
            assert!(done.stdout.contains("warning: the graph was built for training"), "{}", done.stdout);
            assert!(done.stdout.contains("dropout is left out"), "{}", done.stdout);
        }
    }
}

const DELIVERED: &str = "returned the training data; it is an input of the model now";

#[test]
fn a_frozen_graph_without_moving_averages_normalizes_by_the_batch_as_in_tensorflow() {
    let (done, model) = check(&fixture("batch_statistics/frozen.pb"), "batch_statistics", &[]);
    assert!(
        done.stdout.contains("statistics of each batch") && done.stdout.contains(": norm"),
        "{}",
        done.stdout
    );
    assert_eq!(model.nodes("ReduceMean").len(), 2, "the mean and the variance are the batch's");
}

#[test]
fn iterators_are_cut_off_and_become_inputs() {
    let checkpoint = fixture("iterator/model.ckpt");
    let (done, model) = check(&checkpoint, "iterator", &["--verify"]);
    assert_eq!(names(model.inputs()), ["IteratorGetNext:0"]);
    assert!(done.stdout.contains(&format!("note: IteratorGetNext {DELIVERED}")), "{}", done.stdout);
    // Its data are not needed where the model begins behind it.
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let done = convert(&checkpoint, &output, &["--inputs", "Net/conv1/Relu"]);
    assert!(!done.stdout.contains(DELIVERED), "{}", done.stdout);
}

#[test]
fn queues_are_cut_off_and_take_any_batch() {
    let (done, model) = check(&fixture("queue/model.ckpt"), "queue", &["--verify"]);
    assert_eq!(model.inputs(), [("batch:0".to_owned(), "batch,12,10,3".to_owned())]);
    let outputs = [LOGITS, PREDICTIONS].map(|name| (name.to_owned(), "batch,5".to_owned()));
    assert_eq!(model.outputs(), outputs);
    assert!(done.stdout.contains(&format!("note: batch {DELIVERED}")), "{}", done.stdout);
    // The training graph reshapes to [2, 108].
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("queue/model.ckpt"), &output, &[]);
    let image = npy::read(&fixture("queue/input.npy"))[..12 * 10 * 3].to_vec();
    let logits = npy::read(&fixture("queue/logits.npy"))[..5].to_vec();
    let outputs = execute(&output, &[1, 12, 10, 3], image);
    assert!(relative_error(&outputs[0].1, &logits) <= TOLERANCE);
}

#[test]
fn the_source_of_a_prefetch_queue_is_not_an_input() {
    let (done, model) = check(&fixture("prefetch_queue/model.ckpt"), "prefetch_queue", &["--verify"]);
    assert_eq!(model.inputs(), [("fifo_queue_Dequeue:0".to_owned(), "2,12,10,3".to_owned())]);
    assert_eq!(names(model.outputs()), [LOGITS, PREDICTIONS]);
    let note = "note: fifo_queue_Dequeue has the shape [2, 12, 10, 3], as in training; \
                --shape fifo_queue_Dequeue=-1,12,10,3 makes it take any batch";
    assert!(done.stdout.contains(note), "{}", done.stdout);
    let options = ["--shape", "fifo_queue_Dequeue=-1,12,10,3", "--verify"];
    let (done, model) = check(&fixture("prefetch_queue/model.ckpt"), "prefetch_queue", &options);
    assert_eq!(model.inputs()[0].1, "batch,12,10,3");
    assert_eq!(model.outputs()[0].1, "batch,5");
    assert!(!done.stdout.contains("as in training;"), "{}", done.stdout);
}

#[test]
fn shapes_are_set_where_a_graph_is_cut_off() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let cases: [(&str, &[&str], &str); 8] = [
        ("iterator", &["--batch-size", "4"], "4,12,10,3"),
        ("iterator", &["--shape", "IteratorGetNext=4,12,10,3"], "4,12,10,3"),
        ("iterator", &["--shape", "IteratorGetNext:0=-1,12,10,3", "--image-size", "12x10"], "batch,12,10,3"),
        ("queue", &["--batch-size", "1"], "1,12,10,3"),
        ("queue", &["--shape", "batch:0=3,12,10,3"], "3,12,10,3"),
        ("prefetch_queue", &["--batch-size", "1"], "1,12,10,3"),
        ("prefetch_queue", &["--batch-size", "2"], "2,12,10,3"),
        ("queue", &["--inputs", "Net/conv2/Relu", "--shape", "Net/conv2/Relu=7,3,3,12"], "7,3,3,12"),
    ];
    for (name, options, shape) in cases {
        let done = convert(&fixture(name).join("model.ckpt"), &output, options);
        assert!(!done.stdout.contains("makes it take any batch"), "{}", done.stdout);
        let model = Model::load(&output);
        assert_eq!(model.inputs()[0].1, shape, "{name} {options:?}");
        let batch = shape.split(',').next().unwrap();
        assert_eq!(model.outputs()[0].1, format!("{batch},5"), "{name} {options:?}");
    }
}

#[test]
fn options_that_do_not_apply_to_an_input_are_refused() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let refused = |name: &str, options: &[&str]| {
        let input = fixture(name);
        fails(&[&["convert", input.to_str().unwrap(), output.to_str().unwrap()], options].concat())
    };
    let error = refused("queue", &["--image-size", "99"]);
    assert!(error.contains("--image-size 99x99: the graph's input batch is [?, 12, 10, 3]"), "{error}");
    assert!(error.contains("--shape batch=-1,99,99,3"), "{error}");
    let error = refused("queue", &["--shape", "Net/conv1/Relu=1,12,10,8"]);
    assert!(error.contains("--shape Net/conv1/Relu=1,12,10,8: the model has no such input"), "{error}");
    assert!(error.contains("its input is batch"), "{error}");
    let frozen = "containers/frozen.pb";
    let options = ["--inputs", "Net/conv2/Relu", "--shape", "Net/conv2/Relu=7,3,3,12", "--batch-size", "4"];
    let error = refused(frozen, &options);
    assert!(error.contains("--batch-size 4: no input of the graph takes it"), "{error}");
    assert!(error.contains("Net/conv2/Relu:0 is [7, 3, 3, 12]"), "{error}");
}

#[test]
fn unused_inputs_are_named() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let frozen = fixture("containers/frozen.pb");
    let done = convert(&frozen, &output, &["--inputs", "Net/conv2/Relu", "--outputs", "Net/conv1/Relu"]);
    assert!(done.stdout.contains("inputs input:0 "), "{}", done.stdout);
    assert!(done.stdout.contains("warning: no output is computed from Net/conv2/Relu:0"), "{}", done.stdout);
    let done = convert(&frozen, &output, &["--outputs", "Net/logits/weights"]);
    assert!(done.stdout.contains("inputs none\n"), "{}", done.stdout);
    assert!(done.stdout.contains("warning: the outputs depend on no input"), "{}", done.stdout);
}

#[test]
fn an_inspection_shows_what_a_conversion_takes() {
    for (name, input) in
        [("queue", "batch:0 float32 [batch, 12, 10, 3]"), ("iterator", "IteratorGetNext:0 float32")]
    {
        let checkpoint = fixture(name).join("model.ckpt");
        let done = tf2onnx_rs(["inspect", checkpoint.to_str().unwrap()]);
        let inputs = done.stdout.lines().find(|line| line.starts_with("inputs ")).unwrap();
        assert!(inputs.contains(input) && !inputs.contains(":1"), "{inputs}");
    }
}

#[test]
fn slims_end_points_are_found_in_its_graphs() {
    let case = Case::load("mobilenet_v1_025");
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&case), Format::V2);
    let graph = folder.path().join("graph.pb");
    fs::write(&graph, case.graph_bytes()).unwrap();
    let output = folder.path().join("model.onnx");
    let graph = ["--graph", graph.to_str().unwrap()];
    let ends = ["Conv2d_13_pointwise", "Logits"];
    let options = ["--outputs", "Conv2d_13_pointwise,Logits", "--rename-outputs", "Logits=scores"];
    convert(&checkpoint, &output, &[&graph[..], &options].concat());
    let outputs = names(Model::load(&output).outputs());
    assert_eq!(outputs, [case.end_points[ends[0]].tensor.as_str(), "scores"]);
    let paths = ["convert", checkpoint.to_str().unwrap(), output.to_str().unwrap()];
    let error = fails(&[&paths[..], &graph, &["--outputs", "Conv2d_13_pointwis"]].concat());
    assert!(error.contains("did you mean \"Conv2d_13_pointwise\""), "{error}");
}

#[test]
fn a_network_that_a_graph_does_not_show_is_named() {
    let case = Case::load("lenet");
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&case), Format::V2);
    let graph = folder.path().join("graph.pbtxt");
    fs::write(&graph, "node { name: \"nothing\" op: \"NoOp\" }").unwrap();
    let paths = ["convert", checkpoint.to_str().unwrap(), "model.onnx", "--graph", graph.to_str().unwrap()];
    let error = fails(&paths);
    assert!(error.contains("or convert with --network lenet, which has these variables"), "{error}");
    let error = fails(&[&paths[..], &["--outputs", "Logits"]].concat());
    assert!(error.contains("the network is rebuilt: add --network lenet"), "{error}");
    let error = fails(&[&paths[..], &["--outputs", "something"]].concat());
    assert!(error.contains("the graph has no such tensor"), "{error}");
}

#[test]
fn inputs_and_outputs_can_be_anywhere_in_the_graph() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let options = ["--inputs", "Net/pool1/MaxPool:0", "--outputs", "Net/conv2/Relu:0", "--batch-size", "3"];
    convert(&fixture("containers/frozen.pb"), &output, &options);
    let model = Model::load(&output);
    assert_eq!(names(model.inputs()), ["Net/pool1/MaxPool:0"]);
    assert_eq!(names(model.outputs()), ["Net/conv2/Relu:0"]);
    assert_eq!(model.nodes("Conv").len(), 1);
}

#[test]
fn shapes_are_set_and_kept_open() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let frozen = fixture("containers/frozen.pb");
    convert(&frozen, &output, &["--shape", "input=5,12,10,3"]);
    assert_eq!(Model::load(&output).inputs()[0].1, "5,12,10,3");
    convert(&frozen, &output, &["--batch-size", "4"]);
    assert_eq!(Model::load(&output).inputs()[0].1, "4,12,10,3");
    let outputs = ["--outputs", "Net/conv2/Relu:0", "--shape", "input:0=-1,-1,-1,3"];
    convert(&frozen, &output, &outputs);
    assert_eq!(Model::load(&output).inputs()[0].1, "batch,?,?,3");
}

#[test]
fn variables_that_are_kept_in_parts_are_found() {
    check(&fixture("partitioned/model.ckpt"), "partitioned", &[]);
}

#[test]
fn errors_about_missing_tensors_suggest_similar_names() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let frozen = fixture("containers/frozen.pb");
    let paths = [frozen.to_str().unwrap(), output.to_str().unwrap()];
    let error = fails(&["convert", paths[0], paths[1], "--outputs", "prediction"]);
    assert!(error.contains("\"prediction\"") && error.contains("did you mean \"predictions\"?"), "{error}");
    let error = fails(&["convert", paths[0], paths[1], "--freeze", "input"]);
    assert!(error.contains("NAME=VALUE"), "{error}");
    let error = fails(&["convert", paths[0], paths[1], "--freeze", "conv1=1"]);
    assert!(error.contains("--freeze conv1=1: the graph has no placeholder \"conv1\""), "{error}");
    assert!(error.contains("its placeholder is input") && !error.contains("did you mean"), "{error}");
    let error = fails(&["convert", paths[0], paths[1], "--image-size", "99"]);
    assert!(error.contains("input is [?, 12, 10, 3]"), "{error}");
    assert!(error.contains("--shape input=-1,99,99,3"), "{error}");
    // A graph whose weights are in another file.
    let alone = folder.path().join("graph.meta");
    fs::copy(fixture("containers/model.ckpt.meta"), &alone).unwrap();
    let error = fails(&["convert", alone.to_str().unwrap(), paths[1]]);
    assert!(error.contains("without a checkpoint") && error.contains("--graph"), "{error}");
    assert!(!output.exists());
}

#[test]
fn a_damaged_graph_is_an_error_of_one_sentence() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let damaged = folder.path().join("damaged.pb");
    let whole = fs::read(fixture("containers/frozen.pb")).unwrap();
    for length in [0, 1, 5, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&damaged, &whole[..length]).unwrap();
        fails(&["convert", damaged.to_str().unwrap(), output.to_str().unwrap()]);
    }
    for at in (0..whole.len().min(6000)).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&damaged, &bytes).unwrap();
        let done = tf2onnx_rs(["convert", damaged.to_str().unwrap(), output.to_str().unwrap()]);
        assert!(
            matches!(done.status, 0 | 1) && !done.stderr.contains("panicked"),
            "byte {at}: {}",
            done.stderr
        );
    }
}

/// TensorFlow's graph and the rebuilt network give the same model: operators, their number, and weights.
#[test]
fn the_graph_and_the_rebuilt_network_give_the_same_model() {
    for name in ["lenet", "inception_v3_tiny", "mobilenet_v1_025", "mobilenet_v3_small", "nasnet_cifar"] {
        let case = Case::load(name);
        let folder = TempDir::new().unwrap();
        let checkpoint = write(folder.path(), &filled(&case), Format::V2);
        let graph = folder.path().join("graph.pb");
        fs::write(&graph, case.graph_bytes()).unwrap();
        let [height, width] = case.image_size();
        let size = format!("--image-size={height}x{width}");
        let (with, without) = (folder.path().join("with.onnx"), folder.path().join("without.onnx"));
        let output = ["--outputs", case.output.as_str()];
        convert(&checkpoint, &with, &[&output[..], &["--graph", graph.to_str().unwrap()]].concat());
        convert(&checkpoint, &without, &[&output[..], &[size.as_str()]].concat());
        let contents = |path: &Path| {
            let model = Model::load(path);
            let graph = &model.proto().graph;
            let mut ops: Vec<String> = graph.node.iter().map(|node| node.op_type.clone()).collect();
            let mut weights: Vec<(Vec<i64>, Vec<u8>)> = graph
                .initializer
                .iter()
                .map(|tensor| (tensor.dims.clone(), tensor.raw_data.clone()))
                .collect();
            ops.sort();
            weights.sort();
            (ops, weights)
        };
        let (with, without) = (contents(&with), contents(&without));
        assert_eq!(with.0, without.0, "{name}");
        assert!(with.1 == without.1, "{name}: the initializers differ");
    }
}
