//! Elements around a tensor and between its elements.
//!
//! Sources: "Pad" in <https://openxla.org/xla/operation_semantics>; Pad, Slice and Reshape in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::reshaped;
use crate::ops::xla::windows::Edges;

/// A value with elements like `fill` around and between its own: `edges` for each of its axes.
pub fn padded(steps: &mut Steps<'_, '_, '_>, value: String, fill: &String, edges: &[Edges]) -> String {
    let value = apart(steps, value, fill, edges);
    let pick = |part: fn(&Edges) -> i64| edges.iter().map(part).collect::<Vec<i64>>();
    let added = [pick(|edges| edges.low.max(0)), pick(|edges| edges.high.max(0))].concat();
    let mut value = value;
    if added.iter().any(|&count| count > 0) {
        let pads = steps.ints(&added);
        value = steps.op("Pad", &[&value, &pads, fill]);
    }
    // What is cut may be some of what was added at the other end.
    if edges.iter().any(|edges| edges.low < 0 || edges.high < 0) {
        let first = steps.ints(&pick(|edges| edges.low.min(0).saturating_neg()));
        let last = steps.ints(&pick(|edges| if edges.high < 0 { edges.high } else { i64::MAX }));
        value = steps.op("Slice", &[&value, &first, &last]);
    }
    value
}

/// A value with elements between its own. Each of these gets an axis of its own, along which elements are added behind it; then the last
/// ones of the axis are cut.
fn apart(steps: &mut Steps<'_, '_, '_>, value: String, fill: &String, edges: &[Edges]) -> String {
    let spread: Vec<usize> = (0..edges.len()).filter(|&axis| edges[axis].interior > 0).collect();
    if spread.is_empty() {
        return value;
    }
    let shape = steps.op("Shape", &[&value]);
    let new: Vec<i64> = spread.iter().enumerate().map(|(count, &axis)| (axis + count + 1) as i64).collect();
    let mut added = vec![0; 2 * (edges.len() + new.len())];
    let behind = added.len() / 2;
    for (&axis, &new) in spread.iter().zip(&new) {
        added[behind + new as usize] = edges[axis].interior;
    }
    let (new, added) = (steps.ints(&new), steps.ints(&added));
    let value = steps.op("Unsqueeze", &[&value, &new]);
    let value = steps.op("Pad", &[&value, &added, fill]);
    let factors: Vec<i64> = edges.iter().map(|edges| edges.interior.saturating_add(1)).collect();
    let factors = steps.ints(&factors);
    let shape = steps.op("Mul", &[&shape, &factors]);
    let value = reshaped(steps, &value, &shape);
    let ends = edges.iter().map(|edges| if edges.interior > 0 { -edges.interior } else { i64::MAX });
    let (first, last) = (steps.ints(&vec![0; edges.len()]), steps.ints(&ends.collect::<Vec<_>>()));
    steps.op("Slice", &[&value, &first, &last])
}

pub fn pad(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut numbers = vec![];
    for (index, what) in [(2, "padding_low"), (3, "padding_high"), (4, "padding_interior")] {
        numbers.push(cx.integers(node, index, what)?);
    }
    let edges = Edges::of(&node, [&numbers[0], &numbers[1], &numbers[2]])?;
    let [input, fill] = [0, 1].map(|index| cx.in_tensorflow_layout(node.inputs[index]));
    let (input, fill) = (input?, fill?);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    let result = padded(&mut Steps { cx, node }, input, &fill, &edges);
    cx.emit(node, "Identity", vec![result], layout, vec![]);
    Ok(())
}

/// The input with fewer axes gets those that are missing. They have the length 1.
pub fn broadcast_helper(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let inputs = [cx.input_of(node, 0)?, cx.input_of(node, 1)?];
    let dims = cx.integers(node, 2, "broadcast_dims")?;
    for (port, input) in inputs.into_iter().enumerate() {
        if dims.is_empty() || cx.rank(node, input)? == cx.rank(node, node.output(port))? {
            cx.alias(node.output(port), input)?;
            continue;
        }
        let rank = cx.rank(node, node.output(port))?;
        let missing: Vec<i64> = (0..rank as i64).filter(|axis| !dims.contains(axis)).collect();
        let (name, axes) = (cx.in_tensorflow_layout(input)?, cx.vector(node, "axes", &missing));
        cx.emit(node.output(port), "Unsqueeze", vec![name, axes], Layout::tensorflow(rank), vec![]);
    }
    Ok(())
}
