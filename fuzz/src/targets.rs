//! The fuzz targets. None of them has a result: an input is read or refused, and a panic is a mistake.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tf2onnx_rs::checkpoint::Checkpoint;
use tf2onnx_rs::cli::functions::{self, Arguments};
use tf2onnx_rs::model_config::ModelConfig;
use tf2onnx_rs::slim::{Overrides, Variables, network_named, recognize_and_build};
use tf2onnx_rs::tensor::ElementSource;

/// A target: its name, which is that of its folder in `corpus/`, and what it does with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 18] = [
    ("checkpoint_state", checkpoint_state),
    ("checkpoint_v1", checkpoint_v1),
    ("checkpoint_v2", checkpoint_v2),
    ("config_json", config_json),
    ("config_text", config_text),
    ("graph", graph),
    ("graph_bytes", graph),
    ("graph_text", graph_text),
    ("gzip", gzip),
    ("meta_graph", meta_graph),
    ("network_toml", network_toml),
    ("npy", npy),
    ("npz", npz),
    ("onnx", onnx),
    ("saved_model", saved_model),
    ("tar", tar),
    ("tfjs", tfjs),
    ("zip", zip),
];

/// A V1 checkpoint: the table, its blocks, and the messages in them. A fuzzer cannot guess checksums: under cargo-fuzz, they
/// are not compared.
pub fn checkpoint_v1(bytes: &[u8]) {
    let (_folder, path) = file("model.ckpt", bytes);
    read_checkpoint(&path);
    look_at(&path);
}

/// The index of a V2 checkpoint whose data file has 256 bytes.
pub fn checkpoint_v2(index: &[u8]) {
    let (folder, path) = file("model.index", index);
    let data: Vec<u8> = (0..=255).collect();
    write(&folder.path().join("model.data-00000-of-00001"), &data);
    read_checkpoint(&folder.path().join("model"));
    look_at(&path);
}

/// The file `checkpoint`, which names the newest checkpoint of a folder.
pub fn checkpoint_state(text: &[u8]) {
    let (folder, path) = file("checkpoint", text);
    write(
        &folder.path().join("model.ckpt"),
        include_bytes!("../../tests/fixtures/checkpoints/partitioned_v1/model.ckpt"),
    );
    let _ = Checkpoint::open(&path);
    let _ = Checkpoint::open(folder.path());
}

/// A graph, converted.
pub fn graph(bytes: &[u8]) {
    convert("graph.pb", bytes);
}

/// A graph in text form.
pub fn graph_text(text: &[u8]) {
    convert("graph.pbtxt", text);
}

/// The graph of a checkpoint, without the checkpoint.
pub fn meta_graph(bytes: &[u8]) {
    convert("model.meta", bytes);
}

/// A SavedModel without variables.
pub fn saved_model(bytes: &[u8]) {
    convert("saved_model.pb", bytes);
}

/// The description of a TensorFlow.js model whose weights have 4096 bytes.
pub fn tfjs(text: &[u8]) {
    let (folder, path) = file("model.json", text);
    let weights: Vec<u8> = (0..=255).cycle().take(4096).collect();
    write(&folder.path().join("group1-shard1of1.bin"), &weights);
    convert_file(&path);
}

/// An archive of files.
pub fn tar(bytes: &[u8]) {
    let (_folder, path) = file("model.tar", bytes);
    look_at(&path);
}

/// The same, compressed file by file.
pub fn zip(bytes: &[u8]) {
    let (_folder, path) = file("model.zip", bytes);
    look_at(&path);
}

/// A compressed file or archive.
pub fn gzip(bytes: &[u8]) {
    let (_folder, path) = file("model.tar.gz", bytes);
    look_at(&path);
}

/// One array of NumPy.
pub fn npy(bytes: &[u8]) {
    let _ = tf2onnx_rs::npy::read(bytes);
}

/// An archive of arrays, as inputs of a model and as a checkpoint.
pub fn npz(bytes: &[u8]) {
    let (_folder, path) = file("variables.npz", bytes);
    let _ = tf2onnx_rs::npz::read(&path, bytes);
    look_at(&path);
}

/// An ONNX model: what `inspect` and `extract` read of it. `verify` executes it in another program.
pub fn onnx(bytes: &[u8]) {
    let (_folder, path) = file("model.onnx", bytes);
    look_at(&path);
}

/// The description of a network.
pub fn network_toml(text: &[u8]) {
    let (_folder, path) = file("network.toml", text);
    let _ = functions::networks(&arguments(&[&path]));
}

/// The `pipeline.config` of a detector, and the detector.
pub fn config_text(text: &[u8]) {
    build_configured(
        "pipeline.config",
        text,
        &[
            ("ssd", "FeatureExtractor/MobilenetV1/Conv2d_0/weights", &[3, 3, 3, 8]),
            (
                "faster_rcnn",
                "FirstStageFeatureExtractor/InceptionV2/Conv2d_1a_7x7/depthwise_weights",
                &[7, 7, 3, 8],
            ),
        ],
    );
}

/// The `bert_config.json` of a transformer, and the transformer.
pub fn config_json(text: &[u8]) {
    build_configured(
        "bert_config.json",
        text,
        &[
            ("bert", "bert/embeddings/word_embeddings", &[20, 8]),
            ("albert", "bert/embeddings/word_embeddings", &[20, 8]),
            ("mobilebert", "bert/embeddings/word_embeddings", &[20, 8]),
            ("electra", "electra/embeddings/word_embeddings", &[20, 8]),
        ],
    );
}

fn read_checkpoint(path: &Path) {
    let Ok(checkpoint) = Checkpoint::open(path) else { return };
    for tensor in checkpoint.tensors() {
        let _ = tensor.bytes();
        let _ = tensor.strings();
    }
    let _ = checkpoint.object_names();
}

fn build_configured(name: &str, text: &[u8], networks: &[(&str, &str, &[usize])]) {
    let (_folder, path) = file(name, text);
    let Ok(config) = ModelConfig::read(&path).map(Arc::new) else { return };
    for (name, variable, shape) in networks {
        let network = Some(Arc::clone(network_named(name).expect("it is a network")));
        let config = Some(Arc::clone(&config));
        // That the others are missing is found after the network is built.
        let variables = Variables::from([((*variable).to_owned(), shape.to_vec())]);
        if let Ok(recognized) =
            recognize_and_build(&variables, Overrides { network, config, ..Overrides::default() })
        {
            let image = recognized.recognition.network.default_images(3);
            let _ = recognized.build(&image, &variables);
        }
    }
}

fn convert(name: &str, bytes: &[u8]) {
    let (_folder, path) = file(name, bytes);
    convert_file(&path);
}

/// Describes a file, and converts it.
fn convert_file(path: &Path) {
    look_at(path);
    let output = path.with_file_name("output.onnx");
    if functions::convert(&arguments(&[path, &output]), &|_, _| ()).is_ok() {
        look_at(&output);
    }
}

/// What `inspect` prints.
fn look_at(path: &Path) {
    let _ = functions::inspect(&arguments(&[path]));
}

fn arguments(files: &[&Path]) -> Arguments {
    Arguments { files: files.iter().map(OsString::from).collect(), options: vec![] }
}

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = folder.path().join(name);
    write(&path, bytes);
    (folder, path)
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("the file can be written");
}
