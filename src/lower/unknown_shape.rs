//! Advice for a tensor whose shape is not known well enough: the inputs that leave it open.

use hashbrown::HashSet;

use super::context::Lowering;
use crate::graph::{NodeId, Shape, TensorRef, reserves_list};
use crate::setting::Setting;
use crate::suggestion::first_of;

/// How many inputs are named.
const NAMED: usize = 3;

impl Lowering<'_> {
    /// Advice on how to fix the shape of a tensor.
    pub fn shape_advice(&self, tensor: TensorRef) -> String {
        let inputs = self.open_inputs(tensor);
        if !inputs.is_empty() {
            let shape = |name: &String| Setting::Shape.to(format!("{name}=DIMS")).to_string();
            let given: Vec<String> = inputs.iter().map(shape).collect();
            return format!("give the shape of its input with {}", first_of(&given, NAMED));
        }
        // A list is no tensor.
        if reserves_list(&self.graph.node(tensor.node).op) {
            return format!("let the model begin at a tensor after it, with {}", Setting::Inputs);
        }
        let name = self.graph.tensor_name(tensor);
        let shape = Setting::Shape.to(format!("{name}=DIMS"));
        format!("let the model begin there, with {} {shape}", Setting::Inputs.to(name))
    }

    /// Advice on how to give a tensor a value: by those of the inputs that it is computed from.
    pub fn value_advice(&self, tensor: TensorRef) -> String {
        let mut names: Vec<String> = self.model_inputs(tensor).into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        if names.is_empty() {
            return "make it a constant of the graph".to_owned();
        }
        let freeze = |name: &String| Setting::Freeze.to(format!("{name}=VALUE")).to_string();
        let given: Vec<String> = names.iter().map(freeze).collect();
        format!("give it a value with {}", first_of(&given, NAMED))
    }

    /// The inputs of the model that a tensor is computed from and whose shape is open: those of unknown rank, if there are any.
    fn open_inputs(&self, tensor: TensorRef) -> Vec<String> {
        let mut found = self.model_inputs(tensor);
        found.retain(|(_, shape)| shape.fully_known().is_none());
        let has_rank = |(_, shape): &(String, &Shape)| shape.rank().is_some();
        if !found.iter().all(has_rank) {
            found.retain(|known| !has_rank(known));
        }
        let mut names: Vec<String> = found.into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// The inputs of the model that a tensor is computed from, with their shapes.
    fn model_inputs(&self, tensor: TensorRef) -> Vec<(String, &Shape)> {
        let (mut open, mut seen): (Vec<NodeId>, HashSet<NodeId>) = (vec![tensor.node], HashSet::new());
        let mut found = vec![];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let node = self.graph.node(id);
            open.extend(node.inputs.iter().map(|input| input.node));
            let ports = (0..node.outputs.len()).map(|port| TensorRef { node: id, port });
            let named = ports.map(|port| (self.graph.tensor_name(port), self.graph.shape(port)));
            found.extend(named.filter(|(name, _)| self.model.inputs.iter().any(|input| input.name == *name)));
        }
        found
    }
}
