//! Reductions along axes that are not known in full, for operator sets that take axes as an attribute.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::{self, Attribute, TensorInfo};
use crate::setting::Setting;
use crate::tensor::DType;

/// A reduction along axes that are known only when the model runs: each axis is reduced if it is one of them.
pub fn one_at_a_time(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    op: &'static str,
    [value, axes]: [String; 2],
    keep: bool,
) -> Result<String> {
    let input = cx.input_of(node, 0)?;
    let Some(rank) = cx.shape(input).rank() else {
        let since = if op == "ReduceSum" { 13 } else { 18 };
        return Err(node
            .error("neither its axes nor the rank of its input are known before the model runs")
            .advice(format!("choose {} or later", Setting::Opset.to(since))));
    };
    let dtype = cx.dtype(input);
    let dtype = if dtype == DType::Bool { DType::Int32 } else { dtype };
    let mut steps = Steps { cx, node };
    let (numbers, behind) = (steps.ints(&(0..rank as i64).collect::<Vec<_>>()), steps.ints(&[1]));
    let numbers = steps.op("Unsqueeze", &[&numbers, &behind]);
    let is_axis = steps.op("Equal", &[&numbers, &axes]);
    let is_axis = steps.cast(&is_axis, DType::Int64);
    let hits = steps.reduce("ReduceSum", &is_axis, &[1], false);
    let is_reduced = steps.cast(&hits, DType::Bool);
    let mut result = value.clone();
    for axis in 0..rank as i64 {
        let number = steps.int(axis);
        let is_this_one = steps.op("Gather", &[&is_reduced, &number]);
        let branch = |steps: &mut Steps<'_, '_, '_>, op: &'static str, along: Option<i64>| {
            let output = steps.cx.unique_name(&format!("{}/{}", node.name, op.to_lowercase()));
            let name = steps.cx.unique_name(&format!("{output}/branch"));
            let axes = along.map(|axis| steps.ints(&[axis]));
            onnx::Graph {
                name,
                inputs: vec![],
                outputs: vec![TensorInfo { name: output.clone(), dtype, shape: None }],
                nodes: vec![onnx::Node {
                    name: steps.cx.unique_node_name(&output),
                    op: op.into(),
                    domain: "",
                    inputs: [result.clone()].into_iter().chain(axes).collect(),
                    outputs: vec![output],
                    attributes: vec![],
                }],
            }
        };
        let branches = vec![
            ("then_branch", Attribute::Graph(branch(&mut steps, op, Some(axis)))),
            ("else_branch", Attribute::Graph(branch(&mut steps, "Identity", None))),
        ];
        result = steps.cx.step(node, "either", "If", vec![is_this_one], branches);
    }
    if keep {
        return Ok(result);
    }
    // The axes of length 1 that are left are dropped.
    let shape = steps.op("Shape", &[&value]);
    let is_kept = steps.op("Not", &[&is_reduced]);
    let shape = steps.op("Compress", &[&shape, &is_kept]);
    Ok(cx.reshaped(node, "dropped", result, shape))
}

/// A reduction along known axes of an unknown number of axes, all of which stay. ONNX Runtime mistakes axes that are counted from the
/// end where there are no elements, so the axes before the last ones become one.
pub fn from_the_end(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    op: &'static str,
    value: String,
    axes: &[i64],
) -> String {
    let (negative, positive): (Vec<i64>, Vec<i64>) = axes.iter().partition(|&&axis| axis < 0);
    let count = -negative.iter().copied().min().unwrap_or(-1);
    let mut steps = Steps { cx, node };
    let value = if positive.is_empty() { value } else { steps.reduce(op, &value, &positive, true) };
    let (zero, one, split, end) =
        (steps.ints(&[0]), steps.ints(&[1]), steps.ints(&[-count]), steps.ints(&[i64::MAX]));
    let shape = steps.op("Shape", &[&value]);
    let before = steps.op("Slice", &[&shape, &zero, &split]);
    let last = steps.op("Slice", &[&shape, &split, &end]);
    let product = steps.reduce("ReduceProd", &before, &[0], true);
    let shape = steps.op_with("Concat", &[&product, &last], "axis", 0);
    let flat = steps.op_with("Reshape", &[&value, &shape], "allowzero", 1);
    let from_front: Vec<i64> = negative.iter().map(|axis| axis + count + 1).collect();
    let reduced = steps.reduce(op, &flat, &from_front, true);
    let shape = steps.op("Shape", &[&reduced]);
    let last = steps.op("Slice", &[&shape, &one, &end]);
    let shape = steps.op_with("Concat", &[&before, &last], "axis", 0);
    steps.op_with("Reshape", &[&reduced, &shape], "allowzero", 1)
}
