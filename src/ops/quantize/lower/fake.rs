//! Rounding to a few levels, as quantized training simulates it.
//!
//! Weights are rounded when they are written. In a graph that was trained for integers, ops with known bounds become quantization:
//! QuantizeLinear and DequantizeLinear, which runtimes combine with the ops between them to ops on integers, and weights are stored as
//! integers. Of a number half way between two levels, QuantizeLinear chooses the
//! even level, and TensorFlow the greater one.
//!
//! Sources: `tf.quantization.fake_quant_with_min_max_*` in TensorFlow's API documentation,
//! `tensorflow/core/kernels/fake_quant_ops_functor.h`; QuantizeLinear in
//! <https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html>.

use std::sync::Arc;

use crate::error::Result;
use crate::graph::{Node, NodeRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::quantize::weights::is_in_product_with_numbers;
use crate::tensor::{Constant, DType, Inline, Levels};

/// Where the bounds of a quantization are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    Attributes,
    /// Inputs that are one number each.
    Scalars,
    /// Inputs with a number for each channel, which is the last axis.
    PerChannel,
}

impl Bounds {
    /// Whether TensorFlow divides by the scale: its kernels differ.
    pub fn divides(self) -> bool {
        self == Self::Scalars
    }
}

/// The least and the greatest bound of each range, as far as they are known before the model runs.
fn known_bounds(cx: &Lowering<'_>, node: NodeRef<'_>, bounds: Bounds) -> Result<Option<Vec<[f32; 2]>>> {
    if bounds == Bounds::Attributes {
        return Ok(Some(vec![[node.float("min", -6.0), node.float("max", 6.0)]]));
    }
    let bound = |index: usize| -> Result<Option<Vec<f32>>> {
        let tensor = cx.input_of(node, index)?;
        Ok(cx.constant(tensor).map(Constant::to_f32s).transpose()?.flatten())
    };
    let known = bound(1)?.zip(bound(2)?).filter(|(mins, maxs)| mins.len() == maxs.len());
    Ok(known.map(|(mins, maxs)| mins.into_iter().zip(maxs).map(|(min, max)| [min, max]).collect()))
}

/// The least and the greatest integer of an op.
pub fn integers_of(node: &Node) -> [f32; 2] {
    let bits = node.int("num_bits", 8).clamp(2, 16);
    let first = if node.bool("narrow_range", false) { 1.0 } else { 0.0 };
    [first, ((1i64 << bits) - 1) as f32]
}

pub fn fake_quant(cx: &mut Lowering<'_>, node: NodeRef<'_>, bounds: Bounds) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let integers = integers_of(&node);
    let Some(known) = known_bounds(cx, node, bounds)? else {
        return at_run_time(cx, node, bounds, integers);
    };
    let levels: Vec<Levels> =
        known.iter().map(|&bounds_of_part| Levels::new(bounds_of_part, integers, bounds.divides())).collect();
    if !levels.iter().all(Levels::is_proper) {
        return at_run_time(cx, node, bounds, integers);
    }
    let levels = if bounds == Bounds::PerChannel { levels } else { levels[..1].to_vec() };
    let axis = match (bounds, cx.shape(input).rank()) {
        (Bounds::PerChannel, Some(rank)) => Some(rank.saturating_sub(1)),
        // Bounds broadcast from the last axis, wherever it is.
        (Bounds::PerChannel, None) => return with_known_bounds(cx, node, &levels, bounds),
        _ => None,
    };
    if let Some(constant) = cx.constant(input).filter(|constant| constant.is_stored_as_float32()) {
        let fits = axis.is_none_or(|axis| constant.shape().get(axis) == Some(&levels.len()));
        if fits && constant.dtype() == DType::Float32 {
            let mut rounded = constant.rounded_to(levels.into(), axis.unwrap_or(0));
            if is_in_product_with_numbers(cx.graph, node.id) {
                rounded = rounded.as_numbers();
            }
            cx.set_constant(node.into(), rounded);
            return Ok(());
        }
    }
    if integers[1] <= 255.0 && cx.writes_qdq(axis.is_some()) {
        return quantize_and_dequantize(cx, node, &levels, axis);
    }
    with_known_bounds(cx, node, &levels, bounds)
}

