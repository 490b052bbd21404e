//! Lists of tensors whose first axes have different lengths: parts of a tensor, and rows as loops over ragged tensors read and write
//! them, which are variants in TensorFlow. Here, the list is the values of all elements and the positions where each begins.
//!
//! An element that has not been written has no values. TensorFlow fails where it is read.
//!
//! Sources: `RaggedTensorToVariant` and `RaggedTensorFromVariant` in `tensorflow/core/ops/ragged_conversion_ops.cc`; `tf.map_fn` in
//! TensorFlow's API documentation.

use super::elements::{elements_shape, stretched};
use super::lower::vector_of;
use super::reserve::zero;
use crate::error::{Error, Result};
use crate::graph::{NodeRef, TensorRef, TensorType};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Rows, Value};
use crate::lower::steps::Steps;
use crate::ops::sparse::lower::ragged::rows_at;
use crate::ops::sparse::shape::ragged::ragged_rank;
use crate::tensor::DType;

/// The first operator set whose Reshape makes no elements to no elements of any shape. Before it, they are broadcast.
const ALLOWS_ZERO: i64 = 14;

/// A ragged tensor as the list of its rows, or a tensor as an element of such a list.
pub fn to_variant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match (ragged_rank(&node, "RAGGED_RANK"), node.bool("batched_input", false)) {
        (0, _) => cx.alias(node.into(), cx.input_of(node, 0)?),
        (1, true) => {
            let splits = cx.in_type(node, cx.input_of(node, 0)?, DType::Int64)?;
            let values = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
            cx.set(node.into(), Value::Rows(Rows { values, splits }));
            Ok(())
        }
        _ => Err(refused(node)),
    }
}

/// The ragged tensor of the elements of a list, or an element as a tensor.
pub fn from_variant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let variant = cx.input_of(node, 0)?;
    let values = node.output(node.outputs.len().saturating_sub(1));
    if cx.dtype(variant) != cx.dtype(values) {
        let [is, wanted] = [variant, values].map(|tensor| cx.dtype(tensor));
        return Err(node.error(format!("it reads elements of {wanted}, and they are of {is}")));
    }
    match (ragged_rank(&node, "output_ragged_rank"), cx.rows(variant).cloned()) {
        (0, None) => cx.alias(values, variant),
        (1, Some(Rows { values: name, splits })) => {
            let layout = Layout::tensorflow_of(cx.shape(values));
            cx.set(values, Value::Computed { name, layout });
            let layout = Layout::tensorflow(1);
            match cx.dtype(node.into()) {
                DType::Int64 => cx.set(node.into(), Value::Computed { name: splits, layout }),
                _ => cx.emit_cast(node, splits, layout),
            }
            Ok(())
        }
        _ => Err(refused(node)),
    }
}

fn refused(node: NodeRef<'_>) -> Error {
    node.error("only ragged tensors with one ragged axis can be elements of lists, as rows")
        .advice("choose outputs before it, or inputs after it")
}

/// As many elements without values as are reserved. `written` is the type of the list after the first write.
pub fn reserve(cx: &mut Lowering<'_>, node: NodeRef<'_>, written: &TensorType) -> Result<()> {
    let count = vector_of(cx, node, 1)?;
    none_written(cx, node, written, count)
}

/// So many elements without values, a vector of one number.
pub fn none_written(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    written: &TensorType,
    count: String,
) -> Result<()> {
    let dims = written.shape.dims().unwrap_or_default();
    let inner: Vec<i64> = dims.iter().skip(2).map(|dim| dim.map_or(1, |dim| dim as i64)).collect();
    let zero = zero(cx, node, written.dtype)?;
    let mut steps = Steps { cx, node };
    let (shape, one, none) = (steps.ints(&[&[0], &inner[..]].concat()), steps.ints(&[1]), steps.int(0));
    let values = steps.op("Expand", &[&zero, &shape]);
    let count = steps.op("Add", &[&count, &one]);
    let splits = steps.op("Expand", &[&none, &count]);
    cx.set(node.into(), Value::Rows(Rows { values, splits }));
    Ok(())
}

/// Where an element begins and ends; its index is a vector of one number.
fn bounds(steps: &mut Steps<'_, '_, '_>, splits: &String, index: &String) -> [String; 2] {
    let one = steps.ints(&[1]);
    let next = steps.op("Add", &[index, &one]);
    [index, &next].map(|place| steps.op("Gather", &[splits, place]))
}

/// Where the elements begin in a list that has an element at this index: without values if it was too short.
fn grown_to(steps: &mut Steps<'_, '_, '_>, rows: &Rows, index: &String) -> String {
    let (one, none) = (steps.ints(&[1]), steps.ints(&[0]));
    let needed = steps.op("Add", &[index, &one]);
    let count = length(steps, rows);
    let more = steps.op("Sub", &[&needed, &count]);
    let more = steps.op("Max", &[&more, &none]);
    let last = steps.part(&rows.splits, 0, -1, i64::MAX);
    let added = steps.op("Expand", &[&last, &more]);
    steps.op_with("Concat", &[&rows.splits, &added], "axis", 0)
}

