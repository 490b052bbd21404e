//! The cross product of vectors of three numbers, along the last axis.
//!
//! Source: `tf.linalg.cross` in TensorFlow's API documentation.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;

pub fn cross(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(node.into()));
    let axis = cx.shape(node.into()).rank().map_or(-1, |rank| rank as i64 - 1);
    let mut steps = Steps { cx, node };
    let (a, b) = (steps.input_as(0, computed)?, steps.input_as(1, computed)?);
    let (next, previous) = (steps.ints(&[1, 2, 0]), steps.ints(&[2, 0, 1]));
    let mut product = |left: &String, right: &String| {
        let a = steps.op_with("Gather", &[&a, left], "axis", axis);
        let b = steps.op_with("Gather", &[&b, right], "axis", axis);
        steps.op("Mul", &[&a, &b])
    };
    let (first, second) = (product(&next, &previous), product(&previous, &next));
    let result = steps.op("Sub", &[&first, &second]);
    steps.set_output(0, result, computed);
    Ok(())
}
