"""Makes cudnn.zip: recurrent layers of cuDNN.

TensorFlow has these ops for GPUs only. The results are therefore those of Keras' own layers with the same weights, which compute the same
equations: LSTM, GRU with reset_after, and SimpleRNN. cuDNN adds two biases to each gate; an LSTM of Keras has their sum.

Each case has a graph with the op, whose weights are given in one of the ways in which graphs have them: as one vector, as the matrices of
Keras that the graph slices, transposes and joins, or as the weights that CudnnRNNCanonicalToParams joins.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np  # noqa: E402
import tensorflow as tf2  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402

from tensorflow.python.training.saving import saveable_object  # noqa: E402

from . import cases  # noqa: E402

RANDOM = np.random.RandomState(19)
BATCH, STEPS, DEPTH, UNITS = 3, 5, 4, 3
MODES = {
    "lstm": (4, tf2.keras.layers.LSTM, [0, 1, 2, 3]),
    # The gates of Keras are z, r, h.
    "gru": (3, tf2.keras.layers.GRU, [1, 0, 2]),
    "rnn_tanh": (1, tf2.keras.layers.SimpleRNN, [0]),
    "rnn_relu": (1, tf2.keras.layers.SimpleRNN, [0]),
}


def random(*shape):
    # Few values, which a zip archive compresses well.
    return (np.round(RANDOM.randn(*shape) * 4) / 8).astype(np.float32)


def direction(mode, depth, units, skips_input):
    """The weights of one direction of a layer as Keras has them, with the two biases of each gate."""
    gates = MODES[mode][0]
    kernel = np.tile(np.eye(units, dtype=np.float32), gates) if skips_input else random(depth, gates * units)
    return kernel, random(units, gates * units), random(2, gates * units)


def layer(mode, weights, units, is_backward):
    kernel, recurrent, biases = weights
    options = {"reset_after": True} if mode == "gru" else {"activation": mode[4:]} if "rnn" in mode else {}
    made = MODES[mode][1](units, return_sequences=True, return_state=True, go_backwards=is_backward, **options)
    made.build((None, None, kernel.shape[0]))
    made.set_weights([kernel, recurrent, biases if mode == "gru" else biases.sum(0)])
    return made


def keras(mode, all_weights, directions, x, states, lengths):
    """The outputs of Keras' layers for sequences [batch, time, depth]: the sequences, and the last states."""
    units = states[0].shape[-1]
    mask = None if lengths is None else tf2.sequence_mask(lengths, x.shape[1])
    last = [[] for _ in states]
    for first in range(0, len(all_weights), directions):
        outputs = []
        for index in range(first, first + directions):
            is_backward = index > first
            turned = x
            if is_backward and lengths is not None:
                turned = tf2.reverse_sequence(x, lengths, 1)
            made = layer(mode, all_weights[index], units, is_backward and lengths is None)
            output, *state = made(turned, initial_state=[tf2.constant(state[index]) for state in states], mask=mask)
            if mask is not None:
                output = output * tf2.cast(mask[..., None], tf2.float32)
            if is_backward:
                output = output[:, ::-1] if lengths is None else tf2.reverse_sequence(output, lengths, 1)
            outputs.append(output)
            for values, value in zip(last, state):
                values.append(value)
        x = tf2.concat(outputs, -1)
    return [x.numpy(), *(np.stack(values) for values in last)]


def by_gate(mode, array):
    parts = np.split(array, MODES[mode][0], -1)
    return [parts[gate] for gate in MODES[mode][2]]


def canonical(mode, all_weights, skips_input, directions):
    """The matrices and the biases of cuDNN, in its order."""
    matrices, biases = [], []
    for index, (kernel, recurrent, bias) in enumerate(all_weights):
        is_skipped = skips_input and index < directions
        matrices += [] if is_skipped else [part.T for part in by_gate(mode, kernel)]
        matrices += [part.T for part in by_gate(mode, recurrent)]
        biases += by_gate(mode, bias[0]) + by_gate(mode, bias[1])
    return matrices, biases


