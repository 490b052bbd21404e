//! Numbers as integers of a range, and back.
//!
//! Sources: `tf.quantization.quantize` and `tf.quantization.dequantize` in TensorFlow's API documentation,
//! `tensorflow/core/kernels/{quantize,dequantize}_op.cc` and `quantization_utils.h`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::vector_along;
use crate::tensor::DType;

/// How the numbers of a range are mapped to integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The least number is the least integer.
    MinCombined,
    /// The same, and zero is an integer.
    MinFirst,
    /// Zero is zero.
    Scaled,
}

/// The mode of a node, and the least and the greatest of its integers.
fn mode(node: NodeRef<'_>, dtype: DType) -> Result<(Mode, [f64; 2])> {
    let mode = match node.text("mode").unwrap_or("MIN_COMBINED") {
        "MIN_COMBINED" => Mode::MinCombined,
        "MIN_FIRST" => Mode::MinFirst,
        "SCALED" => Mode::Scaled,
        other => return Err(node.error(format!("it has an unknown mode, {other}"))),
    };
    let bounds = match dtype {
        DType::QUInt8 => [0.0, 255.0],
        DType::QInt8 => [-128.0, 127.0],
        DType::QUInt16 => [0.0, 65535.0],
        DType::QInt16 => [-32768.0, 32767.0],
        // Its greatest integers are not numbers of float32.
        other => {
            return Err(node.error(format!("it has integers of {other}, and 8 and 16 bits are converted")));
        }
    };
    Ok((mode, bounds))
}

fn number(steps: &mut Steps<'_, '_, '_>, value: f64) -> String {
    steps.number(DType::Float32, value)
}

/// A bound of the range, in the shape that broadcasts to the axis it belongs to.
fn bound(steps: &mut Steps<'_, '_, '_>, index: usize) -> Result<String> {
    let node = steps.node;
    let name = steps.cx.in_tensorflow_layout(steps.cx.input_of(node, index)?)?;
    let Ok(axis) = usize::try_from(node.int("axis", -1)) else { return Ok(name) };
    let input = steps.cx.input_of(node, 0)?;
    let (value, rank) = (steps.cx.in_tensorflow_layout(input)?, steps.cx.shape(input).rank());
    let shape = vector_along(steps, &value, axis, rank);
    Ok(steps.op("Reshape", &[&name, &shape]))
}

/// The nearest integer. Of two as near, it is the one farther from zero.
fn rounded(steps: &mut Steps<'_, '_, '_>, value: &String) -> String {
    let half = number(steps, 0.5);
    let (sign, size) = (steps.op("Sign", &[value]), steps.op("Abs", &[value]));
    let raised = steps.op("Add", &[&size, &half]);
    let size = steps.op("Floor", &[&raised]);
    steps.op("Mul", &[&sign, &size])
}

/// Integers for the numbers of a range, and the range that they cover. The range is made to contain zero, and not to be too small.
pub fn quantize(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (mode, [least, greatest]) = mode(node, cx.dtype(node.into()))?;
    let input = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let mut steps = Steps { cx, node };
    let (zero, one) = (number(&mut steps, 0.0), number(&mut steps, 1.0));
    let (given_min, given_max) = (bound(&mut steps, 1)?, bound(&mut steps, 2)?);
    let min = steps.op("Min", &[&given_min, &zero]);
    let sizes = [&min, &given_max].map(|bound| steps.op("Abs", &[bound]));
    let size = steps.op("Max", &[&sizes[0], &sizes[1], &one]);
    let share = number(&mut steps, f64::from(node.float("ensure_minimum_range", 0.01)));
    let width = steps.op("Mul", &[&size, &share]);
    let max = steps.op("Add", &[&min, &width]);
    let max = steps.op("Max", &[&max, &given_max, &zero]);
    let (integers, min, max) = match mode {
        Mode::Scaled => scaled(&mut steps, &input, [min, max], [least, greatest]),
        Mode::MinCombined | Mode::MinFirst => {
            let count = number(&mut steps, greatest - least);
            let width = steps.op("Sub", &[&max, &min]);
            let scale = steps.op("Div", &[&count, &width]);
            let levels = if mode == Mode::MinCombined {
                let clamped = steps.op("Min", &[&input, &max]);
                let clamped = steps.op("Max", &[&clamped, &min]);
                let above = steps.op("Sub", &[&clamped, &min]);
                let level = steps.op("Mul", &[&above, &scale]);
                let first = number(&mut steps, least);
                let level = steps.op("Add", &[&level, &first]);
                rounded(&mut steps, &level)
            } else {
                let level = steps.op("Mul", &[&input, &scale]);
                let level = rounded(&mut steps, &level);
                let first = steps.op("Mul", &[&min, &scale]);
                let first = rounded(&mut steps, &first);
                let level = steps.op("Sub", &[&level, &first]);
                let least = number(&mut steps, least);
                steps.op("Add", &[&level, &least])
            };
            (levels, min, max)
        }
    };
    let (least, greatest) = (number(&mut steps, least), number(&mut steps, greatest));
    let integers = steps.op("Clip", &[&integers, &least, &greatest]);
    let flat = steps.ints(if node.int("axis", -1) < 0 { &[] } else { &[-1] });
    cx.emit_cast(node, integers, Layout::tensorflow_of(cx.shape(node.into())));
    for (port, bound) in [(1, min), (2, max)] {
        let output = node.output(port);
        let layout = Layout::tensorflow_of(cx.shape(output));
        cx.emit(output, "Reshape", vec![bound, flat.clone()], layout, vec![]);
    }
    Ok(())
}

