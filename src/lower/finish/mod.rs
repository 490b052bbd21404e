//! The last step of lowering: nodes as an operator set and ONNX Runtime have them.
//!
//! Handlers write the operators of the newest sets, in the types of TensorFlow's graph. Here, operators that the chosen set has not,
//! or has in another form, are replaced by others of the same result ([`older`] and the files that it uses). Operators that ONNX Runtime
//! has no kernel for in a type get casts around them ([`kernels`]).

mod batches;
mod bits;
mod einsum;
mod kernels;
mod older;
mod places;
mod random;
mod shapes;
mod strings;
mod unsigned;
mod writer;

use hashbrown::{HashMap, HashSet};

#[cfg(test)]
pub(crate) use older::REPLACED;

use super::context::Lowering;
use crate::error::{Error, Result};
use crate::onnx::operators::{Operator, ValueType, operator};
use crate::onnx::{Attribute, Graph, Node, dtype_of, onnx_dtype};
use crate::tensor::DType;

/// Nodes on their way into the model.
struct Finish<'c, 'g> {
    cx: &'c mut Lowering<'g>,
    /// The types of the values so far, by name.
    types: HashMap<String, DType>,
    /// The values that stand for others: a value for each Cast to the type that it has.
    same: HashMap<String, String>,
    /// The values that follow from initializers alone.
    constants: HashSet<String>,
    /// The outputs of the graphs that are being written.
    outputs: HashSet<String>,
    /// The finished nodes of the graph that is being written.
    nodes: Vec<Node>,
}

impl Lowering<'_> {
    /// Replaces nodes that the operator set or ONNX Runtime does not have by others that compute the same.
    ///
    /// # Errors
    /// If there are no such nodes.
    pub(super) fn finish_nodes(&mut self) -> Result<()> {
        let nodes = std::mem::take(&mut self.model.nodes);
        let inputs = self.model.inputs.iter().map(|info| (info.name.clone(), stored(info.dtype)));
        let constants = self.model.initializers.iter();
        let constants = constants.map(|constant| (constant.name.clone(), stored(constant.value.dtype())));
        let types = inputs.chain(constants).filter(|(_, dtype)| *dtype != DType::Unknown).collect();
        let outputs = self.model.outputs.iter().map(|info| info.name.clone()).collect();
        let finished = Vec::with_capacity(nodes.len());
        let constants = self.model.initializers.iter().map(|constant| constant.name.clone()).collect();
        let mut finish =
            Finish { cx: self, types, same: HashMap::new(), constants, outputs, nodes: finished };
        for node in nodes {
            finish.push(node)?;
        }
        self.model.nodes = finish.nodes;
        Ok(())
    }
}

/// The type that ONNX stores elements of a type as.
fn stored(dtype: DType) -> DType {
    onnx_dtype(dtype).and_then(dtype_of).unwrap_or(DType::Unknown)
}

impl Finish<'_, '_> {
    fn opset(&self) -> i64 {
        self.cx.opset()
    }

    /// The form of a node's operator, if it is one of ONNX's own.
    fn operator(&self, node: &Node) -> Option<&'static Operator> {
        if node.domain.is_empty() { operator(&node.op, self.opset()) } else { None }
    }

    /// Finishes a node, and adds it to the graph.
    fn push(&mut self, node: Node) -> Result<()> {
        let mut node = node;
        for input in &mut node.inputs {
            if let Some(same) = self.same.get(input) {
                same.clone_into(input);
            }
        }
        for graph in node.graphs_mut() {
            self.finish_graph(graph)?;
        }
        if self.is_cast_to_its_type(&node) && !self.outputs.contains(&node.outputs[0]) {
            self.same.insert(node.outputs.swap_remove(0), node.inputs.swap_remove(0));
            return Ok(());
        }
        match self.in_this_opset(node)? {
            Some(node) => self.with_casts(node),
            None => Ok(()),
        }
    }

    fn is_cast_to_its_type(&self, node: &Node) -> bool {
        node.op == "Cast" && self.types.get(&node.inputs[0]).copied() == attribute_type(node)
    }

    fn finish_graph(&mut self, graph: &mut Graph) -> Result<()> {
        let inputs = graph.inputs.iter().map(|info| (info.name.clone(), stored(info.dtype)));
        self.types.extend(inputs.filter(|(_, dtype)| *dtype != DType::Unknown));
        self.outputs.extend(graph.outputs.iter().map(|info| info.name.clone()));
        let outer = std::mem::take(&mut self.nodes);
        for node in std::mem::take(&mut graph.nodes) {
            self.push(node)?;
        }
        graph.nodes = std::mem::replace(&mut self.nodes, outer);
        Ok(())
    }

    /// Adds a node as it is, and records the types of its outputs.
    fn append(&mut self, node: Node) {
        for (index, name) in node.outputs.iter().enumerate() {
            if let Some(dtype) = self.output_type(&node, index).filter(|dtype| *dtype != DType::Unknown) {
                self.types.insert(name.clone(), dtype);
            }
        }
        let is_computed = !node.inputs.is_empty() && node.graphs().next().is_none();
        if is_computed && node.inputs.iter().all(|name| self.is_constant(name)) {
            self.constants.extend(node.outputs.iter().cloned());
        }
        self.nodes.push(node);
    }

    /// Whether a value follows from initializers alone.
    fn is_constant(&mut self, name: &str) -> bool {
        name.is_empty() || self.constants.contains(name) || self.known_len(name).is_some()
    }

    /// The type of an output of a node whose inputs have known types.
    fn output_type(&self, node: &Node, index: usize) -> Option<DType> {
        if let Some(graph) = node.graphs().next() {
            // The first output of a loop's body is its condition.
            let index = index + usize::from(node.op == "Loop");
            return graph.outputs.get(index).map(|info| stored(info.dtype));
        }
        let operator = self.operator(node)?;
        match operator.output(index)? {
            ValueType::Fixed(dtype) => Some(dtype),
            ValueType::Parameter(parameter) => {
                self.parameter(operator, node, parameter).or_else(|| attribute_type(node))
            }
        }
    }

    /// The type that a type parameter of a node's operator stands for: that of the first input with this parameter.
    fn parameter(&self, operator: &Operator, node: &Node, parameter: &'static str) -> Option<DType> {
        let is_parameter = |index: usize| operator.input(index) == Some(ValueType::Parameter(parameter));
        let mut inputs = node.inputs.iter().enumerate().filter(|(index, _)| is_parameter(*index));
        inputs.find_map(|(_, name)| self.types.get(name).copied())
    }
}

/// The type that an attribute of a node gives its output.
fn attribute_type(node: &Node) -> Option<DType> {
    let is_type = |name: &str| matches!(name, "to" | "dtype");
    let found = node.attributes.iter().find(|(name, _)| is_type(name)).map(|(_, value)| value);
    match found {
        Some(Attribute::Int(number)) => dtype_of(i32::try_from(*number).ok()?),
        _ if node.op == "Multinomial" => Some(DType::Int32),
        _ => Some(DType::Float32),
    }
}

/// An error about a node.
fn error(node: &Node, problem: impl std::fmt::Display) -> Error {
    Error::new(format!("{} \"{}\"", node.op, node.name), problem).unsupported()
}
