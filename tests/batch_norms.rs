//! Batch norm in every form that slim writes into a graph, each with a V1 and a V2 checkpoint, and frozen
//! (`scripts/make_fixtures/batchnorm.py`). Each becomes one BatchNormalization, with a unit scale if there is no gamma, and computes what
//! TensorFlow computed.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::command::convert;
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::repository::fixture;

const TOLERANCE: f32 = 1e-5;

#[derive(serde::Deserialize)]
struct Case {
    scale: bool,
    #[serde(default = "slims_epsilon")]
    epsilon: f32,
    input: String,
    output: String,
}

fn slims_epsilon() -> f32 {
    0.001
}

fn folder() -> PathBuf {
    fixture("batchnorm")
}

fn check(name: &str) {
    let source = folder().join(name);
    let case: Case = serde_json::from_slice(&fs::read(source.join("case.json")).unwrap()).unwrap();
    let work = TempDir::new().unwrap();
    for file in ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "v1.ckpt"] {
        fs::copy(source.join(file), work.path().join(file)).unwrap();
    }
    let meta = work.path().join("model.ckpt.meta");
    let mut bytes = vec![];
    flate2::read::GzDecoder::new(fs::File::open(source.join("model.ckpt.meta.gz")).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    fs::write(&meta, bytes).unwrap();
    let mut inputs = vec!["model.ckpt", "v1.ckpt"];
    // One of them TensorFlow does not execute once it is frozen.
    if fs::copy(source.join("frozen.pb"), work.path().join("frozen.pb")).is_ok() {
        inputs.push("frozen.pb");
    }
    for checkpoint in inputs {
        let output = work.path().join("model.onnx");
        let mut options = vec!["--inputs", &case.input, "--outputs", &case.output];
        if checkpoint == "v1.ckpt" {
            options.extend(["--graph", meta.to_str().unwrap()]);
        }
        convert(&work.path().join(checkpoint), &output, &options);
        let model = Model::load(&output);
        let norms = model.nodes("BatchNormalization");
        assert_eq!(norms.len(), 2, "{name}, {checkpoint}");
        for norm in norms {
            let epsilon = norm.attribute.iter().find(|attribute| attribute.name == "epsilon").unwrap().f;
            assert!((epsilon - case.epsilon).abs() <= 1e-6 * case.epsilon, "{name}: epsilon {epsilon}");
            let gamma = model.initializer(&norm.input[1]).expect("the scale is an initializer");
            assert_eq!(gamma.iter().all(|&value| value == 1.0), !case.scale, "{name}: scale {gamma:?}");
        }
        // rten has no convolutions of volumes; scripts/fixture_parity.py executes this one with ONNX Runtime.
        if name.starts_with("conv3d") {
            continue;
        }
        let input = source.join("input.npy");
        let outputs = execute(&output, &npy::shape(&input), npy::read(&input));
        let expected = source.join("output.npy");
        assert_eq!(outputs[0].0, npy::shape(&expected), "{name}, {checkpoint}");
        let error = relative_error(&outputs[0].1, &npy::read(&expected));
        assert!(error <= TOLERANCE, "{name}, {checkpoint}: {error}");
    }
}

#[test]
fn every_spelling_becomes_one_batch_normalization() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 17);
    assert_eq!(names.iter().filter(|name| folder().join(name).join("frozen.pb").is_file()).count(), 16);
    for name in names {
        check(&name);
    }
}
