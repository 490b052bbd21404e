//! Sums and products that run along an axis.
//!
//! Sources: `tf.math.cumsum` and `tf.math.cumprod` in TensorFlow's API documentation; CumSum in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, Attributes};
use crate::ops::array::lower::around::{Around, int_vector};
use crate::tensor::DType;

fn flags(node: NodeRef<'_>) -> Attributes {
    ["exclusive", "reverse"]
        .into_iter()
        .filter(|name| node.bool(name, false))
        .map(|name| (name, Attribute::Int(1)))
        .collect()
}

pub fn cumsum(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let axis = match (cx.known_integers(node, 1)?.as_deref(), cx.shape(input).rank()) {
        (Some(&[axis]), Some(rank)) if rank > 0 => Some(node.axis(axis, rank)?),
        _ => None,
    };
    match axis {
        Some(axis) => {
            let (name, layout) = cx.stored(input)?;
            let axis = cx.scalar(node, "axis", DType::Int64, layout.stored_axis(axis) as f64);
            cx.emit(node, "CumSum", vec![name, axis], layout, flags(node));
        }
        None => {
            let name = cx.in_tensorflow_layout(input)?;
            let axis = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
            let layout = Layout::tensorflow_of(cx.shape(input));
            cx.emit(node, "CumSum", vec![name, axis], layout, flags(node));
        }
    }
    Ok(())
}

/// ONNX has no running product. Each element becomes all elements of its row along a new axis, those that do not belong to its product
/// being 1, and these are multiplied.
pub fn cumprod(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let known = match (cx.known_integers(node, 1)?.as_deref(), cx.shape(input).rank()) {
        (Some(&[axis]), Some(rank)) if rank > 0 => Some((node.axis(axis, rank)?, rank)),
        _ => None,
    };
    let (dtype, name) = (cx.dtype(input), cx.in_tensorflow_layout(input)?);
    let axis_input = if known.is_none() { int_vector(cx, node, 1)? } else { String::new() };
    let mut steps = Steps { cx, node };
    let (around, name, axis, rank) = match known {
        Some((axis, rank)) => (None, name, axis, rank),
        None => {
            let around = Around::new(&mut steps, &name, &axis_input);
            let value = around.value.clone();
            (Some(around), value, 1, 3)
        }
    };
    let length = steps.length(&name, axis as i64);
    let positions = steps.positions(&length);
    // The mask has the axis of the result, that of the factors, and one for each axis behind them.
    let mut with_axes_behind = |count: usize| {
        let axes: Vec<i64> = (1..=count as i64).collect();
        let axes = steps.ints(&axes);
        steps.op("Unsqueeze", &[&positions, &axes])
    };
    let (rows, columns) = (with_axes_behind(rank - axis), with_axes_behind(rank - axis - 1));
    let belongs = match (node.bool("exclusive", false), node.bool("reverse", false)) {
        (false, false) => "LessOrEqual",
        (true, false) => "Less",
        (false, true) => "GreaterOrEqual",
        (true, true) => "Greater",
    };
    let mask = steps.op(belongs, &[&columns, &rows]);
    let (neutral, new) = (steps.number(dtype, 1.0), steps.ints(&[axis as i64]));
    let spread = steps.op("Unsqueeze", &[&name, &new]);
    let masked = steps.op("Where", &[&mask, &spread, &neutral]);
    match around {
        Some(around) => {
            let product = steps.reduce("ReduceProd", &masked, &[axis as i64 + 1], false);
            around.emit(&mut steps, node, product, Some(&length));
        }
        None => {
            let (inputs, attributes) = cx.reduction(node, masked, &[axis as i64 + 1], false);
            cx.emit(node, "ReduceProd", inputs, Layout::tensorflow(rank), attributes);
        }
    }
    Ok(())
}
