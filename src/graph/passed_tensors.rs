//! What becomes of a tensor that a node reads, also where the node passes it to functions.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::call_depth::{MAX_DEPTH, called};
use super::function::{Function, Library};
use super::function_body::{data_inputs, port};
use super::{Node, TensorRef};
use crate::error::{Error, Result};
use crate::proto::{FunctionDef, NodeDef};

/// What becomes of a tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses<'a> {
    /// The ops that read it, and as which of their inputs.
    pub ops: HashSet<(&'a str, usize)>,
    /// The outputs of the node, or the results of the function, that it is returned as.
    pub results: HashSet<usize>,
}

/// The outputs of an op that are one of its inputs in another form, by the op's name and the input's index.
pub type Forwarded = fn(&str, usize) -> &'static [usize];

/// Finds what becomes of tensors in functions, and of what some ops make of them.
#[derive(Debug)]
pub struct PassedTensors<'a> {
    library: &'a Library,
    forwarded: Forwarded,
    bodies: HashMap<&'a str, Rc<Body<'a>>>,
    /// What becomes of an argument, by the function's name and the argument's index.
    known: HashMap<(&'a str, usize), Rc<Uses<'a>>>,
}

impl<'a> PassedTensors<'a> {
    /// For the functions of a library.
    #[must_use]
    pub fn new(library: &'a Library, forwarded: Forwarded) -> Self {
        Self { library, forwarded, bodies: HashMap::new(), known: HashMap::new() }
    }

    /// What becomes of an input of a node, and in the functions that the node calls.
    ///
    /// # Errors
    /// If one of these functions does not exist, or functions call each other too deeply.
    pub fn uses(&mut self, node: &'a Node, input: usize) -> Result<Uses<'a>> {
        self.uses_by(&node.op, &node.called_functions().collect::<Vec<_>>(), input, MAX_DEPTH)
    }

    fn uses_by(
        &mut self,
        op: &'a str,
        functions: &[&'a str],
        input: usize,
        depth: usize,
    ) -> Result<Uses<'a>> {
        let (is_loop, argument) = match op {
            "While" | "StatelessWhile" => (true, Some(input)),
            "PartitionedCall" | "StatefulPartitionedCall" => (false, Some(input)),
            "If" | "StatelessIf" | "Case" | "StatelessCase" => (false, input.checked_sub(1)),
            _ => (false, None),
        };
        let mut found = Uses::default();
        let Some(argument) = argument else {
            found.ops.insert((op, input));
            found.results.extend((self.forwarded)(op, input));
            return Ok(found);
        };
        if is_loop {
            found.results.insert(argument);
        }
        let mut open = vec![argument];
        while let Some(argument) = open.pop() {
            for &function in functions {
                let uses = self.uses_in(function, argument, depth)?;
                found.ops.extend(&uses.ops);
                for &result in &uses.results {
                    // What an iteration returns is passed to the next one.
                    if found.results.insert(result) && is_loop {
                        open.push(result);
                    }
                }
            }
        }
        Ok(found)
    }

    /// What becomes of an argument of a function.
    fn uses_in(&mut self, function: &'a str, argument: usize, depth: usize) -> Result<Rc<Uses<'a>>> {
        if let Some(known) = self.known.get(&(function, argument)) {
            return Ok(known.clone());
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::new(
                format!("function \"{function}\""),
                "functions call each other too deeply",
            ));
        };
        let body = self.body(function)?;
        let mut uses = Uses::default();
        let mut open: Vec<Tensor> = body.arguments.get(argument).copied().into_iter().collect();
        let mut seen: HashSet<Tensor> = open.iter().copied().collect();
        while let Some(tensor) = open.pop() {
            uses.results.extend(body.results.get(&tensor).into_iter().flatten());
            for &(index, node) in body.readers.get(&tensor).into_iter().flatten() {
                let Some((op, functions)) = body.nodes.get(node) else { continue };
                let by_node = self.uses_by(op, functions, index, depth)?;
                uses.ops.extend(by_node.ops);
                let same = by_node.results.into_iter().map(|port| (node, port));
                open.extend(same.filter(|&same| seen.insert(same)));
            }
        }
        let uses = Rc::new(uses);
        self.known.insert((function, argument), uses.clone());
        Ok(uses)
    }

    fn body(&mut self, function: &'a str) -> Result<Rc<Body<'a>>> {
        if let Some(known) = self.bodies.get(function) {
            return Ok(known.clone());
        }
        let body = match self.library.built(function) {
            Some(built) => Body::of_graph(built),
            None => Body::of_definition(self.library.find(function)?),
        };
        let body = Rc::new(body);
        self.bodies.insert(function, body.clone());
        Ok(body)
    }
}

/// An output of a node, by the indices of both.
type Tensor = (usize, usize);

/// What the nodes of a function read.
#[derive(Debug, Default)]
struct Body<'a> {
    /// The ops of the nodes, and the functions that these call.
    nodes: Vec<(&'a str, Vec<&'a str>)>,
    arguments: Vec<Tensor>,
    /// The nodes that read a tensor, after the index of the input that it is.
    readers: HashMap<Tensor, Vec<(usize, usize)>>,
    /// The results that a tensor is.
    results: HashMap<Tensor, Vec<usize>>,
}

impl<'a> Body<'a> {
    fn of_graph(function: &'a Function) -> Self {
        let tensor = |tensor: &TensorRef| (tensor.node.index(), tensor.port);
        let mut body = Self { arguments: function.arguments.iter().map(tensor).collect(), ..Self::default() };
        for (id, node) in function.graph.nodes() {
            body.nodes.push((&node.op, node.called_functions().collect()));
            for (index, input) in node.inputs.iter().enumerate() {
                body.readers.entry(tensor(input)).or_default().push((index, id.index()));
            }
        }
        for (index, result) in function.results.iter().enumerate() {
            body.results.entry(tensor(result)).or_default().push(index);
        }
        body
    }

