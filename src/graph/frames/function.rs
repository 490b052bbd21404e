//! The functions of a loop: the nodes that its condition and its body need, and the tensors that they read from outside.

use hashbrown::{HashMap, HashSet};

use super::frame::Frame;
use super::{Loops, error};
use crate::error::Result;
use crate::graph::branches::{ON_BRANCH, Output};
use crate::graph::op_definition::{OpDefinition, declared_output_types};
use crate::graph::predicates::{is_enter, is_exit, is_next_iteration, is_switch};
use crate::proto::op_def::ArgDef;
use crate::proto::{FunctionDef, NodeDef, OpDef, attr_value::Value};
use crate::tensor::DType;

/// The arguments of a loop's functions: its variables, and what is read from outside, which stays the same.
pub struct Arguments {
    /// The names of the arguments begin with this, which no node's name does.
    prefix: String,
    variables: usize,
    /// The arguments for the outputs of nodes: a variable by its `Merge` and `Switch`, a constant by its `Enter`.
    by_output: HashMap<Output, usize>,
    /// The tensors from outside, after the variables.
    outside: Vec<Output>,
}

impl Arguments {
    pub fn new(loops: &Loops) -> Self {
        let prefix = loops.argument_prefix.clone();
        Self { prefix, variables: 0, by_output: HashMap::new(), outside: vec![] }
    }

    pub fn add_variable(&mut self, merge: usize, position: usize) {
        self.by_output.insert((merge, 0), position);
        self.variables = self.variables.max(position.saturating_add(1));
    }

    pub fn add_switch(&mut self, switch: usize, variable: usize) {
        self.by_output.insert((switch, 1), variable);
    }

    /// Adds a tensor from outside that every iteration reads.
    pub fn add_constant(&mut self, enter: usize) {
        self.capture((enter, 0));
    }

    fn capture(&mut self, output: Output) -> usize {
        let next = self.variables.saturating_add(self.outside.len());
        let argument = *self.by_output.entry(output).or_insert(next);
        if argument == next {
            self.outside.push(output);
        }
        argument
    }

    fn name(&self, argument: usize) -> String {
        format!("{}_{argument}", self.prefix)
    }

    /// The tensors outside of the loop for the arguments after the variables.
    pub fn outside(&self, loops: &Loops) -> Result<Vec<Output>> {
        let read = |&(index, port): &Output| match is_enter(&loops.node(index)?.op) && !loops.is_source(index)
        {
            true => {
                loops.inputs(index)?.first().copied().ok_or_else(|| error_of(loops, index, "it has no input"))
            }
            false => Ok((index, port)),
        };
        self.outside.iter().map(read).collect()
    }

    /// The types of all arguments, as numbers of TensorFlow's. `enters` are those of the variables.
    pub fn types(&self, loops: &Loops, enters: &[usize]) -> Result<Vec<i32>> {
        let variables = enters.iter().map(|&enter| (enter, 0));
        let all = variables.chain(self.outside.iter().copied());
        all.map(|(index, port)| {
            let node = loops.node(index)?;
            let own = node.attr.get("T").and_then(|attr| attr.value.as_ref());
            if let (true, Some(Value::Type(dtype))) = (is_enter(&node.op), own) {
                return Ok(*dtype);
            }
            let declared = declared_output_types(node).and_then(|types| *types.get(port)?);
            Ok(declared.map_or(0, |dtype| dtype.to_proto() as i32))
        })
        .collect()
    }

    /// A function of all arguments. Its results are these tensors; those of a body are followed by what stays the same.
    pub fn function(
        &self,
        name: &str,
        nodes: Vec<NodeDef>,
        types: &[i32],
        results: &[String],
        is_condition: bool,
    ) -> FunctionDef {
        let argument = |name: String, dtype: i32| ArgDef { name, r#type: dtype, ..ArgDef::default() };
        let inputs = types.iter().enumerate().map(|(index, &dtype)| argument(self.name(index), dtype));
        let mut ret: Vec<String> = results.to_vec();
        if !is_condition {
            ret.extend((self.variables..types.len()).map(|index| self.name(index)));
        }
        let result_name = |index: usize| format!("result_{index}");
        let result_types = if is_condition { &[DType::Bool.to_proto() as i32] } else { types };
        let outputs =
            result_types.iter().enumerate().map(|(index, &dtype)| argument(result_name(index), dtype));
        let signature = OpDef {
            name: name.to_owned(),
            input_arg: inputs.collect(),
            output_arg: outputs.collect(),
            ..OpDef::default()
        };
        let ret = ret.into_iter().enumerate().map(|(index, tensor)| (result_name(index), tensor)).collect();
        FunctionDef { signature: Some(signature), node_def: nodes, ret, ..FunctionDef::default() }
    }
}

/// The nodes of one function.
pub struct FunctionBuilder<'a> {
    loops: &'a Loops,
    frame: &'a Frame,
    arguments: &'a mut Arguments,
    nodes: Vec<NodeDef>,
    /// The nodes that have been added, by index.
    added: HashSet<usize>,
}

