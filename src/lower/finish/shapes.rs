//! Operators that move elements, by those of older sets.

use super::writer::{Writer, branch};
use crate::error::Result;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType, Inline};

/// A constant of a type: zero, or no text.
pub(super) fn zero(w: &mut Writer<'_, '_, '_>, dtype: DType) -> String {
    let value = match dtype {
        DType::String => Constant::new(dtype, vec![], std::sync::Arc::new(Inline::Strings(vec![vec![]]))),
        _ => Constant::scalar(dtype, 0.0),
    };
    w.constant(&format!("zero_{dtype}"), value)
}

/// A Reshape in which a length of 0 means 0. Before set 14, it means the length of the input; so where there is one, the result, which
/// has no elements, is made without the input.
pub(super) fn reshape(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (value, shape) = (w.input(0), w.input(1));
    let dtype = w.dtype(&value)?;
    if let Some(lengths) = w.finish.known_ints(&shape) {
        if !lengths.contains(&0) {
            return w.emit("Reshape", &[&value, &shape], vec![]);
        }
        let zero = zero(w, dtype);
        return w.emit("Expand", &[&zero, &shape], vec![]);
    }
    // Of a constant, ONNX Runtime would compute both branches when it loads the model.
    match w.finish.known_len(&value) {
        Some(0) => {
            let zero = zero(w, dtype);
            return w.emit("Expand", &[&zero, &shape], vec![]);
        }
        Some(_) => return w.emit("Reshape", &[&value, &shape], vec![]),
        // And where it does not know the value before, it would return memory that it has freed.
        None if w.finish.is_constant(&value) => return w.emit("Reshape", &[&value, &shape], vec![]),
        None => {}
    }
    let is_length = w.cast(&shape, DType::Bool)?;
    let is_length = w.cast(&is_length, DType::Int64)?;
    let product = w.op_with("ReduceProd", &[&is_length], vec![("keepdims", Attribute::Int(0))])?;
    let has_elements = w.cast(&product, DType::Bool)?;
    let zero = zero(w, dtype);
    // Where the shape turns out to be a constant, ONNX Runtime computes the branch that is not taken as well, with a length of -1.
    let none = w.int(0);
    let lengths = w.op("Max", &[&shape, &none])?;
    let graph = |w: &mut Writer<'_, '_, '_>, op: &'static str, inputs: [&String; 2]| {
        let output = w.name(&op.to_lowercase());
        let node = w.unnamed(op, &inputs, vec![output.clone()], vec![]);
        branch(output, node, dtype)
    };
    let branches = vec![
        ("then_branch", Attribute::Graph(graph(w, "Reshape", [&value, &shape]))),
        ("else_branch", Attribute::Graph(graph(w, "Expand", [&zero, &lengths]))),
    ];
    w.emit("If", &[&has_elements], branches)
}

/// The elements on one side of a diagonal of matrices, and 0 on the other.
pub(super) fn triangle(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let value = w.input(0);
    let dtype = w.dtype(&value)?;
    let (zero_index, one) = (w.int(0), w.int(1));
    let shape = w.op("Shape", &[&value])?;
    let numbers = |w: &mut Writer<'_, '_, '_>, axis: i64| {
        let axis = w.int(axis);
        let length = w.op("Gather", &[&shape, &axis])?;
        w.op("Range", &[&zero_index, &length, &one])
    };
    let (rows, columns) = (numbers(w, -2)?, numbers(w, -1)?);
    let behind = w.ints(&[-1]);
    let rows = w.op("Unsqueeze", &[&rows, &behind])?;
    let mut diagonal = w.op("Sub", &[&columns, &rows])?;
    if !w.input(1).is_empty() {
        let k = w.input(1);
        diagonal = w.op("Sub", &[&diagonal, &k])?;
    }
    let order = if w.attribute("upper", 1) == 1 { "GreaterOrEqual" } else { "LessOrEqual" };
    let is_kept = w.op(order, &[&diagonal, &zero_index])?;
    let zero = zero(w, dtype);
    w.emit("Where", &[&is_kept, &value, &zero], vec![])
}

/// The parts of an axis whose sizes are known when the model runs.
pub(super) fn split(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (value, sizes, axis) = (w.input(0), w.input(1), w.attribute("axis", 0));
    let first = w.int(0);
    let axes = w.ints(&[axis]);
    let ends = w.op("CumSum", &[&sizes, &first])?;
    let starts = w.op("Sub", &[&ends, &sizes])?;
    for (index, output) in w.node.outputs.clone().into_iter().enumerate() {
        let (from, to) = (w.ints(&[index as i64]), w.ints(&[index as i64 + 1]));
        let (start, end) = (w.part(&starts, &from, &to)?, w.part(&ends, &from, &to)?);
        let slice = w.unnamed("Slice", &[&value, &start, &end, &axes], vec![output], vec![]);
        w.finish.push(slice)?;
    }
    Ok(())
}

/// Whether each of the axes from 0 up to a count, which is a vector of one number, is one of `axes`; as int64.
fn is_one_of(w: &mut Writer<'_, '_, '_>, count: &String, axes: &String) -> Result<String> {
    let (first, step, behind) = (w.int(0), w.int(1), w.ints(&[1]));
    let scalar = w.ints(&[]);
    let end = w.op("Reshape", &[count, &scalar])?;
    let numbers = w.op("Range", &[&first, &end, &step])?;
    let rows = w.op("Unsqueeze", &[&numbers, &behind])?;
    let axes = w.op("Mod", &[axes, count])?;
    let is_axis = w.op("Equal", &[&rows, &axes])?;
    let is_axis = w.cast(&is_axis, DType::Int64)?;
    w.op_with("ReduceSum", &[&is_axis, &behind], vec![("keepdims", Attribute::Int(0))])
}

/// Drops axes that are known when the model runs, by a Reshape.
pub(super) fn squeeze(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (value, axes) = (w.input(0), w.input(1));
    let shape = w.op("Shape", &[&value])?;
    let rank = w.op("Shape", &[&shape])?;
    let is_dropped = is_one_of(w, &rank, &axes)?;
    let is_dropped = w.cast(&is_dropped, DType::Bool)?;
    let is_kept = w.op("Not", &[&is_dropped])?;
    let shape = w.op("Compress", &[&shape, &is_kept])?;
    w.emit("Reshape", &[&value, &shape], vec![("allowzero", Attribute::Int(1))])
}

/// Adds axes that are known when the model runs, by a Reshape.
pub(super) fn unsqueeze(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (value, axes) = (w.input(0), w.input(1));
    let shape = w.op("Shape", &[&value])?;
    let (before, more) = (w.op("Shape", &[&shape])?, w.op("Shape", &[&axes])?);
    let rank = w.op("Add", &[&before, &more])?;
    let is_new = is_one_of(w, &rank, &axes)?;
    let is_new = w.cast(&is_new, DType::Bool)?;
    let is_old = w.op("Not", &[&is_new])?;
    let places = w.op("NonZero", &[&is_old])?;
    let flat = w.ints(&[-1]);
    let places = w.op("Reshape", &[&places, &flat])?;
    let one = w.int(1);
    let ones = w.op("Expand", &[&one, &rank])?;
    let shape = w.op("ScatterElements", &[&ones, &places, &shape])?;
    w.emit("Reshape", &[&value, &shape], vec![("allowzero", Attribute::Int(1))])
}
