//! Graphs that TensorFlow does not load, because a node does not fit the definition of its op. They are refused, and the error
//! names the op and the node.

use std::fs;

use prost::Message;
use tempfile::TempDir;
use tf2onnx_rs::graph::import::import;
use tf2onnx_rs::graph::op_definition::declared_output_types;
use tf2onnx_rs::proto::{GraphDef, NodeDef};
use tf2onnx_rs::tensor::DType;

use crate::support::command::{fails, tf2onnx_rs};
use crate::support::graph_text::node;
use crate::support::onnx::Model;
use crate::support::op_cases::cases;

const FLOAT: (&str, &str) = ("T", "type: DT_FLOAT");

fn input(name: &str, dtype: &str, dims: &[i64]) -> String {
    let dims: String = dims.iter().map(|dim| format!(" dim {{ size: {dim} }}")).collect();
    let (dtype, shape) = (format!("type: {dtype}"), format!("shape {{{dims} }}"));
    node(name, "Placeholder", &[], &[("dtype", &dtype), ("shape", &shape)])
}

fn x() -> String {
    input("x", "DT_FLOAT", &[2, 3])
}

/// A constant of int32.
fn integers(name: &str, dims: &[i64], values: &[i64]) -> String {
    let dims: String = dims.iter().map(|dim| format!(" dim {{ size: {dim} }}")).collect();
    let values: String = values.iter().map(|value| format!(" int_val: {value}")).collect();
    let value = format!("tensor {{ dtype: DT_INT32 tensor_shape {{{dims} }}{values} }}");
    node(name, "Const", &[], &[("dtype", "type: DT_INT32"), ("value", &value)])
}

fn vector(name: &str, values: &[i64]) -> String {
    integers(name, &[values.len() as i64], values)
}

/// What is said of a graph whose output is the node `out`; no model is written.
fn error(nodes: &[String]) -> String {
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&graph, nodes.concat()).unwrap();
    let error = fails(&["convert", graph.to_str().unwrap(), model.to_str().unwrap(), "--outputs", "out:0"]);
    assert!(!model.exists());
    error
}

/// Says that a graph is refused, and in these words.
fn assert_refused(nodes: &[String], words: &[&str]) {
    let error = error(nodes);
    for words in words {
        assert!(error.contains(words), "\"{words}\" is not in: {error}");
    }
}

#[test]
fn two_nodes_of_one_name_are_refused_with_their_ops() {
    let weights = [vector("w", &[1, 2, 3]), vector("w", &[4, 5, 6])];
    let sum = node("out", "AddV2", &["i", "w"], &[("T", "type: DT_INT32")]);
    let i = input("i", "DT_INT32", &[3]);
    assert_refused(
        &[i.clone(), weights[0].clone(), weights[1].clone(), sum],
        &["\"w\": two nodes have this name: a Const and a Const", "TensorFlow"],
    );
    assert_refused(
        &[x(), node("out", "Relu", &["x"], &[FLOAT]), node("out", "Exp", &["x"], &[FLOAT])],
        &["\"out\": two nodes have this name: a Relu and an Exp"],
    );
}

#[test]
fn an_output_that_a_node_does_not_have_is_refused() {
    let relu = node("out", "Relu", &["x:7"], &[FLOAT]);
    assert_refused(
        &[x(), relu],
        &["Relu \"out\": it reads output 7 of Placeholder \"x\", which has 1 output"],
    );
    let split = node("s", "Split", &["a", "x"], &[FLOAT, ("num_split", "i: 2")]);
    assert_refused(
        &[x(), integers("a", &[], &[0]), split, node("out", "Relu", &["s:2"], &[FLOAT])],
        &["reads output 2 of Split \"s\", which has 2 outputs"],
    );
}

#[test]
fn a_wrong_number_of_inputs_is_refused() {
    for (inputs, count) in [(&["x"][..], "1 input"), (&["x", "x", "x"], "3 inputs")] {
        let sum = node("out", "AddV2", inputs, &[FLOAT]);
        assert_refused(&[x(), sum], &[&format!("AddV2 \"out\": it has {count}, and the op takes x, y")]);
    }
    let axis = integers("axis", &[], &[0]);
    let concat = node("out", "ConcatV2", &["x", "x", "axis"], &[FLOAT, ("N", "i: 3")]);
    assert_refused(&[x(), axis, concat], &["it has 3 inputs, and the op takes 3 values, axis"]);
    assert_refused(
        &[x(), node("out", "Placeholder", &["x"], &[("dtype", "type: DT_FLOAT")])],
        &["the op takes none"],
    );
}

