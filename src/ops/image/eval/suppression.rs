//! Boxes chosen among overlapping ones by their scores.
//!
//! Source: `tf.image.non_max_suppression` in TensorFlow's API documentation, and for what it leaves open
//! `tensorflow/core/kernels/image/non_max_suppression_op.cc`.

use ndarray::{Array1, ArrayView1, Axis, Ix1, Ix2};

use crate::graph::Node;
use crate::ops::Parameter;
use crate::ops::array::eval::order::sorted_positions;
use crate::tensor::Tensor;

pub fn suppress(node: &Node, inputs: &[&Tensor], overlap: Parameter) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(boxes), Tensor::Float32(scores), limit, ..] = inputs else {
        return None;
    };
    let boxes = boxes.view().into_dimensionality::<Ix2>().ok()?;
    let scores = scores.view().into_dimensionality::<Ix1>().ok()?;
    let number = |tensor: &&Tensor| tensor.numbers().first().map(|&number| number as f32);
    let overlap = match overlap {
        Parameter::Attribute => node.float("iou_threshold", 0.5),
        Parameter::Input(index) => inputs.get(index).and_then(number)?,
    };
    let least = inputs.get(4).map_or(Some(f32::NEG_INFINITY), number)?;
    if boxes.ncols() != 4 || boxes.nrows() != scores.len() || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let candidates = (0..scores.len()).filter(|&position| scores[position] > least).collect();
    let candidates = sorted_positions(candidates, &|a, b| scores[b].total_cmp(&scores[a]));
    let limit = usize::try_from(limit.integer()?).ok()?;
    let mut chosen: Vec<usize> = vec![];
    for candidate in candidates {
        if chosen.len() == limit {
            break;
        }
        let box_of = |position: usize| boxes.index_axis(Axis(0), position);
        if chosen.iter().all(|&other| share_of_union(box_of(candidate), box_of(other)) <= overlap) {
            chosen.push(candidate);
        }
    }
    let positions: Array1<i32> = chosen.into_iter().map(|position| position as i32).collect();
    Some(vec![Tensor::Int32(positions.into_dyn())])
}

/// The area that two boxes share, as a part of what they cover together. Opposite corners may be given in any order.
fn share_of_union(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f32 {
    let range = |corners: &ArrayView1<'_, f32>, axis: usize| {
        (corners[axis].min(corners[axis + 2]), corners[axis].max(corners[axis + 2]))
    };
    let area = |corners: &ArrayView1<'_, f32>| -> f32 {
        [0, 1].map(|axis| range(corners, axis)).iter().map(|(from, to)| to - from).product()
    };
    if area(&a) <= 0.0 || area(&b) <= 0.0 {
        return 0.0;
    }
    let shared: f32 = [0, 1]
        .map(|axis| {
            let ((a_from, a_to), (b_from, b_to)) = (range(&a, axis), range(&b, axis));
            (a_to.min(b_to) - a_from.max(b_from)).max(0.0)
        })
        .iter()
        .product();
    shared / (area(&a) + area(&b) - shared)
}
