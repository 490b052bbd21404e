//! Rounding to a few levels, as quantized training simulates it.
//!
//! Sources: `tf.quantization.fake_quant_with_min_max_*` and `tf.quantization.quantize_and_dequantize_v2` in TensorFlow's
//! API documentation, `tensorflow/core/kernels/fake_quant_ops_functor.h` and `quantize_and_dequantize_op.h`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::Parameter;
use crate::tensor::{Constant, DType};

/// The smallest and the largest value, the distance of two levels, its reciprocal, and the level of zero. The values are
/// moved so that zero is one of the levels.
fn nudged(min: f32, max: f32, levels: [f32; 2]) -> [f32; 5] {
    let [first, last] = levels;
    // Between 0 and 0 there is only 0.
    if (min, max) == (0.0, 0.0) {
        return [0.0, 0.0, 1.0, 1.0, 0.0];
    }
    let scale = (max - min) / (last - first);
    let zero = first - min / scale;
    let zero = if zero < first {
        first
    } else if zero > last {
        last
    } else {
        zero.round()
    };
    [(first - zero) * scale, (last - zero) * scale, scale, (last - first) / (max - min), zero - first]
}

/// Where the bounds of a quantization are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    Attributes,
    /// Inputs that are one number each.
    Scalars,
    /// Inputs with a number for each channel, which is the last axis.
    PerChannel,
}

pub fn fake_quant(cx: &mut Lowering<'_>, node: NodeRef<'_>, bounds: Bounds) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let bits = node.int("num_bits", 8).clamp(2, 16);
    let first = if node.bool("narrow_range", false) { 1.0 } else { 0.0 };
    let levels = [first, ((1i64 << bits) - 1) as f32];
    let (mins, maxs) = if bounds == Bounds::Attributes {
        (vec![node.float("min", -6.0)], vec![node.float("max", 6.0)])
    } else {
        let bound = |index: usize| -> Result<Option<Vec<f32>>> {
            let tensor = cx.input_of(node, index)?;
            Ok(cx.constant(tensor).map(Constant::to_f32s).transpose()?.flatten())
        };
        match (bound(1)?, bound(2)?) {
            (Some(mins), Some(maxs)) => (mins, maxs),
            _ => return open_fake_quant(cx, node, levels),
        }
    };
    let nudged: Vec<[f32; 5]> = mins.iter().zip(&maxs).map(|(&min, &max)| nudged(min, max, levels)).collect();
    let name = cx.in_tensorflow_layout(input)?;
    let constant = |cx: &mut Lowering<'_>, what: &str, pick: usize| {
        let values: Vec<f32> = nudged.iter().map(|numbers| numbers[pick]).collect();
        let shape = if bounds == Bounds::PerChannel { vec![values.len()] } else { vec![] };
        cx.initializer(&format!("{}/{what}", node.name), Constant::from_f32(shape, &values), &[])
    };
    let (min, max, scale) = (constant(cx, "min", 0), constant(cx, "max", 1), constant(cx, "scale", 2));
    let (inverse, zero) = (constant(cx, "inverse_scale", 3), constant(cx, "zero", 4));
    if bounds != Bounds::Attributes {
        return rounded(cx, node, name, [&min, &max, &scale]);
    }
    let mut steps = Steps { cx, node };
    let half = steps.number(DType::Float32, 0.5);
    let at_least = steps.op("Max", &[&name, &min]);
    let clamped = steps.op("Min", &[&at_least, &max]);
    let above = steps.op("Sub", &[&clamped, &min]);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    // A number half way between two levels is rounded as TensorFlow 2 computes it: by a factor, and from zero.
    let level = steps.op("Mul", &[&above, &inverse]);
    let level = steps.op("Sub", &[&level, &zero]);
    let level = steps.op("Add", &[&level, &half]);
    let level = steps.op("Floor", &[&level]);
    cx.emit(node, "Mul", vec![level, scale], layout, vec![]);
    Ok(())
}

