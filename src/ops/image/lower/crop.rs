//! Boxes cut out of images and resized.
//!
//! Sources: `tf.image.crop_and_resize` in TensorFlow's API documentation; GatherND in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// How many pixels a crop has along a side: as a number, or as the name of one that is computed.
enum Count {
    Known(usize),
    Open(String),
}

/// The two numbers of an input that gives the size of the crops.
fn crop_size(steps: &mut Steps<'_, '_, '_>) -> Result<[Count; 2]> {
    let size = steps.cx.input_of(steps.node, 3)?;
    if let Some(&[rows, columns]) = steps.cx.known_integers(steps.node, 3)?.as_deref() {
        let known = [rows, columns].map(|count| usize::try_from(count).unwrap_or(0));
        for count in known {
            steps.cx.charge(steps.node, &[count], DType::Float32)?;
        }
        return Ok(known.map(Count::Known));
    }
    let size = steps.cx.in_tensorflow_layout(size)?;
    let size = steps.cast(&size, DType::Int64);
    Ok([0, 1].map(|axis| {
        let axis = steps.int(axis);
        Count::Open(steps.op("Gather", &[&size, &axis]))
    }))
}

/// Coordinates in pixels along one side of each box: evenly from its start to its end, or its middle for a single pixel.
/// Also returns the position of the last pixel.
///
/// A box that ends with the image has its last coordinate on the last pixel, or by a rounding error beside it and then outside of the
/// image. So the arithmetic is that of TensorFlow's kernel, in the same order.
fn coordinates(
    steps: &mut Steps<'_, '_, '_>,
    (start, end): (&String, &String),
    length: &str,
    count: &Count,
) -> (String, String) {
    let one = steps.number(DType::Float32, 1.0);
    let length = steps.cast(length, DType::Float32);
    let last = steps.op("Sub", &[&length, &one]);
    let column = steps.ints(&[1]);
    let (start, end) = (steps.op("Unsqueeze", &[start, &column]), steps.op("Unsqueeze", &[end, &column]));
    let evenly = |steps: &mut Steps<'_, '_, '_>, positions: &String, intervals: &String| {
        let distance = steps.op("Sub", &[&end, &start]);
        let distance = steps.op("Mul", &[&distance, &last]);
        let step = steps.op("Div", &[&distance, intervals]);
        let first = steps.op("Mul", &[&start, &last]);
        let offsets = steps.op("Mul", &[positions, &step]);
        steps.op("Add", &[&first, &offsets])
    };
    let middle = |steps: &mut Steps<'_, '_, '_>| {
        let half = steps.number(DType::Float32, 0.5);
        let sum = steps.op("Add", &[&start, &end]);
        let middle = steps.op("Mul", &[&half, &sum]);
        steps.op("Mul", &[&middle, &last])
    };
    let coordinates = match count {
        Count::Known(0 | 1) => middle(steps),
        Count::Known(count) => {
            let positions: Vec<f32> = (0..*count).map(|position| position as f32).collect();
            let positions = Constant::from_f32(vec![1, *count], &positions);
            let positions = steps.cx.initializer(&format!("{}/places", steps.node.name), positions, &[]);
            let intervals = steps.number(DType::Float32, (count - 1) as f64);
            evenly(steps, &positions, &intervals)
        }
        Count::Open(count) => {
            let (zero, single) = (steps.int(0), steps.int(1));
            let positions = steps.op("Range", &[&zero, count, &single]);
            let positions = steps.cast(&positions, DType::Float32);
            // A single pixel is in the middle: at one half of one interval.
            let is_single = steps.op("Equal", &[count, &single]);
            let half = steps.number(DType::Float32, 0.5);
            let positions = steps.op("Where", &[&is_single, &half, &positions]);
            let intervals = steps.op("Sub", &[count, &single]);
            let intervals = steps.op("Max", &[&intervals, &single]);
            let intervals = steps.cast(&intervals, DType::Float32);
            evenly(steps, &positions, &intervals)
        }
    };
    (coordinates, last)
}

/// Whether coordinates are inside of an image.
fn are_inside(steps: &mut Steps<'_, '_, '_>, coordinates: &String, last: &String) -> String {
    let zero = steps.number(DType::Float32, 0.0);
    let starts = steps.op("GreaterOrEqual", &[coordinates, &zero]);
    let ends = steps.op("LessOrEqual", &[coordinates, last]);
    steps.op("And", &[&starts, &ends])
}

