//! One frame: its loop variables, its condition, and the `While` that takes its place.

use super::function::{Arguments, FunctionBuilder};
use super::{Loops, error};
use crate::error::Result;
use crate::graph::branches::Output;
use crate::graph::node_def::past_identities;
use crate::graph::predicates::{is_enter, is_exit, is_merge, is_next_iteration, is_switch};
use crate::proto::attr_value::{ListValue, Value};
use crate::proto::{AttrMap, AttrValue, NameAttrList, NodeDef};

/// A frame. It is the loop of one `tf.while_loop`.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its index among the frames of the graph.
    pub index: usize,
    /// Its `frame_name`.
    pub name: String,
    /// The frame that it is in.
    pub parent: Option<usize>,
    /// How many frames it is in.
    pub depth: usize,
}

/// The indices of the nodes of a loop variable.
#[derive(Debug, Clone, Copy)]
struct Variable {
    enter: usize,
    merge: usize,
    next: usize,
}

#[expect(
    clippy::indexing_slicing,
    reason = "indices are those of nodes and frames, and each list has all of the nodes or all of the frames"
)]
impl Loops {
    /// Puts a `While` in place of a frame.
    pub(super) fn call(&mut self, frame: &Frame) -> Result<()> {
        // Nodes of inner frames are in functions now. What only control edges reach is no part of the loop: constants have such edges,
        // which tell their frames.
        let mut inside = self.inside[frame.index].clone();
        inside.retain(|&index| self.nodes[index].is_some() && self.is_needed[index]);
        let variables = self.variables(&inside)?;
        let condition = self.condition(frame, &inside)?;
        let mut arguments = self.arguments(frame, &inside, condition, &variables)?;
        let [cond, body] = self.functions(frame, condition, &variables, &mut arguments)?;
        let first: Vec<Output> =
            variables.iter().map(|variable| self.input_of(frame, variable.enter)).collect::<Result<_>>()?;
        let inputs = [first, arguments.outside(self)?].concat();
        let call = NodeDef {
            name: self.unique_node(&frame.name),
            op: "While".to_owned(),
            input: inputs.iter().map(|&output| self.tensor_name(output)).collect::<Result<_>>()?,
            attr: AttrMap::from([
                ("T".to_owned(), list_of_types(self.types(&arguments, &variables)?)),
                ("cond".to_owned(), function_named(cond)),
                ("body".to_owned(), function_named(body)),
            ]),
            ..NodeDef::default()
        };
        self.replace(frame, call, &inside, &variables)
    }

    /// The arguments of the functions: the variables, and the tensors that constant `Enter` nodes pass in.
    fn arguments(
        &self,
        frame: &Frame,
        inside: &[usize],
        condition: usize,
        variables: &[Variable],
    ) -> Result<Arguments> {
        let mut arguments = Arguments::new(self);
        for (position, variable) in variables.iter().enumerate() {
            arguments.add_variable(variable.merge, position);
        }
        for &index in inside {
            if let Some(variable) = self.switched(index, condition, variables)? {
                arguments.add_switch(index, variable);
            }
        }
        for &enter in &self.enters[frame.index] {
            let starts_variable = variables.iter().any(|variable| variable.enter == enter);
            match (self.is_constant(enter)?, starts_variable) {
                (true, false) => arguments.add_constant(enter),
                (false, true) => {}
                // Its Merge would have two values in each iteration.
                (true, true) => {
                    return Err(self.not_a_loop(
                        frame,
                        enter,
                        "a loop variable starts with it although it is constant",
                    ));
                }
                (false, false) => {
                    return Err(self.not_a_loop(frame, enter, "no Merge starts a loop variable with it"));
                }
            }
        }
        Ok(arguments)
    }

    /// Adds the functions of the condition and of the body, and returns their names. What they read from outside becomes arguments.
    fn functions(
        &mut self,
        frame: &Frame,
        condition: usize,
        variables: &[Variable],
        arguments: &mut Arguments,
    ) -> Result<[String; 2]> {
        let mut cond = FunctionBuilder::new(self, frame, arguments);
        let decided = cond.add(self.input_of(frame, condition)?)?;
        let cond_nodes = cond.nodes();
        let mut body = FunctionBuilder::new(self, frame, arguments);
        let mut results = vec![];
        for variable in variables {
            results.push(body.add(self.input_of(frame, variable.next)?)?);
        }
        let body_nodes = body.nodes();
        let types = self.types(arguments, variables)?;
        let names = ["cond", "body"].map(|what| self.unique_function(&format!("{}/{what}", frame.name)));
        let cond = arguments.function(&names[0], cond_nodes, &types, &[decided], true);
        let body = arguments.function(&names[1], body_nodes, &types, &results, false);
        self.functions.extend([cond, body]);
        Ok(names)
    }

    fn types(&self, arguments: &Arguments, variables: &[Variable]) -> Result<Vec<i32>> {
        let enters: Vec<usize> = variables.iter().map(|variable| variable.enter).collect();
        arguments.types(self, &enters)
    }

