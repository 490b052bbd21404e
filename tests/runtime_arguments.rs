//! Inputs that are constants in most graphs, such as axes and sizes, as inputs of the model: `convert` takes them, or refuses them for
//! the reason that the row of the op names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use prost::Message;
use tempfile::TempDir;
use tf2onnx_rs::graph::op_definition::{Form, OpDefinition};
use tf2onnx_rs::ops::{find, supported};
use tf2onnx_rs::proto::attr_value::Value;
use tf2onnx_rs::proto::{AttrValue, GraphDef};

use crate::support::command::tf2onnx_rs;
use crate::support::op_cases::{Case, cases, edges, of_archive};

/// What is said of the weights of a recurrent layer of cuDNN, which several constants may make up.
const CUDNN_PARAMS: &str = "its params are not known before the model runs";

/// What is said of bits that a comparison reads, if it is none of those that are made with numbers.
const BITS: &str = "from operator set 26 on";

/// A constant of a graph, and an input of an op that it is.
struct Argument {
    constant: String,
    op: String,
    input: &'static str,
}

/// The inputs of ops that constants of the graph are.
fn arguments(graph: &GraphDef) -> Vec<Argument> {
    let is_constant = |name: &str| {
        graph.node.iter().any(|node| node.name == name && node.op == "Const" && node.input.is_empty())
    };
    let mut found = vec![];
    for node in &graph.node {
        let Some(definition) = OpDefinition::find(&node.op) else { continue };
        let single = definition.inputs().take_while(|input| matches!(input.form, Form::One(_)));
        for (input, name) in single.zip(&node.input) {
            if is_constant(name) {
                found.push(Argument { constant: name.clone(), op: node.op.clone(), input: input.name });
            }
        }
    }
    found
}

/// The graph with a constant as an input of the same shape.
fn opened(mut graph: GraphDef, constant: &str) -> GraphDef {
    let node = graph.node.iter_mut().find(|node| node.name == constant).unwrap();
    let Some(AttrValue { value: Some(Value::Tensor(tensor)) }) = node.attr.remove("value") else {
        panic!("{constant} has no value")
    };
    node.op = "Placeholder".to_owned();
    let shape = tensor.tensor_shape.unwrap_or_default();
    node.attr.insert("shape".to_owned(), AttrValue { value: Some(Value::Shape(shape)) });
    graph
}

/// What `convert` says of the graph; `None` if it is converted.
fn refusal(case: &Case, graph: &GraphDef, more: &str, folder: &Path) -> Option<String> {
    let (path, model) = (folder.join("graph.pb"), folder.join("model.onnx"));
    fs::write(&path, graph.encode_to_vec()).unwrap();
    let inputs = [case.inputs.as_slice(), &[format!("{more}:0")]].concat().join(",");
    let outputs = case.outputs.join(",");
    let args = ["--opset", "22", "--inputs", &inputs, "--outputs", &outputs];
    let files = ["convert", path.to_str().unwrap(), model.to_str().unwrap()];
    let done = tf2onnx_rs(files.into_iter().chain(args));
    (done.status != 0).then_some(done.stderr)
}

#[test]
fn an_argument_is_computed_by_the_model_or_refused_for_the_reason_that_its_row_names() {
    let folder = TempDir::new().unwrap();
    let (mut seen, mut wrong) = (BTreeSet::new(), vec![]);
    let all = of_archive("runtime_arguments.zip").into_iter().chain(edges()).chain(cases());
    for (name, files) in all {
        let case = Case::of(&files);
        let graph = GraphDef::decode(&files["graph.pb"][..]).unwrap();
        for Argument { constant, op, input } in arguments(&graph) {
            let Some(row) = supported(&op) else { continue };
            if !seen.insert((op.clone(), input)) {
                continue;
            }
            let declared = row.constants.iter().find(|(name, _)| *name == input).map(|(_, reason)| *reason);
            let refusal = refusal(&case, &opened(graph.clone(), &constant), &constant, folder.path());
            // An op that computes what another one has to know is refused for the reason of that one.
            let is_of_another = |message: &str| {
                let rows = graph.node.iter().filter_map(|node| find(&node.op));
                let mut reasons = rows.flat_map(|row| row.constants).map(|(_, reason)| *reason);
                reasons.any(|reason| message.contains(reason))
                    || [CUDNN_PARAMS, BITS].iter().any(|reason| message.contains(reason))
            };
            match (refusal, declared) {
                (None, None) => {}
                (Some(message), Some(reason)) if message.contains(reason) => {}
                (Some(message), None) if is_of_another(&message) => {
                    seen.remove(&(op, input));
                }
                (refusal, _) => wrong.push(format!("{name}: `{input}` of {op}: {refusal:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 130, "{}", seen.len());
}
