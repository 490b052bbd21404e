//! Conditionals of TensorFlow 1 as functions: the input has `Switch` and `Merge` around the nodes of each branch; the
//! output has an `If`, or a `Case` for more than two branches, that calls a function for each.
//!
//! A function is built of the nodes that a `Merge` needs of one branch; the tensors that these read from outside become arguments.
//! Conditionals inside of a branch are turned into functions when the branch is.
//!
//! Sources: `tf.cond` and `tf.case` in `tensorflow/python/ops/control_flow_ops.py` for the input; If and Case in
//! `tensorflow/core/ops/functional_ops.cc` for the output.

mod function;

use hashbrown::{HashMap, HashSet};

use super::branches::{Branch, GraphBranches, not_of_a_conditional};
use crate::error::{Error, Result};
use crate::graph::{Attr, Attrs, Graph, Library, Moved, NodeId, TensorMap, TensorRef};
use crate::setting::Setting;
use crate::tensor::DType;

/// Turns the conditionals of a graph into nodes that call functions. The tensors in `outputs` are those that the graph must
/// still compute.
///
/// # Errors
/// If branches are not merged as `tf.cond` and `tf.case` merge them, or one of the outputs is on a branch.
pub fn call_branches(graph: Graph, outputs: &[TensorRef]) -> Result<(Graph, Moved)> {
    if !graph.nodes().any(|(_, node)| node.is_switch() || node.is_merge()) {
        return Ok((graph, Moved::default()));
    }
    let mut library = graph.library().clone();
    let (new, moved) = with_calls(&graph, outputs, &mut library)?;
    match outputs.iter().find(|output| !moved.contains_key(*output)) {
        None => Ok((new, Moved::by_tensors(TensorMap::of(&graph, moved)))),
        Some(&output) => {
            let name = graph.tensor_name(output);
            let error = Error::new(name, "only one branch of a condition computes it");
            Err(error.advice(format!(
                "choose an output behind the Merge of the branches, or fix the condition with {}",
                Setting::Freeze.to("NAME=VALUE")
            )))
        }
    }
}

/// The graph with calls instead of its conditionals, and the map from old tensors to new ones. The functions of the calls
/// are added to the library.
fn with_calls(
    graph: &Graph,
    kept: &[TensorRef],
    library: &mut Library,
) -> Result<(Graph, HashMap<TensorRef, TensorRef>)> {
    let mut building = Building::new(graph, kept, library)?;
    for (id, _) in graph.nodes() {
        if building.branches.merges().contains_key(&id) {
            if !building.moved.contains_key(&TensorRef::from(id)) {
                building.call(&building.conditional(id))?;
            }
        } else if !building.branches.is_inside(id) {
            building.copy(id)?;
        }
    }
    let Building { mut new, moved, .. } = building;
    new.set_library(library.clone());
    Ok((new, moved))
}

/// Several `Merge` nodes that merge the same branches.
#[derive(Debug, Clone)]
struct Conditional {
    decider: TensorRef,
    /// The `Merge` nodes.
    merges: Vec<NodeId>,
}

struct Building<'a> {
    old: &'a Graph,
    /// Tensors that are read from outside of the graph.
    kept: &'a [TensorRef],
    new: Graph,
    library: &'a mut Library,
    moved: HashMap<TensorRef, TensorRef>,
    branches: GraphBranches<'a>,
    /// The `Merge` nodes with the same decider and as many conditionals of that decider before them, in the order of the graph.
    merges_of: HashMap<(TensorRef, usize), Vec<NodeId>>,
    /// How often nodes of the old graph read each tensor.
    reader_counts: TensorMap<usize>,
}

