"""Makes recurrent.zip: recurrent layers of TensorFlow 1 and of Keras. The graphs are frozen: variables become constants.

The loops of TensorFlow 1 are those of control flow v1 (`.v1`) and v2 (`.v2`). The beginning of a case's name tells what its loop becomes:
`lstm`, `gru` and `rnn` a node of that operator, `loop` a Loop. Each of the latter is close to one of the former, and differs in one thing
that ONNX's operators do not compute.
"""

import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
import numpy as np  # noqa: E402
import tensorflow as tf2  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # noqa: E402

from . import cases  # noqa: E402

tf.logging.set_verbosity(tf.logging.ERROR)
RANDOM = np.random.RandomState(11)
BATCH, STEPS, DEPTH, UNITS = 3, 5, 4, 3
X = RANDOM.randn(BATCH, STEPS, DEPTH).astype(np.float32)
STATE = RANDOM.randn(BATCH, UNITS).astype(np.float32)
MEMORY = RANDOM.randn(BATCH, UNITS).astype(np.float32)
cells = tf.nn.rnn_cell
TOLERANCES = {"rtol": 2e-5, "atol": 2e-5}


def floats(*shape, name="x"):
    return tf.placeholder(tf.float32, shape, name=name)


def sequences():
    return floats(None, None, DEPTH)


def dynamic(cell, **options):
    """All results of a cell in tf.nn.dynamic_rnn."""

    def build():
        x = sequences()
        output, state = tf.nn.dynamic_rnn(cell(), x, dtype=tf.float32, **options)
        return [x], [output, *tf.nest.flatten(state)], [[X]]

    return build


def padded(cell, lengths, dtype=tf.int32):
    def build():
        x, n = sequences(), tf.placeholder(dtype, [None], name="n")
        output, state = tf.nn.dynamic_rnn(cell(), x, sequence_length=n, dtype=tf.float32)
        return [x, n], [output, *tf.nest.flatten(state)], [[X, n] for n in lengths]

    return build


def given_states(cell, lengths=None):
    def build():
        x, h, c = sequences(), floats(None, UNITS, name="h"), floats(None, UNITS, name="c")
        n = tf.placeholder(tf.int32, [None], name="n")
        first = cells.LSTMStateTuple(c, h) if cell is lstm else h
        options = {} if lengths is None else {"sequence_length": n}
        output, state = tf.nn.dynamic_rnn(cell(), x, initial_state=first, **options)
        given = [(x, X), (h, STATE)] + [(c, MEMORY)] * (cell is lstm) + [(n, lengths)] * (lengths is not None)
        return [tensor for tensor, _ in given], [output, *tf.nest.flatten(state)], [[value for _, value in given]]

    return build


def lstm(**options):
    return cells.LSTMCell(UNITS, **options)


def basic_lstm(**options):
    return cells.BasicLSTMCell(UNITS, **options)


def gru(**options):
    return cells.GRUCell(UNITS, **options)


def rnn(**options):
    return cells.BasicRNNCell(UNITS, **options)


def both_ways(cell):
    def build():
        x, n = sequences(), tf.placeholder(tf.int32, [None], name="n")
        outputs, states = tf.nn.bidirectional_dynamic_rnn(cell(), cell(), x, sequence_length=n, dtype=tf.float32)
        return [x, n], [tf.concat(outputs, 2), *tf.nest.flatten(states)], [[X, [5, 1, 3]], [X[:2], [5, 5]]]

    return build


def time_major():
    x = floats(STEPS, None, DEPTH)
    output, _ = tf.nn.dynamic_rnn(basic_lstm(), x, dtype=tf.float32, time_major=True)
    return [x], [output[-1]], [[X.transpose(1, 0, 2)]]


def two_cells(cell):
    return dynamic(lambda: cells.MultiRNNCell([cell(), cell()]))


def by_hand(step, trips=None, first=0, written=None):
    """A loop that writes what `step` makes of an element and the states to an array."""

    def build():
        x = floats(STEPS, BATCH, DEPTH)
        count = STEPS if trips is None else trips
        inputs = tf.TensorArray(tf.float32, STEPS).unstack(x)
        outputs = tf.TensorArray(tf.float32, STEPS, element_shape=[BATCH, UNITS])
        w = tf.constant(RANDOM.randn(DEPTH + UNITS, 4 * UNITS).astype(np.float32))
        b = tf.constant(RANDOM.randn(4 * UNITS).astype(np.float32))

        def body(i, outputs, c, h):
            x = inputs.read(i)
            c, h, out = step(x, c, h, w, b)
            return i + 1, outputs.write(i if written is None else written(i), out), c, h

        zeros = tf.zeros([BATCH, UNITS])
        variables = [tf.constant(first), outputs, zeros, zeros]
        _, outputs, c, h = tf.while_loop(lambda i, *_: i < count, body, variables)
        return [x], [outputs.stack(), c, h], [[X.transpose(1, 0, 2)]]

    return build


