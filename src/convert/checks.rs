//! Notes about ops that only check or print, which the model does not have.

use hashbrown::{HashMap, HashSet};

use super::{Note, NoteKind};
use crate::graph::node_def::functions;
use crate::graph::{Graph, TensorRef};
use crate::proto::attr_value::Value;
use crate::proto::{GraphDef, NodeDef};
use crate::suggestion::first_of;

/// How many of them a note names.
const LISTED: usize = 3;

/// Whether an op stops the run if a condition does not hold.
fn checks(op: &str) -> bool {
    matches!(op, "Assert" | "CheckNumerics" | "CheckNumericsV2" | "EnsureShape")
}

fn prints(op: &str) -> bool {
    matches!(op, "Print" | "PrintV2")
}

/// Notes about the checks and prints that TensorFlow runs when it computes the nodes `roots`: those that a root depends on, also by
/// control edges and in functions. The nodes `fed`, and those that only they depend on, do not run.
pub(super) fn notes_of_checks<'a>(
    definition: &'a GraphDef,
    nodes: &HashMap<&str, &'a NodeDef>,
    roots: &'a [String],
    fed: &HashSet<&str>,
) -> Vec<Note> {
    let functions = functions(definition);
    let mut nodes_of_all =
        definition.node.iter().chain(functions.values().flat_map(|function| &function.node_def));
    if !nodes_of_all.any(|node| checks(&node.op) || prints(&node.op)) {
        return vec![];
    }
    let mut found = Found::default();
    found.add(nodes, roots.iter().map(String::as_str).collect(), fed);
    let mut called: HashSet<&str> = HashSet::new();
    while let Some(name) = found.calls.pop() {
        let Some(function) = functions.get(name).filter(|_| called.insert(name)) else { continue };
        let nodes = function.node_def.iter().map(|node| (node.name.as_str(), node)).collect();
        let results = function.ret.values().chain(function.control_ret.values());
        found.add(&nodes, results.map(|tensor| node_of(tensor)).collect(), &HashSet::new());
    }
    let left_out = [
        (found.note("check", checks), "; ONNX has no operator that stops a run"),
        (found.note("print", prints), "; the model prints nothing"),
    ];
    let with_reason = |(text, reason): (Option<String>, &str)| {
        text.map(|text| Note::info(NoteKind::Checks, format!("{text}{reason}")))
    };
    left_out.into_iter().filter_map(with_reason).collect()
}

/// The nodes on branches that a known condition does not take, such as those for training.
pub(super) fn untaken(graph: &Graph) -> HashSet<String> {
    let mut dead: HashSet<TensorRef> = HashSet::new();
    let mut names = HashSet::new();
    for (id, node) in graph.nodes() {
        let mut inputs = node.inputs.iter().map(|input| dead.contains(input));
        let is_dead =
            if node.is_merge() { inputs.all(|is_dead| is_dead) } else { inputs.any(|is_dead| is_dead) };
        let condition = node.inputs.get(1).filter(|_| node.is_switch());
        let untaken =
            condition.and_then(|&condition| flag(graph, condition)).map(|taken| usize::from(!taken));
        if is_dead && !node.inputs.is_empty() {
            names.insert(node.name.clone());
            dead.extend((0..node.outputs.len()).map(|port| TensorRef { node: id, port }));
        }
        dead.extend(untaken.map(|port| TensorRef { node: id, port }));
    }
    names
}

/// A condition that is known.
fn flag(graph: &Graph, condition: TensorRef) -> Option<bool> {
    let tensor = graph.origin(condition);
    let node = graph.node(tensor.node);
    match node.inputs.first().filter(|_| node.op == "LogicalNot") {
        Some(&input) => {
            let constant = graph.constant(graph.origin(input))?;
            Some(constant.bytes().ok()?.first() == Some(&0))
        }
        None => Some(graph.constant(tensor)?.bytes().ok()?.first() != Some(&0)),
    }
}

/// What runs: the checks and prints, and the functions that are called.
#[derive(Default)]
struct Found<'a> {
    nodes: Vec<&'a NodeDef>,
    calls: Vec<&'a str>,
}

impl<'a> Found<'a> {
    /// Adds what the nodes `open` depend on, among `nodes`.
    fn add(&mut self, nodes: &HashMap<&str, &'a NodeDef>, mut open: Vec<&'a str>, fed: &HashSet<&str>) {
        let mut seen: HashSet<&str> = HashSet::new();
        while let Some(name) = open.pop() {
            let Some(&node) = nodes.get(name).filter(|_| !fed.contains(name) && seen.insert(name)) else {
                continue;
            };
            if checks(&node.op) || prints(&node.op) {
                self.nodes.push(node);
            }
            open.extend(node.input.iter().map(|input| node_of(input)));
            self.calls.extend(called(node));
        }
    }

