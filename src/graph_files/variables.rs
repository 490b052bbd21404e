//! The variables of a graph in the collections of a MetaGraphDef, and the nodes that they need there.
//!
//! Source: `VariableDef` in `tensorflow/core/framework/variable.proto`, `RefVariable._init_from_args` in
//! `tensorflow/python/ops/ref_variable.py`, `ResourceVariable` in `tensorflow/python/ops/resource_variable_ops.py`.

use std::collections::BTreeMap;

use prost::Message;

use super::nodes::{filled, node};
use crate::convert::{TensorFlowGraph, Variable};
use crate::error::Result;
use crate::graph::{Attr, Graph};
use crate::proto::collection_def::{BytesList, Kind};
use crate::proto::{CollectionDef, NodeDef, VariableDef};

/// The variables that are ones before they are trained. slim initializes all others at random or as zeros.
const ONES: [&str; 2] = ["gamma", "moving_variance"];

/// The collections of TensorFlow 1 that have all variables, and the one that has those that are trained.
const ALL: [&str; 2] = ["model_variables", "variables"];
const TRAINED: &str = "trainable_variables";

/// A variable in the graph that is written.
pub(super) struct InGraph<'m> {
    pub variable: &'m Variable,
    /// Whether it is read and assigned by its handle.
    pub is_resource: bool,
    /// The tensor of its value, as the name of an input.
    pub value: String,
    definition: VariableDef,
}

/// The variables of a graph, in its order, and the nodes that are added for them: a program that imports the graph may initialize
/// its variables, so each has a node for that. Restoring a checkpoint replaces these values.
pub(super) fn variables(model: &TensorFlowGraph) -> Result<(Vec<InGraph<'_>>, Vec<NodeDef>)> {
    let (mut all, mut nodes) = (vec![], vec![]);
    for variable in &model.variables {
        let Variable { name, value, is_trained, .. } = variable;
        let is_resource = model.graph.find(name).is_some_and(|id| model.graph.node(id).op == "VarHandleOp");
        let (_, role) = name.rsplit_once('/').unwrap_or(("", name));
        let is_one = ONES.contains(&role);
        let free = |name: String| free_name(&model.graph, name);
        let first = free(format!("{name}/Initializer/{}", if is_one { "ones" } else { "zeros" }));
        let assign = free(format!("{name}/Assign"));
        nodes.push(filled(&first, value.dtype(), value.shape(), is_one)?);
        nodes.push(assignment(&assign, variable, is_resource, &first)?);
        let read = if is_resource {
            let read = free(format!("{name}/Read/ReadVariableOp"));
            nodes.push(node(&read, "ReadVariableOp", &[name], [("dtype", Attr::Type(value.dtype()))])?);
            read
        } else {
            let read = format!("{name}/read");
            if model.graph.find(&read).is_none() {
                let attrs = [("T", Attr::Type(value.dtype())), class_of(name)];
                nodes.push(node(&read, "Identity", &[name], attrs)?);
            }
            read
        };
        let definition = VariableDef {
            variable_name: format!("{name}:0"),
            initializer_name: assign,
            snapshot_name: format!("{read}:0"),
            initial_value_name: format!("{first}:0"),
            is_resource,
            trainable: *is_trained,
        };
        let value = if is_resource { read } else { name.clone() };
        all.push(InGraph { variable, is_resource, value, definition });
    }
    Ok((all, nodes))
}

/// A node that assigns a tensor to a variable.
pub(super) fn assignment(name: &str, variable: &Variable, is_resource: bool, value: &str) -> Result<NodeDef> {
    let dtype = Attr::Type(variable.value.dtype());
    if is_resource {
        return node(name, "AssignVariableOp", &[&variable.name, value], [("dtype", dtype)]);
    }
    node(name, "Assign", &[&variable.name, value], [("T", dtype), class_of(&variable.name)])
}

/// The attribute that puts a node on the device of a variable.
fn class_of(variable: &str) -> (&'static str, Attr) {
    ("_class", Attr::Strings(vec![format!("loc:@{variable}").into_bytes()]))
}

/// A name like this one that no node of the graph has.
fn free_name(graph: &Graph, mut name: String) -> String {
    while graph.find(&name).is_some() {
        name.push('_');
    }
    name
}

/// The collections of these variables.
pub(super) fn collections(variables: &[InGraph<'_>]) -> BTreeMap<String, CollectionDef> {
    let collection = |is_in: fn(&Variable) -> bool| {
        let listed = variables.iter().filter(|one| is_in(one.variable));
        let value = listed.map(|one| one.definition.encode_to_vec()).collect();
        CollectionDef { kind: Some(Kind::BytesList(BytesList { value })) }
    };
    let all = ALL.map(|name| (name.to_owned(), collection(|_| true)));
    let trained = (TRAINED.to_owned(), collection(|variable| variable.is_trained));
    all.into_iter().chain([trained]).collect()
}
