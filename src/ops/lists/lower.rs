//! Lists of tensors, as loops write and read them: a list is the tensor of its elements, stacked along a first axis.
//!
//! Sources: `tf.TensorArray` in TensorFlow's API documentation and `tensorflow/core/ops/list_ops.cc`; Gather,
//! ScatterND and Where in <https://onnx.ai/onnx/operators/>.

use super::elements::{elements_shape, has_known_elements, shaped_once, stretched};
use super::reserve::zero;
use super::rows;
use crate::error::Result;
use crate::graph::partial::Length;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::around::vector_along;
use crate::tensor::{Constant, DType};

pub fn alias(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    cx.alias(node.into(), cx.input_of(node, 0)?)
}

/// An input that is one number, as a vector of int64.
pub fn vector_of(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize) -> Result<String> {
    let name = cx.in_type(node, cx.input_of(node, index)?, DType::Int64)?;
    let shape = cx.vector(node, "one", &[1]);
    Ok(cx.step(node, "vector", "Reshape", vec![name, shape], vec![]))
}

/// The number of elements of a list, as a vector of one int64.
fn length_of(cx: &mut Lowering<'_>, node: NodeRef<'_>, list: &str) -> String {
    let shape = cx.step(node, "list_shape", "Shape", vec![list.to_owned()], vec![]);
    let first = cx.vector(node, "first", &[0]);
    cx.step(node, "length", "Gather", vec![shape, first], vec![])
}

/// The elements at some indices.
pub fn gather(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match cx.rows(cx.input_of(node, 0)?).cloned() {
        Some(of) => rows::gather(cx, node, &of),
        None => taken(cx, node),
    }
}

/// One element or several, of one shape.
fn taken(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let list = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let index = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Gather", vec![list, index], layout, vec![]);
    Ok(())
}

/// The element at an index.
pub fn get_item(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match cx.rows(cx.input_of(node, 0)?).cloned() {
        Some(of) => rows::get_item(cx, node, &of),
        None => taken(cx, node),
    }
}

/// Writes an element. If its shape certainly is that of the list's elements, it is scattered; if zeros may have to
/// be broadcast, it is chosen at its index.
pub fn set_item(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (list, item) = (cx.input_of(node, 0)?, cx.input_of(node, 2)?);
    if let Some(of) = cx.rows(list).cloned() {
        return rows::set_item(cx, node, &of);
    }
    let mut name = cx.in_tensorflow_layout(list)?;
    let index = vector_of(cx, node, 1)?;
    if node.bool("resize_if_index_out_of_bounds", false) {
        name = grown_to(cx, node, name, index.clone())?;
    }
    let item = element_of_one(cx, node, item)?;
    write(cx, node, list, name, index, item)
}

/// An element as a list of one.
fn element_of_one(cx: &mut Lowering<'_>, node: NodeRef<'_>, item: TensorRef) -> Result<String> {
    let item = cx.in_tensorflow_layout(item)?;
    let axes = cx.vector(node, "first_axis", &[0]);
    Ok(cx.step(node, "item", "Unsqueeze", vec![item, axes], vec![]))
}

/// The largest of some indices, a column of int64; -1 if there are none.
fn largest(cx: &mut Lowering<'_>, node: NodeRef<'_>, positions: String) -> String {
    let none = cx.vector(node, "no_place", &[-1]);
    let column = cx.vector(node, "places_column", &[-1, 1]);
    let none = cx.step(node, "no_places", "Reshape", vec![none, column], vec![]);
    let axis = vec![("axis", Attribute::Int(0))];
    let positions = cx.step(node, "at_least_none", "Concat", vec![positions, none], axis);
    cx.step(node, "last", "ReduceMax", vec![positions], vec![("keepdims", Attribute::Int(0))])
}

/// A list that has an element at this index, one number: zeros after its end if it is too short.
fn grown_to(cx: &mut Lowering<'_>, node: NodeRef<'_>, list: String, index: String) -> Result<String> {
    let one = cx.vector(node, "one", &[1]);
    let needed = cx.step(node, "needed", "Add", vec![index, one], vec![]);
    of_length(cx, node, (list, node.into()), needed)
}

/// A list that has at least so many elements, a vector of one number: zeros after its end if it is too short. Its name comes with a
/// tensor of its type.
pub fn of_length(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (list, like): (String, TensorRef),
    needed: String,
) -> Result<String> {
    let length = length_of(cx, node, &list);
    let more = cx.step(node, "more", "Sub", vec![needed, length], vec![]);
    let none = cx.vector(node, "none", &[0]);
    let more = cx.step(node, "more", "Max", vec![more, none], vec![]);
    grown(cx, node, (list, like), more)
}

