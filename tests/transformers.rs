//! BERT and its relatives from their checkpoints, compared with their definitions: the graph node for node, and what it computes.
//!
//! `scripts/make_fixtures/transformers.py` ran the definitions.

use tempfile::TempDir;

use crate::support::command::fails;
use crate::support::network_cases::{Case, assert_computes_the_same, assert_is_the_graph, cases};
use crate::support::onnx::Model;

const ARCHIVE: &str = "transformers/cases.zip";

fn case(name: &str) -> Case {
    Case::load(ARCHIVE, name)
}

#[test]
fn the_graph_is_the_one_that_the_definition_builds() {
    cases(ARCHIVE).for_each(|case| assert_is_the_graph(&case));
}

#[test]
fn the_model_computes_what_tensorflow_computes() {
    cases(ARCHIVE).for_each(|case| assert_computes_the_same(&case));
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
        let (_, model) = case(name).convert(folder.path(), &[]);
        let names: Vec<String> = Model::load(&model).outputs().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.join(" "), outputs, "{name}");
    }
}

#[test]
fn an_output_keeps_the_name_by_which_it_was_chosen() {
    let folder = TempDir::new().unwrap();
    let chosen = "sequence_output,bert/pooler/dense/Tanh:0";
    let (_, model) = case("bert").convert(folder.path(), &["--outputs", chosen]);
    let names: Vec<String> = Model::load(&model).outputs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.join(","), chosen);
}

#[test]
fn without_the_file_the_heads_of_published_models_are_assumed_and_named() {
    let folder = TempDir::new().unwrap();
    let (summary, _) = case("bert_heads_of_64").convert(folder.path(), &[]);
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
        let mut case = case(name);
        case.files.clear();
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
        let mut case = case("bert");
        case.files.get_mut("bert_config.json").unwrap()[field] = serde_json::from_str(value).unwrap();
        let checkpoint = case.write(folder.path()).display().to_string();
        let model = folder.path().join("model.onnx").display().to_string();
        let message = fails(&["convert", &checkpoint, &model]);
        assert!(message.contains(said), "{message}");
    }
}
