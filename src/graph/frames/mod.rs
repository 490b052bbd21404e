//! Loops of TensorFlow 1 as calls of functions: the input is a GraphDef whose loops are cycles of nodes; in the output, each
//! loop is a `While` that calls a function for its condition and another for its body.
//!
//! `tf.while_loop` builds a frame. For each loop variable, `Enter` passes the first value into the frame, `Merge` forwards it or
//! the value of the next iteration, and `Switch` forwards that to the body, or to `Exit` when `LoopCond` is false.
//! `NextIteration` passes the body's result back to `Merge`. An `Enter` that is constant passes a tensor from outside to all
//! iterations. Frames within frames are turned into functions first.
//!
//! Sources: `WhileContext` in `tensorflow/python/ops/control_flow_ops.py`; the ops in
//! `tensorflow/core/ops/control_flow_ops.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod frame;
mod function;
mod old_arrays;
mod tensor_arrays;
#[cfg(test)]
mod tests;

use hashbrown::{HashMap, HashSet};

use self::frame::Frame;
use self::tensor_arrays::is_array;
use super::branches::{Output, pivots};
use super::import::Part;
use super::node_def::data_inputs;
use super::predicates::{is_enter, is_exit, is_merge, is_next_iteration};
use super::validate::Nodes;
use crate::error::{Error, Result};
use crate::proto::{FunctionDef, GraphDef, NodeDef};
use crate::setting::Setting;

/// A graph with functions instead of the loops that its part needs, and lists instead of arrays; `None` if it needs none of them.
///
/// # Errors
/// Where a frame is not a loop as `tf.while_loop` builds it, a root of the part is inside of a loop, or an operation on an array is
/// not one of lists.
pub fn call_loops(definition: &GraphDef, part: &Part) -> Result<Option<GraphDef>> {
    let mut changed = definition.node.iter().filter(|node| is_enter(&node.op) || is_array(node)).peekable();
    if changed.peek().is_none() {
        return Ok(None);
    }
    let needed = needed(&definition.node, part);
    if !changed.any(|node| needed.contains(node.name.as_str())) {
        return Ok(None);
    }
    let mut loops = Loops::new(definition, part)?;
    let mut frames = loops.frames()?;
    loops.refuse_roots_inside(part, &frames)?;
    // Inner frames first.
    frames.sort_by_key(|frame| std::cmp::Reverse(frame.depth));
    for frame in &frames {
        loops.call(frame)?;
    }
    Ok(Some(loops.finish(definition)))
}

/// The names of the nodes that a part needs.
fn needed<'a>(nodes: &'a [NodeDef], part: &Part) -> HashSet<&'a str> {
    let by_name: HashMap<&str, &NodeDef> = nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut open: Vec<&NodeDef> = match &part.roots[..] {
        [] => nodes.iter().collect(),
        roots => roots.iter().filter_map(|root| by_name.get(root.as_str()).copied()).collect(),
    };
    let mut needed = HashSet::new();
    while let Some(node) = open.pop() {
        if needed.insert(node.name.as_str()) && !part.is_source(node) {
            open.extend(data_inputs(node).filter_map(|(name, _)| by_name.get(name).copied()));
        }
    }
    needed
}

/// A graph whose loops become functions.
struct Loops {
    /// The nodes, by index. A node that is part of a function is gone.
    nodes: Vec<Option<NodeDef>>,
    indices: HashMap<String, usize>,
    /// The nodes that are imported without what they read.
    is_source: Vec<bool>,
    is_needed: Vec<bool>,
    /// The frame in which each node runs; `None` is outside of all loops.
    frames: Vec<Option<usize>>,
    /// For each frame, the needed nodes that run in it, and the `Enter` nodes that pass tensors into it.
    inside: Vec<Vec<usize>>,
    enters: Vec<Vec<usize>>,
    /// The names of arguments of functions begin with this, and those of nodes do not.
    argument_prefix: String,
    /// The `Switch` outputs of the branches of conditionals that only a control edge assigns a node to.
    pivots: HashMap<usize, Vec<Output>>,
    functions: Vec<FunctionDef>,
    function_names: HashSet<String>,
}

/// The most rounds until it is known which frame is in which.
const MAX_DEPTH: usize = 64;

