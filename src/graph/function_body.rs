//! The nodes of a function, as they are added to a graph.
//!
//! Source: `tensorflow/core/framework/function.proto`. Inside a function, a tensor is named by its node, the name
//! of one of the op's outputs and an index in that output: `node:out:0`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use hashbrown::{HashMap, HashSet};

use super::import::add_node;
use super::op_definition::OpDefinition;
use super::validate::{Nodes, Read};
use super::{Graph, TensorRef};
use crate::error::{Error, Result};
use crate::proto::{FunctionDef, NodeDef};
use crate::tensor::DType;

/// Adds the nodes of a function to `graph`, with names that begin with `prefix`, and returns the function's results.
/// `arguments` are as many as the function has.
///
/// # Errors
/// If the nodes are invalid.
pub fn add_body(
    function: &FunctionDef,
    graph: &mut Graph,
    prefix: &str,
    arguments: &[TensorRef],
) -> Result<Vec<TensorRef>> {
    let Some(signature) = &function.signature else { return Ok(vec![]) };
    let mut nodes = Nodes::new(&function.node_def)?;
    let unknown = nodes.types_of_unknown_ops(&function.node_def);
    let types =
        signature.input_arg.iter().map(|argument| (&*argument.name, DType::from_proto(argument.r#type)));
    let added = signature.input_arg.iter().zip(arguments);
    let mut body = Body {
        nodes,
        unknown,
        types: types.collect(),
        added: added.map(|(argument, &tensor)| (&*argument.name, vec![tensor])).collect(),
        open: HashSet::new(),
        graph,
        prefix,
    };
    let results = signature.output_arg.iter().map(|output| {
        let named = function.ret.get(&output.name).map_or(output.name.as_str(), String::as_str);
        body.tensor(named)
    });
    results.collect()
}

/// A function whose nodes are being added to a graph.
struct Body<'a, 'g> {
    nodes: Nodes<'a>,
    /// The known output types of ops that TensorFlow does not define.
    unknown: HashMap<&'a str, Vec<Option<DType>>>,
    /// The types of the arguments.
    types: HashMap<&'a str, Option<DType>>,
    /// The tensors of arguments and of nodes that have been added.
    added: HashMap<&'a str, Vec<TensorRef>>,
    /// Nodes whose inputs are being added.
    open: HashSet<&'a str>,
    graph: &'g mut Graph,
    prefix: &'g str,
}

impl<'a> Body<'a, '_> {
    /// A tensor by its name in the function. Adds the nodes that it needs.
    fn tensor(&mut self, name: &'a str) -> Result<TensorRef> {
        let (node, output) = name.split_once(':').unwrap_or((name, ""));
        self.add_with_inputs(node)?;
        let port = self.port(node, output)?;
        self.added
            .get(node)
            .and_then(|outputs| outputs.get(port))
            .copied()
            .ok_or_else(|| Error::new(format!("tensor \"{name}\""), "nothing in the function computes it"))
    }

    fn port(&self, node: &str, output: &str) -> Result<usize> {
        self.nodes.get(node).map_or(Ok(0), |node| {
            port(node, output).ok_or_else(|| {
                Error::new(format!("{} \"{}\"", node.op, node.name), format!("it has no output {output}"))
            })
        })
    }

    /// Checks a node against the definition of its op.
    fn check(&mut self, node: &'a NodeDef) -> Result<()> {
        let mut reads = vec![];
        for input in data_inputs(node) {
            let (name, output) = input.split_once(':').unwrap_or((input, ""));
            let dtype = match self.types.get(name) {
                Some(&dtype) => dtype,
                None => self.nodes.output_type(name, self.port(name, output)?),
            };
            reads.push(Read { name: input, dtype });
        }
        self.nodes.check(node, &reads)
    }

    /// Adds a node after the nodes that it reads, with an explicit stack.
    fn add_with_inputs(&mut self, name: &'a str) -> Result<()> {
        let mut stack = vec![name];
        while let Some(&name) = stack.last() {
            if self.added.contains_key(name) {
                stack.pop();
                continue;
            }
            let Some(node) = self.nodes.get(name) else {
                return Err(Error::new(format!("\"{name}\""), "nothing in the function has this name"));
            };
            let is_new = self.open.insert(name);
            let before = stack.len();
            stack.extend(
                data_inputs(node)
                    .map(|input| input.split(':').next().unwrap_or(input))
                    .filter(|input| !self.added.contains_key(input)),
            );
            if stack.len() > before {
                if !is_new {
                    return Err(Error::new(format!("{} \"{name}\"", node.op), "it is part of a loop"));
                }
                continue;
            }
            let inputs: Result<Vec<TensorRef>> = data_inputs(node).map(|input| self.tensor(input)).collect();
            self.check(node)?;
            let outputs = self.unknown.get(name).map_or(&[][..], Vec::as_slice);
            let id = add_node(self.graph, node, &format!("{}{name}", self.prefix), inputs?, outputs)?;
            let ports = self.graph.node(id).outputs.len();
            self.added.insert(name, (0..ports).map(|port| TensorRef { node: id, port }).collect());
            stack.pop();
        }
        Ok(())
    }
}

/// The names of the tensors that a node of a function reads.
pub fn data_inputs(node: &NodeDef) -> impl Iterator<Item = &str> {
    node.input.iter().map(String::as_str).filter(|input| !input.starts_with('^'))
}

/// The port of a tensor of a node by the name of the op's output and the index in it. The outputs of an op that TensorFlow
/// does not define are counted from the first.
pub fn port(node: &NodeDef, output: &str) -> Option<usize> {
    let (name, index) = output.rsplit_once(':').unwrap_or((output, "0"));
    let index: usize = index.parse().ok()?;
    match OpDefinition::find(&node.op) {
        // The name alone means the first tensor of the op's first output.
        Some(_) if output.is_empty() => Some(0),
        Some(definition) => definition.port(name, index, node),
        None => Some(index),
    }
}
