//! Graph models of TensorFlow.js (`scripts/make_fixtures/tfjs.py`): converted, run and compared with what TensorFlow.js computed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use crate::support::command::{convert, fails, prints, tf2onnx_rs};
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::repository;

fn fixture(name: &str) -> PathBuf {
    repository::fixture("tfjs").join(name)
}

/// A copy of a fixture that a test can change.
fn copied(name: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn models_with_plain_and_with_quantized_weights_compute_what_tensorflow_js_does() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    for name in ["net", "uint8", "uint16", "float16"] {
        convert(&fixture(name), &output, &["--verify"]);
        let results = execute(&output, &[2, 8, 6, 3], npy::read(&fixture(name).join("input0.npy")));
        for (index, (_, values)) in results.iter().enumerate() {
            let expected = npy::read(&fixture(name).join(format!("output{index}.npy")));
            let error = relative_error(values, &expected);
            assert!(error <= 2e-6, "{name}, output {index}: {error}");
        }
        assert_eq!(results.len(), 2);
    }
}

#[test]
fn fused_ops_become_plain_ones() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("net"), &output, &[]);
    let model = Model::load(&output);
    assert_eq!(model.nodes("Conv").len(), 4);
    assert_eq!(model.nodes("PRelu").len(), 2);
    assert_eq!(model.nodes("Gemm").len() + model.nodes("MatMul").len(), 2);
    assert_eq!(model.inputs(), [("images".to_owned(), "batch,8,6,3".to_owned())]);
}

#[test]
fn functions_become_loops_and_int64_keeps_its_type() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("loop"), &output, &["--verify"]);
    let model = Model::load(&output);
    assert_eq!(model.nodes("Loop").len(), 1);
    let names: Vec<String> = model.outputs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["steps", "y"]);
}

#[test]
fn a_table_is_filled_by_the_initializer() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("table"), &output, &[]);
    let model = Model::load(&output);
    let encoder = &model.nodes("LabelEncoder")[0];
    let keys = encoder.attribute.iter().find(|attribute| attribute.name == "keys_strings").unwrap();
    let keys: Vec<&str> = keys.strings.iter().map(|key| std::str::from_utf8(key).unwrap()).collect();
    assert_eq!(keys, ["one", "two", "für", ""]);
    assert_eq!(model.inputs().len(), 1);
}

#[test]
fn a_model_is_a_folder_its_json_file_or_an_archive() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    convert(&fixture("net"), &path("folder.onnx"), &[]);
    let archive = GzEncoder::new(File::create(path("net.tgz")).unwrap(), Compression::fast());
    let mut archive = tar::Builder::new(archive);
    archive.append_dir_all("package/net", fixture("net")).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    let expected = Model::load(&path("folder.onnx"));
    for input in [fixture("net/model.json"), path("net.tgz")] {
        convert(&input, &path("other.onnx"), &[]);
        let model = Model::load(&path("other.onnx"));
        let parts =
            |model: &Model| (model.proto().graph.node.clone(), model.proto().graph.initializer.clone());
        assert!(parts(&model) == parts(&expected), "{}", input.display());
    }
}

#[test]
fn the_files_of_old_versions_are_read() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    for input in ["old", "old/tensorflowjs_model.pb", "old/weights_manifest.json"] {
        convert(&fixture(input), &output, &["--outputs", "Identity"]);
        let results = execute(&output, &[2, 8, 6, 3], npy::read(&fixture("old/input0.npy")));
        let error = relative_error(&results[0].1, &npy::read(&fixture("old/output0.npy")));
        assert!(error <= 2e-6, "{input}: {error}");
    }
}

