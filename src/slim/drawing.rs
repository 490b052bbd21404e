//! A graph being drawn: TensorFlow's variable scopes, name scopes and unique names.
//!
//! Source: `variable_scope` in `tensorflow/python/ops/variable_scope.py`, `Graph.unique_name` in
//! `tensorflow/python/framework/ops.py`.

use hashbrown::HashMap;

use super::{Arg, ArgScope, DrawnNetwork, Layer, ScopeDisagreement, Variables};
use crate::error::{Error, Result};
use crate::graph::{Attr, Attrs, Graph, Shape, TensorRef};
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

/// The scope of a layer that is given none: slim calls it `Conv`, `Conv_1` and so on.
pub const UNNAMED: &str = "";

/// A network being drawn, as slim draws it.
///
/// Names are put together by `concat`, which knows their length beforehand: `format!` has each of them moved a few times
/// while it grows.
///
/// Its functions have slim's names and return tensors, so that a network file reads like the network's
/// definition. The first thing that goes wrong is kept and reported by `finish`; what is drawn after it
/// does not matter.
#[derive(Debug)]
pub struct Drawing<'a> {
    graph: Graph,
    pub(super) scope: ArgScope,
    pub(super) variables: &'a Variables,
    variable_scope: String,
    name_scope: String,
    names: HashMap<String, usize>,
    variable_scopes: HashMap<String, usize>,
    end_points: Vec<(String, TensorRef)>,
    pub(super) disagreements: Vec<ScopeDisagreement>,
    failure: Option<Error>,
    /// Whether the network is given up at the first variable that the checkpoint does not have as it is drawn.
    has_to_be_whole: bool,
    /// Whether a filter has been drawn.
    has_filter: bool,
    /// Where the description of what is being drawn is, where it is in a file.
    place: Option<String>,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(scope: ArgScope, variables: &'a Variables) -> Self {
        Self {
            graph: crate::ops::new_graph(),
            scope,
            variables,
            variable_scope: String::new(),
            name_scope: String::new(),
            names: HashMap::new(),
            variable_scopes: HashMap::new(),
            end_points: vec![],
            disagreements: vec![],
            failure: None,
            has_to_be_whole: false,
            has_filter: false,
            place: None,
        }
    }

    /// A drawing that is given up where it is not of these variables.
    pub(super) fn of_whole(scope: ArgScope, variables: &'a Variables) -> Self {
        Self { has_to_be_whole: true, ..Self::new(scope, variables) }
    }

    pub(super) fn finish(self, input: TensorRef, output: TensorRef) -> Result<DrawnNetwork> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(DrawnNetwork {
                graph: self.graph,
                input,
                output,
                end_points: self.end_points,
                disagreements: self.disagreements,
            }),
        }
    }

    /// Says that the network cannot be drawn.
    pub fn fail(&mut self, error: Error) {
        self.failure.get_or_insert_with(|| match &self.place {
            Some(place) => error.within(place),
            None => error,
        });
    }

    /// Whether it is known already that the network cannot be drawn. Who draws much asks, and saves the rest.
    pub fn is_given_up(&self) -> bool {
        self.failure.is_some()
    }

    /// Draws what is described at `place`, a line of a file: what goes wrong is said with it.
    pub(super) fn described_at<T>(&mut self, place: String, draw: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.place.replace(place);
        let drawn = draw(self);
        self.place = outer;
        drawn
    }

    /// Draws in `variable_scope(name)`: variables and ops below it carry its name.
    pub fn variable_scope<T>(&mut self, name: &str, draw: impl FnOnce(&mut Self) -> T) -> T {
        let variable_scope = [self.variable_scope.as_str(), name, "/"].concat();
        let name_scope = self.unique_name(name) + "/";
        self.within(variable_scope, name_scope, draw)
    }

    /// Draws in `variable_scope(scope)` with the scope that is open already: the variables' names stay, while
    /// the ops' names repeat its last part. That is why slim's ops are called `InceptionV3/InceptionV3/…`.
    pub fn reenter_scope<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> T {
        let scope = self.variable_scope.trim_end_matches('/');
        let last = scope.rsplit('/').next().unwrap_or_default().to_owned();
        let name_scope = self.unique_name(&last) + "/";
        self.within(self.variable_scope.clone(), name_scope, draw)
    }

    /// Draws in `variable_scope(None, default)`: the name gets a number where it was used before.
    pub fn default_scope<T>(&mut self, default: &str, draw: impl FnOnce(&mut Self) -> T) -> T {
        let used = self.variable_scopes.entry([self.variable_scope.as_str(), default].concat()).or_insert(0);
        let name = if *used == 0 { default.to_owned() } else { format!("{default}_{used}") };
        *used += 1;
        self.variable_scope(&name, draw)
    }

    /// Draws in the scope of a layer: [`UNNAMED`] leaves it to slim to number its `default` name.
    pub(super) fn layer_scope<T>(
        &mut self,
        scope: &str,
        default: &str,
        draw: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if scope == UNNAMED { self.default_scope(default, draw) } else { self.variable_scope(scope, draw) }
    }

    /// Draws in these scopes, the first one outermost.
    pub(super) fn variable_scopes(&mut self, scopes: &[&str], draw: impl FnOnce(&mut Self)) {
        match scopes {
            [] => draw(self),
            [first, rest @ ..] => {
                // Boxed: every level would be another type otherwise.
                let draw: Box<dyn FnOnce(&mut Self)> = Box::new(draw);
                self.variable_scope(first, |slim| slim.variable_scopes(rest, draw));
            }
        }
    }

    /// Draws in `name_scope(name)`: only the names of ops are affected.
    pub(super) fn name_scope<T>(&mut self, name: &str, draw: impl FnOnce(&mut Self) -> T) -> T {
        let name_scope = self.unique_name(name) + "/";
        self.within(self.variable_scope.clone(), name_scope, draw)
    }

    fn within<T>(
        &mut self,
        variable_scope: String,
        name_scope: String,
        draw: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let variable_scope = std::mem::replace(&mut self.variable_scope, variable_scope);
        let name_scope = std::mem::replace(&mut self.name_scope, name_scope);
        let drawn = draw(self);
        self.variable_scope = variable_scope;
        self.name_scope = name_scope;
        drawn
    }

    /// Draws with `args` as defaults of `layers`.
    pub fn arg_scope<T>(&mut self, layers: &[Layer], args: &[Arg], draw: impl FnOnce(&mut Self) -> T) -> T {
        let depth = self.scope.enter(layers, args);
        let drawn = draw(self);
        self.scope.leave(depth);
        drawn
    }

    /// `slim.repeat`: draws a block `count` times, each in a scope of its own.
    pub fn repeat(
        &mut self,
        net: TensorRef,
        count: usize,
        block: &str,
        mut draw: impl FnMut(&mut Self, TensorRef) -> TensorRef,
    ) -> TensorRef {
        self.default_scope("Repeat", |slim| {
            (1..=count)
                .fold(net, |net, i| slim.variable_scope(&format!("{block}_{i}"), |slim| draw(slim, net)))
        })
    }

    /// Names a tensor as one of the network's end points; of two under the same name the later one counts.
    pub fn end_point(&mut self, name: &str, tensor: TensorRef) -> TensorRef {
        match self.end_points.iter_mut().find(|(known, _)| known == name) {
            Some(end_point) => end_point.1 = tensor,
            None => self.end_points.push((name.to_owned(), tensor)),
        }
        tensor
    }

    /// Names a tensor as an end point by its name with all scopes; the empty name is that of the open scope.
    pub fn scoped_end_point(&mut self, name: &str, tensor: TensorRef) -> TensorRef {
        let name = format!("{}{name}", self.variable_scope);
        self.end_point(name.trim_end_matches('/'), tensor)
    }

    /// The name of the variable scope that is open, with a `/` at its end.
    pub(super) fn current_scope(&self) -> &str {
        &self.variable_scope
    }

    /// The shape of a tensor, as far as it is known.
    pub fn shape(&self, tensor: TensorRef) -> &Shape {
        self.graph.shape(tensor)
    }

    /// The height and width of a `NHWC` tensor, where both are known.
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

    pub(super) fn placeholder(&mut self, name: &str, shape: Shape) -> TensorRef {
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))];
        self.op(name, "Placeholder", &[], attrs)
    }

    /// Draws a variable of the open scope and the op that reads it.
    pub(super) fn variable(&mut self, name: &str, shape: &[usize]) -> TensorRef {
        if self.is_given_up() {
            return self.stand_in();
        }
        let name = [self.variable_scope.as_str(), name].concat();
        if self.has_to_be_whole {
            self.look_for(&name, shape);
        }
        let attrs =
            Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))]);
        let variable = self.add(name.clone(), "VariableV2", vec![], attrs);
        self.add(name + "/read", "Identity", vec![variable], Attrs::new())
    }

    /// Gives up where the checkpoint does not have a variable of this shape.
    fn look_for(&mut self, name: &str, shape: &[usize]) {
        // How many channels the images have is read off the first filter.
        let is_first_filter = shape.len() >= 4 && !std::mem::replace(&mut self.has_filter, true);
        let fits = |stored: &Vec<usize>| is_first_filter || stored == shape;
        if !self.variables.get(name).is_some_and(fits) {
            self.fail(Error::new(name, "it is not stored in this shape"));
        }
    }

    pub(super) fn constant(&mut self, name: &str, value: Constant) -> TensorRef {
        self.op(name, "Const", &[], [("value", Attr::Tensor(value))])
    }

    /// Draws an op in the open name scope, under `name` made unique.
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

    /// Draws an op whose last input is a constant: `name/suffix`.
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

    fn add(&mut self, name: String, op: &str, inputs: Vec<TensorRef>, attrs: Attrs) -> TensorRef {
        if !self.is_given_up() {
            match self.graph.add(name, op, inputs, attrs) {
                Ok(node) => return node.into(),
                Err(error) => self.fail(error),
            }
        }
        self.stand_in()
    }

    /// The input placeholder stands in for what cannot be drawn any more.
    fn stand_in(&self) -> TensorRef {
        let (first, _) = self.graph.nodes().next().expect("the placeholder is drawn first");
        first.into()
    }

    /// The full name of an op or scope in the open name scope; used before, it gets a number.
    fn unique_name(&mut self, name: &str) -> String {
        if self.is_given_up() {
            return String::new();
        }
        let mut full = [self.name_scope.as_str(), name].concat();
        let used = self.names.entry(full.clone()).or_insert(0);
        *used += 1;
        if *used > 1 {
            full = format!("{full}_{}", *used - 1);
            self.names.entry(full.clone()).or_insert(1);
        }
        full
    }
}
