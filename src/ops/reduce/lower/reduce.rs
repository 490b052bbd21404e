//! Reductions along axes.
//!
//! Sources: `tf.math.reduce_*`, `tf.math.argmax` and `tf.nn.softmax` in TensorFlow's API documentation; Reduce*, ArgMax and Softmax in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::zeros_are_lengths;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::around::{Around, int_vector, reshaped};
use crate::ops::array::lower::coordinates;
use crate::ops::operator;
use crate::ops::reduce::Reduction;
use crate::ops::reduce::lower::{large, runs};
use crate::tensor::DType;

/// A reduction of numbers or of booleans.
#[derive(Clone, Copy)]
enum Reduced {
    Numbers(Reduction),
    /// Booleans, to whether all of them hold. The product of no elements is 1, which their least is not.
    All,
    /// Booleans, to whether any of them holds, which is whether not all are false: of no elements the greatest would not be 0.
    Any,
}

pub fn numbers(cx: &mut Lowering<'_>, node: NodeRef<'_>, reduction: Reduction) -> Result<()> {
    reduce(cx, node, Reduced::Numbers(reduction))
}

pub fn all(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    reduce(cx, node, Reduced::All)
}

pub fn any(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    reduce(cx, node, Reduced::Any)
}

impl Reduced {
    fn operator(self) -> &'static str {
        match self {
            Self::Numbers(Reduction::Sum) => "ReduceSum",
            Self::Numbers(Reduction::Mean) => "ReduceMean",
            Self::Numbers(Reduction::Prod) | Self::All | Self::Any => "ReduceProd",
            Self::Numbers(Reduction::Max) => "ReduceMax",
            Self::Numbers(Reduction::Min) => "ReduceMin",
            Self::Numbers(Reduction::EuclideanNorm) => "ReduceL2",
        }
    }

    /// The type that it reduces, where it is not that of the input. TensorFlow adds small integers as int64.
    fn computed_as(self, dtype: DType) -> Option<DType> {
        match self {
            Self::All | Self::Any => Some(DType::Int32),
            Self::Numbers(Reduction::Mean)
                if !dtype.is_float() && dtype.size().is_some_and(|size| size < 8) =>
            {
                Some(DType::Int64)
            }
            Self::Numbers(_) => None,
        }
    }
}

/// The least and the greatest integer of a type.
pub fn integer_extremes(dtype: DType) -> Option<[f64; 2]> {
    Some(match dtype {
        DType::Int64 => [i64::MIN as f64, i64::MAX as f64],
        DType::Int32 => [f64::from(i32::MIN), f64::from(i32::MAX)],
        DType::Int16 => [f64::from(i16::MIN), f64::from(i16::MAX)],
        DType::Int8 => [f64::from(i8::MIN), f64::from(i8::MAX)],
        DType::UInt64 => [0.0, u64::MAX as f64],
        DType::UInt32 => [0.0, f64::from(u32::MAX)],
        DType::UInt16 => [0.0, f64::from(u16::MAX)],
        DType::UInt8 => [0.0, f64::from(u8::MAX)],
        _ => return None,
    })
}

/// What TensorFlow makes of no elements where ONNX does not say, or ONNX Runtime computes something else: of a reduction along
/// an axis that is known to have none.
fn of_nothing(
    cx: &Lowering<'_>,
    node: NodeRef<'_>,
    reduced: Reduced,
    axes: Option<&[i64]>,
) -> Result<Option<f64>> {
    let shape = cx.shape(cx.input_of(node, 0)?);
    let (Some(axes), Some(rank)) = (axes, shape.rank()) else { return Ok(None) };
    let is_empty = node.axes(axes, rank)?.into_iter().any(|axis| shape.dim(axis) == Some(0));
    if !is_empty || cx.shape(node.into()).fully_known().is_none() {
        return Ok(None);
    }
    let dtype = cx.dtype(node.into());
    let [least, greatest] = match integer_extremes(dtype) {
        Some(extremes) => extremes,
        None if dtype.is_float() => [f64::NEG_INFINITY, f64::INFINITY],
        None => return Ok(None),
    };
    Ok(match reduced {
        Reduced::Numbers(Reduction::Max) => Some(least),
        Reduced::Numbers(Reduction::Min) => Some(greatest),
        Reduced::Numbers(Reduction::Mean) if dtype.is_float() => Some(f64::NAN),
        _ => None,
    })
}

