//! The inputs of a model whose graph does not determine them: placeholders with computed defaults, inputs inside the
//! graph, placeholders without a declared shape (`scripts/make_fixtures/graphs.py`).

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::command::convert;
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::repository;

const SHAPE: [usize; 4] = [2, 12, 10, 3];

fn fixture(name: &str) -> PathBuf {
    repository::fixture("graphs/inputs").join(name)
}

/// Converts, and returns what was said, the model, and where it is.
fn converted(name: &str, options: &[&str]) -> (String, Model, TempDir) {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let done = convert(&fixture(&format!("{name}.pb")), &output, options);
    (done.stdout, Model::load(&output), folder)
}

fn inputs(model: &Model) -> Vec<String> {
    model.inputs().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_default_that_is_computed_from_an_input_is_what_the_model_computes() {
    for options in [&["--inputs", "input", "--outputs", "final/BiasAdd"][..], &[]] {
        let (said, model, folder) = converted("retrained", options);
        assert_eq!(inputs(&model), ["input:0"]);
        assert!(said.contains("input_bottleneck has a default that is computed from input"), "{said}");
        let outputs = execute(&folder.path().join("model.onnx"), &SHAPE, npy::read(&fixture("input.npy")));
        let error = relative_error(&outputs[0].1, &npy::read(&fixture("retrained.npy")));
        assert!(error <= 2e-5, "{error}");
    }
}

#[test]
fn a_placeholder_that_is_named_is_an_input_whatever_its_default() {
    let options = ["--inputs", "input_bottleneck", "--outputs", "final/BiasAdd"];
    let (_, model, _folder) = converted("retrained", &options);
    assert_eq!(inputs(&model), ["input_bottleneck:0"]);
}

#[test]
fn an_input_that_no_output_needs_is_named() {
    let options = ["--inputs", "input,input_bottleneck", "--outputs", "final/BiasAdd"];
    let (said, model, _folder) = converted("retrained", &options);
    assert_eq!(inputs(&model), ["input_bottleneck:0"]);
    assert!(said.contains("warning: no output is computed from input:0"), "{said}");
}

#[test]
fn ops_before_an_input_are_ignored() {
    let (_, model, folder) = converted("behind_a_loop", &["--inputs", "Preprocessor/sub:0"]);
    assert_eq!(model.inputs(), [("Preprocessor/sub:0".to_owned(), "batch,12,10,3".to_owned())]);
    let images = npy::read(&fixture("input.npy")).into_iter().map(|x| x * 2.0 - 1.0).collect();
    let outputs = execute(&folder.path().join("model.onnx"), &SHAPE, images);
    let error = relative_error(&outputs[0].1, &npy::read(&fixture("behind_a_loop.npy")));
    assert!(error <= 2e-5, "{error}");
}

#[test]
fn an_input_after_a_loop_has_the_given_shape() {
    let options = ["--inputs", "Preprocessor/sub:0", "--shape", "Preprocessor/sub:0=1,12,10,3"];
    let (_, model, _folder) = converted("behind_a_loop", &options);
    assert_eq!(model.inputs(), [("Preprocessor/sub:0".to_owned(), "1,12,10,3".to_owned())]);
}

#[test]
fn in_old_graphs_a_shape_without_axes_is_no_shape() {
    let (_, model, _folder) = converted("undeclared", &["--outputs", "y", "--shape", "x=2,3"]);
    assert_eq!(model.inputs(), [("x:0".to_owned(), "2,3".to_owned())]);
}

#[test]
fn images_of_unknown_rank_have_the_rank_that_a_convolution_takes() {
    let (_, model, _folder) = converted("undeclared", &["--outputs", "convolved"]);
    assert_eq!(model.outputs().len(), 1);
    let (_, model, _folder) = converted("undeclared", &["--outputs", "convolved", "--shape", "x:0=1,2,2,3"]);
    assert_eq!(model.outputs(), [("convolved:0".to_owned(), "1,2,2,2".to_owned())]);
}
