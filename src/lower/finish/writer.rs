//! The nodes that stand for another one: a short way to write them.

use super::Finish;
use crate::error::Result;
use crate::onnx::{Attribute, Graph, Node, TensorInfo, onnx_dtype};
use crate::tensor::{Constant, DType};

/// Adds the nodes that take the place of a node. Values are named after their operators.
pub(super) struct Writer<'f, 'c, 'g> {
    pub finish: &'f mut Finish<'c, 'g>,
    /// The node that they stand for.
    pub node: Node,
}

impl Writer<'_, '_, '_> {
    /// An input of the node.
    pub fn input(&self, index: usize) -> String {
        self.node.inputs.get(index).cloned().unwrap_or_default()
    }

    /// An attribute of the node that is an integer.
    pub fn attribute(&self, name: &str, default: i64) -> i64 {
        int_attribute(&self.node, name).unwrap_or(default)
    }

    /// The type of a value.
    ///
    /// # Errors
    /// If it is not known.
    pub fn dtype(&self, value: &str) -> Result<DType> {
        let error = || super::error(&self.node, format!("the type of its input {value} is not known"));
        self.finish.types.get(value).copied().ok_or_else(error)
    }

    /// Adds a node without attributes.
    pub fn op(&mut self, op: &'static str, inputs: &[&String]) -> Result<String> {
        self.op_with(op, inputs, vec![])
    }

    /// Adds a node with attributes.
    pub fn op_with(
        &mut self,
        op: &'static str,
        inputs: &[&String],
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Result<String> {
        let output = self.name(&op.to_lowercase());
        let node = self.unnamed(op, inputs, vec![output.clone()], attributes);
        self.finish.push(node)?;
        Ok(output)
    }

    /// Adds the node that computes the node's outputs.
    pub fn emit(
        &mut self,
        op: &'static str,
        inputs: &[&String],
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Result<()> {
        let node = self.unnamed(op, inputs, self.node.outputs.clone(), attributes);
        self.finish.push(Node { name: self.node.name.clone(), ..node })
    }

    /// Adds the node that casts a value to the type of the node's output.
    pub fn emit_cast(&mut self, value: &String, dtype: DType) -> Result<()> {
        self.emit("Cast", &[value], vec![("to", type_attribute(dtype))])
    }

    /// A name for a value that belongs to the node.
    pub fn name(&mut self, what: &str) -> String {
        let name = format!("{}/{what}", self.node.name);
        self.finish.cx.unique_name(&name)
    }

    /// A node that is not added to the graph yet. It has the name of its first output.
    pub fn unnamed(
        &mut self,
        op: &'static str,
        inputs: &[&String],
        outputs: Vec<String>,
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Node {
        Node {
            name: self.finish.cx.unique_node_name(&outputs[0]),
            op: op.into(),
            domain: "".into(),
            inputs: inputs.iter().map(|&input| input.clone()).collect(),
            outputs,
            attributes: attributes.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        }
    }

    /// A value cast to another type.
    pub fn cast(&mut self, value: &String, to: DType) -> Result<String> {
        let attributes = vec![("to", type_attribute(to))];
        let output = self.name(to.name());
        let node = self.unnamed("Cast", &[value], vec![output.clone()], attributes);
        self.finish.push(node)?;
        Ok(self.finish.same.get(&output).cloned().unwrap_or(output))
    }

    /// A constant.
    pub fn constant(&mut self, what: &str, value: Constant) -> String {
        let dtype = value.dtype();
        let name = self.finish.cx.initializer(&format!("{}/{what}", self.node.name), value, &[]);
        self.finish.types.insert(name.clone(), dtype);
        name
    }

    /// A constant int64 number.
    pub fn int(&mut self, value: i64) -> String {
        self.constant(&format!("int_{value}"), Constant::from_i64(vec![], &[value]))
    }

    /// A constant vector of int64 numbers.
    pub fn ints(&mut self, values: &[i64]) -> String {
        let named: Vec<String> = values.iter().take(4).map(i64::to_string).collect();
        let what = format!("ints_{}", named.join("_"));
        self.constant(&what, Constant::from_i64(vec![values.len()], values))
    }

    /// The elements of a vector from one position up to another, both given as vectors of one number.
    pub fn part(&mut self, vector: &String, from: &String, to: &String) -> Result<String> {
        self.op("Slice", &[vector, from, to])
    }

    /// A value in another shape, which may have lengths of 0 and has no -1.
    pub fn reshape(&mut self, value: &String, shape: &String) -> Result<String> {
        self.op_with("Reshape", &[value, shape], vec![("allowzero", Attribute::Int(1))])
    }
}

/// An attribute that is an integer.
pub(super) fn int_attribute(node: &Node, name: &str) -> Option<i64> {
    node.attributes.iter().find_map(|(known, value)| match value {
        Attribute::Int(value) if known == name => Some(*value),
        _ => None,
    })
}

/// An attribute that is a text.
pub(super) fn text_attribute<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    node.attributes.iter().find_map(|(known, value)| match value {
        Attribute::Text(value) if known == name => Some(&value[..]),
        _ => None,
    })
}

/// The attribute for a type.
pub(super) fn type_attribute(dtype: DType) -> Attribute {
    Attribute::Int(onnx_dtype(dtype).unwrap_or_default().into())
}

/// A value of a graph inside of a node.
pub(super) fn info(name: &str, dtype: DType) -> TensorInfo {
    TensorInfo { name: name.to_owned(), dtype, shape: None }
}

/// A graph with one node, which computes a result.
pub(super) fn branch(name: String, node: Node, dtype: DType) -> Graph {
    let outputs = vec![info(&node.outputs[0], dtype)];
    Graph { name, inputs: vec![], outputs, nodes: vec![node] }
}
