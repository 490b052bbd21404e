//! The functions of a graph: the branches of a conditional, the body of a loop, the target of a call.
//!
//! Source: `tensorflow/core/framework/function.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

use super::call_depth::endless;
use super::function_body::{add_body, data_inputs};
use super::inferred::Inferred;
use super::limits::{Budget, Limits};
use super::node_def::dtype;
use super::op_definition::OpDefinition;
use super::{Attr, Graph, Inference, Node, Shape, TensorRef, TensorType};
use crate::error::{Error, Result};
use crate::proto::{FunctionDef, FunctionDefLibrary, NodeDef};
use crate::tensor::Constant;

/// The functions that a graph can call, by name. All graphs of a conversion share its budget.
#[derive(Debug, Clone)]
pub struct Library {
    functions: Arc<Functions>,
    budget: Arc<Budget>,
    /// The types of the results of functions that were called.
    inferred: Arc<Inferred>,
}

#[derive(Debug, Clone)]
struct Functions {
    /// How the types of nodes are inferred, in functions and in the graph that calls them.
    infer: Inference,
    by_name: HashMap<String, Arc<FunctionDef>>,
    /// Functions that were built from the nodes of a graph.
    built: HashMap<String, Arc<Function>>,
    /// Functions that cannot be expanded, because their calls are nested too deeply.
    endless: HashSet<String>,
}

/// A call of a function takes as long as so many nodes.
const CALL: usize = 8;

