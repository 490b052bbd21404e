//! The shape of a list's elements, which may be known only when the first one is written.
//!
//! Of a list that is reserved before its elements' shape is known, the open lengths are 1 until the first element is written, which
//! broadcasts what is there (zeros) to its own shape. If not even their rank is known, they have no axes until then.
//!
//! Sources: `TensorListReserve` in `tensorflow/core/ops/list_ops.cc`; Expand, Reshape and Loop, whose variables may change their shapes,
//! in <https://onnx.ai/onnx/operators/>.

use crate::graph::{NodeRef, Shape};
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::ones;

/// Whether the shape of a list's elements is known.
pub fn has_known_elements(list: &Shape) -> bool {
    list.dims().is_some_and(|dims| dims.iter().skip(1).all(Option::is_some))
}

/// The shape of the elements of a list or of a tensor of stacked elements, as a vector of int64.
pub fn elements_shape(cx: &mut Lowering<'_>, node: NodeRef<'_>, list: &str) -> String {
    let shape = cx.step(node, "list_shape", "Shape", vec![list.to_owned()], vec![]);
    let bounds = [("starts", 1), ("ends", i64::MAX)].map(|(what, value)| cx.vector(node, what, &[value]));
    cx.step(node, "element_shape", "Slice", [vec![shape], bounds.to_vec()].concat(), vec![])
}

/// A list with at least as many axes as another value has. Axes of length 1 are added to elements without axes.
fn with_axes_of(steps: &mut Steps<'_, '_, '_>, list: &String, other: &String) -> String {
    let shape = steps.op("Shape", &[list]);
    let [has, needs] = [&shape, &steps.op("Shape", &[other])].map(|shape| steps.op("Shape", &[shape]));
    let (more, none) = (steps.op("Sub", &[&needs, &has]), steps.ints(&[0]));
    let more = steps.op("Max", &[&more, &none]);
    let ones = ones(steps, &more);
    // A length of 0 stays, since Reshape copies it.
    let shape = steps.op_with("Concat", &[&shape, &ones], "axis", 0);
    steps.op("Reshape", &[list, &shape])
}

/// A list of unknown rank whose elements have the shape of those of another list, if they have no axes yet. If they have some, they keep
/// their shape.
pub fn shaped_once(steps: &mut Steps<'_, '_, '_>, list: &String, other: &str) -> String {
    let shape = steps.op("Shape", &[list]);
    let rank = steps.op("Shape", &[&shape]);
    let (none, one) = (steps.ints(&[0]), steps.ints(&[1]));
    let has_none = steps.op("Equal", &[&rank, &one]);
    let element = elements_shape(steps.cx, steps.node, other);
    let count = steps.op("Shape", &[&element]);
    let count = steps.op("Where", &[&has_none, &count, &none]);
    let element = steps.op("Slice", &[&element, &none, &count, &none]);
    let axes = ones(steps, &count);
    let with_axes = steps.op_with("Concat", &[&shape, &axes], "axis", 0);
    let target = steps.op_with("Concat", &[&shape, &element], "axis", 0);
    // A length of 0 stays, since Reshape copies it.
    let list = steps.op("Reshape", &[list, &with_axes]);
    steps.op("Expand", &[&list, &target])
}

/// A list whose elements are broadcast to the shape of those of another list, which has been written.
pub fn stretched(steps: &mut Steps<'_, '_, '_>, list: &String, other: &String, has_rank: bool) -> String {
    let list = if has_rank { list.clone() } else { with_axes_of(steps, list, other) };
    let one = steps.ints(&[1]);
    let element = elements_shape(steps.cx, steps.node, other);
    let shape = steps.op_with("Concat", &[&one, &element], "axis", 0);
    steps.op("Expand", &[&list, &shape])
}
