//! Images of other sizes whose pixels are sums of four by four.
//!
//! ONNX's Resize has cubic weights too, but TensorFlow rounds its own to a table of 1024, and ONNX Runtime's optimizer makes
//! Resize nodes of images with their channels last that it then refuses. So the pixels are gathered and weighted, along one
//! axis after the other and in any layout.
//!
//! Sources: `tf.image.resize` in TensorFlow's API documentation; `tensorflow/core/kernels/image/resize_bicubic_op.cc`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::tensor::{Constant, DType};

/// The number of steps between one pixel and the next.
const STEPS: f32 = 1024.0;

/// The longest axis whose weights are constants; the model computes more.
const MOST_KNOWN: usize = 1 << 16;

/// Which pixels an axis is made of, and their weights: for each of the four neighbors a vector of both.
type Neighbors = [[String; 2]; 4];

/// How the pixels of an axis are aligned with those of an axis of another length.
#[derive(Clone, Copy)]
struct Scaling {
    corners: bool,
    centers: bool,
}

impl Scaling {
    /// The parameter of the cubic. With the newer coordinates, TensorFlow has another one, and leaves out pixels outside of the
    /// image, while the older version repeats its edge.
    fn parameter(self) -> f64 {
        if self.centers { -0.5 } else { -0.75 }
    }

    /// The weights of the four pixels around a position that is this share of the way from the second to the third.
    fn weights(self, share: f32) -> [f32; 4] {
        let (a, share) = (self.parameter(), f64::from(share));
        let near = |x: f64| ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
        let far = |x: f64| ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
        [far(share + 1.0), near(share), near(1.0 - share), far(2.0 - share)].map(|weight| weight as f32)
    }

    /// The four pixels of `from` that pixel `position` of `to` is made of, with their weights.
    fn neighbors(self, from: usize, to: usize, position: usize) -> [(usize, f32); 4] {
        let scale = match self.corners && to > 1 {
            true => (from - 1) as f32 / (to - 1) as f32,
            false => from as f32 / to as f32,
        };
        let position = match self.centers {
            true => (position as f32 + 0.5) * scale - 0.5,
            false => position as f32 * scale,
        };
        let weights = self.weights(((position - position.floor()) * STEPS).round_ties_even() / STEPS);
        let pixel = |index: usize| (position.floor() as i64 + index as i64 - 1).clamp(0, from as i64 - 1);
        let is_inside = |index: usize| pixel(index) == position.floor() as i64 + index as i64 - 1;
        let weight = |index: usize| if self.centers && !is_inside(index) { 0.0 } else { weights[index] };
        let sum = if self.centers { (0..4).map(weight).sum() } else { 1.0 };
        std::array::from_fn(|index| (pixel(index) as usize, weight(index) / sum))
    }
}

pub fn bicubic(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (mut name, stored) = cx.stored(input)?;
    // A tensor of unknown rank is stored in TensorFlow's order, and has four axes if it is an image.
    let layout = if stored.axes().len() == 4 { stored } else { Layout::tensorflow(4) };
    if cx.dtype(input) != DType::Float32 {
        name = cx.cast(node, name, DType::Float32);
    }
    let scaling = Scaling {
        corners: node.bool("align_corners", false),
        centers: node.bool("half_pixel_centers", false),
    };
    let sizes = cx.known_integers(node, 1)?;
    let mut halves: Option<[String; 2]> = None;
    for axis in [1, 2] {
        if let Some([first, second]) = halves.take() {
            name = cx.step(node, "rows", "Add", vec![first, second], vec![]);
        }
        let at = layout.stored_axis(axis);
        let to = sizes.as_ref().and_then(|sizes| usize::try_from(*sizes.get(axis - 1)?).ok());
        let neighbors = match (cx.shape(input).dim(axis), to) {
            (Some(from), Some(to)) if from > 0 && to <= MOST_KNOWN => {
                known_neighbors(cx, node, scaling, [from, to], at)
            }
            _ => {
                let sizes = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
                let mut steps = Steps { cx, node };
                let sizes = steps.cast(&sizes, DType::Int64);
                let to = steps.part(&sizes, 0, axis as i64 - 1, axis as i64);
                let from = steps.length(&name, at as i64);
                open_neighbors(&mut steps, scaling, [&from, &to], at)
            }
        };
        let mut steps = Steps { cx, node };
        let [a, b, c, d] = neighbors.map(|[pixels, weights]| {
            let gathered = steps.op_with("Gather", &[&name, &pixels], "axis", at as i64);
            steps.op("Mul", &[&gathered, &weights])
        });
        halves = Some([steps.op("Add", &[&a, &b]), steps.op("Add", &[&c, &d])]);
    }
    cx.emit(node, "Add", halves.into_iter().flatten().collect(), layout, vec![]);
    Ok(())
}

fn known_neighbors(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    scaling: Scaling,
    [from, to]: [usize; 2],
    at: usize,
) -> Neighbors {
    let all: Vec<[(usize, f32); 4]> = (0..to).map(|position| scaling.neighbors(from, to, position)).collect();
    std::array::from_fn(|index| {
        let pixels: Vec<i64> = all.iter().map(|neighbors| neighbors[index].0 as i64).collect();
        let weights: Vec<f32> = all.iter().map(|neighbors| neighbors[index].1).collect();
        // Indices and weights are along the axis.
        let shape = [&[to][..], &vec![1; 3 - at]].concat();
        let weights = Constant::from_f32(shape, &weights);
        [
            cx.vector(node, &format!("pixels_{at}_{index}"), &pixels),
            cx.initializer(&format!("{}/weights_{at}_{index}", node.name), weights, &[]),
        ]
    })
}

