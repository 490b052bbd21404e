//! Graphs that ONNX computes with fewer nodes: which nodes are left of them.
//!
//! `tests/ops.rs` compares what the models compute, and `scripts/fixture_parity.py` does so with ONNX Runtime.

use std::fs;

use tempfile::TempDir;

use crate::support::command::convert;
use crate::support::onnx::Model;
use crate::support::op_cases::{Case, of_archive};

/// The operators of the model of a case with a feed, with the number of the operator set.
fn operators(name: &str, opset: &str) -> String {
    let (files, folder) = (&of_archive("patterns.zip")[&format!("{name}.0")], TempDir::new().unwrap());
    let case = Case::of(files);
    let (graph, model) = (folder.path().join("graph.pb"), folder.path().join("model.onnx"));
    fs::write(&graph, &files["graph.pb"]).unwrap();
    let outputs = case.outputs.join(",");
    convert(&graph, &model, &["--outputs", &outputs, "--opset", opset]);
    let nodes = Model::load(&model).proto().graph.node.clone();
    nodes.into_iter().map(|node| node.op_type).collect::<Vec<_>>().join(" ")
}

#[test]
fn convolutions_of_sequences_are_dilated_and_padded_and_add_their_bias() {
    let layers = ["Unsqueeze Transpose Conv Squeeze Relu", "Unsqueeze Conv Squeeze Relu"];
    let expected = format!("{} {} {} Transpose", layers[0], layers[1], layers[1]);
    assert_eq!(operators("causal_convolutions", "18"), expected);
    let one = "Unsqueeze Transpose Conv Squeeze Transpose";
    assert_eq!(operators("sequences_in_blocks_same", "18"), one);
    assert_eq!(operators("sequences_in_blocks_valid", "18"), one);
}

#[test]
fn a_dense_layer_of_sequences_is_a_product_and_a_sum() {
    assert_eq!(operators("dense_layer_of_sequences", "18"), "MatMul Add");
    assert!(operators("product_over_another_axis", "18").contains("Reshape"));
}

#[test]
fn layer_normalization_subtracts_the_mean_first() {
    for name in ["layer_norm_of_moments", "layer_norm_with_a_root", "layer_norm_of_a_large_mean"] {
        assert_eq!(operators(name, "17"), "ReduceMean Sub LayerNormalization", "{name}");
        assert!(!operators(name, "16").contains("LayerNormalization"), "{name}");
    }
}

#[test]
fn normalizations_of_channels_and_of_their_groups_are_those_of_instances() {
    for opset in ["11", "18", "21"] {
        let count =
            |name: &str, op: &str| operators(name, opset).split(' ').filter(|found| *found == op).count();
        let single = "Transpose InstanceNormalization Transpose";
        for name in
            ["normalization_of_images", "instance_norm_of_a_large_mean", "group_norm_of_single_channels"]
        {
            assert_eq!(operators(name, opset), single, "{name}");
        }
        // Of images that may be empty, ONNX Runtime would read elements that do not exist.
        for name in ["instance_norm_of_any_size", "group_norm_of_images_of_any_size"] {
            assert_eq!(count(name, "InstanceNormalization"), 0, "{name}");
        }
        let grouped = "Transpose Reshape InstanceNormalization Reshape Mul Add Transpose";
        assert_eq!(operators("group_norm_of_images", opset), grouped);
        assert_eq!(operators("group_norm_of_volumes", opset), grouped);
        assert_eq!(count("group_norm_of_sequences_without_scale", "Mul"), 0);
    }
}

#[test]
fn activations_are_their_operators_where_the_operator_set_has_them() {
    assert_eq!(operators("hard_swish", "14"), "HardSwish Mul HardSwish");
    assert!(!operators("hard_swish", "13").contains("HardSwish"));
    assert_eq!(operators("gelu", "20"), "Gelu Gelu");
    assert!(operators("gelu", "19").contains("Erf"));
}

#[test]
fn arithmetic_that_changes_nothing_leaves_no_nodes() {
    // An output of the model keeps the node of its name.
    assert_eq!(operators("swish_with_a_factor_of_one", "18"), "Sigmoid Mul Identity");
    assert_eq!(operators("factors_that_make_a_result_longer", "18"), "Mul Add");
}

#[test]
fn what_repeats_is_computed_once_and_joined_once() {
    let nodes = operators("repeated_nodes", "18");
    assert_eq!(nodes.matches("Relu").count(), 1, "{nodes}");
    assert_eq!(nodes.matches("ReduceSum").count(), 3, "{nodes}");
    assert_eq!(operators("nested_concatenations", "18").matches("Concat").count(), 2);
}

#[test]
fn only_the_last_shape_is_given() {
    let nodes = operators("shapes_one_after_another", "18");
    assert_eq!(nodes.matches("Reshape").count(), 1, "{nodes}");
}

#[test]
fn onnx_runtime_leaves_zeros_in_front_of_a_pooling_of_negative_numbers() {
    let operators = operators("pooling_of_zeros_around_images", "17");
    let count = |op: &str| operators.split(' ').filter(|found| *found == op).count();
    assert_eq!((count("MaxPool"), count("Pad"), count("Slice")), (3, 5, 2), "{operators}");
}
