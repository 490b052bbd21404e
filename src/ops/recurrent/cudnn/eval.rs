//! cuDNN's layers, element by element.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/api_def/base_api`; the equations at `cudnnRNNMode_t` in NVIDIA's cuDNN API
//! reference.

use ndarray::{Array3, ArrayView3, Ix3, s};

use super::{Mode, directions, skips_input};
use crate::graph::Node;
use crate::tensor::Tensor;

/// All weights and biases as one vector.
pub fn params(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let mut all = vec![];
    for input in inputs.get(3..)? {
        let Tensor::Float32(values) = input else { return None };
        all.extend(values.iter().copied());
    }
    Some(vec![Tensor::Float32(ndarray::Array1::from_vec(all).into_dyn())])
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn cube(tensor: &Tensor, is_time_major: bool) -> Option<Array3<f32>> {
    let Tensor::Float32(array) = tensor else { return None };
    let array: ArrayView3<'_, f32> = array.view().into_dimensionality::<Ix3>().ok()?;
    Some(if is_time_major { array } else { array.permuted_axes([1, 0, 2]) }.to_owned())
}

/// One direction of a layer. `matrix` and `bias` have the elements of cuDNN's linear layers by their number.
struct Layer<'a> {
    mode: Mode,
    units: usize,
    matrices: Vec<&'a [f32]>,
    biases: &'a [f32],
}

impl Layer<'_> {
    /// What a linear layer makes of a vector. One without a matrix adds it as it is.
    fn linear(&self, number: usize, vector: &[f32]) -> Vec<f32> {
        let matrix = self.matrices[number];
        let sum = |unit: usize| match matrix.is_empty() {
            true => vector[unit],
            false => {
                let row = &matrix[unit * vector.len()..(unit + 1) * vector.len()];
                row.iter().zip(vector).map(|(a, b)| a * b).sum()
            }
        };
        (0..self.units).map(|unit| sum(unit) + self.biases[number * self.units + unit]).collect()
    }

    /// The states after a step.
    fn step(&self, x: &[f32], h: &[f32], c: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let gates = self.mode.gates();
        let input: Vec<Vec<f32>> = (0..gates).map(|gate| self.linear(gate, x)).collect();
        let state: Vec<Vec<f32>> = (0..gates).map(|gate| self.linear(gates + gate, h)).collect();
        let sum = |gate: usize, unit: usize| input[gate][unit] + state[gate][unit];
        let units = 0..self.units;
        match self.mode {
            Mode::Relu => (units.map(|unit| sum(0, unit).max(0.0)).collect(), c.to_vec()),
            Mode::Tanh => (units.map(|unit| sum(0, unit).tanh()).collect(), c.to_vec()),
            Mode::Gru => {
                let next = |unit: usize| {
                    let (reset, update) = (sigmoid(sum(0, unit)), sigmoid(sum(1, unit)));
                    let new = (input[2][unit] + reset * state[2][unit]).tanh();
                    (1.0 - update) * new + update * h[unit]
                };
                (units.map(next).collect(), c.to_vec())
            }
            Mode::Lstm => {
                let memory = |unit: usize| {
                    sigmoid(sum(1, unit)) * c[unit] + sigmoid(sum(0, unit)) * sum(2, unit).tanh()
                };
                let memory: Vec<f32> = units.clone().map(memory).collect();
                (units.map(|unit| sigmoid(sum(3, unit)) * memory[unit].tanh()).collect(), memory)
            }
        }
    }
}

pub fn cudnn_rnn(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [x, h, c, Tensor::Float32(params), lengths @ ..] = inputs else { return None };
    let (mode, directions) = (Mode::of(node).ok()?, directions(node));
    let is_time_major = node.bool("time_major", true);
    let drops = node.bool("is_training", true) && node.float("dropout", 0.0) > 0.0;
    if drops || node.int("num_proj", 0) > 0 {
        return None;
    }
    let (mut x, mut h) = (cube(x, is_time_major)?, cube(h, is_time_major)?);
    let mut c = if mode == Mode::Lstm { cube(c, is_time_major)? } else { h.clone() };
    let (time, batch, depth) = x.dim();
    let (states, _, units) = h.dim();
    let lengths: Vec<usize> = match lengths.first() {
        Some(lengths) => {
            lengths.integers()?.into_iter().map(usize::try_from).collect::<Result<_, _>>().ok()?
        }
        None => vec![time; batch],
    };
    let fits = lengths.len() == batch && lengths.iter().all(|&length| length <= time);
    if !fits || h.dim() != c.dim() || h.dim().1 != batch {
        return None;
    }
    let params: Vec<f32> = params.iter().copied().collect();
    let (layers, gates) = (states / directions, mode.gates());
    let depth_of = |layer: usize| match layer {
        0 if skips_input(node, depth, units) => 0,
        0 => depth,
        _ => units * directions,
    };
    // The matrices of all layers, and then their biases.
    let mut rest = &params[..];
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at_checked(count)?;
        rest = after;
        Some(taken)
    };
    let mut all = vec![];
    for state in 0..states {
        let depths = [vec![depth_of(state / directions); gates], vec![units; gates]].concat();
        all.push(depths.into_iter().map(|depth| take(units * depth)).collect::<Option<Vec<&[f32]>>>()?);
    }
    let biases: Vec<&[f32]> = (0..states).map(|_| take(2 * gates * units)).collect::<Option<_>>()?;
    if !rest.is_empty() {
        return None;
    }
    for index in 0..layers {
        let mut output = Array3::zeros((time, batch, directions * units));
        for direction in 0..directions {
            let number = index * directions + direction;
            let layer = Layer { mode, units, matrices: all[number].clone(), biases: biases[number] };
            for (row, &length) in lengths.iter().enumerate() {
                let state = |all: &Array3<f32>| all.slice(s![number, row, ..]).to_vec();
                let (mut hidden, mut memory) = (state(&h), state(&c));
                for step in 0..length {
                    let step = if direction == 0 { step } else { length - 1 - step };
                    (hidden, memory) = layer.step(&x.slice(s![step, row, ..]).to_vec(), &hidden, &memory);
                    let place = s![step, row, direction * units..(direction + 1) * units];
                    output
                        .slice_mut(place)
                        .iter_mut()
                        .zip(&hidden)
                        .for_each(|(place, &value)| *place = value);
                }
                for (all, last) in [(&mut h, hidden), (&mut c, memory)] {
                    all.slice_mut(s![number, row, ..])
                        .iter_mut()
                        .zip(last)
                        .for_each(|(place, value)| *place = value);
                }
            }
        }
        x = output;
    }
    let tensor = |array: Array3<f32>| {
        let array = if is_time_major { array } else { array.permuted_axes([1, 0, 2]) };
        Tensor::Float32(array.as_standard_layout().into_owned().into_dyn())
    };
    Some([x, h].into_iter().chain((mode == Mode::Lstm).then_some(c)).map(tensor).collect())
}