/// The same where both lengths, as vectors of one number, are known when the model runs.
fn open_neighbors(
    steps: &mut Steps<'_, '_, '_>,
    scaling: Scaling,
    [from, to]: [&String; 2],
    at: usize,
) -> Neighbors {
    let [one, half, ways] = [1.0, 0.5, f64::from(STEPS)].map(|value| steps.number(DType::Float32, value));
    let positions = steps.positions(to);
    let [positions, length, wanted] = [&positions, from, to].map(|value| steps.cast(value, DType::Float32));
    let mut scale = steps.op("Div", &[&length, &wanted]);
    if scaling.corners {
        let [between, intervals] = [&length, &wanted].map(|count| steps.op("Sub", &[count, &one]));
        let intervals = steps.op("Max", &[&intervals, &one]);
        let (between, is_many) =
            (steps.op("Div", &[&between, &intervals]), steps.op("Greater", &[&wanted, &one]));
        scale = steps.op("Where", &[&is_many, &between, &scale]);
    }
    let position = match scaling.centers {
        true => {
            let center = steps.op("Add", &[&positions, &half]);
            let center = steps.op("Mul", &[&center, &scale]);
            steps.op("Sub", &[&center, &half])
        }
        false => steps.op("Mul", &[&positions, &scale]),
    };
    let floor = steps.op("Floor", &[&position]);
    let share = steps.op("Sub", &[&position, &floor]);
    let share = steps.op("Mul", &[&share, &ways]);
    let share = steps.op("Round", &[&share]);
    let share = steps.op("Div", &[&share, &ways]);
    let rest = steps.op("Sub", &[&one, &share]);
    let [beyond, before] = [&share, &rest].map(|share| steps.op("Add", &[share, &one]));
    let a = scaling.parameter();
    let (near, far) = ([a + 2.0, -(a + 3.0), 0.0, 1.0], [a, -5.0 * a, 8.0 * a, -4.0 * a]);
    let mut weights = [(&beyond, far), (&share, near), (&rest, near), (&before, far)]
        .map(|(share, cubic)| polynomial(steps, share, cubic));
    let floor = steps.cast(&floor, DType::Int64);
    let (first, unit) = (steps.int(0), steps.int(1));
    let last = steps.op("Sub", &[from, &unit]);
    let mut pixels = [-1, 0, 1, 2].map(|offset| {
        let offset = steps.int(offset);
        steps.op("Add", &[&floor, &offset])
    });
    let none = steps.number(DType::Float32, 0.0);
    for (pixel, weight) in pixels.iter_mut().zip(&mut weights) {
        let inside = steps.op("Min", &[pixel, &last]);
        let inside = steps.op("Max", &[&inside, &first]);
        if scaling.centers {
            let is_inside = steps.op("Equal", &[&inside, pixel]);
            *weight = steps.op("Where", &[&is_inside, weight, &none]);
        }
        *pixel = inside;
    }
    if scaling.centers {
        let [a, b, c, d] = &weights;
        let sum = steps.op("Sum", &[a, b, c, d]);
        weights = weights.map(|weight| steps.op("Div", &[&weight, &sum]));
    }
    // Indices and weights are along the axis.
    let behind: Vec<i64> = (1..4 - at as i64).collect();
    let mut index = 0;
    pixels.map(|pixels| {
        let mut weights = weights[index].clone();
        if !behind.is_empty() {
            let behind = steps.ints(&behind);
            weights = steps.op("Unsqueeze", &[&weights, &behind]);
        }
        index += 1;
        [pixels, weights]
    })
}

/// A polynomial of the third degree, its coefficients in descending order.
fn polynomial(steps: &mut Steps<'_, '_, '_>, x: &String, coefficients: [f64; 4]) -> String {
    let [mut value, second, third, fourth] = coefficients.map(|value| steps.number(DType::Float32, value));
    for coefficient in [&second, &third, &fourth] {
        let product = steps.op("Mul", &[&value, x]);
        value = steps.op("Add", &[&product, coefficient]);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::Scaling;

    #[test]
    fn weights_add_up_to_one_and_stay_inside_of_the_image() {
        for (corners, centers) in [(false, false), (true, false), (false, true)] {
            for (from, to) in [(1, 5), (3, 7), (9, 4), (2, 1)] {
                for position in 0..to {
                    let neighbors = Scaling { corners, centers }.neighbors(from, to, position);
                    let sum: f32 = neighbors.iter().map(|(_, weight)| weight).sum();
                    assert!((sum - 1.0).abs() < 1e-6 && neighbors.iter().all(|(pixel, _)| *pixel < from));
                }
            }
        }
    }

    #[test]
    fn a_pixel_on_another_is_that_one() {
        let neighbors = Scaling { corners: false, centers: false }.neighbors(4, 8, 2);
        assert_eq!(neighbors, [(0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)]);
    }
}