def as_vector(mode, all_weights, *rest):
    return tf.constant(np.concatenate([part.ravel() for parts in canonical(mode, all_weights, *rest) for part in parts]))


def as_canonical(mode, all_weights, *rest, version=""):
    matrices, biases = canonical(mode, all_weights, *rest)
    op = getattr(tf.raw_ops, f"CudnnRNNCanonicalToParams{version}")
    depth, units = all_weights[0][0].shape[0], all_weights[0][1].shape[0]
    return op(num_layers=len(all_weights), num_units=units, input_size=depth, rnn_mode=mode,
              weights=[tf.constant(part) for part in matrices], biases=[tf.constant(part) for part in biases])


def as_keras(mode, all_weights, *_):
    """As gpu_lstm and gpu_gru of Keras build the vector of one layer."""
    gates, _, order = MODES[mode]
    kernel, recurrent, bias = (tf.constant(value) for value in all_weights[0])
    parts = [tf.split(value, gates, axis=1) for value in (kernel, recurrent)]
    parts = [tf.reshape(tf.transpose(part[gate]), [-1]) for part in parts for gate in order]
    biases = tf.split(tf.reshape(bias, [-1]), 2 * gates)
    biases = [tf.reshape(biases[half * gates + gate], [-1]) for half in range(2) for gate in order]
    return tf.concat(parts + biases, axis=0)


def as_slices(mode, all_weights, *_):
    """As CuDNNLSTM and CuDNNGRU of Keras build the vector: slices of matrices, here of those of cuDNN."""
    gates, _, order = MODES[mode]
    kernel, recurrent, bias = all_weights[0]
    units = recurrent.shape[0]
    # A slice of the stored matrix has the elements of cuDNN's matrix.
    turned = [np.concatenate([part.T.reshape(part.shape) for part in np.split(value, gates, 1)], 1) for value in (kernel, recurrent)]
    parts = [tf.constant(value)[:, gate * units : (gate + 1) * units] for value in turned for gate in order]
    flat = tf.constant(bias.ravel())
    biases = [flat[(half * gates + gate) * units :][:units] for half in range(2) for gate in order]
    return tf.concat([tf.reshape(part, [-1]) for part in parts + biases], axis=0)


def case(mode, layers=1, directions=1, version="", params=as_vector, input_mode="linear_input", states=True, lengths=None,
         is_time_major=True, units=UNITS, depth=DEPTH, is_training=False):
    skips_input = input_mode == "skip_input" or input_mode == "auto_select" and depth == units
    widths = [depth] + [directions * units] * (layers - 1)
    weights = [direction(mode, width, units, skips_input and number == 0) for number, width in enumerate(widths) for _ in range(directions)]
    count = 2 if mode == "lstm" else 1
    x = random(BATCH, STEPS, depth)
    first = [random(layers * directions, BATCH, units) if states else np.zeros([layers * directions, BATCH, units], np.float32) for _ in range(count)]
    results = keras(mode, weights, directions, tf2.constant(x), first, lengths)
    order = (lambda value: value) if is_time_major else (lambda value: value.transpose(1, 0, 2))
    feeds = [order(x.transpose(1, 0, 2))] + ([order(value) for value in first] if states else [])
    feeds += [] if lengths is None else [np.asarray(lengths, np.int32)]
    results = [order(results[0].transpose(1, 0, 2)), *map(order, results[1:])]
    with tf.Graph().as_default() as graph:
        inputs = [tf.placeholder(tf.float32, [None, None, depth], name="x")]
        shape = [layers * directions, None, units] if is_time_major else [None, layers * directions, units]
        if states:
            given = [tf.placeholder(tf.float32, shape, name=name) for name in ("h", "c")[:count]]
            inputs += given
        else:
            zeros = tf.zeros([tf.shape(inputs[0])[1 if is_time_major else 0], units])
            given = [tf.stack([zeros] * layers * directions) if layers * directions > 1 else tf.expand_dims(zeros, 0)] * count
        options = {}
        if version == "V3":
            inputs.append(tf.placeholder(tf.int32, [None], name="n"))
            options = {"sequence_lengths": inputs[-1], "time_major": is_time_major}
        made = getattr(tf.raw_ops, f"CudnnRNN{version}")(
            input=inputs[0], input_h=given[0], input_c=given[-1] if count == 2 else tf.constant(0.0),
            params=params(mode, weights, skips_input, directions), rnn_mode=mode, input_mode=input_mode,
            direction="bidirectional" if directions == 2 else "unidirectional", is_training=is_training, **options)
        outputs = [tf.identity(made[index], name=f"output_{index}") for index in range(1 + count)]
        names = [[tensor.name for tensor in tensors] for tensors in (inputs, outputs)]
        return cases.case(graph.as_graph_def(), *names, feeds, results, rtol=1e-5, atol=1e-5)


