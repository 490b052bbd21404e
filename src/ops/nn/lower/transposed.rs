//! Transposed convolutions.
//!
//! Sources: `tf.nn.conv2d_transpose` and `tf.nn.conv3d_transpose` in TensorFlow's API documentation; ConvTranspose in
//! <https://onnx.ai/onnx/operators/onnx__ConvTranspose.html>.

use crate::error::Result;
use crate::graph::window::Window;
use crate::graph::{NodeRef, Padding, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::nn::lower::open_transposed;
use crate::ops::nn::{Filters, SizeOf};
use crate::tensor::DType;

/// A transposed convolution. It computes all elements that the windows cover. The padding of the convolution is then cut
/// off; elements that no window covers are added as zeros.
pub fn transposed_convolution(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    size_of: SizeOf,
    filters: Filters,
) -> Result<()> {
    let [sizes, filter, input] = [0, 1, 2].map(|index| cx.input_of(node, index));
    let (sizes, filter, input) = (sizes?, filter?, input?);
    // The filter has the rank of the images or volumes, and so has the result.
    let rank = cx.shape(input).rank().or(cx.shape(node.into()).rank()).unwrap_or(4);
    let spatial = rank.saturating_sub(2);
    // TensorFlow's filter is that of the convolution: spatial axes, the result's channels, the input's.
    let filter_shape = cx.shape(filter).clone();
    let kernel: Option<Vec<usize>> = (0..spatial).map(|axis| filter_shape.dim(axis)).collect();
    let (filter, groups) = match filters {
        Filters::Full => {
            let perm: Vec<usize> = [rank - 1, rank - 2].into_iter().chain(0..spatial).collect();
            let filter = match cx.constant(filter).cloned() {
                Some(constant) => cx.derived_initializer(filter, constant.permuted(&perm)?, &perm)?,
                None => cx.in_layout(filter, &Layout::of_axes(perm)?)?,
            };
            (filter, 1)
        }
        Filters::Depthwise => {
            let of_result = cx.shape(node.into()).dim(node.data_format().channel_axis(4));
            let Some(channels) = filter_shape.dim(2).or(of_result) else {
                return open_transposed::depthwise_convolution(cx, node);
            };
            (depthwise_filter(cx, node, filter)?, channels as i64)
        }
    };
    let format = node.data_format();
    let layout = Lowering::window_layout(format, rank);
    let first = format.first_spatial_axis();
    let (strides, dilations) = (node.spatial_sizes("strides", rank)?, node.spatial_sizes("dilations", rank)?);
    let name = cx.in_layout(input, &layout)?;
    let ints = |values: &[i64]| Attribute::Ints(values.to_vec());
    let as_i64 = |values: &[usize]| Attribute::Ints(values.iter().map(|&value| value as i64).collect());
    let mut attributes = vec![("strides", as_i64(&strides))];
    attributes.extend(kernel.as_ref().map(|kernel| ("kernel_shape", as_i64(kernel))));
    if dilations.iter().any(|&dilation| dilation != 1) {
        attributes.push(("dilations", as_i64(&dilations)));
    }
    if groups != 1 {
        attributes.push(("group", Attribute::Int(groups)));
    }
    let padding = node.padding()?;
    let known: Option<Vec<(usize, usize)>> = (0..spatial)
        .map(|axis| cx.shape(input).dim(first + axis).zip(cx.shape(node.into()).dim(first + axis)))
        .collect();
    let inputs = vec![name, filter];
    if let (Some(lengths), Some(kernel)) = (known, kernel) {
        let (mut begins, mut ends, mut added) = (vec![], vec![], vec![]);
        for (axis, &(length, result)) in lengths.iter().enumerate() {
            let window = Window { size: kernel[axis], stride: strides[axis], dilation: dilations[axis] };
            let covered =
                length.saturating_sub(1).saturating_mul(window.stride).saturating_add(window.extent());
            let Ok(covered) = i64::try_from(covered) else {
                return Err(node.error("its windows cover more elements than a tensor has"));
            };
            let cut = covered - result as i64;
            let (begin, end) = match &padding {
                Padding::Same if cut > 0 => (cut / 2, cut - cut / 2),
                Padding::Explicit(pads) => pads.get(axis).map_or((0, 0), |&(a, b)| (a as i64, b as i64)),
                _ => (0, 0),
            };
            begins.push(begin);
            ends.push(end);
            added.push((begin + end - cut).max(0));
        }
        if begins.iter().chain(&ends).any(|&pad| pad != 0) {
            attributes.push(("pads", ints(&[begins, ends].concat())));
        }
        if added.iter().any(|&pad| pad != 0) {
            attributes.push(("output_padding", ints(&added)));
        }
        cx.emit(node, "ConvTranspose", inputs, layout, attributes);
        return Ok(());
    }
    // The size of the result is known when the model runs: it is cut out of the elements that the windows cover. Behind
    // these, there may be up to `stride - 1` zeros.
    let added: Vec<i64> = strides.iter().map(|&stride| stride as i64 - 1).collect();
    if added.iter().any(|&pad| pad != 0) {
        attributes.push(("output_padding", ints(&added)));
    }
    let full = cx.step(node, "full", "ConvTranspose", inputs, attributes);
    // They are given for all axes, or for the spatial ones alone.
    let first_size =
        if size_of == SizeOf::Vector && cx.shape(sizes).dim(0) == Some(spatial) { 0 } else { first };
    let sizes = cx.in_tensorflow_layout(sizes)?;
    let sizes = match size_of {
        SizeOf::Vector => cx.cast(node, sizes, DType::Int64),
        SizeOf::Tensor => cx.step(node, "sizes", "Shape", vec![sizes], vec![]),
    };
    let positions: Vec<i64> = (0..spatial).map(|axis| (first_size + axis) as i64).collect();
    let positions = cx.vector(node, "places", &positions);
    let lengths = cx.step(node, "lengths", "Gather", vec![sizes, positions], vec![]);
    let axes: Vec<i64> = (2..rank as i64).collect();
    let axes = cx.vector(node, "axes", &axes);
    let starts = match &padding {
        Padding::Same => {
            // Half of the elements, rounded down, are cut off in front.
            let shape = cx.step(node, "shape", "Shape", vec![full.clone()], vec![]);
            let reached = cx.step(node, "reached", "Gather", vec![shape, axes.clone()], vec![]);
            let more: Vec<i64> = added.iter().map(|&pad| -pad).collect();
            let more = cx.vector(node, "less", &more);
            let reached = cx.step(node, "reached", "Add", vec![reached, more], vec![]);
            let cut = cx.step(node, "cut", "Sub", vec![reached, lengths.clone()], vec![]);
            let (zero, two) = (cx.vector(node, "zero", &[0]), cx.vector(node, "two", &[2]));
            let cut = cx.step(node, "cut", "Max", vec![cut, zero], vec![]);
            cx.step(node, "starts", "Div", vec![cut, two], vec![])
        }
        Padding::Explicit(pads) => {
            let begins: Vec<i64> =
                (0..spatial).map(|axis| pads.get(axis).map_or(0, |&(begin, _)| begin as i64)).collect();
            cx.vector(node, "starts", &begins)
        }
        Padding::Valid => cx.vector(node, "starts", &vec![0; spatial]),
    };
    let ends = cx.step(node, "ends", "Add", vec![starts.clone(), lengths], vec![]);
    cx.emit(node, "Slice", vec![full, starts, ends, axes], layout, vec![]);
    Ok(())
}

/// The filter of a depthwise convolution, `[rows, columns, channels, multiplier]`, with a group for each channel: ONNX's is
/// `[channels * multiplier, 1, rows, columns]`.
fn depthwise_filter(cx: &mut Lowering<'_>, node: NodeRef<'_>, filter: TensorRef) -> Result<String> {
    match cx.constant(filter).cloned() {
        Some(constant) => {
            let &[rows, columns, channels, multiplier] = constant.shape() else {
                return Err(node.error("its filter does not have four axes"));
            };
            let perm = [2, 3, 0, 1];
            let shape = [channels * multiplier, 1, rows, columns];
            cx.derived_initializer(filter, constant.permuted(&perm)?.reshaped(&shape)?, &perm)
        }
        None => grouped_filter(cx, node, filter),
    }
}

/// A depthwise filter that is known when the model runs, as ONNX has it.
pub fn grouped_filter(cx: &mut Lowering<'_>, node: NodeRef<'_>, filter: TensorRef) -> Result<String> {
    let name = cx.in_layout(filter, &Layout::of_axes(vec![2, 3, 0, 1])?)?;
    let mut steps = Steps { cx, node };
    let lengths = steps.op("Shape", &[&name]);
    let (single, spatial) = (steps.ints(&[-1, 1]), steps.part(&lengths, 0, 2, 4));
    let target = steps.op_with("Concat", &[&single, &spatial], "axis", 0);
    Ok(steps.op("Reshape", &[&name, &target]))
}
