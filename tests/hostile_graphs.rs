//! Graphs that contradict themselves, or say less than most: each is converted or refused with a sentence.

use std::fs;

use tempfile::TempDir;

use crate::support::command::{convert, fails};
use crate::support::graph_text::node;
use crate::support::onnx::{execute, execute_all};

const FLOAT: (&str, &str) = ("T", "type: DT_FLOAT");
const ANY_RANK: &str = "unknown_rank: true";

fn shape(dims: &[i64]) -> String {
    dims.iter().map(|dim| format!("dim {{ size: {dim} }} ")).collect()
}

fn placeholder(name: &str, dtype: &str, shape: &str) -> String {
    let (dtype, shape) = (format!("type: {dtype}"), format!("shape {{ {shape} }}"));
    node(name, "Placeholder", &[], &[("dtype", dtype.as_str()), ("shape", shape.as_str())])
}

fn constant(name: &str, dims: &[i64], value: f32) -> String {
    let tensor =
        format!("tensor {{ dtype: DT_FLOAT tensor_shape {{ {} }} float_val: {value} }}", shape(dims));
    node(name, "Const", &[], &[("dtype", "type: DT_FLOAT"), ("value", tensor.as_str())])
}

fn integers(name: &str, dims: &[i64], values: &[i32]) -> String {
    let values: String = values.iter().map(|value| format!(" int_val: {value}")).collect();
    let tensor = format!("tensor {{ dtype: DT_INT32 tensor_shape {{ {} }}{values} }}", shape(dims));
    node(name, "Const", &[], &[("dtype", "type: DT_INT32"), ("value", tensor.as_str())])
}

/// What the program says about a graph that it refuses; files stay as they are.
fn refused(nodes: &[String]) -> String {
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&graph, nodes.concat()).unwrap();
    fs::write(&model, "as before").unwrap();
    let said = fails(&["convert", graph.to_str().unwrap(), model.to_str().unwrap(), "--outputs", "y:0"]);
    assert!(!said.contains("internal error"), "{said}");
    assert_eq!(fs::read_to_string(&model).unwrap(), "as before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    said
}

fn conv(input: String, filter: String) -> [String; 3] {
    let window = [FLOAT, ("strides", "list { i: 1 i: 1 i: 1 i: 1 }"), ("padding", "s: \"VALID\"")];
    [input, filter, node("y", "Conv2D", &["x", "f"], &window)]
}

#[test]
fn tensors_of_unknown_rank_are_joined_along_an_axis_from_the_end() {
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    let concat = [FLOAT, ("N", "i: 2"), ("Tidx", "type: DT_INT32")];
    let nodes = [
        placeholder("x", "DT_FLOAT", ANY_RANK),
        constant("c", &[2, 3], 1.5),
        integers("axis", &[], &[-1]),
        node("y", "ConcatV2", &["x", "c", "axis"], &concat),
    ];
    fs::write(&graph, nodes.concat()).unwrap();
    convert(&graph, &model, &["--outputs", "y:0"]);
    let outputs = execute(&model, &[2, 1], vec![7.0, 8.0]);
    assert_eq!(outputs, [(vec![2, 4], vec![7.0, 1.5, 1.5, 1.5, 8.0, 1.5, 1.5, 1.5])]);
}

#[test]
fn filters_and_inputs_of_another_rank_are_refused() {
    let images = || placeholder("x", "DT_FLOAT", &shape(&[-1, 8, 8, 3]));
    for dims in [&[][..], &[3], &[1, 1, 1, 3, 4]] {
        let said = refused(&conv(images(), constant("f", dims, 1.0)));
        assert!(said.contains("its filter"), "{said}");
        assert!(said.contains("does not have rank 4"), "{said}");
    }
    for dims in [&[3][..], &[1, 1, 1, 3, 4]] {
        let input = placeholder("x", "DT_FLOAT", &shape(dims));
        let said = refused(&conv(input, constant("f", &[1, 1, 3, 4], 1.0)));
        assert!(said.contains("its input"), "{said}");
        assert!(said.contains("does not have rank 4"), "{said}");
    }
    let bias = node("y", "BiasAdd", &["x", "f"], &[FLOAT]);
    let said = refused(&[placeholder("x", "DT_FLOAT", &shape(&[3])), constant("f", &[3], 1.0), bias]);
    assert!(said.contains("fewer than 2 axes"), "{said}");
}

#[test]
fn shapes_that_no_machine_can_hold_are_refused() {
    let relu = || node("y", "Relu", &["x"], &[FLOAT]);
    for dims in [&[-1, 1 << 40, 1 << 40][..], &[i64::MAX], &[1; 300]] {
        let said = refused(&[placeholder("x", "DT_FLOAT", &shape(dims)), relu()]);
        assert!(said.contains("larger than any machine's memory"), "{said}");
    }
    let said = refused(&[placeholder("x", "DT_FLOAT", &shape(&[2, -5])), relu()]);
    assert!(said.contains("an axis of length -5"), "{said}");
}