def all_cases():
    lengths = [4, 1, 5]
    for mode in MODES:
        yield f"{mode}.0", case(mode)
        yield f"{mode}_zero_states.0", case(mode, states=False, version="V2")
        yield f"{mode}_two_layers.0", case(mode, layers=2)
        yield f"{mode}_both_ways.0", case(mode, layers=2, directions=2)
        yield f"{mode}_lengths.0", case(mode, version="V3", lengths=lengths, directions=2)
        yield f"{mode}_batch_first.0", case(mode, version="V3", lengths=lengths, layers=2, is_time_major=False)
        yield f"{mode}_skip_input.0", case(mode, layers=2, directions=2, input_mode="skip_input", depth=UNITS)
        yield f"{mode}_auto_select.0", case(mode, input_mode="auto_select")
    for mode in ("lstm", "gru"):
        yield f"{mode}_canonical.0", case(mode, layers=2, directions=2, params=as_canonical)
        yield f"{mode}_canonical_v2.0", case(mode, params=lambda *given: as_canonical(*given, version="V2"))
        yield f"{mode}_keras.0", case(mode, params=as_keras, is_training=True)
        yield f"{mode}_keras_slices.0", case(mode, params=as_slices, is_training=True)
    # Constants of more than 65536 elements are not folded.
    yield "lstm_keras_large.0", case("lstm", params=as_keras, units=96, depth=200)
    yield "gru_keras_large_slices.0", case("gru", params=as_slices, units=96, depth=240)


class Saveable(saveable_object.SaveableObject):
    """Restores the vector of a layer from kernels and biases of ordinary cells, as CudnnOpaqueParamsSaveable of tf.contrib."""

    def __init__(self, variable, mode, names, sizes):
        self.variable, self.mode, self.sizes = variable, mode, sizes
        specs = [saveable_object.SaveSpec(tf.zeros([]), "", name, tf.float32) for name in names]
        super().__init__(variable, specs, variable.op.name)

    def restore(self, restored_tensors, restored_shapes):
        units, depths = self.sizes
        count = len(restored_tensors) // len(depths)
        matrices, biases = [], []
        for index, depth in enumerate(depths):
            tensors = restored_tensors[index * count : (index + 1) * count]
            restore = self.lstm if self.mode == "lstm" else self.gru
            for found, parts in zip((matrices, biases), restore(tensors, [depth, units])):
                found += parts
        params = tf.raw_ops.CudnnRNNCanonicalToParams(
            num_layers=1, num_units=units, input_size=depths[0], weights=matrices, biases=biases, rnn_mode=self.mode)
        return tf.assign(self.variable, params, validate_shape=False)

    @staticmethod
    def lstm(tensors, widths):
        kernel, bias = tensors
        i, c, f, o = (tf.split(part, widths, axis=1) for part in tf.split(tf.transpose(kernel), 4, axis=0))
        bias_i, bias_c, bias_f, bias_o = (part * 0.5 for part in tf.split(bias, 4, axis=0))
        return [gate[side] for side in (0, 1) for gate in (i, f, c, o)], [bias_i, bias_f, bias_c, bias_o] * 2

    @staticmethod
    def gru(tensors, widths):
        kernel, input_kernel, hidden_kernel, bias, input_bias, hidden_bias = tensors
        r, u = (tf.split(part, widths, axis=1) for part in tf.split(tf.transpose(kernel), 2, axis=0))
        halves = [tf.split(bias * 0.5, 2, axis=0) for _ in range(2)]
        matrices = [r[0], u[0], tf.transpose(input_kernel), r[1], u[1], tf.transpose(hidden_kernel)]
        return matrices, halves[0] + [input_bias] + halves[1] + [hidden_bias]


