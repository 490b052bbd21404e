//! Windows whose size, or the number of channels that they meet, may be known only when the model runs: the elements that they meet are
//! gathered, so that integers, infinities and NaN stay what they are.
//!
//! Sources: `tf.image.extract_patches`, `tf.nn.depthwise_conv2d` and `tf.nn.dilation2d` in TensorFlow's API documentation, and the
//! description of `MaxPoolV2` in `tensorflow/core/ops/nn_ops.cc`; Gather in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::window::Window;
use crate::graph::{NodeRef, Padding};
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::reduce::lower::large;
use crate::tensor::{Constant, DType};

/// A window along an axis.
pub enum Sliding {
    Known(Window),
    /// Its size, stride and dilation, each an int64 vector of one number.
    Open {
        size: String,
        stride: String,
        dilation: String,
    },
}

/// What is beyond the ends of an axis.
#[derive(Clone, Copy)]
pub enum Beyond<'v> {
    Value(&'v String),
    /// The nearest element, which the window meets as well.
    Nearest,
}

/// The most indices that are a constant of the model.
const MOST: usize = 1 << 16;

/// The elements that a window meets: the axis becomes two, one for the positions of the window and one for its elements. `spatial` is
/// the number of the axis among those that `padding` describes, and `rank` that of all axes.
pub fn gathered(
    steps: &mut Steps<'_, '_, '_>,
    value: &String,
    (axis, spatial, rank): (usize, usize, usize),
    (window, length): (&Sliding, Option<usize>),
    (padding, beyond): (&Padding, Beyond<'_>),
) -> String {
    let indices = match (window, length) {
        (Sliding::Known(window), Some(length)) => known_indices(steps, *window, length, padding, spatial),
        _ => None,
    };
    let (indices, length) = match indices {
        Some((indices, true)) => (indices, None),
        Some((indices, false)) => (indices, length.map(|length| steps.ints(&[length as i64]))),
        None => {
            let length = steps.length(value, axis as i64);
            let indices = open_indices(steps, &length, window, padding, spatial);
            (indices, (!matches!(padding, Padding::Valid)).then_some(length))
        }
    };
    let Some(length) = length else {
        return steps.op_with("Gather", &[value, &indices], "axis", axis as i64);
    };
    let zero = steps.ints(&[0]);
    let (value, indices) = match beyond {
        Beyond::Value(outside) => {
            let padded = with_outside(steps, value, (axis, rank), outside);
            let is_behind = steps.op("GreaterOrEqual", &[&indices, &zero]);
            let is_before = steps.op("Less", &[&indices, &length]);
            let is_inside = steps.op("And", &[&is_behind, &is_before]);
            (padded, steps.op("Where", &[&is_inside, &indices, &length]))
        }
        Beyond::Nearest => {
            let one = steps.ints(&[1]);
            let last = steps.op("Sub", &[&length, &one]);
            let indices = steps.op("Min", &[&indices, &last]);
            (value.clone(), steps.op("Max", &[&indices, &zero]))
        }
    };
    steps.op_with("Gather", &[&value, &indices], "axis", axis as i64)
}

/// A value with one more element at the end of an axis, which stands for all that are beyond its ends.
pub fn with_outside(
    steps: &mut Steps<'_, '_, '_>,
    value: &String,
    (axis, rank): (usize, usize),
    outside: &String,
) -> String {
    let mut pads = vec![0; 2 * rank];
    pads[rank + axis] = 1;
    let pads = steps.ints(&pads);
    steps.op("Pad", &[value, &pads, outside])
}

/// The indices that a window meets at each position, and whether all of them are inside; `None` if these are too many for a constant.
fn known_indices(
    steps: &mut Steps<'_, '_, '_>,
    window: Window,
    length: usize,
    padding: &Padding,
    spatial: usize,
) -> Option<(String, bool)> {
    let positions = window.positions(length, padding, spatial).unwrap_or(0);
    let before = match padding {
        Padding::Same => window.same_padding(length).0,
        Padding::Valid => 0,
        Padding::Explicit(pads) => pads.get(spatial).map_or(0, |pads| pads.0),
    };
    if positions.checked_mul(window.size).is_none_or(|count| count > MOST) {
        return None;
    }
    let first = |position: usize| (position * window.stride) as i64 - before as i64;
    let met =
        |position| (0..window.size).map(move |element| first(position) + (element * window.dilation) as i64);
    let indices: Vec<i64> = (0..positions).flat_map(met).collect();
    let is_inside = indices.iter().all(|index| (0..length as i64).contains(index));
    let constant = Constant::from_i64(vec![positions, window.size], &indices);
    Some((steps.cx.initializer(&format!("{}/indices", steps.node.name), constant, &[]), is_inside))
}

/// What the padding `SAME` adds to axes whose lengths or windows are known only when the model runs.
pub struct SamePadding {
    /// The last index of each axis.
    last: String,
    /// How much is added before the axis and after it.
    pub total: String,
    /// How much of that is before it.
    pub before: String,
}

/// `reach` is the distance from the first to the last element of a window.
pub fn same_padding(
    steps: &mut Steps<'_, '_, '_>,
    lengths: &String,
    strides: &String,
    reach: &String,
) -> SamePadding {
    let (zero, one, two) = (steps.ints(&[0]), steps.ints(&[1]), steps.ints(&[2]));
    let last = steps.op("Sub", &[lengths, &one]);
    let moves = steps.op("Div", &[&last, strides]);
    let moved = steps.op("Mul", &[&moves, strides]);
    let reached = steps.op("Add", &[&moved, reach]);
    let lacking = steps.op("Sub", &[&reached, &last]);
    let total = steps.op("Max", &[&lacking, &zero]);
    let before = steps.op("Div", &[&total, &two]);
    SamePadding { last, total, before }
}

/// The indices that a window meets at each position, those beyond the ends of the axis as well.
fn open_indices(
    steps: &mut Steps<'_, '_, '_>,
    length: &String,
    window: &Sliding,
    padding: &Padding,
    spatial: usize,
) -> String {
    let [size, stride, dilation] = match window {
        Sliding::Known(window) => {
            [window.size, window.stride, window.dilation].map(|n| steps.ints(&[n as i64]))
        }
        Sliding::Open { size, stride, dilation } => [size, stride, dilation].map(Clone::clone),
    };
    let (zero, one) = (steps.ints(&[0]), steps.ints(&[1]));
    let less = steps.op("Sub", &[&size, &one]);
    let reach = steps.op("Mul", &[&less, &dilation]);
    let (count, before) = match padding {
        Padding::Same => {
            let SamePadding { last, before, .. } = same_padding(steps, length, &stride, &reach);
            let beyond = steps.op("Add", &[&last, &stride]);
            (steps.op("Div", &[&beyond, &stride]), before)
        }
        Padding::Valid | Padding::Explicit(_) => {
            let (before, after) = match padding {
                Padding::Explicit(pads) => pads.get(spatial).copied().unwrap_or((0, 0)),
                _ => (0, 0),
            };
            let added = steps.ints(&[before as i64 + after as i64 - 1]);
            let padded = steps.op("Add", &[length, &added]);
            let rest = steps.op("Sub", &[&padded, &reach]);
            let rest = steps.op("Add", &[&rest, &stride]);
            let count = steps.op("Div", &[&rest, &stride]);
            (steps.op("Max", &[&count, &zero]), steps.ints(&[before as i64]))
        }
    };
    let positions = steps.positions(&count);
    let starts = steps.op("Mul", &[&positions, &stride]);
    let starts = steps.op("Sub", &[&starts, &before]);
    let starts = steps.op("Unsqueeze", &[&starts, &one]);
    let elements = steps.positions(&size);
    let elements = steps.op("Mul", &[&elements, &dilation]);
    steps.op("Add", &[&starts, &elements])
}

/// Each patch is a pixel of the result.
pub fn extract_patches(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let computed = computed_type(cx.dtype(input));
    let [sizes, strides, rates] = ["ksizes", "strides", "rates"].map(|name| node.spatial_sizes(name, 4));
    let (sizes, strides, rates) = (sizes?, strides?, rates?);
    let padding = match node.text("padding") {
        Some("SAME") => Padding::Same,
        _ => Padding::Valid,
    };
    let lengths = [cx.shape(input).dim(1), cx.shape(input).dim(2)];
    let mut steps = Steps { cx, node };
    let mut value = steps.input_as(0, computed)?;
    let zero = steps.number(computed, 0.0);
    for spatial in 0..2 {
        let window = Window { size: sizes[spatial], stride: strides[spatial], dilation: rates[spatial] };
        let place = (1 + 2 * spatial, spatial, 4 + spatial);
        let beyond = (&padding, Beyond::Value(&zero));
        value = gathered(&mut steps, &value, place, (&Sliding::Known(window), lengths[spatial]), beyond);
    }
    // Batch, rows and columns, then the rows and columns of the patch, and its channels.
    let patches = steps.transpose(&value, &[0, 1, 3, 2, 4, 5]);
    let patches = joined(&mut steps, &patches, 3);
    steps.set_output(0, patches, computed);
    Ok(())
}

/// A tensor whose axes from one on become one.
fn joined(steps: &mut Steps<'_, '_, '_>, value: &String, from: i64) -> String {
    let shape = steps.op("Shape", &[value]);
    let outer = steps.part(&shape, 0, 0, from);
    let inner = steps.part(&shape, 0, from, i64::MAX);
    let length = steps.reduce("ReduceProd", &inner, &[0], true);
    let shape = steps.op_with("Concat", &[&outer, &length], "axis", 0);
    let attributes = vec![("allowzero", Attribute::Int(1))];
    steps.cx.step(steps.node, "reshape", "Reshape", vec![value.clone(), shape], attributes)
}

/// The windows over images, channels last, of a filter that is known when the model runs: `[batch, rows, rows of the filter, columns,
/// columns of the filter, channels]`.
fn of_filter(
    steps: &mut Steps<'_, '_, '_>,
    images: &str,
    filter: &String,
    rates: &str,
    outside: &String,
) -> Result<String> {
    let (padding, strides, dilations) =
        (steps.node.padding()?, steps.node.spatial_sizes("strides", 4)?, steps.node.spatial_sizes(rates, 4)?);
    let mut value = images.to_owned();
    for spatial in 0..2 {
        let window = Sliding::Open {
            size: steps.length(filter, spatial as i64),
            stride: steps.ints(&[strides[spatial] as i64]),
            dilation: steps.ints(&[dilations[spatial] as i64]),
        };
        let place = (1 + 2 * spatial, spatial, 4 + spatial);
        value = gathered(steps, &value, place, (&window, None), (&padding, Beyond::Value(outside)));
    }
    Ok(value)
}

/// A depthwise convolution of a number of channels that is known when the model runs: ONNX has the number of groups as an attribute.
pub fn depthwise_convolution(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(cx.input_of(node, 0)?));
    let is_first = node.data_format().channel_axis(4) == 1;
    let mut steps = Steps { cx, node };
    let (mut images, filter) = (steps.input_as(0, computed)?, steps.input_as(1, computed)?);
    if is_first {
        images = steps.transpose(&images, &[0, 2, 3, 1]);
    }
    let zero = steps.number(computed, 0.0);
    let windows = of_filter(&mut steps, &images, &filter, "dilations", &zero)?;
    let (rows, multiplier) = (steps.ints(&[1]), steps.ints(&[6]));
    let windows = steps.op("Unsqueeze", &[&windows, &multiplier]);
    let filter = steps.op("Unsqueeze", &[&filter, &rows]);
    let products = steps.op("Mul", &[&windows, &filter]);
    let sums = steps.reduce("ReduceSum", &products, &[2, 4], false);
    let mut result = joined(&mut steps, &sums, 3);
    if is_first {
        result = steps.transpose(&result, &[0, 3, 1, 2]);
    }
    steps.set_output(0, result, computed);
    Ok(())
}

