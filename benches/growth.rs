//! How conversions grow with their graphs: `cargo bench --bench growth`. Ten times the nodes should take about ten times as long.
//! `scripts/check_growth.py` measures the memory, too.

use std::fs;

use divan::Bencher;
use divan::counter::ItemsCount;
use prost::Message;
use tempfile::TempDir;
use tf2onnx_rs::convert::{ConvertOptions, convert};
use tf2onnx_rs::graph::Limits;
use tf2onnx_rs::proto::attr_value::{ListValue, Value};
use tf2onnx_rs::proto::op_def::ArgDef;
use tf2onnx_rs::proto::tensor_shape_proto::Dim;
use tf2onnx_rs::proto::{
    AttrValue, DataType, FunctionDef, FunctionDefLibrary, GraphDef, NameAttrList, NodeDef, OpDef,
    TensorShapeProto,
};
use tf2onnx_rs::source::{OpenOptions, Source};

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

const FLOAT: i32 = DataType::DtFloat as i32;

fn node(name: String, op: &str, input: Vec<String>, attrs: &[(&str, Value)]) -> NodeDef {
    let attr =
        attrs.iter().map(|(name, value)| ((*name).to_owned(), AttrValue { value: Some(value.clone()) }));
    NodeDef { name, op: op.to_owned(), input, attr: attr.collect(), ..NodeDef::default() }
}

/// A node with an attribute for the type of its tensors.
fn of_floats(name: String, op: &str, input: Vec<String>) -> NodeDef {
    node(name, op, input, &[("T", Value::Type(FLOAT))])
}

fn placeholder(name: &str, dtype: DataType, lengths: &[i64]) -> NodeDef {
    let dim = lengths.iter().map(|&size| Dim { size, ..Dim::default() }).collect();
    let shape = Value::Shape(TensorShapeProto { dim, unknown_rank: false });
    node(name.to_owned(), "Placeholder", vec![], &[("dtype", Value::Type(dtype as i32)), ("shape", shape)])
}

fn graph(node: Vec<NodeDef>) -> GraphDef {
    GraphDef { node, ..GraphDef::default() }
}

/// Converts a graph without writing the model.
fn measure(bencher: Bencher<'_, '_>, count: usize, graph: &GraphDef) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("graph.pb");
    fs::write(&path, graph.encode_to_vec()).unwrap();
    let source = Source::open(&path, &OpenOptions::default()).unwrap();
    let options = ConvertOptions { limits: Limits::NONE, ..ConvertOptions::default() };
    let nodes = || convert(&source, &options).unwrap().model.nodes.len();
    bencher.counter(ItemsCount::new(count)).bench_local(nodes);
}

/// Nodes that each read the one before.
#[divan::bench(args = SIZES, sample_count = 3)]
fn chain(bencher: Bencher<'_, '_>, count: usize) {
    let mut nodes = vec![placeholder("n0", DataType::DtFloat, &[4])];
    let ops = ["Exp", "Tanh", "Abs"];
    nodes.extend((1..=count).map(|index| {
        of_floats(format!("n{index}"), ops[index % ops.len()], vec![format!("n{}", index - 1)])
    }));
    measure(bencher, count, &graph(nodes));
}

/// One node that reads many outputs of another one.
#[divan::bench(args = SIZES, sample_count = 3)]
fn fan(bencher: Bencher<'_, '_>, count: usize) {
    let number = Value::I(count as i64);
    let float = || ("T", Value::Type(FLOAT));
    let parts = (0..count).map(|index| format!("parts:{index}")).collect();
    let nodes = vec![
        placeholder("x", DataType::DtFloat, &[count as i64, 4]),
        node("parts".to_owned(), "Unpack", vec!["x".to_owned()], &[float(), ("num", number.clone())]),
        node("sum".to_owned(), "AddN", parts, &[float(), ("N", number)]),
    ];
    measure(bencher, count, &graph(nodes));
}

/// Calls of a function of two nodes, one after the other.
#[divan::bench(args = SIZES, sample_count = 3)]
fn functions(bencher: Bencher<'_, '_>, count: usize) {
    let argument = |name: &str| ArgDef { name: name.to_owned(), r#type: FLOAT, ..ArgDef::default() };
    let signature = OpDef {
        name: "f".to_owned(),
        input_arg: vec![argument("x")],
        output_arg: vec![argument("y")],
        ..OpDef::default()
    };
    let body = vec![
        of_floats("first".to_owned(), "Exp", vec!["x".to_owned()]),
        of_floats("second".to_owned(), "Tanh", vec!["first:y:0".to_owned()]),
    ];
    let ret = [("y".to_owned(), "second:y:0".to_owned())].into();
    let function = FunctionDef { signature: Some(signature), node_def: body, ret, ..FunctionDef::default() };
    let types = Value::List(Box::new(ListValue { r#type: vec![FLOAT], ..ListValue::default() }));
    let called = Value::Func(NameAttrList { name: "f".to_owned(), ..NameAttrList::default() });
    let attrs = [("f", called), ("Tin", types.clone()), ("Tout", types)];
    let mut nodes = vec![placeholder("n0", DataType::DtFloat, &[4])];
    nodes.extend(
        (1..=count / 2).map(|index| {
            node(format!("n{index}"), "PartitionedCall", vec![format!("n{}", index - 1)], &attrs)
        }),
    );
    let library = FunctionDefLibrary { function: vec![function], ..FunctionDefLibrary::default() };
    measure(bencher, count, &GraphDef { library: Some(library), ..graph(nodes) });
}

/// Conditionals of TensorFlow 1, one after the other.
#[divan::bench(args = [300, 3_000], sample_count = 3)]
fn conditionals(bencher: Bencher<'_, '_>, count: usize) {
    let mut nodes = vec![placeholder("m0", DataType::DtFloat, &[4]), placeholder("p", DataType::DtBool, &[])];
    for index in 1..=count / 3 {
        let [switch, taken, merge] = ["s", "t", "m"].map(|name| format!("{name}{index}"));
        let read = vec![format!("m{}", index - 1), "p".to_owned()];
        nodes.push(of_floats(switch.clone(), "Switch", read));
        nodes.push(of_floats(taken.clone(), "Exp", vec![format!("{switch}:1")]));
        let attrs = [("T", Value::Type(FLOAT)), ("N", Value::I(2))];
        nodes.push(node(merge, "Merge", vec![switch, taken], &attrs));
    }
    measure(bencher, count, &graph(nodes));
}
