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

/// The unsigned integers of a size.
fn unsigned(size: usize) -> Option<DType> {
    Some(match size {
        1 => DType::UInt8,
        2 => DType::UInt16,
        4 => DType::UInt32,
        8 => DType::UInt64,
        _ => return None,
    })
}

/// Casts between integers of one size keep their bits, BitCast those of other types. Between sizes, integers are taken apart or put
/// together, the lowest bits first.
pub fn bitcast(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (from, to) = (cx.dtype(input), cx.dtype(node.into()));
    if from == to {
        return cx.alias(node.into(), input);
    }
    let refused = || node.error(format!("ONNX does not read {} as {}", from.name(), to.name())).unsupported();
    let (Some(from_size), Some(to_size)) = (from.size(), to.size()) else { return Err(refused()) };
    let (Some(read), Some(written)) = (unsigned(from_size), unsigned(to_size)) else { return Err(refused()) };
    if !from.is_real() || !to.is_real() {
        return Err(refused());
    }
    if !(is_integer(from) && is_integer(to)) && cx.opset() < BIT_CAST {
        return Err(node
            .error(format!("ONNX reads {} as {} from operator set {BIT_CAST} on", from.name(), to.name()))
            .unsupported()
            .advice(format!("choose {} or later", Setting::Opset.to(BIT_CAST))));
    }
    let (mut name, layout) = if from_size == to_size {
        cx.stored(input)?
    } else {
        (cx.in_tensorflow_layout(input)?, Layout::tensorflow_of(cx.shape(node.into())))
    };
    let mut steps = Steps { cx, node };
    if from_size != to_size {
        name = if is_integer(from) { steps.cast(&name, read) } else { steps.read_as(&name, read) };
        name = if from_size > to_size {
            steps.apart(&name, (from_size / to_size) as i64, to_size)
        } else {
            steps.together(&name, (to_size / from_size) as i64, from_size)
        };
    }
    let is_cast = is_integer(to) && (is_integer(from) || from_size != to_size);
    if is_cast {
        steps.cx.emit_cast(node, name, layout);
        return Ok(());
    }
    if from_size != to_size {
        name = steps.cast(&name, written);
    }
    let to = Attribute::Int(onnx_dtype(to).unwrap_or_default().into());
    steps.cx.emit(node, "BitCast", vec![name], layout, vec![("to", to)]);
    Ok(())
}

impl Steps<'_, '_, '_> {
    fn read_as(&mut self, value: &str, to: DType) -> String {
        let to = Attribute::Int(onnx_dtype(to).unwrap_or_default().into());
        self.cx.step(self.node, "bits", "BitCast", vec![value.to_owned()], vec![("to", to)])
    }

    /// Unsigned integers as so many smaller ones each, along a new last axis.
    fn apart(&mut self, value: &str, count: i64, size: usize) -> String {
        let behind = self.ints(&[-1]);
        let value = self.cast(value, DType::UInt64);
        let value = self.op("Unsqueeze", &[&value, &behind]);
        let places: Vec<i64> = (0..count).map(|index| index * 8 * size as i64).collect();
        let places = self.ints(&places);
        let places = self.cast(&places, DType::UInt64);
        let attributes = vec![("direction", Attribute::Text("RIGHT".to_owned()))];
        let moved = self.cx.step(self.node, "moved", "BitShift", vec![value, places], attributes);
        let range = self.number(DType::UInt64, 2f64.powi(8 * size as i32));
        self.op("Mod", &[&moved, &range])
    }

    /// The integers along the last axis as one greater one, as int64.
    fn together(&mut self, value: &str, count: i64, size: usize) -> String {
        let range = 1i64 << (8 * size);
        let value = self.cast(value, DType::Int64);
        let value = if count as usize * size == 8 {
            // The highest bit is the sign of int64.
            let (half, whole, none) = (self.int(range / 2), self.int(range), self.int(0));
            let numbers: Vec<i64> = (0..count).collect();
            let (numbers, last) = (self.ints(&numbers), self.int(count - 1));
            let is_last = self.op("Equal", &[&numbers, &last]);
            let is_negative = self.op("GreaterOrEqual", &[&value, &half]);
            let is_negative = self.op("And", &[&is_negative, &is_last]);
            let less = self.op("Where", &[&is_negative, &whole, &none]);
            self.op("Sub", &[&value, &less])
        } else {
            value
        };
        let factors: Vec<i64> = (0..count).map(|index| 1 << (8 * size as i64 * index)).collect();
        let factors = self.ints(&factors);
        let parts = self.op("Mul", &[&value, &factors]);
        let axis = self.last_axis(0);
        self.reduce("ReduceSum", &parts, &[axis], false)
    }
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
    let rank = cx.shape(input).rank();
    let mut steps = Steps { cx, node };
    let mut name = steps.input_as(0, unsigned)?;
    let shape = rank.is_none().then(|| steps.op("Shape", &[&name]));
    if shape.is_some() {
        // A vector, because ONNX Runtime reduces no tensor without elements along an axis that is counted from the last one.
        let flat = steps.ints(&[-1]);
        name = steps.op("Reshape", &[&name, &flat]);
    }
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
    let mut count = steps.reduce("ReduceSum", &bit, &[rank.unwrap_or(1) as i64], false);
    if let Some(shape) = shape {
        count = steps.op_with("Reshape", &[&count, &shape], "allowzero", 1);
    }
    steps.cx.emit_cast(node, count, layout);
    Ok(())
}
