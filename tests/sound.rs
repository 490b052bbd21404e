//! Graphs that decode sound: the inputs of the model are the samples, and their rate unless it is frozen.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::command::{convert, fails};
use crate::support::onnx::{Model, execute};
use crate::support::op_cases::{Case, cases};

/// The graph of a case that decodes a WAV file and computes the features that speech recognition takes.
fn graph() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let paths = ["graph.pb", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&paths[0], &cases()["wav_features.0"]["graph.pb"]).unwrap();
    let [graph, model] = paths;
    (folder, graph, model)
}

#[test]
fn a_graph_that_decodes_sound_takes_the_samples_and_their_rate_instead() {
    let (_folder, graph, model) = graph();
    let said = convert(&graph, &model, &["--outputs", "output0:0"]).stdout;
    assert!(said.contains("inputs decoded:0 float32 [4000, 1], decoded:1 int32 []"), "{said}");
    assert!(said.contains("note: decoded decodes a WAV file, which ONNX does not do"), "{said}");
    assert!(said.contains("--freeze decoded:1=16000 would fix"), "{said}");
}

#[test]
fn a_frozen_rate_is_not_an_input_and_gives_the_same_features() {
    let (_folder, graph, model) = graph();
    let said = convert(&graph, &model, &["--outputs", "output0:0", "--freeze", "decoded:1=16000"]).stdout;
    assert!(said.contains("inputs decoded:0 float32 [4000, 1]\n"), "{said}");
    assert!(!said.contains("would fix"), "{said}");
    assert_eq!(Model::load(&model).inputs().len(), 1);
    let files = &cases()["wav_features.0"];
    let case = Case::of(files);
    let (inputs, expected) = case.arrays(files).unwrap();
    let samples: Vec<f32> = inputs[0].values.iter().map(|&value| value as f32).collect();
    let (shape, values) = execute(&model, &inputs[0].shape, samples).swap_remove(0);
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    assert_eq!(case.difference(&expected[0], &shape, &values), None);
}

#[test]
fn only_a_suitable_rate_of_decoded_sound_can_be_frozen() {
    let (_folder, graph, model) = graph();
    let refused = |given: &str| {
        let paths = ["convert", graph.to_str().unwrap(), model.to_str().unwrap()];
        fails(&[&paths[..], &["--outputs", "output0:0", "--freeze", given]].concat())
    };
    for given in ["decoded=16000", "decoded:0=16000", "decoded:1=0", "decoded:1=fast"] {
        let error = refused(given);
        assert!(error.contains("write it as --freeze decoded:1=16000"), "{error}");
    }
    let error = refused("decoded:1=7000");
    assert!(
        error.contains("its upper_frequency_limit 4000 is above half of its sample rate 7000"),
        "{error}"
    );
}
