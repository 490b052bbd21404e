//! Functions of the graph's library in the model: as nodes among the others, or as a graph of its own in a node.
//!
//! A function is built as a graph for its call arguments and lowered in a context of its own, which sees the values
//! around it. Constants become initializers of the whole model, wherever they are read, and every name is used
//! once in the whole model: ONNX demands single assignment across nested graphs
//! (<https://onnx.ai/onnx/repo-docs/IR.html>).

use hashbrown::HashMap;

use super::Layout;
use super::context::{Lowering, Rows, Value};
use super::model_io::{read_nodes, retain};
use crate::error::Result;
use crate::graph::{Argument, Function, Graph, NodeId, NodeRef, TensorRef, TensorType};
use crate::onnx::{self, Model, TensorInfo};
use crate::tensor::DType;

/// A tensor that a function is called with: its value in the model, and its type.
#[derive(Debug, Clone)]
pub struct CallArgument {
    pub value: Value,
    pub known: TensorType,
}

/// The graph of a function, built for its call arguments.
pub struct BuiltFunction {
    graph: Graph,
    /// The nodes of the arguments that are read, each with the argument's index.
    arguments: Vec<(usize, NodeId)>,
    /// The indices of the arguments by their nodes.
    indices: HashMap<NodeId, usize>,
    /// The tensors that it returns.
    pub results: Vec<TensorRef>,
}

impl BuiltFunction {
    fn new(graph: Graph, arguments: Vec<(usize, NodeId)>, results: Vec<TensorRef>) -> Self {
        let indices = arguments.iter().map(|&(index, node)| (node, index)).collect();
        Self { graph, arguments, indices, results }
    }

    /// Its nodes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The index of the argument that a tensor of the function is, past what forwards it.
    pub fn argument(&self, tensor: TensorRef) -> Option<usize> {
        self.indices.get(&self.graph.origin(tensor).node).copied()
    }

    /// The indices of the arguments that its results depend on.
    pub fn read_arguments(&self) -> impl Iterator<Item = usize> + '_ {
        self.arguments.iter().map(|(index, _)| *index)
    }

    /// The part of the function that computes these of its tensors.
    pub fn returning(&self, results: &[TensorRef]) -> Self {
        let (graph, moved) = self.graph.clone().pruned_to(results);
        let argument = |&(index, node): &(usize, NodeId)| Some((index, moved.tensor(node.into())?.node));
        Self::new(graph, self.arguments.iter().filter_map(argument).collect(), moved.tensors(results))
    }
}

impl<'a> Lowering<'a> {
    /// The call arguments for these tensors.
    ///
    /// # Errors
    /// If one of them has no value.
    pub fn call_arguments(&self, tensors: &[TensorRef]) -> Result<Vec<CallArgument>> {
        let call_argument = |&tensor: &TensorRef| {
            Ok(CallArgument {
                value: self.value(tensor)?.clone(),
                known: self.graph.tensor_type(tensor).clone(),
            })
        };
        tensors.iter().map(call_argument).collect()
    }

    /// Builds the graph of a function that a node calls. `what` is its role in the node, such as a branch.
    ///
    /// # Errors
    /// If its nodes do not fit the call arguments.
    pub fn build_function(
        &mut self,
        node: NodeRef<'_>,
        what: &str,
        function: &str,
        call_arguments: &[CallArgument],
    ) -> Result<BuiltFunction> {
        // A function that was built from nodes of this graph has their names, which are unique.
        let is_built = self.graph.library().is_built(function);
        let scope = if is_built { String::new() } else { self.scope(&format!("{}/{what}", node.name)) };
        let arguments: Vec<Argument> = call_arguments
            .iter()
            .map(|argument| match &argument.value {
                Value::Constant { constant, .. } => Argument::Known(constant.clone()),
                Value::Computed { .. } | Value::Rows(_) | Value::Optional(_) => {
                    Argument::Open(argument.known.clone())
                }
            })
            .collect();
        let within = |error: crate::error::Error| error.within(node.error("").subject());
        let built = self.graph.library().function(function, &scope, &arguments).map_err(within)?;
        let Function { graph, arguments, results } = built;
        let names: Vec<String> = results.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
        let (simple, moved) = (self.rules.simplify)(graph, &results).map_err(within)?;
        let missing = |name: &str| node.error(format!("nothing computes {name} of its function"));
        let found = results.iter().zip(&names);
        let found: Result<Vec<TensorRef>> =
            found.map(|(&tensor, name)| moved.tensor(tensor).ok_or_else(|| missing(name))).collect();
        let (graph, in_pruned) = simple.pruned_to(&found?);
        let moved = moved.then(in_pruned);
        let read = arguments.iter().enumerate();
        let read = read.filter_map(|(index, &argument)| Some((index, moved.tensor(argument)?.node)));
        Ok(BuiltFunction::new(graph, read.collect(), moved.tensors(&results)))
    }