/// The levels between two bounds that have such a distance.
fn rounded(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    name: String,
    [min, max, scale]: [&String; 3],
) -> Result<()> {
    let mut steps = Steps { cx, node };
    let half = steps.number(DType::Float32, 0.5);
    let at_least = steps.op("Max", &[&name, min]);
    let clamped = steps.op("Min", &[&at_least, max]);
    let above = steps.op("Sub", &[&clamped, min]);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    let level = steps.op("Div", &[&above, scale]);
    let level = steps.op("Add", &[&level, &half]);
    let level = steps.op("Floor", &[&level]);
    let scaled = steps.op("Mul", &[&level, scale]);
    cx.emit(node, "Add", vec![scaled, min.clone()], layout, vec![]);
    Ok(())
}

/// The same where the model computes the bounds, by the arithmetic of `nudged`.
fn open_fake_quant(cx: &mut Lowering<'_>, node: NodeRef<'_>, [first, last]: [f32; 2]) -> Result<()> {
    let [name, min, max] = [0, 1, 2].map(|index| cx.in_tensorflow_layout(cx.input_of(node, index)?));
    let (name, min, max) = (name?, min?, max?);
    let mut steps = Steps { cx, node };
    let [first, last, count, none, one, half] = [first, last, last - first, 0.0, 1.0, 0.5]
        .map(|value| steps.number(DType::Float32, f64::from(value)));
    let distance = steps.op("Sub", &[&max, &min]);
    let scale = steps.op("Div", &[&distance, &count]);
    // Between 0 and 0 there is only 0.
    let is_nothing = steps.op("Equal", &[&scale, &none]);
    let scale = steps.op("Where", &[&is_nothing, &one, &scale]);
    let level = steps.op("Div", &[&min, &scale]);
    let zero = steps.op("Sub", &[&first, &level]);
    let zero = steps.op("Max", &[&zero, &first]);
    let zero = steps.op("Min", &[&zero, &last]);
    let floor = steps.op("Floor", &[&zero]);
    let rest = steps.op("Sub", &[&zero, &floor]);
    let next = steps.op("Add", &[&floor, &one]);
    let is_up = steps.op("GreaterOrEqual", &[&rest, &half]);
    let zero = steps.op("Where", &[&is_up, &next, &floor]);
    let [min, max] = [&first, &last].map(|level| {
        let above = steps.op("Sub", &[level, &zero]);
        steps.op("Mul", &[&above, &scale])
    });
    let max = steps.op("Where", &[&is_nothing, &none, &max]);
    rounded(cx, node, name, [&min, &max, &scale])
}

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
        let shape: Vec<i64> = (0..rank).map(|other| if other == axis { -1 } else { 1 }).collect();
        let shape = steps.ints(&shape);
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
    let axis = match usize::try_from(node.int("axis", -1)) {
        Ok(axis) => Some((axis, cx.rank(node, input)?)),
        Err(_) => None,
    };
    let name = cx.in_tensorflow_layout(input)?;
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
                false => (i64::from(is_narrow), (1i64 << bits) - 1),
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
                (false, true) => one.clone(),
                (false, false) => zero.clone(),
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
    let fitted_max = steps.op("Div", &[&greatest_name, &scale]);
    let fitted_min = steps.op("Div", &[&least_name, &scale]);
    let max = steps.op("Where", &[&is_by_min, &fitted_max, &max]);
    let min = steps.op("Where", &[&is_by_min, &min, &fitted_min]);
    let at_least = steps.op("Max", &[&name, &min]);
    let clamped = steps.op("Min", &[&at_least, &max]);
    let scaled = steps.op("Mul", &[&clamped, &scale]);
    let rounded = if node.text("round_mode") == Some("HALF_UP") {
        let half = steps.number(dtype, 0.5);
        let raised = steps.op("Add", &[&scaled, &half]);
        steps.op("Floor", &[&raised])
    } else {
        steps.op("Round", &[&scaled])
    };
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Div", vec![rounded, scale], layout, vec![]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::nudged;

    #[test]
    fn zero_is_one_of_the_levels() {
        let [min, max, scale, ..] = nudged(-6.0, 6.0, [0.0, 255.0]);
        let level = -min / scale;
        assert!((level - level.round()).abs() < 1e-4, "{level}");
        assert!((max - min - 12.0).abs() < 1e-4);
        assert_eq!(nudged(1.0, 2.0, [0.0, 255.0])[0], 0.0);
    }
}