/// The greatest sum of an element and the filter's element over it, or `start` if that is greater. Neither what is outside of the image,
/// whose elements are `least`, nor NaN counts.
pub fn dilation(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    computed: DType,
    (start, least): (f64, f64),
) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (images, filter) = (steps.input_as(0, computed)?, steps.input_as(1, computed)?);
    let outside = steps.number(computed, least);
    let windows = of_filter(&mut steps, &images, &filter, "rates", &outside)?;
    let rows = steps.ints(&[1]);
    let filter = steps.op("Unsqueeze", &[&filter, &rows]);
    let mut sums = steps.op("Add", &[&windows, &filter]);
    if computed.is_float() {
        let is_nan = steps.op("IsNaN", &[&sums]);
        sums = steps.op("Where", &[&is_nan, &outside, &sums]);
    }
    let greatest = steps.reduce("ReduceMax", &sums, &[2, 4], false);
    let start = steps.number(computed, start);
    let greatest = steps.op("Max", &[&greatest, &start]);
    steps.set_output(0, greatest, computed);
    Ok(())
}

/// The greatest element of each window, whose size and strides are inputs. A window that reaches beyond an end meets the last element
/// there as well. Along the channels, windows are next to each other.
pub fn max_pool(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(cx.input_of(node, 0)?));
    let (padding, format) = (node.padding()?, node.data_format());
    let mut steps = Steps { cx, node };
    let mut value = steps.input_as(0, computed)?;
    let (sizes, strides) = (steps.integers(1)?, steps.integers(2)?);
    let first = format.first_spatial_axis();
    for axis in [first, first + 1, format.channel_axis(4)] {
        let [size, stride] = [&sizes, &strides].map(|of| steps.part(of, 0, axis as i64, axis as i64 + 1));
        let window = Sliding::Open { size, stride, dilation: steps.ints(&[1]) };
        value = greatest(&mut steps, &value, (axis, computed), (&window, None), &padding);
    }
    steps.set_output(0, value, computed);
    Ok(())
}

/// The greatest one of so many channels each.
pub fn max_pool_of_channels(cx: &mut Lowering<'_>, node: NodeRef<'_>, size: usize) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let computed = computed_type(cx.dtype(input));
    let axis = node.data_format().channel_axis(4);
    let window = Sliding::Known(Window { size, stride: size, dilation: 1 });
    let length = cx.shape(input).dim(axis);
    let mut steps = Steps { cx, node };
    let value = steps.input_as(0, computed)?;
    let value = greatest(&mut steps, &value, (axis, computed), (&window, length), &Padding::Valid);
    steps.set_output(0, value, computed);
    Ok(())
}

/// The greatest element of each window along an axis of images, which meets at least one of them.
fn greatest(
    steps: &mut Steps<'_, '_, '_>,
    value: &String,
    (axis, dtype): (usize, DType),
    window: (&Sliding, Option<usize>),
    padding: &Padding,
) -> String {
    let value = gathered(steps, value, (axis, 0, 4), window, (padding, Beyond::Nearest));
    let within = axis as i64 + 1;
    match dtype {
        DType::Int64 => large::extreme_along(steps.cx, steps.node, value, within, true),
        _ => steps.reduce("ReduceMax", &value, &[within], false),
    }
}
