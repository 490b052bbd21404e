//! The layers of a recurrent network in a loop: their cells, what they read and where their outputs go.

use super::super::counted::{Loop, TripCount, known_integer};
use super::cell::{Cell, Kind, Search};
use super::columns::Body;
use super::sequence::Sequence;
use crate::graph::TensorRef;
use crate::lower::context::Lowering;
use crate::tensor::{Constant, DType};

/// A loop that consists of layers, each of which reads the input of the loop or the output of the layer before it.
pub struct Layers {
    /// The cells, in the order in which they read each other.
    pub cells: Vec<Cell>,
    /// The elements of the list that the first layer reads.
    pub elements: TensorRef,
    /// The numbers of steps of the sequences, if they are given.
    pub lengths: Option<TensorRef>,
    /// Where the outputs of the loop come from.
    pub outputs: Vec<(usize, Source)>,
}

/// Where an output of the loop comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// All outputs of a cell.
    All(usize),
    /// A list of one element: the last output of a cell.
    Last(usize),
    /// The last output of a cell, as its state.
    Hidden(usize),
    /// The last inner state of a cell.
    Memory(usize),
}

/// A variable after a step, without the choice that keeps it as it was after the end of a sequence.
#[derive(Clone, Copy)]
struct Next {
    variable: usize,
    value: TensorRef,
    lengths: Option<usize>,
}

/// A loop that is read as layers.
struct Reading<'a> {
    cx: &'a Lowering<'a>,
    of: &'a Loop<'a>,
    body: Body<'a>,
}

impl Layers {
    /// The layers of a loop; `None` if it does anything else.
    pub fn find(cx: &Lowering<'_>, of: &Loop<'_>, trips: &TripCount) -> Option<Self> {
        let part = |(index, &input)| part_of_constant(cx, input).filter(|_| !of.changed.contains(&index));
        let parts = of.node.inputs.iter().enumerate().map(part).collect();
        let reading = Reading { cx, of, body: Body { function: of.body, parts } };
        if !trips.bounds.iter().all(|bound| reading.counts(bound.counter) && !bound.is_inclusive) {
            return None;
        }
        let states: Vec<Next> = of.changed.iter().filter_map(|&variable| reading.next(variable)).collect();
        // A cell has at most two states and a product of matrices: other loops may have thousands of variables.
        let products = of.body.graph().nodes().filter(|(_, node)| node.op == "MatMul").count();
        if states.len().div_ceil(2) > products {
            return None;
        }
        let cells = reading.cells(&states);
        let list = reading.list(cells.first()?.input)?;
        let mut outputs = vec![];
        for &variable in of.changed.iter().filter(|&&variable| cx.is_used(of.node.output(variable))) {
            outputs.push((variable, reading.output(&cells, variable)?));
        }
        // ONNX's operators take one length for all states of a sequence.
        let masks: Vec<Option<usize>> = states.iter().map(|state| state.lengths).collect();
        let lengths = *masks.first()?;
        if masks.iter().any(|&mask| mask != lengths) || !reading.are_masked(&outputs, lengths) {
            return None;
        }
        let elements = Sequence::unstacked(cx, of.node.inputs[list])?;
        let lengths = lengths.map(|lengths| of.node.inputs[lengths]);
        let sequence = Sequence { cx, elements, lengths };
        let is_reserved = |&(variable, source): &(usize, Source)| {
            let reserve = cx.producer(cx.origin(of.node.inputs[variable]));
            let count = || reserve.inputs.get(1).copied().filter(|_| reserve.op == "TensorListReserve");
            match source {
                Source::All(_) => count().is_some_and(|count| sequence.is_length(count)),
                Source::Last(_) => count().and_then(|count| known_integer(cx.graph, count)) == Some(1),
                Source::Hidden(_) | Source::Memory(_) => true,
            }
        };
        // A state of another batch would be broadcast.
        let batch = cx.shape(elements).dim(1);
        let has_batch = |&variable: &usize| cx.shape(of.node.inputs[variable]).dim(0) == batch;
        let fits = sequence.is_read_by(of, trips)
            && outputs.iter().all(is_reserved)
            && cells.iter().flat_map(Cell::states).all(|variable| has_batch(&variable))
            && cx.shape(elements).rank() == Some(3)
            && cx.dtype(elements) == DType::Float32;
        fits.then_some(Self { cells, elements, lengths, outputs })
    }
}