impl<'a> Building<'a> {
    fn new(old: &'a Graph, kept: &'a [TensorRef], library: &'a mut Library) -> Result<Self> {
        let new = Graph::with_library(library.clone());
        let (branches, reader_counts) = (GraphBranches::new(old)?, old.reader_counts());
        let mut merges_of: HashMap<(TensorRef, usize), Vec<NodeId>> = HashMap::new();
        for (id, _) in old.nodes() {
            if let Some(&of) = branches.merges().get(&id) {
                merges_of.entry(of).or_default().push(id);
            }
        }
        Ok(Self { old, kept, new, library, moved: HashMap::new(), branches, merges_of, reader_counts })
    }

    /// A node outside of all branches, after those that it reads.
    fn copy(&mut self, id: NodeId) -> Result<()> {
        let node = self.old.node(id);
        let inputs: Vec<TensorRef> = node.inputs.iter().map(|input| self.moved[input]).collect();
        let count = node.outputs.len();
        let copy = self.new.add_with_outputs(
            node.name.clone(),
            &node.op,
            inputs,
            node.attrs.clone(),
            &node.outputs,
        )?;
        self.moved
            .extend((0..count).map(|port| (TensorRef { node: id, port }, TensorRef { node: copy, port })));
        Ok(())
    }

    /// The conditional that a `Merge` belongs to: all `Merge` nodes that can be reached without passing another conditional.
    fn conditional(&self, first: NodeId) -> Conditional {
        let known = self.branches.merges()[&first];
        let mut merges = vec![first];
        // What an earlier call could not read yet, a later one may, which does not compute again what the earlier one did.
        let is_new = |other: NodeId| other > first && !self.moved.contains_key(&TensorRef::from(other));
        let others = self.merges_of[&known].iter().filter(|&&other| is_new(other));
        merges.extend(others.filter(|&&other| self.reads_only_what_is_there(other)));
        Conditional { decider: known.0, merges }
    }

    /// Whether all tensors that the branches of a `Merge` read from outside have been copied.
    fn reads_only_what_is_there(&self, merge: NodeId) -> bool {
        let mut open: Vec<TensorRef> = self.old.node(merge).inputs.clone();
        let mut seen: HashSet<NodeId> = HashSet::new();
        while let Some(tensor) = open.pop() {
            if !self.branches.is_inside(tensor.node) {
                if !self.moved.contains_key(&tensor) {
                    return false;
                }
            } else if seen.insert(tensor.node) {
                open.extend(&self.old.node(tensor.node).inputs);
            }
        }
        true
    }

    /// Calls the branches of a conditional, and lets the readers of its `Merge` nodes read the results.
    fn call(&mut self, conditional: &Conditional) -> Result<()> {
        let first = self.old.node(conditional.merges[0]);
        let ports = first.inputs.len();
        // For each branch, in the order of the switch's ports, the inputs of each `Merge` that come from it.
        let mut taken: Vec<Vec<(TensorRef, usize)>> = vec![vec![]; ports];
        for &merge in &conditional.merges {
            let node = self.old.node(merge);
            for (index, &input) in node.inputs.iter().enumerate() {
                let branches = self.branches.of(input)?;
                let port = branches.iter().find(|branch| branch.decider == conditional.decider);
                let port = port.map(|branch| branch.port).filter(|&port| port < ports);
                let port = port.ok_or_else(|| not_of_a_conditional(node))?;
                taken[port].push((input, index));
            }
        }
        if taken.iter().any(|taken| taken.len() != conditional.merges.len()) {
            return Err(not_of_a_conditional(first));
        }
        let mut captured: Vec<TensorRef> = vec![];
        let mut slices = vec![];
        for (port, taken) in taken.iter().enumerate() {
            let branch = Branch { decider: conditional.decider, port };
            slices.push(self.slice(branch, taken, &mut captured)?);
        }
        let uses_index: Vec<bool> =
            conditional.merges.iter().map(|&merge| self.is_index_read(merge)).collect();
        let mut functions = vec![];
        self.new.set_library(self.library.without_functions());
        for (port, (slice, taken)) in slices.iter().zip(&taken).enumerate() {
            let branch = Branch { decider: conditional.decider, port };
            let function = self.function(branch, first, slice, taken, &captured, &uses_index)?;
            functions.push(self.library.define(&format!("{}/branch_{port}", first.name), function));
        }
        self.new.set_library(self.library.clone());
        let mut inputs = vec![self.moved[&conditional.decider]];
        inputs.extend(captured.iter().map(|tensor| self.moved[tensor]));
        let mut types: Vec<DType> = vec![];
        for (&merge, &uses_index) in conditional.merges.iter().zip(&uses_index) {
            types.push(self.old.node(merge).outputs[0].dtype);
            types.extend(uses_index.then_some(DType::Int32));
        }
        let mut attrs = Attrs::from([("Tout", Attr::Types(types))]);
        let op = if self.switches_by_index(conditional.decider) {
            attrs.insert("branches", Attr::Functions(functions));
            "Case"
        } else {
            let mut functions = functions.into_iter().map(Attr::Function);
            for (name, function) in ["else_branch", "then_branch"].into_iter().zip(&mut functions) {
                attrs.insert(name, function);
            }
            "If"
        };
        let call = self.new.add(format!("{}/{op}", first.name), op, inputs, attrs)?;
        self.forward(conditional, call, &uses_index)
    }

