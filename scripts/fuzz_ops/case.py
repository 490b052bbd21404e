"""A random graph while it is built: each op is executed by TensorFlow at once, so that the next one fits its results."""

import random

import numpy as np
import tensorflow as tf
import values


class Refused(Exception):
    """TensorFlow does not compute this, so nothing is to be compared."""


class Tensor:
    """A tensor of the graph: which step makes it, and what it holds in this run. A rounded one (1) is not the same in every
    implementation, so that nothing that jumps may read it; of some, fewer digits than those of the type are the same (2)."""

    def __init__(self, step, port, value, rounded):
        self.step, self.port, self.value, self.rounded = step, port, value, rounded
        self.is_read, self.is_hidden = False, False
        # TensorFlow's type, where NumPy has none like it.
        self.quantized = None

    def eager(self):
        value = tf.constant(self.value)
        return tf.bitcast(value, self.quantized) if self.quantized else value

    @property
    def shape(self):
        return list(self.value.shape)

    @property
    def rank(self):
        return self.value.ndim

    @property
    def dtype(self):
        return self.value.dtype.name

    @property
    def has_subnormal(self):
        """Whether it has numbers below the least normal one, such as NextAfter makes: TensorFlow reads them as 0."""
        if self.value.dtype.kind != "f" or self.value.dtype == np.float16:
            return False
        return bool(((self.value != 0) & (np.abs(self.value) < np.finfo(self.value.dtype).tiny)).any())


