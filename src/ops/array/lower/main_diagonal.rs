//! The diagonal of a tensor whose axes come twice, and such a tensor made of its diagonal; a few ops beside them.
//!
//! Sources: `tf.linalg.tensor_diag`, `tf.linalg.tensor_diag_part` and `tf.raw_ops.{Empty, ParallelConcat, Reverse, ToBool}` in TensorFlow's
//! API documentation.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::open_slice::slice_of_any_rank;
use crate::tensor::{Constant, DType};

/// A tensor with the axes of the input twice: the input where all indices are equal, and zeros elsewhere.
pub fn diag(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(node.into()));
    let mut steps = Steps { cx, node };
    let (name, flat) = (steps.input_as(0, computed)?, steps.ints(&[-1]));
    let shape = steps.op("Shape", &[&name]);
    let shape = steps.op_with("Concat", &[&shape, &shape], "axis", 0);
    let count = steps.op("Size", &[&name]);
    let elements = steps.op("Reshape", &[&name, &flat]);
    let rows = steps.numbers_below(&count);
    let column = steps.ints(&[1]);
    let columns = steps.op("Unsqueeze", &[&rows, &column]);
    let is_diagonal = steps.op("Equal", &[&rows, &columns]);
    let zero = steps.number(computed, 0.0);
    let matrix = steps.op("Where", &[&is_diagonal, &elements, &zero]);
    let result = steps.cx.reshaped(node, "diagonal", matrix, shape);
    steps.set_output(0, result, computed);
    Ok(())
}

/// Of a flattened tensor with n elements along each half of its axes, each (n + 1)-th is on the diagonal.
pub fn diag_part(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let (name, flat) = (steps.input(0)?, steps.ints(&[-1]));
    let shape = steps.op("Shape", &[&name]);
    let rank = steps.op("Shape", &[&shape]);
    let (two, one, zero) = (steps.int(2), steps.int(1), steps.ints(&[0]));
    let half = steps.op("Div", &[&rank, &two]);
    let shape = steps.op("Slice", &[&shape, &zero, &half]);
    let count = steps.reduce("ReduceProd", &shape, &[0], true);
    let distance = steps.op("Add", &[&count, &one]);
    let elements = steps.op("Reshape", &[&name, &flat]);
    let end = steps.ints(&[i64::MAX]);
    let diagonal = steps.op("Slice", &[&elements, &zero, &end, &zero, &distance]);
    let result = steps.cx.reshaped(node, "diagonal", diagonal, shape);
    steps.set_output(0, result, dtype);
    Ok(())
}

/// Reverses the axes for which the second input is true.
pub fn reverse(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let flags = cx.input_of(node, 1)?;
    let count = cx.shape(flags).dim(0).or(cx.shape(input).rank());
    if count == Some(0) {
        return cx.alias(node.into(), input);
    }
    let mut steps = Steps { cx, node };
    let (name, mut flags) = (steps.input(0)?, steps.input(1)?);
    if count.is_none() {
        let kept = Constant::from_bools(vec![1], &[false]);
        let kept = steps.cx.initializer(&format!("{}/kept", node.name), kept, &[]);
        flags = steps.op_with("Concat", &[&flags, &kept], "axis", 0);
    }
    let mut chosen = |reversed: i64, kept: i64| {
        let (reversed, kept) = (steps.int(reversed), steps.int(kept));
        steps.op("Where", &[&flags, &reversed, &kept])
    };
    let (starts, ends, strides) = (chosen(-1, 0), chosen(i64::MIN, i64::MAX), chosen(-1, 1));
    let Some(count) = count else {
        let rank = steps.op("Shape", &[&flags]);
        let axes = steps.positions(&rank);
        slice_of_any_rank(cx, node, &name, &[&starts, &ends, &axes, &strides]);
        return Ok(());
    };
    let axes = steps.ints(&(0..count as i64).collect::<Vec<i64>>());
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![name, starts, ends, axes, strides], layout, vec![]);
    Ok(())
}

/// Tensors with one row each, one after the other.
pub fn parallel_concat(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut steps = Steps { cx, node };
    let rows: Result<Vec<String>> = (0..node.inputs.len()).map(|index| steps.input(index)).collect();
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Concat", rows?, layout, vec![("axis", Attribute::Int(0))]);
    Ok(())
}

/// A tensor that may contain anything: zeros.
pub fn empty(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let (shape, zero) = (steps.input_as(0, DType::Int64)?, steps.number(dtype, 0.0));
    let zeros = steps.op("Expand", &[&zero, &shape]);
    steps.set_output(0, zeros, dtype);
    Ok(())
}

/// Whether a number is not zero, or whether another tensor than a scalar has elements.
pub fn to_bool(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let rank = cx.shape(input).rank();
    if cx.dtype(input) == DType::String && rank.is_none_or(|rank| rank == 0) {
        return Err(node.error("ONNX does not tell whether a text is empty"));
    }
    let mut steps = Steps { cx, node };
    let name = steps.input(0)?;
    let size = steps.op("Size", &[&name]);
    let none = steps.int(0);
    let has_any = steps.op("Greater", &[&size, &none]);
    let result = match rank {
        Some(0) => steps.cast(&name, DType::Bool),
        Some(_) => has_any,
        None => {
            let axes = steps.op("Shape", &[&name]);
            let axes = steps.op("Size", &[&axes]);
            let is_scalar = steps.op("Equal", &[&axes, &none]);
            let is_other = steps.op("Not", &[&is_scalar]);
            let flags = steps.cast(&name, DType::Bool);
            let flags = steps.cast(&flags, DType::Int64);
            let flat = steps.ints(&[-1]);
            let flags = steps.op("Reshape", &[&flags, &flat]);
            let sum = steps.reduce("ReduceSum", &flags, &[0], false);
            let is_set = steps.op("Greater", &[&sum, &none]);
            let (a, b) = (steps.op("And", &[&is_scalar, &is_set]), steps.op("And", &[&is_other, &has_any]));
            steps.op("Or", &[&a, &b])
        }
    };
    steps.set_output(0, result, DType::Bool);
    Ok(())
}
