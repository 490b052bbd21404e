//! Ops that compute with shapes, axes and indices.
//!
//! Sources: `tf.broadcast_dynamic_shape`, `tf.shape_n` and `tf.unravel_index` in TensorFlow's API documentation, the descriptions of
//! `ConcatOffset`, `DataFormatDimMap` and `DataFormatVecPermute` in `tensorflow/core/ops/{array,nn}_ops.cc`, and
//! `tensorflow/core/kernels/data_format_ops.cc`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::reshaped;
use crate::ops::array::lower::basic::shape_of;
use crate::ops::array::lower::coordinates::open_strides;
use crate::tensor::DType;

/// The shape of tensors of two shapes that are combined: the lengths of the longer one at axes where the other has 1 or ends.
pub fn broadcast_args(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let (first, second) = (steps.input(0)?, steps.input(1)?);
    let one = steps.number(dtype, 1.0);
    let (sizes, none) = ([&first, &second].map(|shape| steps.op("Shape", &[shape])), steps.ints(&[0]));
    let mut extended = |shape: &String, own: &String, other: &String| {
        let missing = steps.op("Sub", &[other, own]);
        let missing = steps.op("Max", &[&missing, &none]);
        let ones = steps.op("Expand", &[&one, &missing]);
        steps.op_with("Concat", &[&ones, shape], "axis", 0)
    };
    let (a, b) = (extended(&first, &sizes[0], &sizes[1]), extended(&second, &sizes[1], &sizes[0]));
    let is_one = steps.op("Equal", &[&a, &one]);
    let result = steps.op("Where", &[&is_one, &b, &a]);
    steps.set_output(0, result, dtype);
    Ok(())
}

/// Where each tensor begins in a concatenation: at the sum of the lengths before it along the axis, and at 0 along others.
pub fn concat_offset(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let axis = steps.input_as(0, DType::Int64)?;
    let shape = steps.input(1)?;
    let rank = steps.op("Size", &[&shape]);
    // ONNX's Mod of integers has the sign of the divisor.
    let axis = steps.op("Mod", &[&axis, &rank]);
    let axes = steps.numbers_below(&rank);
    let is_axis = steps.op("Equal", &[&axes, &axis]);
    let zero = steps.number(dtype, 0.0);
    let mut sum = steps.op("Mul", &[&shape, &zero]);
    for port in 0..node.outputs.len() {
        let offset = steps.op("Where", &[&is_axis, &sum, &zero]);
        steps.set_output(port, offset, dtype);
        if port + 1 < node.outputs.len() {
            let shape = steps.input(port + 1)?;
            sum = steps.op("Add", &[&sum, &shape]);
        }
    }
    Ok(())
}

/// The names of the axes in `src_format` and `dst_format`.
fn formats(node: NodeRef<'_>) -> Result<[Vec<u8>; 2]> {
    let format = |name, default: &str| node.text(name).unwrap_or(default).as_bytes().to_vec();
    let [source, target] = [format("src_format", "NHWC"), format("dst_format", "NCHW")];
    let is_in = |axis: &u8| target.contains(axis);
    if source.len() != target.len() || !source.iter().all(is_in) {
        return Err(node.error("its formats do not have the same axes"));
    }
    Ok([source, target])
}

/// Where each axis of the one format is in the other.
fn positions(of: &[u8], within: &[u8]) -> Vec<i64> {
    let position = |axis: &u8| within.iter().position(|other| other == axis).unwrap_or(0) as i64;
    of.iter().map(position).collect()
}

/// The number that axes have in another format.
pub fn data_format_dim_map(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [source, target] = formats(node)?;
    let dtype = cx.dtype(node.into());
    let table = positions(&source, &target);
    let mut steps = Steps { cx, node };
    let axes = steps.input(0)?;
    let rank = steps.number(dtype, table.len() as f64);
    let axes = steps.op("Mod", &[&axes, &rank]);
    let table = steps.ints(&table);
    let result = steps.op("Gather", &[&table, &axes]);
    steps.set_output(0, result, DType::Int64);
    Ok(())
}

/// A vector with one number for each axis, or rows of two, in the order of another format. There may be as many as spatial axes.
pub fn data_format_vec_permute(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [source, target] = formats(node)?;
    let spatial = [&source, &target]
        .map(|format| format.iter().copied().filter(|axis| !b"NC".contains(axis)).collect::<Vec<u8>>());
    let of_all = positions(&target, &source);
    let of_spatial = positions(&spatial[1], &spatial[0]);
    let known = cx.shape(cx.input_of(node, 0)?).dim(0);
    let mut steps = Steps { cx, node };
    let name = steps.input(0)?;
    let order = match known {
        Some(count) if count == of_all.len() => steps.ints(&of_all),
        Some(count) if count == of_spatial.len() => steps.ints(&of_spatial),
        Some(count) => {
            return Err(node.error(format!("its input has {count} rows for {} axes", source.len())));
        }
        None => {
            // As many of either order as there are rows.
            let count = steps.length(&name, 0);
            let (first, whole) = (steps.ints(&[0]), steps.ints(&[of_all.len() as i64]));
            let has_all = steps.op("Equal", &[&count, &whole]);
            let longer = [&of_spatial[..], &[0, 0]].concat();
            let (all, spatial) = (steps.ints(&of_all), steps.ints(&longer));
            let order = steps.op("Where", &[&has_all, &all, &spatial]);
            steps.op("Slice", &[&order, &first, &count, &first])
        }
    };
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    steps.cx.emit(node, "Gather", vec![name, order], layout, vec![]);
    Ok(())
}

/// The shape of each input.
pub fn shape_n(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    (0..node.inputs.len()).try_for_each(|port| shape_of(cx, node, cx.input_of(node, port)?, port))
}

/// The coordinates of positions in a tensor of a shape, a column each.
pub fn unravel_index(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let indices = cx.input_of(node, 0)?;
    let rank = cx.shape(indices).rank();
    let is_scalar = rank == Some(0);
    let known = cx.known_integers(node, 1)?;
    let mut steps = Steps { cx, node };
    let lengths = steps.input_as(1, DType::Int64)?;
    let strides = match known {
        Some(known) => {
            let mut strides = vec![1i64; known.len()];
            for axis in (1..known.len()).rev() {
                strides[axis - 1] = strides[axis].wrapping_mul(known[axis]);
            }
            steps.ints(&strides)
        }
        None => open_strides(&mut steps, &lengths),
    };
    let positions = if is_scalar { steps.input_as(0, DType::Int64)? } else { steps.integers(0)? };
    let (mut strides, mut lengths) = (strides, lengths);
    if !is_scalar {
        let column = steps.ints(&[1]);
        [strides, lengths] = [strides, lengths].map(|vector| steps.op("Unsqueeze", &[&vector, &column]));
    }
    let whole = steps.op("Div", &[&positions, &strides]);
    let mut coordinates = steps.op("Mod", &[&whole, &lengths]);
    if rank.is_none() {
        // Of a scalar, the column is a vector.
        let indices = steps.input_as(0, DType::Int64)?;
        let (axes, columns) = (steps.length(&lengths, 0), steps.op("Shape", &[&indices]));
        let shape = steps.op_with("Concat", &[&axes, &columns], "axis", 0);
        coordinates = reshaped(&mut steps, &coordinates, &shape);
    }
    steps.set_output(0, coordinates, DType::Int64);
    Ok(())
}