    /// A scope that no node of the graph is in.
    fn scope(&mut self, name: &str) -> String {
        loop {
            let scope = format!("{}/", self.unique_name(name));
            let graph = self.graph;
            let name = |id: NodeId| graph.node(id).name.as_str();
            let nodes = self.by_name.get_or_init(|| {
                let mut nodes: Vec<NodeId> = graph.nodes().map(|(id, _)| id).collect();
                nodes.sort_unstable_by_key(|&id| name(id));
                nodes
            });
            // The first name that is not before the scope is in the scope, if any is.
            let first = nodes.partition_point(|&id| name(id) < scope.as_str());
            if !nodes.get(first).is_some_and(|&id| name(id).starts_with(&scope)) {
                return scope;
            }
        }
    }

    /// A context for lowering a function. It has everything that the whole model shares, until [`Lowering::rejoin`].
    ///
    /// # Errors
    /// If the function takes more tensors than the call has.
    pub fn nested<'b>(
        &mut self,
        node: NodeRef<'_>,
        built: &'b BuiltFunction,
        call_arguments: &[CallArgument],
    ) -> Result<Lowering<'b>>
    where
        'a: 'b,
    {
        let mut nested = Lowering::new(&built.graph, &built.results, self.options, self.rules);
        nested.names = std::mem::take(&mut self.names);
        nested.node_names = std::mem::take(&mut self.node_names);
        nested.initializers = std::mem::take(&mut self.initializers);
        nested.shared_initializers = std::mem::take(&mut self.shared_initializers);
        nested.named_initializers = std::mem::take(&mut self.named_initializers);
        nested.model.initializers = std::mem::take(&mut self.model.initializers);
        nested.transposed = self.transposed.clone();
        nested.as_int64 = self.as_int64.clone();
        nested.dequantized = self.dequantized.clone();
        nested.is_quantized = self.is_quantized;
        for &(index, argument) in &built.arguments {
            let call_argument = call_arguments
                .get(index)
                .ok_or_else(|| node.error("its function takes more tensors than the call has"))?;
            nested.set(argument.into(), call_argument.value.clone());
        }
        Ok(nested)
    }

    /// Moves the shared parts of a nested context back into this one, and returns the nodes of the nested context.
    pub fn rejoin(&mut self, nested: Lowering<'_>) -> Vec<onnx::Node> {
        self.names = nested.names;
        self.node_names = nested.node_names;
        self.initializers = nested.initializers;
        self.shared_initializers = nested.shared_initializers;
        self.named_initializers = nested.named_initializers;
        let Model { initializers, nodes, .. } = nested.model;
        self.model.initializers = initializers;
        nodes
    }

    /// Lowers the nodes of the graph, except the arguments of a function.
    ///
    /// # Errors
    /// If an op cannot be converted.
    pub fn run(&mut self) -> Result<()> {
        let graph = self.graph;
        for (id, node) in graph.nodes() {
            let node = NodeRef::new(id, node);
            if self.known(node.into()).is_some() {
                continue;
            }
            (self.rules.lower_node)(self, node)?;
        }
        Ok(())
    }

    /// Adds the nodes of a function to the other nodes, and returns its results.
    ///
    /// # Errors
    /// If an op of the function cannot be converted.
    pub fn inline(
        &mut self,
        node: NodeRef<'_>,
        what: &str,
        function: &str,
        call_arguments: &[CallArgument],
    ) -> Result<Vec<Value>> {
        let built = self.build_function(node, what, function, call_arguments)?;
        let mut nested = self.nested(node, &built, call_arguments)?;
        nested.run()?;
        let results = built.results.iter().map(|&result| nested.value(result).cloned()).collect();
        for node in self.rejoin(nested) {
            self.append(node);
        }
        results
    }

    /// A function as a graph for a node. It has no inputs, and reads the call arguments from the graph around it.
    ///
    /// # Errors
    /// If an op of the function cannot be converted.
    pub fn branch(
        &mut self,
        node: NodeRef<'_>,
        what: &str,
        function: &str,
        call_arguments: &[CallArgument],
    ) -> Result<Branch> {
        let built = self.build_function(node, what, function, call_arguments)?;
        let mut nested = self.nested(node, &built, call_arguments)?;
        nested.run()?;
        let results = built.results.iter().map(|&result| nested.form(result)).collect();
        let outputs = nested.graph_outputs(node, &built.results)?;
        let nodes = self.rejoin(nested);
        Ok(Branch { graph: closed(format!("{}/{what}", node.name), vec![], outputs, nodes), results })
    }

    /// The outputs of a nested graph for these tensors: values in TensorFlow's order of axes that are computed inside
    /// it, each under a name of its own.
    ///
    /// # Errors
    /// If nothing computes one of them.
    pub fn graph_outputs(&mut self, node: NodeRef<'_>, results: &[TensorRef]) -> Result<Vec<TensorInfo>> {
        let mut graph_outputs: Vec<TensorInfo> = vec![];
        for (value, dtype) in self.stored_parts(results)? {
            let is_new =
                self.producers.contains_key(&value) && graph_outputs.iter().all(|end| end.name != value);
            let name =
                if is_new { value } else { self.step(node, "result", "Identity", vec![value], vec![]) };
            graph_outputs.push(TensorInfo { name, dtype, shape: None });
        }
        Ok(graph_outputs)
    }

    /// The names of the values of tensors in TensorFlow's order of axes, and their types: as many as [`Form::count`] says.
    ///
    /// # Errors
    /// If nothing computes one of them.
    pub fn stored_parts(&mut self, tensors: &[TensorRef]) -> Result<Vec<(String, DType)>> {
        let mut parts = vec![];
        for &tensor in tensors {
            let dtype = self.dtype(tensor).part();
            match self.value(tensor)?.clone() {
                Value::Rows(Rows { values, splits }) => {
                    parts.extend([(values, dtype), (splits, DType::Int64)])
                }
                Value::Optional(values) => parts.extend(values),
                _ => parts.push((self.in_tensorflow_layout(tensor)?, dtype)),
            }
        }
        Ok(parts)
    }

    /// The name of a value in TensorFlow's order of axes that belongs to no tensor of this graph, for a scalar. Lists of rows and
    /// optionals are none.
    pub fn scalar_name(&mut self, value: Value) -> Option<String> {
        match value {
            Value::Computed { name, .. } => Some(name),
            Value::Constant { name, constant } => Some(self.initializer(&name, constant, &[])),
            Value::Rows(_) | Value::Optional(_) => None,
        }
    }

    /// Records the results of a function as the outputs of a node.
    pub fn set_outputs(&mut self, node: NodeRef<'_>, results: Vec<Value>) {
        for (port, value) in results.into_iter().enumerate() {
            self.set(node.output(port), value);
        }
    }

    /// What a tensor is in the model.
    pub fn form(&self, tensor: TensorRef) -> Form {
        match self.known(tensor) {
            Some(Value::Rows(_)) => Form::Rows,
            Some(Value::Optional(values)) => Form::Optional(values.iter().map(|&(_, dtype)| dtype).collect()),
            _ => Form::Tensor,
        }
    }

    /// Names for an output of a node in TensorFlow's order of axes, and records it.
    pub fn output_named(&mut self, tensor: TensorRef, form: &Form) -> Vec<String> {
        if let Form::Optional(types) = form {
            let name = self.graph.tensor_name(tensor);
            let values: Vec<(String, DType)> =
                types.iter().map(|&dtype| (self.unique_name(name.clone()), dtype)).collect();
            let names = values.iter().map(|(name, _)| name.clone()).collect();
            self.set(tensor, Value::Optional(values));
            return names;
        }
        let layout = Layout::tensorflow_of(self.shape(tensor));
        let name = self.output_name(tensor, &layout);
        if *form == Form::Tensor {
            self.set(tensor, Value::Computed { name: name.clone(), layout });
            return vec![name];
        }
        let splits = self.unique_name(format!("{name}/splits"));
        self.set(tensor, Value::Rows(Rows { values: name.clone(), splits: splits.clone() }));
        vec![name, splits]
    }
}

/// A function as a branch of a conditional.
pub struct Branch {
    /// Its nodes. Each result is as many outputs as [`Form::count`] says.
    pub graph: onnx::Graph,
    /// What its results are.
    pub results: Vec<Form>,
}

/// What a tensor of TensorFlow is in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Tensor,
    /// A list of rows.
    Rows,
    /// An optional that may hold values of these types.
    Optional(Vec<DType>),
}

impl Form {
    /// As how many values it is stored.
    pub fn count(&self) -> usize {
        match self {
            Self::Tensor => 1,
            Self::Rows => 2,
            Self::Optional(types) => types.len(),
        }
    }
}

/// A nested graph without the nodes that nothing reads.
pub fn closed(
    name: String,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    mut nodes: Vec<onnx::Node>,
) -> onnx::Graph {
    let are_read = read_nodes(&nodes, &mut outputs.iter().map(|output| output.name.as_str()).collect());
    retain(&mut nodes, are_read);
    onnx::Graph { name, inputs, outputs, nodes }
}
