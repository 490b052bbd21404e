//! Checkpoints of a larger model whose backbone is a network of the library: by default the backbone is not converted, and the rest is
//! named.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, tf2onnx_rs};
use crate::support::zoo::Case;

/// A checkpoint of a narrow MobileNet v1 and other variables, each of one element in each place of its shape.
fn checkpoint(folder: &TempDir, others: &[(&str, &[usize])]) -> PathBuf {
    let mut variables = filled(&Case::load("mobilenet_v1_025"));
    variables.extend(
        others.iter().map(|(name, shape)| Variable::float32(name, shape, vec![0.5; shape.iter().product()])),
    );
    write(folder.path(), &variables, Format::V2)
}

/// Converts, and returns the warnings.
fn warnings(folder: &TempDir, others: &[(&str, &[usize])], options: &[&str]) -> Vec<String> {
    let output = folder.path().join("model.onnx");
    let done = convert(&checkpoint(folder, others), &output, options);
    done.stdout.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect()
}

fn refused(others: &[(&str, &[usize])]) -> String {
    let folder = TempDir::new().unwrap();
    let input = checkpoint(&folder, others);
    let output = folder.path().join("model.onnx");
    let error = fails(&["convert", input.to_str().unwrap(), output.to_str().unwrap()]);
    assert!(!output.exists());
    error
}

const SSD: [(&str, &[usize]); 4] = [
    ("BoxPredictor_0/ClassPredictor/weights", &[1, 1, 256, 6]),
    ("BoxPredictor_0/ClassPredictor/biases", &[6]),
    ("BoxPredictor_1/ClassPredictor/weights", &[1, 1, 256, 12]),
    ("BoxPredictor_1/ClassPredictor/weights/RMSProp", &[1, 1, 256, 12]),
];

#[test]
fn a_detector_is_not_converted_to_its_backbone_by_default() {
    let error = refused(&SSD);
    assert!(error.contains("it holds more than mobilenet_v1_025: 3 trained variables"), "{error}");
    assert!(error.contains("BoxPredictor_* (3 variables, the box predictors of an SSD detector)"), "{error}");
    assert!(error.contains("--graph") && error.contains("--backbone"), "{error}");
}