#[test]
fn missing_and_short_files_are_named() {
    let model = copied("net");
    let shard = model.path().join("group1-shard2of4.bin");
    let output = model.path().join("model.onnx");
    let args = ["convert", text(model.path()), text(&output)];
    fs::write(&shard, &fs::read(&shard).unwrap()[..500]).unwrap();
    let error = fails(&args);
    assert!(error.contains("group1-shard2of4.bin: the end of the weights is missing"), "{error}");
    fs::remove_file(&shard).unwrap();
    let error = fails(&args);
    assert!(error.contains("group1-shard2of4.bin: the file does not exist, and it has weights"), "{error}");
    assert!(!output.exists());
}

/// Changes the text of a model's JSON file, and returns the error of its conversion.
fn error_with(from: &str, to: &str) -> String {
    let model = copied("uint8");
    let json = model.path().join("model.json");
    let before = fs::read_to_string(&json).unwrap();
    assert!(before.contains(from), "{from}");
    fs::write(&json, before.replacen(from, to, 1)).unwrap();
    fails(&["convert", text(model.path()), text(&model.path().join("model.onnx"))])
}

#[test]
fn wrong_manifests_are_refused() {
    for (from, to, expected) in [
        ("group1-shard1of1.bin", "../weights.bin", "outside of its folder"),
        ("group1-shard1of1.bin", "/etc/passwd", "outside of its folder"),
        ("\"min\":", "\"minimum\":", "no min or no scale"),
        ("\"dtype\": \"uint8\"", "\"dtype\": \"uint4\"", "\"uint4\" is not a type that TensorFlow.js stores"),
        (
            "\"name\": \"StatefulPartitionedCall/model/conv/Conv2D_weights\", \"shape\"",
            "\"name\": \"w\", \"shape\"",
            "Const \"StatefulPartitionedCall/model/conv/Conv2D_weights\": the weights manifest does not have its elements",
        ),
        ("\"modelTopology\": {\"node\"", "\"modelTopology\": {\"nodes\"", "no modelTopology with nodes"),
        ("\"DT_FLOAT\"", "\"DT_FLOTE\"", "expected a DataType"),
    ] {
        let error = error_with(from, to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_folder_with_several_models_is_not_ambiguous_for_batch() {
    let models = copied("net");
    let json = fs::read(models.path().join("model.json")).unwrap();
    let path = |name: &str| models.path().join(name);
    fs::rename(path("model.json"), path("a.json")).unwrap();
    fs::write(path("b.json"), json).unwrap();
    let error = fails(&["convert", text(models.path()), text(&path("model.onnx"))]);
    assert!(error.contains("several TensorFlow.js models: a.json, b.json"), "{error}");
    let done = tf2onnx_rs(["batch", text(models.path()), "--out-dir", text(&path("out"))]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(path("out/a.onnx").is_file() && path("out/b.onnx").is_file());
}

#[test]
fn batch_names_a_model_after_its_folder() {
    let folder = TempDir::new().unwrap();
    let done = tf2onnx_rs(["batch", text(&fixture("")), "--out-dir", text(folder.path())]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    for name in ["net", "loop", "table", "uint8"] {
        assert!(folder.path().join(name).with_extension("onnx").is_file(), "{name}: {}", done.stdout);
    }
}

#[test]
fn inspect_and_extract_show_restored_weights() {
    let shown = prints(&["inspect", text(&fixture("uint8")), "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["graph"]["kind"], "TensorFlow.js graph model");
    let folder = TempDir::new().unwrap();
    let extract = |name: &str| {
        let output = folder.path().join(name).with_extension("npz");
        prints(&["extract", text(&fixture(name)), text(&output), "--match", "*hidden/MatMul*", "--quiet"]);
        let mut archive = zip::ZipArchive::new(File::open(output).unwrap()).unwrap();
        let mut bytes = vec![];
        archive.by_index(0).unwrap().read_to_end(&mut bytes).unwrap();
        let array = folder.path().join("array.npy");
        fs::write(&array, bytes).unwrap();
        npy::read(&array)
    };
    let error = relative_error(&extract("uint16"), &extract("net"));
    assert!(error > 0.0 && error < 1e-4, "{error}");
}
