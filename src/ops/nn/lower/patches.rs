//! Where the greatest element of each window is.
//!
//! Sources: `tf.nn.max_pool_with_argmax` in TensorFlow's API documentation; MaxPool in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::graph::window::Window;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::nn::lower::layers::window_pads;
use crate::tensor::DType;

fn ints(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| value as i64).collect())
}

/// ONNX counts positions through batch, channels, rows and columns; TensorFlow through rows, columns and channels, and
/// through the batch where `include_batch_in_index` says so.
pub fn max_pool_with_argmax(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let layout = Layout::channels_first(4);
    let lengths = [1, 2, 3].map(|axis| cx.shape(input).dim(axis));
    let mut name = cx.in_layout(input, &layout)?;
    if matches!(cx.dtype(input), DType::Int8 | DType::UInt8) {
        // ONNX Runtime finds no place in a window of nothing but the least number of the type, which floats do not have here.
        name = cx.cast(node, name, DType::Float32);
    }
    let sizes = node.spatial_sizes("ksize", 4)?;
    let strides = node.spatial_sizes("strides", 4)?;
    let mut attributes = vec![("kernel_shape", ints(&sizes)), ("strides", ints(&strides))];
    let windows: Vec<Window> =
        (0..2).map(|axis| Window { size: sizes[axis], stride: strides[axis], dilation: 1 }).collect();
    attributes.extend(window_pads(cx, node, &node.padding()?, &windows, &lengths[..2])?);
    let outputs = ("pool", ["pooled", "places"]);
    let [pooled, positions] = cx.step_with_outputs(node, outputs, "MaxPool", vec![name.clone()], attributes);
    cx.emit_cast(node, pooled, layout.clone());
    // Those of the images as they are stored, channels first.
    let mut length = |what: &str, axes: &[usize]| -> String {
        match axes.iter().map(|&axis| lengths[axis - 1]).product::<Option<usize>>() {
            Some(length) => cx.scalar(node, what, DType::Int64, length as f64),
            None => {
                let stored: Vec<i64> = axes.iter().map(|&axis| [2, 3, 1][axis - 1]).collect();
                let mut steps = Steps { cx, node };
                let shape = steps.op("Shape", &[&name]);
                let stored = steps.ints(&stored);
                let lengths = steps.op("Gather", &[&shape, &stored]);
                steps.reduce("ReduceProd", &lengths, &[0], false)
            }
        }
    };
    let (area, depth, size) = (length("area", &[1, 2]), length("depth", &[3]), length("size", &[1, 2, 3]));
    let pixels = cx.step(node, "pixels", "Mod", vec![positions.clone(), area.clone()], vec![]);
    let pixels = cx.step(node, "pixel_places", "Mul", vec![pixels, depth.clone()], vec![]);
    let planes = cx.step(node, "planes", "Div", vec![positions, area], vec![]);
    let channel = cx.step(node, "channel", "Mod", vec![planes.clone(), depth.clone()], vec![]);
    let mut position = cx.step(node, "place", "Add", vec![pixels, channel], vec![]);
    if node.bool("include_batch_in_index", false) {
        let image = cx.step(node, "image", "Div", vec![planes, depth], vec![]);
        let before = cx.step(node, "before", "Mul", vec![image, size], vec![]);
        position = cx.step(node, "batch_place", "Add", vec![position, before], vec![]);
    }
    cx.emit_cast(node.output(1), position, layout);
    Ok(())
}
