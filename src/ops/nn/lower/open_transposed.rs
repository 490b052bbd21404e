//! A transposed depthwise convolution of a number of channels that is known only when the model runs: ONNX has the number of groups as an
//! attribute. The elements that meet in each element of the result are gathered.
//!
//! Sources: `tf.nn.depthwise_conv2d_backprop_input` in TensorFlow's API documentation; Gather in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, Padding};
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::reshaped;
use crate::ops::nn::lower::open_windows::with_outside;

pub fn depthwise_convolution(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(node.into()));
    let format = node.data_format();
    let is_first = format.channel_axis(4) == 1;
    let mut steps = Steps { cx, node };
    let (sizes, filter, mut images) =
        (steps.integers(0)?, steps.input_as(1, computed)?, steps.input_as(2, computed)?);
    if is_first {
        images = steps.transpose(&images, &[0, 2, 3, 1]);
    }
    // The channels of the images become two axes, as the filter has them: those of the result, and how many belong to each.
    let (lengths, of_filter) = (steps.op("Shape", &[&images]), steps.op("Shape", &[&filter]));
    let (outer, inner) = (steps.part(&lengths, 0, 0, 3), steps.part(&of_filter, 0, 2, 4));
    let target = steps.op_with("Concat", &[&outer, &inner], "axis", 0);
    let mut value = reshaped(&mut steps, &images, &target);
    let zero = steps.number(computed, 0.0);
    for spatial in 0..2 {
        let axis = 1 + 2 * spatial;
        let at = (format.first_spatial_axis() + spatial) as i64;
        let result = steps.part(&sizes, 0, at, at + 1);
        let [length, size] = [steps.length(&value, axis as i64), steps.length(&filter, spatial as i64)];
        let indices = indices(&mut steps, spatial, [&length, &size, &result])?;
        let padded = with_outside(&mut steps, &value, (axis, 5 + spatial), &zero);
        value = steps.op_with("Gather", &[&padded, &indices], "axis", axis as i64);
    }
    // Batch, rows, rows of the filter, columns, columns of the filter, and the two axes of channels.
    let rows = steps.ints(&[1]);
    let filter = steps.op("Unsqueeze", &[&filter, &rows]);
    let products = steps.op("Mul", &[&value, &filter]);
    let mut sums = steps.reduce("ReduceSum", &products, &[2, 4, 6], false);
    if is_first {
        sums = steps.transpose(&sums, &[0, 3, 1, 2]);
    }
    steps.set_output(0, sums, computed);
    Ok(())
}

/// For each position of an axis of the result, the index of the image's element that each element of the filter spreads to it, and
/// `length` where there is none. The convolution would step to the position `index * stride + element * dilation`.
fn indices(
    steps: &mut Steps<'_, '_, '_>,
    spatial: usize,
    [length, size, result]: [&String; 3],
) -> Result<String> {
    let [stride, dilation] =
        ["strides", "dilations"].map(|name| steps.node.spatial_sizes(name, 4).map(|of| of[spatial] as i64));
    let (stride, dilation) = (steps.ints(&[stride?]), steps.ints(&[dilation?]));
    let (zero, one) = (steps.ints(&[0]), steps.ints(&[1]));
    let before = match steps.node.padding()? {
        Padding::Same => {
            let [moves, between] = [length, size].map(|count| steps.op("Sub", &[count, &one]));
            let (moved, reach) =
                (steps.op("Mul", &[&moves, &stride]), steps.op("Mul", &[&between, &dilation]));
            let last = steps.op("Add", &[&moved, &reach]);
            let covered = steps.op("Add", &[&last, &one]);
            let cut = steps.op("Sub", &[&covered, result]);
            let (cut, two) = (steps.op("Max", &[&cut, &zero]), steps.ints(&[2]));
            steps.op("Div", &[&cut, &two])
        }
        Padding::Explicit(pads) => steps.ints(&[pads.get(spatial).map_or(0, |pads| pads.0 as i64)]),
        Padding::Valid => zero.clone(),
    };
    let (positions, elements) = (steps.positions(result), steps.positions(size));
    let positions = steps.op("Add", &[&positions, &before]);
    let positions = steps.op("Unsqueeze", &[&positions, &one]);
    let elements = steps.op("Mul", &[&elements, &dilation]);
    let reached = steps.op("Sub", &[&positions, &elements]);
    let (index, rest) = (steps.op("Div", &[&reached, &stride]), steps.op("Mod", &[&reached, &stride]));
    let is_behind = steps.op("GreaterOrEqual", &[&reached, &zero]);
    let (is_before, is_step) = (steps.op("Less", &[&index, length]), steps.op("Equal", &[&rest, &zero]));
    let is_inside = steps.op("And", &[&is_behind, &is_before]);
    let is_met = steps.op("And", &[&is_inside, &is_step]);
    Ok(steps.op("Where", &[&is_met, &index, length]))
}
