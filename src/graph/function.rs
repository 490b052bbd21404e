//! The functions of a graph: the branches of a conditional, the body of a loop, the target of a call.
//!
//! Source: `tensorflow/core/framework/function.proto`. Inside a function, a tensor is named by its node, the name
//! of one of the op's outputs and an index in that output: `node:out:0`.

use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

use super::import::{add_node, dtype};
use super::op_definition::OpDefinition;
use super::validate::{Nodes, Read};
use super::{Attr, Graph, Inference, Node, Shape, TensorRef, TensorType};
use crate::error::{Error, Result};
use crate::proto::{FunctionDef, FunctionDefLibrary, NodeDef};
use crate::tensor::{Constant, DType};

/// The functions that a graph can call, by name.
#[derive(Debug, Clone)]
pub struct Library(Arc<Functions>);

#[derive(Debug, Clone)]
struct Functions {
    /// How the types of nodes are inferred, in functions and in the graph that calls them.
    infer: Inference,
    by_name: HashMap<String, Arc<FunctionDef>>,
    /// Functions that were built from the nodes of a graph.
    built: HashMap<String, Arc<Function>>,
    /// Functions that call themselves, or whose calls are nested deeper than [`MAX_DEPTH`].
    endless: HashSet<String>,
}

/// The longest chain of calls from function to function.
const MAX_DEPTH: usize = 24;

/// An argument of a call.
#[derive(Debug, Clone)]
pub enum Argument {
    /// A tensor that is known before the model runs.
    Known(Constant),
    /// A tensor of this type.
    Open(TensorType),
}

/// A function as a graph of its own.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its nodes.
    pub graph: Graph,
    /// The nodes of its arguments: placeholders, and constants for those that are known.
    pub arguments: Vec<TensorRef>,
    /// The tensors that it returns.
    pub results: Vec<TensorRef>,
}

impl Library {
    /// No functions.
    pub fn empty(infer: Inference) -> Self {
        Self::new(&FunctionDefLibrary::default(), infer)
    }

    /// The functions of a GraphDef.
    pub fn new(library: &FunctionDefLibrary, infer: Inference) -> Self {
        let named = library.function.iter().filter_map(|function| {
            let name = function.signature.as_ref()?.name.clone();
            Some((name, Arc::new(function.clone())))
        });
        let by_name: HashMap<String, Arc<FunctionDef>> = named.collect();
        let mut depths = HashMap::new();
        for name in by_name.keys() {
            depth(&by_name, name, &mut depths);
        }
        let is_endless = |(_, depth): &(&str, Depth)| !matches!(depth, Depth::Known(1..=MAX_DEPTH));
        let endless = depths.into_iter().filter(is_endless).map(|(name, _)| name.to_owned()).collect();
        Self(Arc::new(Functions { infer, by_name, built: HashMap::new(), endless }))
    }

    pub(super) fn infer(&self, graph: &Graph, node: &Node) -> Result<Vec<TensorType>> {
        (self.0.infer)(graph, node)
    }

    /// Adds a function that is a graph already, under a name like this one that no other function has. Returns that name.
    pub fn define(&mut self, name: &str, function: Function) -> String {
        let mut name = name.to_owned();
        while self.0.by_name.contains_key(&name) || self.0.built.contains_key(&name) {
            name.push('_');
        }
        Arc::make_mut(&mut self.0).built.insert(name.clone(), Arc::new(function));
        name
    }

    /// Whether a function was built from the nodes of a graph, whose names it still has.
    pub fn is_built(&self, name: &str) -> bool {
        self.0.built.contains_key(name)
    }

    fn find(&self, name: &str) -> Result<&FunctionDef> {
        let subject = || format!("function \"{name}\"");
        if self.0.endless.contains(name) {
            return Err(Error::new(subject(), "it calls itself, or functions call each other too deeply"));
        }
        let found = self.0.by_name.get(name).map(|function| &**function);
        found.ok_or_else(|| Error::new(subject(), "the graph calls it, but does not contain it"))
    }

    /// The function as a graph of its own, in which all nodes' names begin with `prefix`.
    ///
    /// # Errors
    /// As for [`Library::expand`].
    pub fn function(&self, name: &str, prefix: &str, values: &[Argument]) -> Result<Function> {
        let mut graph = Graph::with_library(self.clone());
        let mut arguments = vec![];
        for (argument, value) in self.argument_names(name)?.into_iter().zip(values) {
            let name = format!("{prefix}{argument}");
            let node = match value {
                Argument::Known(constant) => {
                    let attrs = [("value", Attr::Tensor(constant.clone()))];
                    graph.add(name, "Const", vec![], attrs.into())?
                }
                Argument::Open(known) => {
                    let attrs =
                        [("dtype", Attr::Type(known.dtype)), ("shape", Attr::Shape(known.shape.clone()))];
                    graph.add(name, "Placeholder", vec![], attrs.into())?
                }
            };
            arguments.push(node.into());
        }
        let results = self.expand(name, &mut graph, prefix, &arguments)?;
        Ok(Function { graph, arguments, results })
    }

