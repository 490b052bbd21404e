//! The context that all handlers share: the values so far, and the model that they write to.

use std::cell::OnceCell;

use hashbrown::{HashMap, HashSet};

use super::complex::Parts;
use super::flatten::Flattened;
use super::names::Names;
use super::{Layout, Rules};
use crate::error::Result;
use crate::graph::partial::{self, Length};
use crate::graph::passed_tensors::PassedTensors;
use crate::graph::{Graph, Node, NodeId, NodeRef, Shape, TensorMap, TensorRef};
use crate::onnx::{Model, TENSORFLOW_DOMAIN};
use crate::tensor::{Constant, DType};

/// The options for writing the ONNX model.
#[derive(Debug, Clone)]
pub struct LowerOptions {
    /// The operator set to write.
    pub opset: i64,
    /// Inputs that are declared with their channels second.
    pub inputs_as_nchw: Vec<TensorRef>,
    /// Outputs that are declared with their channels second.
    pub outputs_as_nchw: Vec<TensorRef>,
    /// Whether ops that cannot be converted are written as they are, in a domain of their own.
    pub keep_going: bool,
    /// Ops that are written as they are, each with its domain.
    pub custom_ops: Vec<(String, String)>,
    /// Whether batch norms become a part of the convolutions before them.
    pub fold_batch_norm: bool,
    /// How simulated quantization is written.
    pub quantization: Quantization,
}

/// How ops that simulate quantized numbers in training are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantization {
    /// As QuantizeLinear and DequantizeLinear where the graph quantizes its weights, and else as arithmetic
    #[default]
    Auto,
    /// As QuantizeLinear and DequantizeLinear, so that runtimes compute with integers; weights are stored as bytes
    Qdq,
    /// As arithmetic of real numbers, which rounds exactly as TensorFlow does
    Float,
}

/// The value of a tensor of the graph in the model.
#[derive(Debug, Clone)]
pub enum Value {
    /// A value that the model computes, or an input.
    Computed { name: String, layout: Layout },
    /// A tensor that is known; it becomes an initializer when a node reads it.
    Constant { name: String, constant: Constant },
    /// A list of tensors whose first axes have different lengths.
    Rows(Rows),
    /// An optional: a value of each type that it may hold, of which one is what it holds and the others are empty.
    Optional(Vec<(String, DType)>),
}

/// The tensors of a list, one after the other along their first axis.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The values of all of them.
    pub values: String,
    /// Where each begins, and where the last ends: a vector of int64.
    pub splits: String,
}

