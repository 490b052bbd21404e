//! Adding nodes to the model.

use super::Layout;
use super::context::{Lowering, Value};
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::onnx::{self, Attribute, Attributes, onnx_dtype};
use crate::tensor::{Constant, DType};

/// The attribute of a Reshape whose shape may have the length 0, and no -1. Without the attribute, 0 means the length of the input.
pub fn zeros_are_lengths() -> Attributes {
    vec![("allowzero", Attribute::Int(1))]
}

/// The type for operators that ONNX Runtime has only for few types: as wide or wider, and with a
/// fraction if this type has one.
pub fn widened(dtype: DType) -> DType {
    match dtype {
        DType::Float16 | DType::BFloat16 => DType::Float32,
        DType::UInt32 | DType::UInt64 => DType::Int64,
        DType::Bool | DType::Int8 | DType::UInt8 | DType::Int16 | DType::UInt16 => DType::Int32,
        other => other,
    }
}

impl Lowering<'_> {
    /// Adds a node to the model.
    pub fn node(
        &mut self,
        name: &str,
        op: &'static str,
        inputs: Vec<String>,
        outputs: Vec<String>,
        attributes: Attributes,
    ) {
        let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let name = self.unique_node_name(name);
        self.append(onnx::Node { name, op: op.into(), domain: "".into(), inputs, outputs, attributes });
    }

    /// Adds a node of any domain to the model, under a name that no other node has.
    pub fn push(&mut self, mut node: onnx::Node) {
        node.name = self.unique_node_name(&node.name);
        self.append(node);
    }

    /// A name like this one that no node has.
    pub fn unique_node_name(&mut self, name: impl Into<String>) -> String {
        self.node_names.unique(name)
    }

    /// Adds a node that has its final name.
    pub fn append(&mut self, node: onnx::Node) {
        for output in &node.outputs {
            self.producers.insert(output.clone(), self.model.nodes.len());
        }
        self.model.nodes.push(node);
    }

    /// Adds the node that computes an output of a TensorFlow node, stored in `layout`.
    pub fn emit(
        &mut self,
        output: impl Into<TensorRef>,
        op: &'static str,
        inputs: Vec<String>,
        layout: Layout,
        attributes: Attributes,
    ) {
        let tensor = output.into();
        let name = self.output_name(tensor, &layout);
        let node = &self.graph.node(tensor.node).name;
        self.node(node, op, inputs, vec![name.clone()], attributes);
        self.set(tensor, Value::Computed { name, layout });
    }

    /// Adds the node that computes the first outputs of a TensorFlow node, each stored in its layout.
    pub fn emit_all(
        &mut self,
        node: NodeRef<'_>,
        op: &'static str,
        inputs: Vec<String>,
        layouts: Vec<Layout>,
        attributes: Attributes,
    ) {
        let outputs = layouts.into_iter().enumerate().map(|(port, layout)| {
            let tensor = node.output(port);
            let name = self.output_name(tensor, &layout);
            self.set(tensor, Value::Computed { name: name.clone(), layout });
            name
        });
        let outputs = outputs.collect();
        self.node(&node.name, op, inputs, outputs, attributes);
    }

    /// A scalar constant of a type, for the use of a node.
    pub fn scalar(&mut self, node: NodeRef<'_>, what: &str, dtype: DType, value: f64) -> String {
        let constant = Constant::scalar(dtype, value);
        self.initializer(&format!("{}/{what}", node.name), constant, &[])
    }

    /// Adds the node that computes an output of a TensorFlow node, cast to the type that the output has.
    pub fn emit_cast(&mut self, output: impl Into<TensorRef>, value: String, layout: Layout) {
        let tensor = output.into();
        let to = onnx_dtype(self.dtype(tensor).part()).unwrap_or_default();
        let attributes = vec![("to", Attribute::Int(to.into()))];
        self.emit(tensor, "Cast", vec![value], layout, attributes);
    }

    /// Whether all outputs of a node have no elements, and known shapes. There is nothing to compute, and runtimes differ in
    /// the inputs that they accept.
    pub fn is_empty(&self, node: NodeRef<'_>) -> bool {
        let is_empty = |port: usize| {
            let tensor = node.output(port);
            (self.dtype(tensor).size().is_some() || self.dtype(tensor) == DType::String)
                && self.shape(tensor).fully_known().is_some_and(|dims| dims.contains(&0))
        };
        !node.inputs.is_empty()
            && !node.is_placeholder()
            && (0..node.outputs.len()).all(is_empty)
            && !node.outputs.is_empty()
    }

    /// Records the outputs of such a node as constants.
    pub fn set_empty(&mut self, node: NodeRef<'_>) {
        for port in 0..node.outputs.len() {
            let tensor = node.output(port);
            if let Some(dims) = self.shape(tensor).fully_known() {
                self.set_constant(tensor, Constant::empty(self.dtype(tensor), dims.clone()));
            }
        }
    }

    /// The length of an axis of a value, as a vector of one number.
    pub fn length_of(&mut self, node: NodeRef<'_>, value: &str, axis: i64) -> String {
        let shape = self.step(node, "shape", "Shape", vec![value.to_owned()], vec![]);
        let index = self.vector(node, &format!("axis_{axis}"), &[axis]);
        self.step(node, "length", "Gather", vec![shape, index], vec![])
    }

    /// Adds a node for an intermediate result of a TensorFlow node, and returns the name of the value, which ends in
    /// `what`.
    pub fn step(
        &mut self,
        node: NodeRef<'_>,
        what: &str,
        op: &'static str,
        inputs: Vec<String>,
        attributes: Attributes,
    ) -> String {
        let output = self.unique_name(format!("{}/{what}", node.name));
        self.node(&output.clone(), op, inputs, vec![output.clone()], attributes);
        output
    }

    /// Reshapes a value to a shape without -1 that is computed when the model runs. A length of 0 means 0.
    pub fn reshaped(&mut self, node: NodeRef<'_>, what: &str, value: String, shape: String) -> String {
        self.step(node, what, "Reshape", vec![value, shape], zeros_are_lengths())
    }

    /// Adds a node with several outputs for an intermediate result. Its name ends in `what`. Returns the names of the outputs.
    pub fn step_with_outputs<const N: usize>(
        &mut self,
        node: NodeRef<'_>,
        (what, outputs): (&str, [&str; N]),
        op: &'static str,
        inputs: Vec<String>,
        attributes: Attributes,
    ) -> [String; N] {
        let outputs = outputs.map(|output| self.unique_name(format!("{}/{output}", node.name)));
        self.node(&format!("{}/{what}", node.name), op, inputs, outputs.to_vec(), attributes);
        outputs
    }

    /// The inputs and attributes of a reduction of a value along axes.
    pub fn reduction(
        &mut self,
        node: NodeRef<'_>,
        value: String,
        axes: &[i64],
        keep: bool,
    ) -> (Vec<String>, Attributes) {
        // A node may reduce along several axes, and initializers are distinguished by their names.
        let named: Vec<String> = axes.iter().map(i64::to_string).collect();
        let axes = self.vector(node, &format!("axes_{}", named.join("_")), axes);
        (vec![value, axes], vec![("keepdims", Attribute::Int(keep.into()))])
    }

    /// A value cast to another type, for the use of a node. Nodes that use the same integers as int64 share a cast.
    pub fn cast(&mut self, node: NodeRef<'_>, value: String, to: DType) -> String {
        if to == DType::Int64
            && let Some(known) = self.as_int64.get(&value)
        {
            return known.clone();
        }
        let attribute = Attribute::Int(onnx_dtype(to.part()).unwrap_or_default().into());
        let cast = self.step(node, "cast", "Cast", vec![value.clone()], vec![("to", attribute)]);
        if to == DType::Int64 {
            self.as_int64.insert(value, cast.clone());
        }
        cast
    }

    /// A tensor in TensorFlow's order of axes, cast to a type if it has another one.
    ///
    /// # Errors
    /// If nothing computes it.
    pub fn in_type(&mut self, node: NodeRef<'_>, tensor: TensorRef, dtype: DType) -> Result<String> {
        let name = self.in_tensorflow_layout(tensor)?;
        Ok(if self.dtype(tensor) == dtype { name } else { self.cast(node, name, dtype) })
    }

    /// The initializer for a vector of integers that belongs to a node.
    pub fn vector(&mut self, node: NodeRef<'_>, what: &str, values: &[i64]) -> String {
        let constant = Constant::from_i64(vec![values.len()], values);
        self.initializer(&format!("{}/{what}", node.name), constant, &[])
    }
}
