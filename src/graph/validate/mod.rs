//! Nodes as they are imported, checked against the definitions of their ops: TensorFlow refuses the same graphs.
//!
//! Source: `ValidateNodeDef` and `InOutTypesForNode` in `tensorflow/core/framework/node_def_util.cc`, and
//! `GraphConstructor` in `tensorflow/core/common_runtime/graph_constructor.cc`. Only declared types are compared, since
//! our graph may hold an element type where TensorFlow has a handle.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod attributes;

use std::rc::Rc;

use hashbrown::HashMap;

use super::op_definition::{Argument, ElementType, Form, OpDefinition};
use crate::error::{Error, Result};
use crate::proto::{FunctionDef, GraphDef, NodeDef};
use crate::tensor::DType;
use attributes::{check_attributes, check_missing, check_value};

/// A tensor that a node reads: its name in the node, and its type if that is declared.
pub struct Read<'a> {
    /// The name of the tensor.
    pub name: &'a str,
    /// The type of its elements.
    pub dtype: Option<DType>,
}

/// The nodes of a graph or of a function, by name.
pub struct Nodes<'a> {
    all: &'a [NodeDef],
    indices: HashMap<&'a str, usize>,
    /// The definitions that have been looked up.
    definitions: HashMap<&'a str, Option<OpDefinition>>,
    /// The declared types of the outputs of the node that was asked for last: a node that reads many outputs of another one
    /// would otherwise list them for each.
    last: Option<(usize, Rc<[Option<DType>]>)>,
}