/// Multiples of a scale that fits the side of the range that needs the larger one, and the range that they cover.
fn scaled(
    steps: &mut Steps<'_, '_, '_>,
    input: &String,
    bounds: [String; 2],
    [least, greatest]: [f64; 2],
) -> (String, String, String) {
    let is_narrow = steps.node.bool("narrow_range", false);
    let levels = [least + f64::from(u8::from(is_narrow)), greatest].map(|level| number(steps, level));
    let (zero, one, huge) = (number(steps, 0.0), number(steps, 1.0), number(steps, f64::from(f32::MAX)));
    let scales = [0, 1].map(|side| {
        // A side of the range without levels is ignored.
        let product = steps.op("Mul", &[&levels[side], &bounds[side]]);
        let decides = steps.op("Greater", &[&product, &zero]);
        let divisor = steps.op("Where", &[&decides, &bounds[side], &one]);
        let scale = steps.op("Div", &[&levels[side], &divisor]);
        steps.op("Where", &[&decides, &scale, &huge])
    });
    let scale = steps.op("Min", &[&scales[0], &scales[1]]);
    let [min, max] = [0, 1].map(|side| steps.op("Div", &[&levels[side], &scale]));
    let clamped = steps.op("Min", &[input, &max]);
    let clamped = steps.op("Max", &[&clamped, &min]);
    let level = steps.op("Mul", &[&clamped, &scale]);
    let integers = match steps.node.text("round_mode") {
        Some("HALF_TO_EVEN") => steps.op("Round", &[&level]),
        _ => rounded(steps, &level),
    };
    (integers, min, max)
}

/// The numbers that integers of a range stand for.
pub fn dequantize(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (mode, [least, greatest]) = mode(node, cx.dtype(input))?;
    let name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    let value = steps.cast(&name, DType::Float32);
    let (min, max) = (bound(&mut steps, 1)?, bound(&mut steps, 2)?);
    let (first, last) = (number(&mut steps, least), number(&mut steps, greatest));
    let result = if mode == Mode::Scaled {
        let scale = steps.op("Div", &[&max, &last]);
        let scale = if least == 0.0 {
            scale
        } else {
            let is_narrow = node.bool("narrow_range", false);
            let first = number(&mut steps, least + f64::from(u8::from(is_narrow)));
            let other = steps.op("Div", &[&min, &first]);
            steps.op("Max", &[&scale, &other])
        };
        steps.op("Mul", &[&value, &scale])
    } else {
        let (width, count) = (steps.op("Sub", &[&max, &min]), number(&mut steps, greatest - least));
        let scale = steps.op("Div", &[&width, &count]);
        let level = steps.op("Sub", &[&value, &first]);
        let above = steps.op("Mul", &[&level, &scale]);
        let start = if mode == Mode::MinCombined {
            min
        } else {
            let level = steps.op("Div", &[&min, &scale]);
            let level = rounded(&mut steps, &level);
            let start = steps.op("Mul", &[&level, &scale]);
            let is_point = steps.op("Equal", &[&min, &max]);
            steps.op("Where", &[&is_point, &min, &start])
        };
        steps.op("Add", &[&above, &start])
    };
    cx.emit_cast(node, result, Layout::tensorflow_of(cx.shape(node.into())));
    Ok(())
}
