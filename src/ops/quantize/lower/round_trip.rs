//! Quantization that is undone at once, with levels that lie symmetrically around zero.
//!
//! Sources: `tf.quantization.quantize_and_dequantize_v2` in TensorFlow's API documentation,
//! `tensorflow/core/kernels/quantize_and_dequantize_op.h`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::Parameter;
use crate::ops::array::lower::around::{Around, vector_along};

/// A bound that is given, or the extreme of the input: of all of it, or of each part along an axis of so many.
fn bound(
    steps: &mut Steps<'_, '_, '_>,
    name: &str,
    (index, op): (usize, &'static str),
    axis: Option<(usize, usize)>,
) -> Result<String> {
    let node = steps.node;
    if node.bool("range_given", false) {
        let given = steps.cx.input_of(node, index)?;
        let given = steps.cx.in_tensorflow_layout(given)?;
        let Some((axis, rank)) = axis else { return Ok(given) };
        let shape = vector_along(steps, &name.to_owned(), axis, Some(rank));
        return Ok(steps.op("Reshape", &[&given, &shape]));
    }
    let Some((axis, rank)) = axis else {
        let keep = vec![("keepdims", Attribute::Int(0))];
        return Ok(steps.cx.step(node, "extreme", op, vec![name.to_owned()], keep));
    };
    let axes: Vec<i64> = (0..rank).filter(|&other| other != axis).map(|axis| axis as i64).collect();
    Ok(steps.reduce(op, name, &axes, true))
}

/// Scales to the levels of an integer type, rounds, and scales back. The scale fits the side of the range that needs the
/// larger one.
pub fn quantize_and_dequantize(cx: &mut Lowering<'_>, node: NodeRef<'_>, bits: Parameter) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let dtype = cx.dtype(input);
    let is_signed = node.bool("signed_input", true);
    let is_narrow = node.bool("narrow_range", false);
    let mut axis = usize::try_from(node.int("axis", -1)).ok().map(|axis| (axis, cx.shape(input).rank()));
    let mut name = cx.in_tensorflow_layout(input)?;
    let mut around = None;
    if let Some((of_input, None)) = axis {
        let mut steps = Steps { cx, node };
        let of_input = steps.ints(&[of_input as i64]);
        let joined = Around::new(&mut steps, &name, &of_input);
        name.clone_from(&joined.value);
        (axis, around) = (Some((1, Some(3))), Some(joined));
    }
    let axis = axis.and_then(|(axis, rank)| Some((axis, rank?)));
    let given = match bits {
        Parameter::Attribute => Some(node.int("num_bits", 8)),
        Parameter::Input(index) => cx.known_integers(node, index)?.and_then(|bits| bits.first().copied()),
    };
    let open_bits = match (given, bits) {
        (None, Parameter::Input(index)) => cx.in_tensorflow_layout(cx.input_of(node, index)?)?,
        _ => String::new(),
    };
    let mut steps = Steps { cx, node };
    let min = bound(&mut steps, &name, (1, "ReduceMin"), axis)?;
    let max = bound(&mut steps, &name, (2, "ReduceMax"), axis)?;
    let number = |steps: &mut Steps<'_, '_, '_>, value: f64| steps.number(dtype, value);
    let (zero, one) = (number(&mut steps, 0.0), number(&mut steps, 1.0));
    let (least_name, greatest_name) = match given {
        Some(bits) => {
            let bits = bits.clamp(1, 62);
            let (least, greatest) = match is_signed {
                true => (-(1i64 << (bits - 1)) + i64::from(is_narrow), (1i64 << (bits - 1)) - 1),
                // Levels without signs are never narrow.
                false => (0, (1i64 << bits) - 1),
            };
            (number(&mut steps, least as f64), number(&mut steps, greatest as f64))
        }
        None => {
            let bits = steps.cast(&open_bits, dtype);
            let bits = if is_signed { steps.op("Sub", &[&bits, &one]) } else { bits };
            let two = number(&mut steps, 2.0);
            let levels = steps.op("Pow", &[&two, &bits]);
            let greatest = steps.op("Sub", &[&levels, &one]);
            let least = match (is_signed, is_narrow) {
                (true, false) => steps.op("Neg", &[&levels]),
                (true, true) => steps.op("Neg", &[&greatest]),
                (false, _) => zero.clone(),
            };
            (least, greatest)
        }
    };
    let huge = number(&mut steps, f64::from(f32::MAX));
    // A side of the range without levels is ignored.
    let mut side = |level: &String, bound: &String| {
        let product = steps.op("Mul", &[level, bound]);
        let decides = steps.op("Greater", &[&product, &zero]);
        let divisor = steps.op("Where", &[&decides, bound, &one]);
        let scale = steps.op("Div", &[level, &divisor]);
        steps.op("Where", &[&decides, &scale, &huge])
    };
    let (by_min, by_max) = (side(&least_name, &min), side(&greatest_name, &max));
    let is_by_min = steps.op("Less", &[&by_min, &by_max]);
    let scale = steps.op("Where", &[&is_by_min, &by_min, &by_max]);
    let clamped = if node.bool("range_given", false) {
        let fitted_max = steps.op("Div", &[&greatest_name, &scale]);
        let fitted_min = steps.op("Div", &[&least_name, &scale]);
        let max = steps.op("Where", &[&is_by_min, &fitted_max, &max]);
        let min = steps.op("Where", &[&is_by_min, &min, &fitted_min]);
        let at_least = steps.op("Max", &[&name, &min]);
        steps.op("Min", &[&at_least, &max])
    } else {
        // TensorFlow does not clamp to the extremes of the input, not even numbers below 0 whose levels have no sign.
        name
    };
    let scaled = steps.op("Mul", &[&clamped, &scale]);
    let rounded = if node.text("round_mode") == Some("HALF_UP") {
        let half = steps.number(dtype, 0.5);
        let raised = steps.op("Add", &[&scaled, &half]);
        steps.op("Floor", &[&raised])
    } else {
        steps.op("Round", &[&scaled])
    };
    let restored = steps.op("Div", &[&rounded, &scale]);
    let result = if is_signed || node.bool("range_given", false) {
        restored
    } else {
        // If no number is above 0, levels without signs cannot decide the scale, and TensorFlow multiplies by the inverse of the
        // other side's: `max / greatest`.
        let inverse = steps.op("Div", &[&max, &greatest_name]);
        let multiplied = steps.op("Mul", &[&rounded, &inverse]);
        let is_decided = steps.op("Greater", &[&max, &zero]);
        steps.op("Where", &[&is_decided, &restored, &multiplied])
    };
    match around {
        Some(around) => around.emit(&mut steps, node, result, Some(&around.length)),
        None => steps.set_output(0, result, dtype),
    }
    Ok(())
}