impl<'a> Nodes<'a> {
    /// These nodes.
    ///
    /// # Errors
    /// If two of them have the same name.
    pub fn new(nodes: &'a [NodeDef]) -> Result<Self> {
        let mut indices: HashMap<&str, usize> = HashMap::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            if let Some(other) = indices.insert(&node.name, index).and_then(|other| nodes.get(other)) {
                let problem =
                    format!("two nodes have this name: {} and {}", described(other), described(node));
                return Err(refused(Error::new(format!("\"{}\"", node.name), problem)));
            }
        }
        Ok(Self { all: nodes, indices, definitions: HashMap::new(), last: None })
    }

    /// The nodes of a graph.
    ///
    /// # Errors
    /// If two nodes or two different functions have the same name.
    pub fn of_graph(graph: &'a GraphDef) -> Result<Self> {
        let functions = graph.library.iter().flat_map(|library| &library.function);
        let mut by_name: HashMap<&str, &FunctionDef> = HashMap::new();
        for function in functions {
            let Some(signature) = &function.signature else { continue };
            if by_name.insert(&signature.name, function).is_some_and(|other| other != function) {
                let subject = format!("function \"{}\"", signature.name);
                return Err(refused(Error::new(subject, "two different functions have this name")));
            }
        }
        Self::new(&graph.node)
    }

    /// All nodes.
    pub fn all(&self) -> &'a [NodeDef] {
        self.all
    }

    /// The index of the node of this name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }

    /// The node of this name.
    pub fn get(&self, name: &str) -> Option<&'a NodeDef> {
        self.index(name).and_then(|index| self.all.get(index))
    }

    /// Whether TensorFlow defines an op.
    pub fn defines(&mut self, op: &'a str) -> bool {
        self.definition(op).is_some()
    }

    fn definition(&mut self, op: &'a str) -> Option<OpDefinition> {
        *self
            .definitions
            .entry(op)
            .or_insert_with(|| OpDefinition::find(op).or_else(|| OpDefinition::find_unlisted(op)))
    }

    /// The declared types of a node's outputs; `None` if its op or their number is not known.
    fn output_types(&mut self, name: &str) -> Option<Rc<[Option<DType>]>> {
        let index = self.index(name)?;
        if let Some((_, types)) = self.last.as_ref().filter(|(last, _)| *last == index) {
            return Some(types.clone());
        }
        let node = self.all.get(index)?;
        let types: Rc<[Option<DType>]> = self.definition(&node.op)?.output_types(node)?.into();
        self.last = Some((index, types.clone()));
        Some(types)
    }

    /// The declared type of the output of a node whose op always has one, without a list of its types.
    fn only_output(&mut self, name: &str) -> Option<Option<DType>> {
        let node = self.get(name)?;
        self.definition(&node.op)?.only_output(node)
    }

    /// The declared type of an output of a node.
    pub fn output_type(&mut self, name: &str, port: usize) -> Option<DType> {
        *self.output_types(name)?.get(port)?
    }

    /// The inputs of a node that reads these outputs of other nodes, by the other nodes' names.
    ///
    /// # Errors
    /// If one of the outputs does not exist.
    pub fn reads<'n>(&mut self, node: &NodeDef, inputs: &[(&'n str, usize)]) -> Result<Vec<Read<'n>>> {
        let read = |&(name, port): &(&'n str, usize)| {
            if let Some(dtype) = self.only_output(name).filter(|_| port == 0) {
                return Ok(Read { name, dtype });
            }
            let types = self.output_types(name);
            let dtype = match (self.get(name), types) {
                (Some(producer), Some(types)) => *types.get(port).ok_or_else(|| {
                    let outputs = outputs(types.len());
                    refused(error(
                        node,
                        format!("it reads output {port} of {}, which has {outputs}", titled(producer)),
                    ))
                })?,
                _ => None,
            };
            Ok(Read { name, dtype })
        };
        inputs.iter().map(read).collect()
    }

    /// Checks a node that reads these tensors against the definition of its op; TensorFlow has to define it.
    ///
    /// # Errors
    /// If an attribute, the number of inputs or a type does not fit.
    pub fn check(&mut self, node: &'a NodeDef, reads: &[Read<'_>]) -> Result<()> {
        self.definition(&node.op).map_or(Ok(()), |definition| check(node, definition, reads))
    }

    /// The types that other nodes declare for the outputs of ops that TensorFlow does not define, by the names of the
    /// nodes with these ops: the types of the first outputs, as far as they are known.
    pub fn types_of_unknown_ops(&mut self, readers: &'a [NodeDef]) -> HashMap<&'a str, Vec<Option<DType>>> {
        let mut found: HashMap<&str, Vec<Option<DType>>> = HashMap::new();
        for reader in readers {
            let is_read = |input: &&String| !input.starts_with('^');
            for (index, input) in reader.input.iter().filter(is_read).enumerate() {
                let (name, output) = input.split_once(':').unwrap_or((input, "0"));
                let Some(producer) = self.get(name) else { continue };
                if self.definition(&producer.op).is_some() {
                    continue;
                }
                let output = output.rsplit(':').next().unwrap_or(output);
                let Some(port) = output.parse().ok().filter(|&port: &usize| port < MAX_PORTS) else {
                    continue;
                };
                let definition = self.definition(&reader.op);
                let dtype = definition.and_then(|definition| {
                    let count = reader.input.iter().filter(is_read).count();
                    let types = input_types(reader, definition, count)?;
                    types.get(index).and_then(|(_, dtype)| *dtype)
                });
                let ports = found.entry(&producer.name).or_default();
                ports.resize(ports.len().max(port.saturating_add(1)), None);
                if let Some(known) = ports.get_mut(port) {
                    *known = known.or(dtype);
                }
            }
        }
        found
    }
}

/// The most outputs that a node of an unknown op can have.
const MAX_PORTS: usize = 1 << 16;

