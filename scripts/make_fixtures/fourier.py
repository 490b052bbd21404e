"""Makes fourier.zip: Fourier transforms with lengths that are known at run time only, arithmetic of complex numbers, and what `tf.signal`
makes of both.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

raw = tf.raw_ops
signal = tf.signal
RANDOM = np.random.default_rng(5)
SPECIAL = [value.ravel() for value in np.meshgrid(np.float32([0, -0.0, 1, -1, np.inf, -np.inf, np.nan]), np.float32([0, -0.0, 2, -2, np.inf]))]


def normal(*shape):
    return RANDOM.normal(size=shape)


def parts(*shape):
    return [normal(*shape), normal(*shape)]


def of_complex(compute):
    """A case of a complex number for each two inputs, and of the parts of complex results."""

    def build(*inputs):
        pairs = zip(inputs[::2], inputs[1::2])
        results = compute(*(tf.complex(*pair) for pair in pairs))
        results = results if isinstance(results, (list, tuple)) else [results]
        return [part for result in results for part in ([tf.math.real(result), tf.math.imag(result)] if result.dtype.is_complex else [result])]

    return build


TRANSFORMS = {}
for name, axes, shape in (("", 1, (2, 7)), ("2D", 2, (3, 5, 6)), ("3D", 3, (2, 3, 4, 5))):
    for op in ("FFT" + name, "IFFT" + name):
        TRANSFORMS[op] = (of_complex(lambda x, op=op: getattr(raw, op)(input=x)), parts(*shape))
    lengths = np.asarray(shape[-axes:], np.int32)
    inverse = np.asarray([*shape[-axes:-1], 2 * shape[-1] - 2], np.int32)

    def forward(x, lengths, op="RFFT" + name):
        dtype = tf.complex64 if x.dtype == tf.float32 else tf.complex128
        result = getattr(raw, op)(input=x, fft_length=lengths, Tcomplex=dtype)
        return [tf.math.real(result), tf.math.imag(result)]

    def backward(a, b, lengths, op="IRFFT" + name):
        return getattr(raw, op)(input=tf.complex(a, b), fft_length=lengths, Treal=a.dtype)

    TRANSFORMS[f"RFFT{name}"] = (forward, [normal(*shape), lengths])
    TRANSFORMS[f"RFFT{name}_shorter"] = (forward, [normal(*shape), lengths - 1])
    TRANSFORMS[f"IRFFT{name}"] = (backward, [*parts(*shape), inverse])
    TRANSFORMS[f"IRFFT{name}_odd"] = (backward, [*parts(*shape), inverse - np.int32([0] * (axes - 1) + [1])])

LEFT, RIGHT = np.array([0.5, -1.25, 3, -0.1, 0.7], np.float32), np.array([1.5, 0.25, -2, -0.6, 1e-3], np.float32)
ARITHMETIC = {
    "product": (lambda x, y: x * y, parts(3, 4) + parts(4)),
    "quotient": (lambda x, y: x / y, parts(3, 4) + parts(4)),
    "sums": (lambda x, y: [x + y, x - y, -x, tf.reduce_sum(x, 1), tf.reduce_mean(x, 0)], parts(3, 4) + parts(4)),
    "functions": (lambda x: [tf.exp(x), tf.cos(x), tf.sin(x), tf.cosh(x), tf.sinh(x), tf.sqrt(x), tf.square(x), tf.math.reciprocal(x)], parts(5)),
    "conjugates": (lambda x: [tf.math.conj(x), tf.transpose(x, [1, 0], conjugate=True), tf.math.angle(x), tf.abs(x)], parts(3, 4)),
    "matrices": (lambda x: [tf.matmul(x, x, adjoint_b=True), tf.linalg.matmul(x, x, transpose_a=True)], parts(3, 4)),
    "sums_of_products": (lambda x, y: [raw.Einsum(inputs=[x, y], equation="ab,b->ba"), raw.Einsum(inputs=[x], equation="ab->b")], parts(3, 4) + parts(4)),
    "moved": (lambda x: [tf.reshape(x, [2, -1]), x[1:, ::2], tf.stack([x, x]), tf.concat([x, x], 1), tf.pad(x, [[1, 0], [0, 2]]), tf.gather(x, [2, 0])], parts(3, 4)),
    "constants": (lambda x: [x * (1 + 2j), x + tf.constant([1 + 2j, 3, 4j, 5], tf.complex64), tf.where(tf.math.real(x) > 0, x, tf.ones_like(x))], parts(3, 4)),
    "casts": (lambda x: [tf.cast(tf.math.real(x), tf.complex64) * x, tf.cast(x, tf.complex128), tf.cast(tf.shape(x), tf.complex64)], parts(3, 4)),
    "angles": (lambda x: tf.math.angle(x), SPECIAL),
    "branches": (lambda x: tf.cond(tf.reduce_sum(tf.math.real(x)) > 0, lambda: x * x, lambda: tf.math.conj(x)), parts(4)),
    "more_functions": (lambda x: [tf.math.log(x), tf.tanh(x), tf.sigmoid(x), tf.math.rsqrt(x), tf.tan(x), tf.math.log1p(x), tf.math.expm1(x)], [LEFT, RIGHT]),
    "powers": (lambda x, y: [x**y, tf.math.squared_difference(x, y)], [LEFT, RIGHT, RIGHT[::-1], LEFT / 2]),
    "power_of_zero": (lambda x, y: x**y, [LEFT * 0, RIGHT * 0, np.abs(LEFT), RIGHT]),
    "inverse_functions": (lambda x: [function(x) for function in (tf.acos, tf.acosh, tf.asin, tf.asinh, tf.atan, tf.atanh)], [LEFT, RIGHT]),
    "not_a_number": (lambda x, y: [tf.math.divide_no_nan(x, y), tf.math.multiply_no_nan(x, y), tf.math.xdivy(y, x), tf.math.xlogy(y, x), tf.math.xlog1py(y, x), tf.sign(y)], [LEFT, RIGHT, LEFT * [0, 1, 0, 0, 1], RIGHT * [0, 0, 1, 0, 1]]),
    "zero_to_a_power": (lambda x, y: [x**y, tf.math.rsqrt(x)], [LEFT * 0, RIGHT * 0, LEFT * [0, 1, -1, 0, 1], RIGHT]),
    "products": (lambda x: [tf.reduce_prod(x, 1), tf.math.cumprod(x, 0, exclusive=True), tf.math.segment_prod(x, [0, 0, 2]), tf.math.unsorted_segment_prod(x, [1, 0, 1], 3)], parts(3, 4)),
    "segments": (lambda x: [tf.math.segment_sum(x, [0, 0, 2]), tf.math.segment_mean(x, [0, 0, 2]), tf.math.unsorted_segment_sum(x, [1, 0, 1], 3)], parts(3, 4)),
    "scattered": (lambda x: [tf.scatter_nd([[2], [0], [2]], x, [4, 4]), tf.tensor_scatter_nd_update(x, [[1]], x[:1]), tf.tensor_scatter_nd_add(x, [[1], [1]], x[:2])], parts(3, 4)),
    "diagonals": (lambda x: [tf.linalg.diag(x), tf.linalg.diag_part(x, k=(-1, 1), padding_value=2j), tf.linalg.set_diag(x, x[0, :3]), tf.pad(x, [[1, 0], [0, 1]], constant_values=1 + 3j)], parts(3, 4)),
    "cumulated": (lambda x: [tf.cumsum(x, 0, reverse=True), tf.pad(x, [[2, 1]], "REFLECT")], [LEFT, RIGHT]),
    "double": (lambda x: tf.cast(x, tf.complex128) * tf.constant([1 + 2j, 3, 4j, 5, -1], tf.complex128), [LEFT, RIGHT]),
    # The squares of these are no floats.
    "quotient_of_large_numbers": (lambda x, y: [x / y, tf.math.divide_no_nan(x, y)], [LEFT * np.float32(1e28), RIGHT * np.float32(1e26), RIGHT * np.float32(1e28), LEFT * np.float32(1e27)]),
    "quotient_of_small_numbers": (lambda x, y: [x / y, tf.math.reciprocal(y)], [LEFT * np.float32(1e-28), RIGHT * np.float32(1e-26), RIGHT * np.float32(1e-28), LEFT * np.float32(1e-27)]),
    "loop": (lambda x: tf.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * x), [0, x])[1], parts(4)),
}
SIGNALS = {
    "stft": lambda x: tf.abs(signal.stft(x, 32, 8)),
    "stft_padded": lambda x: tf.abs(signal.stft(x, 30, 10, fft_length=40, pad_end=True)),
    "inverse_stft": lambda x: signal.inverse_stft(signal.stft(x, 32, 8), 32, 8, window_fn=signal.inverse_stft_window_fn(8)),
    "mdct": lambda x: signal.inverse_mdct(signal.mdct(x, 20)),
    "overlap_and_add": lambda x: signal.overlap_and_add(signal.frame(x, 24, 8), 8),
    "filtered": lambda x: signal.irfft(signal.rfft(x) * 2),
} | {f"dct_{kind}": lambda x, kind=kind: [signal.dct(x, kind), signal.idct(x, kind)] for kind in (1, 2, 3, 4)}


def case(name, compute, values, shapes, dtype=np.float32, **tolerances):
    def build():
        feeds = [value if value.dtype == np.int32 else value.astype(dtype) for value in values]
        inputs = [tf.placeholder(value.dtype, shape, f"input_{index}") for index, (value, shape) in enumerate(zip(feeds, shapes))]
        outputs = compute(*inputs)
        return inputs, outputs if isinstance(outputs, (list, tuple)) else [outputs], [feeds]

    return cases.of_feeds(name, build, **tolerances)


def all_cases():
    single, double = dict(rtol=1e-4, atol=2e-5), dict(rtol=1e-9, atol=1e-10)
    for name, (compute, values) in TRANSFORMS.items():
        fixed = [list(value.shape) for value in values]
        opened = [[len(value)] if value.dtype == np.int32 else [None] * value.ndim for value in values]
        yield from case(f"{name}_fixed", compute, values, fixed, **single)
        yield from case(f"{name}_open", compute, values, opened, **single)
        yield from case(f"{name}_float64", compute, values, [None if value.ndim > 1 else value.shape for value in values], np.float64, **double)
    for name, (compute, values) in ARITHMETIC.items():
        yield from case(f"complex_{name}", of_complex(compute), values, [[None] * value.ndim for value in values], **single)
    for name, compute in SIGNALS.items():
        yield from case(f"signal_{name}", compute, [normal(2, 120)], [[None, None]], rtol=1e-4, atol=1e-3)


def make(folder):
    cases.write(folder / "fourier.zip", all_cases())
