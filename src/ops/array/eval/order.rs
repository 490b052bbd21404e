//! Ops for which the order of elements matters: the largest of them, and sums of all before.

use std::cmp::Ordering;

use ndarray::{ArrayD, ArrayView1, Axis, Slice};

use crate::graph::Node;
use crate::graph::axis::axis_from_front;
use crate::ops::Parameter;
use crate::ops::array::eval::basic::{lengths, picked};
use crate::tensor::Tensor;
use crate::tensor::same_type;
use crate::tensor::{DType, element_count};

/// Whether an `ArgMax` or `ArgMin` has several elements to choose from. TensorFlow and ONNX take the first one.
pub fn is_tied(node: &Node, inputs: &[&Tensor]) -> bool {
    let [first, last] = match node.op.as_str() {
        "ArgMax" => [arg(node, inputs, |a, b| a > b), arg(node, inputs, |a, b| a >= b)],
        "ArgMin" => [arg(node, inputs, |a, b| a < b), arg(node, inputs, |a, b| a <= b)],
        _ => return false,
    };
    first.zip(last).is_some_and(|(first, last)| first[0].numbers() != last[0].numbers())
}

/// The index, along an axis, of the first element that no other beats. NaN is beaten by all numbers.
pub fn arg(node: &Node, inputs: &[&Tensor], beats: fn(f64, f64) -> bool) -> Option<Vec<Tensor>> {
    let [input, axis] = inputs else { return None };
    let axis = axis_from_front(axis.integer()?, input.shape().len())?;
    if input.shape()[axis] == 0 {
        return None;
    }
    let input = input.numbers();
    let positions = input.map_axis(Axis(axis), |lane: ArrayView1<'_, f64>| {
        let is_better = |new: f64, best: f64| beats(new, best) || best.is_nan() && !new.is_nan();
        (1..lane.len())
            .fold(0, |best, position| if is_better(lane[position], lane[best]) { position } else { best })
            as i64
    });
    let positions_in_order: Vec<i64> = positions.iter().copied().collect();
    let dtype = node.dtype("output_type").unwrap_or(DType::Int64);
    Some(vec![Tensor::from_integers(dtype, positions.shape(), &positions_in_order)?])
}

/// Positions in the order of a comparison; of equals, the first position is in front.
pub fn sorted_positions(mut positions: Vec<usize>, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    positions.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
    positions
}

/// The largest elements of the last axis, the largest first, and where they are; of equals, the first.
pub fn top(node: &Node, inputs: &[&Tensor], k: Parameter) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input), ..] = inputs else { return None };
    let count = match k {
        Parameter::Attribute => node.int("k", 0),
        Parameter::Input(index) => inputs.get(index)?.integer()?,
    };
    let count = usize::try_from(count).ok()?;
    let (last, rest) = input.shape().split_last()?;
    if count > *last {
        return None;
    }
    let (mut values, mut positions) = (vec![], vec![]);
    for lane in input.lanes(Axis(input.ndim() - 1)) {
        let order = sorted_positions((0..*last).collect(), &|a, b| lane[b].total_cmp(&lane[a]));
        values.extend(order.iter().take(count).map(|&position| lane[position]));
        positions.extend(order.iter().take(count).map(|&position| position as i32));
    }
    let shape = [rest, &[count]].concat();
    Some(vec![
        Tensor::Float32(ArrayD::from_shape_vec(&shape[..], values).ok()?),
        Tensor::Int32(ArrayD::from_shape_vec(shape, positions).ok()?),
    ])
}

/// The indices of the elements that are not zero, each with a row.
pub fn positions(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input] = inputs else { return None };
    let rank = input.shape().len();
    if rank == 0 {
        return None;
    }
    let numbers = input.numbers();
    let found = numbers.indexed_iter().filter(|&(_, &number)| number != 0.0);
    let indices: Vec<i64> =
        found.flat_map(|(index, _)| (0..rank).map(move |axis| index[axis] as i64)).collect();
    Some(vec![Tensor::from_integers(DType::Int64, &[indices.len() / rank, rank], &indices)?])
}

/// The running sums or products; if the node is `exclusive`, without the element itself.
pub fn accumulate(
    node: &Node,
    inputs: &[&Tensor],
    start: f32,
    combine: impl Fn(f32, f32) -> f32,
) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input), axis] = inputs else { return None };
    let axis = Axis(axis_from_front(axis.integer()?, input.ndim())?);
    let (exclusive, reverse) = (node.bool("exclusive", false), node.bool("reverse", false));
    let mut result = input.clone();
    for mut lane in result.lanes_mut(axis) {
        if reverse {
            lane.invert_axis(Axis(0));
        }
        let mut sum = start;
        for element in lane {
            let before = sum;
            sum = combine(sum, *element);
            *element = if exclusive { before } else { sum };
        }
    }
    Some(vec![Tensor::Float32(result)])
}

