"""Makes ctc.zip: beam search, and distances of sequences."""

import numpy as np

from . import cases
from .tensorflow1 import tf

INFINITY = float("inf")


def logits(shape, seed, scale=2.0, dtype="f4"):
    """Numbers of which no two sums are equal: TensorFlow leaves open which of equal paths is the first."""
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


def search(feeds, lengths, width, paths, merges=False, dims=(None, None, None), blank=None):
    """The decoder of these logits, which are inputs like the lengths."""

    def build():
        values = [feeds] if isinstance(feeds, np.ndarray) else feeds
        x, n = tf.placeholder(values[0].dtype, dims), tf.placeholder(tf.int32, None if dims is None else [None])
        if merges is None:
            decoded, score = tf.nn.ctc_beam_search_decoder_v2(x, n, width, paths)
        else:
            decoded, score = tf.nn.ctc_beam_search_decoder(x, n, width, paths, merges)
        parts = [part for path in decoded for part in (path.indices, path.values, path.dense_shape)]
        return [x, n], [*parts, score], [[value, np.array(lengths)] for value in values]

    return build


def searches():
    x = logits((7, 3, 5), 1)
    for width, paths in ((1, 1), (2, 2), (4, 3), (9, 5), (100, 1)):
        yield f"beams_of_{width}_{paths}", search(x, [7, 3, 5], width, paths)
    yield "merged", search(logits((9, 2, 3), 2), [9, 8], 8, 4, True)
    yield "version_2", search(x, [7, 1, 2], 6, 3, None)
    yield "known_shapes", search(x, [6, 3, 7], 6, 3, dims=x.shape)
    yield "unknown_ranks", search(x, [6, 3, 7], 6, 3, dims=None)
    yield "float64", search(logits((8, 2, 4), 3, dtype="f8"), [8, 4], 5, 2)
    # Without a step there is one path, without labels.
    yield "without_steps", search(x, [0, 7, -1], 4, 1)
    yield "without_any_step", search(x, [0, 0, 0], 4, 1)
    yield "of_blanks_alone", search(logits((4, 2, 1), 4), [4, 2], 3, 1)
    yield "of_one_label", search(logits((6, 2, 2), 5), [6, 5], 9, 3)
    yield "of_more_labels_than_paths", search(logits((6, 2, 40), 6), [6, 5], 5, 5)
    yield "of_several_lengths", search([logits((time, batch, 4), 7 + time) for time, batch in ((4, 3), (9, 3), (6, 3))], [4, 2, 3], 5, 3)
    certain = np.where(np.arange(6)[:, None, None] % 3 == np.arange(3), 9, 0) + logits((6, 2, 3), 8, 1.0)
    yield "near_certainty", search(certain.astype("f4"), [6, 4], 5, 2)
    # Here TensorFlow forgets paths that are lost before their turn.
    yield "of_forgotten_paths", search([logits((7, 3, 6), seed, 3.0) for seed in range(20, 28)], [7, 7, 6], 3, 3)
    impossible = logits((7, 2, 5), 9)
    impossible[np.random.default_rng(0).random(impossible.shape) < 0.3] = -INFINITY
    impossible[..., -1] = 1
    yield "impossible_labels", search(impossible, [7, 6], 4, 2)
    impossible = logits((7, 2, 5), 10)
    impossible[[1, 2, 5], :, -1] = -INFINITY
    yield "impossible_blanks", search(impossible, [7, 6], 4, 2)
    strange = logits((4, 2, 3), 11)
    strange[2, 1, 0] = np.nan
    yield "nan", search(strange, [4, 2], 3, 2)


def sparse(rows, shape):
    """A sparse tensor of sequences, by the indices of their groups."""
    indices = [(*group, place) for group, row in sorted(rows.items()) for place in range(len(row))]
    values = [value for _, row in sorted(rows.items()) for value in row]
    return np.array(indices, np.int64).reshape(-1, len(shape)), np.array(values), np.array(shape, np.int64)


def distance(hypothesis, truth, dtype, normalize=True, is_open=True):
    def build():
        feeds, given = [], []
        for indices, values, shape in (hypothesis, truth):
            parts = [indices, values.astype(object if dtype == tf.string else dtype.as_numpy_dtype), shape]
            dims = [[None, shape.size], [None], [shape.size]] if is_open else [None, None, None]
            given.append([tf.placeholder(kind, size) for kind, size in zip((tf.int64, dtype, tf.int64), dims)])
            feeds += parts
        result = tf.edit_distance(*(tf.SparseTensor(*parts) for parts in given), normalize=normalize)
        return [part for parts in given for part in parts], [result], [feeds]

    return build