    /// The names of a function's arguments.
    fn argument_names(&self, name: &str) -> Result<Vec<String>> {
        if let Some(built) = self.0.built.get(name) {
            let named = built.arguments.iter().map(|argument| built.graph.node(argument.node).name.clone());
            return Ok(named.collect());
        }
        let arguments = self.find(name)?.signature.iter().flat_map(|signature| &signature.input_arg);
        Ok(arguments.map(|argument| argument.name.clone()).collect())
    }

    /// For each argument of a loop's body, whether the body returns it unchanged.
    ///
    /// # Errors
    /// If the function does not exist.
    pub fn invariants(&self, body: &str) -> Result<Vec<bool>> {
        let function = self.find(body)?;
        let Some(signature) = &function.signature else { return Ok(vec![]) };
        let nodes: HashMap<&str, &NodeDef> =
            function.node_def.iter().map(|node| (node.name.as_str(), node)).collect();
        let source = |result: &str| -> String {
            let mut name = function.ret.get(result).map_or(result, String::as_str);
            // No more steps than there are nodes, since the nodes may form a cycle.
            for _ in 0..=nodes.len() {
                match nodes.get(name.split(':').next().unwrap_or(name)) {
                    Some(node) if node.op == "Identity" => match data_inputs(node).next() {
                        Some(input) => name = input,
                        None => break,
                    },
                    _ => break,
                }
            }
            name.to_owned()
        };
        let pairs = signature.input_arg.iter().zip(&signature.output_arg);
        Ok(pairs.map(|(argument, result)| source(&result.name) == argument.name).collect())
    }

    /// The function as a graph of its own: its arguments are placeholders of the types of `arguments`.
    /// Returns the graph, the placeholders and the results.
    ///
    /// # Errors
    /// As for [`Library::expand`].
    pub fn graph(
        &self,
        name: &str,
        arguments: &[TensorType],
    ) -> Result<(Graph, Vec<TensorRef>, Vec<TensorRef>)> {
        let mut graph = Graph::with_library(self.clone());
        let mut placeholders = vec![];
        for (argument, known) in self.argument_names(name)?.into_iter().zip(arguments) {
            let attrs = [("dtype", Attr::Type(known.dtype)), ("shape", Attr::Shape(known.shape.clone()))];
            let node = graph.add(argument, "Placeholder", vec![], attrs.into())?;
            placeholders.push(node.into());
        }
        let results = self.expand(name, &mut graph, "", &placeholders)?;
        Ok((graph, placeholders, results))
    }

