//! Slices whose bounds are computed when the model runs.
//!
//! Sources: `tf.strided_slice` in TensorFlow's API documentation, `ValidateStridedSliceOp` in
//! `tensorflow/core/util/strided_slice_op.cc`; Slice in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::around::int_vector;
use crate::tensor::{Constant, DType};

/// Whether a mask of the node has a bit.
type Mask<'a> = &'a dyn Fn(&str, usize) -> bool;

/// The bounds of a slice, for the axes that it names.
struct Bounds<'a> {
    input: String,
    begin: String,
    end: String,
    /// The axes, which may be counted from the end.
    axes: &'a [i64],
    /// Their positions among the begins, ends and strides.
    named: &'a [usize],
}

impl Bounds<'_> {
    /// An initializer that says of each axis whether a condition holds; `None` if it holds for none.
    fn flags(
        &self,
        cx: &mut Lowering<'_>,
        (node, what): (NodeRef<'_>, &str),
        is_set: &dyn Fn(usize) -> bool,
    ) -> Option<String> {
        let flags: Vec<bool> = self.named.iter().map(|&spec| is_set(spec)).collect();
        let any = flags.contains(&true);
        let constant = Constant::from_bools(vec![flags.len()], &flags);
        any.then(|| cx.initializer(&format!("{}/{what}", node.name), constant, &[]))
    }

    /// The slice where the strides are known. A mask replaces some of the bounds.
    fn with_strides(
        self,
        cx: &mut Lowering<'_>,
        node: NodeRef<'_>,
        strides: &[i64],
        mask: Mask<'_>,
    ) -> String {
        let (axes, named) = (self.axes, self.named);
        let (begin, end) = (self.begin.clone(), self.end.clone());
        let shrinks = |spec: usize| mask("shrink_axis_mask", spec);
        let flags = |cx: &mut Lowering<'_>, what: &str, is_set: &dyn Fn(usize) -> bool| {
            self.flags(cx, (node, what), is_set)
        };
        let far = |spec: usize, is_end: bool| if (strides[spec] > 0) == is_end { i64::MAX } else { i64::MIN };
        let choose =
            |cx: &mut Lowering<'_>, what: &str, flags: Option<String>, values: String, otherwise: String| {
                match flags {
                    Some(flags) => cx.step(node, what, "Where", vec![flags, values, otherwise], vec![]),
                    None => otherwise,
                }
            };
        let masked = flags(cx, "begin_masked", &|spec| mask("begin_mask", spec) && !shrinks(spec));
        let firsts: Vec<i64> =
            named.iter().map(|&spec| if strides[spec] > 0 { 0 } else { far(spec, false) }).collect();
        let firsts = cx.vector(node, "firsts", &firsts);
        let starts = choose(cx, "starts", masked, firsts, begin.clone());
        let masked = flags(cx, "end_masked", &|spec| mask("end_mask", spec) && !shrinks(spec));
        let lasts: Vec<i64> = named.iter().map(|&spec| far(spec, true)).collect();
        let lasts = cx.vector(node, "lasts", &lasts);
        let mut ends = choose(cx, "ends", masked, lasts, end);
        if let Some(shrunk) = flags(cx, "shrunk", &shrinks) {
            // A slice cannot stop at the element after the last one.
            let (one, zero) = (cx.vector(node, "one", &[1]), cx.vector(node, "zero", &[0]));
            let next = cx.step(node, "next", "Add", vec![begin, one], vec![]);
            let is_last = cx.step(node, "is_last", "Equal", vec![next.clone(), zero], vec![]);
            let never = cx.vector(node, "never", &[i64::MAX]);
            let next = cx.step(node, "stop", "Where", vec![is_last, never, next], vec![]);
            ends = cx.step(node, "all_ends", "Where", vec![shrunk, next, ends], vec![]);
        }
        if named.iter().any(|&spec| strides[spec] < 0 && !shrinks(spec)) {
            // A slice backwards from before the first element is empty, but ONNX would begin at the first one. So is a slice up
            // to the greatest int32, which ONNX Runtime does not treat as a bound.
            let backwards = flags(cx, "backwards", &|spec| strides[spec] < 0 && !shrinks(spec));
            let shape = cx.step(node, "shape", "Shape", vec![self.input.clone()], vec![]);
            let at = cx.vector(node, "axes", axes);
            let lengths = cx.step(node, "lengths", "Gather", vec![shape, at], vec![]);
            let (behind, great) =
                (cx.vector(node, "behind", &[1 << 40]), cx.vector(node, "great", &[(1 << 31) - 2]));
            let first = cx.step(node, "first", "Neg", vec![lengths], vec![]);
            let is_before = cx.step(node, "is_before", "Less", vec![starts.clone(), first], vec![]);
            let is_great = cx.step(node, "is_great", "Greater", vec![ends.clone(), great], vec![]);
            let mut is_nothing = cx.step(node, "is_nothing", "Or", vec![is_before, is_great], vec![]);
            if let Some(backwards) = backwards {
                is_nothing = cx.step(node, "is_nothing", "And", vec![is_nothing, backwards], vec![]);
            }
            ends = cx.step(node, "reached_ends", "Where", vec![is_nothing, behind, ends], vec![]);
        }
        let axes_input = cx.vector(node, "axes", axes);
        let steps: Vec<i64> =
            named.iter().map(|&spec| if shrinks(spec) { 1 } else { strides[spec] }).collect();
        let steps = cx.vector(node, "steps", &steps);
        cx.step(node, "slice", "Slice", vec![self.input, starts, ends, axes_input, steps], vec![])
    }

    /// The slice where the strides are known when the model runs. The bounds become positions from the front, as in TensorFlow:
    /// forward from 0 to the length, and backward from the last element to -1.
    fn with_open_strides(
        self,
        cx: &mut Lowering<'_>,
        node: NodeRef<'_>,
        positions: &String,
        mask: Mask<'_>,
    ) -> Result<String> {
        let shrinks = |spec: usize| mask("shrink_axis_mask", spec);
        let shrunk = self.flags(cx, (node, "shrunk"), &shrinks);
        let begin_masked =
            self.flags(cx, (node, "begin_masked"), &|spec| mask("begin_mask", spec) && !shrinks(spec));
        let end_masked = self.flags(cx, (node, "end_masked"), &|spec| mask("end_mask", spec));
        let strides = int_vector(cx, node, 3)?;
        let mut steps = Steps { cx, node };
        let (zero, one, axes) = (steps.int(0), steps.int(1), steps.ints(self.axes));
        let mut strides = steps.op("Gather", &[&strides, positions]);
        let shape = steps.op("Shape", &[&self.input]);
        let length = steps.op("Gather", &[&shape, &axes]);
        let last = steps.op("Sub", &[&length, &one]);
        let is_forward = steps.op("Greater", &[&strides, &zero]);
        let before = steps.int(-1);
        let least = steps.op("Where", &[&is_forward, &zero, &before]);
        let greatest = steps.op("Where", &[&is_forward, &length, &last]);
        let mut position = |bound: &String| {
            let from_end = steps.op("Add", &[bound, &length]);
            let is_from_end = steps.op("Less", &[bound, &zero]);
            let bound = steps.op("Where", &[&is_from_end, &from_end, bound]);
            let bound = steps.op("Max", &[&bound, &least]);
            steps.op("Min", &[&bound, &greatest])
        };
        let (mut begin, mut end) = (position(&self.begin), position(&self.end));
        if let Some(masked) = begin_masked {
            let first = steps.op("Where", &[&is_forward, &least, &greatest]);
            begin = steps.op("Where", &[&masked, &first, &begin]);
        }
        if let Some(masked) = end_masked {
            let beyond = steps.op("Where", &[&is_forward, &greatest, &least]);
            end = steps.op("Where", &[&masked, &beyond, &end]);
        }
        if let Some(shrunk) = shrunk {
            let next = steps.op("Add", &[&begin, &one]);
            end = steps.op("Where", &[&shrunk, &next, &end]);
            strides = steps.op("Where", &[&shrunk, &one, &strides]);
        }
        // ONNX counts -1 from the end: to stop before the first element is to stop at the least number, and a slice backward from there
        // is empty.
        let (never, nothing) = (steps.int(i64::MIN), steps.op("Less", &[&begin, &zero]));
        let is_all = steps.op("Less", &[&end, &zero]);
        end = steps.op("Where", &[&is_all, &never, &end]);
        end = steps.op("Where", &[&nothing, &zero, &end]);
        begin = steps.op("Max", &[&begin, &zero]);
        Ok(steps.op("Slice", &[&self.input, &begin, &end, &axes, &strides]))
    }
}

