//! Evaluating a part of the graph that a model was converted from. If an op cannot be evaluated, its inputs are compared with
//! the same tensors inside of the model, its results are taken from the model, and evaluation goes on after it.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::batch_axis::tell_batches_apart;
use super::{Conversion, simplify_function};
use crate::error::Result;
use crate::eval::{Leaves, Refused, run_past};
use crate::graph::{Graph, NodeId, TensorRef, generates_random_numbers, reserves_list};
use crate::lower::LowerOptions;
use crate::onnx::Model;
use crate::ops::lower;
use crate::source::Source;
use crate::tensor::Tensor;

/// Tensors by their names.
type Named = Vec<(String, Tensor)>;

/// Runs a model with other outputs on these inputs.
type Execute<'e> = dyn FnMut(&Model, &[(String, Tensor)]) -> Result<Named> + 'e;

/// Runs a model with other outputs, on these inputs or on random ones, and returns the inputs and the outputs.
type Probe<'e> = dyn FnMut(&Model, Option<&[(String, Tensor)]>) -> Result<(Named, Named)> + 'e;

/// The results of evaluating a part of the graph.
#[derive(Debug, Default)]
pub struct Evaluated {
    /// The outputs that were evaluated, with their names in the model.
    pub outputs: Named,
    /// The outputs that were not evaluated.
    pub unknown: Vec<String>,
    /// The inputs of ops that were not evaluated.
    pub layers: Vec<Layer>,
    /// The ops whose results were taken from the model, with the number of their nodes.
    pub trusted: BTreeMap<String, usize>,
    /// The ops whose results could not be taken from the model, with the number of their nodes: nothing after them was
    /// evaluated.
    pub lost: BTreeMap<String, usize>,
}

/// A tensor inside of the model.
#[derive(Debug)]
pub struct Layer {
    /// Its name in TensorFlow's graph.
    pub name: String,
    /// Its value in the model.
    pub got: Tensor,
    /// Its value in the evaluated graph.
    pub expected: Tensor,
}

impl Conversion {
    /// The same as [`Conversion::evaluate`] for graphs with ops that cannot be evaluated. `execute` runs models of the same graph
    /// whose outputs are tensors inside of it.
    ///
    /// # Errors
    /// If an input is missing or does not fit, a weight cannot be read, or an op does not accept its inputs.
    pub fn evaluate_past(
        &self,
        source: &Source,
        inputs: &[(String, Tensor)],
        leaves: &Leaves,
        execute: &mut Execute<'_>,
    ) -> Result<Evaluated> {
        let graph = self.evaluated_graph(source)?;
        let feeds = self.feeds(&graph, inputs)?;
        let (names, tensors) = self.outputs_in(&graph);
        let fed: Named = feeds.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        let mut inside = Inside { conversion: self, fed, values: HashMap::new(), execute };
        let mut evaluated = Evaluated::default();
        let mut refused_nodes: HashSet<String> = HashSet::new();
        let results = run_past(&graph, &feeds, &tensors, &|_, _| (), leaves, &mut |refused| {
            let node = refused.graph.node(refused.node);
            refused_nodes.insert(node.name.clone());
            inside.look(refused);
            for (input, expected) in &refused.inputs {
                let name = refused.graph.tensor_name(*input);
                let is_known = evaluated.layers.iter().any(|layer| layer.name == name);
                // The shape of elements that are not written yet is not the same in the model.
                let is_reserved = reserves_list(&refused.graph.node(input.node).op);
                let is_skipped = is_known || is_reserved || feeds.contains_key(&name);
                if let (Some(got), false) = (inside.values.get(&name), is_skipped) {
                    let (got, expected) = (got.clone(), Tensor::clone(expected));
                    evaluated.layers.push(Layer { name, got, expected });
                }
            }
            let of_model = |tensor: &TensorRef| {
                let value = inside.values.get(&refused.graph.tensor_name(*tensor))?;
                value.clone().converted(refused.graph.tensor_type(*tensor).dtype)
            };
            // Another run of the model has other random numbers.
            let is_random = generates_random_numbers(&node.op);
            let values: Option<Vec<Tensor>> = match is_random {
                true => None,
                false => refused.read.iter().map(of_model).collect(),
            };
            let count = match values {
                Some(_) => evaluated.trusted.entry(node.op.clone()),
                None => evaluated.lost.entry(node.op.clone()),
            };
            *count.or_default() += 1;
            Ok(values)
        })?;
        for ((name, output), result) in names.into_iter().zip(&tensors).zip(results) {
            let node = graph.node(graph.origin(*output).node);
            // A result that was taken from the model would be compared with itself.
            let is_left = |result: &Tensor| {
                refused_nodes.contains(&node.name) || leaves(node, &[], std::slice::from_ref(result))
            };
            match result {
                Some(result) if is_left(&result) => evaluated.unknown.push(name.1),
                Some(result) => evaluated.outputs.push(self.in_layout(name, result)),
                None => evaluated.unknown.push(name.1),
            }
        }
        Ok(evaluated)
    }

