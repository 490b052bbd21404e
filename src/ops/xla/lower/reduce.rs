//! Elements that a function of two numbers combines.
//!
//! Sources: "Reduce" in <https://openxla.org/xla/operation_semantics>; Reduce* in <https://onnx.ai/onnx/operators/>.

use super::best::best;
use super::computation::{Combination, combination};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::reduce::lower::large;
use crate::ops::reduce::lower::reduce::integer_extremes;
use crate::ops::xla::dimensions;
use crate::tensor::{DType, for_each_number};

/// The operators that combine all elements along axes, and elements of two tensors.
fn operators(combination: Combination) -> Option<[&'static str; 2]> {
    Some(match combination {
        Combination::Second => return None,
        Combination::Add => ["ReduceSum", "Add"],
        Combination::Multiply => ["ReduceProd", "Mul"],
        Combination::Max => ["ReduceMax", "Max"],
        Combination::Min => ["ReduceMin", "Min"],
        Combination::And => ["ReduceProd", "And"],
        Combination::Or => ["ReduceProd", "Or"],
    })
}

/// The number that leaves every other one as it is.
pub fn neutral(combination: Combination, dtype: DType) -> f64 {
    let [least, greatest] = integer_extremes(dtype).unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
    match combination {
        Combination::Add | Combination::Or | Combination::Second => 0.0,
        Combination::Multiply | Combination::And => 1.0,
        Combination::Max => least,
        Combination::Min => greatest,
    }
}

/// What a node's function makes of two elements.
///
/// # Errors
/// If it is nothing that can be done in any order.
pub fn reduction(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    attribute: &str,
    dtype: DType,
) -> Result<Combination> {
    match combination(cx, node, attribute, dtype)? {
        Combination::Second => {
            Err(node.error(format!("its function `{attribute}` returns an argument")).unsupported())
        }
        combination => Ok(combination),
    }
}

/// All elements along axes combined. The axes go.
pub fn reduced(
    steps: &mut Steps<'_, '_, '_>,
    mut value: String,
    (combination, dtype): (Combination, DType),
    axes: &[i64],
) -> String {
    let Some([operator, _]) = operators(combination).filter(|_| !axes.is_empty()) else { return value };
    match combination {
        Combination::Max | Combination::Min if matches!(dtype, DType::Int64 | DType::UInt64) => {
            let is_greatest = combination == Combination::Max;
            for &axis in axes.iter().rev() {
                value = large::extreme_along(steps.cx, steps.node, value, axis, is_greatest);
            }
            value
        }
        // Some hold if not all do not.
        Combination::And | Combination::Or => {
            let is_negated = combination == Combination::Or;
            if is_negated {
                value = steps.op("Not", &[&value]);
            }
            let numbers = steps.cast(&value, DType::Int32);
            let product = steps.reduce(operator, &numbers, axes, false);
            let all = steps.cast(&product, DType::Bool);
            if is_negated { steps.op("Not", &[&all]) } else { all }
        }
        _ => steps.reduce(operator, &value, axes, false),
    }
}

/// A result combined with the number that the node begins with, its second input.
///
/// # Errors
/// If the node has no such input.
pub fn with_first(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (value, layout): (String, Layout),
    (combination, dtype): (Combination, DType),
) -> Result<()> {
    let first = cx.input_of(node, 1)?;
    let mut is_neutral = false;
    // Large integers are no numbers of float64.
    if let Some(constant) = cx.constant(first).filter(|constant| constant.len() == 1)
        && !(combination == Combination::Min && matches!(dtype, DType::Int64 | DType::UInt64))
    {
        let wanted = neutral(combination, dtype);
        for_each_number(dtype, &constant.bytes()?, |number| is_neutral = number == wanted);
    }
    match operators(combination) {
        Some([_, operator]) if !is_neutral => {
            let first = cx.in_tensorflow_layout(first)?;
            cx.emit(node, operator, vec![first, value], layout, vec![]);
        }
        _ => cx.emit(node, "Identity", vec![value], layout, vec![]),
    }
    Ok(())
}

pub fn reduce(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if node.inputs.len() != 2 {
        return best(cx, node);
    }
    let dtype = cx.dtype(input);
    let combination = reduction(cx, node, "reducer", dtype)?;
    let rank = cx.rank(node, input)?;
    let axes = dimensions::axes(&node, node.ints("dimensions_to_reduce"), rank)?;
    if axes.is_empty() {
        // XLA leaves the number that it begins with out.
        return cx.alias(node.into(), input);
    }
    if axes.iter().any(|&axis| cx.shape(input).dim(axis) == Some(0)) {
        return of_nothing(cx, node, &axes);
    }
    let (name, layout) = cx.stored(input)?;
    let mut stored: Vec<i64> = axes.iter().map(|&axis| layout.stored_axis(axis) as i64).collect();
    stored.sort_unstable();
    let value = reduced(&mut Steps { cx, node }, name, (combination, dtype), &stored);
    let is_gone: Vec<bool> = (0..rank).map(|axis| axes.contains(&axis)).collect();
    with_first(cx, node, (value, layout.without(&is_gone)), (combination, dtype))
}

/// The number that the node begins with, where there is nothing that it could be combined with.
fn of_nothing(cx: &mut Lowering<'_>, node: NodeRef<'_>, axes: &[usize]) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (value, first) = (steps.input(0)?, steps.input(1)?);
    let shape = steps.op("Shape", &[&value]);
    let rank = steps.cx.rank(node, node.inputs[0])?;
    let kept: Vec<i64> = dimensions::others(axes, rank).map(|axis| axis as i64).collect();
    let kept = steps.ints(&kept);
    let shape = steps.op("Gather", &[&shape, &kept]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Expand", vec![first, shape], layout, vec![]);
    Ok(())
}