impl Reading<'_> {
    /// Whether a variable is the number of the step.
    fn counts(&self, variable: usize) -> bool {
        self.of.is_counter(variable) && known_integer(self.cx.graph, self.of.node.inputs[variable]) == Some(0)
    }

    /// What a state becomes in a step; `None` for other variables.
    fn next(&self, variable: usize) -> Option<Next> {
        let known = &self.of.node.outputs[variable];
        let result = self.body.origin(*self.of.body.results.get(variable)?);
        if known.dtype != DType::Float32 || self.body.node(result).op == "TensorListSetItem" {
            return None;
        }
        // A state whose shape changes is not that of a cell.
        if self.cx.shape(self.of.node.inputs[variable]) != &known.shape {
            return None;
        }
        let (value, lengths) = match self.masked(result) {
            Some((old, new, lengths)) if self.of.body.argument(old) == Some(variable) => (new, Some(lengths)),
            _ => (result, None),
        };
        Some(Next { variable, value, lengths })
    }

    /// What a tensor is after and before the end of each sequence, and the variable with the lengths of the sequences: what
    /// `_copy_some_through` in TensorFlow's `rnn.py` computes.
    fn masked(&self, tensor: TensorRef) -> Option<(TensorRef, TensorRef, usize)> {
        let node = self.body.node(self.body.origin(tensor));
        let &[is_over, old, new] = &node.inputs[..] else { return None };
        let compared = self.body.node(self.body.origin(is_over));
        let &[step, lengths] = &compared.inputs[..] else { return None };
        let is_step = self.of.body.argument(step).is_some_and(|step| self.counts(step));
        let lengths = self.of.body.argument(lengths)?;
        let is_mask = is_step
            && node.op == "Select"
            && compared.op == "GreaterEqual"
            && self.cx.shape(self.of.node.inputs[lengths]).rank() == Some(1)
            && self.cx.dtype(self.of.node.inputs[lengths]) == DType::Int32
            && !self.of.changed.contains(&lengths);
        is_mask.then(|| (self.body.origin(old), self.body.origin(new), lengths))
    }

    /// The cells, each after the one that it reads.
    fn cells(&self, states: &[Next]) -> Vec<Cell> {
        let search = Search { body: &self.body };
        let cell = |hidden: &Next| {
            let simple = search.simple(hidden.variable, hidden.value);
            simple.or_else(|| {
                states.iter().filter(|memory| memory.variable != hidden.variable).find_map(|memory| {
                    search.lstm([memory.variable, hidden.variable], [memory.value, hidden.value])
                })
            })
        };
        let mut found: Vec<Cell> = states.iter().filter_map(cell).collect();
        let mut ordered: Vec<Cell> = vec![];
        while let Some(index) = found.iter().position(|cell| {
            self.list(cell.input).is_some() && ordered.is_empty()
                || ordered.last().is_some_and(|last| last.output == cell.input)
        }) {
            ordered.push(found.swap_remove(index));
        }
        ordered
    }

    /// The list that a tensor is the element of at the number of the step.
    fn list(&self, tensor: TensorRef) -> Option<usize> {
        let node = self.body.node(tensor);
        let &[list, step, _] = &node.inputs[..] else { return None };
        let is_read = node.op == "TensorListGetItem"
            && self.of.body.argument(step).is_some_and(|step| self.counts(step));
        let list = self.of.body.argument(list)?;
        (is_read && !self.of.changed.contains(&list)).then_some(list)
    }

    /// Where an output of the loop comes from.
    fn output(&self, cells: &[Cell], variable: usize) -> Option<Source> {
        if let Some(index) = cells.iter().position(|cell| cell.hidden == variable) {
            return Some(Source::Hidden(index));
        }
        if let Some(index) = cells.iter().position(|cell| cell.kind == Kind::Lstm { memory: variable }) {
            return Some(Source::Memory(index));
        }
        let (index, element) = self.written(variable)?;
        let element = self.masked(element).map_or(element, |(_, new, _)| new);
        let cell = cells.iter().position(|cell| cell.output == element)?;
        if self.of.body.argument(index).is_some_and(|step| self.counts(step)) {
            return Some(Source::All(cell));
        }
        (known_integer(self.body.function.graph(), index) == Some(0)).then_some(Source::Last(cell))
    }

    /// The index and the element that a step writes to a list.
    fn written(&self, variable: usize) -> Option<(TensorRef, TensorRef)> {
        let node = self.body.node(self.body.origin(*self.of.body.results.get(variable)?));
        let &[list, index, element] = &node.inputs[..] else { return None };
        let is_written = node.op == "TensorListSetItem" && self.of.body.argument(list) == Some(variable);
        is_written.then(|| (index, self.body.origin(element)))
    }

    /// Whether all elements that are written to lists are zero after the end of each sequence, by these lengths.
    fn are_masked(&self, outputs: &[(usize, Source)], lengths: Option<usize>) -> bool {
        outputs.iter().all(|&(variable, source)| match source {
            Source::Hidden(_) | Source::Memory(_) => true,
            Source::Last(_) => lengths.is_none(),
            Source::All(_) => {
                let mask = self.written(variable).and_then(|(_, element)| self.masked(element));
                match (mask, lengths) {
                    (None, None) => true,
                    (Some((old, _, mask)), Some(lengths)) => mask == lengths && self.is_zero(old),
                    _ => false,
                }
            }
        })
    }

    /// Whether a tensor of the body consists of zeros.
    fn is_zero(&self, tensor: TensorRef) -> bool {
        match self.of.body.argument(tensor) {
            Some(variable) => {
                !self.of.changed.contains(&variable) && is_zero(self.cx, self.of.node.inputs[variable])
            }
            None => self.body.function.graph().constant(tensor).is_some_and(has_only_zeros),
        }
    }
}

