//! Types and shapes of what each op computes, one function per family of ops.
//!
//! Source: the shape functions in `tensorflow/core/ops/*.cc`.

use crate::error::Result;
use crate::graph::op_definition::{ElementType, Form, OpDefinition};
use crate::graph::partial::{self, Length};
use crate::graph::{Graph, Node, Shape, TensorType};
use crate::tensor::{Constant, DType};

/// The arguments of an inference function: a node, and its inputs as far as they are known.
pub struct Inputs<'a> {
    /// The graph that the node is about to be added to.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
}

impl<'a> Inputs<'a> {
    pub fn tensor_type(&self, index: usize) -> Result<&'a TensorType> {
        match self.node.inputs.get(index) {
            Some(&input) => Ok(self.graph.tensor_type(input)),
            None => Err(self.node.error(format!("it has no input {index}"))),
        }
    }

    pub fn shape(&self, index: usize) -> Result<&'a Shape> {
        Ok(&self.tensor_type(index)?.shape)
    }

    pub fn dtype(&self, index: usize) -> Result<DType> {
        Ok(self.tensor_type(index)?.dtype)
    }

    pub fn constant(&self, index: usize) -> Option<&'a Constant> {
        self.graph.constant(partial::origin(self.graph, *self.node.inputs.get(index)?))
    }

    /// The elements of an input that holds the lengths of axes, as far as they are known; `None` if not even their number
    /// is known.
    pub fn lengths(&self, index: usize) -> Option<Vec<Length>> {
        partial::integers(self.graph, *self.node.inputs.get(index)?)
    }

    /// The shape that an input describes, as far as it is known.
    pub fn described_shape(&self, index: usize) -> Result<Shape> {
        Ok(match self.lengths(index) {
            Some(dims) => {
                Shape::new(dims.into_iter().map(|dim| usize::try_from(dim.value()?).ok()).collect())
            }
            None => self.shape(index)?.dim(0).map_or(Shape::UNKNOWN, Shape::of_rank),
        })
    }

    /// The elements of an input that is a constant vector of integers.
    pub fn integers(&self, index: usize) -> Result<Option<Vec<i64>>> {
        self.constant(index).map_or(Ok(None), Constant::to_i64s)
    }

    /// The one axis that a constant input names, counted from the front of a tensor of `rank`.
    pub fn axis(&self, index: usize, rank: usize) -> Result<Option<usize>> {
        match self.integers(index)?.as_deref() {
            Some(&[axis]) => self.checked_axis(axis, rank).map(Some),
            _ => Ok(None),
        }
    }

    pub fn checked_axis(&self, axis: i64, rank: usize) -> Result<usize> {
        self.node.axis(axis, rank)
    }
}

/// Returns the types of a node's outputs.
pub type InferenceFunction = fn(&Inputs<'_>, &Node) -> Result<Vec<TensorType>>;

/// The types of a node's outputs. For an op without an inference function, the op's definition determines their
/// number and their types. An op that TensorFlow does not define is assumed to have one output of unknown type.
///
/// # Errors
/// If the op does not accept such inputs.
pub fn output_types(graph: &Graph, node: &Node) -> Result<Vec<TensorType>> {
    let inputs = Inputs { graph, node };
    let op = super::find(&node.op);
    let checked = op.and_then(|op| op.check).map_or(Ok(()), |check| check(&inputs, node));
    let types = checked.and_then(|()| op.and_then(|op| op.shape).unwrap_or(by_definition)(&inputs, node));
    types.map_err(|error| node.reading(error))
}

/// The types of a node's outputs by the definition of its op, without their shapes.
pub fn by_definition(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let types = defined_types(inputs, node).unwrap_or_else(|| vec![DType::Unknown]);
    Ok(types.into_iter().map(|dtype| TensorType::new(dtype, Shape::UNKNOWN)).collect())
}

/// The types of a node's outputs by the definition of its op. The type of a missing attribute is
/// that of an input that must have the same type.
fn defined_types(inputs: &Inputs<'_>, node: &Node) -> Option<Vec<DType>> {
    let definition = OpDefinition::find(&node.op)?;
    let as_input = |name: &'static str| {
        let of_type = Form::One(ElementType::Attribute(name));
        let index = definition.inputs().position(|input| input.form == of_type)?;
        // Inputs before it that are lists would move its index.
        let are_single = definition.inputs().take(index).all(|input| matches!(input.form, Form::One(_)));
        inputs.dtype(index).ok().filter(|_| are_single)
    };
    let mut types = vec![];
    for output in definition.outputs() {
        let count = definition.count(output, node).filter(|&count| count <= 1 << 16)?;
        let missing = match output.form {
            Form::One(ElementType::Attribute(name)) | Form::Number(_, ElementType::Attribute(name)) => {
                as_input(name)
            }
            _ => None,
        };
        let declared = definition.types(output, count, node);
        types.extend(declared.into_iter().map(|dtype| dtype.or(missing).unwrap_or(DType::Unknown)));
    }
    Some(types)
}

/// One output.
pub fn one(dtype: DType, shape: Shape) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(dtype, shape)])
}

/// The type that an attribute holds, or TensorFlow's default for it.
pub fn declared_type(node: &Node, name: &str, default: DType) -> DType {
    node.dtype(name).unwrap_or(default)
}

/// One output, of the type of the first input.
pub fn like_first_input(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![inputs.tensor_type(0)?.clone()])
}