/// Reverses the first elements of each row, as many as the second input has for the row.
pub fn reverse_sequence(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, counts] = inputs else { return None };
    let rank = input.shape().len();
    let (time, batch) =
        (axis_from_front(node.int("seq_dim", 0), rank)?, axis_from_front(node.int("batch_dim", 0), rank)?);
    let (counts, length) = (lengths(counts)?, input.shape()[time]);
    if time == batch || counts.len() != input.shape()[batch] || counts.iter().any(|&count| count > length) {
        return None;
    }
    Some(vec![same_type!(input, array => reversed(array.clone(), time, batch, &counts))])
}

/// An array with the first elements along one axis reversed, for each index of another axis as many as are counted.
fn reversed<T: Clone>(mut array: ArrayD<T>, time: usize, batch: usize, counts: &[usize]) -> ArrayD<T> {
    let time = Axis(if batch < time { time - 1 } else { time });
    for (index, &count) in counts.iter().enumerate() {
        let mut row = array.index_axis_mut(Axis(batch), index);
        let mut first = row.slice_axis_mut(time, Slice::from(..count));
        let mut reversed = first.to_owned();
        reversed.invert_axis(time);
        first.assign(&reversed);
    }
    array
}

/// An axis along which the element at each index is `on`, and all others are `off`. No element is at an index outside.
pub fn one_hot(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [indices, depth, Tensor::Float32(on), Tensor::Float32(off)] = inputs else { return None };
    let depth = usize::try_from(depth.integer()?).ok()?;
    let (on, off) = (*on.first()?, *off.first()?);
    let rank = indices.shape().len() + 1;
    let axis = axis_from_front(node.int("axis", -1), rank)?;
    element_count(&[indices.shape(), &[depth]].concat())?;
    let spread = |index: i64| (0..depth).map(move |position| if position as i64 == index { on } else { off });
    let elements: Vec<f32> = indices.integers()?.into_iter().flat_map(spread).collect();
    let result = ArrayD::from_shape_vec([indices.shape(), &[depth]].concat(), elements).ok()?;
    let mut axes: Vec<usize> = (0..rank - 1).collect();
    axes.insert(axis, rank - 1);
    Some(vec![Tensor::Float32(result.permuted_axes(axes).as_standard_layout().into_owned())])
}

/// Parts of given lengths; one of them may be -1, the rest.
pub fn split(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, sizes, axis] = inputs else { return None };
    let axis = axis_from_front(axis.integer()?, input.shape().len())?;
    let (length, sizes) = (input.shape()[axis], sizes.integers()?);
    let known = sizes.iter().filter_map(|&size| usize::try_from(size).ok());
    let known = known.fold(0usize, usize::saturating_add);
    let (mut parts, mut start) = (vec![], 0usize);
    for size in sizes {
        let size = if size == -1 { length.checked_sub(known)? } else { usize::try_from(size).ok()? };
        let end = start.checked_add(size).filter(|&end| end <= length)?;
        let taken: Vec<usize> = (start..end).collect();
        start = end;
        parts.push(picked(input, axis, &taken));
    }
    (start == length).then_some(parts)
}

/// Elements that are moved out at one end come in at the other.
pub fn roll(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, shifts, axes] = inputs else { return None };
    let mut result = Tensor::clone(input);
    for (shift, axis) in shifts.integers()?.into_iter().zip(axes.integers()?) {
        let axis = axis_from_front(axis, input.shape().len())?;
        let length = input.shape()[axis] as i64;
        if length == 0 {
            continue;
        }
        let from = |position: i64| (position - shift.rem_euclid(length)).rem_euclid(length) as usize;
        let indices: Vec<usize> = (0..length).map(from).collect();
        result = picked(&result, axis, &indices);
    }
    Some(vec![result])
}

#[cfg(test)]
mod tests {
    use ndarray::{arr0, arr2};

    use super::*;
    use crate::graph::Attrs;

    #[test]
    fn rows_whose_largest_element_is_there_twice_are_tied() {
        let node = Node {
            name: "places".to_owned(),
            op: "ArgMax".to_owned(),
            inputs: vec![],
            attrs: Attrs::new(),
            outputs: vec![],
        };
        let axis = Tensor::Int32(arr0(1).into_dyn());
        for (rows, tied) in
            [([[1.0, 3.0, 3.0], [0.0, 0.0, 2.0]], true), ([[1.0, 3.0, 2.0], [1.0, 1.0, 2.0]], false)]
        {
            assert_eq!(is_tied(&node, &[&Tensor::Float32(arr2(&rows).into_dyn()), &axis]), tied);
        }
    }
}
