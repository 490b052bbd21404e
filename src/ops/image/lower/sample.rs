//! Images read at computed positions: glimpses and projective transforms.
//!
//! Sources: `tf.image.extract_glimpse` and `tf.raw_ops.ImageProjectiveTransformV3` in TensorFlow's API documentation,
//! `tensorflow/core/kernels/image/{attention_ops.cc,image_ops.h}` for rounding and for what is outside of the image; GatherND in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::DType;

const FLOAT: DType = DType::Float32;

/// How offsets that are centered, but not normalized, are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glimpses {
    First,
    Second,
}

/// The length of an axis of images, as a scalar.
fn side(steps: &mut Steps<'_, '_, '_>, images: &String, axis: i64) -> String {
    let (length, empty) = (steps.length(images, axis), steps.ints(&[]));
    steps.op("Reshape", &[&length, &empty])
}

/// The pixels of each image at rows and columns `[images, rows, columns]`, which are held inside of the image. Also returns whether they
/// were inside. Rows and columns are float32.
fn pixels(
    steps: &mut Steps<'_, '_, '_>,
    images: &String,
    rows: &String,
    columns: &String,
) -> (String, String) {
    let node = steps.node;
    let (zero, one) = (steps.number(FLOAT, 0.0), steps.number(FLOAT, 1.0));
    let behind = steps.ints(&[-1]);
    let mut flags = vec![];
    let mut positions = vec![];
    for (value, axis) in [(rows, 1), (columns, 2)] {
        let length = side(steps, images, axis);
        let length = steps.cast(&length, FLOAT);
        let last = steps.op("Sub", &[&length, &one]);
        let starts = steps.op("GreaterOrEqual", &[value, &zero]);
        let ends = steps.op("LessOrEqual", &[value, &last]);
        flags.push(steps.op("And", &[&starts, &ends]));
        let is_inside = flags.last().cloned().unwrap_or_default();
        // NaN is outside.
        let held = steps.op("Where", &[&is_inside, value, &zero]);
        positions.push(steps.cast(&held, DType::Int64));
    }
    let is_inside = steps.op("And", &[&flags[0], &flags[1]]);
    let shape = steps.op("Shape", &[&is_inside]);
    let positions = positions.into_iter().map(|position| {
        let spread = steps.op("Expand", &[&position, &shape]);
        steps.op("Unsqueeze", &[&spread, &behind])
    });
    let positions = positions.collect();
    let positions = steps.cx.step(node, "places", "Concat", positions, vec![("axis", Attribute::Int(-1))]);
    let pixels = steps.op_with("GatherND", &[images, &positions], "batch_dims", 1);
    (pixels, steps.op("Unsqueeze", &[&is_inside, &behind]))
}

/// Windows around offsets. What is outside of the image is zero, or noise.
pub fn glimpse(cx: &mut Lowering<'_>, node: NodeRef<'_>, version: Glimpses) -> Result<()> {
    let noise =
        if node.bool("uniform_noise", true) { "uniform" } else { node.text("noise").unwrap_or("uniform") };
    let (is_normalized, is_centered) = (node.bool("normalized", true), node.bool("centered", true));
    let mut steps = Steps { cx, node };
    let (images, sizes, offsets) = (steps.input(0)?, steps.integers(1)?, steps.input(2)?);
    let two = steps.number(FLOAT, 2.0);
    let mut coordinates = vec![];
    for axis in 0..2 {
        let length = side(&mut steps, &images, axis + 1);
        let length = steps.cast(&length, FLOAT);
        let index = steps.int(axis);
        let count = steps.op("Gather", &[&sizes, &index]);
        let size = steps.cast(&count, FLOAT);
        let mut offset = steps.op_with("Gather", &[&offsets, &index], "axis", 1);
        let (half_length, half_size) = (steps.op("Div", &[&length, &two]), steps.op("Div", &[&size, &two]));
        if is_normalized {
            offset = steps.op("Mul", &[&offset, &length]);
        }
        if is_centered {
            if is_normalized || version == Glimpses::First {
                offset = steps.op("Div", &[&offset, &two]);
            }
            offset = steps.op("Add", &[&offset, &half_length]);
        }
        if version == Glimpses::First || (is_normalized && is_centered) {
            offset = steps.op("Sub", &[&offset, &half_size]);
        }
        // Rounded towards zero.
        let offset = steps.cast(&offset, DType::Int64);
        let column = steps.ints(&[1]);
        let offset = steps.op("Unsqueeze", &[&offset, &column]);
        let positions = steps.numbers_below(&count);
        let positions = steps.op("Add", &[&offset, &positions]);
        let positions = steps.cast(&positions, FLOAT);
        let spread = steps.ints(&[if axis == 0 { 2 } else { 1 }]);
        coordinates.push(steps.op("Unsqueeze", &[&positions, &spread]));
    }
    let (pixels, is_inside) = pixels(&mut steps, &images, &coordinates[0], &coordinates[1]);
    let outside = match noise {
        "zero" => steps.number(FLOAT, 0.0),
        _ => self::noise(&mut steps, &images, &pixels, noise == "gaussian"),
    };
    let result = steps.op("Where", &[&is_inside, &pixels, &outside]);
    steps.set_output(0, result, FLOAT);
    Ok(())
}

