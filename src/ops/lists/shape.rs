//! Lists of tensors (`tensorflow/core/ops/list_ops.cc`).
//!
//! A list counts as the tensor of its elements, stacked along a first axis: that is its type, whatever TensorFlow says
//! of its handle.

use crate::error::Result;
use crate::graph::partial::{Length, origin};
use crate::graph::{Attr, Graph, Node, Shape, TensorRef, TensorType};
use crate::ops::control::shape::refined;
use crate::ops::infer::{Inputs, declared_type, one};
use crate::ops::sparse::shape::ragged::ragged_rank;
use crate::tensor::DType;

/// The stacked elements that a loop of TensorFlow 1 has written. An attribute of the op is the shape of the elements.
///
/// Source: `TensorArrayGatherV3` in `tensorflow/core/ops/data_flow_ops.cc`.
pub fn gather_array(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("dtype").ok_or_else(|| node.error("it has no dtype"))?;
    let element = match node.attrs.get("element_shape") {
        Some(Attr::Shape(shape)) => shape,
        _ => &Shape::UNKNOWN,
    };
    one(dtype, list_of(inputs.shape(1)?.dim(0), element))
}

/// The shape of elements that an input describes. The scalar -1 means that not even their rank is known.
fn described_element(inputs: &Inputs<'_>, index: usize) -> Result<Shape> {
    // A variant is a scalar, whatever it holds.
    if inputs.node.dtype("element_dtype") == Some(DType::Variant) {
        return Ok(Shape::UNKNOWN);
    }
    match inputs.shape(index)?.rank() {
        Some(0) | None => Ok(Shape::UNKNOWN),
        Some(_) => inputs.described_shape(index),
    }
}

/// The shape of a list's elements.
pub fn element(list: &Shape) -> Shape {
    list.dims().map_or(Shape::UNKNOWN, |dims| Shape::new(dims.iter().skip(1).copied().collect()))
}

/// Ops that write elements to a list, which is their first input.
const WRITES: &[&str] =
    &["TensorListPushBack", "TensorListScatter", "TensorListScatterIntoExistingList", "TensorListSetItem"];

/// Whether elements have been written to a list: their shape is the one that it has, as far as it is known.
pub fn is_written(graph: &Graph, list: TensorRef) -> bool {
    WRITES.contains(&graph.node(origin(graph, list).node).op.as_str())
}

/// The shape of a list's elements after another one of this shape is written, as far as they have one shape. Before the first one, what
/// is known of the list is what its op declares, and all elements have that.
fn after_write(inputs: &Inputs<'_>, written: &Shape) -> Result<Shape> {
    let before = element(inputs.shape(0)?);
    let has_others = inputs.node.inputs.first().is_some_and(|&list| is_written(inputs.graph, list));
    Ok(match (before.dims(), written.dims()) {
        _ if has_others => before.union(written),
        (Some(a), Some(b)) if a.len() == b.len() => Shape::new(a.iter().zip(b).map(one_of).collect()),
        (Some(_), Some(_)) => Shape::UNKNOWN,
        _ => refined(&before, written),
    })
}

/// The length of an axis that is known of some elements and of another one.
fn one_of((before, written): (&Option<usize>, &Option<usize>)) -> Option<usize> {
    match (before, written) {
        (Some(before), Some(written)) if before != written => None,
        _ => before.or(*written),
    }
}

/// The shape of a list of `length` elements of this shape.
fn list_of(length: Option<usize>, element: &Shape) -> Shape {
    element.dims().map_or(Shape::UNKNOWN, |dims| Shape::new([&[length], dims].concat()))
}

/// The one number that an input holds.
fn count(inputs: &Inputs<'_>, index: usize) -> Option<usize> {
    match inputs.lengths(index)?[..] {
        [Length::Known(count)] => usize::try_from(count).ok(),
        _ => None,
    }
}

/// The type of the numbers that a list holds after an input is written to it. Of a list of variants, it is known then.
fn held(inputs: &Inputs<'_>, written: usize) -> Result<DType> {
    match inputs.dtype(0)? {
        DType::Variant => inputs.dtype(written),
        dtype => Ok(dtype),
    }
}

fn element_dtype(inputs: &Inputs<'_>, node: &Node) -> Result<DType> {
    node.dtype("element_dtype").map_or_else(|| inputs.dtype(0), Ok)
}

pub fn from_tensor(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![inputs.tensor_type(0)?.clone()])
}

pub fn reserve(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let element = described_element(inputs, 0)?;
    one(element_dtype(inputs, node)?, list_of(count(inputs, 1), &element))
}

pub fn empty(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let element = described_element(inputs, 0)?;
    one(element_dtype(inputs, node)?, list_of(Some(0), &element))
}

pub fn get_item(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let shape = refined(&element(inputs.shape(0)?), &described_element(inputs, 2)?);
    one(inputs.dtype(0)?, shape)
}

pub fn set_item(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let list = inputs.shape(0)?;
    let grows = node.bool("resize_if_index_out_of_bounds", false);
    let element = after_write(inputs, inputs.shape(2)?)?;
    one(held(inputs, 2)?, list_of(list.dim(0).filter(|_| !grows), &element))
}

