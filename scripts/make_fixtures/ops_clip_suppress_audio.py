"""Makes ops_clip_suppress_audio.zip: graphs of ClipByValue, NonMaxSuppression and the audio ops."""

import io
import wave

import numpy as np

from . import cases
from .tensorflow1 import tf

raw = tf.raw_ops
CASES = {}


def case(name, inputs, build, rtol=1e-6, atol=0.0, shapes=None, fed=None):
    """A graph that `build` makes of a placeholder for each of the named inputs. The model is fed the tensors `fed` instead
    of these, if they are given."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        shapes = shapes or {}
        given = {
            key: tf.placeholder(tf.as_dtype(value.dtype), shapes.get(key, value.shape), name=key)
            for key, value in inputs.items()
        }
        results = build(**given)
        results = results if isinstance(results, (list, tuple)) else [results]
        outputs = [tf.identity(result, name=f"output{index}").name for index, result in enumerate(results)]
        fed = fed or [f"{key}:0" for key in inputs]
        feeds, arrays = session.run([fed, outputs], {f"{key}:0": value for key, value in inputs.items()})
        CASES[f"{name}.0"] = cases.case(graph.as_graph_def(), fed, outputs, feeds, arrays, rtol, atol)


def clip():
    random = np.random.default_rng(1)
    for dtype in ("float32", "float64", "int32", "int64", "uint8", "int8"):
        lowest = 0 if dtype == "uint8" else -9
        x = random.integers(lowest, 10, [3, 4]).astype(dtype)
        low, high = np.array(1 if dtype == "uint8" else -3, dtype), np.array(4, dtype)
        case(f"clip_{dtype}", {"x": x}, lambda x: raw.ClipByValue(t=x, clip_value_min=low, clip_value_max=high))
        bounds = {"x": x, "low": low, "high": high}
        case(f"clip_open_{dtype}", bounds, lambda x, low, high: raw.ClipByValue(t=x, clip_value_min=low, clip_value_max=high))
    large = np.array([-(2**60), 2**53 + 1, 2**60, 3, 3 * 10**9, -3 * 10**9] * 20, np.int64)
    case("clip_large", {"x": large}, lambda x: raw.ClipByValue(t=x, clip_value_min=np.int64(-5), clip_value_max=np.int64(2**53 + 2)))
    x = np.array([[-5, np.nan, 5], [np.inf, -np.inf, 0]], np.float32)
    low, high = np.float32([[-1, -1, 6], [0, 0, 1]]), np.float32([[1, 1, 2], [3, 3, -1]])
    case("clip_nan", {"x": x}, lambda x: raw.ClipByValue(t=x, clip_value_min=np.float32(-1), clip_value_max=np.float32(1)))
    case("clip_crossed", {"x": x}, lambda x: raw.ClipByValue(t=x, clip_value_min=np.float32(4), clip_value_max=np.float32(1)))
    case("clip_elementwise", {"x": x}, lambda x: raw.ClipByValue(t=x, clip_value_min=low, clip_value_max=high))
    case("clip_elementwise_and_scalar", {"x": x, "high": np.float32(1)}, lambda x, high: raw.ClipByValue(t=x, clip_value_min=low, clip_value_max=high))
    case("clip_nan_bound", {"x": x}, lambda x: raw.ClipByValue(t=x, clip_value_min=np.float32(np.nan), clip_value_max=np.float32(1)))
    low = np.where(low == 0, np.float32(np.nan), low)
    case("clip_open_nan_bounds", {"x": x, "low": low, "high": high}, lambda x, low, high: raw.ClipByValue(t=x, clip_value_min=low, clip_value_max=high))
    images = random.normal(size=[1, 4, 5, 3]).astype(np.float32)
    weights = random.normal(size=[2, 2, 3, 3]).astype(np.float32)
    case(
        "clip_of_convolution",
        {"x": images},
        lambda x: raw.ClipByValue(
            t=tf.nn.conv2d(x, weights, 1, "SAME"), clip_value_min=np.float32(0), clip_value_max=np.linspace(0, 3, 60, dtype=np.float32).reshape(1, 4, 5, 3)
        ),
        rtol=1e-5,
        atol=1e-5,
    )


def suppress():
    random = np.random.default_rng(2)
    corners = random.uniform(0, 1, [20, 2])
    boxes = np.concatenate([corners, corners + random.uniform(0.1, 0.5, [20, 2])], 1).astype(np.float32)
    scores = random.uniform(0, 1, 20).astype(np.float32)
    inputs = {"boxes": boxes, "scores": scores}
    for threshold in (0.0, 0.3, 0.5, 1.0):
        case(
            f"non_max_suppression_{threshold}",
            inputs,
            lambda boxes, scores: raw.NonMaxSuppression(boxes=boxes, scores=scores, max_output_size=7, iou_threshold=threshold),
        )
    # Corners in any order.
    flipped = random.uniform(-1, 1, [20, 4]).astype(np.float32)
    case(
        "non_max_suppression_flipped",
        {"boxes": flipped, "scores": scores},
        lambda boxes, scores: raw.NonMaxSuppression(boxes=boxes, scores=scores, max_output_size=20, iou_threshold=0.1),
    )
    case(
        "non_max_suppression_open",
        {**inputs, "count": np.int32(3)},
        lambda boxes, scores, count: raw.NonMaxSuppression(boxes=boxes, scores=scores, max_output_size=count),
    )


def sound(samples, channels, rate, seed):
    """Tones, an overtone and noise, from -1 to 1."""
    random = np.random.default_rng(seed)
    time = np.arange(samples)[:, None] / rate
    tones = 0.4 * np.sin(2 * np.pi * time * (300 + 150 * np.arange(channels))) + 0.2 * np.sin(2 * np.pi * 1234 * time)
    return (tones + random.normal(scale=0.05, size=[samples, channels])).astype(np.float32)


def audio():
    def spectrogram(audio, **attributes):
        return raw.AudioSpectrogram(input=audio, **attributes)

    # Powers are sums of squares over a window: what is far below the greatest is rounding.
    near = {"rtol": 1e-4, "atol": 1e-3}
    for name, samples, channels, attributes in [
        ("power_of_two", 300, 1, {"window_size": 64, "stride": 32}),
        ("padded", 331, 2, {"window_size": 50, "stride": 20, "magnitude_squared": True}),
        ("stride_beyond_window", 200, 1, {"window_size": 30, "stride": 47}),
        ("one_frame", 7, 3, {"window_size": 7, "stride": 3}),
        ("smallest_window", 9, 1, {"window_size": 2, "stride": 1}),
    ]:
        tones = sound(samples, channels, 8000, samples)
        case(f"spectrogram_{name}", {"audio": tones}, lambda audio: spectrogram(audio, **attributes), **near)
        case(
            f"spectrogram_{name}_open",
            {"audio": tones},
            lambda audio: spectrogram(audio, **attributes),
            shapes={"audio": [None, channels]},
            **near,
        )
    powers = np.abs(np.random.default_rng(5).normal(size=[2, 3, 129])).astype(np.float32) ** 2
    powers[0, 1] = 0.0
    limits = {"lower_frequency_limit": 100.0, "upper_frequency_limit": 3500.0}
    # Logarithms of small sums.
    close = {"rtol": 1e-4, "atol": 1e-4}
    for name, rate, attributes in [
        ("default", 16000, {}),
        ("limits", 8000, {"filterbank_channel_count": 20, "dct_coefficient_count": 20, **limits}),
        ("cd", 44100, {"filterbank_channel_count": 10, "dct_coefficient_count": 1}),
        ("half_bin", 10240, {"lower_frequency_limit": 20.0, "filterbank_channel_count": 12, "dct_coefficient_count": 5}),
    ]:
        case(f"mfcc_{name}", {"powers": powers}, lambda powers: raw.Mfcc(spectrogram=powers, sample_rate=rate, **attributes), **close)
        case(
            f"mfcc_{name}_open_rate",
            {"powers": powers, "rate": np.int32(rate)},
            lambda powers, rate: raw.Mfcc(spectrogram=powers, sample_rate=rate, **attributes),
            **close,
        )
    case(
        "mfcc_out_of_reach",
        {"powers": powers, "rate": np.int32(4000)},
        lambda powers, rate: raw.Mfcc(spectrogram=powers, sample_rate=rate),
    )
    samples = sound(4000, 1, 16000, 9)

    def features(audio, rate):
        spectra = spectrogram(audio, window_size=480, stride=160, magnitude_squared=True)
        return raw.Mfcc(spectrogram=spectra, sample_rate=rate, dct_coefficient_count=10)

    case("speech_features", {"audio": samples, "rate": np.int32(16000)}, features, rtol=1e-3, atol=1e-3)


def wav(samples, rate):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return np.array(buffer.getvalue(), dtype=object)


def decoded_audio():
    def features(file):
        decoded = raw.DecodeWav(contents=file, desired_channels=1, desired_samples=4000, name="decoded")
        spectra = raw.AudioSpectrogram(input=decoded.audio, window_size=640, stride=320, magnitude_squared=True)
        return raw.Mfcc(spectrogram=spectra, sample_rate=decoded.sample_rate, dct_coefficient_count=10)

    file = wav(np.clip(sound(3500, 1, 16000, 11), -1, 1), 16000)
    case("wav_features", {"file": file}, features, rtol=1e-3, atol=1e-3, fed=["decoded:0", "decoded:1"])


def make(folder):
    clip()
    suppress()
    audio()
    decoded_audio()
    cases.write(folder / "ops_clip_suppress_audio.zip", sorted(CASES.items()))
