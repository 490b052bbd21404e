//! What many ops need around their arithmetic: their inputs in TensorFlow's order, their results in the type that they have, and loops.

use super::Layout;
use super::context::Value;
use super::repeat::Repeat;
use super::steps::Steps;
use crate::error::Result;
use crate::graph::TensorRef;
use crate::lower::emit::widened;
use crate::tensor::DType;

/// The type in which ONNX Runtime has kernels for most operators: this one, or a wider one.
pub fn computed_type(dtype: DType) -> DType {
    match dtype {
        DType::Float32 | DType::Float64 | DType::Int32 | DType::Int64 | DType::String => dtype,
        other => widened(other),
    }
}

impl Steps<'_, '_, '_> {
    /// An input in TensorFlow's order of axes.
    ///
    /// # Errors
    /// If the node has no such input.
    pub fn input(&mut self, index: usize) -> Result<String> {
        self.cx.in_tensorflow_layout(self.cx.input_of(self.node, index)?)
    }

    /// An input in TensorFlow's order of axes, cast to a type.
    ///
    /// # Errors
    /// If the node has no such input.
    pub fn input_as(&mut self, index: usize, dtype: DType) -> Result<String> {
        self.cx.in_type(self.node, self.cx.input_of(self.node, index)?, dtype)
    }

    /// The elements of an input as a vector of int64.
    ///
    /// # Errors
    /// If the node has no such input.
    pub fn integers(&mut self, index: usize) -> Result<String> {
        let name = self.input_as(index, DType::Int64)?;
        let flat = self.ints(&[-1]);
        Ok(self.op("Reshape", &[&name, &flat]))
    }

    /// Lets a value of type `computed`, in TensorFlow's order of axes, be an output of the node.
    pub fn set_output(&mut self, port: usize, value: String, computed: DType) {
        let tensor: TensorRef = self.node.output(port);
        let layout = Layout::tensorflow_of(self.cx.shape(tensor));
        if self.cx.dtype(tensor) == computed {
            self.cx.set(tensor, Value::Computed { name: value, layout });
        } else {
            self.cx.emit_cast(tensor, value, layout);
        }
    }

    /// The numbers from 0 up to a count, which is a scalar.
    pub fn numbers_below(&mut self, count: &String) -> String {
        let (first, step) = (self.int(0), self.int(1));
        self.op("Range", &[&first, count, &step])
    }

    /// Repeats `body` as often as `count`, an int64 scalar, says. It gets the number of the iteration and the state, which begins as
    /// `state`, and returns the next state. The result is the last state.
    ///
    /// # Errors
    /// If `body` fails.
    pub fn repeat<const N: usize>(
        &mut self,
        count: &str,
        state: [(String, DType); N],
        body: impl FnOnce(&mut Self, &String, &[String; N]) -> Result<[String; N]>,
    ) -> Result<[String; N]> {
        let repeat = Repeat::begin(self, &state);
        let mut before = repeat.states.iter();
        let before = state.each_ref().map(|_| before.next().cloned().unwrap_or_default());
        let after = body(self, &repeat.iteration.clone(), &before)?;
        let mut last = repeat.end(self, count.to_owned(), after.to_vec(), None).into_iter();
        Ok(state.map(|_| last.next().unwrap_or_default()))
    }
}