class Case:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.steps = []
        self.tensors = []
        # A graph of constants is computed by the converter's own evaluator.
        self.is_constant = self.rng.random() < 0.15
        # Up to the newest one that the ONNX Runtime of scripts/environment.sh runs.
        self.opset = self.rng.randint(11, 26)
        # How often an input has no rank, and an input that says how is known only when the model runs.
        self.without_rank = self.rng.choice([0, 0, 0.1, 0.6])
        self.without_value = self.rng.choice([0, 0.5, 0.9])

    # What generators choose by.

    def chance(self, probability):
        return self.rng.random() < probability

    def integer(self, least, greatest):
        return self.rng.randint(least, greatest)

    def integers(self, count, least, greatest):
        return [self.rng.randint(least, greatest) for _ in range(count)]

    def choose(self, options):
        return self.rng.choice(options)

    def numbers(self):
        """Random arrays."""
        return np.random.RandomState(self.rng.getrandbits(32))

    def axis(self, tensor):
        return self.rng.randint(-tensor.rank, tensor.rank - 1)

    def axes(self, tensor, least=0):
        """Some axes of a tensor, each once, some of them counted from behind."""
        count = self.rng.randint(min(least, tensor.rank), tensor.rank)
        chosen = self.rng.sample(range(tensor.rank), count)
        return [axis - tensor.rank if self.chance(0.3) else axis for axis in chosen]

    # Tensors.

    def constant(self, value):
        return self._add({"kind": "constant", "value": value}, [value], 0)[0]

    def feed(self, value):
        if self.is_constant:
            return self.constant(value)
        dims = list(value.shape)
        way = self.rng.random()
        if self.chance(self.without_rank):
            dims = None
        elif way < 0.3 and dims:
            dims[0] = None
        elif way < 0.5:
            dims = [None if self.chance(0.5) else dim for dim in dims]
        return self._add({"kind": "feed", "value": value, "dims": dims}, [value], 0)[0]

    def argument(self, value, dtype="int32"):
        """An input that says how: a constant, or fed."""
        value = np.asarray(value, dtype)
        return self.feed(value) if self.chance(self.without_value) else self.constant(value)

    def index_argument(self, value):
        return self.argument(value, self.choose(["int32", "int32", "int64"]))

    def tensor(self, dtypes=values.ANY, ranks=(0, 4), kind="any", shape=None, exact=False, least=0):
        """A tensor to compute with: what the graph has already where that fits, or a new one."""
        dtypes = [dtypes] if isinstance(dtypes, str) else dtypes

        def is_fit(tensor):
            return (
                tensor.dtype in dtypes
                and ranks[0] <= tensor.rank <= ranks[1]
                and (shape is None or tensor.shape == list(shape))
                and not (exact and tensor.rounded)
                and all(length >= least for length in tensor.shape)
                and values.fits(tensor.value, kind)
                and not tensor.has_subnormal
            )

        fitting = [tensor for tensor in self.tensors if not tensor.is_hidden and self.steps[tensor.step]["kind"] != "constant" and is_fit(tensor)]
        results = [tensor for tensor in fitting if self.steps[tensor.step]["kind"] == "op"]
        if results and self.chance(0.85):
            return self.rng.choice(results[-2:])
        if fitting and self.chance(0.15):
            return self.rng.choice(fitting)
        dtype = values.dtype(self.rng, dtypes)
        dims = list(shape) if shape is not None else values.shape(self.rng, ranks, least)
        value = values.elements(self.rng, dtype, dims, kind)
        return self.constant(value) if self.chance(0.1) else self.feed(value)

    def without_nan(self, tensor):
        """The tensor, or another one where it has a NaN, of which TensorFlow or ONNX says nothing."""
        if tensor.value.dtype.kind != "f" or not np.isnan(tensor.value).any():
            return tensor
        return self.feed(np.where(np.isnan(tensor.value), 2, tensor.value).astype(tensor.value.dtype))

    def with_fed_zeros(self, tensor):
        """The tensor, or an input of the same elements where it has a 0: which sign a computed one has is left open."""
        return self.feed(tensor.value) if tensor.value.dtype.kind == "f" and np.any(tensor.value == 0) else tensor

    def without_signed_zeros(self, tensor):
        """The tensor, or another one where it has a -0, which ONNX Runtime's Where makes 0: docs/ops.md."""
        is_negative_zero = np.signbit(tensor.value) & (tensor.value == 0) if tensor.value.dtype.kind == "f" else np.False_
        if not np.any(is_negative_zero):
            return tensor
        return self.feed(np.where(tensor.value == 0, 0, tensor.value).astype(tensor.value.dtype))

    def like(self, tensor, kind="any", exact=False):
        """A second operand: of the same type, and of a shape that broadcasts with the first."""
        dims = [1 if self.chance(0.25) else dim for dim in tensor.shape]
        if self.chance(0.25):
            dims = dims[self.integer(0, len(dims)) :]
        if self.chance(0.6):
            dims = tensor.shape
        return self.tensor(tensor.dtype, (0, 9), kind, dims, exact)

    # Ops.

    def op(self, name, rounds=False, **arguments):
        """Adds an op and returns its results; `rounds` says that implementations may differ in the last digits."""
        tensors = [t for a in arguments.values() for t in (a if isinstance(a, list) else [a]) if isinstance(t, Tensor)]
        eager = {key: _map(value, lambda tensor: tensor.eager()) for key, value in arguments.items()}
        try:
            results = getattr(tf.raw_ops, name)(**eager)
        except (tf.errors.OpError, ValueError, TypeError) as e:
            raise Refused(f"{name}: {str(e)[:200]}")
        for tensor in tensors:
            tensor.is_read = True
        results = tf.nest.flatten(results)
        types = [result.dtype for result in results]
        # A copy, since TensorFlow may compute the next result in the place of this one.
        results = [np.array(result.numpy(), object if result.dtype == tf.string else None) for result in results]
        if sum(result.size for result in results) > 200_000:
            raise Refused(f"{name}: too large")
        rounded = max([int(rounds), *(tensor.rounded for tensor in tensors)])
        step = {"kind": "op", "op": name, "arguments": arguments}
        made = self._add(step, results, rounded)
        for tensor, dtype in zip(made, types):
            tensor.quantized = dtype if dtype.is_quantized else None
        return made if len(made) > 1 else made[0]

    def program(self, name, build, inputs, is_version_2):
        """Adds a graph of several ops, with the loops and conditions of TensorFlow 1 or 2, and returns its results."""
        (tf.compat.v1.enable_control_flow_v2 if is_version_2 else tf.compat.v1.disable_control_flow_v2)()
        try:
            with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
                fed = [tf.compat.v1.placeholder(tensor.value.dtype, tensor.value.shape) for tensor in inputs]
                results = [tf.identity(result) for result in build(*fed)]
                arrays = session.run(results, dict(zip(fed, [tensor.value for tensor in inputs])))
        except (tf.errors.OpError, ValueError, TypeError) as e:
            raise Refused(f"{name}: {str(e)[:200]}")
        for tensor in inputs:
            tensor.is_read = True
        definition = graph.as_graph_def(), [tensor.name for tensor in fed], [result.name for result in results]
        rounded = max(tensor.rounded for tensor in inputs)
        return self._add({"kind": "op", "op": name, "inputs": inputs, "definition": definition}, arrays, rounded)

    def _add(self, step, results, rounded):
        self.steps.append(step)
        made = []
        for port, value in enumerate(results):
            made.append(Tensor(len(self.steps) - 1, port, value, rounded if value.dtype.kind == "f" else 0))
        self.tensors += made
        return made

    # The graph.

    def graph_def(self):
        """The frozen graph, its feeds, and the results by the names of their tensors."""
        feeds, named = {}, {}
        with tf.Graph().as_default() as graph:
            for index, step in enumerate(self.steps):
                if step["kind"] == "constant":
                    results = [tf.constant(step["value"], name=f"const_{index}")]
                elif step["kind"] == "feed":
                    placeholder = tf.compat.v1.placeholder(step["value"].dtype, step["dims"], f"input_{index}")
                    feeds[placeholder.name] = step["value"]
                    results = [placeholder]
                elif "definition" in step:
                    definition, fed, results = step["definition"]
                    given = {name: named[tensor.step, tensor.port] for name, tensor in zip(fed, step["inputs"])}
                    results = tf.import_graph_def(definition, given, results, name=f"program_{index}")
                else:
                    arguments = {k: _map(v, lambda t: named[t.step, t.port]) for k, v in step["arguments"].items()}
                    try:
                        results = getattr(tf.raw_ops, step["op"])(name=f"{step['op']}_{index}", **arguments)
                    except (ValueError, TypeError) as e:
                        raise Refused(f"{step['op']}: {str(e)[:200]}")
                    results = tf.nest.flatten(results)
                named.update({(index, port): result for port, result in enumerate(results)})
            results = {}
            for tensor in self.tensors:
                is_result = self.steps[tensor.step]["kind"] == "op"
                if is_result and not tensor.is_hidden and (not tensor.is_read or self.chance(0.2)):
                    results[named[tensor.step, tensor.port].name] = tensor
            return graph.as_graph_def(), feeds, results

    def ops(self):
        return [step["op"] for step in self.steps if step["kind"] == "op"]


def _map(value, function):
    if isinstance(value, list):
        return [_map(item, function) for item in value]
    return function(value) if isinstance(value, Tensor) else value