    /// How many of them have one of these ops, which ops these are, and the first names.
    fn note(&self, what: &str, has: fn(&str) -> bool) -> Option<String> {
        let mut nodes: Vec<&NodeDef> = self.nodes.iter().copied().filter(|node| has(&node.op)).collect();
        nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        let mut ops: Vec<&str> = nodes.iter().map(|node| node.op.as_str()).collect();
        ops.sort_unstable();
        ops.dedup();
        let (ops, listed) = (ops.join(", "), first_of(&names, LISTED));
        match names.len() {
            0 => None,
            1 => Some(format!("1 {what} ({ops}) is left out: {listed}")),
            count => Some(format!("{count} {what}s ({ops}) are left out: {listed}")),
        }
    }
}

/// The name of the node that an input is an output of, or has a control edge from.
fn node_of(input: &str) -> &str {
    let input = input.strip_prefix('^').unwrap_or(input);
    input.split(':').next().unwrap_or_default()
}

/// The functions that a node may call.
fn called(node: &NodeDef) -> impl Iterator<Item = &str> {
    let values = node.attr.values().filter_map(|attr| attr.value.as_ref());
    let functions = values.flat_map(|value| match value {
        Value::Func(function) => vec![&**function],
        Value::List(list) => list.func.iter().collect(),
        _ => vec![],
    });
    // A function can also be the op itself.
    functions.map(|function| function.name.as_str()).chain([node.op.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{AttrValue, FunctionDef, FunctionDefLibrary, NameAttrList, OpDef};

    fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
        let input = inputs.iter().map(|&input| input.to_owned()).collect();
        NodeDef { name: name.to_owned(), op: op.to_owned(), input, ..NodeDef::default() }
    }

    fn notes(definition: &GraphDef, fed: &[&str]) -> Vec<String> {
        let nodes = definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
        let fed = fed.iter().copied().collect();
        let notes = notes_of_checks(definition, &nodes, &["y".to_owned()], &fed);
        notes.iter().map(Note::to_string).collect()
    }

    #[test]
    fn checks_and_prints_are_counted_where_the_outputs_depend_on_them() {
        let nodes = vec![
            node("x", "Placeholder", &[]),
            node("before", "Assert", &["x"]),
            node("start", "Identity", &["x:0", "^before"]),
            node("finite", "CheckNumerics", &["start"]),
            node("shown", "Print", &["finite:0", "x"]),
            node("y", "Relu", &["shown"]),
            node("metric", "Assert", &["y"]),
        ];
        let definition = GraphDef { node: nodes, ..GraphDef::default() };
        let print = "note: 1 print (Print) is left out: shown; the model prints nothing";
        let checks = |text: &str| format!("note: {text}; ONNX has no operator that stops a run");
        let two = checks("2 checks (Assert, CheckNumerics) are left out: before, finite");
        assert_eq!(notes(&definition, &[]), [&two, print]);
        let one = checks("1 check (CheckNumerics) is left out: finite");
        assert_eq!(notes(&definition, &["start"]), [&one, print]);
        assert!(notes(&definition, &["shown"]).is_empty());
    }

    #[test]
    fn checks_in_called_functions_count_once() {
        let function = FunctionDef {
            signature: Some(OpDef { name: "f".to_owned(), ..OpDef::default() }),
            node_def: vec![
                node("a", "Assert", &["x"]),
                node("b", "Assert", &["x"]),
                node("r", "Relu", &["x", "^b"]),
            ],
            ret: [("result".to_owned(), "r:activations:0".to_owned())].into(),
            control_ret: [("a".to_owned(), "a".to_owned())].into(),
            ..FunctionDef::default()
        };
        let calls = |name: &str, input: &str| {
            let f = Value::Func(NameAttrList { name: "f".to_owned(), ..NameAttrList::default() }.into());
            let attr = [("f".to_owned(), AttrValue { value: Some(f) })].into();
            NodeDef { attr, ..node(name, "PartitionedCall", &[input]) }
        };
        let definition = GraphDef {
            node: vec![node("x", "Placeholder", &[]), calls("once", "x"), calls("y", "once")],
            library: Some(FunctionDefLibrary { function: vec![function], ..FunctionDefLibrary::default() }),
            ..GraphDef::default()
        };
        let expected = "note: 2 checks (Assert) are left out: a, b; ONNX has no operator that stops a run";
        assert_eq!(notes(&definition, &[]), [expected]);
    }
}
