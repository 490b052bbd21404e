//! Networks that read images and write texts, compared with their definitions: the graph node for node, and what it computes.
//!
//! `scripts/make_fixtures/decoders.py` ran the definitions.

use tempfile::TempDir;

use crate::support::network_cases::{Case, assert_computes_the_same, assert_is_the_graph, cases};
use crate::support::onnx::Model;

const ARCHIVE: &str = "decoders/cases.zip";

#[test]
fn the_graph_is_the_one_that_the_definition_builds() {
    cases(ARCHIVE).for_each(|case| assert_is_the_graph(&case));
}

#[test]
fn the_model_computes_what_tensorflow_computes() {
    cases(ARCHIVE).for_each(|case| assert_computes_the_same(&case));
}

fn names(described: Vec<(String, String)>) -> String {
    described.into_iter().map(|(name, dims)| format!("{name} [{dims}]")).collect::<Vec<_>>().join(" ")
}

#[test]
fn im2txt_is_two_models_in_one() {
    let case = Case::load(ARCHIVE, "im2txt");
    let folder = TempDir::new().unwrap();
    let image = "input [1,107,139,3]";
    let step = "input_feed [batch] lstm/state_feed [batch,32]";
    let (state, next) = ("lstm/initial_state [1,32]", "softmax [batch,50] lstm/state [batch,32]");
    for (chosen, inputs, outputs) in [
        (&[][..], format!("{image} {step}"), format!("{state} {next}")),
        (&["--outputs", "lstm/initial_state"], image.to_owned(), state.to_owned()),
        (&["--outputs", "softmax,lstm/state"], step.to_owned(), next.to_owned()),
    ] {
        let model = Model::load(&case.convert(folder.path(), chosen).1);
        assert_eq!((names(model.inputs()), names(model.outputs())), (inputs, outputs));
    }
}

#[test]
fn the_lstm_of_im2txt_had_other_names() {
    let case = Case::load(ARCHIVE, "im2txt");
    for [kernel, bias] in [
        ["basic_lstm_cell/weights", "basic_lstm_cell/biases"],
        ["BasicLSTMCell/Linear/Matrix", "BasicLSTMCell/Linear/Bias"],
    ] {
        let folder = TempDir::new().unwrap();
        let renamed =
            |name: &str| name.replace("basic_lstm_cell/kernel", kernel).replace("basic_lstm_cell/bias", bias);
        let checkpoint = case.write_as(folder.path(), renamed);
        let (_, model) = case.convert_written(&checkpoint, &["--outputs", "softmax,lstm/state"]);
        case.assert_computes_the_same(&model);
    }
}
