//! New lists of tensors.
//!
//! What is not known of their elements' shape is as `elements` says.
//!
//! Sources: `TensorListReserve` and `EmptyTensorList` in `tensorflow/core/ops/list_ops.cc`; Expand in
//! <https://onnx.ai/onnx/operators/>.

use std::sync::Arc;

use super::kept_as::with_parts;
use super::lower::vector_of;
use super::rows;
use crate::error::Result;
use crate::graph::{NodeRef, Shape, TensorRef, TensorType};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType, Fill, Inline};

/// The most nodes that are followed to find the elements that are written to a list.
const MAX_STEPS: usize = 16;

/// A list without elements.
pub fn empty(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match with_parts(cx, node.into()) {
        Some(written) => {
            let none = cx.vector(node, "none", &[0]);
            rows::none_written(cx, node, &written, none)
        }
        None => zeros(cx, node, Some(0)),
    }
}

/// Zeros, as many as are reserved.
pub fn reserve(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if cx.dtype(node.into()) == DType::Variant {
        return match written(cx, node.into(), MAX_STEPS) {
            Some(written) if written.dtype != DType::Variant => rows::reserve(cx, node, &written),
            _ => {
                let error = node.error("the type of what is written to the list is not known");
                Err(error.advice("choose outputs before it, or inputs after it"))
            }
        };
    }
    if let Some(written) = with_parts(cx, node.into()) {
        return rows::reserve(cx, node, &written);
    }
    let count = cx.known_integers(node, 1)?.and_then(|count| count.first().copied());
    zeros(cx, node, count)
}

/// A list of so many zeros, or as many as the second input says.
fn zeros(cx: &mut Lowering<'_>, node: NodeRef<'_>, count: Option<i64>) -> Result<()> {
    let list = TensorRef::from(node);
    let written = written(cx, list, MAX_STEPS).map_or(Shape::UNKNOWN, |written| written.shape);
    let elements: Vec<i64> = written
        .dims()
        .unwrap_or_default()
        .iter()
        .skip(1)
        .map(|dim| dim.map_or(1, |dim| dim as i64))
        .collect();
    let shape = match count {
        Some(count) => cx.vector(node, "shape", &[&[count], &elements[..]].concat()),
        None => {
            let count = vector_of(cx, node, 1)?;
            let elements = cx.vector(node, "element_shape", &elements);
            cx.step(node, "shape", "Concat", vec![count, elements], vec![("axis", Attribute::Int(0))])
        }
    };
    let zero = zero(cx, node, cx.dtype(list))?;
    let layout = Layout::tensorflow_of(&written);
    cx.emit(node, "Expand", vec![zero, shape], layout, vec![]);
    Ok(())
}

/// The type of a list. If its shape is not known, the type after the first write to it.
fn written(cx: &Lowering<'_>, list: TensorRef, steps: usize) -> Option<TensorType> {
    let known = cx.graph.tensor_type(list);
    let shape = &known.shape;
    let is_known = shape.dims().is_some_and(|dims| dims.iter().skip(1).all(Option::is_some));
    let steps = steps.checked_sub(1)?;
    let after = || {
        let outputs = cx.readers(list).filter_map(|(id, reader)| {
            let index = reader.inputs.iter().position(|&input| input == list)?;
            match reader.op.as_str() {
                "While" | "StatelessWhile" => Some(TensorRef { node: id, port: index }),
                "Identity"
                | "TensorListSetItem"
                | "TensorListPushBack"
                | "TensorListResize"
                | "TensorListScatterIntoExistingList"
                    if index == 0 =>
                {
                    Some(id.into())
                }
                _ => None,
            }
        });
        let found: Vec<TensorType> = outputs.filter_map(|output| written(cx, output, steps)).collect();
        let with_rank = found.iter().find(|written| written.shape.rank().is_some());
        with_rank.or(found.first()).cloned()
    };
    match shape.rank() {
        _ if is_known => Some(known.clone()),
        Some(rank) => {
            after().filter(|after| after.shape.rank() == Some(rank)).or_else(|| Some(known.clone()))
        }
        None => after().or_else(|| Some(known.clone())),
    }
}

/// A scalar 0 of this type, or an empty string.
pub fn zero(cx: &mut Lowering<'_>, node: NodeRef<'_>, dtype: DType) -> Result<String> {
    let value = match dtype.size() {
        Some(size) => Constant::new(dtype, vec![], Arc::new(Fill::uniform(vec![0; size], 1))),
        None if dtype == DType::String => {
            Constant::new(dtype, vec![], Arc::new(Inline::Strings(vec![vec![]])))
        }
        None => return Err(node.error(format!("ONNX has no lists of {dtype}"))),
    };
    Ok(cx.initializer(&format!("zero_{dtype}"), value, &[]))
}
