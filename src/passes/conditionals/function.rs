//! The function of a branch: the nodes of the branch that a `Merge` needs, and the tensors from outside as its arguments.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::{Building, with_calls};
use crate::error::Result;
use crate::graph::branches::ON_BRANCH;
use crate::graph::{Attr, Function, Graph, Node, NodeId, TensorRef};
use crate::passes::branches::{Branch, not_of_a_conditional};
use crate::tensor::Constant;

impl Building<'_> {
    /// The nodes of a branch that compute these tensors. The tensors that they read from outside are added to `captured`.
    pub(super) fn slice(
        &self,
        branch: Branch,
        taken: &[(TensorRef, usize)],
        captured: &mut Vec<TensorRef>,
    ) -> Result<BTreeSet<NodeId>> {
        let mut nodes = BTreeSet::new();
        let mut open: Vec<TensorRef> = taken.iter().rev().map(|&(tensor, _)| tensor).collect();
        while let Some(tensor) = open.pop() {
            match self.read(branch, tensor)? {
                Read::Outside(outside) => {
                    if !captured.contains(&outside) {
                        captured.push(outside);
                    }
                }
                Read::Inside => {
                    if nodes.insert(tensor.node) {
                        open.extend(self.inputs(branch, self.old.node(tensor.node))?.iter().rev());
                    }
                }
            }
        }
        Ok(nodes)
    }

    /// The source of a tensor that a branch reads.
    fn read(&self, branch: Branch, tensor: TensorRef) -> Result<Read> {
        let node = self.old.node(tensor.node);
        if !self.branches.of(tensor)?.contains(&branch) {
            // It may be on other branches of the same decider only by mistake.
            return match self.branches.of(tensor)?.is_empty() {
                true => Ok(Read::Outside(tensor)),
                false => Err(not_of_a_conditional(node)),
            };
        }
        if node.is_switch() && self.branches.decider(node)? == branch.decider && tensor.port == branch.port {
            let data = *node.inputs.first().ok_or_else(|| node.error("it has no inputs"))?;
            return self.read(branch, data);
        }
        Ok(Read::Inside)
    }

    /// The inputs of a node of a branch; pivots of the branch itself are not needed inside of it.
    fn inputs(&self, branch: Branch, node: &Node) -> Result<Vec<TensorRef>> {
        let Some((&value, pivots)) = node.inputs.split_first().filter(|_| node.op == ON_BRANCH) else {
            return Ok(node.inputs.clone());
        };
        let mut inputs = vec![value];
        for &pivot in pivots {
            if matches!(self.read(branch, pivot)?, Read::Inside) {
                inputs.push(pivot);
            }
        }
        Ok(inputs)
    }

    /// The function of a branch.
    pub(super) fn function(
        &mut self,
        branch: Branch,
        first: &Node,
        slice: &BTreeSet<NodeId>,
        taken: &[(TensorRef, usize)],
        captured: &[TensorRef],
        uses_index: &[bool],
    ) -> Result<Function> {
        let mut graph = Graph::with_library(self.library.clone());
        let mut moved: HashMap<TensorRef, TensorRef> = HashMap::new();
        let mut arguments = vec![];
        for (index, &tensor) in captured.iter().enumerate() {
            let known = self.old.tensor_type(tensor);
            let attrs = [("dtype", Attr::Type(known.dtype)), ("shape", Attr::Shape(known.shape.clone()))];
            let name = format!("{}/argument_{index}", first.name);
            let argument = graph.add(name, "Placeholder", vec![], attrs.into())?.into();
            moved.insert(tensor, argument);
            arguments.push(argument);
        }
        for &id in slice {
            let node = self.old.node(id);
            let inputs = self.inputs(branch, node)?;
            let is_plain = node.op == ON_BRANCH && inputs.len() == 1;
            let inputs: Vec<TensorRef> =
                inputs.iter().map(|&input| self.inside(branch, input, &moved)).collect::<Result<_>>()?;
            let op = if is_plain { "Identity" } else { &node.op };
            let (name, count) = (node.name.clone(), node.outputs.len());
            let copy = graph.add_with_outputs(name, op, inputs, node.attrs.clone(), &node.outputs)?;
            moved.extend(
                (0..count).map(|port| (TensorRef { node: id, port }, TensorRef { node: copy, port })),
            );
        }
        let mut results = vec![];
        for (&(tensor, index), &uses_index) in taken.iter().zip(uses_index) {
            results.push(self.inside(branch, tensor, &moved)?);
            if uses_index {
                let value = Attr::Tensor(Constant::from_i32(vec![], &[index as i32]));
                let name = format!("{}/value_index_{}", first.name, results.len());
                results.push(graph.add(name, "Const", vec![], [("value", value)].into())?.into());
            }
        }
        self.with_functions(graph, arguments, results)
    }

    /// A tensor that a branch reads, in its function.
    fn inside(
        &self,
        branch: Branch,
        tensor: TensorRef,
        moved: &HashMap<TensorRef, TensorRef>,
    ) -> Result<TensorRef> {
        let source = match self.read(branch, tensor)? {
            Read::Outside(outside) => outside,
            Read::Inside => tensor,
        };
        moved.get(&source).copied().ok_or_else(|| not_of_a_conditional(self.old.node(tensor.node)))
    }

    /// A function with its own conditionals turned into functions.
    fn with_functions(
        &mut self,
        graph: Graph,
        arguments: Vec<TensorRef>,
        results: Vec<TensorRef>,
    ) -> Result<Function> {
        if !graph.nodes().any(|(_, node)| node.is_merge()) {
            return Ok(Function { graph, arguments, results });
        }
        let (inner, moved) = with_calls(&graph, &results, self.library)?;
        let find = |tensor: &TensorRef| {
            let node = graph.node(tensor.node);
            moved.get(tensor).copied().ok_or_else(|| not_of_a_conditional(node))
        };
        let arguments = arguments.iter().map(find).collect::<Result<_>>()?;
        let results = results.iter().map(find).collect::<Result<_>>()?;
        Ok(Function { graph: inner, arguments, results })
    }
}

/// Where a tensor that a branch reads comes from.
enum Read {
    Outside(TensorRef),
    Inside,
}
