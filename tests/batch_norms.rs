//! Batch norm in every spelling that slim writes into a graph, each with a V1 and a V2 checkpoint and frozen: all become one
//! BatchNormalization each, with a unit scale where gamma never existed, and compute what TensorFlow computed.

mod support;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use prost::Message;
use support::command::convert;
use support::npy;
use support::onnx::{Model, execute, relative_error};
use tempfile::TempDir;
use tf2onnx_rs::checkpoint::Checkpoint;
use tf2onnx_rs::proto::attr_value::Value;
use tf2onnx_rs::proto::tensor_shape_proto::Dim;
use tf2onnx_rs::proto::{AttrValue, MetaGraphDef, TensorProto, TensorShapeProto};
use tf2onnx_rs::tensor::Source;

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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/batchnorm")
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
    freeze(&meta, &work.path().join("model.ckpt"), &work.path().join("frozen.pb"));
    for checkpoint in ["model.ckpt", "v1.ckpt", "frozen.pb"] {
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

/// Writes the graph with its variables as constants, as TensorFlow's `convert_variables_to_constants` does.
fn freeze(meta: &Path, checkpoint: &Path, frozen: &Path) {
    let mut graph = MetaGraphDef::decode(&*fs::read(meta).unwrap()).unwrap().graph_def.unwrap();
    let checkpoint = Checkpoint::open(checkpoint).unwrap();
    for node in &mut graph.node {
        if matches!(node.op.as_str(), "VariableV2" | "VarHandleOp") {
            let Some(tensor) = checkpoint.get(&node.name) else { continue };
            let dims = tensor.shape().iter().map(|&size| Dim { size: size as i64, ..Dim::default() });
            let value = TensorProto {
                dtype: tensor.dtype().to_proto() as i32,
                tensor_shape: Some(TensorShapeProto { dim: dims.collect(), unknown_rank: false }),
                tensor_content: tensor.bytes().unwrap().to_vec().into(),
                ..TensorProto::default()
            };
            let dtype = node.attr["dtype"].clone();
            let value = AttrValue { value: Some(Value::Tensor(value)) };
            node.op = "Const".to_owned();
            node.attr = [("dtype".to_owned(), dtype), ("value".to_owned(), value)].into();
        } else if node.op == "ReadVariableOp" {
            node.op = "Identity".to_owned();
            node.attr = [("T".to_owned(), node.attr["dtype"].clone())].into();
        }
    }
    fs::write(frozen, graph.encode_to_vec()).unwrap();
}

#[test]
fn every_spelling_becomes_one_batch_normalization() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 17);
    for name in names {
        check(&name);
    }
}