    /// The loop variables: each `Merge` of a value from outside with that of the next iteration.
    fn variables(&self, inside: &[usize]) -> Result<Vec<Variable>> {
        let mut found = vec![];
        for &merge in inside {
            if !is_merge(&self.node(merge)?.op) {
                continue;
            }
            let inputs = self.inputs(merge)?;
            if let &[(a, _), (b, _)] = &inputs[..] {
                match (self.node(a)?, self.node(b)?) {
                    (enter, next) if is_enter(&enter.op) && is_next_iteration(&next.op) => {
                        found.push(Variable { enter: a, merge, next: b });
                    }
                    (next, enter) if is_enter(&enter.op) && is_next_iteration(&next.op) => {
                        found.push(Variable { enter: b, merge, next: a });
                    }
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    /// The `LoopCond` of a frame.
    fn condition(&self, frame: &Frame, inside: &[usize]) -> Result<usize> {
        let mut found = inside
            .iter()
            .copied()
            .filter(|&index| self.nodes[index].as_ref().is_some_and(|node| node.op == "LoopCond"));
        match (found.next(), found.next()) {
            (Some(condition), None) => Ok(condition),
            (Some(_), Some(other)) => Err(self.not_a_loop(frame, other, "the loop has two conditions")),
            (None, _) => Err(self.not_a_loop(frame, usize::MAX, "it has no LoopCond")),
        }
    }

    fn is_constant(&self, enter: usize) -> Result<bool> {
        let constant = self.node(enter)?.attr.get("is_constant").and_then(|attr| attr.value.as_ref());
        Ok(matches!(constant, Some(Value::B(true))))
    }

    /// The loop variable that a `Switch` forwards to the body or out of the loop.
    fn switched(&self, index: usize, condition: usize, variables: &[Variable]) -> Result<Option<usize>> {
        let node = self.node(index)?;
        let inputs = self.inputs(index)?;
        let &[data, decider] = &inputs[..] else { return Ok(None) };
        if !is_switch(&node.op) || self.past_identities(decider)?.0 != condition {
            return Ok(None);
        }
        let merge = self.past_identities(data)?.0;
        match variables.iter().position(|variable| variable.merge == merge) {
            Some(variable) => Ok(Some(variable)),
            None => Err(error(node, "it does not forward a loop variable")),
        }
    }

    fn past_identities(&self, (index, port): Output) -> Result<Output> {
        let name = &self.node(index)?.name;
        let find = |name: &str| self.nodes[*self.indices.get(name)?].as_ref();
        let (name, port) = past_identities((name, port), find);
        Ok((self.indices.get(name).copied().unwrap_or(index), port))
    }

    fn input_of(&self, frame: &Frame, index: usize) -> Result<Output> {
        self.inputs(index)?.first().copied().ok_or_else(|| self.not_a_loop(frame, index, "it has no input"))
    }

    /// Adds the call, lets the exits forward its results, and removes the nodes of the frame.
    fn replace(
        &mut self,
        frame: &Frame,
        call: NodeDef,
        inside: &[usize],
        variables: &[Variable],
    ) -> Result<()> {
        for &exit in inside {
            if !is_exit(&self.node(exit)?.op) {
                continue;
            }
            let (switch, port) = self.input_of(frame, exit)?;
            let merge = self.inputs(switch)?.first().copied();
            let merge = merge.map(|merge| self.past_identities(merge)).transpose()?;
            let variable =
                variables.iter().position(|variable| Some(variable.merge) == merge.map(|merge| merge.0));
            let Some(variable) = variable.filter(|_| port == 0) else {
                return Err(self.not_a_loop(frame, exit, "it is not the last value of a loop variable"));
            };
            let old = self.node(exit)?;
            let attr = old.attr.iter().filter(|(name, _)| *name == "T");
            let forward = NodeDef {
                name: old.name.clone(),
                op: "Identity".to_owned(),
                input: vec![format!("{}:{variable}", call.name)],
                attr: attr.map(|(name, value)| (name.clone(), value.clone())).collect(),
                ..NodeDef::default()
            };
            self.nodes[exit] = Some(forward);
            self.frames[exit] = frame.parent;
            if let Some(parent) = frame.parent {
                self.inside[parent].push(exit);
            }
        }
        for &index in self.inside[frame.index].iter().chain(&self.enters[frame.index]) {
            let is_inside = self.frames[index] == Some(frame.index);
            if is_inside || self.nodes[index].as_ref().is_some_and(|node| is_enter(&node.op)) {
                self.nodes[index] = None;
            }
        }
        if let Some(parent) = frame.parent {
            self.inside[parent].push(self.nodes.len());
        }
        self.indices.insert(call.name.clone(), self.nodes.len());
        self.nodes.push(Some(call));
        self.frames.push(frame.parent);
        self.is_needed.push(true);
        self.is_source.push(false);
        Ok(())
    }

    /// A name like this one that no node has.
    fn unique_node(&self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.indices.contains_key(&unique) {
            unique.push('_');
        }
        unique
    }

    /// A name like this one that no function has.
    fn unique_function(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.function_names.contains(&unique) {
            unique.push('_');
        }
        self.function_names.insert(unique.clone());
        unique
    }

    /// The name by which nodes outside of functions read a tensor.
    fn tensor_name(&self, (index, port): Output) -> Result<String> {
        let name = &self.node(index)?.name;
        Ok(if port == 0 { name.clone() } else { format!("{name}:{port}") })
    }
}

/// An attribute that lists types.
fn list_of_types(types: Vec<i32>) -> AttrValue {
    let types = ListValue { r#type: types, ..ListValue::default() };
    AttrValue { value: Some(Value::List(types.into())) }
}

/// An attribute that names a function.
fn function_named(name: String) -> AttrValue {
    AttrValue { value: Some(Value::Func(NameAttrList { name, ..NameAttrList::default() }.into())) }
}
