//! Parts of tensors, in whatever layout they are stored.
//!
//! Sources: `tf.strided_slice` and `tf.slice` in TensorFlow's API documentation; Slice in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::partial::Length;
use crate::graph::slice::StridedSlice;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::array::lower::open_slice::{open_strided_slice, slice_of_any_rank};
use crate::tensor::DType;

/// A slice along each axis, in any order of the stored axes. Then axes that are indexed with a single element are removed,
/// and new axes are inserted.
pub fn strided_slice(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let bound = |index: usize| cx.known_integers(node, index);
    let (Some(begin), Some(end), Some(strides), Some(rank)) =
        (bound(1)?, bound(2)?, bound(3)?, cx.shape(input).rank())
    else {
        return open_strided_slice(cx, node, input);
    };
    let slice = StridedSlice::new(&node, rank, [&begin, &end, &strides])?;
    // A slice backwards from before the first element is empty, but ONNX would begin at the first one.
    let may_begin_before = |axis: usize| {
        let [start, _, step] = slice.bounds(axis);
        step < 0 && start < -1 && cx.shape(input).dim(axis).is_none()
    };
    if (0..rank).any(may_begin_before) {
        return open_strided_slice(cx, node, input);
    }
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
    if let (1, [true], [(_, [index, ..])], []) = (rank, &shrunk[..], &cut[..], slice.new_axes()) {
        // One node instead of two: graphs read single lengths of shapes in this way.
        let index = cx.scalar(node, "index", DType::Int64, *index as f64);
        cx.emit(node, "Gather", vec![name, index], layout.without(&shrunk), vec![]);
        return Ok(());
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

/// A begin and a size for each axis; the size -1 is the remaining length.
pub fn slice(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    // Without begins, there are no axes.
    if cx.shape(input).rank() == Some(0) || cx.shape(cx.input_of(node, 1)?).dim(0) == Some(0) {
        return cx.alias(node.into(), input);
    }
    if let Some(bounds) = known_bounds(cx, node, input)? {
        let (name, layout) = cx.stored(input)?;
        let mut cut: Vec<(i64, [i64; 2])> = (bounds.into_iter().enumerate())
            .filter(|&(_, bounds)| bounds != [0, i64::MAX])
            .map(|(axis, bounds)| (layout.stored_axis(axis) as i64, bounds))
            .collect();
        if cut.is_empty() {
            return cx.alias(node.into(), input);
        }
        cut.sort_unstable();
        let (axes, bounds): (Vec<i64>, Vec<[i64; 2]>) = cut.into_iter().unzip();
        let (starts, ends): (Vec<i64>, Vec<i64>) =
            bounds.into_iter().map(|[start, end]| (start, end)).unzip();
        let inputs = vec![
            name,
            cx.vector(node, "starts", &starts),
            cx.vector(node, "ends", &ends),
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
    let mut end = cx.step(node, "end", "Add", vec![begin.clone(), size.clone()], vec![]);
    if !sizes(cx, node)?.is_some_and(|sizes| sizes.into_iter().all(is_length)) {
        let (zero, last) = (cx.vector(node, "zero", &[0]), cx.vector(node, "last", &[i64::MAX]));
        let takes_rest = cx.step(node, "takes_rest", "Less", vec![size, zero], vec![]);
        end = cx.step(node, "ends", "Where", vec![takes_rest, last, end], vec![]);
    }
    if cx.shape(input).rank().is_none() && cx.shape(cx.input_of(node, 1)?).dim(0).is_none() {
        let mut steps = Steps { cx, node };
        let (first, last) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
        let begin = steps.op_with("Concat", &[&begin, &first], "axis", 0);
        let end = steps.op_with("Concat", &[&end, &last], "axis", 0);
        slice_of_any_rank(cx, node, &name, &[&begin, &end]);
        return Ok(());
    }
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![name, begin, end], layout, vec![]);
    Ok(())
}

/// The sizes of a slice, as far as they are known; `None` if not even their number is.
fn sizes(cx: &Lowering<'_>, node: NodeRef<'_>) -> Result<Option<Vec<Length>>> {
    Ok(match cx.known_integers(node, 2)? {
        Some(sizes) => Some(sizes.into_iter().map(Length::Known).collect()),
        None => cx.lengths(cx.input_of(node, 2)?),
    })
}

/// Whether a size is a length, and not the -1 for the remaining length.
fn is_length(size: Length) -> bool {
    match size {
        Length::Known(size) => size >= 0,
        Length::Of(..) => true,
        Length::Open => false,
    }
}

/// Start and end of a slice along each axis, if they are known. A slice of the whole axis ends at the greatest number.
fn known_bounds(cx: &Lowering<'_>, node: NodeRef<'_>, input: TensorRef) -> Result<Option<Vec<[i64; 2]>>> {
    let (Some(begin), Some(sizes), Some(rank)) =
        (cx.known_integers(node, 1)?, sizes(cx, node)?, cx.shape(input).rank())
    else {
        return Ok(None);
    };
    if begin.len() != rank || sizes.len() != rank {
        return Err(node.error("its begins and sizes are not one for each axis"));
    }
    let measured = cx.origin(input);
    let bounds = begin.into_iter().zip(sizes).enumerate().map(|(axis, (begin, size))| match size {
        Length::Known(size) if size >= 0 => Some([begin, begin.saturating_add(size)]),
        Length::Known(_) => Some([begin, i64::MAX]),
        size if size == Length::Of(measured, axis) && begin == 0 => Some([0, i64::MAX]),
        _ => None,
    });
    Ok(bounds.collect())
}
