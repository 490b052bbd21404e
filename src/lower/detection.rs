//! Boxes in images: choosing among overlapping ones, and cutting them out.
//!
//! Sources: `tf.image.non_max_suppression*` and `tf.image.crop_and_resize` in TensorFlow's API documentation;
//! NonMaxSuppression and GatherND in <https://onnx.ai/onnx/operators/>.

use super::Layout;
use super::context::Lowering;
use super::steps::Steps;
use super::support::{Op, op};
use crate::error::Result;
use crate::graph::{Node, NodeId, TensorRef};
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("CropAndResize", crop_and_resize, "GatherND, Floor, Ceil, Where"),
    op("NonMaxSuppressionV2", non_max_suppression, "NonMaxSuppression"),
    op("NonMaxSuppressionV3", non_max_suppression, "NonMaxSuppression"),
    op("NonMaxSuppressionV4", non_max_suppression, "NonMaxSuppression, Pad"),
    op("NonMaxSuppressionV5", non_max_suppression, "NonMaxSuppression, Pad").note("without soft suppression"),
];

/// ONNX has batches and classes, of which there is one here, and says for each chosen box which they are.
fn non_max_suppression(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let [boxes, scores, limit, overlap] = [0, 1, 2, 3].map(|index| cx.input_of(node, index));
    let scores_input = scores?;
    if let Some(&sigma) = node.inputs.get(5) {
        let sigma = cx.constant(sigma).map(Constant::to_f32s).transpose()?.flatten();
        if sigma.is_none_or(|sigma| sigma.iter().any(|&sigma| sigma != 0.0)) {
            return Err(node.error("it lowers the scores of overlapping boxes, which ONNX has not"));
        }
    }
    let (boxes, scores) = (cx.in_tensorflow_layout(boxes?)?, cx.in_tensorflow_layout(scores_input)?);
    let (limit, overlap) = (cx.in_tensorflow_layout(limit?)?, cx.in_tensorflow_layout(overlap?)?);
    let threshold = match node.inputs.get(4) {
        Some(&threshold) => Some(cx.in_tensorflow_layout(threshold)?),
        None => None,
    };
    let mut steps = Steps { cx, node };
    let (flat, first, both) = (steps.ints(&[-1]), steps.ints(&[0]), steps.ints(&[0, 1]));
    let all_boxes = steps.cast(&boxes, DType::Float32);
    let all_boxes = steps.op("Unsqueeze", &[&all_boxes, &first]);
    let all_scores = steps.cast(&scores, DType::Float32);
    let all_scores = steps.op("Unsqueeze", &[&all_scores, &both]);
    let limit = steps.cast(&limit, DType::Int64);
    let limit = steps.op("Reshape", &[&limit, &flat]);
    let overlap = steps.cast(&overlap, DType::Float32);
    let overlap = steps.op("Reshape", &[&overlap, &flat]);
    let mut inputs = vec![all_boxes, all_scores, limit.clone(), overlap];
    if let Some(threshold) = threshold {
        let threshold = steps.cast(&threshold, DType::Float32);
        inputs.push(steps.op("Reshape", &[&threshold, &flat]));
    }
    let chosen = steps.cx.step(node, "chosen", "NonMaxSuppression", inputs, vec![]);
    let two = steps.int(2);
    let mut places = steps.op_with("Gather", &[&chosen, &two], "axis", 1);
    let count = steps.op("Shape", &[&places]);
    let mut values = None;
    if node.op == "NonMaxSuppressionV5" {
        values = Some(steps.op_with("Gather", &[&scores, &places], "axis", 0));
    }
    if node.bool("pad_to_max_output_size", false) {
        let missing = steps.op("Sub", &[&limit, &count]);
        let pads = steps.op_with("Concat", &[&first, &missing], "axis", 0);
        places = steps.op("Pad", &[&places, &pads]);
        values = values.map(|values| steps.op("Pad", &[&values, &pads]));
    }
    let scalar = steps.ints(&[]);
    let count = steps.op("Reshape", &[&count, &scalar]);
    let vector = Layout::tensorflow(1);
    cx.emit_cast((id.into(), node), places, vector.clone());
    let is_scored = values.is_some();
    if let Some(values) = values {
        cx.emit_cast((TensorRef { node: id, port: 1 }, node), values, vector);
    }
    if node.outputs.len() > 1 {
        let port = if is_scored { 2 } else { 1 };
        cx.emit_cast((TensorRef { node: id, port }, node), count, Layout::tensorflow(0));
    }
    Ok(())
}