/// Records the slice of a tensor that may be a number without axes, which ONNX Runtime does not slice: it gets an axis at its end, and
/// loses it again. `bounds` are the other inputs of Slice, for the tensor with this axis.
pub fn slice_of_any_rank(cx: &mut Lowering<'_>, node: NodeRef<'_>, value: &String, bounds: &[&String]) {
    let mut steps = Steps { cx, node };
    let last = steps.ints(&[-1]);
    let value = steps.op("Unsqueeze", &[value, &last]);
    let slice = steps.op("Slice", &[&[&value], bounds].concat());
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Squeeze", vec![slice, last], layout, vec![]);
}

/// A slice whose bounds are computed when the model runs. A mask replaces some of them.
pub fn open_strided_slice(cx: &mut Lowering<'_>, node: NodeRef<'_>, input: TensorRef) -> Result<()> {
    let known_strides = cx.known_integers(node, 3)?;
    let mut lengths = node.inputs[1..].iter().map(|&bounds| cx.shape(bounds).dim(0));
    let Some(specs) = lengths.find_map(|length| length) else {
        let error = node.error("how many begins, ends and strides it has is not known");
        return Err(error.advice(cx.shape_advice(cx.input_of(node, 3)?)));
    };
    let mask = |name: &str, bit: usize| bit < 63 && node.int(name, 0) >> bit & 1 == 1;
    let ellipsis = (0..specs).find(|&spec| mask("ellipsis_mask", spec));
    let is_new = |spec: usize| mask("new_axis_mask", spec) && ellipsis != Some(spec);
    let behind = |spec: usize| ellipsis.is_some_and(|ellipsis| spec > ellipsis);
    let named: Vec<usize> = (0..specs).filter(|&spec| ellipsis != Some(spec) && !is_new(spec)).collect();
    // Axes behind an ellipsis are counted from the end.
    let axes: Vec<i64> = named
        .iter()
        .enumerate()
        .map(
            |(position, &spec)| {
                if behind(spec) { position as i64 - named.len() as i64 } else { position as i64 }
            },
        )
        .collect();
    let mut name = cx.in_tensorflow_layout(input)?;
    if !named.is_empty() {
        let specs_named: Vec<i64> = named.iter().map(|&spec| spec as i64).collect();
        let positions = cx.vector(node, "places", &specs_named);
        let mut bounds = vec![];
        for (index, what) in [(1, "begin"), (2, "end")] {
            let bound = cx.in_tensorflow_layout(cx.input_of(node, index)?)?;
            let bound = cx.cast(node, bound, DType::Int64);
            bounds.push(cx.step(node, what, "Gather", vec![bound, positions.clone()], vec![]));
        }
        let (begin, end) = (bounds[0].clone(), bounds[1].clone());
        let shrinks = |spec: usize| mask("shrink_axis_mask", spec);
        let slice = Bounds { input: name, begin, end, axes: &axes, named: &named };
        name = match &known_strides {
            Some(strides) => slice.with_strides(cx, node, strides, &mask),
            None => slice.with_open_strides(cx, node, &positions, &mask)?,
        };
        let dropped: Vec<i64> =
            named.iter().zip(&axes).filter(|(spec, _)| shrinks(**spec)).map(|(_, &axis)| axis).collect();
        if !dropped.is_empty() {
            let axes = cx.vector(node, "squeezed", &dropped);
            name = cx.step(node, "squeeze", "Squeeze", vec![name, axes], vec![]);
        }
    }
    let new: Vec<i64> = new_axes(&is_new, ellipsis, specs, &|spec| mask("shrink_axis_mask", spec));
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    if new.is_empty() {
        cx.emit(node, "Identity", vec![name], layout, vec![]);
    } else {
        let axes = cx.vector(node, "new", &new);
        cx.emit(node, "Unsqueeze", vec![name, axes], layout, vec![]);
    }
    Ok(())
}

/// Where the new axes are in the result: counted from the end where they are behind an ellipsis.
fn new_axes(
    is_new: &dyn Fn(usize) -> bool,
    ellipsis: Option<usize>,
    specs: usize,
    shrinks: &dyn Fn(usize) -> bool,
) -> Vec<i64> {
    let stays = |spec: usize| is_new(spec) || (ellipsis != Some(spec) && !shrinks(spec));
    (0..specs)
        .filter(|&spec| is_new(spec))
        .map(|spec| match ellipsis {
            Some(ellipsis) if spec > ellipsis => -((spec..specs).filter(|&spec| stays(spec)).count() as i64),
            _ => (0..spec).filter(|&spec| stays(spec)).count() as i64,
        })
        .collect()
}