/// Integers, and back. Integers that are not all of a byte's are those of the numbers between the bounds.
fn quantize_and_dequantize(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    levels: &[Levels],
    axis: Option<usize>,
) -> Result<()> {
    let (mut value, layout) = cx.stored(node.inputs[0])?;
    let axis = axis.map(|axis| layout.stored_axis(axis));
    let shape = axis.map_or(vec![], |_| vec![levels.len()]);
    let numbers = |pick: fn(&Levels) -> f32| levels.iter().map(pick).collect::<Vec<f32>>();
    let initializer = |cx: &mut Lowering<'_>, what: &str, constant: Constant| {
        cx.initializer(&format!("{}/{what}", node.name), constant, &[])
    };
    if levels.iter().any(|levels| [levels.first, levels.last] != [0.0, 255.0]) {
        // Bounds broadcast from the last axis.
        let behind = axis.map_or(0, |axis| layout.axes().len() - axis - 1);
        let of_bound = [shape.clone(), vec![1; if axis.is_some() { behind } else { 0 }]].concat();
        let min = Constant::from_f32(of_bound.clone(), &numbers(|levels| levels.min));
        let max = Constant::from_f32(of_bound, &numbers(|levels| levels.max));
        let (min, max) = (initializer(cx, "min", min), initializer(cx, "max", max));
        value = match axis {
            None => cx.step(node, "clipped", "Clip", vec![value, min, max], vec![]),
            Some(_) => {
                let value = cx.step(node, "at_most", "Min", vec![value, max], vec![]);
                cx.step(node, "clipped", "Max", vec![value, min], vec![])
            }
        };
    }
    let zeros: Vec<u8> = levels.iter().map(|levels| levels.zero_point as u8).collect();
    let zeros = Constant::new(DType::UInt8, shape.clone(), Arc::new(Inline::Bytes(zeros.into())));
    let scale = initializer(cx, "scale", Constant::from_f32(shape, &numbers(|levels| levels.scale)));
    let zero_point = initializer(cx, "zero_point", zeros);
    let attributes: Vec<_> = axis.map(|axis| ("axis", Attribute::Int(axis as i64))).into_iter().collect();
    let inputs = vec![value, scale.clone(), zero_point.clone()];
    let quantized = cx.step(node, "quantized", "QuantizeLinear", inputs, attributes.clone());
    cx.emit(node, "DequantizeLinear", vec![quantized, scale, zero_point], layout, attributes);
    Ok(())
}

/// The numbers that the arithmetic needs: the bounds, the scale, what a number is divided by or multiplied with, and the level of
/// zero above the least level.
struct Range {
    min: String,
    max: String,
    scale: String,
    factor: String,
    zero: String,
}

fn with_known_bounds(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    levels: &[Levels],
    bounds: Bounds,
) -> Result<()> {
    let mut constant = |what: &str, pick: fn(&Levels) -> f32| {
        let values: Vec<f32> = levels.iter().map(pick).collect();
        let shape = if bounds == Bounds::PerChannel { vec![values.len()] } else { vec![] };
        cx.initializer(&format!("{}/{what}", node.name), Constant::from_f32(shape, &values), &[])
    };
    let range = Range {
        min: constant("min", |levels| levels.min),
        max: constant("max", |levels| levels.max),
        scale: constant("scale", |levels| levels.scale),
        factor: constant("factor", |levels| if levels.divides { levels.scale } else { levels.inverse }),
        zero: constant("zero", |levels| levels.zero_point - levels.first),
    };
    let (name, layout) = match bounds {
        // Numbers of the last axis.
        Bounds::PerChannel => {
            (cx.in_tensorflow_layout(node.inputs[0])?, Layout::tensorflow_of(cx.shape(node.into())))
        }
        _ => cx.stored(node.inputs[0])?,
    };
    let mut steps = Steps { cx, node };
    let level = level(&mut steps, &name, &range, bounds);
    cx.emit(node, "Mul", vec![level, range.scale], layout, vec![]);
    Ok(())
}