#[test]
fn types_that_do_not_fit_are_refused() {
    let i = input("i", "DT_INT32", &[2, 3]);
    let sum = |attributes: &[(&str, &str)]| node("out", "AddV2", &["x", "i"], attributes);
    assert_refused(
        &[x(), i.clone(), sum(&[FLOAT])],
        &["AddV2 \"out\": its input y (\"i\") is int32, and its attribute T is float32"],
    );
    assert_refused(&[x(), i.clone(), sum(&[])], &["its input x, of the same type T, is float32"]);
    assert_refused(
        &[i.clone(), node("out", "Relu", &["i"], &[("T", "type: DT_STRING")])],
        &["its attribute T is string, and the op takes float32, "],
    );
    let long = format!("s: \"{}\"", "y".repeat(10_000));
    assert_refused(
        &[x(), node("out", "BiasAdd", &["x", "x"], &[FLOAT, ("data_format", &long)])],
        &[&format!("its attribute data_format is {}…, and the op takes NHWC", "y".repeat(60))],
    );
    assert_refused(
        &[x(), node("out", "LogicalNot", &["x"], &[])],
        &["its input x (\"x\") is float32, and the op takes bool"],
    );
    // An attribute that is missing has its default.
    assert_refused(
        &[i, node("out", "MaxPool", &["i"], &[("padding", "s: \"SAME\"")])],
        &["its attribute T is float32"],
    );
}

#[test]
fn attributes_of_another_kind_or_value_than_the_op_takes_are_refused() {
    let pool = |padding| node("out", "MaxPool", &["x"], &[FLOAT, ("padding", padding)]);
    assert_refused(
        &[x(), pool("s: \"SOME\"")],
        &["its attribute padding is SOME, and the op takes SAME, VALID, EXPLICIT"],
    );
    assert_refused(&[x(), pool("i: 1")], &["its attribute padding is a int"]);
    let wrong = "tensor { dtype: DT_FLOAT tensor_shape { } float_val: 1 }";
    assert_refused(
        &[node("out", "Const", &[], &[("dtype", "type: DT_INT32"), ("value", wrong)])],
        &["its dtype is int32, and its value is float32"],
    );
}

#[test]
fn nodes_of_a_function_are_checked_too() {
    let call = node(
        "out",
        "PartitionedCall",
        &["x"],
        &[
            ("Tin", "list { type: DT_FLOAT }"),
            ("Tout", "list { type: DT_FLOAT }"),
            ("f", "func { name: \"f\" }"),
        ],
    );
    let function = |body: &str| {
        format!(
            "library {{ function {{ signature {{ name: \"f\" input_arg {{ name: \"a\" type: DT_FLOAT }} output_arg {{ name: \"r\" \
             type: DT_FLOAT }} }} {body} ret {{ key: \"r\" value: \"n:y:0\" }} }} }}\n"
        )
    };
    let body = |op: &str, name: &str, inputs: &[&str]| {
        node(name, op, inputs, &[FLOAT]).replacen("node ", "node_def ", 1)
    };
    assert_refused(
        &[x(), call.clone(), function(&body("LogicalNot", "n", &["a"]))],
        &["function \"f\"", "its input x (\"a\") is float32, and the op takes bool"],
    );
    let twice = body("Exp", "n", &["a"]) + &body("Exp", "n", &["a"]);
    assert_refused(&[x(), call.clone(), function(&twice)], &["two nodes have this name: an Exp and an Exp"]);
    assert_refused(&[x(), call, function(&body("Relu", "n", &["a"]))], &["Relu \"n\": it has no output y:0"]);
}

/// The last node and the constant vectors that it reads, beside the input `x` of shape [2, 3].
fn with_vectors(vectors: &[(&str, &[i64])], last: String) -> Vec<String> {
    let constants = vectors.iter().map(|(name, values)| vector(name, values));
    [x()].into_iter().chain(constants).chain([last]).collect()
}