def gates(x, h, w, b):
    return tf.split(tf.nn.bias_add(tf.matmul(tf.concat([x, h], 1), w), b), 4, 1)


def usual(x, c, h, w, b):
    i, j, f, o = gates(x, h, w, b)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(j)
    h = tf.sigmoid(o) * tf.tanh(c)
    return c, h, h


def other_order(x, c, h, w, b):
    """The operands of every sum and product the other way round, and the gates in another order."""
    o, f, j, i = tf.split(b + tf.matmul(tf.concat([h, x], 1), w), 4, axis=-1)
    c = tf.tanh(j) * tf.sigmoid(i) + c * tf.sigmoid(f)
    h = tf.tanh(c) * tf.sigmoid(o)
    return c, h, h


def input_twice(x, c, h, w, b):
    i, j, f, o = gates(x, h, w, b)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(j + x[:, :UNITS])
    h = tf.sigmoid(o) * tf.tanh(c)
    return c, h, h


def old_state_in_output(x, c, h, w, b):
    i, j, f, o = gates(x, h, w, b)
    new = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(j)
    h = tf.sigmoid(o) * tf.tanh(c)
    return new, h, h


def output_of_the_step_before(x, c, h, w, b):
    new_c, new_h, _ = usual(x, c, h, w, b)
    return new_c, new_h, h


def coupled_gates(x, c, h, w, b):
    i, j, _, o = gates(x, h, w, b)
    c = (1 - tf.sigmoid(i)) * c + tf.sigmoid(i) * tf.tanh(j)
    h = tf.sigmoid(o) * tf.tanh(c)
    return c, h, h


def other_functions(x, c, h, w, b):
    """The forget gate has another function than the other gates."""
    i, j, f, o = gates(x, h, w, b)
    c = tf.tanh(f) * c + tf.sigmoid(i) * tf.tanh(j)
    h = tf.sigmoid(o) * tf.tanh(c)
    return c, h, h


def weights_of_each_step(x, c, h, w, b):
    return usual(x, c, h, w * tf.reduce_mean(c + 1), b)


FROM_V1 = {
    "lstm_basic": dynamic(basic_lstm),
    "lstm_basic_other_forget_bias": dynamic(lambda: basic_lstm(forget_bias=0.3)),
    "lstm_cell": dynamic(lstm),
    "lstm_peepholes": dynamic(lambda: lstm(use_peepholes=True)),
    "lstm_relu": dynamic(lambda: lstm(activation=tf.nn.relu)),
    "lstm_given_states": given_states(lstm),
    "lstm_padded": padded(lstm, [[5, 2, 1], [0, 3, 0], [4, 9, 2]]),
    "lstm_padded_given_states": given_states(lstm, [0, 2, 5]),
    "lstm_padded_int64": padded(lstm, [[5, 2, 1]], tf.int64),
    "lstm_both_ways": both_ways(lstm),
    "lstm_time_major": time_major,
    "lstm_two_cells": two_cells(lstm),
    "lstm_by_hand": by_hand(usual),
    "lstm_other_order": by_hand(other_order),
    "gru_cell": dynamic(gru),
    "gru_relu": dynamic(lambda: gru(activation=tf.nn.relu)),
    "gru_given_state": given_states(gru),
    "gru_padded": padded(gru, [[5, 2, 1], [0, 3, 0]]),
    "gru_both_ways": both_ways(gru),
    "gru_two_cells": two_cells(gru),
    "rnn_cell": dynamic(rnn),
    "rnn_relu": dynamic(lambda: rnn(activation=tf.nn.relu)),
    "rnn_padded": padded(rnn, [[5, 2, 1], [0, 3, 0]]),
    "loop_clipped_cell": dynamic(lambda: lstm(cell_clip=0.2)),
    "loop_projection": dynamic(lambda: lstm(num_proj=2)),
    "loop_residual": dynamic(lambda: cells.ResidualWrapper(cells.GRUCell(DEPTH))),
    "loop_fewer_steps": by_hand(usual, trips=STEPS - 1),
    "loop_later_start": by_hand(usual, first=1),
    "loop_written_backwards": by_hand(usual, written=lambda i: STEPS - 1 - i),
    "loop_input_twice": by_hand(input_twice),
    "loop_old_state_in_output": by_hand(old_state_in_output),
    "loop_output_of_the_step_before": by_hand(output_of_the_step_before),
    "loop_coupled_gates": by_hand(coupled_gates),
    "loop_other_functions": by_hand(other_functions),
    "loop_weights_of_each_step": by_hand(weights_of_each_step),
}

layers = tf2.keras.layers
MASK = X.copy()
MASK[0, 1] = MASK[2, 3:] = 0