/// The level that is nearest to each number, as a multiple of the scale.
fn level(steps: &mut Steps<'_, '_, '_>, name: &String, range: &Range, bounds: Bounds) -> String {
    let half = steps.number(DType::Float32, 0.5);
    let at_most = steps.op("Min", &[name, &range.max]);
    let clamped = steps.op("Max", &[&at_most, &range.min]);
    let above = steps.op("Sub", &[&clamped, &range.min]);
    let operator = if bounds.divides() { "Div" } else { "Mul" };
    let level = steps.op(operator, &[&above, &range.factor]);
    let level = steps.op("Sub", &[&level, &range.zero]);
    let level = steps.op("Add", &[&level, &half]);
    steps.op("Floor", &[&level])
}

/// The same arithmetic where the bounds are computed by the model, or are no range.
fn at_run_time(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    bounds: Bounds,
    [first, last]: [f32; 2],
) -> Result<()> {
    let name = cx.in_tensorflow_layout(node.inputs[0])?;
    let [min, max] = if bounds == Bounds::Attributes {
        let [min, max] = [node.float("min", -6.0), node.float("max", 6.0)];
        [("given_min", min), ("given_max", max)].map(|(what, value)| {
            cx.initializer(&format!("{}/{what}", node.name), Constant::from_f32(vec![], &[value]), &[])
        })
    } else {
        let bound = |cx: &mut Lowering<'_>, index| {
            cx.input_of(node, index).and_then(|input| cx.in_tensorflow_layout(input))
        };
        [bound(cx, 1)?, bound(cx, 2)?]
    };
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    let mut steps = Steps { cx, node };
    let number = |steps: &mut Steps<'_, '_, '_>, value: f32| steps.number(DType::Float32, value.into());
    let (first_name, last_name) = (number(&mut steps, first), number(&mut steps, last));
    let (count, zero, half, one) = (
        number(&mut steps, last - first),
        number(&mut steps, 0.0),
        number(&mut steps, 0.5),
        number(&mut steps, 1.0),
    );
    let width = steps.op("Sub", &[&max, &min]);
    let scale = steps.op("Div", &[&width, &count]);
    let levels_below = steps.op("Div", &[&min, &scale]);
    let exact = steps.op("Sub", &[&first_name, &levels_below]);
    // Half a level is rounded up.
    let floor = steps.op("Floor", &[&exact]);
    let fraction = steps.op("Sub", &[&exact, &floor]);
    let is_below_half = steps.op("Less", &[&fraction, &half]);
    let above = steps.op("Add", &[&floor, &one]);
    let zero_point = steps.op("Where", &[&is_below_half, &floor, &above]);
    let is_above = steps.op("Greater", &[&exact, &last_name]);
    let zero_point = steps.op("Where", &[&is_above, &last_name, &zero_point]);
    let is_below = steps.op("Less", &[&exact, &first_name]);
    let zero_point = steps.op("Where", &[&is_below, &first_name, &zero_point]);
    let bound = |steps: &mut Steps<'_, '_, '_>, integer: &String| {
        let levels = steps.op("Sub", &[integer, &zero_point]);
        steps.op("Mul", &[&levels, &scale])
    };
    let (nudged_min, nudged_max) = (bound(&mut steps, &first_name), bound(&mut steps, &last_name));
    let factor = if bounds.divides() { scale.clone() } else { steps.op("Div", &[&count, &width]) };
    let zero_level = steps.op("Sub", &[&zero_point, &first_name]);
    let range = Range { min: nudged_min, max: nudged_max, scale, factor, zero: zero_level };
    let level = level(&mut steps, &name, &range, bounds);
    let value = steps.op("Mul", &[&level, &range.scale]);
    // Between 0 and 0 there is only 0.
    let sides = [&min, &max].map(|bound| steps.op("Equal", &[bound, &zero]));
    let is_nothing = steps.op("And", &[&sides[0], &sides[1]]);
    cx.emit(node, "Where", vec![is_nothing, zero, value], layout, vec![]);
    Ok(())
}