#[test]
fn bounds_of_a_slice_have_one_length() {
    let vector = |name: &str, length: i64| placeholder(name, "DT_INT32", &shape(&[length]));
    let types = [FLOAT, ("Index", "type: DT_INT32")];
    let slice = || node("y", "StridedSlice", &["x", "begin", "end", "strides"], &types);
    let input = || placeholder("x", "DT_FLOAT", &shape(&[4, 4, 4]));
    for [begin, end] in [[3, 2], [2, 1], [1 << 40, 1 << 40]] {
        let said = refused(&[
            input(),
            vector("begin", begin),
            vector("end", end),
            integers("strides", &[2], &[1, 1]),
            slice(),
        ]);
        assert!(said.contains("begins, ends and strides"), "{said}");
    }
}

#[test]
fn nodes_are_checked_against_the_definitions_of_their_ops() {
    let x = || placeholder("x", "DT_FLOAT", &shape(&[2, 2]));
    let float = ("T", "type: DT_FLOAT");
    let cases = [
        (node("y", "Relu", &["x"], &[]), "no attribute T"),
        (node("y", "Relu", &[], &[float]), "it has 0 inputs, and the op takes features"),
        (node("y", "Relu", &["x", "x"], &[float]), "it has 2 inputs, and the op takes features"),
        (node("y", "Relu", &["x:1"], &[float]), "reads output 1"),
        (node("y", "Relu", &["x"], &[("T", "type: DT_BOOL")]), "its attribute T is bool"),
        (node("y", "Relu", &["x"], &[("T", "i: 1")]), "its attribute T is a int"),
        (node("y", "AddN", &["x"], &[float, ("N", "i: -1")]), "its attribute N is -1"),
        (node("y", "AddN", &["x"], &[float, ("N", "i: 9223372036854775807")]), "it has 1 input"),
        (
            node("y", "Squeeze", &["x"], &[float, ("squeeze_dims", "list { f: 1 }")]),
            "its attribute squeeze_dims is a list(float)",
        ),
        (node("y", "IdentityN", &[], &[("T", "list { }")]), "its attribute T has the length 0"),
        (node("y", "tf2onnx-rs:Gelu", &["x"], &[]), "TensorFlow has no op tf2onnx-rs:Gelu"),
    ];
    for (node, problem) in cases {
        let said = refused(&[x(), node]);
        assert!(said.contains(problem), "{problem}: {said}");
    }
}

#[test]
fn numbers_that_tensorflows_kernels_do_not_read_are_refused() {
    const NUMBERS: [i64; 3] = [i64::MAX, i64::MIN, 1 << 31];
    for number in NUMBERS {
        let strides = format!("list {{ i: 1 i: {number} i: 1 i: 1 }}");
        let window = [FLOAT, ("strides", strides.as_str()), ("padding", "s: \"VALID\"")];
        let radius = format!("i: {number}");
        let images = placeholder("x", "DT_FLOAT", &shape(&[1, 9, 9, 1]));
        let sizes = integers("sizes", &[4], &[1, 9, 9, 1]);
        let filter = constant("f", &[2, 2, 1, 1], 1.0);
        let transposed = node("y", "Conv2DBackpropInput", &["sizes", "f", "x"], &window);
        let said = refused(&[images.clone(), sizes, filter, transposed]);
        assert!(said.contains("are not 4 positive numbers of 32 bits"), "{said}");
        let said = refused(&[images, node("y", "LRN", &["x"], &[FLOAT, ("depth_radius", radius.as_str())])]);
        assert!(said.contains("its depth_radius is"), "{said}");
    }
    let images = placeholder("x", "DT_FLOAT", &shape(&[1, 9, 9, 1]));
    let said = refused(&[images, node("y", "LRN", &["x"], &[FLOAT, ("alpha", "f: inf")])]);
    assert!(said.contains("its alpha is too large"), "{said}");
}

#[test]
fn windows_over_the_batch_and_paddings_of_the_channels_are_refused() {
    let images = placeholder("x", "DT_FLOAT", &shape(&[2, 9, 9, 1]));
    let ones = ("strides", "list { i: 1 i: 1 i: 1 i: 1 }");
    let valid = ("padding", "s: \"VALID\"");
    let batch = ("ksize", "list { i: 2 i: 1 i: 1 i: 1 }");
    let said = refused(&[images.clone(), node("y", "MaxPool", &["x"], &[FLOAT, batch, ones, valid])]);
    assert!(said.contains("its ksize [2, 1, 1, 1] are not 1 for the batch and the channels"), "{said}");
    let pads = ("explicit_paddings", "list { i: 0 i: 0 i: 1 i: 1 i: 1 i: 1 i: 0 i: 2 }");
    let padded = [FLOAT, ones, ("padding", "s: \"EXPLICIT\""), pads];
    let convolution = node("y", "Conv2D", &["x", "f"], &padded);
    let said = refused(&[images, constant("f", &[2, 2, 1, 1], 1.0), convolution]);
    assert!(said.contains("its explicit_paddings pad the batch or the channels"), "{said}");
}

