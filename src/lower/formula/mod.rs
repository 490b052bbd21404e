//! Formulas: arithmetic that is written as in a textbook, and becomes nodes of the model.

mod elementary;
mod operators;
pub mod table;
mod value;

use std::cell::RefCell;

use crate::lower::emit::widened;
use crate::lower::repeat::Repeat;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// What a formula becomes: nodes for one TensorFlow node.
pub struct Formula<'c, 'g, 'n> {
    steps: RefCell<Steps<'c, 'g, 'n>>,
    /// The type of its numbers.
    dtype: DType,
    /// The rank of the values that are reduced, where all have the same.
    rank: Option<usize>,
}

/// A value in a formula: numbers of its type, or bool.
#[derive(Clone)]
pub struct Value<'f> {
    pub name: String,
    nodes: &'f dyn Nodes,
}

/// Adds nodes, whatever they are for.
trait Nodes {
    fn add(
        &self,
        op: &'static str,
        inputs: &[&String],
        attribute: Option<(&'static str, Attribute)>,
    ) -> String;
    fn dtype(&self) -> DType;
    fn number(&self, value: f64) -> String;
    fn array(&self, what: &str, shape: Vec<usize>, values: &[f64]) -> String;
    fn integers(&self, values: &[i64]) -> String;
    fn cast(&self, value: &str, to: DType) -> String;
    fn reduce(&self, op: &'static str, value: &str, axis: Option<i64>, keep: bool) -> String;
    fn axis(&self, axis: i64) -> i64;
}

impl Nodes for Formula<'_, '_, '_> {
    fn add(
        &self,
        op: &'static str,
        inputs: &[&String],
        attribute: Option<(&'static str, Attribute)>,
    ) -> String {
        let mut steps = self.steps.borrow_mut();
        let names = inputs.iter().map(|&name| name.clone()).collect();
        let node = steps.node;
        steps.cx.step(node, &op.to_lowercase(), op, names, attribute.into_iter().collect())
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn number(&self, value: f64) -> String {
        self.steps.borrow_mut().number(self.dtype, value)
    }

    fn array(&self, what: &str, shape: Vec<usize>, values: &[f64]) -> String {
        let mut steps = self.steps.borrow_mut();
        let constant = Constant::from_numbers(self.dtype, shape, values);
        let name = format!("{}/{what}", steps.node.name);
        steps.cx.initializer(&name, constant, &[])
    }

    fn integers(&self, values: &[i64]) -> String {
        self.steps.borrow_mut().ints(values)
    }

    fn cast(&self, value: &str, to: DType) -> String {
        self.steps.borrow_mut().cast(value, to)
    }

    fn reduce(&self, op: &'static str, value: &str, axis: Option<i64>, keep: bool) -> String {
        let mut steps = self.steps.borrow_mut();
        match axis {
            Some(axis) => steps.reduce(op, value, &[axis], keep),
            None => {
                let (node, attributes) = (steps.node, vec![("keepdims", Attribute::Int(0))]);
                steps.cx.step(node, &op.to_lowercase(), op, vec![value.to_owned()], attributes)
            }
        }
    }

    fn axis(&self, axis: i64) -> i64 {
        match self.rank {
            Some(rank) if axis < 0 => axis.saturating_add(rank as i64),
            _ => axis,
        }
    }
}

impl<'c, 'g, 'n> Formula<'c, 'g, 'n> {
    pub fn new(steps: Steps<'c, 'g, 'n>, dtype: DType) -> Self {
        Self { steps: RefCell::new(steps), dtype, rank: None }
    }

    /// The formula, with the rank of all values that it reduces along axes: of a tensor without elements, ONNX Runtime does not reduce
    /// an axis that is counted from the last one.
    #[must_use]
    pub fn of_rank(self, rank: Option<usize>) -> Self {
        Self { rank, ..self }
    }

    /// What writes the nodes, when the formula is finished.
    pub fn into_steps(self) -> Steps<'c, 'g, 'n> {
        self.steps.into_inner()
    }

    /// The value of this name.
    pub fn value(&self, name: impl Into<String>) -> Value<'_> {
        Value { name: name.into(), nodes: self }
    }

    /// A constant.
    pub fn number(&self, value: f64) -> Value<'_> {
        self.value(Nodes::number(self, value))
    }

    /// The type of the node's output.
    pub fn output_dtype(&self) -> DType {
        let steps = self.steps.borrow();
        steps.cx.dtype(steps.node.into())
    }

