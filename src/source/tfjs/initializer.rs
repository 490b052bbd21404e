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

use crate::proto::attr_value::Value;
use crate::proto::{AttrValue, DataType, FunctionDef, FunctionDefLibrary, GraphDef, SignatureDef};

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
    for (id, input) in resources(signature, "inputs") {
        let Some(table) = tables.get(&id) else { continue };
        let Some(node) = graph.node.iter_mut().find(|node| node.name == node_of(&input)) else { continue };
        "Identity".clone_into(&mut node.op);
        node.input = vec![renamed(table)];
        let resource = AttrValue { value: Some(Value::Type(DataType::DtResource as i32)) };
        node.attr = [("T".to_owned(), resource)].into();
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
    known.extend(library.unwrap_or_default().function.into_iter().filter(|function| !names.contains(&name(function))));
}

/// The tensors of a signature's inputs or outputs by their resources.
fn resources(signature: Option<&Json>, side: &str) -> BTreeMap<i64, String> {
    let entries = signature.and_then(|signature| signature.get(side)).and_then(Json::as_object);
    let resource =
        |info: &Json| Some((info.get("resourceId")?.as_i64()?, info.get("name")?.as_str()?.to_owned()));
    entries.into_iter().flat_map(|entries| entries.values()).filter_map(resource).collect()
}

fn node_of(tensor: &str) -> &str {
    tensor.split(':').next().unwrap_or(tensor)
}
