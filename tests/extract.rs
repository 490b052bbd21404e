//! `extract`: other programs can read the files that it writes.

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, tf2onnx_rs};
use crate::support::npy;
use crate::support::onnx::Model;
use crate::support::repository::fixture;
use crate::support::zoo::Case;

fn extract(input: &Path, output: &Path, options: &[&str]) -> String {
    let paths = [input.to_str().unwrap(), output.to_str().unwrap()];
    let done = tf2onnx_rs(["extract"].iter().chain(&paths).chain(options));
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    done.stdout
}

fn tiny(folder: &Path) -> PathBuf {
    write(folder, &filled(&Case::load("inception_v3_tiny")), Format::V1)
}

#[test]
fn the_layout_of_onnx_is_what_convert_writes() {
    let folder = TempDir::new().unwrap();
    let checkpoint = tiny(folder.path());
    let weights = folder.path().join("weights.safetensors");
    let said = extract(&checkpoint, &weights, &["--layout", "onnx"]);
    assert!(said.contains("10 tensors are left out: they are not a part of the ONNX model"), "{said}");
    let model = folder.path().join("model.onnx");
    convert(&checkpoint, &model, &[]);
    let model = Model::load(&model);
    let file = std::fs::read(&weights).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.len(), 378);
    for (name, tensor) in tensors.iter() {
        let initializers = &model.proto().graph.initializer;
        let initializer = initializers.iter().find(|written| written.name == format!("{name}:0")).unwrap();
        assert_eq!(tensor.data(), initializer.raw_data, "{name}");
        let shape: Vec<i64> = tensor.shape().iter().map(|&length| length as i64).collect();
        assert_eq!(shape, initializer.dims, "{name}");
    }
    assert_eq!(tensors.tensor("InceptionV3/Conv2d_1a_3x3/weights").unwrap().shape(), [4, 3, 3, 3]);
}

#[test]
fn missing_gammas_are_extracted_as_ones() {
    let folder = TempDir::new().unwrap();
    let checkpoint = tiny(folder.path());
    let out = folder.path().join("gammas");
    let said = extract(&checkpoint, &out, &["--match", "*/Conv2d_1a_3x3/*", "--with-synthesized"]);
    assert!(said.contains("15 tensors, 3 of them synthesized"), "{said}");
    let scope = out.join("InceptionV3/Conv2d_1a_3x3");
    assert_eq!(npy::read(&scope.join("BatchNorm/gamma.npy")), [1.0; 4]);
    assert_eq!(npy::shape(&scope.join("weights.npy")), [3, 3, 3, 4], "TensorFlow's order");
    // Also where nothing but names tells that there is a batch norm.
    let vector = |name: &str| Variable::float32(name, &[2], vec![1.0, 2.0]);
    let variables = ["net/bn/beta", "net/bn/moving_mean", "net/bn/moving_variance"].map(vector);
    let unknown = folder.path().join("unknown");
    std::fs::create_dir(&unknown).unwrap();
    let checkpoint = write(&unknown, &variables, Format::V2);
    extract(&checkpoint, &folder.path().join("all/"), &["--with-synthesized"]);
    assert_eq!(npy::read(&folder.path().join("all/net/bn/gamma.npy")), [1.0; 2]);
}

#[test]
fn frozen_graphs_and_onnx_models_give_the_weights_of_their_checkpoint() {
    let folder = TempDir::new().unwrap();
    let containers = fixture("graphs/containers");
    let model = folder.path().join("model.onnx");
    convert(&containers.join("frozen.pb"), &model, &[]);
    let outs = ["ckpt", "frozen", "onnx"].map(|name| folder.path().join(name));
    extract(&containers.join("model.ckpt"), &outs[0], &["--layout", "onnx"]);
    extract(&containers.join("frozen.pb"), &outs[1], &["--layout", "onnx"]);
    extract(&model, &outs[2], &[]);
    let file = "Net/conv2/weights";
    let [checkpoint, frozen] = [0, 1].map(|index: usize| outs[index].join(format!("{file}.npy")));
    let onnx = outs[2].join(format!("{file}%3A0.npy"));
    assert_eq!(npy::shape(&checkpoint), [12, 8, 3, 3]);
    assert_eq!(std::fs::read(&checkpoint).unwrap(), std::fs::read(&frozen).unwrap());
    assert_eq!(std::fs::read(&checkpoint).unwrap(), std::fs::read(&onnx).unwrap());
    let said = fails(&["extract", model.to_str().unwrap(), "w.npz", "--layout", "tensorflow"]);
    assert!(said.contains("does not say which order its weights had"), "{said}");
}

