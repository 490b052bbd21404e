//! Cells of recurrent networks: their arithmetic, and Loop for a layer, which computes one step of a sequence after the other.
//!
//! ONNX's LSTM does not return the gates of each step, and clips other values, so that it cannot stand for these ops.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/rnn_ops.cc`, and `tensorflow/core/kernels/rnn/lstm_ops.h` for the
//! order of the gates; Gemm and Loop in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::function::closed;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, TensorInfo};
use crate::tensor::DType;

/// The order of the gates in the weights: input, new cell value, forget and output gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gates {
    Icfo,
    Ifco,
}

/// The weights of an LSTM cell, and how it computes.
struct LstmCell {
    dtype: DType,
    gates: Gates,
    forget_bias: f64,
    /// The largest absolute value of the cell's state; any, if it is not above 0.
    clip: f64,
    /// The weights from the state to the input, forget and output gate, if the cell has them.
    peepholes: Option<[String; 3]>,
    weights: String,
    bias: String,
}

impl LstmCell {
    /// The cell of a node whose weights, peepholes and bias begin at the input `first`.
    fn new(cx: &mut Lowering<'_>, node: NodeRef<'_>, first: usize, gates: Gates) -> Result<Self> {
        let bias = cx.input_of(node, first + 4)?;
        let weights = cx.input_of(node, first)?;
        let peepholes = if node.bool("use_peephole", false) {
            let mut named = vec![];
            for index in first + 1..first + 4 {
                named.push(cx.in_tensorflow_layout(cx.input_of(node, index)?)?);
            }
            <[String; 3]>::try_from(named).ok()
        } else {
            None
        };
        let forget_bias = if gates == Gates::Icfo { 1.0 } else { 0.0 };
        let clip = if gates == Gates::Icfo { 3.0 } else { 0.0 };
        Ok(Self {
            dtype: cx.dtype(weights),
            gates,
            forget_bias: node.float("forget_bias", forget_bias).into(),
            clip: node.float("cell_clip", clip).into(),
            peepholes,
            weights: cx.in_tensorflow_layout(weights)?,
            bias: cx.in_tensorflow_layout(bias)?,
        })
    }

    /// One step: the outputs of the op, in their order.
    fn step(
        &self,
        steps: &mut Steps<'_, '_, '_>,
        x: &String,
        cs_prev: &String,
        h_prev: &String,
    ) -> [String; 7] {
        let sums = sums(steps, [x, h_prev], &self.weights, &self.bias);
        let [i, second, third, o] = split(steps, &sums, ["i", "second", "third", "o"]);
        let (ci, f) = match self.gates {
            Gates::Icfo => (second, third),
            Gates::Ifco => (third, second),
        };
        let forget_bias = steps.number(self.dtype, self.forget_bias);
        let f = steps.op("Add", &[&f, &forget_bias]);
        let [i, f] = [(i, 0), (f, 1)].map(|(sum, gate)| self.gate(steps, sum, gate, cs_prev));
        let ci = steps.op("Tanh", &[&ci]);
        let (new, kept) = (steps.op("Mul", &[&ci, &i]), steps.op("Mul", &[cs_prev, &f]));
        let mut cs = steps.op("Add", &[&new, &kept]);
        if self.clip > 0.0 {
            let [least, most] = [-self.clip, self.clip].map(|bound| steps.number(self.dtype, bound));
            cs = steps.op("Clip", &[&cs, &least, &most]);
        }
        let o = self.gate(steps, o, 2, &cs);
        let co = steps.op("Tanh", &[&cs]);
        let h = steps.op("Mul", &[&co, &o]);
        [i, cs, f, o, ci, co, h]
    }

    /// The sigmoid of a gate's sum, to which the state may be added.
    fn gate(&self, steps: &mut Steps<'_, '_, '_>, sum: String, gate: usize, state: &String) -> String {
        let sum = match &self.peepholes {
            Some(weights) => {
                let seen = steps.op("Mul", &[state, &weights[gate]]);
                steps.op("Add", &[&sum, &seen])
            }
            None => sum,
        };
        steps.op("Sigmoid", &[&sum])
    }
}

/// The weighted sums of two inputs, with a bias.
fn sums(steps: &mut Steps<'_, '_, '_>, inputs: [&String; 2], weights: &String, bias: &String) -> String {
    let both = steps.op_with("Concat", &inputs, "axis", 1);
    steps.op("Gemm", &[&both, weights, bias])
}

/// The parts of each gate.
fn split<const N: usize>(steps: &mut Steps<'_, '_, '_>, sums: &str, names: [&'static str; N]) -> [String; N] {
    let attributes = vec![("axis", Attribute::Int(1)), ("num_outputs", Attribute::Int(N as i64))];
    steps.cx.step_with_outputs(steps.node, ("gates", names), "Split", vec![sums.to_owned()], attributes)
}

pub fn lstm_block_cell(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut inputs = vec![];
    for index in 0..3 {
        inputs.push(cx.in_tensorflow_layout(cx.input_of(node, index)?)?);
    }
    let cell = LstmCell::new(cx, node, 3, Gates::Icfo)?;
    let outputs = cell.step(&mut Steps { cx, node }, &inputs[0], &inputs[1], &inputs[2]);
    set_outputs(cx, node, outputs, Layout::tensorflow(2));
    Ok(())
}

