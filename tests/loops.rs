//! Loops of TensorFlow 1: `convert --verify` evaluates them and their arrays, and outputs inside of them are not inferred.

use ndarray::ArrayD;
use tempfile::TempDir;
use tf2onnx_rs::tensor::Tensor;
use tf2onnx_rs::verify::save_arrays;

use crate::support::command::{convert, fails};
use crate::support::npy::Array;
use crate::support::op_cases::{Case, Files, cases};

fn tensor(array: &Array) -> Tensor {
    let elements = || array.values.iter();
    match array.descr.as_str() {
        "<i4" => {
            let integers = elements().map(|&x| x as i32).collect();
            Tensor::Int32(ArrayD::from_shape_vec(&array.shape[..], integers).unwrap())
        }
        _ => {
            let floats = elements().map(|&x| x as f32).collect();
            Tensor::Float32(ArrayD::from_shape_vec(&array.shape[..], floats).unwrap())
        }
    }
}

/// The summary of converting a case, with its inputs for the verification.
fn verified(files: &Files) -> String {
    let (case, folder) = (Case::of(files), TempDir::new().unwrap());
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("graph.pb"), &files["graph.pb"]).unwrap();
    let (inputs, _) = case.arrays(files).unwrap();
    let named: Vec<(String, Tensor)> = case.inputs.iter().cloned().zip(inputs.iter().map(tensor)).collect();
    save_arrays(&path("inputs.npz"), &named).unwrap();
    let (outputs, inputs) = (case.outputs.join(","), path("inputs.npz").to_str().unwrap().to_owned());
    let options = ["--outputs", &outputs, "--verify", "--verify-inputs", &inputs];
    convert(&path("graph.pb"), &path("model.onnx"), &options).stdout
}

#[test]
fn loops_and_their_arrays_are_verified_as_a_whole() {
    let cases = cases();
    let names = [
        "trips_of_the_outer_variable.2",
        "three_loops_deep.1",
        "nested_conditionals.1",
        "dynamic_size.1",
        "scattered_beyond_the_size.0",
        "written_in_some_iterations.0",
        "array_of_the_inner_loop.0",
        "two_arrays_from_one_loop_to_another_version_1.0",
        "written_in_some_iterations_version_2.0",
        "split_and_read.0",
        "map_of_several_optimized.0",
    ];
    for name in names {
        let summary = verified(&cases[name]);
        assert!(summary.contains("\nverified: "), "{name}: {summary}");
    }
}

#[test]
fn what_asserts_and_prints_read_inside_of_a_loop_is_not_an_output_and_a_note_names_them() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("graph.pb"), &cases()["assertions_and_prints.0"]["graph.pb"]).unwrap();
    let summary = convert(&path("graph.pb"), &path("model.onnx"), &[]).stdout;
    assert!(summary.contains("\noutputs output_0:0 float32 "), "{summary}");
    for note in ["2 checks (Assert) are left out: ", "1 print (Print) is left out: "] {
        assert_eq!(summary.matches(&format!("\nnote: {note}")).count(), 1, "{summary}");
    }
}

/// The error for a case in which one op is replaced by one that does not exist. If it names inputs, the graph can be converted with
/// them.
fn refused(name: &str, op: &str) -> String {
    let (files, folder) = (&cases()[name], TempDir::new().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [known, unknown] =
        [op, &"Z".repeat(op.len())].map(|op| [&[0x12, op.len() as u8], op.as_bytes()].concat());
    let mut graph = files["graph.pb"].clone();
    let places: Vec<usize> = (0..graph.len()).filter(|&at| graph[at..].starts_with(&known)).collect();
    assert!(!places.is_empty());
    for at in places {
        graph[at..at + known.len()].copy_from_slice(&unknown);
    }
    std::fs::write(path("graph.pb"), graph).unwrap();
    let outputs = Case::of(files).outputs.join(",");
    let error = fails(&["convert", &path("graph.pb"), &path("model.onnx"), "--outputs", &outputs]);
    if let Some((_, advice)) = error.split_once("start after them with --inputs ") {
        let (inputs, _) = advice.split_once(", or").unwrap();
        let options = ["--outputs", &outputs, "--inputs", inputs];
        convert(path("graph.pb").as_ref(), path("model.onnx").as_ref(), &options);
    }
    error
}

#[test]
fn advice_names_tensors_of_the_graph_after_a_loop_and_not_its_lists() {
    let error = refused("one_variable.0", "Mul");
    assert!(error.contains("start after them with --inputs while/Exit:0, or"), "{error}");
    let error = refused("unknown_element_shape.0", "MatMul");
    let expected = "start after them with --inputs TensorArrayStack/TensorArrayGatherV3:0, or";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_loop_over_the_input_is_started_after_and_not_stopped_before_at_the_number_of_its_iterations() {
    for (name, op) in [("nested_map.0", "Max"), ("map_of_several.0", "Sum")] {
        let error = refused(name, op);
        assert!(error.contains("start after them with --inputs map/TensorArrayStack"), "{name}: {error}");
    }
}