#[test]
fn constants_that_the_op_does_not_take_are_refused() {
    let of = |op: &str, inputs: &[&str], attributes: &[(&str, &str)]| {
        node("out", op, inputs, &[&[FLOAT], attributes].concat())
    };
    let int32 = |name| (name, "type: DT_INT32");
    type Vectors = &'static [(&'static str, &'static [i64])];
    let cases: &[(&str, Vectors, String)] = &[
        ("Reshape", &[("c", &[-1, -1])], of("Reshape", &["x", "c"], &[])),
        ("Reshape", &[("c", &[4, 2])], of("Reshape", &["x", "c"], &[])),
        ("Reshape", &[("c", &[-2, 3])], of("Reshape", &["x", "c"], &[])),
        ("Transpose", &[("c", &[0, 0])], of("Transpose", &["x", "c"], &[])),
        ("Transpose", &[("c", &[0, 2])], of("Transpose", &["x", "c"], &[])),
        ("Transpose", &[("c", &[0, -1])], of("Transpose", &["x", "c"], &[])),
        ("Tile", &[("c", &[1, -1])], of("Tile", &["x", "c"], &[])),
        ("Slice", &[("b", &[0, 1]), ("s", &[2, 3])], of("Slice", &["x", "b", "s"], &[int32("Index")])),
        ("Slice", &[("b", &[-1, 0]), ("s", &[1, 1])], of("Slice", &["x", "b", "s"], &[int32("Index")])),
        ("Slice", &[("b", &[0, 0]), ("s", &[-2, 1])], of("Slice", &["x", "b", "s"], &[int32("Index")])),
        ("Slice", &[("b", &[0]), ("s", &[1])], of("Slice", &["x", "b", "s"], &[int32("Index")])),
        ("Sum", &[("c", &[2])], of("Sum", &["x", "c"], &[])),
        ("Sum", &[("c", &[1, -1])], of("Sum", &["x", "c"], &[])),
        ("ReverseV2", &[("c", &[2])], of("ReverseV2", &["x", "c"], &[])),
        ("ReverseV2", &[("c", &[0, -2])], of("ReverseV2", &["x", "c"], &[])),
        ("Pad", &[("c", &[1, 1, 1])], of("Pad", &["x", "c"], &[])),
        ("BroadcastTo", &[("c", &[3, 3])], of("BroadcastTo", &["x", "c"], &[])),
        ("BroadcastTo", &[("c", &[3])], of("BroadcastTo", &["x", "c"], &[])),
        ("SplitV", &[("c", &[1, 1])], String::new()),
    ];
    for (op, vectors, last) in cases {
        let nodes = match *op {
            "SplitV" => {
                let axis = integers("axis", &[], &[1]);
                let split =
                    of("SplitV", &["x", "c", "axis"], &[("num_split", "i: 2"), ("Tlen", "type: DT_INT32")]);
                [with_vectors(vectors, axis), vec![split]].concat()
            }
            _ => with_vectors(vectors, last.clone()),
        };
        assert_refused(&nodes, &[&format!("{op} \"out\": ")]);
    }
}

#[test]
fn scalar_constants_that_the_op_does_not_take_are_refused() {
    let scalar = |name, value| integers(name, &[], &[value]);
    let (x, zero, one) = (x(), scalar("zero", 0), scalar("one", 1));
    let of = |op: &str, inputs: &[&str], attributes: &[(&str, &str)]| {
        node("out", op, inputs, &[&[FLOAT], attributes].concat())
    };
    let bad = |value: i64| scalar("bad", value);
    let gather = of(
        "GatherV2",
        &["x", "i", "one"],
        &[("Tparams", "type: DT_FLOAT"), ("Tindices", "type: DT_INT32"), ("Taxis", "type: DT_INT32")],
    );
    let nd = node(
        "out",
        "GatherNd",
        &["x", "i"],
        &[("Tparams", "type: DT_FLOAT"), ("Tindices", "type: DT_INT32")],
    );
    let one_hot = node(
        "out",
        "OneHot",
        &["zero", "bad", "one", "zero"],
        &[("T", "type: DT_INT32"), ("TI", "type: DT_INT32")],
    );
    let fill = node("out", "Fill", &["dims", "one"], &[("T", "type: DT_INT32")]);
    let range = node("out", "Range", &["one", "bad", "zero"], &[("Tidx", "type: DT_INT32")]);
    let backwards = node("out", "Range", &["one", "zero", "bad"], &[("Tidx", "type: DT_INT32")]);
    let expand = of("ExpandDims", &["x", "bad"], &[]);
    let concat = |inputs| of("ConcatV2", inputs, &[("N", "i: 2")]);
    let y = input("y", "DT_FLOAT", &[4, 3]);
    let split = of("Split", &["one", "x"], &[("num_split", "i: 2")]);
    let top_k = of("TopKV2", &["x", "bad"], &[]);
    for (op, nodes) in [
        ("GatherV2", vec![x.clone(), one.clone(), vector("i", &[0, 3]), gather.clone()]),
        ("GatherV2", vec![x.clone(), one.clone(), vector("i", &[0, -1]), gather]),
        ("GatherNd", vec![x.clone(), integers("i", &[1, 2], &[1, 3]), nd]),
        ("OneHot", vec![zero.clone(), one.clone(), bad(-2), one_hot]),
        ("Fill", vec![one.clone(), vector("dims", &[2, -3]), fill]),
        ("Range", vec![one.clone(), zero.clone(), bad(5), range]),
        ("Range", vec![one.clone(), zero.clone(), bad(2), backwards]),
        ("ExpandDims", vec![x.clone(), bad(3), expand]),
        ("ConcatV2", vec![x.clone(), y.clone(), one.clone(), concat(&["x", "y", "one"])]),
        ("ConcatV2", vec![x.clone(), y, bad(2), concat(&["x", "x", "bad"])]),
        ("Split", vec![x.clone(), one.clone(), split]),
        ("TopKV2", vec![x.clone(), bad(4), top_k.clone()]),
        ("TopKV2", vec![x, bad(-1), top_k]),
    ] {
        assert_refused(&nodes, &[&format!("{op} \"out\": ")]);
    }
}

