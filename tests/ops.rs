//! Graphs of one op or pattern each, frozen by TensorFlow: their models compute what TensorFlow computed.
//!
//! The archives in `tests/fixtures` contain the graph, inputs and results of each case. The tests run most models;
//! their runtime lacks some ops and types, and `scripts/fixture_parity.py` runs the other models.

use std::collections::BTreeSet;
use std::path::Path;

use rten::{ModelOptions, Value};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use tempfile::TempDir;

use crate::support::command::tf2onnx_rs;
use crate::support::npy::Array;
use crate::support::op_cases::{Case, Files, cases, edges, of_archive};
use crate::support::settled;

/// What a case came to.
#[derive(PartialEq, Eq)]
enum Outcome {
    Same,
    /// The model was made, but is nothing for the runtime of these tests.
    NotExecuted,
    Wrong(String),
}

/// The cases that the runtime of these tests computes otherwise than ONNX says: its sign of 0 is 1, and its Cast
/// from a number to a truth leaves a 2 as it is, and makes a fraction false. It holds int64 in 32 bits, and suppresses boxes that only
/// touch, or whose corners are in another order, otherwise. Of equal elements, its ArgMax takes the last one. It ignores the lengths of
/// sequences, and computes float64 in float32. ONNX Runtime executes them right.
const OTHERWISE: &[&str] = &[
    "Betainc_float32.0",
    "Igamma_float32.0",
    "Igammac_float32.0",
    "clip_large.0",
    "combined_suppression_limits",
    "combined_suppression_of_more_boxes_than_there_are",
    "combined_suppression_padded_by_class",
    "cudnn_gru_batch_first.0",
    "cudnn_gru_lengths.0",
    "cudnn_lstm_batch_first.0",
    "cudnn_lstm_lengths.0",
    "cudnn_rnn_relu_batch_first.0",
    "cudnn_rnn_relu_lengths.0",
    "cudnn_rnn_tanh_batch_first.0",
    "cudnn_rnn_tanh_lengths.0",
    "dense_bincount.0",
    "dense_bincount.2",
    "edit_distance_of_large_numbers.0",
    "gradient_of_dilation_filter_2_1_same_special.closed.0",
    "log_determinant_singular_float32.0",
    "lstm_both_ways.v1.0",
    "lstm_both_ways.v2.0",
    "lstm_padded.v1.0",
    "lstm_padded.v1.1",
    "lstm_padded.v1.2",
    "lstm_padded.v2.0",
    "lstm_padded.v2.1",
    "lstm_padded.v2.2",
    "lstm_padded_given_states.v1.0",
    "lstm_padded_given_states.v2.0",
    "lstm_padded_int64.v1.0",
    "lstm_padded_int64.v2.0",
    "non_max_suppression_0.0.0",
    "non_max_suppression_flipped.0",
    "non_max_suppression_with_overlaps",
    "sign.0",
    "tensor_diag_part_of_an_unknown_rank",
    "to_bool_of_a_scalar",
    "xla_reduce_largest_of_large.closed.0",
    "xla_reduce_largest_of_large.open.0",
    "xla_reduce_smallest_of_large.closed.0",
    "xla_reduce_smallest_of_large.open.0",
];

/// How many cases the runtime of these tests executes, at least.
const EXECUTED: usize = 480;

/// The cases at the edges that the runtime of these tests computes otherwise than ONNX says: its integers and floats have 32 bits,
/// and its Cast from a number to a truth leaves a 2 as it is.
const EDGES_OTHERWISE: &[&str] = &[
    "cepstrum_at_the_end_of_a_filter",
    "dense_bincount_by_occurrence",
    "max_pool_beyond_int32",
    "maximum_beyond_int32",
    "minimum_beyond_int32",
];

/// How many cases at the edges the runtime of these tests executes, at least.
const EDGES_EXECUTED: usize = 20;

/// An array as the runtime takes it, which has int32 for all integers of that size and above and for truth.
fn value(array: &Array) -> Option<Value> {
    let shape = &array.shape[..];
    let numbers = array.values.iter();
    Some(match array.descr.as_str() {
        "<f4" => Tensor::from_data(shape, numbers.map(|&x| x as f32).collect::<Vec<_>>()).into(),
        "<i8" | "<i4" | "|b1" => {
            Tensor::from_data(shape, numbers.map(|&x| x as i32).collect::<Vec<_>>()).into()
        }
        "|u1" => Tensor::from_data(shape, numbers.map(|&x| x as u8).collect::<Vec<_>>()).into(),
        "|i1" => Tensor::from_data(shape, numbers.map(|&x| x as i8).collect::<Vec<_>>()).into(),
        _ => return None,
    })
}

fn array(value: Value) -> Option<(Vec<usize>, Vec<f64>)> {
    macro_rules! numbers {
        ($tensor:expr) => {
            Some(($tensor.shape().to_vec(), $tensor.iter().map(|&x| x as f64).collect()))
        };
    }
    match value {
        Value::FloatTensor(tensor) => numbers!(tensor),
        Value::Int32Tensor(tensor) => numbers!(tensor),
        Value::UInt8Tensor(tensor) => numbers!(tensor),
        Value::Int8Tensor(tensor) => numbers!(tensor),
        _ => None,
    }
}

