//! The scopes that names come from: TensorFlow's variable scopes, name scopes and unique names, and slim's arg_scopes.
//!
//! Source: `variable_scope` in `tensorflow/python/ops/variable_scope.py`, `Graph.unique_name` in
//! `tensorflow/python/framework/ops.py`.

use hashbrown::HashMap;

use super::{Arg, ArgScope, Layer, NetworkBuilder, UNNAMED};
use crate::graph::TensorRef;

/// The scope that names begin with while a part of a network is built.
// What opens and leaves it is not generic: what is has a copy for each closure.
struct OpenScope {
    variable_scope: String,
    name_scope: String,
    /// How often each default name was used, where they are numbered anew.
    default_names: Option<HashMap<String, usize>>,
}

impl NetworkBuilder<'_> {
    /// Builds in `variable_scope(name)`: the names of its variables and ops begin with it.
    pub fn variable_scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let scope = self.new_scope(name, name);
        self.within(scope, build)
    }

    /// Builds in `variable_scope(scope)` of the scope that is open already: the names of variables stay the same, and the
    /// names of ops repeat the last part. This is why slim's ops are called `InceptionV3/InceptionV3/…`.
    pub fn reenter_scope<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> T {
        let scope = self.variable_scope.trim_end_matches('/');
        let last = scope.rsplit('/').next().unwrap_or_default().to_owned();
        self.name_scope(&last, build)
    }

    /// Builds in `variable_scope(None, default)`: a name that was used before gets a number. Variables and ops are numbered each on
    /// their own.
    pub fn default_scope<T>(&mut self, default: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let name = self.default_name(default);
        let scope = self.new_scope(&name, default);
        self.within(scope, build)
    }

    /// Builds in the scope of a layer. For [`UNNAMED`], numbers the `default` name.
    pub(super) fn layer_scope<T>(
        &mut self,
        scope: &str,
        default: &str,
        build: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if scope == UNNAMED { self.default_scope(default, build) } else { self.variable_scope(scope, build) }
    }

    /// Builds in these scopes, the first one outermost.
    pub(super) fn variable_scopes(&mut self, scopes: &[&str], build: impl FnOnce(&mut Self)) {
        match scopes {
            [] => build(self),
            [first, rest @ ..] => {
                // Boxed, because the type of the closure would be different at every level.
                let build: Box<dyn FnOnce(&mut Self)> = Box::new(build);
                self.variable_scope(first, |slim| slim.variable_scopes(rest, build));
            }
        }
    }

    /// Builds in `name_scope(name)`, which changes the names of ops alone.
    pub(super) fn name_scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let name_scope = self.unique_name(name) + "/";
        let scope = self.same_variables(name_scope);
        self.within(scope, build)
    }

    /// Builds in the name scope of a layer that may be called before: the names of its ops are numbered on from one call to the next.
    pub(super) fn call_scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let name_scope = [self.name_scope.as_str(), name].concat();
        self.names.entry(name_scope.to_ascii_lowercase()).or_insert(1);
        let scope = self.same_variables(name_scope + "/");
        self.within(scope, build)
    }

    /// Builds several ops whose last one has the name of the scope that they are in, as TensorFlow's functions of a few ops do.
    pub(super) fn op_scope(
        &mut self,
        name: &str,
        build: impl FnOnce(&mut Self, &str) -> TensorRef,
    ) -> TensorRef {
        let name = self.unique_name(name);
        let scope = self.same_variables([name.as_str(), "/"].concat());
        self.within(scope, |slim| build(slim, &name))
    }

    /// Builds in `name_scope(name)`, with the variables in the same scope: that of a layer of Keras.
    pub(super) fn keras_scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let name_scope = self.unique_name(name) + "/";
        let scope = OpenScope { variable_scope: name_scope.clone(), name_scope, default_names: None };
        self.within(scope, build)
    }

    /// A new variable scope in the open one. TensorFlow numbers the default names in a scope on their own, and forgets them when the
    /// scope is left, so that a scope that is opened again has the same variables.
    fn new_scope(&mut self, variables: &str, ops: &str) -> OpenScope {
        OpenScope {
            variable_scope: [self.variable_scope.as_str(), variables, "/"].concat(),
            name_scope: self.unique_name(ops) + "/",
            default_names: Some(HashMap::new()),
        }
    }

    /// The open variable scope with another name scope.
    fn same_variables(&self, name_scope: String) -> OpenScope {
        OpenScope { variable_scope: self.variable_scope.clone(), name_scope, default_names: None }
    }

    /// The default name, with a number if it was used before.
    fn default_name(&mut self, default: &str) -> String {
        let used = self.default_names.entry(default.to_owned()).or_insert(0);
        let name = if *used == 0 { default.to_owned() } else { format!("{default}_{used}") };
        *used += 1;
        name
    }

    fn within<T>(&mut self, scope: OpenScope, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.enter(scope);
        let built = build(self);
        self.enter(outer);
        built
    }

    /// Replaces the open scope by another one, and returns it.
    fn enter(&mut self, scope: OpenScope) -> OpenScope {
        OpenScope {
            variable_scope: std::mem::replace(&mut self.variable_scope, scope.variable_scope),
            name_scope: std::mem::replace(&mut self.name_scope, scope.name_scope),
            default_names: scope.default_names.map(|names| std::mem::replace(&mut self.default_names, names)),
        }
    }

    /// Builds with `args` as defaults of `layers`.
    pub fn arg_scope<T>(&mut self, layers: &[Layer], args: &[Arg], build: impl FnOnce(&mut Self) -> T) -> T {
        let depth = self.scope.enter(layers, args);
        let built = build(self);
        self.scope.leave(depth);
        built
    }

    /// Builds with all defaults of another arg_scope.
    pub fn arg_scopes<T>(&mut self, scope: &ArgScope, build: impl FnOnce(&mut Self) -> T) -> T {
        let depth = self.scope.enter_all(scope);
        let built = build(self);
        self.scope.leave(depth);
        built
    }

    /// `slim.repeat`: builds a block `count` times, each time in a new scope.
    pub fn repeat(
        &mut self,
        net: TensorRef,
        count: usize,
        block: &str,
        mut build: impl FnMut(&mut Self, TensorRef) -> TensorRef,
    ) -> TensorRef {
        self.default_scope("Repeat", |slim| {
            (1..=count)
                .fold(net, |net, i| slim.variable_scope(&format!("{block}_{i}"), |slim| build(slim, net)))
        })
    }

    /// The full name of an op or scope in the open name scope. A name that was used before, in upper or lower case, gets a
    /// number.
    pub(super) fn unique_name(&mut self, name: &str) -> String {
        if self.has_failed() {
            return String::new();
        }
        let mut full = [self.name_scope.as_str(), name].concat();
        let used = self.names.entry(full.to_ascii_lowercase()).or_insert(0);
        *used += 1;
        if *used > 1 {
            full = format!("{full}_{}", *used - 1);
            self.names.entry(full.to_ascii_lowercase()).or_insert(1);
        }
        full
    }
}