#[expect(
    clippy::indexing_slicing,
    reason = "indices are those of nodes and frames, and each list has all of the nodes or all of the frames"
)]
impl Loops {
    fn new(definition: &GraphDef, part: &Part) -> Result<Self> {
        let nodes = tensor_arrays::as_lists(&definition.node);
        let is_needed: Vec<bool> = {
            let needed = needed(&nodes, part);
            nodes.iter().map(|node| needed.contains(node.name.as_str())).collect()
        };
        for (node, _) in
            nodes.iter().zip(&is_needed).filter(|(node, needed)| **needed && !part.is_source(node))
        {
            tensor_arrays::refuse(node)?;
        }
        let starts: Vec<usize> = (0..nodes.len()).filter(|&index| is_needed[index]).collect();
        let pivots = pivots(&Nodes::new(&nodes)?, &starts, &|node| part.is_source(node))?;
        let indices: HashMap<String, usize> =
            nodes.iter().enumerate().map(|(index, node)| (node.name.clone(), index)).collect();
        let mut argument_prefix = "loop".to_owned();
        while indices.keys().any(|name| name.starts_with(&argument_prefix)) {
            argument_prefix.push('_');
        }
        let functions: Vec<FunctionDef> =
            definition.library.iter().flat_map(|library| library.function.clone()).collect();
        let names = functions.iter().filter_map(|function| Some(function.signature.as_ref()?.name.clone()));
        Ok(Self {
            is_source: nodes.iter().map(|node| part.is_source(node)).collect(),
            is_needed,
            frames: vec![None; nodes.len()],
            nodes: nodes.into_iter().map(Some).collect(),
            indices,
            pivots,
            inside: vec![],
            enters: vec![],
            argument_prefix,
            function_names: names.collect(),
            functions,
        })
    }

    fn node(&self, index: usize) -> Result<&NodeDef> {
        let gone = || Error::new("graph", "a node outside of a loop reads a node inside of it");
        self.nodes.get(index).and_then(Option::as_ref).ok_or_else(gone)
    }

    /// Whether a node is imported without what it reads.
    fn is_source(&self, index: usize) -> bool {
        self.is_source[index]
    }

    /// The frame that a node runs in.
    fn frame_of(&self, index: usize) -> Option<usize> {
        self.frames[index]
    }

    /// The tensors that a node reads: the indices of their nodes, and their ports.
    fn inputs(&self, index: usize) -> Result<Vec<Output>> {
        if self.is_source(index) {
            return Ok(vec![]);
        }
        let node = self.node(index)?;
        let found = data_inputs(node).map(|(name, port)| match self.indices.get(name) {
            Some(&input) => Ok((input, port)),
            None => Err(error(node, format!("it reads \"{name}\", which is not in the graph"))),
        });
        found.collect()
    }

    /// The nodes that a node without inputs has control edges from.
    fn controls(&self, index: usize) -> Result<Vec<usize>> {
        let names = self.node(index)?.input.iter().filter_map(|input| input.strip_prefix('^'));
        Ok(names.filter_map(|name| self.indices.get(name).copied()).collect())
    }

