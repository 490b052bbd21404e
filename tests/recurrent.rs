//! Recurrent layers of TensorFlow 1 and of Keras: their loops become ONNX's operators, and all others stay loops.
//!
//! `tests/ops.rs` compares what the models compute, and `scripts/fixture_parity.py` does so with ONNX Runtime.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use crate::support::command::convert;
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::op_cases::{Case, Files, of_archive};
use crate::support::repository::fixture;

const OPERATORS: [&str; 4] = ["GRU", "LSTM", "Loop", "RNN"];

/// The model of a case.
fn model(files: &Files) -> Model {
    let (case, folder) = (Case::of(files), TempDir::new().unwrap());
    let (graph, model) = (folder.path().join("graph.pb"), folder.path().join("model.onnx"));
    fs::write(&graph, &files["graph.pb"]).unwrap();
    let (inputs, outputs) = (case.inputs.join(","), case.outputs.join(","));
    convert(&graph, &model, &["--inputs", &inputs, "--outputs", &outputs]);
    Model::load(&model)
}

#[test]
fn loops_become_the_operators_that_compute_exactly_the_same() {
    let mut wrong = vec![];
    for (name, files) in of_archive("recurrent.zip") {
        let model = model(&files);
        let found: BTreeSet<&str> =
            OPERATORS.into_iter().filter(|operator| !model.nodes(operator).is_empty()).collect();
        let expected = match name.split('_').next() {
            Some("loop") => "Loop".to_owned(),
            operator => operator.unwrap_or_default().to_uppercase(),
        };
        if !found.iter().eq([&expected.as_str()]) {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_layer_has_no_other_nodes_than_those_around_it() {
    let cases = of_archive("recurrent.zip");
    let ops = |name: &str| -> Vec<String> {
        let model = model(&cases[name]);
        model.proto().graph.node.iter().map(|node| node.op_type.clone()).collect()
    };
    assert_eq!(ops("gru_keras_all.0"), ["Transpose", "GRU", "Squeeze", "Squeeze", "Transpose"]);
    assert_eq!(ops("lstm_basic.v2.0"), ["Transpose", "LSTM", "Squeeze", "Squeeze", "Squeeze", "Transpose"]);
    assert_eq!(ops("lstm_two_cells.v1.0").iter().filter(|op| *op == "LSTM").count(), 2);
}

#[test]
fn what_the_runtime_would_ignore_is_not_compared() {
    let (files, folder) = (&of_archive("recurrent.zip")["lstm_padded.v1.0"], TempDir::new().unwrap());
    let (graph, model) = (folder.path().join("graph.pb"), folder.path().join("model.onnx"));
    fs::write(&graph, &files["graph.pb"]).unwrap();
    let done = convert(&graph, &model, &["--verify", "--shape", "x=3,5,4", "--shape", "n=3"]);
    assert!(done.stdout.contains("reads the lengths of sequences, which rten ignores"), "{}", done.stdout);
}

#[test]
fn layers_of_cudnn_are_restored_from_the_kernels_of_ordinary_cells() {
    for mode in ["lstm", "gru"] {
        let (files, folder) = (fixture("graphs").join(format!("cudnn_{mode}")), TempDir::new().unwrap());
        let output = folder.path().join("model.onnx");
        let done = convert(&files.join("model.ckpt"), &output, &["--verify", "--shape", "x=5,3,4"]);
        assert!(done.stdout.contains("\nverified: "), "{}", done.stdout);
        let result = execute(&output, &[5, 3, 4], npy::read(&files.join("input.npy")));
        let error = relative_error(&result[0].1, &npy::read(&files.join("output.npy")));
        assert!(error < 1e-5, "{mode}: {error}");
    }
}
