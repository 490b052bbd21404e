//! Small graphs that describe large ones: functions that call each other, nodes with many outputs, constants of repeated elements
//! constants that are computed from constants, and matrices that an op needs. Each is converted with little memory, or refused with the limit that it exceeds.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::command::{convert, fails};
use crate::support::network_cases::Case;

/// A node of a graph or of a function, in text form.
fn node(of: &str, name: &str, op: &str, inputs: &[&str], attributes: &str) -> String {
    let inputs: String = inputs.iter().map(|input| format!(" input: \"{input}\"")).collect();
    format!("{of} {{ name: \"{name}\" op: \"{op}\"{inputs} {attributes} }}\n")
}

fn attribute(key: &str, value: &str) -> String {
    format!("attr {{ key: \"{key}\" value {{ {value} }} }} ")
}

fn float() -> String {
    attribute("T", "type: DT_FLOAT")
}

fn placeholder(name: &str, dtype: &str, dims: &[usize]) -> String {
    let dims: String = dims.iter().map(|dim| format!(" dim {{ size: {dim} }}")).collect();
    let attributes =
        attribute("dtype", &format!("type: {dtype}")) + &attribute("shape", &format!("shape {{{dims} }}"));
    node("node", name, "Placeholder", &[], &attributes)
}

fn constant(name: &str, dtype: &str, dims: &[usize], value: &str) -> String {
    let dims: String = dims.iter().map(|dim| format!(" dim {{ size: {dim} }}")).collect();
    let tensor = format!("tensor {{ dtype: {dtype} tensor_shape {{{dims} }} {value} }}");
    let attributes = attribute("dtype", &format!("type: {dtype}")) + &attribute("value", &tensor);
    node("node", name, "Const", &[], &attributes)
}

/// A graph in a folder of its own, and where its model goes.
fn graph(text: &str) -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let paths = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&paths[0], text).unwrap();
    let [graph, model] = paths;
    (folder, graph, model)
}

fn refused(text: &str, options: &[&str]) -> String {
    let (_folder, graph, model) = graph(text);
    let error = fails(&[&["convert", graph.to_str().unwrap(), model.to_str().unwrap()], options].concat());
    assert!(!model.exists());
    error
}

/// A function that negates its argument by calling the next one so often, or, in the last, by an op.
fn function(level: usize, levels: usize, calls: usize) -> String {
    let mut nodes = String::new();
    let mut result = "x".to_owned();
    for call in 0..calls {
        let name = format!("call{call}");
        if level == levels {
            nodes += &node("node_def", &name, "Neg", &[&result], &float());
            result = format!("{name}:y:0");
        } else {
            let callee = format!("f{}", level + 1);
            nodes += &node("node_def", &name, "PartitionedCall", &[&result], &call_attributes(&callee));
            result = format!("{name}:output:0");
        }
    }
    let signature = format!(
        "signature {{ name: \"f{level}\" input_arg {{ name: \"x\" type: DT_FLOAT }} output_arg {{ name: \"y\" type: DT_FLOAT }} }}"
    );
    format!("function {{ {signature} {nodes} ret {{ key: \"y\" value: \"{result}\" }} }}\n")
}

fn call_attributes(function: &str) -> String {
    let types = "list { type: DT_FLOAT }";
    attribute("f", &format!("func {{ name: \"{function}\" }}"))
        + &attribute("Tin", types)
        + &attribute("Tout", types)
}

/// Functions on so many levels, each of which calls the next one so often.
fn nested_calls(levels: usize, calls: usize) -> String {
    let functions: String = (0..=levels).map(|level| function(level, levels, calls)).collect();
    placeholder("x", "DT_FLOAT", &[2])
        + &node("node", "call", "PartitionedCall", &["x"], &call_attributes("f0"))
        + &node("node", "y", "Identity", &["call"], &float())
        + &format!("library {{ {functions} }}\n")
}

