//! Branches of `Switch` and `Merge` while a graph is simplified: those that constants decide are taken. A constant on
//! another branch stays a constant on that branch.

use std::rc::Rc;

use hashbrown::HashSet;

use super::{Mapped, Simplifying};
use crate::error::Result;
use crate::graph::branches::ON_BRANCH;
use crate::graph::{Attrs, Node, NodeRef, TensorRef};
use crate::tensor::Constant;

impl Simplifying<'_> {
    /// A `Switch` forwards its input to the branch that is taken. If that is decided when the model runs, it stays, but
    /// a constant or variable that it forwards is still known on its branches.
    pub(super) fn switched(&mut self, node: NodeRef<'_>, inputs: Vec<TensorRef>) -> Result<Vec<Mapped>> {
        let [data, condition] = inputs[..] else {
            return Err(node.error(format!("it has {} inputs instead of 2", inputs.len())));
        };
        if let Some(flags) = self.known(condition).transpose()?.and_then(|condition| condition.flags()) {
            let is_true = flags.first() == Some(&true);
            let branch = |taken: bool| if taken { Mapped::At(data) } else { Mapped::Dead };
            return Ok(vec![branch(!is_true), branch(is_true)]);
        }
        let is_known = self.is_fixed(data);
        let outputs = self.copied(node, inputs)?;
        if !is_known {
            return Ok(outputs);
        }
        let on_branch = |(port, output): (usize, Mapped)| match output {
            Mapped::At(pivot) => {
                self.add_on_branch(&format!("{}/on_branch_{port}", node.name), data, &[pivot]).map(Mapped::At)
            }
            Mapped::Dead => Ok(Mapped::Dead),
        };
        outputs.into_iter().enumerate().map(on_branch).collect()
    }

    /// Whether a tensor is a constant or a variable.
    fn is_fixed(&self, tensor: TensorRef) -> bool {
        let source = self.source(tensor);
        source.constant().is_some() || source.is_variable()
    }

    fn add_on_branch(&mut self, name: &str, value: TensorRef, pivots: &[TensorRef]) -> Result<TensorRef> {
        let (name, inputs) = (self.unique(name), [&[value], pivots].concat());
        self.new.add(name, ON_BRANCH, inputs, Attrs::new()).map(TensorRef::from)
    }

    /// A value on branches that are decided before the model runs is on those that are not.
    pub(super) fn on_branch(&mut self, node: &Node, inputs: &[TensorRef]) -> Result<Vec<Mapped>> {
        let Some((&value, pivots)) = inputs.split_first() else { return Err(node.error("it has no inputs")) };
        let open = |pivot: &TensorRef| match self.new.node(pivot.node).is_switch() {
            true => vec![*pivot],
            false => self.pivots(*pivot).to_vec(),
        };
        let pivots: Vec<TensorRef> = pivots.iter().flat_map(open).collect();
        if pivots.is_empty() {
            return Ok(vec![Mapped::At(value)]);
        }
        Ok(vec![Mapped::At(self.add_on_branch(&node.name, value, &pivots)?)])
    }

    /// Puts constants on the branches of the tensors that they were computed from.
    pub(super) fn where_inputs_are(
        &mut self,
        node: &Node,
        inputs: &[TensorRef],
        constants: Vec<Mapped>,
    ) -> Result<Vec<Mapped>> {
        let mut pivots: Vec<TensorRef> =
            inputs.iter().flat_map(|&input| self.pivots(input).to_vec()).collect();
        if pivots.is_empty() {
            return Ok(constants);
        }
        pivots.sort_unstable();
        let pivots = self.one_of_each_branch(pivots.into_iter());
        let on_branch = |(port, constant): (usize, Mapped)| match constant {
            Mapped::At(constant) => self
                .add_on_branch(&format!("{}/on_branch_{port}", node.name), constant, &pivots)
                .map(Mapped::At),
            Mapped::Dead => Ok(Mapped::Dead),
        };
        constants.into_iter().enumerate().map(on_branch).collect()
    }

    /// The `Switch` outputs of the branches that a known value is on, one for each branch.
    fn pivots(&mut self, tensor: TensorRef) -> Rc<[TensorRef]> {
        let (mut next, mut passed) = (Some(tensor), vec![]);
        let mut found: Rc<[TensorRef]> = Rc::default();
        while let Some(tensor) = next {
            if let Some(known) = self.on_branches.get(&tensor) {
                found = known.clone();
                break;
            }
            passed.push(tensor);
            next = self.new.node(tensor.node).forwarded(tensor.port);
        }
        for tensor in passed.into_iter().rev() {
            let node = self.new.node(tensor.node);
            if node.op == ON_BRANCH {
                let own = node.inputs.iter().skip(1).copied();
                found = self.one_of_each_branch(found.iter().copied().chain(own)).into();
            }
            self.on_branches.insert(tensor, found.clone());
        }
        found
    }

    /// Of these `Switch` outputs, the first of each branch. The switches of one conditional read the tensor that decides
    /// themselves, or what forwards it.
    fn one_of_each_branch(&self, pivots: impl Iterator<Item = TensorRef>) -> Vec<TensorRef> {
        let mut branches = HashSet::new();
        let is_new = |pivot: &TensorRef| {
            let decider = self.new.node(pivot.node).inputs.get(1);
            branches.insert((decider.map_or(*pivot, |&decider| self.new.origin(decider)), pivot.port))
        };
        pivots.filter(is_new).collect()
    }

    pub(super) fn merged(
        &mut self,
        node: NodeRef<'_>,
        inputs: &[Mapped],
        live: &[TensorRef],
    ) -> Result<Vec<Mapped>> {
        match live[..] {
            [] => Ok(vec![Mapped::Dead; 2]),
            [one] => {
                let index = inputs.iter().position(|input| *input != Mapped::Dead).unwrap_or(0) as i32;
                let index = self
                    .constant(&format!("{}/value_index", node.name), Constant::from_i32(vec![], &[index]))?;
                self.named(node, vec![one, index])
            }
            _ => self.copied(node, live.to_vec()),
        }
    }
}