fn check(node: &NodeDef, definition: OpDefinition, reads: &[Read<'_>]) -> Result<()> {
    check_attributes(node, definition)?;
    check_value(node)?;
    let types = input_types(node, definition, reads.len()).ok_or_else(|| {
        refused(error(node, format!("it has {}, and {}", inputs(reads.len()), takes(node, definition))))
    })?;
    // The types of missing attributes without a default, each with the input that determines it.
    let mut determined: Vec<(&str, DType, &str)> = vec![];
    for (read, (argument, expected)) in reads.iter().zip(types) {
        let Some(dtype) = read.dtype else { continue };
        let wrong = |why: String| {
            let input = format!("its input {} (\"{}\") is {dtype}", argument.name, read.name);
            Err(refused(error(node, format!("{input}, and {why}"))))
        };
        match (expected, argument.form) {
            // Some programs freeze a graph by replacing variables by constants, and leave the types of handles
            // to the nodes between.
            (Some(expected), _) if [expected, dtype].contains(&DType::Resource) => {}
            (Some(expected), form) if expected != dtype => return wrong(reason(form, expected)),
            (
                None,
                Form::One(ElementType::Attribute(name)) | Form::Number(_, ElementType::Attribute(name)),
            ) => match determined.iter().find(|(known, ..)| *known == name) {
                Some((_, other, input)) if *other != dtype => {
                    return wrong(format!("its input {input}, of the same type {name}, is {other}"));
                }
                Some(_) => {}
                None => determined.push((name, dtype, argument.name)),
            },
            _ => {}
        }
    }
    check_missing(node, definition)
}

/// The reason why an input must have a type, for an error.
fn reason(form: Form, expected: DType) -> String {
    match form {
        Form::One(ElementType::Attribute(name)) | Form::Number(_, ElementType::Attribute(name)) => {
            format!("its attribute {name} is {expected}")
        }
        Form::Types(name) => format!("its attribute {name} lists {expected} there"),
        _ => format!("the op takes {expected}"),
    }
}

/// The argument and the type of each of so many inputs of a node; `None` if there are too few or too many of them. A
/// list whose length no attribute has consists of the inputs that remain.
fn input_types(
    node: &NodeDef,
    definition: OpDefinition,
    input_count: usize,
) -> Option<Vec<(Argument, Option<DType>)>> {
    let counts = definition.inputs().map(|argument| definition.count(argument, node));
    let known = counts.clone().flatten().try_fold(0usize, usize::checked_add)?;
    let open = counts.clone().filter(Option::is_none).count();
    let rest = input_count.checked_sub(known)?;
    match open {
        0 if rest != 0 => return None,
        // It is not known where one list ends and the other begins.
        2.. => return Some(vec![]),
        _ => {}
    }
    let mut types = vec![];
    for (argument, count) in definition.inputs().zip(counts) {
        let count = count.unwrap_or(rest);
        let of_argument = definition.types(argument, count, node);
        types.extend(of_argument.into_iter().map(|dtype| (argument, dtype)));
    }
    Some(types)
}

fn error(node: &NodeDef, problem: impl std::fmt::Display) -> Error {
    Error::new(titled(node), problem)
}

fn titled(node: &NodeDef) -> String {
    format!("{} \"{}\"", node.op, node.name)
}

/// An op with its article.
fn described(node: &NodeDef) -> String {
    let article = if node.op.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {}", node.op)
}

fn refused(error: Error) -> Error {
    error.advice("TensorFlow does not load this graph either; export it again")
}

fn inputs(count: usize) -> String {
    if count == 1 { "1 input".to_owned() } else { format!("{count} inputs") }
}

fn outputs(count: usize) -> String {
    if count == 1 { "1 output".to_owned() } else { format!("{count} outputs") }
}

/// The inputs that an op accepts, in words.
fn takes(node: &NodeDef, definition: OpDefinition) -> String {
    let words: Vec<String> = definition
        .inputs()
        .map(|argument| match (argument.form, definition.count(argument, node)) {
            (Form::One(_), _) => argument.name.to_owned(),
            (_, Some(count)) => format!("{count} {}", argument.name),
            (_, None) => format!("any number of {}", argument.name),
        })
        .collect();
    match &words[..] {
        [] => "the op takes none".to_owned(),
        words => format!("the op takes {}", words.join(", ")),
    }
}