#[test]
fn functions_that_call_each_other_ten_times_each_are_refused_with_the_limit() {
    let error = refused(&nested_calls(9, 10), &[]);
    for part in ["graph.pbtxt", "function \"f", "the limit is 250000", "--limit nodes="] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_limit_is_lowered_and_raised_by_an_option() {
    let text = nested_calls(2, 3);
    let error = refused(&text, &["--limit", "nodes=50"]);
    assert!(error.contains("the limit is 50"), "{error}");
    let (_folder, graph, model) = graph(&text);
    convert(&graph, &model, &["--limit", "nodes=100000", "--limit", "constants=0"]);
    let error = refused(&text, &["--limit", "depth=3"]);
    assert!(error.contains("--limit depth=3") && error.contains("nodes=N"), "{error}");
}

#[test]
fn branches_within_branches_are_refused_with_the_limit() {
    let (mut functions, levels) = (String::new(), 14);
    for level in 0..=levels {
        let callee = format!("func {{ name: \"f{}\" }}", level + 1);
        let attributes = attribute("then_branch", &callee)
            + &attribute("else_branch", &callee)
            + &attribute("Tcond", "type: DT_BOOL")
            + &attribute("Tin", "list { type: DT_BOOL type: DT_FLOAT }")
            + &attribute("Tout", "list { type: DT_FLOAT }");
        let (body, result) = match level == levels {
            true => (node("node_def", "y", "Neg", &["x"], &float()), "y:y:0"),
            false => (node("node_def", "y", "StatelessIf", &["p", "p", "x"], &attributes), "y:output:0"),
        };
        functions += &format!(
            "function {{ signature {{ name: \"f{level}\" input_arg {{ name: \"p\" type: DT_BOOL }} \
             input_arg {{ name: \"x\" type: DT_FLOAT }} output_arg {{ name: \"y\" type: DT_FLOAT }} }} {body} \
             ret {{ key: \"y\" value: \"{result}\" }} }}\n"
        );
    }
    let attributes = attribute("f", "func { name: \"f0\" }")
        + &attribute("Tin", "list { type: DT_BOOL type: DT_FLOAT }")
        + &attribute("Tout", "list { type: DT_FLOAT }");
    let text = placeholder("p", "DT_BOOL", &[])
        + &placeholder("x", "DT_FLOAT", &[2])
        + &node("node", "call", "PartitionedCall", &["p", "x"], &attributes)
        + &node("node", "out", "Identity", &["call"], &float())
        + &format!("library {{ {functions} }}\n");
    let error = refused(&text, &["--limit", "nodes=5000"]);
    assert!(error.contains("the limit is 5000") && error.contains("--limit nodes="), "{error}");
}

#[test]
fn a_node_with_more_outputs_than_the_limit_is_refused() {
    let unpack = |count: usize| {
        let attributes = float() + &attribute("num", &format!("i: {count}")) + &attribute("axis", "i: 0");
        placeholder("x", "DT_FLOAT", &[count])
            + &node("node", "parts", "Unpack", &["x"], &attributes)
            + &node("node", "y", "Neg", &["parts:5"], &float())
    };
    let error = refused(&unpack(2_000_000_000), &[]);
    assert!(error.contains("Unpack \"parts\"") && error.contains("--limit outputs="), "{error}");
    let (_folder, graph, model) = graph(&unpack(2_000));
    convert(&graph, &model, &[]);
}

#[test]
fn constants_that_are_computed_from_constants_are_refused_with_the_limit() {
    let mut text =
        placeholder("x", "DT_FLOAT", &[60_000]) + &constant("c", "DT_FLOAT", &[60_000], "float_val: 1.5");
    let mut last = "c".to_owned();
    for index in 0..20 {
        let name = format!("sum{index}");
        text += &node("node", &name, "AddV2", &[&last, "c"], &float());
        last = name;
    }
    text += &node("node", "y", "AddV2", &["x", &last], &float());
    let error = refused(&text, &["--limit", "constants=2000000"]);
    assert!(error.contains("AddV2 \"sum8\"") && error.contains("--limit constants="), "{error}");
    let (_folder, graph, model) = graph(&text);
    convert(&graph, &model, &[]);
}

#[test]
fn crops_and_transforms_whose_tables_exceed_the_limit_are_refused() {
    let text = placeholder("x", "DT_FLOAT", &[1, 8, 8, 3])
        + &placeholder("boxes", "DT_FLOAT", &[2, 4])
        + &placeholder("indices", "DT_INT32", &[2])
        + &constant("size", "DT_INT32", &[2], "int_val: 50000000 int_val: 1")
        + &node("node", "y", "CropAndResize", &["x", "boxes", "indices", "size"], &float());
    let error = refused(&text, &[]);
    assert!(error.contains("CropAndResize \"y\"") && error.contains("--limit constants="), "{error}");
}

#[test]
fn transforms_of_the_same_size_share_their_tables() {
    let types = attribute("Treal", "type: DT_FLOAT") + &attribute("Tcomplex", "type: DT_COMPLEX64");
    let to_real = attribute("T", "type: DT_COMPLEX64") + &attribute("Tout", "type: DT_FLOAT");
    let mut text = constant("length", "DT_INT32", &[1], "int_val: 1024");
    for index in 0..60 {
        let [x, frequencies, y] = ["x", "frequencies", "y"].map(|name| format!("{name}{index}"));
        text += &placeholder(&x, "DT_FLOAT", &[2, 1024]);
        text += &node("node", &frequencies, "RFFT", &[&x, "length"], &types);
        text += &node("node", &y, "ComplexAbs", &[&frequencies], &to_real);
    }
    let (_folder, graph, model) = graph(&text);
    convert(&graph, &model, &[]);
    let tables = 2 * 1024 * 513 * 4;
    let bytes = fs::metadata(model).unwrap().len();
    assert!((tables..tables + 200_000).contains(&bytes), "{bytes}");
}

#[test]
fn a_constant_of_one_repeated_element_is_written() {
    let text = placeholder("x", "DT_FLOAT", &[1_000_000])
        + &constant("c", "DT_FLOAT", &[1_000_000], "float_val: 3 float_val: 1.5")
        + &node("node", "y", "AddV2", &["x", "c"], &float());
    let (_folder, graph, model) = graph(&text);
    convert(&graph, &model, &[]);
    let bytes = fs::read(model).unwrap();
    let start = bytes.windows(8).position(|window| window == [3.0_f32, 1.5].map(f32::to_le_bytes).concat());
    let elements = &bytes[start.unwrap()..][..4_000_000];
    assert!(elements[4..].as_chunks::<4>().0.iter().all(|&element| f32::from_le_bytes(element) == 1.5));
}

/// Constants of several megabytes that an op of a few bytes needs: `bytes` are those of the model.
#[cfg(unix)]
fn converts_in_little_memory(text: &str, bytes: u64) {
    let (_folder, graph, model) = graph(text);
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -d 100000; exec \"$0\" convert --quiet \"$@\"",
            env!("CARGO_BIN_EXE_tf2onnx-rs"),
        ])
        .args([&graph, &model])
        .env("RAYON_NUM_THREADS", "2")
        .status()
        .unwrap();
    assert!(status.success());
    let written = fs::metadata(model).unwrap().len();
    assert!((bytes..bytes + 10_000).contains(&written), "{written}");
}

