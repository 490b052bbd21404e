//! The contents of a hash table: the constants that its initializer reads. An initializer runs once when a session begins, and
//! no output reads it.
//!
//! Sources: `InitializeTableV2` and `LookupTableImportV2` in `tensorflow/core/ops/lookup_ops.cc`; `StaticHashTable` in
//! `tensorflow/python/ops/lookup_ops.py`.

use hashbrown::HashMap;

use super::node_def::{data_inputs, past_identities};
use crate::proto::{FunctionDef, GraphDef, NodeDef, attr_value::Value};

/// Whether a node fills the table that is its first input with keys and values.
fn is_initializer(node: &&NodeDef) -> bool {
    matches!(
        node.op.as_str(),
        "InitializeTable" | "InitializeTableV2" | "LookupTableImport" | "LookupTableImportV2"
    )
}

/// The constants that are a table's keys and values; `None` if no initializer in the graph reads constants.
pub fn contents<'a>(definition: &'a GraphDef, table: &str) -> Option<[&'a NodeDef; 2]> {
    let constant = |name: &str| {
        let name = origin(definition, name);
        definition.node.iter().find(|node| node.name == name && node.op == "Const")
    };
    let fills = |node: &&NodeDef| {
        data_inputs(node).next().is_some_and(|(input, _)| origin(definition, input) == table)
    };
    if let Some(initializer) = definition.node.iter().find(|node| is_initializer(node) && fills(node)) {
        let inputs: Vec<&str> = data_inputs(initializer).map(|(name, _)| name).collect();
        return Some([constant(inputs.get(1)?)?, constant(inputs.get(2)?)?]);
    }
    // TensorFlow 2 does it in a function, which is called with the table.
    let calls = definition.node.iter().filter(|node| data_inputs(node).any(|(input, _)| input == table));
    calls.filter_map(|call| in_function(definition, call, table, &constant)).next()
}

/// The node that a tensor comes from, past nodes that only forward it.
fn origin<'n>(definition: &'n GraphDef, name: &'n str) -> &'n str {
    past_identities((name, 0), |name| definition.node.iter().find(|node| node.name == name)).0
}

/// The same, where a node calls a function that fills the table.
fn in_function<'a>(
    definition: &'a GraphDef,
    call: &NodeDef,
    table: &str,
    constant: &impl Fn(&str) -> Option<&'a NodeDef>,
) -> Option<[&'a NodeDef; 2]> {
    let Some(Value::Func(called)) = call.attr.get("f").and_then(|f| f.value.as_ref()) else { return None };
    let is_called = |function: &&FunctionDef| {
        function.signature.as_ref().is_some_and(|signature| signature.name == called.name)
    };
    let function = definition.library.as_ref()?.function.iter().find(is_called)?;
    let arguments = function.signature.iter().flat_map(|signature| &signature.input_arg);
    let call_inputs: HashMap<&str, &str> = arguments
        .zip(data_inputs(call))
        .map(|(argument, (input, _))| (argument.name.as_str(), input))
        .collect();
    let fills = |node: &&NodeDef| {
        is_initializer(node)
            && node.input.first().is_some_and(|input| call_inputs.get(input.as_str()) == Some(&table))
    };
    let initializer = function.node_def.iter().find(fills)?;
    let source = |input: &String| match call_inputs.get(input.as_str()) {
        Some(outer) => constant(outer),
        None => {
            let name = input.split(':').next()?;
            function.node_def.iter().find(|node| node.name == name && node.op == "Const")
        }
    };
    Some([source(initializer.input.get(1)?)?, source(initializer.input.get(2)?)?])
}
