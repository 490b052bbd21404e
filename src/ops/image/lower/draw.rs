//! The borders of boxes, drawn into images.
//!
//! Sources: `tf.image.draw_bounding_boxes` in TensorFlow's API documentation, and `tensorflow/core/kernels/image/draw_bounding_box_op.cc`
//! for the colors and for boxes that are not inside of the image.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// The colors of boxes, one after the other, where no colors are given.
const COLORS: [[f32; 4]; 10] = [
    [1.0, 1.0, 0.0, 1.0],
    [0.0, 0.0, 1.0, 1.0],
    [1.0, 0.0, 0.0, 1.0],
    [0.0, 1.0, 0.0, 1.0],
    [0.5, 0.0, 0.5, 1.0],
    [0.5, 0.5, 0.0, 1.0],
    [0.5, 0.0, 0.0, 1.0],
    [0.0, 0.0, 0.5, 1.0],
    [0.0, 1.0, 1.0, 1.0],
    [1.0, 0.0, 1.0, 1.0],
];

/// A far coordinate outside of all images.
const OUTSIDE: f64 = -1e9;

/// For each pixel the last box that has it in its border, and the color of this box.
pub fn bounding_boxes(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let depth = cx.shape(cx.input_of(node, 0)?).dim(3);
    // Whether there are colors, as far as that is known.
    let given = node.inputs.get(2).map_or(Some(false), |&colors| {
        cx.shape(colors).fully_known().map(|dims| !dims.contains(&0) && dims.len() == 2)
    });
    let mut steps = Steps { cx, node };
    let (images, boxes) = (steps.input_as(0, DType::Float32)?, steps.input_as(1, DType::Float32)?);
    let channels = match depth {
        Some(depth) => steps.ints(&[depth as i64]),
        None => steps.length(&images, 3),
    };
    let (colors, color_count) = colors(&mut steps, given, &channels)?;
    // An additional box in front, outside of the image, is that of pixels without a box.
    let (pads, outside) = (steps.ints(&[0, 1, 0, 0, 0, 0]), steps.number(DType::Float32, OUTSIDE));
    let boxes = steps.op("Pad", &[&boxes, &pads, &outside]);
    let (one, zero) = (steps.int(1), steps.int(0));
    let mut side = |axis: i64, from: i64, to: i64, spread: &[i64]| {
        let length = steps.length(&images, axis);
        let flat = steps.ints(&[]);
        let length = steps.op("Reshape", &[&length, &flat]);
        let last = steps.op("Sub", &[&length, &one]);
        let last = steps.cast(&last, DType::Float32);
        let spread = steps.ints(spread);
        let [first, end] = [from, to].map(|column| {
            let column = steps.int(column);
            let bound = steps.op_with("Gather", &[&boxes, &column], "axis", 2);
            let bound = steps.op("Mul", &[&bound, &last]);
            // Rounded towards zero.
            let bound = steps.cast(&bound, DType::Int64);
            let behind = steps.ints(&[2, 3]);
            steps.op("Unsqueeze", &[&bound, &behind])
        });
        let positions = steps.numbers_below(&length);
        let positions = steps.op("Unsqueeze", &[&positions, &spread]);
        let starts = steps.op("GreaterOrEqual", &[&positions, &first]);
        let ends = steps.op("LessOrEqual", &[&positions, &end]);
        let is_inside = steps.op("And", &[&starts, &ends]);
        let (at_first, at_end) =
            (steps.op("Equal", &[&positions, &first]), steps.op("Equal", &[&positions, &end]));
        let is_border = steps.op("Or", &[&at_first, &at_end]);
        (is_inside, is_border)
    };
    let (in_rows, on_rows) = side(1, 0, 2, &[0, 1, 3]);
    let (in_columns, on_columns) = side(2, 1, 3, &[0, 1, 2]);
    let is_inside = steps.op("And", &[&in_rows, &in_columns]);
    let is_border = steps.op("Or", &[&on_rows, &on_columns]);
    let is_drawn = steps.op("And", &[&is_inside, &is_border]);
    let count = steps.length(&boxes, 1);
    let numbers = steps.positions(&count);
    let spread = steps.ints(&[0, 2, 3]);
    let numbers = steps.op("Unsqueeze", &[&numbers, &spread]);
    let drawn = steps.op("Where", &[&is_drawn, &numbers, &zero]);
    let last = steps.reduce("ReduceMax", &drawn, &[1], false);
    let is_any = steps.op("Greater", &[&last, &zero]);
    let behind = steps.ints(&[-1]);
    let is_any = steps.op("Unsqueeze", &[&is_any, &behind]);
    let index = steps.op("Sub", &[&last, &one]);
    let index = steps.op("Mod", &[&index, &color_count]);
    let attributes = vec![("axis", Attribute::Int(0))];
    let color = steps.cx.step(node, "color", "Gather", vec![colors, index], attributes);
    let result = steps.op("Where", &[&is_any, &color, &images]);
    steps.set_output(0, result, DType::Float32);
    Ok(())
}

/// The colors of the boxes, a number for each channel of the images, and how many colors there are. Where none are given, there are those
/// of TensorFlow.
fn colors(steps: &mut Steps<'_, '_, '_>, given: Option<bool>, channels: &String) -> Result<(String, String)> {
    if given == Some(false) {
        let usual = usual_colors(steps, channels);
        return Ok((usual, steps.ints(&[COLORS.len() as i64])));
    }
    // Colors may have more numbers than images have channels.
    let (first, second) = (steps.ints(&[0]), steps.ints(&[1]));
    let own = steps.input(2)?;
    let own = steps.op("Slice", &[&own, &first, channels, &second]);
    let count = steps.length(&own, 0);
    if given == Some(true) {
        return Ok((own, count));
    }
    let usual = usual_colors(steps, channels);
    let all = steps.op_with("Concat", &[&own, &usual], "axis", 0);
    let (is_none, usual_count) = (steps.op("Equal", &[&count, &first]), steps.ints(&[COLORS.len() as i64]));
    Ok((all, steps.op("Where", &[&is_none, &usual_count, &count])))
}

/// The colors of TensorFlow, which are white in images of one channel.
fn usual_colors(steps: &mut Steps<'_, '_, '_>, channels: &String) -> String {
    let table = Constant::from_f32(vec![COLORS.len(), 4], COLORS.as_flattened());
    let table = steps.cx.initializer(&format!("{}/colors", steps.node.name), table, &[]);
    let (first, second) = (steps.ints(&[0]), steps.ints(&[1]));
    let table = steps.op("Slice", &[&table, &first, channels, &second]);
    let (is_gray, white) = (steps.op("Equal", &[channels, &second]), steps.number(DType::Float32, 1.0));
    steps.op("Where", &[&is_gray, &white, &table])
}