    /// A value rounded to the type of the node's output, as TensorFlow rounds it.
    pub fn rounded(&self, value: &Value<'_>) -> Value<'_> {
        let narrow = self.cast(&value.name, widened(self.output_dtype()));
        self.value(self.cast(&narrow, self.dtype))
    }

    /// Repeats a computation of some values, while it says so, and at most so often. The body gets the number of the
    /// iteration, from 0.
    pub fn repeat<'f, const N: usize>(
        &'f self,
        most: &Value<'f>,
        initial: [&Value<'f>; N],
        body: impl FnOnce(Iteration<'f>, [Value<'f>; N]) -> ([Value<'f>; N], Option<Value<'f>>),
    ) -> [Value<'f>; N] {
        self.repeat_over(most, initial.map(|value| (value, self.dtype)), body)
    }

    /// The same with values of these types.
    pub fn repeat_over<'f, const N: usize>(
        &'f self,
        most: &Value<'f>,
        initial: [(&Value<'f>, DType); N],
        body: impl FnOnce(Iteration<'f>, [Value<'f>; N]) -> ([Value<'f>; N], Option<Value<'f>>),
    ) -> [Value<'f>; N] {
        let array = |values: Vec<Value<'f>>| std::array::from_fn(|index| values[index].clone());
        let last = self.repeat_all(most, &initial, |k, before| {
            let (after, goes_on) = body(k, array(before));
            (after.into(), goes_on)
        });
        array(last)
    }

    /// The same with as many values as there are.
    pub fn repeat_all<'f>(
        &'f self,
        most: &Value<'f>,
        initial: &[(&Value<'f>, DType)],
        body: impl FnOnce(Iteration<'f>, Vec<Value<'f>>) -> (Vec<Value<'f>>, Option<Value<'f>>),
    ) -> Vec<Value<'f>> {
        let (repeat, iteration, before) = self.begin(initial);
        let (after, goes_on) = body(iteration, before);
        self.end(repeat, most, after, goes_on)
    }

    #[inline(never)]
    fn begin<'f>(&'f self, initial: &[(&Value<'f>, DType)]) -> (Repeat, Iteration<'f>, Vec<Value<'f>>) {
        let states: Vec<_> = initial.iter().map(|(value, dtype)| (value.name.clone(), *dtype)).collect();
        let repeat = Repeat::begin(&mut self.steps.borrow_mut(), &states);
        let scalar = self.integers(&[0]);
        let iteration = Iteration {
            number: self.value(Nodes::cast(self, &repeat.iteration, self.dtype)),
            index: self.value(self.add("Unsqueeze", &[&repeat.iteration, &scalar], None)),
        };
        let before = repeat.states.iter().map(|name| self.value(name)).collect();
        (repeat, iteration, before)
    }

    #[inline(never)]
    fn end<'f>(
        &'f self,
        repeat: Repeat,
        most: &Value<'f>,
        after: Vec<Value<'f>>,
        goes_on: Option<Value<'f>>,
    ) -> Vec<Value<'f>> {
        let after = after.into_iter().map(|value| value.name).collect();
        let mut steps = self.steps.borrow_mut();
        let goes_on = goes_on.map(|value| value.name);
        let last = repeat.end(&mut steps, most.name.clone(), after, goes_on);
        last.into_iter().map(|name| self.value(name)).collect()
    }

    /// The type of the formula's numbers.
    pub fn number_type(&self) -> DType {
        self.dtype
    }

    /// The greatest elements of the last axis, the greatest one first and equal ones in their order, and their positions. Their number
    /// is an int64 vector.
    pub fn greatest(&self, value: &Value<'_>, count: &Value<'_>) -> [Value<'_>; 2] {
        let mut steps = self.steps.borrow_mut();
        let attributes =
            vec![("axis", Attribute::Int(-1)), ("largest", Attribute::Int(1)), ("sorted", Attribute::Int(1))];
        let (node, inputs) = (steps.node, vec![value.name.clone(), count.name.clone()]);
        let outputs = ("order", ["sorted", "order"]);
        let sorted = steps.cx.step_with_outputs(node, outputs, "TopK", inputs, attributes);
        sorted.map(|name| self.value(name))
    }

    /// An int64 constant, a scalar.
    pub fn integer(&self, value: i64) -> Value<'_> {
        self.value(self.steps.borrow_mut().int(value))
    }

    /// An int64 constant, a vector.
    pub fn vector(&self, values: &[i64]) -> Value<'_> {
        self.value(self.integers(values))
    }
}

/// The number of an iteration, as a number of the formula and as an index.
pub struct Iteration<'f> {
    pub number: Value<'f>,
    /// An int64 vector of one element.
    pub index: Value<'f>,
}
