//! Builds the graph of a network: its variables, ops, end points and outputs. `scopes` has the scopes that their names come from.

use hashbrown::HashMap;

use super::{ArgScope, Assumption, BuiltNetwork, NetworkInput, ScopeDisagreement, Variables, holds_prefix};
use crate::error::{Error, Result};
use crate::graph::limits::Budget;
use crate::graph::{Attr, Attrs, Graph, Limits, Shape, TensorRef};
use crate::tensor::{Constant, DType};

/// The height and width of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(pub [usize; 2]);

impl From<usize> for Kernel {
    fn from(size: usize) -> Self {
        Self([size, size])
    }
}

impl From<[usize; 2]> for Kernel {
    fn from(size: [usize; 2]) -> Self {
        Self(size)
    }
}

/// The scope of a layer without a name: slim numbers such layers as `Conv`, `Conv_1` and so on.
pub const UNNAMED: &str = "";

/// Builds a network as slim builds it.
///
/// The functions have slim's names and return tensors, so that a network file reads like the network's definition. The
/// builder keeps the first error, which `finish` returns, and ignores everything that is built after it.
///
/// Names are joined with `concat`, which allocates once; `format!` reallocates while the string grows.
#[derive(Debug)]
pub struct NetworkBuilder<'a> {
    graph: Graph,
    pub(super) scope: ArgScope,
    pub(super) variables: &'a Variables,
    pub(super) variable_scope: String,
    pub(super) name_scope: String,
    pub(super) names: HashMap<String, usize>,
    /// How often each default name was used in the open variable scope.
    pub(super) default_names: HashMap<String, usize>,
    end_points: Vec<(String, TensorRef)>,
    model_outputs: Vec<String>,
    pub(super) disagreements: Vec<ScopeDisagreement>,
    assumptions: Vec<Assumption>,
    failure: Option<Error>,
    /// Whether building fails at the first variable that the checkpoint does not have in the same shape.
    is_strict: bool,
    /// Whether variables that exist already are read again.
    reuses_variables: bool,
    /// The number of variables after which building ends with a failure.
    variable_limit: usize,
    variable_count: usize,
    /// Whether a filter has been built.
    has_filter: bool,
    /// Other names of the variables that are built: slim's names, and those in the checkpoint. The last one wins.
    pub(super) variable_names: Vec<(String, String)>,
    /// The line of the TOML file that describes the current step.
    location: Option<String>,
}

impl<'a> NetworkBuilder<'a> {
    pub(super) fn new(scope: ArgScope, variables: &'a Variables) -> Self {
        Self {
            graph: crate::ops::new_graph(),
            scope,
            variables,
            variable_scope: String::new(),
            name_scope: String::new(),
            names: HashMap::new(),
            default_names: HashMap::new(),
            end_points: vec![],
            model_outputs: vec![],
            disagreements: vec![],
            assumptions: vec![],
            failure: None,
            is_strict: false,
            reuses_variables: false,
            variable_limit: usize::MAX,
            variable_count: 0,
            has_filter: false,
            variable_names: vec![],
            location: None,
        }
    }