#[test]
fn inferred_types_are_those_that_definitions_declare() {
    let mut wrong = vec![];
    for (name, files) in cases() {
        let definition = GraphDef::decode(&files["graph.pb"][..]).unwrap();
        let Ok(graph) = import(&definition, tf2onnx_rs::ops::output_types) else { continue };
        let is_of_loops = |node: &NodeDef| node.op == "Enter" || node.op.starts_with("TensorArray");
        let has_loops = definition.node.iter().any(is_of_loops);
        for node in &definition.node {
            let Some(declared) = declared_output_types(node) else { continue };
            let imported = graph.find(&node.name).map(|id| graph.node(id));
            // The nodes inside of loops are in functions, and lists take the place of arrays.
            if has_loops && imported.is_none_or(|imported| imported.op != node.op) {
                continue;
            }
            let found = &imported.unwrap().outputs;
            // What TensorFlow has handles of counts as a tensor here.
            let differs = |(declared, found): (&Option<DType>, _)| {
                declared
                    .is_some_and(|dtype| dtype != found && !matches!(dtype, DType::Resource | DType::Variant))
            };
            if declared.len() != found.len()
                || declared.iter().zip(found.iter().map(|output| output.dtype)).any(differs)
            {
                wrong.push(format!("{name}: {} \"{}\": {declared:?}, {found:?}", node.op, node.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outputs_of_an_unknown_op_have_the_type_that_readers_declare() {
    let custom = node("custom", "FancyOp", &["x"], &[FLOAT]);
    let cast = node("out", "Cast", &["custom:1"], &[("SrcT", "type: DT_INT64"), ("DstT", "type: DT_FLOAT")]);
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&graph, [x(), custom.clone(), cast].concat()).unwrap();
    let paths = ["convert", graph.to_str().unwrap(), model.to_str().unwrap(), "--keep-going"];
    let with = |outputs: &str| tf2onnx_rs([&paths[..], &["--outputs", outputs]].concat());
    let done = with("out:0,custom:1");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let dtype = Model::load(&model).proto().graph.output[1].type_.tensor_type().elem_type;
    assert_eq!(dtype, 7, "int64");
    let error = with("custom:0").stderr;
    assert!(error.contains("custom:0: its type is not known"), "{error}");
}

#[test]
fn an_input_of_unknown_type_is_refused() {
    let nodes = [
        x(),
        node("custom", "FancyOp", &["x"], &[FLOAT]),
        node("other", "OtherOp", &["custom"], &[FLOAT]),
        node("out", "Relu", &["other"], &[FLOAT]),
    ];
    let folder = TempDir::new().unwrap();
    let [graph, model] = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&graph, nodes.concat()).unwrap();
    let paths = ["convert", graph.to_str().unwrap(), model.to_str().unwrap(), "--keep-going"];
    let from = |input: &str| tf2onnx_rs([&paths[..], &["--outputs", "out:0", "--inputs", input]].concat());
    let error = from("custom:0").stderr;
    assert!(error.contains("custom:0: its type is not known"), "{error}");
    assert!(error.contains("choose a tensor after it with --inputs"), "{error}");
    assert_eq!(from("other:0").status, 0);
}