/// A reduction along axes, wherever they are stored.
fn reduce(cx: &mut Lowering<'_>, node: NodeRef<'_>, reduced: Reduced) -> Result<()> {
    let op = reduced.operator();
    let is_norm = matches!(reduced, Reduced::Numbers(Reduction::EuclideanNorm));
    let input = cx.input_of(node, 0)?;
    let keep = node.bool("keep_dims", false);
    let axes = cx.known_integers(node, 1)?;
    if axes.as_ref().is_some_and(Vec::is_empty) || cx.shape(input).rank() == Some(0) {
        if !is_norm {
            return cx.alias(node.into(), input);
        }
        let (name, layout) = cx.stored(input)?;
        cx.emit(node, "Abs", vec![name], layout, vec![]);
        return Ok(());
    }
    if let Some(value) = of_nothing(cx, node, reduced, axes.as_deref())? {
        let dims = cx.shape(node.into()).fully_known().unwrap_or_default();
        let dims: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
        let (value, shape) =
            (cx.scalar(node, "of_nothing", cx.dtype(node.into()), value), cx.vector(node, "shape", &dims));
        let layout = Layout::tensorflow(dims.len());
        cx.emit(node, "Expand", vec![value, shape], layout, vec![]);
        return Ok(());
    }
    let is_sum = op == "ReduceSum";
    let takes_axes = cx.opset() >= if is_sum { 13 } else { 18 };
    // Of a tensor without elements, ONNX Runtime forgets that no axes reduce nothing.
    let may_be_empty = cx.shape(input).fully_known().is_none_or(|dims| dims.contains(&0));
    let (mut name, axes, kept_layout) = match (axes, cx.shape(input).rank()) {
        (Some(axes), Some(rank)) => {
            let axes = node.axes(&axes, rank)?;
            let is_reduced: Vec<bool> = (0..rank).map(|axis| axes.contains(&axis)).collect();
            let (name, layout) = cx.stored(input)?;
            let mut stored: Vec<i64> = (0..rank)
                .filter(|&axis| is_reduced[axis])
                .map(|axis| layout.stored_axis(axis) as i64)
                .collect();
            stored.sort_unstable();
            let kept_layout = if keep { layout.clone() } else { layout.without(&is_reduced) };
            if let (Reduced::Numbers(Reduction::Max | Reduction::Min), DType::Int64 | DType::UInt64) =
                (reduced, cx.dtype(input))
            {
                let is_greatest = op == "ReduceMax";
                large::extreme(cx, node, name, &stored, (is_greatest, keep, kept_layout));
                return Ok(());
            }
            let is_added = matches!(reduced, Reduced::Numbers(Reduction::Sum | Reduction::Mean));
            let (name, stored) = match is_added && cx.dtype(input).is_float() {
                true => runs::reduce_all_but_first(cx, node, op, name, stored, (rank, keep)),
                false => (name, stored),
            };
            (name, cx.vector(node, "axes", &stored), kept_layout)
        }
        (Some(axes), None) if !takes_axes => {
            if axes.iter().any(|&axis| axis < 0) {
                // ONNX Runtime mistakes axes that are counted from the end where there are no elements.
                return reduce_last(cx, node, reduced);
            }
            let name = cx.in_tensorflow_layout(input)?;
            (name, cx.vector(node, "axes", &axes), Layout::tensorflow_of(cx.shape(node.into())))
        }
        (None, _) if !takes_axes || may_be_empty => return reduce_last(cx, node, reduced),
        (known, _) => {
            let name = cx.in_tensorflow_layout(input)?;
            let axes = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
            let axes = cx.cast(node, axes, DType::Int64);
            let flat = cx.vector(node, "flat", &[-1]);
            let mut axes = cx.step(node, "axes", "Reshape", vec![axes, flat], vec![]);
            if known.is_none_or(|axes| axes.iter().any(|&axis| axis < 0)) {
                // ONNX Runtime mistakes axes that are counted from the end where there are no elements.
                let rank = match cx.shape(input).rank() {
                    Some(rank) => cx.vector(node, "rank", &[rank as i64]),
                    None => {
                        let shape = cx.step(node, "shape", "Shape", vec![name.clone()], vec![]);
                        let rank = cx.step(node, "rank", "Shape", vec![shape], vec![]);
                        // Of a number without axes there is nothing to count from, but the division is made.
                        let one = cx.vector(node, "one", &[1]);
                        cx.step(node, "divisor", "Max", vec![rank, one], vec![])
                    }
                };
                axes = cx.step(node, "axes_from_front", "Mod", vec![axes, rank], vec![]);
            }
            (name, axes, Layout::tensorflow_of(cx.shape(node.into())))
        }
    };
    let mut attributes = vec![("keepdims", Attribute::Int(keep.into()))];
    if cx.known_integers(node, 1)?.is_none() {
        // No axes at all reduce nothing.
        attributes.push(("noop_with_empty_axes", Attribute::Int(1)));
        if is_norm {
            // Without axes ONNX leaves even the sign as it is.
            name = cx.step(node, "distances", "Abs", vec![name], vec![]);
        }
    }
    let computed_as = reduced.computed_as(cx.dtype(input));
    let is_negated = matches!(reduced, Reduced::Any);
    if is_negated {
        name = cx.step(node, "negated", "Not", vec![name], vec![]);
    }
    if let Some(dtype) = computed_as {
        name = cx.cast(node, name, dtype);
    }
    let inputs = vec![name, axes];
    match computed_as {
        None => cx.emit(node, op, inputs, kept_layout, attributes),
        Some(_) => {
            let value = cx.step(node, "reduced", op, inputs, attributes);
            if is_negated {
                let none = cx.cast(node, value, DType::Bool);
                cx.emit(node, "Not", vec![none], kept_layout, vec![]);
            } else {
                cx.emit_cast(node, value, kept_layout);
            }
        }
    }
    Ok(())
}