    /// Arguments are counted after the nodes.
    fn of_definition(function: &'a FunctionDef) -> Self {
        let nodes = &function.node_def;
        let signature = function.signature.as_ref();
        let arguments = signature.iter().flat_map(|signature| &signature.input_arg);
        let names =
            nodes.iter().map(|node| &node.name).chain(arguments.clone().map(|argument| &argument.name));
        let places: HashMap<&str, usize> =
            names.enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let tensor = |named: &str| {
            let (name, output) = named.split_once(':').unwrap_or((named, ""));
            let place = *places.get(name)?;
            Some((place, nodes.get(place).map_or(Some(0), |node: &NodeDef| port(node, output))?))
        };
        let mut body = Self {
            nodes: nodes.iter().map(|node| (node.op.as_str(), called(node).collect())).collect(),
            arguments: arguments.filter_map(|argument| tensor(&argument.name)).collect(),
            ..Self::default()
        };
        for (place, node) in nodes.iter().enumerate() {
            for (index, input) in data_inputs(node).enumerate() {
                if let Some(input) = tensor(input) {
                    body.readers.entry(input).or_default().push((index, place));
                }
            }
        }
        let results = signature.iter().flat_map(|signature| &signature.output_arg);
        for (index, result) in results.enumerate() {
            if let Some(result) = tensor(function.ret.get(&result.name).unwrap_or(&result.name)) {
                body.results.entry(result).or_default().push(index);
            }
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, Limits};
    use crate::proto::attr_value::Value;
    use crate::proto::op_def::ArgDef;
    use crate::proto::{AttrValue, FunctionDefLibrary, NameAttrList, OpDef};

    /// A function of two arguments, `a` and `b`, of nodes with an op, inputs and the functions they call.
    fn function(name: &str, nodes: &[(&str, &[&str], &[&str])], results: &[&str]) -> FunctionDef {
        let arguments = |names: &[&str]| {
            names.iter().map(|&name| ArgDef { name: name.into(), ..ArgDef::default() }).collect()
        };
        let outputs: Vec<String> = (0..results.len()).map(|index| format!("out{index}")).collect();
        let signature = OpDef {
            name: name.into(),
            input_arg: arguments(&["a", "b"]),
            output_arg: arguments(&outputs.iter().map(String::as_str).collect::<Vec<_>>()),
            ..OpDef::default()
        };
        let nodes = nodes.iter().enumerate().map(|(index, (op, inputs, called))| {
            let called = called.iter().enumerate().map(|(index, &name)| {
                let function =
                    Value::Func(Box::new(NameAttrList { name: name.into(), ..NameAttrList::default() }));
                (format!("f{index}"), AttrValue { value: Some(function) })
            });
            NodeDef {
                name: format!("n{index}"),
                op: (*op).into(),
                input: inputs.iter().map(|&input| input.into()).collect(),
                attr: called.collect(),
                ..NodeDef::default()
            }
        });
        FunctionDef {
            signature: Some(signature),
            node_def: nodes.collect(),
            ret: outputs.into_iter().zip(results.iter().map(|&result| result.into())).collect(),
            ..FunctionDef::default()
        }
    }

    fn uses_of(
        functions: Vec<FunctionDef>,
        op: &str,
        called: &str,
        input: usize,
    ) -> (Vec<String>, Vec<usize>) {
        let definitions = FunctionDefLibrary { function: functions, ..FunctionDefLibrary::default() };
        let library = Library::new(&definitions, |_, _| Ok(vec![]), Limits::default());
        let attrs = Attrs::from([("f", Attr::Function(called.into()))]);
        let node = Node { name: "call".into(), op: op.into(), inputs: vec![], attrs, outputs: vec![] };
        let same = |op: &str, input| if op == "Identity" && input == 0 { &[0][..] } else { &[] };
        let uses = PassedTensors::new(&library, same).uses(&node, input).unwrap();
        let mut ops: Vec<String> = uses.ops.iter().map(|(op, input)| format!("{op} {input}")).collect();
        let mut results: Vec<usize> = uses.results.into_iter().collect();
        ops.sort();
        results.sort_unstable();
        (ops, results)
    }

    #[test]
    fn tensors_are_followed_into_the_functions_of_functions() {
        let called = function(
            "called",
            &[("Neg", &["a"], &[]), ("Identity", &["b"], &[])],
            &["n0:y:0", "n1:output:0"],
        );
        let caller = function(
            "caller",
            &[("If", &["b", "b", "a"], &["called", "called"]), ("Sub", &["b", "n0:output:1"], &[])],
            &["n0:output:1", "a", "n0:output:0"],
        );
        let functions = vec![called, caller];
        let found = uses_of(functions.clone(), "PartitionedCall", "caller", 0);
        assert_eq!(found, (vec!["Identity 0".into(), "Sub 1".into()], vec![0, 1]));
        let found = uses_of(functions, "PartitionedCall", "caller", 1);
        assert_eq!(found, (vec!["If 0".into(), "Neg 0".into(), "Sub 0".into()], vec![]));
    }

    #[test]
    fn what_an_iteration_returns_is_passed_to_the_next_one() {
        let body = function("body", &[("Neg", &["b"], &[])], &["n0:y:0", "a"]);
        assert_eq!(uses_of(vec![body], "While", "body", 0), (vec!["Neg 0".into()], vec![0, 1]));
    }
}
