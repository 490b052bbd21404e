//! ONNX's operators for cuDNN's layers.
//!
//! Both compute the same: GRU with `linear_before_reset`, and each gate adds two biases. cuDNN takes no sequence without steps.
//!
//! Sources: `CudnnRNN`, `CudnnRNNV2` and `CudnnRNNV3` in `tensorflow/core/ops/cudnn_rnn_ops.cc`; `cudnnRNNMode_t` and
//! `cudnnSetRNNDataDescriptor` in NVIDIA's cuDNN API reference; RNN, GRU and LSTM in <https://onnx.ai/onnx/operators/>.

use super::Mode;
use super::recipe::Parts;
use super::weights::Sizes;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::control::lower::is_zero;

/// The outputs of a layer: the sequences, the last states, and the last inner states.
type Outputs = [String; 3];

pub fn cudnn_rnn(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mode = Mode::of(&node)?;
    refuse(cx, node, mode)?;
    let is_time_major = node.bool("time_major", true);
    let Some(params) = Parts::of(cx, cx.input_of(node, 3)?) else {
        return Err(node.error("its params are not known before the model runs"));
    };
    let sizes = Sizes::new(cx, node, if is_time_major { 0 } else { 1 }, params.len())?;
    let mut x = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    if !is_time_major {
        x = Steps { cx, node }.transpose(&x, &[1, 0, 2]);
    }
    let lengths = match node.inputs.get(4) {
        Some(&lengths) => cx.in_tensorflow_layout(lengths)?,
        None => String::new(),
    };
    let states = match mode {
        Mode::Lstm => vec![first_states(cx, node, 1)?, first_states(cx, node, 2)?],
        _ => vec![first_states(cx, node, 1)?],
    };
    let mut last: [Vec<String>; 2] = [vec![], vec![]];
    for layer in 0..sizes.layers {
        let outputs = emit_layer(cx, node, (&sizes, &params), layer, [&x, &lengths], &states)?;
        x = joined_directions(&mut Steps { cx, node }, &sizes, &outputs[0]);
        last[0].push(outputs[1].clone());
        last[1].push(outputs[2].clone());
    }
    let mut steps = Steps { cx, node };
    let in_order = |steps: &mut Steps<'_, '_, '_>, value: String| match is_time_major {
        true => value,
        false => steps.transpose(&value, &[1, 0, 2]),
    };
    let mut values = vec![in_order(&mut steps, x)];
    for states in last.into_iter().take(states.len()) {
        let all = match &states[..] {
            [only] => only.clone(),
            states => steps.op_with("Concat", &states.iter().collect::<Vec<_>>(), "axis", 0),
        };
        values.push(in_order(&mut steps, all));
    }
    for (port, name) in values.into_iter().enumerate() {
        cx.set(node.output(port), Value::Computed { name, layout: Layout::tensorflow(3) });
    }
    Ok(())
}

/// Refuses what ONNX's operators do not compute.
fn refuse(cx: &Lowering<'_>, node: NodeRef<'_>, mode: Mode) -> Result<()> {
    if node.int("num_proj", 0) > 0 {
        return Err(node.error("it projects its outputs (num_proj), which ONNX's LSTM does not"));
    }
    if node.bool("is_training", true) && node.float("dropout", 0.0) > 0.0 {
        let error = node.error("it drops results between its layers, as in training (dropout, is_training)");
        return Err(error.advice("save the graph that is built for inference"));
    }
    if mode != Mode::Lstm && cx.is_used(node.output(2)) {
        return Err(node.error("only an LSTM has the output output_c"));
    }
    let buffers = 3..node.outputs.len();
    if let Some(port) = buffers.into_iter().find(|&port| cx.is_used(node.output(port))) {
        return Err(node.error(format!("its output {port} is for gradients, and nothing else computes it")));
    }
    Ok(())
}

/// The states before the first step, layer by layer; `None` if they are zeros, as they are by default in ONNX.
fn first_states(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize) -> Result<Option<String>> {
    let state = cx.input_of(node, index)?;
    if is_zero(cx, state) {
        return Ok(None);
    }
    let name = cx.in_tensorflow_layout(state)?;
    Ok(Some(match node.bool("time_major", true) {
        true => name,
        false => Steps { cx, node }.transpose(&name, &[1, 0, 2]),
    }))
}

/// Adds the operator of a layer.
fn emit_layer(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (sizes, params): (&Sizes, &Parts),
    layer: usize,
    [x, lengths]: [&String; 2],
    states: &[Option<String>],
) -> Result<Outputs> {
    let Some(weights) = sizes.weights(params, layer) else {
        return Err(node.error("ONNX has no such layers with its type of weights"));
    };
    let names = ["weights", "recurrent_weights", "biases"];
    let mut inputs = vec![x.clone()];
    for (what, value) in names.into_iter().zip(weights) {
        inputs.push(cx.initializer(&format!("{}/{what}", node.name), value, &[layer]));
    }
    inputs.push(lengths.clone());
    for state in states {
        let mut steps = Steps { cx, node };
        let [from, to] = [layer, layer + 1].map(|layer| (layer * sizes.directions) as i64);
        inputs.push(match state {
            Some(all) if sizes.layers > 1 => steps.part(all, 0, from, to),
            state => state.clone().unwrap_or_default(),
        });
    }
    while inputs.last().is_some_and(String::is_empty) {
        inputs.pop();
    }
    let outputs = ["Y", "Y_h", "Y_c"].map(|output| cx.unique_name(format!("{}/{output}", node.name)));
    let mut attributes = vec![("hidden_size", Attribute::Int(sizes.units as i64))];
    if sizes.directions == 2 {
        attributes.push(("direction", Attribute::Text("bidirectional".to_owned())));
    }
    let op = match sizes.mode {
        Mode::Tanh => "RNN",
        Mode::Relu => {
            let names = vec![b"Relu".to_vec(); sizes.directions];
            attributes.push(("activations", Attribute::Texts(names)));
            "RNN"
        }
        Mode::Gru => {
            attributes.push(("linear_before_reset", Attribute::Int(1)));
            "GRU"
        }
        Mode::Lstm => "LSTM",
    };
    let named = if sizes.mode == Mode::Lstm { &outputs[..] } else { &outputs[..2] };
    cx.node(&node.name, op, inputs, named.to_vec(), attributes);
    Ok(outputs)
}

/// The outputs of both directions of a layer side by side, as the next layer reads them.
fn joined_directions(steps: &mut Steps<'_, '_, '_>, sizes: &Sizes, all: &String) -> String {
    if sizes.directions == 1 {
        let axes = steps.ints(&[1]);
        return steps.op("Squeeze", &[all, &axes]);
    }
    let beside = steps.transpose(all, &[0, 2, 1, 3]);
    let shape = steps.ints(&[0, 0, (sizes.directions * sizes.units) as i64]);
    steps.op("Reshape", &[&beside, &shape])
}