/// Source: `CropAndResize` in `tensorflow/core/kernels/image/crop_and_resize_op.cc`.
pub fn crop_and_resize(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [image, boxes, owners] = [0, 1, 2].map(|index| cx.input_of(node, index));
    let image = cx.in_tensorflow_layout(image?)?;
    let (boxes, owners) = (cx.in_tensorflow_layout(boxes?)?, cx.in_tensorflow_layout(owners?)?);
    let is_nearest = node.text("method") == Some("nearest");
    let mut steps = Steps { cx, node };
    let [rows, columns] = crop_size(&mut steps)?;
    let image = steps.cast(&image, DType::Float32);
    let shape = steps.op("Shape", &[&image]);
    let (height, width) = (steps.int(1), steps.int(2));
    let (height, width) = (steps.op("Gather", &[&shape, &height]), steps.op("Gather", &[&shape, &width]));
    let sides = [0, 1, 2, 3].map(|side| {
        let side = steps.int(side);
        steps.op_with("Gather", &[&boxes, &side], "axis", 1)
    });
    let (y, last_row) = coordinates(&mut steps, (&sides[0], &sides[2]), &height, &rows);
    let (x, last_column) = coordinates(&mut steps, (&sides[1], &sides[3]), &width, &columns);
    let (y_inside, x_inside) =
        (are_inside(&mut steps, &y, &last_row), are_inside(&mut steps, &x, &last_column));
    // Rows are [boxes, rows, 1], columns [boxes, 1, columns].
    let (row_axis, column_axis) = (steps.ints(&[2]), steps.ints(&[1]));
    let [y, y_inside] = [y, y_inside].map(|value| steps.op("Unsqueeze", &[&value, &row_axis]));
    let [x, x_inside] = [x, x_inside].map(|value| steps.op("Unsqueeze", &[&value, &column_axis]));
    let inside = steps.op("And", &[&y_inside, &x_inside]);
    let two_axes = steps.ints(&[1, 2]);
    let owners = steps.cast(&owners, DType::Int64);
    let owners = steps.op("Unsqueeze", &[&owners, &two_axes]);
    let zero = steps.number(DType::Float32, 0.0);
    let inside_shape = steps.op("Shape", &[&inside]);
    let behind = steps.ints(&[-1]);
    let owners = steps.op("Expand", &[&owners, &inside_shape]);
    let owners = steps.op("Unsqueeze", &[&owners, &behind]);
    // The pixels at rows and columns, which are held inside of the image.
    let pixels = |steps: &mut Steps<'_, '_, '_>, row: &String, column: &String| {
        let mut positions = vec![owners.clone()];
        for (value, last) in [(row, &last_row), (column, &last_column)] {
            let held = steps.op("Max", &[value, &zero]);
            let held = steps.op("Min", &[&held, last]);
            let held = steps.cast(&held, DType::Int64);
            let spread = steps.op("Expand", &[&held, &inside_shape]);
            positions.push(steps.op("Unsqueeze", &[&spread, &behind]));
        }
        let positions =
            steps.cx.step(node, "pixel_places", "Concat", positions, vec![("axis", Attribute::Int(-1))]);
        steps.op("GatherND", &[&image, &positions])
    };
    let result = if is_nearest {
        let half = steps.number(DType::Float32, 0.5);
        let [row, column] = [&y, &x].map(|value| {
            let raised = steps.op("Add", &[value, &half]);
            steps.op("Floor", &[&raised])
        });
        pixels(&mut steps, &row, &column)
    } else {
        let [top, left] = [&y, &x].map(|value| steps.op("Floor", &[value]));
        let [bottom, right] = [&y, &x].map(|value| steps.op("Ceil", &[value]));
        let [down, across] = [(&y, &top), (&x, &left)].map(|(value, floor)| {
            let share = steps.op("Sub", &[value, floor]);
            steps.op("Unsqueeze", &[&share, &behind])
        });
        let between = |steps: &mut Steps<'_, '_, '_>, a: &String, b: &String, share: &String| {
            let difference = steps.op("Sub", &[b, a]);
            let part = steps.op("Mul", &[&difference, share]);
            steps.op("Add", &[a, &part])
        };
        let (a, b) = (pixels(&mut steps, &top, &left), pixels(&mut steps, &top, &right));
        let (c, d) = (pixels(&mut steps, &bottom, &left), pixels(&mut steps, &bottom, &right));
        let (upper, lower) = (between(&mut steps, &a, &b, &across), between(&mut steps, &c, &d, &across));
        between(&mut steps, &upper, &lower, &down)
    };
    let inside = steps.op("Unsqueeze", &[&inside, &behind]);
    let outside = steps.number(DType::Float32, f64::from(node.float("extrapolation_value", 0.0)));
    let layout = Layout::tensorflow(4);
    cx.emit(node, "Where", vec![inside, result, outside], layout, vec![]);
    Ok(())
}