#[test]
#[cfg(unix)]
fn the_places_of_diagonals_are_not_held_in_memory() {
    let diagonal = placeholder("x", "DT_FLOAT", &[4096]);
    let elements = 4096 * 4096;
    converts_in_little_memory(
        &(diagonal.clone() + &node("node", "y", "MatrixDiag", &["x"], &float())),
        9 * elements,
    );
    let matrices = placeholder("m", "DT_FLOAT", &[4096, 4096]);
    let set = node("node", "y", "MatrixSetDiag", &["m", "x"], &float());
    converts_in_little_memory(&(diagonal + &matrices + &set), 9 * elements);
}

#[test]
#[cfg(unix)]
fn the_waves_of_transforms_are_not_held_in_memory() {
    let complex = attribute("Tcomplex", "type: DT_COMPLEX64");
    let parts = attribute("T", "type: DT_COMPLEX64") + &attribute("Tout", "type: DT_FLOAT");
    let text = placeholder("x", "DT_COMPLEX64", &[4096])
        + &node("node", "frequencies", "FFT", &["x"], &complex)
        + &node("node", "y", "Real", &["frequencies"], &parts);
    converts_in_little_memory(&text, 2 * 4 * 4096 * 4096);
}

#[test]
fn constants_that_repeat_an_element_more_often_than_the_limit_are_refused() {
    let repeated = |count: usize| {
        placeholder("x", "DT_FLOAT", &[count])
            + &constant("a", "DT_FLOAT", &[count], "float_val: 1")
            + &constant("b", "DT_FLOAT", &[count], "float_val: 2 float_val: 3")
            + &node("node", "sum", "AddV2", &["x", "a"], &float())
            + &node("node", "y", "AddV2", &["sum", "b"], &float())
    };
    let error = refused(&repeated(1 << 28), &[]);
    assert!(error.contains("graph.pbtxt") && error.contains("constant \"a:0\""), "{error}");
    assert!(error.contains("repeat an element") && error.contains("--limit constants="), "{error}");
    // The second one alone is within the limit.
    let error = refused(&repeated(1000), &["--limit", "constants=7999"]);
    assert!(error.contains("constant \"b:0\"") && error.contains("8000 bytes"), "{error}");
    let (_folder, graph, model) = graph(&repeated(1000));
    convert(&graph, &model, &["--limit", "constants=8000"]);
}

