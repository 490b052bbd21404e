//! Graphs of one op or pattern each, frozen by TensorFlow: their models compute what TensorFlow computed.
//!
//! `tests/fixtures/ops.zip` holds for each the graph, what went in and what came out. Most models are executed here;
//! the runtime of these tests lacks some ops and types, and `scripts/fixture_parity.py` executes the others.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use rten::{ModelOptions, Value};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use support::command::tf2onnx_rs;
use support::npy::{self, Array};
use tempfile::TempDir;

#[derive(serde::Deserialize)]
struct Case {
    inputs: Vec<String>,
    outputs: Vec<String>,
    rtol: f64,
    atol: f64,
    /// Greater values count as equal to it, and so do lesser ones than its negative.
    mtol: Option<f64>,
    check_value: bool,
    check_shape: bool,
    #[serde(default)]
    inputs_as_nchw: Vec<String>,
    #[serde(default)]
    use_default: Vec<String>,
}

/// What a case came to.
#[derive(PartialEq, Eq)]
enum Outcome {
    Same,
    /// The model was made, but is nothing for the runtime of these tests.
    NotExecuted,
    Wrong(String),
}

/// The cases that cannot be converted, which the error says.
const REFUSED: &[&str] = &[
    "ctc_greedy_decoder",
    "ctc_greedy_decoder_merge_repeated",
    "inverse_1",
    "rfft2d_ops",
    "sample_distorted_bounding_box_v2",
    "set_difference",
    "set_intersection",
    "set_union",
    "sparse_fill_empty_rows",
    "sparse_reshape",
];

/// The cases that the runtime of these tests computes otherwise than ONNX says: its sign of 0 is 1, and its Cast
/// from a number to a truth leaves a 2 as it is. ONNX Runtime executes them right.
const OTHERWISE: &[&str] = &["dense_bincount.0", "dense_bincount.2", "sign.0"];

/// How many cases the runtime of these tests executes, at least.
const EXECUTED: usize = 285;

fn files() -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ops.zip");
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut cases: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let (case, name) =
            file.name().unwrap().split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).unwrap();
        cases.entry(case).or_default().insert(name, bytes);
    }
    cases
}

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

fn differences(case: &Case, expected: &Array, shape: &[usize], values: &[f64]) -> Option<String> {
    if case.check_shape && shape != expected.shape {
        return Some(format!("shape {shape:?}, TensorFlow has {:?}", expected.shape));
    }
    if !case.check_value {
        return None;
    }
    if values.len() != expected.values.len() {
        return Some(format!("{} elements, TensorFlow has {}", values.len(), expected.values.len()));
    }
    let held = |value: f64| case.mtol.map_or(value, |most| value.clamp(-most, most));
    let pairs = values.iter().zip(&expected.values).map(|(&got, &expected)| (held(got), held(expected)));
    let is_far = |&(got, expected): &(f64, f64)| {
        let is_same = got == expected || got.is_nan() && expected.is_nan();
        let difference = (got - expected).abs();
        !is_same && (difference.is_nan() || difference > case.atol + case.rtol * expected.abs())
    };
    pairs.clone().find(is_far).map(|(got, expected)| format!("{got}, TensorFlow has {expected}"))
}

fn check(files: &BTreeMap<String, Vec<u8>>, folder: &Path) -> Result<Outcome, String> {
    let case: Case = serde_json::from_slice(&files["case.json"]).unwrap();
    let (graph, model) = (folder.join("graph.pb"), folder.join("model.onnx"));
    fs::write(&graph, &files["graph.pb"]).unwrap();
    let mut args =
        vec!["convert".to_owned(), graph.to_str().unwrap().to_owned(), model.to_str().unwrap().to_owned()];
    let mut list = |option: &str, names: &[String]| {
        if !names.is_empty() {
            args.extend([option.to_owned(), names.join(",")]);
        }
    };
    list("--opset", &["18".to_owned()]);
    list("--outputs", &case.outputs);
    list("--inputs", &case.inputs);
    list("--inputs-as-nchw", &case.inputs_as_nchw);
    list("--use-default", &case.use_default);
    let done = tf2onnx_rs(&args);
    if done.status != 0 {
        return Err(done.stderr);
    }
    let arrays = |kind: char, count: usize| -> Option<Vec<Array>> {
        (0..count).map(|index| npy::parse(&files[&format!("{kind}{index}.npy")])).collect()
    };
    let arrays = arrays('i', case.inputs.len()).zip(arrays('o', case.outputs.len()));
    let Some((inputs, expected)) = arrays else { return Ok(Outcome::NotExecuted) };
    let inputs: Vec<_> = case.inputs.iter().zip(inputs).collect();
    let Some(outputs) = executed(&model, &inputs, &case.outputs) else { return Ok(Outcome::NotExecuted) };
    for ((shape, values), expected) in outputs.iter().zip(&expected) {
        if let Some(difference) = differences(&case, expected, shape, values) {
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

#[test]
fn ops_compute_what_tensorflow_computes() {
    let folder = TempDir::new().unwrap();
    let (mut refused, mut wrong, mut executed, mut left) = (BTreeSet::new(), vec![], 0, vec![]);
    let cases = files();
    for (name, files) in &cases {
        match check(files, folder.path()) {
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
    let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
    assert_eq!(refused, REFUSED);
    assert!(executed >= EXECUTED, "{executed} executed; not executed: {}", left.join(" "));
}