/// The same along axes that an input names when the model runs, in operator sets where they are an attribute: these axes go last, and
/// become one.
fn reduce_last(cx: &mut Lowering<'_>, node: NodeRef<'_>, reduced: Reduced) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let dtype = cx.dtype(input);
    let (name, axes) = (cx.in_tensorflow_layout(input)?, int_vector(cx, node, 1)?);
    let mut steps = Steps { cx, node };
    let shape = steps.op("Shape", &[&name]);
    let rank = steps.op("Shape", &[&shape]);
    let axes = coordinates::from_front(&mut steps, &axes, &rank);
    let (positions, last) = (steps.positions(&rank), steps.ints(&[1]));
    let all = steps.ints(&[-1]);
    let rows = steps.op("Unsqueeze", &[&positions, &last]);
    let is_named = steps.op("Equal", &[&rows, &axes]);
    let named = steps.cast(&is_named, DType::Int64);
    let times = steps.reduce("ReduceSum", &named, &[1], false);
    let is_reduced = steps.cast(&times, DType::Bool);
    let is_kept = steps.op("Not", &[&is_reduced]);
    let [kept, gone] = [&is_kept, &is_reduced].map(|mask| {
        let places = steps.op("NonZero", &[mask]);
        steps.op("Reshape", &[&places, &all])
    });
    let perm = steps.op_with("Concat", &[&kept, &gone], "axis", 0);
    let moved = coordinates::transposed(&mut steps, &name, &perm);
    let [kept, gone] = [&kept, &gone].map(|axes| steps.op("Gather", &[&shape, axes]));
    let count = steps.reduce("ReduceProd", &gone, &[0], true);
    let rows = steps.reduce("ReduceProd", &kept, &[0], true);
    let two = steps.op_with("Concat", &[&rows, &count], "axis", 0);
    let mut value = reshaped(&mut steps, &moved, &two);
    if matches!(reduced, Reduced::Any) {
        value = steps.op("Not", &[&value]);
    }
    if let Some(dtype) = reduced.computed_as(dtype) {
        value = steps.cast(&value, dtype);
    }
    value = steps.reduce(reduced.operator(), &value, &[1], false);
    if reduced.computed_as(dtype).is_some() {
        value = steps.cast(&value, dtype);
    }
    if matches!(reduced, Reduced::Any) {
        value = steps.op("Not", &[&value]);
    }
    let shape = if node.bool("keep_dims", false) {
        let one = steps.int(1);
        steps.op("Where", &[&is_reduced, &one, &shape])
    } else {
        kept
    };
    let attributes = zeros_are_lengths();
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Reshape", vec![value, shape], layout, attributes);
    Ok(())
}