#[test]
fn a_number_of_layers_in_a_configuration_is_refused_with_the_limit() {
    let mut case = Case::load("transformers/cases.zip", "albert");
    let folder = TempDir::new().unwrap();
    let (checkpoint, model) = (case.write(folder.path()), folder.path().join("model.onnx"));
    let paths = [checkpoint.to_str().unwrap(), model.to_str().unwrap()];
    let error = fails(&["convert", paths[0], paths[1], "--limit", "nodes=100"]);
    assert!(error.contains("the network has 101 nodes, and the limit is 100"), "{error}");
    let config = case.files.get_mut("albert_config.json").unwrap();
    config["num_hidden_layers"] = 1_000_000_000.into();
    case.write(folder.path());
    let error = fails(&["convert", paths[0], paths[1]]);
    assert!(error.contains("num_hidden_layers: it is 1000000000, and the most is 500"), "{error}");
    assert!(!model.exists());
}

#[test]
fn messages_in_messages_are_read_to_a_depth() {
    let text = "node { name: \"a\" op: \"Neg\" ".to_owned()
        + &"attr { key: \"f\" value { func { name: \"f\" ".repeat(20_000);
    let error = refused(&text, &[]);
    assert!(error.contains("its messages are nested more than 100 deep"), "{error}");
}

#[test]
fn axes_that_repeat_an_element_without_measure_are_not_read() {
    let text = placeholder("x", "DT_FLOAT", &[2, 3])
        + &constant("axes", "DT_INT32", &[1 << 28], "int_val: 1")
        + &node("node", "y", "Transpose", &["x", "axes"], &(float() + &attribute("Tperm", "type: DT_INT32")));
    let error = refused(&text, &[]);
    assert!(
        error.contains("Transpose \"y\": constant: it repeats an element to 268435456 numbers"),
        "{error}"
    );
}