/// Coordinates in pixels along one side of each box: evenly from its start to its end, or its middle where one is
/// asked for. Hands out also the last pixel's place.
fn coordinates(
    steps: &mut Steps<'_, '_, '_>,
    (start, end): (&String, &String),
    length: &String,
    count: usize,
) -> (String, String) {
    let one = steps.number(DType::Float32, 1.0);
    let length = steps.cast(length, DType::Float32);
    let last = steps.op("Sub", &[&length, &one]);
    let column = steps.ints(&[1]);
    let (start, end) = (steps.op("Mul", &[start, &last]), steps.op("Mul", &[end, &last]));
    let (start, end) = (steps.op("Unsqueeze", &[&start, &column]), steps.op("Unsqueeze", &[&end, &column]));
    if count <= 1 {
        let sum = steps.op("Add", &[&start, &end]);
        let half = steps.number(DType::Float32, 0.5);
        return (steps.op("Mul", &[&sum, &half]), last);
    }
    let shares: Vec<f32> = (0..count).map(|place| place as f32).collect();
    let shares = Constant::from_f32(vec![1, count], &shares);
    let shares = steps.cx.initializer(&format!("{}/places", steps.node.name), shares, &[]);
    let distance = steps.op("Sub", &[&end, &start]);
    let intervals = steps.number(DType::Float32, (count - 1) as f64);
    let step = steps.op("Div", &[&distance, &intervals]);
    let offsets = steps.op("Mul", &[&step, &shares]);
    (steps.op("Add", &[&start, &offsets]), last)
}

/// Whether coordinates lie inside of an image.
fn are_inside(steps: &mut Steps<'_, '_, '_>, coordinates: &String, last: &String) -> String {
    let zero = steps.number(DType::Float32, 0.0);
    let starts = steps.op("GreaterOrEqual", &[coordinates, &zero]);
    let ends = steps.op("LessOrEqual", &[coordinates, last]);
    steps.op("And", &[&starts, &ends])
}

/// Source: `CropAndResize` in `tensorflow/core/kernels/image/crop_and_resize_op.cc`.
fn crop_and_resize(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let [image, boxes, owners] = [0, 1, 2].map(|index| cx.input_of(node, index));
    let (Some(rows), Some(columns)) = (cx.shape(id.into()).dim(1), cx.shape(id.into()).dim(2)) else {
        return Err(node.error("its size is not known before the model runs"));
    };
    let image = cx.in_tensorflow_layout(image?)?;
    let (boxes, owners) = (cx.in_tensorflow_layout(boxes?)?, cx.in_tensorflow_layout(owners?)?);
    let is_nearest = node.text("method") == Some("nearest");
    let mut steps = Steps { cx, node };
    let image = steps.cast(&image, DType::Float32);
    let shape = steps.op("Shape", &[&image]);
    let (height, width) = (steps.int(1), steps.int(2));
    let (height, width) = (steps.op("Gather", &[&shape, &height]), steps.op("Gather", &[&shape, &width]));
    let sides = [0, 1, 2, 3].map(|side| {
        let side = steps.int(side);
        steps.op_with("Gather", &[&boxes, &side], "axis", 1)
    });
    let (y, last_row) = coordinates(&mut steps, (&sides[0], &sides[2]), &height, rows);
    let (x, last_column) = coordinates(&mut steps, (&sides[1], &sides[3]), &width, columns);
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
        let mut places = vec![owners.clone()];
        for (value, last) in [(row, &last_row), (column, &last_column)] {
            let held = steps.op("Max", &[value, &zero]);
            let held = steps.op("Min", &[&held, last]);
            let held = steps.cast(&held, DType::Int64);
            let spread = steps.op("Expand", &[&held, &inside_shape]);
            places.push(steps.op("Unsqueeze", &[&spread, &behind]));
        }
        let places =
            steps.cx.step(node, "pixel_places", "Concat", places, vec![("axis", Attribute::Int(-1))]);
        steps.op("GatherND", &[&image, &places])
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
        let mut between = |steps: &mut Steps<'_, '_, '_>, a: &String, b: &String, share: &String| {
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
    cx.emit((id, node), "Where", vec![inside, result, outside], layout, vec![]);
    Ok(())
}
