//! Ops that TensorFlow defines as several others in a row, or whose results are those of several others. They are imported as these; the
//! last one has the node's name.
//!
//! Each file has the rows of some ops, and the functions that add their parts.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod activation_gradients;
mod array_gradients;
mod dilation_gradients;
mod layers;
mod norm_gradients;
mod pooling_gradients;
mod resize_gradients;
mod window_gradients;

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::{Attr, Attrs, Graph, Node, NodeId, TensorRef};
use crate::error::Result;
use crate::tensor::{Constant, DType};

/// Adds the nodes that replace a node of these inputs, and returns the last one.
type Compose = fn(&mut Composed<'_>, &[TensorRef]) -> Result<NodeId>;

/// An op that is imported as others.
pub struct Row {
    /// TensorFlow's name of the op.
    pub name: &'static str,
    /// The ops that it is imported as, the most important one first.
    pub parts: &'static [&'static str],
    /// A difference from TensorFlow, or a part that is not converted.
    pub note: &'static str,
    compose: Compose,
}

const fn row(name: &'static str, parts: &'static [&'static str], compose: Compose) -> Row {
    Row { name, parts, note: "", compose }
}

impl Row {
    const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

const FAMILIES: &[&[Row]] = &[
    activation_gradients::ROWS,
    array_gradients::ROWS,
    dilation_gradients::ROWS,
    layers::ROWS,
    norm_gradients::ROWS,
    pooling_gradients::ROWS,
    resize_gradients::ROWS,
    window_gradients::ROWS,
];

static ROWS: LazyLock<HashMap<&str, &Row>> = LazyLock::new(|| all().map(|row| (row.name, row)).collect());

/// The rows of all ops that are imported as others.
pub fn all() -> impl Iterator<Item = &'static Row> {
    FAMILIES.iter().copied().flatten()
}

/// The row of an op that is imported as others.
pub(super) fn find(op: &str) -> Option<&'static Row> {
    ROWS.get(op).copied()
}

/// Adds the nodes that replace a node, and returns the last one.
///
/// # Errors
/// If the number of inputs does not fit the op, or the inputs do not fit its ops.
pub(super) fn add_composed(
    graph: &mut Graph,
    row: &Row,
    name: &str,
    inputs: &[TensorRef],
    attrs: Attrs,
) -> Result<NodeId> {
    let node = Node {
        name: name.to_owned(),
        op: row.name.to_owned(),
        inputs: inputs.to_vec(),
        attrs,
        outputs: vec![],
    };
    (row.compose)(&mut Composed { graph, node }, inputs)
}

/// The sizes or strides of a window, with those of the batch and of one channel.
fn of_window(values: &[usize]) -> Attr {
    let inner = values.iter().map(|&value| value as i64);
    Attr::Ints([1].into_iter().chain(inner).chain([1]).collect())
}

/// A node that is being replaced, and the graph that gets its parts. What all compositions call is kept out of line.
struct Composed<'a> {
    graph: &'a mut Graph,
    node: Node,
}

