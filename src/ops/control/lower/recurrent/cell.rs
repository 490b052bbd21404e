//! Cells that ONNX has operators for, found by their arithmetic.
//!
//! Sources: `BasicRNNCell`, `GRUCell`, `BasicLSTMCell` and `LSTMCell` in Keras' `layers/rnn/legacy_cells.py`; `SimpleRNNCell`,
//! `GRUCell` and `LSTMCell` beside it; the equations of RNN, GRU and LSTM in <https://onnx.ai/onnx/operators/>.

use super::columns::{Activation, Body, Columns};
use super::sum::{Product, Sum, vector};
use crate::graph::TensorRef;
use crate::tensor::Constant;

/// A cell: how it computes its next state from its input and its state.
#[derive(Debug)]
pub struct Cell {
    pub kind: Kind,
    /// The tensor in the body that it reads as its input.
    pub input: TensorRef,
    /// The variable of the loop that is its output of the last step.
    pub hidden: usize,
    /// Its output.
    pub output: TensorRef,
    /// The gates, in ONNX's order.
    pub gates: Vec<Gate>,
    /// The functions of the gates, and of what is computed from them, in ONNX's order.
    pub activations: Vec<Activation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Rnn,
    Gru {
        /// Whether the state is multiplied by its weights before the reset gate is applied.
        linear_before_reset: bool,
    },
    Lstm {
        /// The variable of the loop that is the cell's inner state.
        memory: usize,
    },
}

/// The weights of a gate.
#[derive(Debug, Clone)]
pub struct Gate {
    pub input: Constant,
    pub recurrent: Constant,
    pub input_bias: Option<Constant>,
    pub recurrent_bias: Option<Constant>,
    pub peephole: Option<Constant>,
}

impl Cell {
    /// The number of elements of its state.
    pub fn units(&self) -> usize {
        self.gates.first().map_or(0, |gate| gate.recurrent.shape()[0])
    }

    /// The variables of the loop that are its states.
    pub fn states(&self) -> impl Iterator<Item = usize> + use<> {
        let memory = match self.kind {
            Kind::Lstm { memory } => Some(memory),
            Kind::Rnn | Kind::Gru { .. } => None,
        };
        memory.into_iter().chain([self.hidden])
    }

    /// The length of its input.
    pub fn input_width(&self) -> usize {
        self.gates.first().map_or(0, |gate| gate.input.shape()[0])
    }

    /// Whether all its weights have the shapes that belong together.
    fn is_consistent(&self) -> bool {
        let (width, units) = (self.input_width(), self.units());
        let is_vector = |bias: &Option<Constant>| bias.as_ref().is_none_or(|bias| bias.shape() == [units]);
        self.gates.iter().all(|gate| {
            gate.input.shape() == [width, units]
                && gate.recurrent.shape() == [units, units]
                && is_vector(&gate.input_bias)
                && is_vector(&gate.recurrent_bias)
                && is_vector(&gate.peephole)
        })
    }
}

/// Where cells are looked for.
pub struct Search<'a> {
    pub body: &'a Body<'a>,
}

