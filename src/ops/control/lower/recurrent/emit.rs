//! ONNX's operators for the layers of a loop.
//!
//! The gates of LSTM are i, o, f, c in ONNX and i, c, f, o (`LSTMCell` of TensorFlow 1) or i, f, c, o (Keras) in TensorFlow; those
//! of GRU are z, r, h in ONNX and Keras, and r, z in `GRUCell` of TensorFlow 1, with h in a matrix of its own. ONNX stores the
//! transposed weights. It has two biases of each gate, which it adds up: the second one is TensorFlow's forget bias.
//!
//! Source: <https://onnx.ai/onnx/operators/>.

use super::cell::{Cell, Gate, Kind};
use super::columns::Activation;
use super::layers::{Layers, Source, is_zero};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, Attributes};
use crate::tensor::{Constant, DType};

/// Writes a node for each layer, and the outputs of the loop.
pub fn emit(cx: &mut Lowering<'_>, node: NodeRef<'_>, layers: &Layers) -> Result<()> {
    let mut x = cx.in_tensorflow_layout(layers.elements)?;
    let lengths = sequence_lengths(cx, node, layers, &x)?;
    let mut results = vec![];
    for (index, cell) in layers.cells.iter().enumerate() {
        if index > 0 {
            x = all_steps(cx, node, &results[index - 1]);
        }
        results.push(layer(cx, node, (index, cell), x.clone(), lengths.clone())?);
    }
    for &(variable, source) in &layers.outputs {
        let output = node.output(variable);
        let (rank, value) = match source {
            Source::All(index) => (3, all_steps(cx, node, &results[index])),
            Source::Last(index) => (3, results[index][1].clone()),
            Source::Hidden(index) => (2, last(cx, node, variable, &results[index][1], lengths.as_ref())?),
            Source::Memory(index) => (2, last(cx, node, variable, &results[index][2], lengths.as_ref())?),
        };
        cx.set(output, Value::Computed { name: value, layout: Layout::tensorflow(rank) });
    }
    Ok(())
}

/// The last state. Of a sequence without steps it is the first state, where ONNX Runtime has zeros.
fn last(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    variable: usize,
    state: &String,
    lengths: Option<&String>,
) -> Result<String> {
    let first = node.inputs[variable];
    let lengths = lengths.filter(|_| !is_zero(cx, first));
    let first = if lengths.is_some() { cx.in_tensorflow_layout(first)? } else { String::new() };
    let mut steps = Steps { cx, node };
    let axes = steps.ints(&[0]);
    let state = steps.op("Squeeze", &[state, &axes]);
    let Some(lengths) = lengths else { return Ok(state) };
    let (zero, axes) = (steps.number(DType::Int32, 0.0), steps.ints(&[1]));
    let is_empty = steps.op("Equal", &[lengths, &zero]);
    let is_empty = steps.op("Unsqueeze", &[&is_empty, &axes]);
    Ok(steps.op("Where", &[&is_empty, &first, &state]))
}

/// The outputs of all steps of a layer, as the next layer reads them.
fn all_steps(cx: &mut Lowering<'_>, node: NodeRef<'_>, [all, ..]: &[String; 3]) -> String {
    let mut steps = Steps { cx, node };
    let axes = steps.ints(&[1]);
    steps.op("Squeeze", &[all, &axes])
}

/// The numbers of steps of the sequences. ONNX takes no numbers beyond the length of the input, TensorFlow does.
fn sequence_lengths(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    layers: &Layers,
    x: &String,
) -> Result<Option<String>> {
    let Some(lengths) = layers.lengths else { return Ok(None) };
    let lengths = cx.in_tensorflow_layout(lengths)?;
    let mut steps = Steps { cx, node };
    let most = steps.length(x, 0);
    let most = steps.cast(&most, DType::Int32);
    let least = steps.number(DType::Int32, 0.0);
    let lengths = steps.op("Min", &[&lengths, &most]);
    Ok(Some(steps.op("Max", &[&lengths, &least])))
}