/// A list with zeros after its end, or with empty strings: `more` elements, a vector of one number.
fn grown(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (list, like): (String, TensorRef),
    more: String,
) -> Result<String> {
    let axis = || vec![("axis", Attribute::Int(0))];
    let dtype = cx.dtype(like);
    // ONNX Runtime pads no strings.
    if let Some(rank) = cx.shape(like).rank()
        && dtype != DType::String
    {
        let before = cx.vector(node, "before", &vec![0; rank]);
        let after = cx.vector(node, "after", &vec![0; rank.saturating_sub(1)]);
        let pads = cx.step(node, "pads", "Concat", vec![before, more, after], axis());
        return Ok(cx.step(node, "grown", "Pad", vec![list, pads], vec![]));
    }
    let element = elements_shape(cx, node, &list);
    let shape = cx.step(node, "shape", "Concat", vec![more, element], axis());
    let zero = zero(cx, node, dtype)?;
    let zeros = cx.step(node, "zeros", "Expand", vec![zero, shape], vec![]);
    Ok(cx.step(node, "grown", "Concat", vec![list, zeros], axis()))
}

/// Emits the list in which `item` is at `index`, a vector of one.
fn write(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    list: TensorRef,
    name: String,
    index: String,
    item: String,
) -> Result<()> {
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    let rank = cx.shape(node.into()).rank();
    if has_known_elements(cx.shape(list)) || rank.is_none() {
        // Elements of any length may have been written. Another shape than theirs is an error, and not broadcast.
        let name = if rank.is_none() { shaped_once(&mut Steps { cx, node }, &name, &item) } else { name };
        let axes = cx.vector(node, "first_axis", &[0]);
        let indices = cx.step(node, "indices", "Unsqueeze", vec![index, axes], vec![]);
        cx.emit(node, "ScatterND", vec![name, indices, item], layout, vec![]);
        return Ok(());
    }
    let mut steps = Steps { cx, node };
    let length = length_of(steps.cx, node, &name);
    let places = steps.positions(&length);
    let is_place = steps.op("Equal", &[&places, &index]);
    let column = vector_along(&mut steps, &item, 0, rank);
    let is_place = steps.op("Reshape", &[&is_place, &column]);
    cx.emit(node, "Where", vec![is_place, item, name], layout, vec![]);
    Ok(())
}

/// An element after the last one.
pub fn push_back(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (list, item) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    if let Some(of) = cx.rows(list).cloned() {
        return rows::push_back(cx, node, &of);
    }
    let name = cx.in_tensorflow_layout(list)?;
    let item = element_of_one(cx, node, item)?;
    if has_known_elements(cx.shape(list)) {
        let axis = vec![("axis", Attribute::Int(0))];
        let layout = Layout::tensorflow_of(cx.shape(node.into()));
        cx.emit(node, "Concat", vec![name, item], layout, axis);
        return Ok(());
    }
    let index = length_of(cx, node, &name);
    let one = cx.vector(node, "one", &[1]);
    let name = grown(cx, node, (name, list), one)?;
    write(cx, node, list, name, index, item)
}

/// The list without its last element, and that element.
pub fn pop_back(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let list = cx.input_of(node, 0)?;
    if let Some(of) = cx.rows(list).cloned() {
        return rows::pop_back(cx, node, &of);
    }
    let list = cx.in_tensorflow_layout(list)?;
    let [rest, last] = [0, 1].map(|port| node.output(port));
    let bounds =
        [("starts", 0), ("ends", -1), ("axes", 0)].map(|(what, value)| cx.vector(node, what, &[value]));
    let inputs = [vec![list.clone()], bounds.to_vec()].concat();
    let layout = Layout::tensorflow_of(cx.shape(rest));
    cx.emit(rest, "Slice", inputs, layout, vec![]);
    let position = cx.initializer("last", Constant::from_i64(vec![], &[-1]), &[]);
    let layout = Layout::tensorflow_of(cx.shape(last));
    cx.emit(last, "Gather", vec![list, position], layout, vec![]);
    Ok(())
}

/// The number of elements.
pub fn length(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let list = cx.input_of(node, 0)?;
    let length = match cx.rows(list).cloned() {
        Some(of) => rows::length(&mut Steps { cx, node }, &of),
        None => {
            let list = cx.in_tensorflow_layout(list)?;
            length_of(cx, node, &list)
        }
    };
    let scalar = cx.vector(node, "scalar", &[]);
    let length = cx.step(node, "count", "Reshape", vec![length, scalar], vec![]);
    cx.emit_cast(node, length, Layout::tensorflow(0));
    Ok(())
}

/// The shape of the elements.
pub fn element_shape(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let list = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let shape = elements_shape(cx, node, &list);
    cx.emit_cast(node, shape, Layout::tensorflow(1));
    Ok(())
}

