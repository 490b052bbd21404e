//! Graphs of quantization-aware training: what is written as integers. `tests/ops.rs` and `scripts/fixture_parity.py` compare their
//! results with TensorFlow's.

use std::fs;

use onnx_protobuf::tensor_proto::DataType;
use tempfile::TempDir;

use crate::support::command::convert;
use crate::support::onnx::Model;
use crate::support::op_cases::{Case, of_archive};

/// The model of a case, and its size in bytes.
fn converted(name: &str, options: &[&str]) -> (Model, usize) {
    let (files, folder) = (&of_archive("quantization.zip")[name], TempDir::new().unwrap());
    let (graph, model) = (folder.path().join("graph.pb"), folder.path().join("model.onnx"));
    fs::write(&graph, &files["graph.pb"]).unwrap();
    let case = Case::of(files);
    let outputs = case.outputs.join(",");
    let inputs = case.inputs.join(",");
    convert(&graph, &model, &[&["--outputs", &outputs, "--inputs", &inputs], options].concat());
    (Model::load(&model), fs::read(&model).unwrap().len())
}

fn count(model: &Model, op: &str) -> usize {
    model.nodes(op).len()
}

#[test]
fn a_network_with_folded_batch_norms_computes_with_integers() {
    let (model, _) = converted("folded_batch_norms.0", &[]);
    // One before each convolution and one behind the last one; the weights have no QuantizeLinear.
    let ops =
        ["QuantizeLinear", "DequantizeLinear", "Conv", "Clip", "Mul", "Add"].map(|op| count(&model, op));
    assert_eq!(ops, [4, 7, 3, 3, 0, 0]);
    assert!(model.nodes("Conv").iter().all(|conv| conv.input.len() == 3), "the offsets are biases");
    let weights =
        model.nodes("DequantizeLinear").into_iter().filter(|node| node.input[0].ends_with("/quantized"));
    let bytes = weights.filter(|node| {
        let initializers = &model.proto().graph.initializer;
        let found = initializers.iter().find(|initializer| initializer.name == node.input[0]);
        found.is_some_and(|found| found.data_type == DataType::UINT8 as i32)
    });
    assert_eq!(bytes.count(), 3);
}

#[test]
fn weights_per_channel_have_the_axis_of_their_channels() {
    let (model, _) = converted("weights_per_channel.0", &[]);
    let axes = model.nodes("DequantizeLinear").into_iter().flat_map(|node| &node.attribute);
    assert_eq!(axes.map(|axis| (axis.name.as_str(), axis.i)).collect::<Vec<_>>(), [("axis", 0)]);
    // ONNX Runtime has no convolution of weights with several zeros.
    let (model, _) = converted("weights_per_channel_with_other_zeros.0", &[]);
    assert_eq!(count(&model, "DequantizeLinear") + count(&model, "QuantizeLinear"), 0);
}

#[test]
fn without_quantized_weights_rounding_is_arithmetic_unless_it_is_asked_for() {
    let quantized = |options: &[&str]| {
        let (model, _) = converted("fake_quant_vars_8.0", options);
        [count(&model, "QuantizeLinear"), count(&model, "Floor")]
    };
    assert_eq!(quantized(&[]), [0, 1]);
    assert_eq!(quantized(&["--quantization", "qdq"]), [1, 0]);
}

#[test]
fn weights_are_bytes_only_where_models_compute_with_integers() {
    let size = |form: &str| converted("quantized_product.0", &["--quantization", form]).1;
    assert!(2 * size("qdq") < size("float"));
    let (model, _) = converted("folded_batch_norms.0", &["--quantization", "float"]);
    assert_eq!(
        [count(&model, "QuantizeLinear"), count(&model, "Floor"), count(&model, "Transpose")],
        [0, 4, 2]
    );
    // The product of numbers and bytes is less exact in ONNX Runtime.
    let (model, _) = converted("product_with_quantized_weights.0", &[]);
    assert_eq!(count(&model, "DequantizeLinear"), 0);
    assert_eq!(count(&converted("quantized_product.0", &[]).0, "DequantizeLinear"), 2);
}