/// Noise in the shape of `like`: between the least and the greatest element of each image, or with the mean and the deviation of each
/// channel.
fn noise(steps: &mut Steps<'_, '_, '_>, images: &str, like: &str, is_gaussian: bool) -> String {
    let operator = if is_gaussian { "RandomNormalLike" } else { "RandomUniformLike" };
    let random = steps.cx.step(steps.node, "noise", operator, vec![like.to_owned()], vec![]);
    let (scale, offset) = if is_gaussian {
        let mean = steps.reduce("ReduceMean", images, &[1, 2], true);
        let distance = steps.op("Sub", &[&images.to_owned(), &mean]);
        let square = steps.op("Mul", &[&distance, &distance]);
        let variance = steps.reduce("ReduceMean", &square, &[1, 2], true);
        (steps.op("Sqrt", &[&variance]), mean)
    } else {
        let least = steps.reduce("ReduceMin", images, &[1, 2, 3], true);
        let greatest = steps.reduce("ReduceMax", images, &[1, 2, 3], true);
        (steps.op("Sub", &[&greatest, &least]), least)
    };
    let scaled = steps.op("Mul", &[&random, &scale]);
    steps.op("Add", &[&scaled, &offset])
}

/// Each pixel of the result is read where the transform of its image puts it.
pub fn projective_transform(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(cx.input_of(node, 0)?));
    let is_bilinear = node.text("interpolation").is_some_and(|text| text.eq_ignore_ascii_case("bilinear"));
    let mode = node.text("fill_mode").unwrap_or("CONSTANT").to_ascii_uppercase();
    // TensorFlow interpolates in float32.
    let read = if is_bilinear { FLOAT } else { computed };
    let mut steps = Steps { cx, node };
    let (images, transforms) = (steps.input_as(0, read)?, steps.input(1)?);
    let sizes = steps.integers(2)?;
    let fill = match node.inputs.len() {
        3 => steps.number(read, 0.0),
        _ => steps.input_as(3, read)?,
    };
    // The coordinates of the result, [1, rows, 1] and [1, 1, columns].
    let [y, x] = [(0, [0, 2]), (1, [0, 1])].map(|(index, spread)| {
        let (index, spread) = (steps.int(index), steps.ints(&spread));
        let count = steps.op("Gather", &[&sizes, &index]);
        let numbers = steps.numbers_below(&count);
        let numbers = steps.cast(&numbers, FLOAT);
        steps.op("Unsqueeze", &[&numbers, &spread])
    });
    let spread = steps.ints(&[1, 2]);
    let mut weighted = |first: i64| {
        let [a, b] = [first, first + 1].map(|index| {
            let index = steps.int(index);
            let number = steps.op_with("Gather", &[&transforms, &index], "axis", 1);
            steps.op("Unsqueeze", &[&number, &spread])
        });
        let (a, b) = (steps.op("Mul", &[&a, &x]), steps.op("Mul", &[&b, &y]));
        let sum = steps.op("Add", &[&a, &b]);
        let offset = if first == 6 {
            steps.number(FLOAT, 1.0)
        } else {
            let index = steps.int(first + 2);
            let number = steps.op_with("Gather", &[&transforms, &index], "axis", 1);
            steps.op("Unsqueeze", &[&number, &spread])
        };
        steps.op("Add", &[&sum, &offset])
    };
    let (across, down, divisor) = (weighted(0), weighted(3), weighted(6));
    let (across, down) = (steps.op("Div", &[&across, &divisor]), steps.op("Div", &[&down, &divisor]));
    // One transform may serve all images.
    let images_shape = steps.op("Shape", &[&images]);
    let (start, end) = (steps.ints(&[0]), steps.ints(&[1]));
    let batch = steps.op("Slice", &[&images_shape, &start, &end]);
    let shape = steps.op_with("Concat", &[&batch, &sizes], "axis", 0);
    let (across, down) = (steps.op("Expand", &[&across, &shape]), steps.op("Expand", &[&down, &shape]));
    let across = mapped(&mut steps, &images, &across, 2, &mode)?;
    let down = mapped(&mut steps, &images, &down, 1, &mode)?;
    let filled = |steps: &mut Steps<'_, '_, '_>, rows: &String, columns: &String| {
        let (pixels, is_inside) = pixels(steps, &images, rows, columns);
        steps.op("Where", &[&is_inside, &pixels, &fill])
    };
    let behind = steps.ints(&[-1]);
    let result = if is_bilinear {
        let (one, [top, left]) =
            (steps.number(FLOAT, 1.0), [&down, &across].map(|value| steps.op("Floor", &[value])));
        let [bottom, right] = [&top, &left].map(|value| steps.op("Add", &[value, &one]));
        let mut share = |from: &String, to: &String| {
            let share = steps.op("Sub", &[to, from]);
            steps.op("Unsqueeze", &[&share, &behind])
        };
        let (from_left, from_right) = (share(&left, &across), share(&across, &right));
        let (from_top, from_bottom) = (share(&top, &down), share(&down, &bottom));
        let between = |steps: &mut Steps<'_, '_, '_>, a: [&String; 2], b: [&String; 2]| {
            let (a, b) = (steps.op("Mul", &[a[0], a[1]]), steps.op("Mul", &[b[0], b[1]]));
            steps.op("Add", &[&a, &b])
        };
        let (a, b) = (filled(&mut steps, &top, &left), filled(&mut steps, &top, &right));
        let (c, d) = (filled(&mut steps, &bottom, &left), filled(&mut steps, &bottom, &right));
        let upper = between(&mut steps, [&from_right, &a], [&from_left, &b]);
        let lower = between(&mut steps, [&from_right, &c], [&from_left, &d]);
        between(&mut steps, [&from_bottom, &upper], [&from_top, &lower])
    } else {
        let [rows, columns] = [&down, &across].map(|value| rounded(&mut steps, value));
        filled(&mut steps, &rows, &columns)
    };
    let nothing = steps.number(FLOAT, 0.0);
    let is_nowhere = steps.op("Equal", &[&divisor, &nothing]);
    let is_nowhere = steps.op("Unsqueeze", &[&is_nowhere, &behind]);
    let result = steps.op("Where", &[&is_nowhere, &fill, &result]);
    steps.set_output(0, result, read);
    Ok(())
}