def stored(mode, weights, prefix):
    """The kernels and biases of one direction as tf.contrib stores them, by their names."""
    kernel, recurrent, biases = weights
    both = [by_gate(mode, np.concatenate([kernel, recurrent])), by_gate(mode, biases.sum(0))]
    if mode == "lstm":
        (i, f, c, o), (bias_i, bias_f, bias_c, bias_o) = both
        return {f"{prefix}/kernel": np.concatenate([i, c, f, o], 1), f"{prefix}/bias": np.concatenate([bias_i, bias_c, bias_f, bias_o])}
    depth, candidate = kernel.shape[0], both[0][2]
    return {
        f"{prefix}/gates/kernel": np.concatenate(both[0][:2], 1),
        f"{prefix}/candidate/input_projection/kernel": candidate[:depth],
        f"{prefix}/candidate/hidden_projection/kernel": candidate[depth:],
        f"{prefix}/gates/bias": np.concatenate(both[1][:2]),
        f"{prefix}/candidate/input_projection/bias": by_gate(mode, biases[0])[2],
        f"{prefix}/candidate/hidden_projection/bias": by_gate(mode, biases[1])[2],
    }


def checkpoint(folder, mode):
    """A checkpoint and a graph as tf.contrib.cudnn_rnn saves them, with two directions; and an input and the result."""
    folder = folder / "graphs" / f"cudnn_{mode}"
    folder.mkdir(parents=True, exist_ok=True)
    weights = [direction(mode, DEPTH, UNITS, False) for _ in range(2)]
    values = {}
    for way, part in zip(("fw", "bw"), weights):
        values |= stored(mode, part, f"net/stack_bidirectional_rnn/cell_0/bidirectional_rnn/{way}/cudnn_compatible_cell")
    x = random(BATCH, STEPS, DEPTH)
    zeros = np.zeros([2, BATCH, UNITS], np.float32)
    result = keras(mode, weights, 2, tf2.constant(x), [zeros] * (2 if mode == "lstm" else 1), None)[0]
    np.save(folder / "input.npy", x.transpose(1, 0, 2))
    np.save(folder / "output.npy", result.transpose(1, 0, 2))
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in values.items():
            tf.Variable(value, name=name, use_resource=False)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(folder / "model.ckpt"), write_state=False, write_meta_graph=False)
    with tf.Graph().as_default():
        inputs = tf.placeholder(tf.float32, [None, None, DEPTH], name="x")
        size = tf.raw_ops.CudnnRNNParamsSize(num_layers=1, num_units=UNITS, input_size=DEPTH, T=tf.float32, S=tf.int32, rnn_mode=mode, direction="bidirectional")
        first = tf.random_uniform(size, seed=1)
        params = tf.Variable(first, name="net/opaque_kernel", validate_shape=False, use_resource=False)
        state = tf.zeros([2, tf.shape(inputs)[1], UNITS])
        output, *_ = tf.raw_ops.CudnnRNN(input=inputs, input_h=state, input_c=state, params=params, rnn_mode=mode, direction="bidirectional", is_training=False)
        tf.identity(output, name="y")
        saver = tf.train.Saver([Saveable(params, mode, list(values), (UNITS, [DEPTH, DEPTH]))])
        saver.export_meta_graph(str(folder / "model.ckpt.meta"))


def make(folder):
    for mode in ("lstm", "gru"):
        checkpoint(folder, mode)
    cases.write(folder / "cudnn.zip", ((f"cudnn_{name}", files) for name, files in all_cases()))