/// Lets values be the outputs of a node.
fn set_outputs<const N: usize>(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    values: [String; N],
    layout: Layout,
) {
    for (port, value) in values.into_iter().enumerate() {
        if cx.is_used(node.output(port)) {
            cx.emit(node.output(port), "Identity", vec![value], layout.clone(), vec![]);
        }
    }
}

pub fn gru_block_cell(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(cx.input_of(node, 1)?);
    let mut inputs = vec![];
    for index in 0..6 {
        inputs.push(cx.in_tensorflow_layout(cx.input_of(node, index)?)?);
    }
    let [x, h_prev, gate_weights, weights, gate_bias, bias] = &inputs[..] else { return Ok(()) };
    let steps = &mut Steps { cx, node };
    let gates = sums(steps, [x, h_prev], gate_weights, gate_bias);
    let gates = steps.op("Sigmoid", &[&gates]);
    let [r, u] = split(steps, &gates, ["r", "u"]);
    let reset = steps.op("Mul", &[h_prev, &r]);
    let c = sums(steps, [x, &reset], weights, bias);
    let c = steps.op("Tanh", &[&c]);
    let one = steps.number(dtype, 1.0);
    let rest = steps.op("Sub", &[&one, &u]);
    let (new, kept) = (steps.op("Mul", &[&rest, &c]), steps.op("Mul", &[&u, h_prev]));
    let h = steps.op("Add", &[&new, &kept]);
    set_outputs(cx, node, [r, u, c, h], Layout::tensorflow(2));
    Ok(())
}

/// A cell for each step of a sequence, up to the longest length of the batch; all outputs are zero after that, of which TensorFlow's
/// kernel sets the state and the output alone.
pub fn block_lstm(cx: &mut Lowering<'_>, node: NodeRef<'_>, gates: Gates) -> Result<()> {
    let mut inputs = vec![];
    for index in 0..4 {
        inputs.push(cx.in_tensorflow_layout(cx.input_of(node, index)?)?);
    }
    let [length, x, cs_prev, h_prev] = <[String; 4]>::try_from(inputs).unwrap_or_default();
    let cell = LstmCell::new(cx, node, 4, gates)?;
    let dtype = cell.dtype;
    let has_steps = cx.known_integers(node, 0)?.is_some_and(|length| length.iter().all(|&length| length > 0));
    let mut steps = Steps { cx, node };
    let (whole, none, one) = (steps.length(&x, 0), steps.ints(&[0]), steps.ints(&[1]));
    let length = steps.op("Reshape", &[&length, &one]);
    // A Loop of no steps has results of no known shape: there is one at least, of zeros, and left out afterwards.
    let (x, computed) = if has_steps {
        (x, length.clone())
    } else {
        let pads = steps.ints(&[0, 0, 0, 1, 0, 0]);
        (steps.op("Pad", &[&x, &pads]), steps.op("Max", &[&length, &one]))
    };
    let (yes, count) = (steps.number(DType::Bool, 1.0), steps.op("Squeeze", &[&computed, &none]));
    let mut named = |what: &str, dtype, shape| {
        let name = steps.cx.unique_name(format!("{}/body/{what}", node.name));
        TensorInfo { name, dtype, shape }
    };
    let given = vec![
        named("step", DType::Int64, Some(vec![])),
        named("goes_on", DType::Bool, Some(vec![])),
        named("cs_prev", dtype, None),
        named("h_prev", dtype, None),
    ];
    let first = steps.cx.model.nodes.len();
    let input = steps.op_with("Gather", &[&x, &given[0].name], "axis", 0);
    let [i, cs, f, o, ci, co, h] = cell.step(&mut steps, &input, &given[2].name, &given[3].name);
    let goes_on = steps.op("Identity", &[&given[1].name]);
    let state = [&cs, &h].map(|value| steps.op("Identity", &[value]));
    let outputs = state.into_iter().chain([i, cs, f, o, ci, co, h]);
    let outputs = outputs.map(|name| TensorInfo { name, dtype, shape: None });
    let goes_on = TensorInfo { name: goes_on, dtype: DType::Bool, shape: Some(vec![]) };
    let outputs = std::iter::once(goes_on).chain(outputs).collect();
    let nodes = steps.cx.model.nodes.split_off(first);
    let body = closed(format!("{}/body", node.name), given, outputs, nodes);
    let attributes = vec![("body", Attribute::Graph(body))];
    let names = ["cs_last", "h_last", "i", "cs", "f", "o", "ci", "co", "h"];
    let [_, _, scanned @ ..] = steps.cx.step_with_outputs(
        node,
        ("steps", names),
        "Loop",
        vec![count, yes, cs_prev, h_prev],
        attributes,
    );
    let more = steps.op("Sub", &[&whole, &length]);
    let (before, after) = (steps.ints(&[0, 0, 0]), steps.ints(&[0, 0]));
    let pads = steps.op_with("Concat", &[&before, &more, &after], "axis", 0);
    for (port, mut value) in scanned.into_iter().enumerate() {
        if steps.cx.is_used(node.output(port)) {
            if !has_steps {
                value = steps.op("Slice", &[&value, &none, &length, &none]);
            }
            let inputs = vec![value, pads.clone()];
            steps.cx.emit(node.output(port), "Pad", inputs, Layout::tensorflow(3), vec![]);
        }
    }
    Ok(())
}