/// One of the tensors that a constant is unpacked to, such as the biases of Keras' GRU.
fn part_of_constant(cx: &Lowering<'_>, tensor: TensorRef) -> Option<Constant> {
    let TensorRef { port, .. } = cx.origin(tensor);
    let node = cx.producer(cx.origin(tensor));
    let whole = cx.constant(*node.inputs.first()?)?;
    let (_, rest) = whole.shape().split_first()?;
    if node.op != "Unpack" || node.int("axis", 0) != 0 {
        return None;
    }
    let mut start = vec![port];
    start.resize(whole.shape().len(), 0);
    whole.slice(&start, &[&[1], rest].concat())?.reshaped(rest).ok()
}

/// Whether a tensor consists of zeros for sure.
pub fn is_zero(cx: &Lowering<'_>, mut tensor: TensorRef) -> bool {
    const MAX_STEPS: usize = 8;
    for _ in 0..MAX_STEPS {
        let node = cx.producer(cx.origin(tensor));
        if cx.constant(tensor).is_some_and(has_only_zeros) {
            return true;
        }
        match (node.op.as_str(), &node.inputs[..]) {
            ("ZerosLike", _) => return true,
            ("Fill", &[_, value]) => return cx.constant(value).is_some_and(has_only_zeros),
            ("ExpandDims" | "Reshape" | "Transpose", &[input, _]) => tensor = input,
            _ => return false,
        }
    }
    false
}

fn has_only_zeros(constant: &Constant) -> bool {
    constant.has_only(0.0)
}
