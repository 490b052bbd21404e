//! Parts of tensors, in whatever layout they are stored.
//!
//! Sources: `tf.strided_slice` and `tf.slice` in TensorFlow's API documentation; Slice in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::slice::StridedSlice;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::tensor::{Constant, DType};

/// A slice along each axis, in any order of the stored axes. Then axes that are indexed with a single element are removed,
/// and new axes are inserted.
pub fn strided_slice(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let bound = |index: usize| cx.known_integers(node, index);
    let (Some(begin), Some(end), Some(strides)) = (bound(1)?, bound(2)?, bound(3)?) else {
        return open_strided_slice(cx, node, input);
    };
    let rank = cx.rank(node, input)?;
    let slice = StridedSlice::new(&node, rank, [&begin, &end, &strides])?;
    let (name, layout) = cx.stored(input)?;
    // In stored order, without the axes that are selected as a whole.
    let mut cut: Vec<(i64, [i64; 3])> = (0..rank)
        .filter(|&axis| !slice.takes_all(axis))
        .map(|axis| (layout.stored_axis(axis) as i64, slice.bounds(axis)))
        .collect();
    cut.sort_unstable();
    let shrunk: Vec<bool> = slice.shrunk().collect();
    if cut.is_empty() && slice.new_axes().is_empty() {
        return cx.alias(node.into(), input);
    }
    let mut name = name;
    let part = |pick: fn(&(i64, [i64; 3])) -> i64| cut.iter().map(pick).collect::<Vec<i64>>();
    if !cut.is_empty() {
        let mut inputs = vec![name];
        for (what, values) in [
            ("starts", part(|(_, [start, ..])| *start)),
            ("ends", part(|(_, [_, end, _])| *end)),
            ("axes", part(|(axis, _)| *axis)),
            ("steps", part(|(_, [.., step])| *step)),
        ] {
            inputs.push(cx.vector(node, what, &values));
        }
        if !shrunk.contains(&true) && slice.new_axes().is_empty() {
            cx.emit(node, "Slice", inputs, layout, vec![]);
            return Ok(());
        }
        name = cx.step(node, "slice", "Slice", inputs, vec![]);
    }
    let mut drop: Vec<i64> =
        (0..rank).filter(|&axis| shrunk[axis]).map(|axis| layout.stored_axis(axis) as i64).collect();
    drop.sort_unstable();
    let kept = layout.without(&shrunk);
    let new: Vec<i64> = slice.new_axes().iter().map(|&axis| axis as i64).collect();
    if new.is_empty() {
        let axes = cx.vector(node, "squeezed", &drop);
        cx.emit(node, "Squeeze", vec![name, axes], kept, vec![]);
        return Ok(());
    }
    if !drop.is_empty() {
        let axes = cx.vector(node, "squeezed", &drop);
        name = cx.step(node, "squeeze", "Squeeze", vec![name, axes], vec![]);
    }
    if !kept.is_tensorflow() {
        let perm = kept.permutation_to(&Layout::tensorflow(kept.axes().len()));
        let perm = perm.into_iter().map(|axis| axis as i64).collect();
        let attributes = vec![("perm", crate::onnx::Attribute::Ints(perm))];
        name = cx.step(node, "transpose", "Transpose", vec![name], attributes);
    }
    let axes = cx.vector(node, "new", &new);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Unsqueeze", vec![name, axes], layout, vec![]);
    Ok(())
}

/// A slice whose bounds are computed when the model runs. A mask replaces some of them.
fn open_strided_slice(cx: &mut Lowering<'_>, node: NodeRef<'_>, input: TensorRef) -> Result<()> {
    let strides = cx.integers(node, 3, "strides")?;
    let specs = strides.len();
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
        let far = |spec: usize, is_end: bool| if (strides[spec] > 0) == is_end { i64::MAX } else { i64::MIN };
        let flags = |cx: &mut Lowering<'_>, what: &str, is_set: &dyn Fn(usize) -> bool| {
            let flags: Vec<bool> = named.iter().map(|&spec| is_set(spec)).collect();
            let any = flags.contains(&true);
            let constant = Constant::from_bools(vec![flags.len()], &flags);
            any.then(|| cx.initializer(&format!("{}/{what}", node.name), constant, &[]))
        };
        let choose =
            |cx: &mut Lowering<'_>, what: &str, flags: Option<String>, values: String, otherwise: String| {
                match flags {
                    Some(flags) => cx.step(node, what, "Where", vec![flags, values, otherwise], vec![]),
                    None => otherwise,
                }
            };
        let shrinks = |spec: usize| mask("shrink_axis_mask", spec);
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
            let shape = cx.step(node, "shape", "Shape", vec![name.clone()], vec![]);
            let at = cx.vector(node, "axes", &axes);
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
        let axes_input = cx.vector(node, "axes", &axes);
        let steps: Vec<i64> =
            named.iter().map(|&spec| if shrinks(spec) { 1 } else { strides[spec] }).collect();
        let steps = cx.vector(node, "steps", &steps);
        name = cx.step(node, "slice", "Slice", vec![name, starts, ends, axes_input, steps], vec![]);
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

/// A begin and a size for each axis; the size -1 is the remaining length.
pub fn slice(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    // Without begins, there are no axes.
    if cx.shape(input).rank() == Some(0) || cx.shape(cx.input_of(node, 1)?).dim(0) == Some(0) {
        return cx.alias(node.into(), input);
    }
    if let (Some(begin), Some(size)) = (cx.known_integers(node, 1)?, cx.known_integers(node, 2)?) {
        let (name, layout) = cx.stored(input)?;
        if begin.len() != layout.axes().len() || size.len() != begin.len() {
            return Err(node.error("its begins and sizes are not one for each axis"));
        }
        let ends: Vec<i64> = begin
            .iter()
            .zip(&size)
            .map(|(begin, &size)| if size < 0 { i64::MAX } else { begin.saturating_add(size) })
            .collect();
        let axes: Vec<i64> = (0..begin.len() as i64).collect();
        let inputs = vec![
            name,
            cx.vector(node, "starts", &layout.stored(&begin)),
            cx.vector(node, "ends", &layout.stored(&ends)),
            cx.vector(node, "axes", &axes),
        ];
        cx.emit(node, "Slice", inputs, layout, vec![]);
        return Ok(());
    }
    let name = cx.in_tensorflow_layout(input)?;
    let mut bounds = vec![];
    for index in [1, 2] {
        let bound = cx.in_tensorflow_layout(cx.input_of(node, index)?)?;
        bounds.push(cx.cast(node, bound, DType::Int64));
    }
    let (begin, size) = (bounds[0].clone(), bounds[1].clone());
    let end = cx.step(node, "end", "Add", vec![begin.clone(), size.clone()], vec![]);
    let (zero, last) = (cx.vector(node, "zero", &[0]), cx.vector(node, "last", &[i64::MAX]));
    let takes_rest = cx.step(node, "takes_rest", "Less", vec![size, zero], vec![]);
    let end = cx.step(node, "ends", "Where", vec![takes_rest, last, end], vec![]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![name, begin, end], layout, vec![]);
    Ok(())
}
