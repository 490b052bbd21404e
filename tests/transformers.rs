//! BERT and its relatives from their checkpoints, compared with their definitions: the graph node for node, and what it computes.
//!
//! `scripts/make_fixtures/transformers.py` ran the definitions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;
use serde::Deserialize;
use tempfile::TempDir;
use tf2onnx_rs::graph::{Graph, import::import};
use tf2onnx_rs::ops::output_types;
use tf2onnx_rs::proto::GraphDef;
use tf2onnx_rs::slim::recognize::Overrides;
use tf2onnx_rs::slim::{NetworkOption, recognize_and_build};

use crate::structure::nodes_for;
use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, write};
use crate::support::command::{convert, fails};
use crate::support::fill;
use crate::support::npy;
use crate::support::onnx::{Model, execute_arrays, relative_error};
use crate::support::op_cases::{Files, of_archive};

/// The largest error allowed, relative to the largest value expected.
const TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
struct Case {
    network: String,
    options: Vec<String>,
    files: BTreeMap<String, serde_json::Value>,
    inputs: Vec<String>,
    /// The names of the outputs, and of their tensors in the definition.
    outputs: Vec<(String, String)>,
    variables: Vec<(String, Vec<usize>)>,
}

/// The cases, each with the files in the archive.
fn cases() -> impl Iterator<Item = (String, Case, Files)> {
    let archive = of_archive("transformers/cases.zip");
    archive
        .into_iter()
        .map(|(name, files)| (name, serde_json::from_slice(&files["case.json"]).unwrap(), files))
}

fn case(name: &str) -> (Case, Files) {
    let (_, case, files) = cases().find(|(found, ..)| found == name).unwrap();
    (case, files)
}

impl Case {
    /// Writes the checkpoint and what belongs beside it.
    fn write(&self, folder: &Path) -> PathBuf {
        for (name, content) in &self.files {
            std::fs::write(folder.join(name), content.to_string()).unwrap();
        }
        let filled = |(name, shape): &(String, Vec<usize>)| {
            Variable::float32(name, shape, fill::variable(name, shape, 1.0))
        };
        write(folder, &self.variables.iter().map(filled).collect::<Vec<_>>(), Format::V2)
    }

    fn convert(&self, folder: &Path, options: &[&str]) -> (String, PathBuf) {
        let model = folder.join("model.onnx");
        let own = self.options.iter().flat_map(|option| ["--network-option", option]);
        let options: Vec<&str> = own.chain(options.iter().copied()).collect();
        (convert(&self.write(folder), &model, &options).stdout, model)
    }
}

#[test]
fn the_graph_is_the_one_that_the_definition_builds() {
    for (name, case, files) in cases() {
        let folder = TempDir::new().unwrap();
        case.write(folder.path());
        let variables = case.variables.iter().cloned().collect();
        let options: Vec<_> = case.options.iter().map(|text| NetworkOption::parse(text).unwrap()).collect();
        let config = case.files.keys().next().map(|file| folder.path().join(file));
        let config = config.map(|path| tf2onnx_rs::model_config::ModelConfig::read(&path).unwrap().into());
        let overrides = Overrides { network: None, options: &options, config };
        let recognized = recognize_and_build(&variables, overrides).unwrap();
        assert_eq!(recognized.recognition.network.name, case.network, "{name}");
        let image = recognized.recognition.network.default_images(3);
        let (_, built) = recognized.build(&image, &variables).unwrap();
        let outputs: Vec<&String> = case.outputs.iter().map(|(_, tensor)| tensor).collect();
        let ours = nodes_for(&built.graph, &outputs).unwrap();
        let theirs = nodes_for(&imported(&files), &outputs).unwrap();
        let only = |a: &std::collections::BTreeSet<String>, b| {
            a.difference(b).take(5).cloned().collect::<Vec<_>>().join("\n    ")
        };
        let differences =
            format!("\n  built:\n    {}\n  definition:\n    {}", only(&ours, &theirs), only(&theirs, &ours));
        assert!(ours == theirs, "{name}{differences}");
        let used: BTreeMap<_, _> = built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
        assert_eq!(used, variables, "{name}");
    }
}