impl Search<'_> {
    /// The cell with the state `hidden` and the output `output`, if it has no other state.
    pub fn simple(&self, hidden: usize, output: TensorRef) -> Option<Cell> {
        self.rnn(hidden, output).or_else(|| self.gru(hidden, output)).filter(Cell::is_consistent)
    }

    /// h' = f(W x + R h + b)
    fn rnn(&self, hidden: usize, output: TensorRef) -> Option<Cell> {
        let all = self.body.all(output)?;
        let (activation, sum) = self.body.activation(all).unwrap_or((Activation::Linear, all));
        let (input, gate) = self.gate(sum, hidden)?;
        let activations = vec![activation];
        Some(Cell { kind: Kind::Rnn, input, hidden, output, gates: vec![gate], activations })
    }

    /// h' = z h + (1 - z) n, with n = g(W x + R (r h) + b), or n = g(W x + b + r (R h + b'))
    fn gru(&self, hidden: usize, output: TensorRef) -> Option<Cell> {
        let body = self.body;
        let terms = body.added(body.all(output)?)?;
        either(terms, |kept, new| {
            let update = self.other_factor(kept, |columns| self.is_state(columns, hidden))?;
            let candidate = self.other_factor(new, |columns| {
                body.operands(columns, &["Sub"])
                    .is_some_and(|[one, minus]| body.number(one) == Some(1.0) && minus == update)
            })?;
            let (f, update) = body.activation(update)?;
            let (g, candidate) = body.activation(candidate)?;
            let (input, update) = self.gate(update, hidden)?;
            let candidate = self.candidate(candidate, hidden)?;
            let (reset_f, reset) = body.activation(candidate.reset)?;
            let (reset_input, reset) = self.gate(reset, hidden)?;
            let is_same = reset_f == f && reset_input == input && candidate.input == input;
            is_same.then(|| Cell {
                kind: Kind::Gru { linear_before_reset: candidate.linear_before_reset },
                input,
                hidden,
                output,
                gates: vec![update, reset, candidate.gate],
                activations: vec![f, g],
            })
        })
    }

    fn candidate(&self, columns: Columns, hidden: usize) -> Option<Candidate> {
        let mut sum = Sum::of(self.body, columns)?;
        if let [_] = sum.others[..] {
            let [product] = <[Product; 1]>::try_from(sum.products).ok()?;
            let (reset, gate) = either(self.body.multiplied(sum.others[0])?, |reset, linear| {
                let recurrent = Sum::of(self.body, linear)?;
                let [weights] = <[Product; 1]>::try_from(recurrent.products).ok()?;
                if !recurrent.others.is_empty() || self.body.argument(weights.of) != Some(hidden) {
                    return None;
                }
                let gate = Gate {
                    input: product.weights.clone(),
                    recurrent: weights.weights,
                    input_bias: at_most_one(&sum.constants)?,
                    recurrent_bias: at_most_one(&recurrent.constants)?,
                    peephole: None,
                };
                Some((reset, gate))
            })?;
            return Some(Candidate { input: product.of, reset, gate, linear_before_reset: true });
        }
        let of_state = |product: &Product| {
            self.other_factor(self.body.all(product.of)?, |columns| self.is_state(columns, hidden))
        };
        let index = sum.products.iter().position(|product| of_state(product).is_some())?;
        let recurrent = sum.products.remove(index);
        let reset = of_state(&recurrent)?;
        let [product] = <[Product; 1]>::try_from(sum.products).ok()?;
        let [input_bias, recurrent_bias] = at_most_two(&sum.constants)?;
        let gate = Gate {
            input: product.weights,
            recurrent: recurrent.weights,
            input_bias,
            recurrent_bias,
            peephole: None,
        };
        let is_whole = sum.others.is_empty();
        is_whole.then_some(Candidate { input: product.of, reset, gate, linear_before_reset: false })
    }

    /// c' = f c + i g(…), h' = o h(c')
    pub fn lstm(&self, [memory, hidden]: [usize; 2], [next_memory, output]: [TensorRef; 2]) -> Option<Cell> {
        let body = self.body;
        let next = body.all(next_memory)?;
        let found = either(body.multiplied(body.all(output)?)?, |out, state| {
            let (h, activated) = body.activation(state).unwrap_or((Activation::Linear, state));
            let (f, out) = body.activation(out).filter(|_| activated == next)?;
            let out = self.lstm_gate(out, hidden, |columns| columns == next)?;
            either(body.added(next)?, |kept, new| {
                let forget = self.other_factor(kept, |columns| self.is_state(columns, memory))?;
                let peeks = |columns: Columns| self.is_state(columns, memory);
                let gate = |columns: Columns| {
                    let (activation, sum) = body.activation(columns)?;
                    self.lstm_gate(sum, hidden, peeks).filter(|_| activation == f)
                };
                let forget = gate(forget)?;
                either(body.multiplied(new)?, |input, candidate| {
                    let (g, candidate) =
                        body.activation(candidate).unwrap_or((Activation::Linear, candidate));
                    let candidate = self.gate(candidate, hidden)?;
                    Some(([gate(input)?, out.clone(), forget.clone(), candidate], vec![f, g, h]))
                })
            })
        });
        let (gates, activations) = found?;
        let (inputs, gates): (Vec<TensorRef>, Vec<Gate>) = gates.into_iter().unzip();
        let input = *inputs.first()?;
        let has_peepholes = gates.iter().filter(|gate| gate.peephole.is_some()).count();
        let is_possible = inputs.iter().all(|&other| other == input) && matches!(has_peepholes, 0 | 3);
        let kind = Kind::Lstm { memory };
        let cell = Cell { kind, input, hidden, output, gates, activations };
        Some(cell).filter(|cell| is_possible && cell.is_consistent())
    }

    /// The sum of a gate of a cell whose state has no weights but those in matrix products, and the input that it reads.
    fn gate(&self, columns: Columns, hidden: usize) -> Option<(TensorRef, Gate)> {
        self.lstm_gate(columns, hidden, |_| false)
    }

    /// The sum of a gate that may see an inner state: an element each, times a weight.
    fn lstm_gate(
        &self,
        columns: Columns,
        hidden: usize,
        peeks: impl Fn(Columns) -> bool,
    ) -> Option<(TensorRef, Gate)> {
        let Sum { products, constants, others } = Sum::of(self.body, columns)?;
        let of_state = |product: &Product| self.body.argument(product.of) == Some(hidden);
        let (recurrent, input): (Vec<Product>, Vec<Product>) = products.into_iter().partition(of_state);
        let ([recurrent], [input]) = (&recurrent[..], &input[..]) else { return None };
        let peephole = match others[..] {
            [] => None,
            [one] => {
                let weight = self.other_factor(one, peeks)?;
                Some(vector(&self.body.constant(weight)?, columns.count)?)
            }
            _ => return None,
        };
        let [input_bias, recurrent_bias] = at_most_two(&constants)?;
        let weights = [input, recurrent].map(|product| product.weights.clone());
        let [input_weights, recurrent_weights] = weights;
        Some((
            input.of,
            Gate { input: input_weights, recurrent: recurrent_weights, input_bias, recurrent_bias, peephole },
        ))
    }

    /// The other factor of a product of which one factor is this one.
    fn other_factor(&self, product: Columns, is_one: impl Fn(Columns) -> bool) -> Option<Columns> {
        either(self.body.multiplied(product)?, |one, other| is_one(one).then_some(other))
    }

    /// Whether the columns are all those of a variable of the loop, before the step.
    fn is_state(&self, columns: Columns, variable: usize) -> bool {
        self.body.whole(columns).and_then(|tensor| self.body.argument(tensor)) == Some(variable)
    }
}

/// The new state of a GRU before it is mixed with the old one.
struct Candidate {
    input: TensorRef,
    reset: Columns,
    gate: Gate,
    linear_before_reset: bool,
}

/// What is found for two operands in one order or the other.
fn either<T>([a, b]: [Columns; 2], find: impl Fn(Columns, Columns) -> Option<T>) -> Option<T> {
    find(a, b).or_else(|| find(b, a))
}

/// One constant or none; `None` if there are more.
fn at_most_one(constants: &[Constant]) -> Option<Option<Constant>> {
    (constants.len() <= 1).then(|| constants.first().cloned())
}

/// As many constants as ONNX has biases of a gate; `None` if there are more.
fn at_most_two(constants: &[Constant]) -> Option<[Option<Constant>; 2]> {
    (constants.len() <= 2).then(|| [0, 1].map(|index| constants.get(index).cloned()))
}
