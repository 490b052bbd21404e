//! `convert --float16`: which values are rounded, and which are not. `scripts/fixture_parity.py --float16` runs such models in ONNX
//! Runtime; the runtime of the tests has no float16.

use std::path::Path;

use half::f16;
use onnx_protobuf::TensorProto;
use tempfile::TempDir;

use crate::support::command::{convert, fails};
use crate::support::onnx::Model;

const EXAMPLE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/examples/inception_v3_tiny/inception_v3_tiny.ckpt");

fn converted(options: &[&str]) -> Model {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.onnx");
    convert(Path::new(EXAMPLE), &path, options);
    Model::load(&path)
}

fn initializer<'a>(model: &'a Model, name: &str) -> &'a TensorProto {
    let tensors = &model.proto().graph.initializer;
    tensors.iter().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("{name} is an initializer"))
}

fn halves(tensor: &TensorProto) -> Vec<f16> {
    tensor.raw_data.as_chunks().0.iter().map(|&element| f16::from_le_bytes(element)).collect()
}

/// The type of a tensor: 1 is float32, 10 is float16.
fn type_of(model: &Model, name: &str) -> i32 {
    initializer(model, name).data_type
}

const WEIGHTS: &str = "InceptionV3/Conv2d_2b_3x3/weights:0";

#[test]
fn weights_are_rounded_and_statistics_inputs_and_outputs_are_not() {
    let (wide, narrow) = (converted(&[]), converted(&["--float16"]));
    let rounded: Vec<f16> = wide.initializer(WEIGHTS).unwrap().into_iter().map(f16::from_f32).collect();
    assert_eq!(type_of(&narrow, WEIGHTS), 10);
    assert_eq!(halves(initializer(&narrow, WEIGHTS)), rounded);
    let norms = narrow.nodes("BatchNormalization");
    assert_eq!(norms.len(), 94);
    for statistic in norms.iter().flat_map(|norm| &norm.input[1..]) {
        assert_eq!(type_of(&narrow, statistic), 1, "{statistic}");
    }
    // One Cast for the image, one for each output: nothing goes back and forth between them.
    assert_eq!(narrow.nodes("Cast").len(), 3);
    assert_eq!((narrow.inputs(), narrow.outputs()), (wide.inputs(), wide.outputs()));
    let types = |values: &[onnx_protobuf::ValueInfoProto]| -> Vec<i32> {
        values.iter().map(|value| value.type_.tensor_type().elem_type).collect()
    };
    assert_eq!(types(&narrow.proto().graph.input), [1]);
    assert_eq!(types(&narrow.proto().graph.output), [1, 1]);
}

#[test]
fn batch_norms_are_folded_before_weights_are_rounded() {
    let wide = converted(&["--fold-batch-norm"]);
    let narrow = converted(&["--fold-batch-norm", "--float16"]);
    assert!(narrow.nodes("BatchNormalization").is_empty());
    let name = format!("{WEIGHTS}/folded");
    let rounded: Vec<f16> = wide.initializer(&name).unwrap().into_iter().map(f16::from_f32).collect();
    assert_eq!(halves(initializer(&narrow, &name)), rounded);
}

#[test]
fn named_ops_and_scopes_stay_in_float32() {
    let model = converted(&["--float16", "--keep-float32", "Softmax,InceptionV3/InceptionV3/Conv2d_2b_3x3"]);
    assert_eq!(type_of(&model, WEIGHTS), 1);
    assert_eq!(type_of(&model, "InceptionV3/Conv2d_2a_3x3/weights:0"), 10);
    let error = fails(&["convert", EXAMPLE, "never.onnx", "--float16", "--keep-float32", "Sofmax"]);
    assert!(error.contains("--keep-float32 Sofmax") && error.contains("no op, node or scope"), "{error}");
}
