//! What a function does with its arguments, as far as the names of its nodes' inputs say.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use hashbrown::{HashMap, HashSet};

use super::function::Library;
use super::function_body::data_inputs;
use crate::error::Result;
use crate::proto::NodeDef;

/// The nodes of a function that read each of its tensors.
#[derive(Debug)]
pub struct FunctionReaders<'a> {
    arguments: Vec<&'a str>,
    /// By the name of an argument or a node: the nodes that read it, and as which of their inputs.
    readers: HashMap<&'a str, Vec<(usize, &'a NodeDef)>>,
}

impl Library {
    /// The nodes of a function that read each of its tensors.
    ///
    /// # Errors
    /// If the function does not exist.
    pub fn readers_in(&self, function: &str) -> Result<FunctionReaders<'_>> {
        let function = self.find(function)?;
        let mut readers: HashMap<&str, Vec<(usize, &NodeDef)>> = HashMap::new();
        for node in &function.node_def {
            for (index, input) in data_inputs(node).enumerate() {
                let name = input.split(':').next().unwrap_or(input);
                readers.entry(name).or_default().push((index, node));
            }
        }
        let arguments = function.signature.iter().flat_map(|signature| &signature.input_arg);
        Ok(FunctionReaders { arguments: arguments.map(|argument| argument.name.as_str()).collect(), readers })
    }
}

impl<'a> FunctionReaders<'a> {
    /// The ops that read an argument, or what ops of `forwarding` make of it as their first input.
    pub fn ops_reading(&self, argument: usize, forwarding: &[&str]) -> HashSet<&'a str> {
        let mut open: Vec<&str> = self.arguments.get(argument).copied().into_iter().collect();
        let mut seen: HashSet<&str> = open.iter().copied().collect();
        let mut found = HashSet::new();
        while let Some(name) = open.pop() {
            for &(index, node) in self.readers.get(name).into_iter().flatten() {
                if index > 0 || !forwarding.contains(&node.op.as_str()) {
                    found.insert(node.op.as_str());
                } else if seen.insert(&node.name) {
                    open.push(&node.name);
                }
            }
        }
        found
    }
}