/// From so many outputs on, a node's outputs are counted before they are made.
const MANY: i64 = 1 << 10;

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
        Self::new(&FunctionDefLibrary::default(), infer, Limits::default())
    }

    /// The functions of a GraphDef, of which a conversion makes no more than `limits`.
    pub fn new(library: &FunctionDefLibrary, infer: Inference, limits: Limits) -> Self {
        let named = library.function.iter().filter_map(|function| {
            let name = function.signature.as_ref()?.name.clone();
            Some((name, Arc::new(function.clone())))
        });
        let by_name: HashMap<String, Arc<FunctionDef>> = named.collect();
        let endless = endless(&by_name);
        let functions = Arc::new(Functions { infer, by_name, built: HashMap::new(), endless });
        Self { functions, budget: Arc::new(Budget::new(limits)), inferred: Arc::default() }
    }

    /// The same functions without limits: for a graph that is evaluated, whose loops may run any number of times.
    #[must_use]
    pub fn without_limits(&self) -> Self {
        Self { budget: Arc::new(Budget::new(Limits::NONE)), ..self.clone() }
    }

    /// No functions, with the same budget. A graph that holds a library lets it be copied when it is extended.
    #[must_use]
    pub fn without_functions(&self) -> Self {
        Self { budget: self.budget.clone(), ..Self::empty(self.functions.infer) }
    }

    /// How much of the limits of the conversion is used.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Checks the number of a node's outputs, if its attributes say that they are many.
    pub(super) fn check_outputs(&self, node: &Node) -> Result<()> {
        let says_many = |attr: &Attr| match attr {
            Attr::Int(count) => *count >= MANY,
            Attr::Types(types) => types.len() as i64 >= MANY,
            _ => false,
        };
        if !node.attrs.values().any(says_many) {
            return Ok(());
        }
        let Some(definition) = OpDefinition::find(&node.op) else { return Ok(()) };
        let counts = definition.outputs().filter_map(|output| definition.count(output, node));
        let count = counts.fold(0, usize::saturating_add);
        self.budget.check_outputs(node.error("").subject(), count)
    }

    pub(super) fn infer(&self, graph: &Graph, node: &Node) -> Result<Vec<TensorType>> {
        (self.functions.infer)(graph, node)
    }

    /// Adds a function that is a graph already, under a name like this one that no other function has. Returns that name.
    pub fn define(&mut self, name: &str, mut function: Function) -> String {
        // Its nodes are copied into graphs that have their own library. If this one shared it, each function would keep a list of
        // all that were defined before.
        function.graph.set_library(self.without_functions());
        let mut name = name.to_owned();
        while self.functions.by_name.contains_key(&name) || self.functions.built.contains_key(&name) {
            name.push('_');
        }
        Arc::make_mut(&mut self.functions).built.insert(name.clone(), Arc::new(function));
        name
    }

    /// Whether a function was built from the nodes of a graph, whose names it still has.
    pub fn is_built(&self, name: &str) -> bool {
        self.functions.built.contains_key(name)
    }

    pub(super) fn built(&self, name: &str) -> Option<&Function> {
        self.functions.built.get(name).map(|function| &**function)
    }

    /// The functions of a GraphDef as TensorFlow's message, in the order of their names.
    pub fn definition(&self) -> FunctionDefLibrary {
        let mut named: Vec<(&String, &Arc<FunctionDef>)> = self.functions.by_name.iter().collect();
        named.sort_unstable_by_key(|(name, _)| *name);
        let function = named.into_iter().map(|(_, function)| (**function).clone()).collect();
        FunctionDefLibrary { function, ..FunctionDefLibrary::default() }
    }

    pub(super) fn find(&self, name: &str) -> Result<&FunctionDef> {
        let subject = || format!("function \"{name}\"");
        if self.functions.endless.contains(name) {
            return Err(Error::new(subject(), "it calls itself, or functions call each other too deeply"));
        }
        let found = self.functions.by_name.get(name).map(|function| &**function);
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
        if let Some(built) = self.functions.built.get(name) {
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
    /// If the function does not exist, it has another number of arguments, its nodes are invalid, or the calls add more nodes
    /// than the limit.
    pub fn expand(
        &self,
        name: &str,
        graph: &mut Graph,
        prefix: &str,
        arguments: &[TensorRef],
    ) -> Result<Vec<TensorRef>> {
        if let Some(built) = self.functions.built.get(name) {
            self.budget.charge_nodes(name, built.graph.len().saturating_add(CALL))?;
            return built.copy_into(graph, prefix, arguments);
        }
        let function = self.find(name)?;
        let Some(signature) = &function.signature else { return Ok(vec![]) };
        if signature.input_arg.len() != arguments.len() {
            let problem = format!(
                "it takes {} arguments and the call has {}",
                signature.input_arg.len(),
                arguments.len()
            );
            return Err(Error::new(format!("function \"{name}\""), problem));
        }
        self.budget.charge_nodes(name, function.node_def.len().saturating_add(CALL))?;
        add_body(function, graph, prefix, arguments)
            .map_err(|error| error.within(format!("function \"{name}\"")))
    }

    /// The types of a function's results for these call arguments.
    ///
    /// # Errors
    /// As for [`Library::expand`].
    pub fn types_of_results(&self, name: &str, arguments: &[Argument]) -> Result<Vec<TensorType>> {
        // Libraries that have been extended may have different built functions of one name.
        if self.is_built(name) {
            return Ok(self.function(name, "", arguments)?.result_types());
        }
        if let Some(known) = self.inferred.get(name, arguments) {
            return Ok(known);
        }
        let types = self.function(name, "", arguments)?.result_types();
        self.inferred.insert(name, arguments, &types);
        Ok(types)
    }

    /// The types of a function's results, as its signature names them.
    pub fn result_types(&self, name: &str) -> Result<Vec<TensorType>> {
        if let Some(built) = self.functions.built.get(name) {
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
            let inputs: Option<Vec<TensorRef>> =
                node.inputs.iter().map(|input| moved.get(input).copied()).collect();
            let inputs = inputs.ok_or_else(|| node.error("it is not after what it reads"))?;
            let (name, count) = (format!("{prefix}{}", node.name), node.outputs.len());
            let copy = graph.add_with_outputs(name, &node.op, inputs, node.attrs.clone(), &node.outputs)?;
            let ports = (0..count).map(|port| (TensorRef { node: id, port }, TensorRef { node: copy, port }));
            moved.extend(ports);
        }
        let results = self.results.iter().map(|result| moved.get(result).copied());
        results.collect::<Option<_>>().ok_or_else(|| Error::new("function", "the call has too few arguments"))
    }
}