    /// Nodes with the names of the `Merge` nodes, which forward the results of the call.
    fn forward(&mut self, conditional: &Conditional, call: NodeId, uses_index: &[bool]) -> Result<()> {
        let mut port = 0;
        for (&merge, &uses_index) in conditional.merges.iter().zip(uses_index) {
            let (op, count) = if uses_index { ("IdentityN", 2) } else { ("Identity", 1) };
            let results = (port..port + count).map(|port| TensorRef { node: call, port }).collect();
            let name = self.old.node(merge).name.clone();
            let forwarded = self.new.add(name, op, results, Attrs::new())?;
            let ports = 0..count;
            self.moved.extend(
                ports.map(|port| (TensorRef { node: merge, port }, TensorRef { node: forwarded, port })),
            );
            port += count;
        }
        Ok(())
    }

    fn is_index_read(&self, merge: NodeId) -> bool {
        let index = TensorRef { node: merge, port: 1 };
        self.kept.contains(&index) || self.reader_counts.get(index).is_some_and(|&count| count > 0)
    }

    /// Whether a decider is an index rather than a boolean.
    fn switches_by_index(&self, decider: TensorRef) -> bool {
        self.old.tensor_type(decider).dtype != DType::Bool
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

    fn add(graph: &mut Graph, name: &str, op: &str, inputs: &[TensorRef]) -> NodeId {
        graph.add(name, op, inputs.to_vec(), Attrs::new()).unwrap()
    }

    fn input(graph: &mut Graph, name: &str, dtype: DType, shape: Shape) -> TensorRef {
        let attrs = [("dtype", Attr::Type(dtype)), ("shape", Attr::Shape(shape))];
        graph.add(name, "Placeholder", vec![], attrs.into()).unwrap().into()
    }

    fn port(node: NodeId, port: usize) -> TensorRef {
        TensorRef { node, port }
    }

    /// `out = p ? -x : x`, and the nodes of `more`.
    fn conditional(more: impl Fn(&mut Graph, NodeId)) -> Graph {
        let mut graph = crate::ops::new_graph();
        let p = input(&mut graph, "p", DType::Bool, Shape::scalar());
        let x = input(&mut graph, "x", DType::Float32, Shape::known(&[3]));
        let switch = add(&mut graph, "switch", "Switch", &[x, p]);
        let negated = add(&mut graph, "negated", "Neg", &[port(switch, 1)]);
        add(&mut graph, "out", "Merge", &[port(switch, 0), negated.into()]);
        more(&mut graph, negated);
        graph
    }

    fn called(graph: Graph, outputs: &[&str]) -> Result<Graph> {
        let outputs: Vec<TensorRef> = outputs.iter().map(|name| graph.find_tensor(name).unwrap()).collect();
        call_branches(graph, &outputs).map(|(graph, _)| graph)
    }

    #[test]
    fn a_conditional_calls_a_function_for_each_branch() {
        let graph = called(conditional(|_, _| ()), &["out:0"]).unwrap();
        let out = graph.node(graph.find("out").unwrap());
        let call = graph.node(out.inputs[0].node);
        assert_eq!((out.op.as_str(), call.op.as_str()), ("Identity", "If"));
        let ops = |branch: &str| -> Vec<String> {
            let argument_types = [graph.tensor_type(call.inputs[1]).clone()];
            let name = call.function(branch).unwrap();
            let (function, ..) = graph.library().graph(name, &argument_types).unwrap();
            function.nodes().map(|(_, node)| node.op.clone()).collect()
        };
        assert_eq!(ops("then_branch"), ["Placeholder", "Neg"]);
        assert_eq!(ops("else_branch"), ["Placeholder"]);
        assert!(graph.find("negated").is_none());
    }

    #[test]
    fn a_merge_is_not_called_again_with_one_that_had_to_wait() {
        let mut graph = conditional(|_, _| ());
        let tensor = |graph: &Graph, name: &str| graph.find_tensor(name).unwrap();
        input(&mut graph, "q", DType::Bool, Shape::scalar());
        let mut choose = |name: &str, of: &str, decider: &str| {
            let (of, decider) = (tensor(&graph, of), tensor(&graph, decider));
            let switch = add(&mut graph, &format!("{name}/switch"), "Switch", &[of, decider]);
            let negated = add(&mut graph, &format!("{name}/negated"), "Neg", &[port(switch, 1)]);
            add(&mut graph, name, "Merge", &[port(switch, 0), negated.into()]);
        };
        // "late" reads what is not there when "out" is called; "early", after it, does not.
        choose("other", "x:0", "q:0");
        choose("late", "other:0", "p:0");
        choose("early", "x:0", "p:0");
        let graph = called(graph, &["out:0", "late:0", "early:0"]).unwrap();
        assert_eq!(graph.nodes().filter(|(_, node)| node.op == "If").count(), 3);
    }

    #[test]
    fn which_branch_was_taken_may_be_an_output() {
        let graph = called(conditional(|_, _| ()), &["out:0", "out:1"]).unwrap();
        let index = graph.tensor_type(graph.find_tensor("out:1").unwrap());
        assert_eq!((index.dtype, index.shape.rank()), (DType::Int32, Some(0)));
    }

    #[test]
    fn an_output_that_only_one_branch_computes_is_an_error() {
        let error = called(conditional(|_, _| ()), &["negated:0"]).unwrap_err().to_string();
        assert!(error.contains("negated:0") && error.contains("one branch"), "{error}");
    }

    #[test]
    fn conditionals_of_one_condition_are_each_called_once() {
        let graph = conditional(|graph, negated| {
            let [p, x] = ["p:0", "x:0"].map(|name| graph.find_tensor(name).unwrap());
            let late = add(graph, "late", "Neg", &[x]).into();
            for (name, value) in [("second", late), ("third", x)] {
                let switch = add(graph, &format!("{name}/switch"), "Switch", &[value, p]);
                let exp = add(graph, &format!("{name}/exp"), "Exp", &[port(switch, 1)]);
                add(graph, name, "Merge", &[port(switch, 0), exp.into()]);
            }
            assert!(negated < late.node);
        });
        let graph = called(graph, &["out:0", "second:0", "third:0"]).unwrap();
        assert_eq!(graph.nodes().filter(|(_, node)| node.op == "If").count(), 2);
    }

    #[test]
    fn branches_that_do_not_come_together_are_an_error() {
        let graph = conditional(|graph, negated| {
            add(graph, "both", "Merge", &[negated.into(), negated.into()]);
        });
        let error = called(graph, &["both:0"]).unwrap_err().to_string();
        assert!(error.contains("Merge \"both\""), "{error}");
    }
}