/// A layer: the names of all its outputs, of the last one, and of the last inner state.
fn layer(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (index, cell): (usize, &Cell),
    x: String,
    lengths: Option<String>,
) -> Result<[String; 3]> {
    let gates = &cell.gates;
    let transposed = |of: fn(&Gate) -> &Constant| -> Result<Vec<Constant>> {
        gates.iter().map(|gate| of(gate).permuted(&[1, 0])).collect()
    };
    let (of_input, of_state) = (transposed(|gate| &gate.input)?, transposed(|gate| &gate.recurrent)?);
    let mut weight = |what: &str, value: Option<Constant>| match value {
        Some(value) => cx.initializer(&format!("{}/{what}", node.name), value, &[index]),
        None => String::new(),
    };
    let mut inputs = vec![
        x,
        weight("weights", stacked(of_input.into_iter())),
        weight("recurrent_weights", stacked(of_state.into_iter())),
        weight("biases", biases(gates, cell.units())),
        lengths.unwrap_or_default(),
    ];
    let peepholes = weight("peepholes", stacked(gates.iter().filter_map(|gate| gate.peephole.clone())));
    inputs.push(initial(cx, node, cell.hidden)?);
    let outputs = ["Y", "Y_h", "Y_c"].map(|output| cx.unique_name(format!("{}/{output}", node.name)));
    let mut attributes = vec![("hidden_size", Attribute::Int(cell.units() as i64))];
    attributes.extend(activations(cell));
    let (op, named) = match cell.kind {
        Kind::Rnn => ("RNN", &outputs[..2]),
        Kind::Gru { linear_before_reset } => {
            let linear_before_reset = Attribute::Int(linear_before_reset.into());
            attributes.push(("linear_before_reset", linear_before_reset));
            ("GRU", &outputs[..2])
        }
        Kind::Lstm { memory } => {
            inputs.extend([initial(cx, node, memory)?, peepholes]);
            ("LSTM", &outputs[..])
        }
    };
    while inputs.last().is_some_and(String::is_empty) {
        inputs.pop();
    }
    cx.node(&node.name, op, inputs, named.to_vec(), attributes);
    Ok(outputs)
}

/// The state before the first step, with the axis for the directions of a layer. ONNX begins with zeros if it has no name.
fn initial(cx: &mut Lowering<'_>, node: NodeRef<'_>, variable: usize) -> Result<String> {
    let state = node.inputs[variable];
    if is_zero(cx, state) {
        return Ok(String::new());
    }
    let state = cx.in_tensorflow_layout(state)?;
    let mut steps = Steps { cx, node };
    let axes = steps.ints(&[0]);
    Ok(steps.op("Unsqueeze", &[&state, &axes]))
}

/// Weights of all gates, with the axis for the directions of a layer.
fn stacked(parts: impl Iterator<Item = Constant>) -> Option<Constant> {
    let joined = Constant::joined(parts.collect())?;
    let shape = [&[1], joined.shape()].concat();
    joined.reshaped(&shape).ok()
}

/// The biases of the input and those of the state; `None` if there are none.
fn biases(gates: &[Gate], units: usize) -> Option<Constant> {
    let input = gates.iter().map(|gate| gate.input_bias.clone());
    let all: Vec<Option<Constant>> =
        input.chain(gates.iter().map(|gate| gate.recurrent_bias.clone())).collect();
    if all.iter().all(Option::is_none) {
        return None;
    }
    stacked(all.into_iter().map(|bias| bias.unwrap_or_else(|| Constant::filled(vec![units], 0.0))))
}

/// The attributes for the functions of a cell, if they are not ONNX's own.
fn activations(cell: &Cell) -> Attributes {
    let own: &[Activation] = match cell.kind {
        Kind::Rnn => &[Activation::Tanh],
        Kind::Gru { .. } => &[Activation::Sigmoid, Activation::Tanh],
        Kind::Lstm { .. } => &[Activation::Sigmoid, Activation::Tanh, Activation::Tanh],
    };
    if cell.activations == own {
        return vec![];
    }
    let (mut names, mut alphas, mut betas) = (vec![], vec![], vec![]);
    for activation in &cell.activations {
        // The parameters are listed for those functions alone that have them.
        let (name, alpha, beta) = match activation {
            Activation::Sigmoid => ("Sigmoid", None, None),
            Activation::Tanh => ("Tanh", None, None),
            Activation::Relu => ("Relu", None, None),
            Activation::Elu => ("Elu", Some(1.0), None),
            Activation::Softsign => ("Softsign", None, None),
            Activation::Softplus => ("Softplus", None, None),
            Activation::HardSigmoid => ("HardSigmoid", Some(0.2), Some(0.5)),
            Activation::Linear => ("Affine", Some(1.0), Some(0.0)),
        };
        names.push(name.as_bytes().to_vec());
        alphas.extend(alpha);
        betas.extend(beta);
    }
    let mut attributes = vec![("activations", Attribute::Texts(names))];
    if !alphas.is_empty() {
        attributes.push(("activation_alpha", Attribute::Floats(alphas)));
    }
    if !betas.is_empty() {
        attributes.push(("activation_beta", Attribute::Floats(betas)));
    }
    attributes
}
