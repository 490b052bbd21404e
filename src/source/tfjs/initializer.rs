//! The graph that initializes a model's hash tables, which TensorFlow.js runs once before the model: it becomes a part of the
//! model's graph, where the contents of tables are looked for.
//!
//! If a model comes from TensorFlow 1, its tables are nodes of the same names in both graphs. If it comes from TensorFlow 2, they are
//! inputs of the model and outputs of the initializer, which have the same `resourceId` in both signatures.
//!
//! Sources: `write_artifacts` in `tfjs-converter/python/tensorflowjs/converters/tf_saved_model_conversion_v2.py`,
//! `setResourceIdToCapturedInput` in `tfjs-converter/src/executor/graph_model.ts`.

use std::collections::BTreeMap;

use hashbrown::HashSet;
use serde_json::Value as Json;

use crate::graph::node_def::past_identities;
use crate::proto::{DataType, FunctionDef, FunctionDefLibrary, GraphDef, SignatureDef};

/// The graph that initializes tables, and its signature.
pub struct Initializer<'a> {
    pub graph: GraphDef,
    pub signature: Option<&'a Json>,
}

/// What the names of the initializer's nodes begin with if the graph has other nodes of the same names.
const PREFIX: &str = "initializer/";

/// Adds an initializer to the graph that it belongs to. `signature` is the graph's signature as JSON and as a message.
pub fn with_initializer(
    graph: &mut GraphDef,
    initializer: Initializer<'_>,
    signature: Option<&Json>,
    signature_def: Option<&mut SignatureDef>,
) {
    let tables = resources(initializer.signature, "outputs");
    let names: HashSet<String> = graph.node.iter().map(|node| node.name.clone()).collect();
    // Constants share their names in the manifest of the weights. Other nodes are the same only in TensorFlow 1.
    let others: HashSet<String> = match tables.is_empty() {
        true => HashSet::new(),
        false => {
            let nodes = initializer.graph.node.iter().filter(|node| node.op != "Const");
            nodes.map(|node| node.name.clone()).filter(|name| names.contains(name)).collect()
        }
    };
    let renamed = |input: &str| {
        let (control, tensor) = input.strip_prefix('^').map_or(("", input), |tensor| ("^", tensor));
        let is_other = others.contains(node_of(tensor));
        if is_other { format!("{control}{PREFIX}{tensor}") } else { input.to_owned() }
    };
    for mut node in initializer.graph.node {
        node.name = renamed(&node.name);
        node.input = node.input.iter().map(|input| renamed(input)).collect();
        if !names.contains(&node.name) {
            graph.node.push(node);
        }
    }
    add_functions(graph, initializer.graph.library);
    // Readers of such an input read the table itself.
    for (id, input) in resources(signature, "inputs") {
        let Some(table) = tables.get(&id) else { continue };
        let (input, table) = (node_of(&input).to_owned(), origin(graph, &renamed(table)));
        graph.node.retain(|node| node.name != input);
        let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input);
        inputs.filter(|tensor| node_of(tensor) == input).for_each(|tensor| table.clone_into(tensor));
    }
    if let Some(signature) = signature_def {
        signature.inputs.retain(|_, info| info.dtype != DataType::DtResource as i32);
    }
}

/// Adds the functions that the graph does not have.
fn add_functions(graph: &mut GraphDef, library: Option<FunctionDefLibrary>) {
    let name = |function: &FunctionDef| function.signature.as_ref().map(|signature| signature.name.clone());
    let known = &mut graph.library.get_or_insert_default().function;
    let names: HashSet<Option<String>> = known.iter().map(name).collect();
    known.extend(
        library.unwrap_or_default().function.into_iter().filter(|function| !names.contains(&name(function))),
    );
}

/// The tensors of a signature's inputs or outputs by their resources.
fn resources(signature: Option<&Json>, side: &str) -> BTreeMap<i64, String> {
    let entries = signature.and_then(|signature| signature.get(side)).and_then(Json::as_object);
    let resource =
        |info: &Json| Some((info.get("resourceId")?.as_i64()?, info.get("name")?.as_str()?.to_owned()));
    entries.into_iter().flat_map(|entries| entries.values()).filter_map(resource).collect()
}

/// The name of the node that a tensor comes from, past nodes that only forward it.
fn origin(graph: &GraphDef, tensor: &str) -> String {
    let find = |name: &str| graph.node.iter().find(|node| node.name == name);
    past_identities((node_of(tensor), 0), find).0.to_owned()
}

fn node_of(tensor: &str) -> &str {
    tensor.split(':').next().unwrap_or(tensor)
}
