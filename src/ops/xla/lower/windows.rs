//! Elements in windows that a function of two numbers combines. What is added around a tensor or between its elements counts for nothing.
//!
//! Sources: "ReduceWindow" in <https://openxla.org/xla/operation_semantics>; MaxPool, AveragePool and CumSum in
//! <https://onnx.ai/onnx/operators/>.

use super::computation::Combination;
use super::pad::padded;
use super::reduce::{neutral, reduced, reduction, with_first};
use crate::error::Result;
use crate::graph::{NodeRef, Padding, window};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::nn::lower::open_windows::{Beyond, Sliding, gathered};
use crate::ops::xla::windows::{Edges, Window};
use crate::tensor::DType;

/// A window along an axis, and its size.
type Sized = (Window, i64);

pub fn reduce_window(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let mut numbers = vec![];
    for (index, what) in
        ["window_dimensions", "window_strides", "base_dilations", "window_dilations", "padding"]
            .into_iter()
            .enumerate()
    {
        numbers.push(cx.integers(node, index + 2, what)?);
    }
    let [sizes, strides, base, dilations, pads] = &numbers[..] else { return Ok(()) };
    let windows = Window::all(&node, sizes.len(), [strides, pads, base, dilations])?;
    if sizes.iter().any(|&size| !(1..1 << 31).contains(&size)) {
        return Err(node.error(format!("its window has the size {sizes:?}")));
    }
    let windows: Vec<Sized> = windows.into_iter().zip(sizes.iter().copied()).collect();
    let dtype = cx.dtype(input);
    let combination = reduction(cx, node, "computation", dtype)?;
    let result = match running_axis(cx, node, &windows).filter(|_| combination == Combination::Add) {
        Some((axis, is_reverse)) => running_sum(cx, node, axis, is_reverse)?,
        None => match pooled(cx, node, &windows, (combination, dtype))? {
            Some(pooled) => pooled,
            None => (of_gathered(cx, node, &windows, (combination, dtype))?, Layout::tensorflow(sizes.len())),
        },
    };
    with_first(cx, node, result, (combination, dtype))
}

/// Whether a window is that of single elements as they are.
fn is_trivial((window, size): &Sized) -> bool {
    *size == 1 && *window == Window { stride: 1, dilation: 1, edges: Edges::default() }
}

/// The axis along which each element becomes one of itself and of all before it, or of all behind it.
fn running_axis(cx: &Lowering<'_>, node: NodeRef<'_>, windows: &[Sized]) -> Option<(usize, bool)> {
    let mut others = windows.iter().enumerate().filter(|(_, window)| !is_trivial(window));
    let (axis, &(window, size)) = others.next()?;
    let length = cx.shape(*node.inputs.first()?).dim(axis)?;
    let Edges { low, high, interior } = window.edges;
    let is_running = others.next().is_none() && window.stride == 1 && interior == 0 && size == length as i64;
    match (low, high) {
        (before, 0) if is_running && before == size - 1 => Some((axis, false)),
        (0, behind) if is_running && behind == size - 1 => Some((axis, true)),
        _ => None,
    }
}

fn running_sum(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    axis: usize,
    is_reverse: bool,
) -> Result<(String, Layout)> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let axis = Steps { cx, node }.int(layout.stored_axis(axis) as i64);
    let attributes = vec![("reverse", Attribute::Int(is_reverse.into()))];
    Ok((cx.step(node, "running", "CumSum", vec![name, axis], attributes), layout))
}

/// Floats in windows along one to three axes, where two others can be those of batches and of channels.
fn pooled(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    windows: &[Sized],
    (combination, dtype): (Combination, DType),
) -> Result<Option<(String, Layout)>> {
    let fits = |&(window, size): &Sized| {
        let Edges { low, high, interior } = window.edges;
        interior == 0 && window.dilation == 1 && (0..size).contains(&low) && (0..size).contains(&high)
    };
    let (trivial, spatial): (Vec<usize>, Vec<usize>) =
        (0..windows.len()).partition(|&axis| is_trivial(&windows[axis]));
    let is_pooling = trivial.len() == 2 && (1..=3).contains(&spatial.len()) && windows.iter().all(fits);
    if !is_pooling || !matches!(dtype, DType::Float32 | DType::Float16) {
        return Ok(None);
    }
    let sum = matches!(combination, Combination::Add);
    let (operator, is_negated) = match combination {
        Combination::Add => ("AveragePool", false),
        Combination::Max => ("MaxPool", false),
        Combination::Min => ("MaxPool", true),
        _ => return Ok(None),
    };
    // ONNX Runtime makes the zeros of a Pad the padding of the MaxPool behind it, which counts for nothing.
    let input = cx.input_of(node, 0)?;
    if operator == "MaxPool" && cx.producer(cx.before_casts(cx.origin(input))).op.contains("Pad") {
        return Ok(None);
    }
    let layout = Layout::of_axes([&trivial[..], &spatial].concat())?;
    let mut value = cx.in_layout(input, &layout)?;
    let of = |part: fn(&Sized) -> i64| spatial.iter().map(|&axis| part(&windows[axis])).collect::<Vec<i64>>();
    let ends = [of(|(window, _)| window.edges.low), of(|(window, _)| window.edges.high)].concat();
    let sizes = of(|(_, size)| *size);
    let count = sizes.iter().fold(1.0, |count, &size| count * size as f64);
    let mut attributes = vec![
        ("kernel_shape", Attribute::Ints(sizes)),
        ("strides", Attribute::Ints(of(|(window, _)| window.stride))),
    ];
    attributes.push(("pads", Attribute::Ints(ends)));
    if sum {
        attributes.push(("count_include_pad", Attribute::Int(1)));
    }
    let mut steps = Steps { cx, node };
    if is_negated {
        value = steps.op("Neg", &[&value]);
    }
    value = steps.cx.step(node, "pooled", operator, vec![value], attributes);
    if is_negated {
        value = steps.op("Neg", &[&value]);
    }
    if sum {
        let count = steps.number(dtype, count);
        value = steps.op("Mul", &[&value, &count]);
    }
    Ok(Some((value, layout)))
}

/// The elements of each window get axes of their own, which are reduced.
fn of_gathered(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    windows: &[Sized],
    (combination, dtype): (Combination, DType),
) -> Result<String> {
    let shape = cx.shape(cx.input_of(node, 0)?);
    let mut steps = Steps { cx, node };
    let value = steps.input(0)?;
    let edges: Vec<Edges> = windows.iter().map(|(window, _)| window.edges).collect();
    let fill = steps.number(dtype, neutral(combination, dtype));
    let mut value = padded(&mut steps, value, &fill, &edges);
    let mut rank = windows.len();
    let mut axes: Vec<i64> = vec![];
    for (axis, &(window, size)) in windows.iter().enumerate().rev() {
        if size == 1 && window.stride == 1 {
            continue;
        }
        let length = shape.dim(axis).and_then(|length| window.edges.length(length));
        let sliding = window::Window {
            size: size as usize,
            stride: window.stride as usize,
            dilation: window.dilation as usize,
        };
        let sliding = (&Sliding::Known(sliding), length);
        value = gathered(&mut steps, &value, (axis, 0, rank), sliding, (&Padding::Valid, Beyond::Nearest));
        rank += 1;
        axes.iter_mut().for_each(|behind| *behind += 1);
        axes.push(axis as i64 + 1);
    }
    axes.sort_unstable();
    Ok(reduced(&mut steps, value, (combination, dtype), &axes))
}