    /// The indices of the nodes that the part needs and that are still there.
    fn needed(&self) -> impl Iterator<Item = (usize, &NodeDef)> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(index, _)| self.is_needed[*index])
            .filter_map(|(index, node)| Some((index, node.as_ref()?)))
    }

    /// Finds the frames, and the frame that each node runs in.
    fn frames(&mut self) -> Result<Vec<Frame>> {
        let mut all: Vec<Frame> = vec![];
        let mut by_name: HashMap<String, usize> = HashMap::new();
        let mut enters: Vec<(usize, usize)> = vec![];
        for (index, node) in self.needed().filter(|(_, node)| is_enter(&node.op)) {
            let name = frame_name(node)?;
            let frame = *by_name.entry(name.to_owned()).or_insert(all.len());
            if frame == all.len() {
                all.push(Frame { index: frame, name: name.to_owned(), parent: None, depth: 0 });
            }
            enters.push((index, frame));
        }
        self.enters = vec![vec![]; all.len()];
        for &(enter, frame) in &enters {
            self.enters[frame].push(enter);
        }
        for _ in 0..MAX_DEPTH {
            self.frames = self.assign(&all, &enters)?;
            let mut is_settled = true;
            for &(index, inner) in &enters {
                let outer = self.frame_of(index);
                let depth = outer.map_or(0, |outer| all[outer].depth.saturating_add(1));
                if outer == Some(inner) || depth > MAX_DEPTH {
                    return Err(error(self.node(index)?, "its frame is inside of itself"));
                }
                if outer.is_some() && (all[inner].parent != outer || all[inner].depth != depth) {
                    (all[inner].parent, all[inner].depth) = (outer, depth);
                    is_settled = false;
                }
            }
            if is_settled {
                self.inside = vec![vec![]; all.len()];
                for index in 0..self.nodes.len() {
                    if let Some(frame) = self.frame_of(index) {
                        self.inside[frame].push(index);
                    }
                }
                return Ok(all);
            }
        }
        Err(Error::new("graph", format!("its loops are nested more than {MAX_DEPTH} deep")))
    }

    /// The frame of each node: the innermost one that a value which it reads is in.
    fn assign(&self, all: &[Frame], enters: &[(usize, usize)]) -> Result<Vec<Option<usize>>> {
        let entered: HashMap<usize, usize> = enters.iter().copied().collect();
        let mut found: Vec<Option<Option<usize>>> = vec![None; self.nodes.len()];
        let mut is_open = vec![false; self.nodes.len()];
        let needed: Vec<usize> = self.needed().map(|(index, _)| index).collect();
        for start in needed {
            let mut stack = vec![start];
            while let Some(&index) = stack.last() {
                let read = self.frame_inputs(index)?;
                let before = stack.len();
                if found[index].is_none() && !std::mem::replace(&mut is_open[index], true) {
                    stack.extend(read.iter().filter(|&&input| found[input].is_none()));
                }
                if stack.len() == before {
                    let frames = read.iter().map(|&input| self.frame_of_output(input, &found, all, &entered));
                    let frames: Vec<Option<usize>> = frames.collect::<Result<_>>()?;
                    let innermost = frames.into_iter().flatten().max_by_key(|&frame| all[frame].depth);
                    found[index].get_or_insert(innermost);
                    stack.pop();
                }
            }
        }
        Ok(found.into_iter().map(Option::flatten).collect())
    }

    /// The nodes that decide which frame a node runs in. What the next iteration passes back says nothing.
    fn frame_inputs(&self, index: usize) -> Result<Vec<usize>> {
        let inputs = self.inputs(index)?;
        if inputs.is_empty() && !self.is_source(index) {
            return self.controls(index);
        }
        let mut read = vec![];
        for (input, _) in inputs {
            if !(is_merge(&self.node(index)?.op) && is_next_iteration(&self.node(input)?.op)) {
                read.push(input);
            }
        }
        Ok(read)
    }

    /// The frame that the outputs of a node are in.
    fn frame_of_output(
        &self,
        index: usize,
        found: &[Option<Option<usize>>],
        all: &[Frame],
        entered: &HashMap<usize, usize>,
    ) -> Result<Option<usize>> {
        if let Some(&frame) = entered.get(&index).filter(|_| !self.is_source(index)) {
            return Ok(Some(frame));
        }
        let own = found[index].flatten();
        Ok(if is_exit(&self.node(index)?.op) { own.and_then(|own| all[own].parent) } else { own })
    }

    fn refuse_roots_inside(&self, part: &Part, frames: &[Frame]) -> Result<()> {
        for root in &part.roots {
            let Some(&index) = self.indices.get(root) else { continue };
            let node = self.node(index)?;
            if let Some(frame) = self.frame_of(index).filter(|_| !is_exit(&node.op) && !self.is_source(index))
            {
                let problem = format!(
                    "it is inside of the loop {}, and has another value in each iteration",
                    frames[frame].name
                );
                return Err(error(node, problem).advice("choose an output after the loop"));
            }
        }
        Ok(())
    }

    /// The error for a frame that is not a loop as `tf.while_loop` builds it, because of one of its nodes.
    fn not_a_loop(&self, frame: &Frame, index: usize, problem: &str) -> Error {
        let subject = format!("loop \"{}\"", frame.name);
        let problem = match self.node(index) {
            Ok(node) => format!("{} \"{}\" is in it, and {problem}", node.op, node.name),
            Err(_) => problem.to_owned(),
        };
        Error::new(subject, problem).advice(self.ways_around(frame))
    }

    /// How to convert the rest of a graph: what the loop reads, and what it returns.
    fn ways_around(&self, frame: &Frame) -> String {
        let node = |&index: &usize| self.node(index).ok();
        let before = self.enters[frame.index].first().and_then(node);
        let before = before.and_then(|enter| data_inputs(enter).next());
        let after = self.inside[frame.index].iter().filter_map(node).find(|node| is_exit(&node.op));
        let before = before.map(|(name, port)| Setting::Outputs.to(format!("{name}:{port}")).to_string());
        let after = after.map(|exit| Setting::Inputs.to(format!("{}:0", exit.name)).to_string());
        let cuts: Vec<String> = before.into_iter().chain(after).collect();
        format!("convert what is before or after the loop, with {}", cuts.join(" or "))
    }

    /// The graph with the functions.
    fn finish(self, definition: &GraphDef) -> GraphDef {
        let mut library = definition.library.clone().unwrap_or_default();
        library.function = self.functions;
        GraphDef {
            node: self.nodes.into_iter().flatten().collect(),
            library: Some(library),
            ..GraphDef { node: vec![], library: None, ..definition.clone() }
        }
    }
}

/// The name of the frame that an `Enter` passes its input to.
fn frame_name(enter: &NodeDef) -> Result<&str> {
    use crate::proto::attr_value::Value;
    match enter.attr.get("frame_name").and_then(|attr| attr.value.as_ref()) {
        Some(Value::S(name)) => {
            std::str::from_utf8(name).map_err(|_| error(enter, "the name of its frame is not UTF-8"))
        }
        _ => Err(error(enter, "it has no frame_name")),
    }
}

fn error(node: &NodeDef, problem: impl std::fmt::Display) -> Error {
    Error::new(format!("{} \"{}\"", node.op, node.name), problem)
}