#[test]
fn an_option_converts_the_backbone_and_a_warning_names_the_rest() {
    let folder = TempDir::new().unwrap();
    let said = warnings(&folder, &SSD, &["--backbone"]);
    assert!(said.len() == 1 && said[0].contains("BoxPredictor_* (3 variables"), "{said:?}");
    let input = checkpoint(&folder, &SSD);
    let report = folder.path().join("report.json");
    let options = ["--backbone", "--json", "--report", report.to_str().unwrap()];
    let done = convert(&input, &folder.path().join("model.onnx"), &options);
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(summary["unused_variables"][0]["scope"], "BoxPredictor_*");
    assert_eq!(summary["unused_variables"][0]["variables"].as_array().unwrap().len(), 3);
    let certainty = summary["certainty"].as_f64().unwrap();
    assert!((0.9..1.0).contains(&certainty), "{certainty}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report["warnings"][0]["text"].as_str().unwrap().contains("BoxPredictor_*"), "{report}");
}

#[test]
fn inspect_is_not_certain_of_a_checkpoint_with_more_variables() {
    let folder = TempDir::new().unwrap();
    let input = checkpoint(&folder, &SSD);
    let inspected = |options: &[&str]| {
        let done = tf2onnx_rs([&["inspect", "--json", input.to_str().unwrap()], options].concat());
        serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap()
    };
    for (options, finding) in [(&[][..], "conversion_fails"), (&["--backbone"], "unused_variables")] {
        let report = inspected(options);
        assert!(report["network"]["certainty"].as_f64().unwrap() < 1.0);
        assert_eq!(report["network"]["unused_variables"][0]["elements"], 6 * 256 + 6 + 12 * 256);
        let findings = report["findings"].as_array().unwrap();
        assert!(findings.iter().any(|found| found["finding"] == finding), "{findings:?}");
    }
}

#[test]
fn known_heads_are_named_and_so_are_many_or_large_unknown_ones() {
    for (name, what) in [
        ("aspp0/weights", "DeepLab"),
        ("feature_fusion/Conv/weights", "EAST"),
        ("pose/part_pred/block4/weights", "DeepLabCut"),
        ("MobilenetV1/Bottleneck/weights", "FaceNet"),
    ] {
        let error = refused(&[(name, &[1, 1, 2, 2])]);
        assert!(error.contains(what), "{name}: {error}");
    }
    assert!(refused(&[("dense/kernel", &[1024, 1000])]).contains("dense (1 variable)"));
    let names: Vec<String> = (0..9).map(|index| format!("dense_{index}/kernel")).collect();
    let many: Vec<(&str, &[usize])> = names.iter().map(|name| (&**name, &[2, 2][..])).collect();
    assert!(refused(&many).contains("dense_* (9 variables)"));
}

#[test]
fn a_small_rest_is_a_warning_and_variables_of_training_are_not() {
    let folder = TempDir::new().unwrap();
    let said = warnings(&folder, &[("dense/kernel", &[16, 2])], &[]);
    assert!(said.len() == 1 && said[0].contains("dense (1 variable)"), "{said:?}");
    let kept: [(&str, &[usize]); 4] = [
        ("MobilenetV1/Logits/Conv2d_1c_1x1/biases/Momentum", &[1001]),
        ("MobilenetV1/Logits/Conv2d_1c_1x1/biases/ExponentialMovingAverage", &[1001]),
        ("MobilenetV1/Logits/Conv2d_1c_1x1/biases/SlotOfSomeOtherOptimizer", &[1001]),
        ("beta1_power", &[]),
    ];
    assert_eq!(warnings(&folder, &kept, &[]), [""; 0]);
    // Who leaves out the classes knows of them.
    assert_eq!(warnings(&folder, &[], &["--network-option", "num_classes=0"]), [""; 0]);
}

#[test]
fn a_note_names_a_difference_of_definitions_for_images_of_this_size() {
    let folder = TempDir::new().unwrap();
    let notes = |options: &[&str]| {
        let done = convert(&checkpoint(&folder, &[]), &folder.path().join("model.onnx"), options);
        done.stdout.lines().filter(|line| line.contains("definitions of mobilenet_v1")).count()
    };
    assert_eq!((notes(&[]), notes(&["--image-size", "256"])), (0, 1));
    assert_eq!(notes(&["--image-size", "256", "--network-option", "global_pool=true"]), 0);
}

#[test]
fn a_graph_may_use_a_part_of_its_checkpoint() {
    let folder = TempDir::new().unwrap();
    let case = Case::load("mobilenet_v1_025");
    let graph = folder.path().join("graph.pb");
    std::fs::write(&graph, case.graph_bytes()).unwrap();
    let logits = ["--graph", graph.to_str().unwrap(), "--outputs", &case.output];
    let said = warnings(&folder, &SSD, &logits);
    assert!(said.len() == 1 && said[0].contains("BoxPredictor_* (3 variables"), "{said:?}");
    assert_eq!(warnings(&folder, &[], &logits), [""; 0]);
}

#[test]
fn batch_names_the_checkpoint_with_more_than_a_backbone() {
    let folder = TempDir::new().unwrap();
    let input = checkpoint(&folder, &SSD);
    let models = folder.path().join("models");
    let args = ["batch", input.to_str().unwrap(), "--out-dir", models.to_str().unwrap()];
    let done = tf2onnx_rs(args);
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("BoxPredictor_*"), "{}", done.stderr);
    let done = tf2onnx_rs([&args[..], &["--backbone"]].concat());
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stderr.contains("warning: ") && done.stderr.contains("BoxPredictor_*"), "{}", done.stderr);
}