    /// For a model that cannot be executed as a whole: the last tensors of the longest part, in the graph's order, that can be
    /// executed, with their evaluated values. The inputs are `given`, with their names in the model, or random ones of `probe`.
    ///
    /// # Errors
    /// If an input does not fit, a weight cannot be read, or an op does not accept its inputs.
    pub fn evaluate_before(
        &self,
        source: &Source,
        given: Option<&[(String, Tensor)]>,
        leaves: &Leaves,
        probe: &mut Probe<'_>,
    ) -> Result<Vec<Layer>> {
        let reference = self.evaluated_graph(source)?;
        let given: Option<Named> = match given {
            Some(given) => Some(self.feeds(&reference, given)?.into_iter().collect()),
            None => None,
        };
        let (mut executed, mut failing, mut last) = (0, self.graph.len() + 1, None);
        while failing - executed > 1 {
            let middle = (executed + failing) / 2;
            let tensors = self.last_of(middle, &reference);
            let found = match tensors.is_empty() {
                true => None,
                false => self.with_outputs(&tensors).and_then(|model| probe(&model, given.as_deref())).ok(),
            };
            if found.is_some() || tensors.is_empty() {
                (executed, last) = (middle, found.or(last));
            } else {
                failing = middle;
            }
        }
        let Some((inputs, values)) = last else { return Ok(vec![]) };
        let typed = |(name, tensor): (String, Tensor)| {
            let dtype = reference.tensor_type(reference.find_tensor(&name)?).dtype;
            Some((name, tensor.converted(dtype)?))
        };
        let feeds: HashMap<String, Tensor> = inputs.into_iter().filter_map(typed).collect();
        let found = |(name, value): (String, Tensor)| Some((reference.find_tensor(&name)?, (name, value)));
        let (tensors, values): (Vec<TensorRef>, Named) = values.into_iter().filter_map(found).unzip();
        let results = run_past(&reference, &feeds, &tensors, &|_, _| (), leaves, &mut |_| Ok(None))?;
        let layer = |((name, got), expected): ((String, Tensor), Option<Tensor>)| {
            expected.map(|expected| Layer { name, got, expected })
        };
        Ok(values.into_iter().zip(results).filter_map(layer).collect())
    }