    /// Adds the nodes of a function to `graph`, with names that begin with `prefix`, and returns the
    /// function's results.
    ///
    /// # Errors
    /// If the function does not exist, it has another number of arguments, or its nodes are invalid.
    pub fn expand(
        &self,
        name: &str,
        graph: &mut Graph,
        prefix: &str,
        arguments: &[TensorRef],
    ) -> Result<Vec<TensorRef>> {
        if let Some(built) = self.0.built.get(name) {
            return built.copy_into(graph, prefix, arguments);
        }
        let function = self.find(name)?;
        let within = |error: Error| error.within(format!("function \"{name}\""));
        let Some(signature) = &function.signature else { return Ok(vec![]) };
        if signature.input_arg.len() != arguments.len() {
            let problem = format!(
                "it takes {} arguments and the call has {}",
                signature.input_arg.len(),
                arguments.len()
            );
            return Err(Error::new(format!("function \"{name}\""), problem));
        }
        let mut nodes = Nodes::new(&function.node_def).map_err(within)?;
        let unknown = nodes.types_of_unknown_ops(&function.node_def);
        let types =
            signature.input_arg.iter().map(|argument| (&*argument.name, DType::from_proto(argument.r#type)));
        let mut body = Body {
            nodes,
            unknown,
            types: types.collect(),
            added: HashMap::new(),
            open: HashSet::new(),
            graph,
            prefix,
        };
        for (argument, &tensor) in signature.input_arg.iter().zip(arguments) {
            body.added.insert(&argument.name, vec![tensor]);
        }
        let results = signature.output_arg.iter().map(|output| {
            let named = function.ret.get(&output.name).map_or(output.name.as_str(), String::as_str);
            body.tensor(named)
        });
        results.collect::<Result<Vec<_>>>().map_err(within)
    }

    /// The types of a function's results, as its signature names them.
    pub fn result_types(&self, name: &str) -> Result<Vec<TensorType>> {
        if let Some(built) = self.0.built.get(name) {
            return Ok(built.result_types());
        }
        let signature = self.find(name)?.signature.iter().flat_map(|signature| &signature.output_arg);
        signature.map(|output| Ok(TensorType::new(dtype(output.r#type)?, Shape::UNKNOWN))).collect()
    }
}

impl Function {
    /// The types of its results.
    pub fn result_types(&self) -> Vec<TensorType> {
        self.results.iter().map(|&result| self.graph.tensor_type(result).clone()).collect()
    }

    /// Copies its nodes into a graph, with names that begin with `prefix`, and returns its results in that graph.
    fn copy_into(&self, graph: &mut Graph, prefix: &str, arguments: &[TensorRef]) -> Result<Vec<TensorRef>> {
        let mut moved: HashMap<TensorRef, TensorRef> =
            self.arguments.iter().copied().zip(arguments.iter().copied()).collect();
        for (id, node) in self.graph.nodes().filter(|&(id, _)| !self.arguments.contains(&id.into())) {
            let inputs = node.inputs.iter().map(|input| moved[input]).collect();
            let (name, count) = (format!("{prefix}{}", node.name), node.outputs.len());
            let copy = graph.add_with_outputs(name, &node.op, inputs, node.attrs.clone(), &node.outputs)?;
            let ports = (0..count).map(|port| (TensorRef { node: id, port }, TensorRef { node: copy, port }));
            moved.extend(ports);
        }
        Ok(self.results.iter().map(|result| moved[result]).collect())
    }
}

/// The depth of the calls of a function.
#[derive(Clone, Copy)]
enum Depth {
    /// Its calls are being followed.
    Open,
    Known(usize),
    Endless,
}

/// Finds the depth of a function and of those it calls. Stops following calls that are too deep.
fn depth<'a>(
    functions: &'a HashMap<String, Arc<FunctionDef>>,
    name: &'a str,
    depths: &mut HashMap<&'a str, Depth>,
) -> Depth {
    fn follow<'a>(
        functions: &'a HashMap<String, Arc<FunctionDef>>,
        name: &'a str,
        depths: &mut HashMap<&'a str, Depth>,
        left: usize,
    ) -> Depth {
        match (depths.get(name), functions.get(name)) {
            (Some(Depth::Open), _) => return Depth::Endless,
            (Some(&known), _) => return known,
            (None, None) => return Depth::Known(0),
            (None, Some(_)) if left == 0 => return Depth::Endless,
            (None, Some(_)) => {}
        }
        depths.insert(name, Depth::Open);
        let mut deepest = Depth::Known(0);
        for called in functions.get(name).into_iter().flat_map(|function| &function.node_def).flat_map(called)
        {
            deepest = match (deepest, follow(functions, called, depths, left - 1)) {
                (Depth::Known(a), Depth::Known(b)) => Depth::Known(a.max(b)),
                _ => Depth::Endless,
            };
        }
        let depth = match deepest {
            Depth::Known(depth) => Depth::Known(depth + 1),
            other => other,
        };
        depths.insert(name, depth);
        depth
    }
    follow(functions, name, depths, 4 * MAX_DEPTH)
}

/// The functions that a node calls.
fn called(node: &NodeDef) -> impl Iterator<Item = &str> {
    use crate::proto::attr_value::Value;
    node.attr.values().filter_map(|attr| attr.value.as_ref()).flat_map(|value| match value {
        Value::Func(function) => vec![function.name.as_str()],
        Value::List(list) => list.func.iter().map(|function| function.name.as_str()).collect(),
        _ => vec![],
    })
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

fn data_inputs(node: &NodeDef) -> impl Iterator<Item = &str> {
    node.input.iter().map(String::as_str).filter(|input| !input.starts_with('^'))
}

/// The port of a tensor of a node by the name of the op's output and the index in it. The outputs of an op that TensorFlow
/// does not define are counted from the first.
fn port(node: &NodeDef, output: &str) -> Option<usize> {
    let (name, index) = output.rsplit_once(':').unwrap_or((output, "0"));
    let index: usize = index.parse().ok()?;
    match OpDefinition::find(&node.op) {
        // The name alone means the first tensor of the op's first output.
        Some(_) if output.is_empty() => Some(0),
        Some(definition) => definition.port(name, index, node),
        None => Some(index),
    }
}