/// The nearest integer; halves away from zero, where ONNX's Round has the even one.
fn rounded(steps: &mut Steps<'_, '_, '_>, value: &String) -> String {
    let (size, half) = (steps.op("Abs", &[value]), steps.number(FLOAT, 0.5));
    let floor = steps.op("Floor", &[&size]);
    let rest = steps.op("Sub", &[&size, &floor]);
    let is_up = steps.op("GreaterOrEqual", &[&rest, &half]);
    let up = steps.cast(&is_up, FLOAT);
    let size = steps.op("Add", &[&floor, &up]);
    let sign = steps.op("Sign", &[value]);
    steps.op("Mul", &[&size, &sign])
}

/// Coordinates that are moved into the image by the fill mode.
fn mapped(
    steps: &mut Steps<'_, '_, '_>,
    images: &String,
    value: &String,
    axis: i64,
    mode: &str,
) -> Result<String> {
    if mode == "CONSTANT" {
        return Ok(value.clone());
    }
    let (zero, one) = (steps.number(FLOAT, 0.0), steps.number(FLOAT, 1.0));
    let length = side(steps, images, axis);
    let length = steps.cast(&length, FLOAT);
    let last = steps.op("Sub", &[&length, &one]);
    // How often a period goes into a number, without the fraction.
    let times = |steps: &mut Steps<'_, '_, '_>, value: &String, period: &String| {
        let quotient = steps.op("Div", &[value, period]);
        steps.op("Floor", &[&quotient])
    };
    let negated = steps.op("Neg", &[value]);
    let moved = match mode {
        "REFLECT" => {
            let twice = steps.op("Add", &[&length, &length]);
            let below = times(steps, &negated, &twice);
            let below = steps.op("Mul", &[&below, &twice]);
            let below = steps.op("Add", &[&below, value]);
            let negative = steps.op("Neg", &[&length]);
            let is_far = steps.op("Less", &[&below, &negative]);
            let far = steps.op("Add", &[&below, &twice]);
            let near = steps.op("Neg", &[&below]);
            let near = steps.op("Sub", &[&near, &one]);
            let below = steps.op("Where", &[&is_far, &far, &near]);
            let above = times(steps, value, &twice);
            let above = steps.op("Mul", &[&above, &twice]);
            let above = steps.op("Sub", &[value, &above]);
            let is_far = steps.op("GreaterOrEqual", &[&above, &length]);
            let far = steps.op("Sub", &[&twice, &above]);
            let far = steps.op("Sub", &[&far, &one]);
            Some((below, steps.op("Where", &[&is_far, &far, &above])))
        }
        "WRAP" => {
            // In an image of one pixel, all coordinates are 0 in the end.
            let period = steps.op("Max", &[&last, &one]);
            let below = times(steps, &negated, &period);
            let below = steps.op("Add", &[&below, &one]);
            let below = steps.op("Mul", &[&below, &length]);
            let below = steps.op("Add", &[value, &below]);
            let above = times(steps, value, &period);
            let above = steps.op("Mul", &[&above, &length]);
            Some((below, steps.op("Sub", &[value, &above])))
        }
        "NEAREST" => None,
        other => return Err(steps.node.error(format!("its fill_mode is {other}"))),
    };
    let moved = match moved {
        Some((below, above)) => {
            let is_below = steps.op("Less", &[value, &zero]);
            let is_above = steps.op("Greater", &[value, &last]);
            let value = steps.op("Where", &[&is_above, &above, value]);
            steps.op("Where", &[&is_below, &below, &value])
        }
        None => value.clone(),
    };
    let moved = steps.op("Max", &[&moved, &zero]);
    Ok(steps.op("Min", &[&moved, &last]))
}