    /// Builds no more than this. Nothing has been built yet.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.graph = crate::ops::new_graph_within(limits);
    }

    /// How much of the limits is used.
    pub(super) fn budget(&self) -> &Budget {
        self.graph.library().budget()
    }

    /// A builder that fails at the first variable that is not in `variables` with the same shape.
    pub(super) fn strict(scope: ArgScope, variables: &'a Variables) -> Self {
        Self { is_strict: true, ..Self::new(scope, variables) }
    }

    /// The names of the first variables that `build` adds. Builds no more of the network than has them.
    pub(super) fn first_variables(mut self, limit: usize, build: impl FnOnce(&mut Self)) -> Vec<String> {
        self.variable_limit = limit;
        build(&mut self);
        let variables = self.graph.nodes().filter(|(_, node)| node.is_variable());
        variables.map(|(_, node)| node.name.clone()).collect()
    }

    pub(super) fn finish(self, inputs: Vec<TensorRef>, output: TensorRef) -> Result<BuiltNetwork> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(BuiltNetwork {
                graph: self.graph,
                inputs,
                output,
                end_points: self.end_points,
                model_outputs: self.model_outputs,
                disagreements: self.disagreements,
                assumptions: self.assumptions,
            }),
        }
    }

    /// Records why the network cannot be built.
    pub fn fail(&mut self, error: Error) {
        self.failure.get_or_insert_with(|| match &self.location {
            Some(location) => error.within(location),
            None => error,
        });
    }

    /// Whether the network cannot be built. Long loops check this to stop early.
    pub fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Builds a part of the network that the given line of a file describes. Errors name this line.
    pub(super) fn at_location<T>(&mut self, location: String, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.location.replace(location);
        let built = build(self);
        self.location = outer;
        built
    }

    /// Makes a tensor an end point of the network. A later end point replaces one of the same name.
    pub fn end_point(&mut self, name: &str, tensor: TensorRef) -> TensorRef {
        match self.end_points.iter_mut().find(|(known, _)| known == name) {
            Some(end_point) => end_point.1 = tensor,
            None => self.end_points.push((name.to_owned(), tensor)),
        }
        tensor
    }

    /// Builds a part of the network whose end points are not those of the network.
    pub(super) fn without_end_points<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> T {
        let end_points = self.end_points.clone();
        let built = build(self);
        self.end_points = end_points;
        built
    }

    /// The tensor of an end point that was built before.
    pub fn built_end_point(&mut self, name: &str) -> TensorRef {
        let found = self.end_points.iter().find(|(known, _)| known == name).map(|(_, tensor)| *tensor);
        found.unwrap_or_else(|| {
            self.fail(Error::new(name, "the network has no such end point"));
            self.substitute()
        })
    }

    /// Makes a tensor an end point whose name includes all scopes. An empty name means the open scope's own.
    pub fn scoped_end_point(&mut self, name: &str, tensor: TensorRef) -> TensorRef {
        let name = format!("{}{name}", self.variable_scope);
        self.end_point(name.trim_end_matches('/'), tensor)
    }

    /// Makes a tensor an output of the model, unless the user chooses others: an end point that has this name in the model.
    pub fn model_output(&mut self, name: &str, tensor: TensorRef) -> TensorRef {
        self.model_outputs.push(name.to_owned());
        self.end_point(name, tensor)
    }

    /// Records that the network was built with this value of an option, which neither the user nor a file gave.
    pub(super) fn assume(&mut self, option: &str, value: impl std::fmt::Display, reason: &str) {
        let assumption =
            Assumption { option: option.to_owned(), value: value.to_string(), reason: reason.to_owned() };
        self.assumptions.push(assumption);
    }

    /// Whether the checkpoint holds variables in a scope of this name within the open scope.
    pub(super) fn holds_scope(&self, name: &str) -> bool {
        let scope = [self.variable_scope.as_str(), name, "/"].concat();
        holds_prefix(self.variables, &scope)
    }

    /// The scopes in which the checkpoint holds variables, within this one of the open scope.
    pub(super) fn scopes_in(&self, scope: &str) -> Vec<&'a str> {
        let scope = [self.variable_scope.as_str(), scope, "/"].concat();
        let names = self.variables.range(scope.clone()..).map(|(name, _)| name.as_str());
        let names = names.map_while(|name| name.strip_prefix(&scope));
        let mut scopes: Vec<&str> = names.filter_map(|name| Some(name.split_once('/')?.0)).collect();
        scopes.dedup();
        scopes
    }

    /// The length of the last axis of a variable of the open scope, if the checkpoint holds it.
    pub(super) fn stored_channels(&self, name: &str) -> Option<usize> {
        self.variables.get(&[self.variable_scope.as_str(), name].concat())?.last().copied()
    }

    /// The name of the open variable scope, ending in `/`.
    pub(super) fn current_scope(&self) -> &str {
        &self.variable_scope
    }

    /// The type of a tensor's elements.
    pub(super) fn dtype(&self, tensor: TensorRef) -> DType {
        self.graph.tensor_type(tensor).dtype
    }

    /// The shape of a tensor, as far as it is known.
    pub fn shape(&self, tensor: TensorRef) -> &Shape {
        self.graph.shape(tensor)
    }

    /// The height and width of a `NHWC` tensor, if both are known.
    pub fn height_and_width(&self, tensor: TensorRef) -> Option<[usize; 2]> {
        let shape = self.shape(tensor);
        Some([shape.dim(1)?, shape.dim(2)?])
    }

    /// The number of channels of a tensor with its channels last.
    pub fn channels(&mut self, tensor: TensorRef) -> usize {
        self.shape(tensor).last().unwrap_or_else(|| {
            let name = self.graph.tensor_name(tensor);
            self.fail(Error::new(name, "its number of channels is not known"));
            0
        })
    }

    pub(super) fn placeholder(&mut self, input: NetworkInput) -> TensorRef {
        let attrs = [("dtype", Attr::Type(input.dtype)), ("shape", Attr::Shape(input.shape))];
        self.op(input.name, "Placeholder", &[], attrs)
    }

    /// Builds with `reuse=tf.AUTO_REUSE`: a variable that exists already is read again.
    pub(super) fn reusing_variables<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> T {
        let reuses_variables = std::mem::replace(&mut self.reuses_variables, true);
        let built = build(self);
        self.reuses_variables = reuses_variables;
        built
    }

    /// The shape that the checkpoint has for a variable of the open scope.
    pub(super) fn stored_shape(&self, name: &str) -> Option<Vec<usize>> {
        self.variables.get(&[self.variable_scope.as_str(), name].concat()).cloned()
    }

    /// Whether the checkpoint holds a variable of the open scope.
    pub(super) fn stores(&self, name: &str) -> bool {
        self.variables.contains_key(&[self.variable_scope.as_str(), name].concat())
    }

    /// The full name of a variable of the open scope.
    pub(super) fn variable_name(&self, name: &str) -> String {
        let other = self.variable_names.iter().rfind(|(known, _)| known == name);
        [self.variable_scope.as_str(), other.map_or(name, |(_, other)| other)].concat()
    }

    /// Whether an end point of this name was built before.
    pub(super) fn has_end_point(&self, name: &str) -> bool {
        self.end_points.iter().any(|(known, _)| known == name)
    }

    /// Adds a variable of the open scope and the op that reads it.
    pub(super) fn variable(&mut self, name: &str, shape: &[usize]) -> TensorRef {
        if self.has_failed() {
            return self.substitute();
        }
        let name = self.variable_name(name);
        if self.reuses_variables
            && let Some(read) = self.graph.find(&[name.as_str(), "/read"].concat())
        {
            return read.into();
        }
        if self.variable_count == self.variable_limit {
            self.fail(Error::new(name, "no more variables are needed"));
            return self.substitute();
        }
        self.variable_count += 1;
        if self.is_strict {
            self.require_stored(&name, shape);
        }
        let attrs =
            Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))]);
        let variable = self.add(name.clone(), "VariableV2", vec![], attrs);
        self.add(name + "/read", "Identity", vec![variable], Attrs::new())
    }

    /// Fails if the checkpoint does not hold the variable in this shape.
    fn require_stored(&mut self, name: &str, shape: &[usize]) {
        // The first filter may differ: recognition reads the number of the images' channels from it.
        let is_first_filter = shape.len() >= 4 && !std::mem::replace(&mut self.has_filter, true);
        let fits = |stored: &Vec<usize>| is_first_filter || stored == shape;
        if !self.variables.get(name).is_some_and(fits) {
            self.fail(Error::new(name, "it is not stored in this shape"));
        }
    }

    pub(super) fn constant(&mut self, name: &str, value: Constant) -> TensorRef {
        self.op(name, "Const", &[], [("value", Attr::Tensor(value))])
    }

    /// Adds an op in the open name scope, under `name` made unique.
    pub(super) fn op<const N: usize>(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[TensorRef],
        attrs: [(&'static str, Attr); N],
    ) -> TensorRef {
        let name = self.unique_name(name);
        let attrs = attrs.into();
        self.add(name, op, inputs.to_vec(), attrs)
    }

    /// Adds an op under the full name of an [`NetworkBuilder::op_scope`].
    pub(super) fn named_op<const N: usize>(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[TensorRef],
        attrs: [(&'static str, Attr); N],
    ) -> TensorRef {
        self.add(name.to_owned(), op, inputs.to_vec(), attrs.into())
    }

    /// Adds an op whose last input is a constant: `name/suffix`.
    pub(super) fn op_with_constant<const N: usize>(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[TensorRef],
        (suffix, value): (&str, Constant),
        attrs: [(&'static str, Attr); N],
    ) -> TensorRef {
        let name = self.unique_name(name);
        let value = Attrs::from([("value", Attr::Tensor(value))]);
        let constant = self.add([name.as_str(), "/", suffix].concat(), "Const", vec![], value);
        let inputs = inputs.iter().copied().chain([constant]).collect();
        let attrs = attrs.into();
        self.add(name, op, inputs, attrs)
    }

    pub(super) fn add(&mut self, name: String, op: &str, inputs: Vec<TensorRef>, attrs: Attrs) -> TensorRef {
        if !self.has_failed() {
            let charged = self.budget().charge_network(&name);
            match charged.and_then(|()| self.graph.add(name, op, inputs, attrs)) {
                Ok(node) => return node.into(),
                Err(error) => self.fail(error),
            }
        }
        self.substitute()
    }

    /// The input placeholder, in place of a tensor that cannot be built after an error.
    fn substitute(&self) -> TensorRef {
        let (first, _) = self.graph.nodes().next().expect("the placeholder is built first");
        first.into()
    }
}