fn check(files: &Files, folder: &Path, opset: &str) -> Result<Outcome, String> {
    let case = Case::of(files);
    let (graph, model) = (folder.join("graph.pb"), folder.join("model.onnx"));
    settled::write(&graph, &files["graph.pb"]);
    let mut args =
        vec!["convert".to_owned(), graph.to_str().unwrap().to_owned(), model.to_str().unwrap().to_owned()];
    let mut list = |option: &str, names: &[String]| {
        if !names.is_empty() {
            args.extend([option.to_owned(), names.join(",")]);
        }
    };
    // Some ops need a later operator set.
    list("--opset", &[opset.parse().map_or(case.opset, |opset: i64| opset.max(case.opset)).to_string()]);
    list("--outputs", &case.outputs);
    list("--inputs", &case.inputs);
    list("--inputs-as-nchw", &case.inputs_as_nchw);
    list("--use-default", &case.use_default);
    let done = tf2onnx_rs(&args);
    if done.status != 0 {
        return Err(done.stderr);
    }
    let Some((inputs, expected)) = case.arrays(files) else { return Ok(Outcome::NotExecuted) };
    let inputs: Vec<_> = case.inputs.iter().zip(inputs).collect();
    let Some(outputs) = executed(&model, &inputs, &case.outputs) else { return Ok(Outcome::NotExecuted) };
    for ((shape, values), expected) in outputs.iter().zip(&expected) {
        if let Some(difference) = case.difference(expected, shape, values) {
            return Ok(Outcome::Wrong(difference));
        }
    }
    Ok(Outcome::Same)
}

/// What the model computes, where the runtime of these tests can execute it.
fn executed(
    model: &Path,
    inputs: &[(&String, Array)],
    outputs: &[String],
) -> Option<Vec<(Vec<usize>, Vec<f64>)>> {
    let model = ModelOptions::with_all_ops().load_file(model).ok()?;
    let mut values = vec![];
    for (name, array) in inputs {
        if let Ok(id) = model.node_id(name) {
            values.push((id, value(array)?.into()));
        }
    }
    let outputs: Vec<_> = outputs.iter().map(|name| model.node_id(name).ok()).collect::<Option<_>>()?;
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| model.run(values, &outputs, None)));
    run.ok()?.ok()?.into_iter().map(array).collect()
}

/// At the edges, the runtime of these tests computes many itself otherwise than ONNX says; `scripts/fixture_parity.py` executes
/// all with ONNX Runtime.
#[test]
fn ops_are_converted_at_their_edges_and_most_compute_what_tensorflow_computes() {
    let folder = TempDir::new().unwrap();
    let (mut left, mut wrong, mut executed) = (vec![], vec![], 0);
    let cases = edges();
    for (name, files) in &cases {
        match check(files, folder.path(), "18") {
            Ok(Outcome::Same) => executed += 1,
            Ok(Outcome::NotExecuted) => left.push(name.as_str()),
            Ok(Outcome::Wrong(_)) if EDGES_OTHERWISE.contains(&name.as_str()) => left.push(name),
            Ok(Outcome::Wrong(difference)) => wrong.push(format!("{name}: {difference}")),
            Err(message) => wrong.push(format!("{name}: {message}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(executed >= EDGES_EXECUTED, "{executed} executed; not executed: {}", left.join(" "));
}

#[test]
fn ops_compute_what_tensorflow_computes() {
    let folder = TempDir::new().unwrap();
    let (mut refused, mut wrong, mut executed, mut left) = (BTreeSet::new(), vec![], 0, vec![]);
    let cases = cases();
    for (name, files) in &cases {
        match check(files, folder.path(), "18") {
            Ok(Outcome::Same) => executed += 1,
            Ok(Outcome::NotExecuted) => left.push(name.as_str()),
            Ok(Outcome::Wrong(_)) if OTHERWISE.contains(&name.as_str()) => left.push(name),
            Ok(Outcome::Wrong(difference)) => wrong.push(format!("{name}: {difference}")),
            Err(message) => {
                assert!(message.starts_with("error: ") && message.lines().count() == 1, "{name}: {message}");
                refused.insert(name.rsplit_once('.').map_or(name.as_str(), |(name, _)| name).to_owned());
            }
        }
    }
    println!("{executed} executed; not executed: {}", left.join(" "));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused.is_empty(), "{refused:?}");
    assert!(executed >= EXECUTED, "{executed} executed; not executed: {}", left.join(" "));
}

/// Older sets have other forms of many operators, and lack some.
#[test]
fn ops_compute_the_same_in_older_operator_sets() {
    let folder = TempDir::new().unwrap();
    let (mut wrong, mut executed) = (vec![], 0);
    for (name, files) in of_archive("types.zip").iter().filter(|(name, _)| name.ends_with("_int32")) {
        for opset in ["11", "12", "13", "15", "17"] {
            match check(files, folder.path(), opset) {
                Ok(Outcome::Same) => executed += 1,
                Ok(Outcome::NotExecuted) => {}
                Ok(Outcome::Wrong(difference)) => wrong.push(format!("{name} at {opset}: {difference}")),
                Err(message) => wrong.push(format!("{name} at {opset}: {message}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(executed >= 100, "{executed} executed");
}
