//! Strings of segments, each joined to one.
//!
//! Sources: `tf.strings.unsorted_segment_join` in TensorFlow's API documentation; StringConcat and Loop in
//! <https://onnx.ai/onnx/operators/>.

use super::text::text;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::tensor::DType;

/// The strings of each segment one after the other, by a loop over the strings. A segment may have none.
pub fn unsorted_segment_join(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let separator = node.text("separator").unwrap_or_default().to_owned();
    let strings = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let numbered = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let mut steps = Steps { cx, node };
    let (segments, count) = (steps.integers(1)?, steps.integers(2)?);
    let one = steps.ints(&[1]);

    // A row for each number of a segment.
    let shape = steps.op("Shape", &[&strings]);
    let axes = steps.op("Shape", &[&numbered]);
    let axes = steps.op("Shape", &[&axes]);
    let (first, end) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let rest = steps.op("Slice", &[&shape, &axes, &end, &first]);
    let length = steps.op("Shape", &[&segments]);
    let rows = steps.op_with("Concat", &[&length, &rest], "axis", 0);
    let rows = steps.cx.reshaped(node, "rows", strings, rows);

    let nothing = text(steps.cx, node, "nothing", b"");
    let separator = text(steps.cx, node, "separator", separator.as_bytes());
    let results = steps.op_with("Concat", &[&count, &rest], "axis", 0);
    let empty = steps.op("Expand", &[&nothing, &results]);
    let places = steps.positions(&count);
    // One number for each segment, beside all axes of a row.
    let ones = steps.op("Shape", &[&rest]);
    let ones = steps.op("Expand", &[&one, &ones]);
    let column = steps.op_with("Concat", &[&count, &ones], "axis", 0);
    let scalar = steps.ints(&[]);
    let times = steps.op("Reshape", &[&length, &scalar]);
    let [joined] = steps.repeat(&times, [(empty, DType::String)], |steps, iteration, [before]| {
        let index = steps.op("Reshape", &[iteration, &one]);
        let next = steps.op("Add", &[&index, &one]);
        let [segment, row] = [&segments, &rows].map(|of| steps.op("Slice", &[of, &index, &next, &first]));
        let is_of_row = steps.op("Equal", &[&places, &segment]);
        let is_of_row = steps.cx.reshaped(steps.node, "column", is_of_row, column);
        // TensorFlow separates a string only from what is not empty.
        let is_empty = steps.op("Equal", &[before, &nothing]);
        let has_text = steps.op("Not", &[&is_empty]);
        let follows = steps.op("And", &[&is_of_row, &has_text]);
        let between = steps.op("Where", &[&follows, &separator, &nothing]);
        let row = steps.op("Where", &[&is_of_row, &row, &nothing]);
        let after = steps.op("StringConcat", &[before, &between]);
        Ok([steps.op("StringConcat", &[&after, &row])])
    })?;
    steps.set_output(0, joined, DType::String);
    Ok(())
}