KERAS = {
    "lstm_keras": lambda: layers.LSTM(UNITS),
    "lstm_keras_all": lambda: layers.LSTM(UNITS, return_sequences=True, return_state=True),
    "lstm_keras_backwards": lambda: layers.LSTM(UNITS, return_sequences=True, go_backwards=True),
    "lstm_keras_both_ways": lambda: layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True)),
    "lstm_keras_without_bias": lambda: layers.LSTM(UNITS, use_bias=False),
    "lstm_keras_other_functions": lambda: layers.LSTM(UNITS, activation="relu", recurrent_activation="hard_sigmoid"),
    "lstm_keras_elu": lambda: layers.LSTM(UNITS, activation="elu", recurrent_activation="hard_sigmoid"),
    "lstm_keras_dropout": lambda: layers.LSTM(UNITS, dropout=0.2, recurrent_dropout=0.2),
    "lstm_keras_softsign": lambda: layers.LSTM(UNITS, activation="softsign"),
    "lstm_keras_linear": lambda: layers.LSTM(UNITS, activation=None),
    "lstm_keras_gates_apart": lambda: layers.LSTM(UNITS, implementation=1, recurrent_activation="hard_sigmoid"),
    "lstm_keras_time_major": lambda: layers.LSTM(UNITS, time_major=True, return_sequences=True),
    "lstm_keras_two_cells": lambda: layers.RNN([layers.LSTMCell(UNITS), layers.LSTMCell(2)]),
    "lstm_keras_stacked": lambda: tf2.keras.Sequential([layers.LSTM(UNITS, return_sequences=True), layers.LSTM(2)]),
    "gru_keras": lambda: layers.GRU(UNITS),
    "gru_keras_all": lambda: layers.GRU(UNITS, return_sequences=True, return_state=True),
    "gru_keras_both_ways": lambda: layers.Bidirectional(layers.GRU(UNITS)),
    "gru_keras_reset_before": lambda: layers.GRU(UNITS, reset_after=False),
    "gru_keras_gates_apart": lambda: layers.GRU(UNITS, implementation=1, recurrent_dropout=0.1),
    "gru_keras_gates_apart_reset_before": lambda: layers.GRU(UNITS, implementation=1, reset_after=False),
    "gru_keras_without_bias": lambda: layers.GRU(UNITS, use_bias=False),
    "gru_keras_softplus": lambda: layers.GRU(UNITS, activation="softplus"),
    "gru_keras_dropout": lambda: layers.GRU(UNITS, dropout=0.2, reset_after=False),
    "rnn_keras": lambda: layers.SimpleRNN(UNITS),
    "rnn_keras_all": lambda: layers.SimpleRNN(UNITS, return_sequences=True, return_state=True),
    "rnn_keras_elu": lambda: layers.SimpleRNN(UNITS, activation="elu"),
    "loop_keras_mask": lambda: tf2.keras.Sequential([layers.Masking(), layers.LSTM(UNITS, return_sequences=True)]),
    "loop_keras_gelu": lambda: layers.SimpleRNN(UNITS, activation="gelu"),
}


def of_tensorflow1(name, build):
    """A case for each feed that `build` returns, together with inputs and outputs. The weights are random."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        inputs, outputs, feeds = build()
        outputs = [tf.identity(output, name=f"output_{index}") for index, output in enumerate(outputs)]
        for variable in tf.global_variables():
            session.run(variable.initializer)
            session.run(variable.assign(RANDOM.randn(*variable.shape).astype(np.float32)))
        names = [[tensor.name for tensor in tensors] for tensors in (inputs, outputs)]
        nodes = [output.op.name for output in outputs]
        definition = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), nodes)
        for number, values in enumerate(feeds):
            values = [np.asarray(value, tensor.dtype.as_numpy_dtype) for value, tensor in zip(values, inputs)]
            results = session.run(outputs, dict(zip(inputs, values)))
            yield f"{name}.{number}", cases.case(definition, *names, values, results, **TOLERANCES)


def of_keras(name, layer):
    """A case of a layer that takes sequences of any length. The weights are random."""
    x = MASK if "mask" in name else X.transpose(1, 0, 2) if "time_major" in name else X
    tf2.keras.backend.clear_session()
    layer = layer()
    layer(x)
    for weight in layer.weights:
        weight.assign(RANDOM.randn(*weight.shape).astype(np.float32))

    @tf2.function(input_signature=[tf2.TensorSpec([None, None, DEPTH], name="x")])
    def call(x):
        return [tf2.identity(output) for output in tf2.nest.flatten(layer(x))]

    frozen = convert_variables_to_constants_v2(call.get_concrete_function(), lower_control_flow=False)
    names = [["x:0"], [output.name for output in frozen.outputs]]
    results = [output.numpy() for output in call(x)]
    return f"{name}.0", cases.case(frozen.graph.as_graph_def(), *names, [x], results, **TOLERANCES)


def all_cases():
    for version, switch in (("v1", tf.disable_control_flow_v2), ("v2", tf.enable_control_flow_v2)):
        switch()
        for name, build in FROM_V1.items():
            if version == "v1" or not name.startswith("loop"):
                yield from of_tensorflow1(f"{name}.{version}", build)
    yield from (of_keras(name, layer) for name, layer in KERAS.items())


def make(folder):
    cases.write(folder / "recurrent.zip", all_cases())
