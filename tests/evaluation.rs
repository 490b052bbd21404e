//! Evaluates graphs as `convert --verify` does, and compares the results with TensorFlow's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ndarray::ArrayD;
use tempfile::TempDir;
use tf2onnx_rs::convert::{ConvertOptions, convert};
use tf2onnx_rs::source::{OpenOptions, Source};
use tf2onnx_rs::tensor::Tensor;

use crate::support::checkpoints::{Format, filled, write};
use crate::support::fill;
use crate::support::npy::Array;
use crate::support::onnx::relative_error;
use crate::support::op_cases::{self, Files, cases};
use crate::support::zoo::Case;

/// The largest error allowed, relative to the largest logit.
const TOLERANCE: f32 = 2e-5;

/// How many graphs of the fixtures are evaluated, at least.
const EVALUATED: usize = 480;

fn tensor(array: &Array) -> Option<Tensor> {
    let numbers = array.values.iter();
    macro_rules! of {
        ($variant:ident, $convert:expr) => {
            Tensor::$variant(
                ArrayD::from_shape_vec(&array.shape[..], numbers.map($convert).collect()).unwrap(),
            )
        };
    }
    Some(match array.descr.as_str() {
        "<f4" => of!(Float32, |&x| x as f32),
        "<f8" => of!(Float64, |&x| x),
        "<i8" => of!(Int64, |&x| x as i64),
        "<i4" => of!(Int32, |&x| x as i32),
        "|u1" => of!(UInt8, |&x| x as u8),
        "|b1" => of!(Bool, |&x| x != 0.0),
        _ => return None,
    })
}

/// What became of a case: evaluated as TensorFlow did, or not, and why.
enum Outcome {
    Same,
    NotEvaluated(String),
    Wrong(String),
}

fn check(files: &Files, folder: &Path) -> Outcome {
    let case = op_cases::Case::of(files);
    let graph = folder.join("graph.pb");
    fs::write(&graph, &files["graph.pb"]).unwrap();
    let options = ConvertOptions {
        opset: 18,
        inputs: case.inputs.clone(),
        outputs: case.outputs.clone(),
        inputs_as_nchw: case.inputs_as_nchw.clone(),
        use_default: case.use_default.clone(),
        ..ConvertOptions::default()
    };
    let Some((inputs, expected)) = case.arrays(files) else {
        return Outcome::NotEvaluated("its arrays are no real numbers".to_owned());
    };
    let Some(inputs) = inputs.iter().map(tensor).collect::<Option<Vec<_>>>() else {
        return Outcome::NotEvaluated("its inputs are of other types".to_owned());
    };
    let inputs: Vec<(String, Tensor)> = case.inputs.iter().cloned().zip(inputs).collect();
    let evaluated = Source::open(&graph, &OpenOptions::default()).and_then(|source| {
        let conversion = convert(&source, &options)?;
        conversion.evaluate(&source, &inputs, &|_, _| {})
    });
    let outputs: BTreeMap<String, Tensor> = match evaluated {
        Ok(outputs) => outputs.into_iter().collect(),
        Err(error) => return Outcome::NotEvaluated(error.to_string()),
    };
    for (name, expected) in case.outputs.iter().zip(&expected) {
        let Some(got) = outputs.get(name) else { return Outcome::Wrong(format!("{name} is missing")) };
        let values: Vec<f64> = got.numbers().into_iter().collect();
        if let Some(difference) = case.difference(expected, got.shape(), &values) {
            return Outcome::Wrong(difference);
        }
    }
    Outcome::Same
}

#[test]
fn ops_are_evaluated_as_tensorflow_does() {
    let folder = TempDir::new().unwrap();
    let (mut same, mut left, mut wrong) = (0, vec![], vec![]);
    let (ops, edges) = (cases(), op_cases::edges());
    for (name, files) in ops.iter().chain(&edges) {
        match check(files, folder.path()) {
            Outcome::Same => same += 1,
            Outcome::NotEvaluated(why) => left.push(format!("{name}: {why}")),
            Outcome::Wrong(difference) => wrong.push(format!("{name}: {difference}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let left = left.join("\n");
    println!("{same} evaluated; not evaluated:\n{left}");
    assert!(same >= EVALUATED, "{same} evaluated; not evaluated:\n{left}");
}

/// Evaluates a network from its checkpoint and demands TensorFlow's logits.
fn evaluate(name: &str) {
    let case = Case::load(name);
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&case), Format::V2);
    let source = Source::open(&checkpoint, &OpenOptions::default()).unwrap();
    let size = case.image_size();
    let options = ConvertOptions {
        image_size: Some((size[0], size[1])),
        network: Some(case.network.as_str().into()),
        network_options: case.network_options(),
        ..ConvertOptions::default()
    };
    let conversion = convert(&source, &options).unwrap();
    let mut shape: Vec<usize> = case.input.shape.iter().map(|dim| dim.unwrap_or(1)).collect();
    shape[0] = case.input.batch;
    let image = ArrayD::from_shape_vec(&shape[..], fill::image(&shape)).unwrap();
    let inputs = vec![("input:0".to_owned(), Tensor::Float32(image))];
    let outputs = conversion.evaluate(&source, &inputs, &|_, _| {}).unwrap();
    let Tensor::Float32(logits) = &outputs[0].1 else { panic!("{name}: logits are float32") };
    let logits: Vec<f32> = logits.iter().copied().collect();
    let error = relative_error(&logits, &case.logits());
    println!("{name}: {error:e}");
    assert!(error <= TOLERANCE, "{name}: {error}");
}

#[test]
fn small_networks_are_evaluated_as_tensorflow_does() {
    let names = ["lenet", "cifarnet", "mobilenet_v1_025", "mobilenet_v2_half", "mobilenet_v3_small"];
    names.into_iter().chain(["nasnet_cifar", "inception_v3_tiny"]).for_each(evaluate);
}

#[test]
fn dilated_convolutions_are_evaluated_as_tensorflow_does() {
    evaluate("resnet_v1_50_stride16");
}

#[test]
fn videos_are_evaluated_as_tensorflow_does() {
    evaluate("s3dg");
}
