//! Types and shapes of what each op computes, one function per family of ops.
//!
//! Source: the shape functions in `tensorflow/core/ops/*.cc`.

mod array;
mod blocks;
pub mod control;
mod image;
mod lists;
mod make;
mod math;
mod nn;
mod order;
pub mod partial;
pub mod ragged;
mod sparse;
mod strings;
mod various;

use partial::Length;

use super::{Graph, Node, Shape, TensorType};
use crate::error::Result;
use crate::tensor::{Constant, DType};

/// What an inference function sees of a node: its attributes and what is known of its inputs.
pub struct Inputs<'a> {
    graph: &'a Graph,
    node: &'a Node,
}

impl<'a> Inputs<'a> {
    fn tensor_type(&self, index: usize) -> Result<&'a TensorType> {
        match self.node.inputs.get(index) {
            Some(&input) => Ok(self.graph.tensor_type(input)),
            None => Err(self.node.error(format!("it has no input {index}"))),
        }
    }

    fn shape(&self, index: usize) -> Result<&'a Shape> {
        Ok(&self.tensor_type(index)?.shape)
    }

    fn dtype(&self, index: usize) -> Result<DType> {
        Ok(self.tensor_type(index)?.dtype)
    }

    fn constant(&self, index: usize) -> Option<&'a Constant> {
        self.graph.constant(partial::origin(self.graph, *self.node.inputs.get(index)?))
    }

    /// What is known of the elements of an input that holds the lengths of axes; `None` where not even their number
    /// is known.
    fn lengths(&self, index: usize) -> Option<Vec<Length>> {
        partial::integers(self.graph, *self.node.inputs.get(index)?)
    }

    /// The shape that an input describes, as far as it is known.
    fn described_shape(&self, index: usize) -> Result<Shape> {
        Ok(match self.lengths(index) {
            Some(dims) => {
                Shape::new(dims.into_iter().map(|dim| usize::try_from(dim.value()?).ok()).collect())
            }
            None => self.shape(index)?.dim(0).map_or(Shape::UNKNOWN, Shape::of_rank),
        })
    }

    /// The elements of an input that is a constant vector of integers.
    fn integers(&self, index: usize) -> Result<Option<Vec<i64>>> {
        self.constant(index).map_or(Ok(None), Constant::to_i64s)
    }

    /// The one axis that a constant input names, counted from the front of a tensor of `rank`.
    fn axis(&self, index: usize, rank: usize) -> Result<Option<usize>> {
        match self.integers(index)?.as_deref() {
            Some(&[axis]) => self.checked_axis(axis, rank).map(Some),
            _ => Ok(None),
        }
    }

    fn checked_axis(&self, axis: i64, rank: usize) -> Result<usize> {
        let from_front = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(from_front)
            .ok()
            .filter(|&axis| axis < rank)
            .ok_or_else(|| self.node.error(format!("axis {axis} is outside of a tensor of rank {rank}")))
    }
}

type InferenceFunction = fn(&Inputs<'_>, &Node) -> Result<Vec<TensorType>>;

/// The types of a node's outputs. Of an op that is not in the table only the first output is assumed, of the
/// type its attributes name and of unknown shape.
///
/// # Errors
/// Where the op does not take such inputs.
pub fn output_types(graph: &Graph, node: &Node) -> Result<Vec<TensorType>> {
    let inputs = Inputs { graph, node };
    match inference_function(&node.op) {
        Some(infer) => infer(&inputs, node),
        None => {
            let named = ["T", "dtype", "out_type"].into_iter().find_map(|name| node.dtype(name));
            let dtype = named.unwrap_or(DType::Float32);
            Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)])
        }
    }
}

/// Each family knows its own ops.
fn inference_function(op: &str) -> Option<InferenceFunction> {
    const FAMILIES: &[fn(&str) -> Option<InferenceFunction>] = &[
        array::function,
        blocks::function,
        control::function,
        image::function,
        lists::function,
        make::function,
        math::function,
        nn::function,
        order::function,
        ragged::function,
        sparse::function,
        strings::function,
        various::function,
    ];
    FAMILIES.iter().find_map(|function| function(op))
}
