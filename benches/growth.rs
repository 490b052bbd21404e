//! How conversions grow with their graphs: `cargo bench --bench growth`.
//!
//! Graphs of three sizes are made in memory and converted, and no model is written. Rates count nodes of the graph: those of a kind of
//! graph are the same for all sizes where the time is linear.

use divan::Bencher;
use divan::counter::ItemsCount;
use prost::Message;
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

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

const FLOAT: i32 = DataType::DtFloat as i32;

fn main() {
    divan::main();
}

/// Nodes that each read the one before.
#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn chain(bencher: Bencher, nodes: usize) {
    let ops = ["Exp", "Tanh", "Abs"];
    let next = |index: usize| node(&format!("n{}", index + 1), ops[index % 3], [format!("n{index}")]);
    let ends = [placeholder("n0"), node("y", "Exp", [format!("n{nodes}")])];
    converted(
        bencher,
        GraphDef { node: ends.into_iter().chain((0..nodes).map(next)).collect(), ..GraphDef::default() },
    );
}

/// Nodes that read one node, and one node that reads them.
#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn fan(bencher: Bencher, nodes: usize) {
    let mut sum = node("y", "AddN", (0..nodes).map(|index| format!("n{index}")));
    sum.attr.insert("N".to_owned(), attribute(Value::I(nodes as i64)));
    // Nodes that compute the same become one.
    let readers = (0..nodes).flat_map(|index| {
        [
            node(&format!("m{index}"), "Exp", [format!("x{index}")]),
            node(&format!("n{index}"), "Mul", ["x".to_owned(), format!("m{index}")]),
        ]
    });
    let inputs = (0..nodes).map(|index| placeholder(&format!("x{index}")));
    let all = [placeholder("x"), sum].into_iter().chain(inputs).chain(readers);
    converted(bencher, GraphDef { node: all.collect(), ..GraphDef::default() });
}

/// Calls of one function.
#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn functions(bencher: Bencher, nodes: usize) {
    let argument = |name: &str| ArgDef { name: name.to_owned(), r#type: FLOAT, ..ArgDef::default() };
    let signature = OpDef {
        name: "f".to_owned(),
        input_arg: vec![argument("x")],
        output_arg: vec![argument("y")],
        ..OpDef::default()
    };
    let body = [node("a", "Exp", ["x".to_owned()]), node("b", "Tanh", ["a:y:0".to_owned()])];
    let function = FunctionDef {
        signature: Some(signature),
        node_def: body.to_vec(),
        ret: [("y".to_owned(), "b:y:0".to_owned())].into(),
        ..FunctionDef::default()
    };
    let calls = nodes / 2;
    let call = |index: usize| {
        let mut call = node(&format!("n{}", index + 1), "PartitionedCall", [format!("n{index}")]);
        let types =
            || attribute(Value::List(ListValue { r#type: vec![FLOAT], ..ListValue::default() }.into()));
        let called = NameAttrList { name: "f".to_owned(), ..NameAttrList::default() };
        let attrs = [("f", attribute(Value::Func(called.into()))), ("Tin", types()), ("Tout", types())];
        call.attr = attrs.map(|(name, value)| (name.to_owned(), value)).into();
        call
    };
    let ends = [placeholder("n0"), node("y", "Exp", [format!("n{calls}")])];
    converted(
        bencher,
        GraphDef {
            node: ends.into_iter().chain((0..calls).map(call)).collect(),
            library: Some(FunctionDefLibrary { function: vec![function], ..FunctionDefLibrary::default() }),
            ..GraphDef::default()
        },
    );
}

/// Measures the conversion of a graph whose output is `y`.
fn converted(bencher: Bencher, graph: GraphDef) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("graph.pb");
    std::fs::write(&path, graph.encode_to_vec()).unwrap();
    let options =
        ConvertOptions { outputs: vec!["y:0".to_owned()], limits: Limits::NONE, ..ConvertOptions::default() };
    bencher.counter(ItemsCount::new(graph.node.len())).bench_local(|| {
        let source = Source::open(&path, &OpenOptions::default()).unwrap();
        convert(&source, &options).unwrap().model.nodes.len()
    });
}

fn node(name: &str, op: &str, inputs: impl IntoIterator<Item = String>) -> NodeDef {
    let attr = [("T".to_owned(), attribute(Value::Type(FLOAT)))].into();
    let input = inputs.into_iter().collect();
    NodeDef { name: name.to_owned(), op: op.to_owned(), input, attr, ..NodeDef::default() }
}

fn placeholder(name: &str) -> NodeDef {
    let dim = vec![Dim { size: 4, ..Dim::default() }];
    let shape = Value::Shape(TensorShapeProto { dim, ..TensorShapeProto::default() });
    let attr = [("dtype", Value::Type(FLOAT)), ("shape", shape)];
    let attr = attr.map(|(name, value)| (name.to_owned(), attribute(value))).into();
    NodeDef { attr, ..node(name, "Placeholder", []) }
}

fn attribute(value: Value) -> AttrValue {
    AttrValue { value: Some(value) }
}