/// A list whose elements are given with their indices; an element without an index is zero.
pub fn scatter(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let tensor = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let positions = indices(cx, node, 1)?;
    let rest = elements_shape(cx, node, &tensor);
    let declared = cx.known_integers(node, 3).ok().flatten().and_then(|count| count.first().copied());
    let count = match declared {
        Some(count) if count >= 0 => cx.vector(node, "count", &[count]),
        // As many as the greatest index needs.
        _ => {
            let last = largest(cx, node, positions.clone());
            let one = cx.vector(node, "one", &[1]);
            cx.step(node, "count", "Add", vec![last, one], vec![])
        }
    };
    let shape = cx.step(node, "shape", "Concat", vec![count, rest], vec![("axis", Attribute::Int(0))]);
    let zero = zero(cx, node, cx.dtype(node.into()))?;
    let list = cx.step(node, "zeros", "Expand", vec![zero, shape], vec![]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![list, positions, tensor], layout, vec![]);
    Ok(())
}

/// Elements written to their indices in a list, which grows as far as they need. Where the shape of the list's elements is not known,
/// it is stretched to theirs.
pub fn scatter_into(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, tensor) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    if writes_all(cx, node, input, tensor) {
        return cx.alias(node.into(), tensor);
    }
    let mut list = cx.in_tensorflow_layout(input)?;
    let tensor = cx.in_tensorflow_layout(tensor)?;
    if !has_known_elements(cx.shape(input)) {
        let has_rank = cx.shape(input).rank().is_some();
        list = stretched(&mut Steps { cx, node }, &list, &tensor, has_rank);
    }
    let positions = indices(cx, node, 2)?;
    // An array of TensorFlow 1 without a dynamic size has no such indices.
    let length = cx.shape(node.into()).dim(0);
    let keeps_length = length.is_some() && length == cx.shape(input).dim(0);
    if node.bool("resize_if_index_out_of_bounds", true) && !keeps_length {
        let last = largest(cx, node, positions.clone());
        list = grown_to(cx, node, list, last)?;
    }
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![list, positions, tensor], layout, vec![]);
    Ok(())
}

/// Whether a scatter writes all elements of a list that has just been reserved, in their order, as `TensorArray.unstack` does.
fn writes_all(cx: &Lowering<'_>, node: NodeRef<'_>, list: TensorRef, tensor: TensorRef) -> bool {
    let number = |tensor: TensorRef| match cx.lengths(tensor)?[..] {
        [length] if length != Length::Open => Some(length),
        _ => None,
    };
    let is_known = |tensor: Option<&TensorRef>, value: i64| {
        tensor.is_some_and(|&tensor| number(tensor) == Some(Length::Known(value)))
    };
    let reserve = cx.producer(cx.origin(list));
    let Some(&indices) = node.inputs.get(2) else { return false };
    let rows = match cx.shape(tensor).dim(0) {
        Some(rows) => Length::Known(rows as i64),
        None => Length::Of(cx.origin(tensor), 0),
    };
    let range = cx.producer(cx.origin(indices));
    let are_all = match (range.op.as_str(), cx.lengths(indices)) {
        ("Range", _) => {
            is_known(range.inputs.first(), 0)
                && is_known(range.inputs.get(2), 1)
                && range.inputs.get(1).and_then(|&limit| number(limit)) == Some(rows)
        }
        (_, Some(listed)) => {
            listed.iter().enumerate().all(|(index, &length)| length == Length::Known(index as i64))
                && rows == Length::Known(listed.len() as i64)
        }
        _ => false,
    };
    let reserved = reserve.inputs.get(1).filter(|_| reserve.op == "TensorListReserve");
    are_all && reserved.and_then(|&count| number(count)) == Some(rows)
}

/// An input of indices in a list as ScatterND takes them: a column of int64.
fn indices(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize) -> Result<String> {
    let positions = cx.in_tensorflow_layout(cx.input_of(node, index)?)?;
    let positions = cx.cast(node, positions, DType::Int64);
    let column = cx.vector(node, "places_column", &[-1, 1]);
    Ok(cx.step(node, "places", "Reshape", vec![positions, column], vec![]))
}

/// A list cut off, or with zeros after its end.
pub fn resize(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let list = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let size = vector_of(cx, node, 1)?;
    let length = length_of(cx, node, &list);
    let more = cx.step(node, "more", "Sub", vec![size.clone(), length], vec![]);
    let none = cx.vector(node, "none", &[0]);
    let more = cx.step(node, "more", "Max", vec![more, none.clone()], vec![]);
    let grown = grown(cx, node, (list, node.into()), more)?;
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![grown, none.clone(), size, none], layout, vec![]);
    Ok(())
}