    /// The tensors that the first `count` nodes of the graph compute and that later nodes read or that are outputs, if they are
    /// in the reference graph, too.
    fn last_of(&self, count: usize, reference: &Graph) -> Vec<TensorRef> {
        let graph = &self.graph;
        let (_, outputs) = self.outputs_in(graph);
        let index: HashMap<NodeId, usize> =
            graph.nodes().enumerate().map(|(index, (id, _))| (id, index)).collect();
        let late = graph.nodes().skip(count).flat_map(|(_, node)| node.inputs.iter().copied());
        let mut found: Vec<TensorRef> = vec![];
        for tensor in late.chain(outputs) {
            let node = graph.node(tensor.node);
            let is_computed = node.constant().is_none() && !node.is_placeholder();
            let is_early = index[&tensor.node] < count;
            let is_known = reference.find_tensor(&graph.tensor_name(tensor)).is_some();
            let is_of_numbers = Tensor::has_type(graph.tensor_type(tensor).dtype);
            if is_computed && is_early && is_known && is_of_numbers && !found.contains(&tensor) {
                found.push(tensor);
            }
        }
        found
    }

    /// A model of the same graph whose outputs are these tensors, in TensorFlow's order of axes.
    fn with_outputs(&self, tensors: &[TensorRef]) -> Result<Model> {
        let options = LowerOptions {
            inputs_as_nchw: vec![],
            outputs_as_nchw: vec![],
            ..self.reference.lowered.clone()
        };
        let (graph, moved) = self.graph.clone().pruned_to(tensors);
        let outputs = moved.tensors(tensors);
        let mut model = lower(&graph, &outputs, &options, simplify_function)?;
        // As in the whole model: a runtime may take lengths of the same name for equal ones.
        tell_batches_apart(&mut model, &graph, &outputs);
        Ok(model)
    }
}

/// The tensors inside of the model.
struct Inside<'a, 'e> {
    conversion: &'a Conversion,
    fed: Named,
    /// The values of tensors so far, by name.
    values: HashMap<String, Tensor>,
    execute: &'a mut Execute<'e>,
}

impl Inside<'_, '_> {
    /// Gets the inputs and outputs of a node that cannot be evaluated, and those of all nodes with the same op.
    fn look(&mut self, refused: &Refused<'_>) {
        let (graph, node) = (refused.graph, refused.graph.node(refused.node));
        let own = || refused.read.iter().chain(refused.inputs.iter().map(|(input, _)| input)).copied();
        if own().all(|tensor| self.values.contains_key(&graph.tensor_name(tensor))) {
            return;
        }
        let read: HashSet<TensorRef> = graph.nodes().flat_map(|(_, node)| &node.inputs).copied().collect();
        let like = graph.nodes().filter(|(_, other)| other.op == node.op);
        let all = like.flat_map(|(id, other)| {
            let ports = (0..other.outputs.len()).map(move |port| TensorRef { node: id, port });
            ports
                .filter(|tensor| read.contains(tensor))
                .chain(other.inputs.iter().copied())
                .collect::<Vec<_>>()
        });
        let all: Vec<TensorRef> = all.chain(own()).collect();
        // If one of them cannot be an output, those of this node alone may be.
        if !self.fetch(graph, &all) {
            let own: Vec<TensorRef> = own().collect();
            if !self.fetch(graph, &own) {
                for tensor in own {
                    self.fetch(graph, &[tensor]);
                }
            }
        }
    }

    /// Gets the values of these tensors, if the model has them. Returns whether that succeeded.
    fn fetch(&mut self, graph: &Graph, tensors: &[TensorRef]) -> bool {
        let made = &self.conversion.graph;
        let mut wanted: Vec<TensorRef> = vec![];
        for &tensor in tensors {
            let name = graph.tensor_name(tensor);
            let found = made.find_tensor(&name).filter(|found| made.constant(*found).is_none());
            if let Some(found) =
                found.filter(|found| !self.values.contains_key(&name) && !wanted.contains(found))
            {
                wanted.push(found);
            }
        }
        if wanted.is_empty() {
            return true;
        }
        let Ok(model) = self.conversion.with_outputs(&wanted) else { return false };
        let is_input = |(name, _): &&(String, Tensor)| model.inputs.iter().any(|input| input.name == *name);
        let fed: Named = self.fed.iter().filter(is_input).cloned().collect();
        let Ok(values) = (self.execute)(&model, &fed) else { return false };
        self.values.extend(values);
        true
    }
}
