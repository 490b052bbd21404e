//! The bits of elements: counted, and read as another type.
//!
//! Sources: `tf.bitcast` and `tf.raw_ops.PopulationCount` in TensorFlow's API documentation; BitShift, BitCast and Cast in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, Shape};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, onnx_dtype};
use crate::setting::Setting;
use crate::tensor::DType;

/// The first operator set with BitCast.
const BIT_CAST: i64 = 26;

/// The shape of a tensor whose elements are read as others of another size: a last axis appears or goes.
pub fn cast_shape(shape: &Shape, from: usize, to: usize) -> Shape {
    match shape.dims() {
        Some(dims) if from > to => Shape::new([dims, &[Some(from / to)]].concat()),
        Some([rest @ .., _]) if from < to => Shape::new(rest.to_vec()),
        _ if from == to => shape.clone(),
        _ => Shape::UNKNOWN,
    }
}

fn is_integer(dtype: DType) -> bool {
    !dtype.is_float() && dtype.is_real()
}

/// A cast between integers of one size keeps their bits.
pub fn bitcast(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (from, to) = (cx.dtype(input), cx.dtype(node.into()));
    if from == to {
        return cx.alias(node.into(), input);
    }
    if from.size() != to.size() || from.size().is_none() {
        return Err(node
            .error(format!("it reads {} as {}, and ONNX only reads elements as others of one size", from.name(), to.name()))
            .unsupported());
    }
    let (name, layout) = cx.stored(input)?;
    if is_integer(from) && is_integer(to) {
        cx.emit_cast(node, name, layout);
        return Ok(());
    }
    if cx.opset() < BIT_CAST {
        return Err(node
            .error(format!("ONNX reads {} as {} from operator set {BIT_CAST} on", from.name(), to.name()))
            .unsupported()
            .advice(format!("choose {} or later", Setting::Opset.to(BIT_CAST))));
    }
    let to = onnx_dtype(to).unwrap_or_default();
    cx.emit(node, "BitCast", vec![name], layout, vec![("to", Attribute::Int(to.into()))]);
    Ok(())
}

/// The sum of all bits. Negative numbers have the bits of their type.
pub fn population_count(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (unsigned, wide, bits) = match cx.dtype(input) {
        DType::Int8 | DType::UInt8 => (DType::UInt8, DType::UInt32, 8),
        DType::Int16 | DType::UInt16 => (DType::UInt16, DType::UInt32, 16),
        DType::Int64 | DType::UInt64 => (DType::UInt64, DType::UInt64, 64),
        _ => (DType::UInt32, DType::UInt32, 32),
    };
    let layout = Layout::tensorflow_of(cx.shape(input));
    let mut steps = Steps { cx, node };
    let mut name = steps.input_as(0, unsigned)?;
    if unsigned != wide {
        name = steps.cast(&name, wide);
    }
    let behind = steps.ints(&[-1]);
    let column = steps.op("Unsqueeze", &[&name, &behind]);
    let numbers: Vec<i64> = (0..bits).collect();
    let places = steps.ints(&numbers);
    let places = steps.cast(&places, wide);
    let attributes = vec![("direction", Attribute::Text("RIGHT".to_owned()))];
    let moved = steps.cx.step(node, "moved", "BitShift", vec![column, places], attributes);
    let two = steps.number(wide, 2.0);
    let bit = steps.op("Mod", &[&moved, &two]);
    let bit = steps.cast(&bit, DType::Int32);
    let axis = steps.cx.shape(input).rank().map_or(-1, |rank| rank as i64);
    let count = steps.reduce("ReduceSum", &bit, &[axis], false);
    steps.cx.emit_cast(node, count, layout);
    Ok(())
}
