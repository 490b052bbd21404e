//! Ops that make a tensor larger, in whatever layout it is stored.
//!
//! Sources: `tf.pad` and `tf.tile` in TensorFlow's API documentation; Pad and Tile in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::{Attribute, Attributes};
use crate::ops::array::lower::coordinates;
use crate::tensor::DType;

/// A constant around a tensor. TensorFlow has a pair for each axis; ONNX has the lengths before all axes, then those after.
pub fn pad(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if cx.shape(input).rank() == Some(0) {
        return cx.alias(node.into(), input);
    }
    let value = match node.inputs.get(2) {
        Some(&value) => Some(cx.in_tensorflow_layout(value)?),
        None => None,
    };
    emit_pad(cx, node, value, vec![])
}

/// The lengths before all axes, then those after them, of paddings that are known when the model runs.
pub fn open_pads(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<String> {
    let pads = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let pads = cx.cast(node, pads, DType::Int64);
    let perm = vec![("perm", Attribute::Ints(vec![1, 0]))];
    let pads = cx.step(node, "before_after", "Transpose", vec![pads], perm);
    let flat = cx.vector(node, "flat", &[-1]);
    Ok(cx.step(node, "pads", "Reshape", vec![pads, flat], vec![]))
}

/// The Pad of a node's first input by its second one.
fn emit_pad(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    value: Option<String>,
    attributes: Attributes,
) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let known = cx.known_integers(node, 1)?;
    let (name, layout, pads) = match (known, cx.shape(input).rank()) {
        (Some(pads), Some(_)) => {
            let (name, layout) = cx.stored(input)?;
            let pads = stored_pads(node, &layout, &pads)?;
            let (before, after): (Vec<i64>, Vec<i64>) =
                pads.into_iter().map(|[before, after]| (before, after)).unzip();
            (name, layout, cx.vector(node, "pads", &[before, after].concat()))
        }
        _ => {
            let (name, pads) = (cx.in_tensorflow_layout(input)?, open_pads(cx, node)?);
            (name, Layout::tensorflow_of(cx.shape(node.into())), pads)
        }
    };
    let inputs = [name, pads].into_iter().chain(value).collect();
    cx.emit(node, "Pad", inputs, layout, attributes);
    Ok(())
}

/// The pairs of a padding, for the axes in the order in which they are stored.
fn stored_pads(node: NodeRef<'_>, layout: &Layout, pads: &[i64]) -> Result<Vec<[i64; 2]>> {
    let (pairs, []) = pads.as_chunks::<2>() else { return Err(node.error("its paddings are not pairs")) };
    if pairs.len() != layout.axes().len() {
        return Err(node.error("its paddings are not a pair for each axis"));
    }
    Ok(layout.stored(pairs))
}

/// A tensor's own elements around it: without its border (`REFLECT`), which ONNX has, or with it (`SYMMETRIC`), which is
/// put together of the reversed ends.
pub fn mirror_pad(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if cx.shape(input).rank() == Some(0) {
        return cx.alias(node.into(), input);
    }
    if node.text("mode") == Some("REFLECT") {
        return emit_pad(cx, node, None, vec![("mode", Attribute::Text("reflect".to_owned()))]);
    }
    let (Some(pads), Some(_)) = (cx.known_integers(node, 1)?, cx.shape(input).rank()) else {
        return coordinates::mirror_pad(cx, node);
    };
    let (mut name, layout) = cx.stored(input)?;
    let pads = stored_pads(node, &layout, &pads)?;
    for (axis, [before, after]) in pads.into_iter().enumerate() {
        if (before, after) == (0, 0) {
            continue;
        }
        let end = |cx: &mut Lowering<'_>, what: &str, name: &str, [start, stop]: [i64; 2]| {
            let inputs = vec![
                name.to_owned(),
                cx.vector(node, &format!("{what}_start_{axis}"), &[start]),
                cx.vector(node, &format!("{what}_stop_{axis}"), &[stop]),
                cx.vector(node, &format!("axis_{axis}"), &[axis as i64]),
                cx.vector(node, "backwards", &[-1]),
            ];
            cx.step(node, what, "Slice", inputs, vec![])
        };
        let mut parts = vec![];
        if before > 0 {
            parts.push(end(cx, "front", &name, [before - 1, i64::MIN]));
        }
        parts.push(name.clone());
        if after > 0 {
            parts.push(end(cx, "back", &name, [-1, -1 - after]));
        }
        name = cx.step(node, "mirrored", "Concat", parts, vec![("axis", Attribute::Int(axis as i64))]);
    }
    cx.emit(node, "Identity", vec![name], layout, vec![]);
    Ok(())
}

/// A tensor repeated along each axis.
pub fn tile(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (Some(multiples), Some(_)) = (cx.known_integers(node, 1)?, cx.shape(input).rank()) else {
        let name = cx.in_tensorflow_layout(input)?;
        let repeats = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
        let repeats = cx.cast(node, repeats, DType::Int64);
        let layout = Layout::tensorflow_of(cx.shape(node.into()));
        cx.emit(node, "Tile", vec![name, repeats], layout, vec![]);
        return Ok(());
    };
    let (name, layout) = cx.stored(input)?;
    if multiples.len() != layout.axes().len() {
        return Err(node.error("its multiples are not one for each axis"));
    }
    let repeats = cx.vector(node, "repeats", &layout.stored(&multiples));
    cx.emit(node, "Tile", vec![name, repeats], layout, vec![]);
    Ok(())
}