/// A graph being lowered.
pub struct Lowering<'a> {
    /// The graph of TensorFlow's ops.
    pub graph: &'a Graph,
    pub(super) options: &'a LowerOptions,
    pub(super) rules: Rules,
    pub(super) outputs: &'a [TensorRef],
    pub(super) is_output: HashSet<TensorRef>,
    pub(super) uses: TensorMap<usize>,
    pub(super) values: TensorMap<Option<Value>>,
    /// The nodes that read each tensor, once they have been looked for.
    readers: OnceCell<HashMap<TensorRef, Vec<NodeId>>>,
    /// What becomes of lists in functions, once it has been looked for.
    pub passed_lists: Option<PassedTensors<'a>>,
    /// The nodes in the order of their names, once they have been looked for.
    pub(super) by_name: OnceCell<Vec<NodeId>>,
    /// The parts of complex tensors.
    pub(super) complex: HashMap<TensorRef, Parts>,
    /// Whether a node is being written for a part of its complex tensors.
    pub(super) is_part: bool,
    /// The names of transposed values, by the name of the value and the layout.
    pub(super) transposed: HashMap<(String, Vec<usize>), String>,
    /// The names of values that were cast to int64, by the name of the value.
    pub(super) as_int64: HashMap<String, String>,
    /// The indices of initializers that were made from a constant, by its name, order of axes and shape.
    pub(super) initializers: HashMap<(String, Vec<usize>), Vec<usize>>,
    /// The names of the initializers that all nodes share, by what their elements depend on, and their shapes.
    pub(super) shared_initializers: HashMap<(String, Vec<usize>), String>,
    /// The indices of initializers by their names, as far as they have been looked for.
    pub(super) named_initializers: HashMap<String, usize>,
    /// The values of quantized constants, by the name, order of axes and shape of the constant.
    pub(super) dequantized: HashMap<(String, Vec<usize>), String>,
    pub(super) names: Names,
    /// The names of nodes. A value may have the same name as a node.
    pub(super) node_names: Names,
    /// The node of the model that computes a value, by the value's name.
    pub(super) producers: HashMap<String, usize>,
    /// Whether the model computes with integers where the graph simulates it.
    pub is_quantized: bool,
    /// Images that were flattened in another order than TensorFlow's, for matrix products alone.
    pub flattened: HashMap<TensorRef, Flattened>,
    /// The model under construction.
    pub model: Model,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        outputs: &'a [TensorRef],
        options: &'a LowerOptions,
        rules: Rules,
    ) -> Self {
        let mut uses = graph.reader_counts();
        for &output in outputs {
            uses.get_mut(output).into_iter().for_each(|count| *count += 1);
        }
        Self {
            graph,
            options,
            rules,
            outputs,
            is_output: outputs.iter().copied().collect(),
            uses,
            values: TensorMap::new(graph, None),
            readers: OnceCell::new(),
            passed_lists: None,
            by_name: OnceCell::new(),
            complex: HashMap::new(),
            is_part: false,
            transposed: HashMap::new(),
            as_int64: HashMap::new(),
            initializers: HashMap::new(),
            shared_initializers: HashMap::new(),
            named_initializers: HashMap::new(),
            dequantized: HashMap::new(),
            names: Names::default(),
            node_names: Names::default(),
            producers: HashMap::new(),
            is_quantized: false,
            flattened: HashMap::new(),
            model: Model { opset: options.opset, ..Model::default() },
        }
    }

    pub fn opset(&self) -> i64 {
        self.options.opset
    }

    /// Whether batch norms become a part of the convolutions before them.
    pub fn folds_batch_norms(&self) -> bool {
        self.options.fold_batch_norm
    }

    /// Whether simulated quantization becomes QuantizeLinear and DequantizeLinear, whose scale differs along an axis from operator
    /// set 13 on.
    pub fn writes_qdq(&self, has_axis: bool) -> bool {
        self.is_quantized && (!has_axis || self.opset() >= 13)
    }

    /// The domain in which an op is written as it is, if it has to be. `can_be_converted` is whether there is another way.
    pub fn custom_domain(&self, op: &str, can_be_converted: bool) -> Option<&'a str> {
        let named = self.options.custom_ops.iter().find(|(custom, _)| custom == op);
        let keeps_going = self.options.keep_going && !can_be_converted;
        named.map(|(_, domain)| domain.as_str()).or_else(|| keeps_going.then_some(TENSORFLOW_DOMAIN))
    }

    pub fn shape(&self, tensor: TensorRef) -> &'a Shape {
        self.graph.shape(tensor)
    }

    /// The type of a tensor. While a node is written for the parts of complex tensors, these have the type of a part.
    pub fn dtype(&self, tensor: TensorRef) -> DType {
        let dtype = self.graph.tensor_type(tensor).dtype;
        if self.is_part && dtype.is_complex() { dtype.part() } else { dtype }
    }

    /// The rank of a tensor.
    ///
    /// # Errors
    /// If it is not known before the model runs.
    pub fn rank(&self, node: NodeRef<'_>, tensor: TensorRef) -> Result<usize> {
        self.shape(tensor).rank().ok_or_else(|| {
            let name = self.graph.tensor_name(tensor);
            let error = node.error(format!("the rank of its input {name} is not known"));
            error.advice(self.shape_advice(tensor))
        })
    }

    /// Refuses a result that is stored in another order than TensorFlow's although its rank is not known: its
    /// readers would not know where its axes are.
    ///
    /// # Errors
    /// If a node has such a result.
    pub fn check_layouts(&self, node: NodeRef<'_>) -> Result<()> {
        for port in 0..node.outputs.len() {
            let tensor = node.output(port);
            let Some(layout) = self.layout(tensor) else { continue };
            let is_known = layout.is_tensorflow() || self.shape(tensor).rank() == Some(layout.axes().len());
            if !is_known {
                let error = format!("the rank of its result {} is not known", self.graph.tensor_name(tensor));
                return Err(node
                    .error(error)
                    .advice(self.shape_advice(node.inputs.first().copied().unwrap_or(tensor))));
            }
        }
        Ok(())
    }

    /// The value of a tensor that is known before the model runs.
    pub fn constant(&self, tensor: TensorRef) -> Option<&Constant> {
        match self.known(tensor) {
            Some(Value::Constant { constant, .. }) => Some(constant),
            _ => None,
        }
    }

    /// The elements of a vector of lengths, as far as they are known.
    pub fn lengths(&self, tensor: TensorRef) -> Option<Vec<Length>> {
        partial::integers(self.graph, tensor)
    }

    /// The tensor that an Identity forwards as this tensor.
    pub fn origin(&self, tensor: TensorRef) -> TensorRef {
        partial::origin(self.graph, tensor)
    }

    /// The node that computes a tensor.
    pub fn producer(&self, tensor: TensorRef) -> &'a Node {
        self.graph.node(tensor.node)
    }

    /// The nodes that read a tensor.
    pub fn readers(&self, tensor: TensorRef) -> impl Iterator<Item = (NodeId, &'a Node)> {
        let graph = self.graph;
        let readers = self.readers.get_or_init(|| {
            let mut readers: HashMap<TensorRef, Vec<NodeId>> = HashMap::new();
            for (id, input) in
                graph.nodes().flat_map(|(id, node)| node.inputs.iter().map(move |&input| (id, input)))
            {
                let of_input = readers.entry(input).or_default();
                if of_input.last() != Some(&id) {
                    of_input.push(id);
                }
            }
            readers
        });
        readers.get(&tensor).into_iter().flatten().map(move |&id| (id, graph.node(id)))
    }

    /// Whether a node or the model's outputs read a tensor.
    pub fn is_used(&self, tensor: TensorRef) -> bool {
        self.uses.get(tensor).is_some_and(|&count| count > 0)
    }

    /// Whether a tensor is an output of the model.
    pub fn is_output(&self, tensor: TensorRef) -> bool {
        self.is_output.contains(&tensor)
    }

    /// The elements of an input that is known before the model runs; `None` if it is not.
    ///
    /// # Errors
    /// If the node has no such input, or its elements cannot be read.
    pub fn known_integers(&self, node: NodeRef<'_>, index: usize) -> Result<Option<Vec<i64>>> {
        let input = self.input_of(node, index)?;
        let known = self.constant(input).map(Constant::to_i64s).transpose();
        Ok(known.map_err(|error| error.within(node.error("").subject()))?.flatten())
    }

    /// The elements of an input that must be known before the model runs. `what` names the elements in the error.
    ///
    /// # Errors
    /// If it is not known.
    pub fn integers(&self, node: NodeRef<'_>, index: usize, what: &str) -> Result<Vec<i64>> {
        self.known_integers(node, index)?
            .ok_or_else(|| node.error(format!("its {what} are not known before the model runs")))
    }

    /// An input of a node.
    ///
    /// # Errors
    /// If the node has no such input.
    pub fn input_of(&self, node: NodeRef<'_>, index: usize) -> Result<TensorRef> {
        node.inputs.get(index).copied().ok_or_else(|| node.error(format!("it has no input {index}")))
    }
}