impl<'a> FunctionBuilder<'a> {
    pub fn new(loops: &'a Loops, frame: &'a Frame, arguments: &'a mut Arguments) -> Self {
        Self { loops, frame, arguments, nodes: vec![], added: HashSet::new() }
    }

    /// The nodes that have been added.
    pub fn nodes(self) -> Vec<NodeDef> {
        self.nodes
    }

    /// Adds the nodes that a tensor needs. Returns its name in the function.
    pub fn add(&mut self, tensor: Output) -> Result<String> {
        let mut open = vec![tensor];
        while let Some((index, port)) = open.pop() {
            if self.argument((index, port))?.is_some() || !self.added.insert(index) {
                continue;
            }
            let node = self.loops.node(index)?;
            let inputs = self.loops.inputs(index)?;
            let names = inputs.iter().map(|&input| self.name(input)).collect::<Result<_>>()?;
            self.nodes.push(NodeDef { input: names, ..node.clone() });
            open.extend(inputs);
            let pivots = self.pivots(index);
            for port in 0..self.ports(index)?.filter(|_| !pivots.is_empty()).unwrap_or(0) {
                let inputs = [&[(index, port)], &pivots[..]].concat();
                let names: Vec<String> =
                    inputs.iter().map(|&input| self.plain_name(input)).collect::<Result<_>>()?;
                self.nodes.push(NodeDef {
                    name: format!("{}/on_branch_{port}", node.name),
                    op: ON_BRANCH.to_owned(),
                    input: names,
                    ..NodeDef::default()
                });
            }
            open.extend(pivots);
        }
        self.name(tensor)
    }

    /// The argument that a tensor is; `None` for a tensor that the function computes.
    fn argument(&mut self, (index, port): Output) -> Result<Option<usize>> {
        if let Some(&argument) = self.arguments.by_output.get(&(index, port)) {
            return Ok(Some(argument));
        }
        let node = self.loops.node(index)?;
        if self.loops.frame_of(index) == Some(self.frame.index) {
            let carries_variable = is_switch(&node.op) && self.arguments.by_output.contains_key(&(index, 1));
            let ends_iteration = is_next_iteration(&node.op) || is_exit(&node.op) || node.op == "LoopCond";
            if carries_variable || ends_iteration {
                return Err(error(node, "the body of its loop reads it, and no iteration has its value"));
            }
            return Ok(None);
        }
        if node.op == "Const" && !self.loops.is_source(index) {
            return Ok(None);
        }
        Ok(Some(self.arguments.capture((index, port))))
    }

    /// The name of a tensor in the function, as those read it that are on the same branches.
    fn name(&mut self, output: Output) -> Result<String> {
        if self.argument(output)?.is_none() && !self.pivots(output.0).is_empty() {
            let (index, port) = output;
            return Ok(format!("{}/on_branch_{port}:output:0", self.loops.node(index)?.name));
        }
        self.plain_name(output)
    }

    fn plain_name(&mut self, output: Output) -> Result<String> {
        if let Some(argument) = self.argument(output)? {
            return Ok(self.arguments.name(argument));
        }
        let (index, mut port) = output;
        let node = self.loops.node(index)?;
        let Some(definition) = OpDefinition::find(&node.op) else {
            return Ok(format!("{}:output:{port}", node.name));
        };
        for argument in definition.outputs() {
            let count = definition.count(argument, node).unwrap_or(usize::MAX);
            match port.checked_sub(count) {
                Some(later) => port = later,
                None => return Ok(format!("{}:{}:{port}", node.name, argument.name)),
            }
        }
        Err(error(node, format!("it has no output {}", output.1)))
    }

    /// The `Switch` outputs in this frame whose branches only control edges assign a node to.
    fn pivots(&self, index: usize) -> Vec<Output> {
        let pivots = self.loops.pivots.get(&index).into_iter().flatten().copied();
        pivots.filter(|&(switch, _)| self.loops.frame_of(switch) == Some(self.frame.index)).collect()
    }

    /// The number of a node's outputs.
    fn ports(&self, index: usize) -> Result<Option<usize>> {
        Ok(declared_output_types(self.loops.node(index)?).map(|types| types.len()).or(Some(1)))
    }
}

fn error_of(loops: &Loops, index: usize, problem: &str) -> crate::error::Error {
    match loops.node(index) {
        Ok(node) => error(node, problem),
        Err(error) => error,
    }
}