#[test]
fn options_of_convert_are_refused_without_a_conversion() {
    let folder = TempDir::new().unwrap();
    let input = tiny(folder.path());
    let refused = |options: &[&str]| {
        let output = folder.path().join("w.npz");
        fails(&[&["extract", input.to_str().unwrap(), output.to_str().unwrap()], options].concat())
    };
    for layout in [&[][..], &["--layout", "tensorflow"]] {
        let said = refused(&[&["--outputs", "Mixed_6e"], layout].concat());
        assert!(
            said.contains("--outputs: it applies to a conversion") && said.contains("--layout onnx"),
            "{said}"
        );
    }
    let said = refused(&["--layout", "onnx", "--fold-batch-norm"]);
    assert!(said.contains("--fold-batch-norm: ") && said.contains("extract from the ONNX model"), "{said}");
}

#[test]
fn names_of_tensors_cannot_lead_out_of_the_folder() {
    let folder = TempDir::new().unwrap();
    let variable = |name: &str| Variable::float32(name, &[1], vec![1.0]);
    let names = ["../../evil", "/etc/evil", "net/w"].map(variable);
    let checkpoint = write(folder.path(), &names, Format::V2);
    let inner = folder.path().join("a");
    std::fs::create_dir(&inner).unwrap();
    extract(&checkpoint, &inner.join("out/"), &[]);
    for file in ["%2E%2E/%2E%2E/evil.npy", "%2Fetc/evil.npy", "net/w.npy"] {
        assert!(inner.join("out").join(file).is_file(), "{file}");
    }
    assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1);
    // Names that are one file on some systems are refused on all of them.
    let checkpoint = write(folder.path(), &["net/W", "net/w"].map(variable), Format::V2);
    let said = fails(&["extract", checkpoint.to_str().unwrap(), inner.join("cases").to_str().unwrap()]);
    assert!(said.contains("its file has the same path as that of"), "{said}");
    assert!(!inner.join("cases").exists());
}

#[test]
fn types_that_a_format_lacks_are_left_out_and_named() {
    let folder = TempDir::new().unwrap();
    let checkpoint = fixture("checkpoints/dtypes_v2");
    let out = folder.path().join("all.safetensors");
    let said = extract(&checkpoint, &out, &[]);
    assert!(said.contains("safetensors has no type for string"), "{said}");
    let file = std::fs::read(&out).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    assert!(tensors.iter().any(|(_, tensor)| tensor.dtype() == Dtype::BF16), "{:?}", tensors.names());
    assert!(
        !extract(&checkpoint, &folder.path().join("all.npz"), &[]).contains("left out"),
        "NumPy has strings"
    );
}

#[test]
fn nothing_is_written_if_a_tensor_is_damaged() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &[Variable::float32("w", &[9], vec![1.5; 9])], Format::V2);
    let data = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
    let data = data.into_iter().find(|path| path.to_string_lossy().contains(".data-")).unwrap();
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[5] ^= 1;
    std::fs::write(&data, bytes).unwrap();
    let out = TempDir::new().unwrap();
    for name in ["w.npz", "w.safetensors", "w/"] {
        let target = out.path().join(name);
        let said = fails(&["extract", checkpoint.to_str().unwrap(), target.to_str().unwrap()]);
        assert!(said.contains("checksum"), "{said}");
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0, "{name}");
    }
}