/// The values of a list with the axes of another element behind their first one. Before the first element is written, there are no
/// values, and these have any shape; after it, values of another shape cannot be joined.
fn values_like(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: &Rows, item: &String) -> Result<String> {
    let list = cx.shape(cx.input_of(node, 0)?);
    if list.dims().is_some_and(|dims| dims.iter().skip(2).all(Option::is_some)) {
        return Ok(rows.values.clone());
    }
    let has_rank = list.rank().is_some();
    let mut steps = Steps { cx, node };
    if steps.cx.opset() < ALLOWS_ZERO {
        return Ok(stretched(&mut steps, &rows.values, item, has_rank));
    }
    let (count, inner) = (steps.length(&rows.values, 0), elements_shape(steps.cx, node, item));
    let shape = steps.op_with("Concat", &[&count, &inner], "axis", 0);
    Ok(cx.reshaped(node, "values", rows.values.clone(), shape))
}

/// The element at an index.
pub fn get_item(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: &Rows) -> Result<()> {
    let index = vector_of(cx, node, 1)?;
    let mut steps = Steps { cx, node };
    let [start, end] = bounds(&mut steps, &rows.splits, &index);
    let first = steps.ints(&[0]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![rows.values.clone(), start, end, first], layout, vec![]);
    Ok(())
}

/// The list with another element at an index.
pub fn set_item(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: &Rows) -> Result<()> {
    let item: TensorRef = cx.input_of(node, 2)?;
    if cx.shape(item).rank() == Some(0) {
        return Err(refused(node));
    }
    let (item, index) = (cx.in_tensorflow_layout(item)?, vector_of(cx, node, 1)?);
    let values = values_like(cx, node, rows, &item)?;
    let mut steps = Steps { cx, node };
    let splits = match node.bool("resize_if_index_out_of_bounds", false) {
        true => grown_to(&mut steps, rows, &index),
        false => rows.splits.clone(),
    };
    let [start, end] = bounds(&mut steps, &splits, &index);
    let (none, all) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let before = steps.op("Slice", &[&values, &none, &start, &none]);
    let after = steps.op("Slice", &[&values, &end, &all, &none]);
    let values = steps.op_with("Concat", &[&before, &item, &after], "axis", 0);
    // The elements behind it move by as much as the new one is longer.
    let (new, old) = (steps.length(&item, 0), steps.op("Sub", &[&end, &start]));
    let more = steps.op("Sub", &[&new, &old]);
    let count = steps.op("Shape", &[&splits]);
    let places = steps.positions(&count);
    let is_behind = steps.op("Greater", &[&places, &index]);
    let moved = steps.op("Where", &[&is_behind, &more, &none]);
    let splits = steps.op("Add", &[&splits, &moved]);
    cx.set(node.into(), Value::Rows(Rows { values, splits }));
    Ok(())
}

/// The list with another element after the last one.
pub fn push_back(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: &Rows) -> Result<()> {
    let item = cx.input_of(node, 1)?;
    if cx.shape(item).rank() == Some(0) {
        return Err(refused(node));
    }
    let item = cx.in_tensorflow_layout(item)?;
    let values = values_like(cx, node, rows, &item)?;
    let mut steps = Steps { cx, node };
    let values = steps.op_with("Concat", &[&values, &item], "axis", 0);
    let end = steps.length(&values, 0);
    let splits = steps.op_with("Concat", &[&rows.splits, &end], "axis", 0);
    cx.set(node.into(), Value::Rows(Rows { values, splits }));
    Ok(())
}

/// The list without its last element, and that element.
pub fn pop_back(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: &Rows) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (none, all) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let splits = steps.part(&rows.splits, 0, 0, -1);
    let start = steps.part(&splits, 0, -1, i64::MAX);
    let values = steps.op("Slice", &[&rows.values, &none, &start, &none]);
    let last = node.output(1);
    let layout = Layout::tensorflow_of(steps.cx.shape(last));
    cx.emit(last, "Slice", vec![rows.values.clone(), start, all, none], layout, vec![]);
    cx.set(node.into(), Value::Rows(Rows { values, splits }));
    Ok(())
}

/// The elements at several indices.
pub fn gather(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: &Rows) -> Result<()> {
    let indices = cx.in_type(node, cx.input_of(node, 1)?, DType::Int64)?;
    let selected = rows_at(cx, node, rows, &indices);
    cx.set(node.into(), Value::Rows(selected));
    Ok(())
}

/// The number of elements, as a vector of one number.
pub fn length(steps: &mut Steps<'_, '_, '_>, rows: &Rows) -> String {
    let (count, one) = (steps.op("Shape", &[&rows.splits]), steps.ints(&[1]));
    steps.op("Sub", &[&count, &one])
}