impl Composed<'_> {
    /// The inputs, if they are as many as the op has.
    fn take<const N: usize>(&self, inputs: &[TensorRef]) -> Result<[TensorRef; N]> {
        inputs.try_into().map_err(|_| self.node.error(format!("it has {} inputs", inputs.len())))
    }

    /// Adds one of the ops before the last one.
    #[inline(never)]
    fn add(&mut self, op: &str, inputs: &[TensorRef], attrs: Attrs) -> Result<TensorRef> {
        let mut name = format!("{}/{op}", self.node.name);
        let mut number = 1u64;
        while self.graph.find(&name).is_some() {
            name = format!("{}/{op}_{number}", self.node.name);
            number = number.saturating_add(1);
        }
        Ok(self.graph.add(name, op, inputs.to_vec(), attrs)?.into())
    }

    /// Adds one of the ops before the last one, without attributes.
    #[inline(never)]
    fn op(&mut self, op: &str, inputs: &[TensorRef]) -> Result<TensorRef> {
        self.add(op, inputs, Attrs::new())
    }

    /// Adds the last op.
    #[inline(never)]
    fn last(&mut self, op: &str, inputs: &[TensorRef], attrs: Attrs) -> Result<NodeId> {
        self.graph.add(self.node.name.clone(), op, inputs.to_vec(), attrs)
    }

    /// The elements of an input of this name, which must be known.
    ///
    /// # Errors
    /// If the model computes them.
    fn known(&self, tensor: TensorRef, name: &str) -> Result<Vec<i64>> {
        let constant = self.graph.constant(self.graph.origin(tensor));
        let elements = constant.map(Constant::to_i64s).transpose()?.flatten();
        let error =
            || self.node.error(format!("its {name} is not known before the model runs")).unsupported();
        elements.ok_or_else(error)
    }

    /// The element type of a tensor.
    fn dtype(&self, tensor: TensorRef) -> DType {
        self.graph.tensor_type(tensor).dtype
    }

    /// A constant.
    #[inline(never)]
    fn constant(&mut self, constant: Constant) -> Result<TensorRef> {
        let dtype = Attr::Type(constant.dtype());
        self.add("Const", &[], [("value", Attr::Tensor(constant)), ("dtype", dtype)].into())
    }

    /// A constant vector of int32.
    #[inline(never)]
    fn integers(&mut self, values: &[i32]) -> Result<TensorRef> {
        self.constant(Constant::from_i32(vec![values.len()], values))
    }

    /// A constant int32.
    #[inline(never)]
    fn integer(&mut self, value: i32) -> Result<TensorRef> {
        self.constant(Constant::from_i32(vec![], &[value]))
    }

    /// A constant number of a tensor's type.
    ///
    /// # Errors
    /// If the type is not known.
    #[inline(never)]
    fn number(&mut self, like: TensorRef, value: f64) -> Result<TensorRef> {
        let dtype = self.dtype(like);
        if dtype.is_complex() {
            let number = self.constant(Constant::scalar(dtype.part(), value))?;
            return self.cast(number, dtype);
        }
        if dtype.size().is_none() {
            return Err(self.node.error(format!("its numbers are of type {dtype}")));
        }
        self.constant(Constant::scalar(dtype, value))
    }

    /// A tensor cast to a type, if it has another one.
    #[inline(never)]
    fn cast(&mut self, tensor: TensorRef, to: DType) -> Result<TensorRef> {
        let from = self.dtype(tensor);
        if from == to {
            return Ok(tensor);
        }
        self.add("Cast", &[tensor], [("SrcT", Attr::Type(from)), ("DstT", Attr::Type(to))].into())
    }

    /// Attributes of the node that one of its ops has too.
    fn attrs(&self, names: &[&'static str]) -> Attrs {
        let mut attrs = Attrs::new();
        for &name in names {
            if let Some(attr) = self.node.attrs.get(name) {
                attrs.insert(name, attr.clone());
            }
        }
        attrs
    }

    /// The elements of a vector from an index up to another one.
    #[inline(never)]
    fn part(&mut self, vector: TensorRef, from: i32, to: i32) -> Result<TensorRef> {
        let (begin, size) = (self.integers(&[from])?, self.integers(&[to.saturating_sub(from)])?);
        self.op("Slice", &[vector, begin, size])
    }

    /// The lengths of the spatial axes in the shape of images or volumes.
    fn spatial_part(&mut self, shape: TensorRef, spatial: usize) -> Result<TensorRef> {
        let first = self.node.data_format().first_spatial_axis() as i32;
        self.part(shape, first, first.saturating_add(spatial as i32))
    }

    /// Vectors one after the other.
    #[inline(never)]
    fn joined(&mut self, vectors: &[TensorRef]) -> Result<TensorRef> {
        let axis = self.integer(0)?;
        self.op("ConcatV2", &[vectors, &[axis]].concat())
    }

    /// All elements of a tensor, as a vector.
    #[inline(never)]
    fn flat(&mut self, tensor: TensorRef) -> Result<TensorRef> {
        let all = self.integers(&[-1])?;
        self.op("Reshape", &[tensor, all])
    }

    /// A tensor with its axes in another order.
    #[inline(never)]
    fn transposed(&mut self, tensor: TensorRef, axes: &[i32]) -> Result<TensorRef> {
        let axes = self.integers(axes)?;
        self.op("Transpose", &[tensor, axes])
    }

    /// The matrix of so many rows, a scalar, with a one in each row and column.
    #[inline(never)]
    fn identity(&mut self, length: TensorRef, dtype: DType) -> Result<TensorRef> {
        let (first, step) = (self.integer(0)?, self.integer(1)?);
        let numbers = self.op("Range", &[first, length, step])?;
        let like = self.cast(first, dtype)?;
        let (on, off) = (self.number(like, 1.0)?, self.number(like, 0.0)?);
        self.op("OneHot", &[numbers, length, on, off])
    }

    /// The numbers of the elements of a tensor of this shape, in that shape.
    #[inline(never)]
    fn numbered(&mut self, shape: TensorRef) -> Result<TensorRef> {
        let axis = self.integer(0)?;
        let count = self.op("Prod", &[shape, axis])?;
        let (first, step) = (self.number(count, 0.0)?, self.number(count, 1.0)?);
        let numbers = self.op("Range", &[first, count, step])?;
        self.op("Reshape", &[numbers, shape])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::op_definition::OpDefinition;

    #[test]
    fn rows_are_of_ops_of_tensorflow_and_in_the_order_of_their_names() {
        for family in FAMILIES {
            assert!(family.iter().map(|row| row.name.to_lowercase()).is_sorted(), "{}", family[0].name);
            for row in *family {
                let names = [&[row.name], row.parts].concat();
                assert!(names.iter().all(|name| OpDefinition::find(name).is_some()), "{names:?}");
                assert!(crate::ops::find(row.name).is_none(), "{} has two rows", row.name);
            }
        }
    }
}