fn imported(files: &Files) -> Graph {
    let definition = GraphDef::decode(&files["graph.pb"][..]).unwrap();
    import(&definition, output_types).unwrap()
}

#[test]
fn the_model_computes_what_tensorflow_computes() {
    for (name, case, files) in cases() {
        let folder = TempDir::new().unwrap();
        let names = case.outputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",");
        let (_, model) = case.convert(folder.path(), &["--outputs", &names]);
        let arrays = |kind: char, count: usize| -> Vec<_> {
            (0..count).map(|index| npy::parse(&files[&format!("{kind}{index}.npy")]).unwrap()).collect()
        };
        let named = Model::load(&model).inputs().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(named, case.inputs, "{name}");
        let results = execute_arrays(&model, &arrays('i', case.inputs.len()));
        for ((shape, got), expected) in results.into_iter().zip(arrays('o', case.outputs.len())) {
            assert_eq!(shape, expected.shape, "{name}");
            let expected: Vec<f32> = expected.values.iter().map(|&value| value as f32).collect();
            let error = relative_error(&got, &expected);
            assert!(error <= TOLERANCE, "{name}: {error}");
        }
    }
}

#[test]
fn the_outputs_are_the_vectors_or_those_of_the_task() {
    let expected = [
        ("bert", "pooled_output sequence_output"),
        ("bert_classifier", "logits probabilities"),
        ("bert_squad", "start_logits end_logits"),
        ("electra", "sequence_output discriminator_probs"),
        ("electra_classifier", "mnli_logits"),
        ("bert_pretraining", "pooled_output sequence_output masked_lm_log_probs next_sentence_log_probs"),
    ];
    for (name, outputs) in expected {
        let folder = TempDir::new().unwrap();
        let (_, model) = case(name).0.convert(folder.path(), &[]);
        let names: Vec<String> = Model::load(&model).outputs().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.join(" "), outputs, "{name}");
    }
}

#[test]
fn an_output_keeps_the_name_by_which_it_was_chosen() {
    let folder = TempDir::new().unwrap();
    let chosen = "sequence_output,bert/pooler/dense/Tanh:0";
    let (_, model) = case("bert").0.convert(folder.path(), &["--outputs", chosen]);
    let names: Vec<String> = Model::load(&model).outputs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.join(","), chosen);
}

#[test]
fn without_the_file_the_heads_of_published_models_are_assumed_and_named() {
    let folder = TempDir::new().unwrap();
    let (summary, _) = case("bert_heads_of_64").0.convert(folder.path(), &[]);
    assert!(summary.contains("no variable shows num_attention_heads: 2 was used"), "{summary}");
}

#[test]
fn a_number_of_heads_that_cannot_be_inferred_is_asked_for() {
    for (name, option) in [
        ("bert", "num_attention_heads"),
        ("albert", "num_hidden_layers"),
        ("mobilebert", "num_attention_heads"),
    ] {
        let folder = TempDir::new().unwrap();
        let case = Case { files: BTreeMap::new(), ..case(name).0 };
        let checkpoint = case.write(folder.path()).display().to_string();
        let model = folder.path().join("model.onnx").display().to_string();
        let message = fails(&["convert", &checkpoint, &model]);
        for said in [option, "hidden_size", "bert_config.json", &format!("--network-option {option}=")] {
            assert!(message.contains(said), "{message}");
        }
    }
}

#[test]
fn the_file_of_another_model_is_refused() {
    let wrong = [
        ("hidden_size", "64", "hidden_size in "),
        ("num_attention_heads", "5", "5 does not divide 32"),
        ("hidden_act", "\"swish\"", "\"swish\" is none of gelu, relu, tanh, linear"),
    ];
    for (field, value, said) in wrong {
        let folder = TempDir::new().unwrap();
        let mut case = case("bert").0;
        case.files.get_mut("bert_config.json").unwrap()[field] = serde_json::from_str(value).unwrap();
        let checkpoint = case.write(folder.path()).display().to_string();
        let model = folder.path().join("model.onnx").display().to_string();
        let message = fails(&["convert", &checkpoint, &model]);
        assert!(message.contains(said), "{message}");
    }
}
