//! Cells of recurrent networks, element by element.
//!
//! Source: the descriptions of the ops in `tensorflow/core/ops/rnn_ops.cc`.

use ndarray::{Array2, Array3, ArrayView2, Axis, s};

use crate::graph::Node;
use crate::ops::array::eval::basic::joined;
use crate::tensor::Tensor;

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// An LSTM cell. `order` has the index of the input gate, the new value, the forget gate and the output gate in the weights.
struct Cell {
    order: [usize; 4],
    forget_bias: f32,
    clip: f32,
    peepholes: Option<[Vec<f32>; 3]>,
    weights: Array2<f32>,
    bias: Vec<f32>,
}

impl Cell {
    /// From the inputs of an op that are its weights, peepholes and bias.
    fn new(node: &Node, inputs: &[&Tensor], order: [usize; 4], defaults: [f32; 2]) -> Option<Self> {
        let [Tensor::Float32(weights), peepholes @ .., Tensor::Float32(bias)] = inputs else { return None };
        let vector = |tensor: &&Tensor| match tensor {
            Tensor::Float32(array) => Some(array.iter().copied().collect::<Vec<f32>>()),
            _ => None,
        };
        let peepholes: Vec<Vec<f32>> = peepholes.iter().map(vector).collect::<Option<_>>()?;
        let used = node.bool("use_peephole", false);
        let cell = Self {
            order,
            forget_bias: node.float("forget_bias", defaults[0]),
            clip: node.float("cell_clip", defaults[1]),
            peepholes: <[Vec<f32>; 3]>::try_from(peepholes).ok().filter(|_| used),
            weights: weights.view().into_dimensionality().ok()?.to_owned(),
            bias: bias.iter().copied().collect(),
        };
        (cell.peepholes.is_some() == used && cell.bias.len() == cell.weights.ncols()).then_some(cell)
    }

    /// The outputs of one step: i, cs, f, o, ci, co and h.
    fn step(&self, x: ArrayView2<'_, f32>, cs: &Array2<f32>, h: &Array2<f32>) -> Option<[Array2<f32>; 7]> {
        let (rows, units) = cs.dim();
        let both = side_by_side(x, h.view())?;
        if both.ncols() != self.weights.nrows() || self.bias.len() != 4 * units {
            return None;
        }
        let sums = both.dot(&self.weights);
        let mut out: [Array2<f32>; 7] = std::array::from_fn(|_| Array2::zeros((rows, units)));
        for row in 0..rows {
            for unit in 0..units {
                let sum = |gate: usize| {
                    let column = self.order[gate] * units + unit;
                    sums[[row, column]] + self.bias[column]
                };
                let seen = |gate: usize, state: f32| {
                    self.peepholes.as_ref().map_or(0.0, |weights| weights[gate][unit] * state)
                };
                let before = cs[[row, unit]];
                let i = sigmoid(sum(0) + seen(0, before));
                let ci = sum(1).tanh();
                let f = sigmoid(sum(2) + self.forget_bias + seen(1, before));
                let mut after = ci * i + before * f;
                if self.clip > 0.0 {
                    after = after.clamp(-self.clip, self.clip);
                }
                let o = sigmoid(sum(3) + seen(2, after));
                let co = after.tanh();
                for (array, value) in out.iter_mut().zip([i, after, f, o, ci, co, co * o]) {
                    array[[row, unit]] = value;
                }
            }
        }
        Some(out)
    }
}

/// Two matrices with the same number of rows, one beside the other.
fn side_by_side(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Option<Array2<f32>> {
    joined(1, &[a.into_dyn(), b.into_dyn()])?.into_dimensionality().ok()
}

fn matrix(tensor: &Tensor) -> Option<Array2<f32>> {
    match tensor {
        Tensor::Float32(array) => array.view().into_dimensionality().ok().map(|view| view.to_owned()),
        _ => None,
    }
}

pub fn lstm_block_cell(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [x, cs, h, weights @ ..] = inputs else { return None };
    let cell = Cell::new(node, weights, [0, 1, 2, 3], [1.0, 3.0])?;
    let out = cell.step(matrix(x)?.view(), &matrix(cs)?, &matrix(h)?)?;
    Some(out.into_iter().map(|array| Tensor::Float32(array.into_dyn())).collect())
}

pub fn block_lstm(node: &Node, inputs: &[&Tensor], order: [usize; 4]) -> Option<Vec<Tensor>> {
    let [Tensor::Int64(length), Tensor::Float32(x), cs, h, weights @ ..] = inputs else { return None };
    let defaults = if order == [0, 1, 2, 3] { [1.0, 3.0] } else { [0.0, 0.0] };
    let cell = Cell::new(node, weights, order, defaults)?;
    let x = x.view().into_dimensionality::<ndarray::Ix3>().ok()?;
    let (mut cs, mut h) = (matrix(cs)?, matrix(h)?);
    let (time, batch, _) = x.dim();
    let length = usize::try_from(*length.first()?).ok().filter(|&length| length <= time)?;
    let mut all: Vec<Array3<f32>> = vec![Array3::zeros((time, batch, cs.ncols())); 7];
    for step in 0..length {
        let out = cell.step(x.index_axis(Axis(0), step), &cs, &h)?;
        for (array, value) in all.iter_mut().zip(&out) {
            array.slice_mut(s![step, .., ..]).assign(value);
        }
        [_, cs, _, _, _, _, h] = out;
    }
    Some(all.into_iter().map(|array| Tensor::Float32(array.into_dyn())).collect())
}

pub fn gru_block_cell(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [x, h, gate_weights, weights, Tensor::Float32(gate_bias), Tensor::Float32(bias)] = inputs else {
        return None;
    };
    let (x, h, gate_weights, weights) = (matrix(x)?, matrix(h)?, matrix(gate_weights)?, matrix(weights)?);
    let (rows, units) = h.dim();
    let both = side_by_side(x.view(), h.view())?;
    let depth = both.ncols();
    if gate_weights.dim() != (depth, 2 * units) || weights.dim() != (depth, units) {
        return None;
    }
    let gates = (both.dot(&gate_weights) + gate_bias.view().into_dimensionality::<ndarray::Ix1>().ok()?)
        .mapv_into(sigmoid);
    let (r, u) = (gates.slice(s![.., ..units]).to_owned(), gates.slice(s![.., units..]).to_owned());
    let c = (side_by_side(x.view(), (&h * &r).view())?.dot(&weights)
        + bias.view().into_dimensionality::<ndarray::Ix1>().ok()?)
    .mapv_into(f32::tanh);
    let mut next = Array2::zeros((rows, units));
    ndarray::Zip::from(&mut next).and(&u).and(&c).and(&h).for_each(|next, &u, &c, &h| {
        *next = (1.0 - u) * c + u * h;
    });
    Some([r, u, c, next].map(|array| Tensor::Float32(array.into_dyn())).into())
}