pub fn stack(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let list = inputs.shape(0)?;
    let declared = usize::try_from(node.int("num_elements", -1)).ok();
    let element = refined(&element(list), &described_element(inputs, 1)?);
    one(inputs.dtype(0)?, list_of(list.dim(0).or(declared), &element))
}

pub fn push_back(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let list = inputs.shape(0)?;
    let element = after_write(inputs, inputs.shape(1)?)?;
    one(inputs.dtype(0)?, list_of(list.dim(0).map(|length| length + 1), &element))
}

pub fn pop_back(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (list, dtype) = (inputs.shape(0)?, inputs.dtype(0)?);
    let element = refined(&element(list), &described_element(inputs, 1)?);
    let rest = list_of(list.dim(0).and_then(|length| length.checked_sub(1)), &element);
    Ok(vec![TensorType::new(dtype, rest), TensorType::new(dtype, element)])
}

pub fn length(_: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    one(DType::Int32, Shape::scalar())
}

pub fn element_shape_of(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let rank = element(inputs.shape(0)?).rank();
    one(node.dtype("shape_type").unwrap_or(DType::Int32), Shape::new(vec![rank]))
}

pub fn gather(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let element = refined(&element(inputs.shape(0)?), &described_element(inputs, 2)?);
    one(inputs.dtype(0)?, list_of(inputs.shape(1)?.dim(0), &element))
}

pub fn scatter(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let element = refined(&element(inputs.shape(0)?), &described_element(inputs, 2)?);
    let length = if inputs.node.inputs.len() > 3 { count(inputs, 3) } else { None };
    one(inputs.dtype(0)?, list_of(length, &element))
}

pub fn scatter_into(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (dtype, list) = (held(inputs, 1)?, inputs.shape(0)?);
    let element = after_write(inputs, &element(inputs.shape(1)?))?;
    let length = match node.bool("resize_if_index_out_of_bounds", true) {
        false => list.dim(0),
        true => list.dim(0).zip(inputs.integers(2)?).map(|(length, indices)| {
            let needed = indices.into_iter().filter_map(|index| usize::try_from(index).ok()).max();
            needed.map_or(length, |last| length.max(last.saturating_add(1)))
        }),
    };
    one(dtype, list_of(length, &element))
}

pub fn concat(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let list = inputs.shape(0)?;
    let parts = element(list);
    let joined = match parts.dims() {
        Some([first, rest @ ..]) => {
            let rows = list.dim(0).zip(*first).and_then(|(a, b)| a.checked_mul(b));
            Shape::new([&[rows], rest].concat())
        }
        _ => Shape::UNKNOWN,
    };
    let lengths = Shape::new(vec![list.dim(0)]);
    Ok(vec![TensorType::new(inputs.dtype(0)?, joined), TensorType::new(DType::Int64, lengths)])
}

pub fn split(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let lengths = inputs.integers(2)?.unwrap_or_default();
    let length = lengths.first().filter(|&&first| lengths.iter().all(|&length| length == first));
    let length = length.and_then(|&length| usize::try_from(length).ok());
    let rest = element(inputs.shape(0)?);
    let part = rest.dims().map_or(Shape::UNKNOWN, |dims| Shape::new([&[length], dims].concat()));
    one(inputs.dtype(0)?, list_of(inputs.shape(2)?.dim(0), &part))
}

pub fn resize(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    one(inputs.dtype(0)?, list_of(count(inputs, 1), &element(inputs.shape(0)?)))
}

/// The rows of a ragged tensor as a list, or one tensor as an element of such a list.
///
/// Source: `RaggedTensorToVariant` in `tensorflow/core/ops/ragged_conversion_ops.cc`.
pub fn to_variant(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    match (ragged_rank(node, "RAGGED_RANK"), node.bool("batched_input", false)) {
        (0, _) => Ok(vec![inputs.tensor_type(0)?.clone()]),
        (1, true) => {
            let values = inputs.tensor_type(1)?;
            let length = inputs.shape(0)?.dim(0).and_then(|splits| splits.checked_sub(1));
            let row = values.shape.dims().and_then(|dims| Some([&[None], dims.get(1..)?].concat()));
            one(values.dtype, list_of(length, &row.map_or(Shape::UNKNOWN, Shape::new)))
        }
        _ => one(DType::Variant, Shape::UNKNOWN),
    }
}

/// The ragged tensor that a list of variants holds, or the tensor that one of them is.
///
/// Source: `RaggedTensorFromVariant` in `tensorflow/core/ops/ragged_conversion_ops.cc`.
pub fn from_variant(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (list, rank) = (inputs.shape(0)?, ragged_rank(node, "output_ragged_rank"));
    let dtype = node.dtype("Tvalues").unwrap_or(DType::Unknown);
    let values = match (rank, list.dims()) {
        (0, _) => list.clone(),
        (1, Some([_, _, inner @ ..])) => Shape::new([&[None], inner].concat()),
        _ => Shape::UNKNOWN,
    };
    let splits = TensorType::new(declared_type(node, "Tsplits", DType::Int64), Shape::of_rank(1));
    Ok([vec![splits; rank], vec![TensorType::new(dtype, values)]].concat())
}
