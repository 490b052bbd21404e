//! A loop whose body is written node by node.
//!
//! Source: Loop in <https://onnx.ai/onnx/operators/>.

use super::function::closed;
use super::steps::Steps;
use crate::onnx::{Attribute, TensorInfo};
use crate::tensor::DType;

/// A loop whose body is being written: what is added to the model between [`Repeat::begin`] and [`Repeat::end`].
pub struct Repeat {
    /// The number of the iteration, an int64 scalar.
    pub iteration: String,
    /// The states at the start of an iteration.
    pub states: Vec<String>,
    given: Vec<TensorInfo>,
    /// The number of nodes before the body.
    start: usize,
    initial: Vec<String>,
}

impl Repeat {
    /// Begins the body of a loop over states of these types.
    pub fn begin(steps: &mut Steps<'_, '_, '_>, states: &[(String, DType)]) -> Self {
        let node = steps.node;
        let mut named = |what: &str, dtype, shape| {
            let name = steps.cx.unique_name(format!("{}/body/{what}", node.name));
            TensorInfo { name, dtype, shape }
        };
        let mut given =
            vec![named("iteration", DType::Int64, Some(vec![])), named("goes_on", DType::Bool, Some(vec![]))];
        given.extend(states.iter().map(|(_, dtype)| named("state", *dtype, None)));
        Self {
            iteration: given[0].name.clone(),
            states: given[2..].iter().map(|info| info.name.clone()).collect(),
            given,
            start: steps.cx.model.nodes.len(),
            initial: states.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Ends the body with the states for the next iteration, and writes the loop: at most `count` iterations, an int64 scalar, as
    /// long as `goes_on`. Returns the last states.
    pub fn end(
        self,
        steps: &mut Steps<'_, '_, '_>,
        count: String,
        states: Vec<String>,
        goes_on: Option<String>,
    ) -> Vec<String> {
        let node = steps.node;
        let goes_on = goes_on.unwrap_or_else(|| self.given[1].name.clone());
        let goes_on = steps.op("Identity", &[&goes_on]);
        let mut outputs = vec![TensorInfo { name: goes_on, dtype: DType::Bool, shape: Some(vec![]) }];
        for (state, info) in states.iter().zip(&self.given[2..]) {
            // Each output of a body is a value of its own, which the body computes.
            let name = steps.op("Identity", &[state]);
            outputs.push(TensorInfo { name, dtype: info.dtype, shape: None });
        }
        let nodes = steps.cx.model.nodes.split_off(self.start);
        let body = closed(format!("{}/body", node.name), self.given, outputs, nodes);
        let yes = steps.number(DType::Bool, 1.0);
        let mut inputs = vec![count, yes];
        inputs.extend(self.initial);
        let after: Vec<String> =
            states.iter().map(|_| steps.cx.unique_name(format!("{}/last", node.name))).collect();
        let attributes = vec![("body", Attribute::Graph(body))];
        steps.cx.node(&format!("{}/loop", node.name), "Loop", inputs, after.clone(), attributes);
        after
    }
}
