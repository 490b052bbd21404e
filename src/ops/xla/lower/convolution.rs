//! Convolutions of any order of axes.
//!
//! Sources: "Conv (convolution)" in <https://openxla.org/xla/operation_semantics>; Conv in <https://onnx.ai/onnx/operators/>.

use super::pad::padded;
use super::product::{computed_dtype, emit_computed};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::around::reshaped;
use crate::ops::xla::windows::Convolution;

pub fn convolution(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (images, filter) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let rank = cx.rank(node, node.into())?;
    let mut numbers = vec![];
    for (index, what) in ["window_strides", "padding", "lhs_dilation", "rhs_dilation"].into_iter().enumerate()
    {
        numbers.push(cx.integers(node, index + 2, what)?);
    }
    let groups = cx.integers(node, 6, "feature_group_count")?;
    let convolution = Convolution::of(&node, rank, [&numbers[0], &numbers[1], &numbers[2], &numbers[3]])?;
    if !(3..=5).contains(&rank) {
        let problem =
            format!("it slides along {} axes, and ONNX Runtime along 1 to 3", rank.saturating_sub(2));
        return Err(node.error(problem).unsupported());
    }
    let (features, batches) = match (&groups[..], node.int("batch_group_count", 1)) {
        (&[features], batches) if features > 0 && batches > 0 => (features, batches),
        (_, batches) => {
            return Err(node.error(format!("it has {groups:?} groups of features and {batches} of batches")));
        }
    };
    let dtype = computed_dtype(cx, node);
    let mut stored = vec![];
    for (tensor, order) in [(images, &convolution.images), (filter, &convolution.filter)] {
        let name = cx.in_layout(tensor, &Layout::of_axes(order.clone())?)?;
        stored.push(if cx.dtype(tensor) == dtype { name } else { cx.cast(node, name, dtype) });
    }
    let sizes = convolution.filter[2..].iter().map(|&axis| Some(cx.shape(filter).dim(axis)? as i64));
    let sizes: Option<Vec<i64>> = sizes.collect();
    let (mut name, filter) = (stored[0].clone(), stored[1].clone());
    let mut steps = Steps { cx, node };
    let ints = |values: Vec<i64>| Attribute::Ints(values);
    let windows = &convolution.windows;
    let mut attributes = vec![("strides", ints(windows.iter().map(|window| window.stride).collect()))];
    attributes.extend(sizes.map(|sizes| ("kernel_shape", ints(sizes))));
    let edges: Vec<_> = windows.iter().map(|window| window.edges).collect();
    if edges.iter().any(|edges| edges.interior > 0 || edges.low < 0 || edges.high < 0) {
        let zero = steps.number(dtype, 0.0);
        name = padded(&mut steps, name, &zero, &[&[Default::default(); 2], &edges[..]].concat());
    } else if edges.iter().any(|edges| edges.low > 0 || edges.high > 0) {
        let ends = edges.iter().map(|edges| edges.low).chain(edges.iter().map(|edges| edges.high));
        attributes.push(("pads", ints(ends.collect())));
    }
    if windows.iter().any(|window| window.dilation > 1) {
        attributes.push(("dilations", ints(windows.iter().map(|window| window.dilation).collect())));
    }
    if batches > 1 {
        name = with_batches_as_channels(&mut steps, name, batches, rank);
    }
    match (features, batches) {
        (1, 1) => {}
        (groups, 1) | (1, groups) => attributes.push(("group", Attribute::Int(groups))),
        _ => return Err(node.error("it has groups of features and of batches")),
    }
    let layout = Layout::of_axes(convolution.result)?;
    emit_computed(cx, node, ("Conv", attributes), vec![name, filter], (dtype, layout));
    Ok(())
}

/// The first axis is that of groups of batches: a group of the filter's features sees only its own. They become groups of channels.
fn with_batches_as_channels(
    steps: &mut Steps<'_, '_, '_>,
    images: String,
    groups: i64,
    rank: usize,
) -> String {
    let shape = steps.op("Shape", &[&images]);
    let (batches, rest) = (steps.part(&shape, 0, 0, 1), steps.part(&shape, 0, 1, i64::MAX));
    let (channels, sizes) = (steps.part(&rest, 0, 0, 1), steps.part(&rest, 0, 1, i64::MAX));
    let count = steps.ints(&[groups]);
    let batches = steps.op("Div", &[&batches, &count]);
    let apart = steps.op_with("Concat", &[&count, &batches, &rest], "axis", 0);
    let apart = reshaped(steps, &images, &apart);
    let order: Vec<i64> = [1, 0].into_iter().chain(2..=rank as i64).collect();
    let apart = steps.transpose(&apart, &order);
    let channels = steps.op("Mul", &[&channels, &count]);
    let shape = steps.op_with("Concat", &[&batches, &channels, &sizes], "axis", 0);
    reshaped(steps, &apart, &shape)
}