/// Half the sum of all squares.
pub fn l2_loss(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, _) = cx.stored(cx.input_of(node, 0)?)?;
    let keep = vec![("keepdims", Attribute::Int(0))];
    let sum = cx.step(node, "sum", "ReduceSumSquare", vec![name], keep);
    let half = cx.scalar(node, "half", cx.dtype(node.into()), 0.5);
    cx.emit(node, "Mul", vec![sum, half], Layout::tensorflow(0), vec![]);
    Ok(())
}

/// Softmax over the last axis, wherever that is stored.
pub fn softmax(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (name, layout) = cx.stored(input)?;
    let axis = match cx.shape(input).rank() {
        Some(rank) if rank > 0 => layout.stored_axis(rank - 1) as i64,
        _ => -1,
    };
    // Below operator set 13, only the last axis is an axis of its own.
    let axis = if cx.opset() < 13 && axis + 1 == layout.axes().len() as i64 { -1 } else { axis };
    cx.emit(node, operator(&node), vec![name], layout, vec![("axis", Attribute::Int(axis))]);
    Ok(())
}

/// The index of the greatest or least element along an axis.
pub fn arg(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let op = operator(&node);
    let axis = match cx.known_integers(node, 1)?.as_deref() {
        Some(&[axis]) => axis,
        Some(_) => return Err(node.error("its axis is not one number")),
        None => return arg_open(cx, node, input),
    };
    let (name, layout) = cx.stored(input)?;
    let (axis, kept) = match cx.shape(input).rank() {
        Some(rank) if rank > 0 => {
            let axis = node.axis(axis, rank)?;
            let dropped: Vec<bool> = (0..rank).map(|other| other == axis).collect();
            (layout.stored_axis(axis) as i64, layout.without(&dropped))
        }
        _ => (axis, Layout::tensorflow_of(cx.shape(node.into()))),
    };
    let attributes = vec![("axis", Attribute::Int(axis)), ("keepdims", Attribute::Int(0))];
    if cx.dtype(node.into()) == DType::Int64 {
        cx.emit(node, op, vec![name], kept, attributes);
    } else {
        let position = cx.step(node, "place", op, vec![name], attributes);
        cx.emit_cast(node, position, kept);
    }
    Ok(())
}

/// The same along an axis that an input names when the model runs.
fn arg_open(cx: &mut Lowering<'_>, node: NodeRef<'_>, input: TensorRef) -> Result<()> {
    let (name, axis) = (cx.in_tensorflow_layout(input)?, int_vector(cx, node, 1)?);
    let result = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let around = Around::new(&mut steps, &name, &axis);
    let attributes = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
    let places = steps.cx.step(node, "places", operator(&node), vec![around.value.clone()], attributes);
    let places = if result == DType::Int64 { places } else { steps.cast(&places, result) };
    around.emit(&mut steps, node, places, None);
    Ok(())
}