#[test]
fn a_band_keeps_a_side_of_any_negative_number_of_diagonals() {
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    let least = format!("tensor {{ dtype: DT_INT64 tensor_shape {{ }} int64_val: {} }}", i64::MIN);
    let band = [FLOAT, ("Tindex", "type: DT_INT64")];
    let nodes = [
        placeholder("x", "DT_FLOAT", &shape(&[2, 2])),
        node("k", "Const", &[], &[("dtype", "type: DT_INT64"), ("value", least.as_str())]),
        node("y", "MatrixBandPart", &["x", "k", "k"], &band),
    ];
    fs::write(&graph, nodes.concat()).unwrap();
    convert(&graph, &model, &["--outputs", "y:0"]);
}

#[test]
fn the_handle_of_a_list_is_not_advised_as_an_input() {
    let element = ("element_dtype", "type: DT_FLOAT");
    let said = refused(&[
        integers("any", &[], &[-1]),
        integers("two", &[], &[2]),
        node("list", "TensorListReserve", &["any", "two"], &[element, ("shape_type", "type: DT_INT32")]),
        constant("none", &[0], 0.0).replace("DT_FLOAT", "DT_INT64"),
        node(
            "y",
            "TensorListConcatV2",
            &["list", "any", "none"],
            &[element, ("shape_type", "type: DT_INT32")],
        ),
    ]);
    assert!(said.contains("the lengths of the elements that it joins are not known"), "{said}");
    assert!(said.contains("let the model begin at a tensor after it, with --inputs"), "{said}");
    assert!(!said.contains("list:0"), "{said}");
}

/// TensorFlow's lists of unknown elements may hold an element of length 1 beside a longer one, which is no copy of it.
#[test]
fn an_element_of_unknown_rank_is_not_broadcast_to_the_shape_of_another() {
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    let element = ("element_dtype", "type: DT_FLOAT");
    let nodes = [
        placeholder("a", "DT_FLOAT", ANY_RANK),
        placeholder("b", "DT_FLOAT", ANY_RANK),
        integers("any", &[], &[-1]),
        integers("zero", &[], &[0]),
        integers("one", &[], &[1]),
        integers("two", &[], &[2]),
        node("list", "TensorListReserve", &["any", "two"], &[element, ("shape_type", "type: DT_INT32")]),
        node("first", "TensorListSetItem", &["list", "zero", "a"], &[element]),
        node("both", "TensorListSetItem", &["first", "one", "b"], &[element]),
        node("y", "TensorListGetItem", &["both", "zero", "any"], &[element]),
    ];
    fs::write(&graph, nodes.concat()).unwrap();
    convert(&graph, &model, &["--outputs", "y:0"]);
    let first_of = |a: &[f32], b: &[f32]| {
        let inputs = [a, b].map(|values| (vec![values.len()], values.to_vec()));
        std::panic::catch_unwind(|| execute_all(&model, &inputs))
    };
    assert_eq!(first_of(&[1.0, 2.0], &[3.0, 4.0]).unwrap(), [(vec![2], vec![1.0, 2.0])]);
    assert!(first_of(&[1.0], &[3.0, 4.0]).is_err(), "the first element is not [1, 1]");
}

#[test]
fn equations_that_no_tensors_have_are_refused() {
    for (equation, inputs, said) in [
        (format!("{}->a", "a".repeat(100_000)), 1, "a tensor has at most 254 axes"),
        (format!("a->{}", "1".repeat(100_000)), 1, "a tensor has at most 254 axes"),
        (
            format!("{}->a", ["a"; 20_000].join(",")),
            20_000,
            "it has 20000 inputs, and TensorFlow takes one or two",
        ),
    ] {
        let (equation, count) = (format!("s: \"{equation}\""), format!("i: {inputs}"));
        let attributes = [FLOAT, ("N", count.as_str()), ("equation", equation.as_str())];
        let nodes =
            [placeholder("x", "DT_FLOAT", ANY_RANK), node("y", "Einsum", &vec!["x"; inputs], &attributes)];
        let error = refused(&nodes);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_handle_of_a_table_is_no_input() {
    let attributes = [("key_dtype", "type: DT_INT64"), ("value_dtype", "type: DT_FLOAT")];
    let found = [("Tin", "type: DT_INT64"), ("Tout", "type: DT_FLOAT")];
    let error = refused(&[
        node("t", "MutableHashTableV2", &[], &attributes),
        placeholder("x", "DT_INT64", &shape(&[4])),
        placeholder("d", "DT_FLOAT", ""),
        node("found", "LookupTableFindV2", &["t", "x", "d"], &found),
        node("y", "Neg", &["found"], &[FLOAT]),
    ]);
    assert!(
        error.contains("MutableHashTableV2 (1 time: \"t\"; its contents are no part of the graph"),
        "{error}"
    );
    assert!(error.contains("--inputs found:0") && !error.contains("t:0,"), "{error}");
}
