//! Windows over images that are not sums: where the greatest element is, and the windows themselves.
//!
//! Sources: `tf.nn.max_pool_with_argmax` and `tf.image.extract_patches` in TensorFlow's API documentation; MaxPool and
//! Conv in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::window::Window;
use crate::graph::{NodeRef, Padding};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::onnx::Attribute;
use crate::ops::nn::lower::layers::window_pads;
use crate::tensor::{Constant, DType};

fn ints(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| value as i64).collect())
}

/// ONNX counts positions through batch, channels, rows and columns; TensorFlow through rows, columns and channels, and
/// through the batch where `include_batch_in_index` says so.
pub fn max_pool_with_argmax(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let layout = Layout::channels_first(4);
    let shape = cx.shape(input).clone();
    let [Some(rows), Some(columns), Some(channels)] = [1, 2, 3].map(|axis| shape.dim(axis)) else {
        return Err(node.error("the size of its images is not known").advice(cx.shape_advice(input)));
    };
    let name = cx.in_layout(input, &layout)?;
    let sizes = node.spatial_sizes("ksize", 4)?;
    let strides = node.spatial_sizes("strides", 4)?;
    let mut attributes = vec![("kernel_shape", ints(&sizes)), ("strides", ints(&strides))];
    let windows: Vec<Window> =
        (0..2).map(|axis| Window { size: sizes[axis], stride: strides[axis], dilation: 1 }).collect();
    attributes.extend(window_pads(cx, node, &node.padding()?, &windows, &[Some(rows), Some(columns)])?);
    let outputs = ("pool", ["pooled", "places"]);
    let [pooled, positions] = cx.step_with_outputs(node, outputs, "MaxPool", vec![name], attributes);
    cx.set(node.into(), Value::Computed { name: pooled, layout: layout.clone() });
    let number =
        |cx: &mut Lowering<'_>, what: &str, value: usize| cx.scalar(node, what, DType::Int64, value as f64);
    let area = number(cx, "area", rows * columns);
    let pixels = cx.step(node, "pixels", "Mod", vec![positions.clone(), area.clone()], vec![]);
    let depth = number(cx, "depth", channels);
    let pixels = cx.step(node, "pixel_places", "Mul", vec![pixels, depth.clone()], vec![]);
    let planes = cx.step(node, "planes", "Div", vec![positions, area], vec![]);
    let channel = cx.step(node, "channel", "Mod", vec![planes.clone(), depth.clone()], vec![]);
    let mut position = cx.step(node, "place", "Add", vec![pixels, channel], vec![]);
    if node.bool("include_batch_in_index", false) {
        let image = cx.step(node, "image", "Div", vec![planes, depth], vec![]);
        let size = number(cx, "size", rows * columns * channels);
        let before = cx.step(node, "before", "Mul", vec![image, size], vec![]);
        position = cx.step(node, "batch_place", "Add", vec![position, before], vec![]);
    }
    cx.emit_cast(node.output(1), position, layout);
    Ok(())
}

/// Each patch is a pixel of the result: a convolution with filters that pick one element of the window each.
pub fn extract_patches(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let layout = Layout::channels_first(4);
    let Some(channels) = cx.shape(input).dim(3) else {
        return Err(node.error("the number of its channels is not known").advice(cx.shape_advice(input)));
    };
    let [sizes, strides, rates] = ["ksizes", "strides", "rates"].map(|name| node.spatial_sizes(name, 4));
    let (sizes, strides, rates) = (sizes?, strides?, rates?);
    let patch = sizes[0] * sizes[1] * channels;
    if patch.checked_mul(patch).is_none_or(|elements| elements > 1 << 24) {
        return Err(node.error(format!("patches of {patch} elements are too large")));
    }
    // The element (row, column, channel) of the window goes to the channel at this position in the result.
    let mut filters = vec![0.0; patch * patch];
    for row in 0..sizes[0] {
        for column in 0..sizes[1] {
            for channel in 0..channels {
                let position = (row * sizes[1] + column) * channels + channel;
                filters[((position * channels + channel) * sizes[0] + row) * sizes[1] + column] = 1.0;
            }
        }
    }
    let filters = Constant::from_f32(vec![patch, channels, sizes[0], sizes[1]], &filters);
    let filters = cx.initializer(&format!("{}/filters", node.name), filters, &[]);
    let is_float = cx.dtype(input) == DType::Float32;
    let mut name = cx.in_layout(input, &layout)?;
    if !is_float {
        name = cx.cast(node, name, DType::Float32);
    }
    let windows: Vec<Window> = (0..2)
        .map(|axis| Window { size: sizes[axis], stride: strides[axis], dilation: rates[axis] })
        .collect();
    let lengths = [cx.shape(input).dim(1), cx.shape(input).dim(2)];
    let padding = match node.text("padding") {
        Some("SAME") => Padding::Same,
        _ => Padding::Valid,
    };
    let mut attributes =
        vec![("kernel_shape", ints(&sizes)), ("strides", ints(&strides)), ("dilations", ints(&rates))];
    attributes.extend(window_pads(cx, node, &padding, &windows, &lengths)?);
    if is_float {
        cx.emit(node, "Conv", vec![name, filters], layout, attributes);
    } else {
        let patches = cx.step(node, "patches", "Conv", vec![name, filters], attributes);
        cx.emit_cast(node, patches, layout);
    }
    Ok(())
}