def distances():
    words = {(0,): "kitten", (1,): "", (2,): "abc", (4,): "ab", (5,): "a", (6,): "xyxyx"}
    others = {(0,): "sitting", (1,): "ab", (3,): "abcd", (4,): "ab", (5,): "bbb", (6,): "yxyxy"}
    letters = lambda rows: {group: [ord(letter) - 100 for letter in row] for group, row in rows.items()}
    a, b = sparse(letters(words), (7, 9)), sparse(letters(others), (8, 7))
    for dtype in (tf.int32, tf.int64, tf.int8, tf.float32, tf.float64):
        yield f"of_{dtype.name}", distance(a, b, dtype)
    unsigned = [sparse({group: [ord(letter) for letter in row] for group, row in rows.items()}, (8, 9)) for rows in (words, others)]
    for dtype in (tf.uint8, tf.uint16, tf.uint64, tf.float16):
        yield f"of_{dtype.name}", distance(*unsigned, dtype)
    texts = [sparse({group: [letter.encode() for letter in row] for group, row in rows.items()}, (8, 9)) for rows in (words, others)]
    yield "of_texts", distance(*texts, tf.string)
    truths = [sparse({group: [letter > "d" for letter in row] for group, row in rows.items()}, (8, 9)) for rows in (words, others)]
    yield "of_truths", distance(*truths, tf.bool)
    yield "not_normalized", distance(a, b, tf.int64, False)
    yield "of_unknown_ranks", distance(a, b, tf.int64, is_open=False)
    nothing = sparse({}, (3, 4))
    yield "of_nothing", distance(nothing, nothing, tf.int64)
    yield "of_texts_of_nothing", distance(nothing, nothing, tf.string)
    yield "without_truths", distance(a, nothing, tf.int32)
    yield "without_hypotheses", distance(nothing, b, tf.int32, False)
    random = np.random.default_rng(0)
    rows = lambda: {(i, j): random.integers(0, 3, random.integers(0, 9)).tolist() for i in range(3) for j in range(4) if random.random() < 0.8}
    yield "of_three_axes", distance(sparse(rows(), (3, 4, 9)), sparse(rows(), (3, 5, 9)), tf.int32)
    yield "of_three_axes_of_unknown_rank", distance(sparse(rows(), (3, 4, 9)), sparse(rows(), (3, 4, 9)), tf.int32, False, False)
    numbers = {(0,): [np.nan, 0.0, 1.0], (1,): [np.nan]}
    yield "of_nan", distance(sparse(numbers, (2, 3)), sparse({(0,): [np.nan, -0.0, 1.0], (1,): [np.nan]}, (2, 3)), tf.float32)
    large = {(0,): [2**40, 1, 2**40 + 1]}
    yield "of_large_numbers", distance(sparse(large, (1, 3)), sparse({(0,): [2**40 + 1, 1, 1 - 2**40]}, (1, 3)), tf.int64)


def decoded_distance():
    """The beam search and its distance from given labels, as models of speech are judged."""

    def build():
        x, n = tf.placeholder(tf.float32, [None, None, 5]), tf.placeholder(tf.int32, [None])
        truth = [tf.placeholder(tf.int64, size) for size in ([None, 2], [None], [2])]
        (best,), _ = tf.nn.ctc_beam_search_decoder(x, n, 10, 1, False)
        result = tf.reduce_mean(tf.edit_distance(best, tf.SparseTensor(*truth)))
        labels = sparse({(0,): [1, 2, 3], (1,): [0], (2,): [2, 2, 1, 0]}, (3, 4))
        return [x, n, *truth], [result], [[logits((7, 3, 5), 12), np.array([7, 5, 6]), *labels]]

    return build


def make(folder):
    graphs = [(f"beam_search_{name}", build) for name, build in searches()]
    graphs += [(f"edit_distance_{name}", build) for name, build in distances()]
    graphs.append(("beam_search_and_edit_distance", decoded_distance()))
    cases.write(folder / "ctc.zip", [case for name, build in graphs for case in cases.of_feeds(name, build)])
