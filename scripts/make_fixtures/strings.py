"""Makes strings.zip: ops of strings, and hash tables whose contents are constants."""

import numpy as np

from . import cases
from .tensorflow1 import tf

letters = np.array([["a", "bb"], ["c", ""], ["e", "fgh"]], object)
lines = np.array(["a b,c", "", " x  y ", ",,"], object)

# The first operator set with StringSplit and StringConcat.
OPSET = 20


def joined(axes, **options):
    def build():
        x = tf.placeholder(tf.string, [3, 2])
        axes_name = np.array(axes, np.int32)
        return [x], [tf.raw_ops.ReduceJoin(inputs=x, reduction_indices=axes_name, **options)], [[letters]]

    return build


def joined_of_open(shape, axes, **options):
    """Strings of an open shape, along axes that are known, or an input if `axes` is a list of feeds."""

    def build():
        x = tf.placeholder(tf.string, shape)
        many = np.array([f"{index % 7}" * (index % 3) for index in range(40)], object).reshape(20, 2)
        texts = [letters, many]
        if isinstance(axes, tuple):
            return [x], [tf.raw_ops.ReduceJoin(inputs=x, reduction_indices=np.array(axes, np.int32), **options)], [[text] for text in texts]
        named = tf.placeholder(tf.int32, [None])
        joined = tf.raw_ops.ReduceJoin(inputs=x, reduction_indices=named, **options)
        return [x, named], [joined], [[text, along] for text in texts for along in axes]

    return build


def joined_constant():
    x = tf.placeholder(tf.string, [])
    words = tf.constant([[["a", "b", "c"], ["d", "e", "f"]], [["g", "h", "i"], ["j", "k", "l"]]])
    rows = tf.raw_ops.ReduceJoin(inputs=words, reduction_indices=np.array([1], np.int32))
    return [x], [tf.raw_ops.StringJoin(inputs=[rows, x])], [["!"]]


def split(delimiter, skip_empty):
    def build():
        x = tf.placeholder(tf.string, [None])
        return [x], list(tf.raw_ops.StringSplit(input=x, delimiter=delimiter, skip_empty=skip_empty)), [[lines]]

    return build


def split_v2(texts):
    def build():
        x = tf.placeholder(tf.string, [None])
        return [x], list(tf.raw_ops.StringSplitV2(input=x, sep=",")), [[texts]]

    return build


def replaced(pattern, rewrite, is_input=False, **options):
    """Matches of a pattern, in texts of any shape."""
    rows = [["Hello, world!! foo  bar", "", " a  b ", "aaa"], ["<br />x<br /><br />", "...", "caab abba", "no"], [",,a,,", "\t\n ", "  ab ", "a.b.c"]]
    texts = [np.array(rows, object), np.array(rows[2], object), np.array("a,, b", object), np.zeros((2, 0), object)]

    def build():
        x = tf.placeholder(tf.string, None)
        given = dict(pattern=tf.constant(pattern), rewrite=tf.constant(rewrite)) if is_input else dict(pattern=pattern, rewrite=rewrite)
        replace = tf.raw_ops.RegexReplace if is_input else tf.raw_ops.StaticRegexReplace
        return [x], [replace(input=x, **given, **options)], [[text] for text in texts]

    return build


def joined_segments(shape, of, count, feeds, separator):
    """Strings of segments, whose numbers have the shape `of`."""

    def build():
        x, segments = tf.placeholder(tf.string, shape), tf.placeholder(tf.int32, of)
        inputs, number = [x, segments], count
        if isinstance(count, list):
            number = tf.placeholder(tf.int64, [])
            inputs = [*inputs, number]
        joined = tf.raw_ops.UnsortedSegmentJoin(inputs=x, segment_ids=segments, num_segments=number, separator=separator)
        return inputs, [joined], [[*feed, *times] for feed in feeds for times in ([[number] for number in count] if isinstance(count, list) else [[]])]

    return build


def added(left, right):
    def build():
        x, y = tf.placeholder(tf.string, left), tf.placeholder(tf.string, right)
        return [x, y], [tf.raw_ops.Add(x=x, y=y)], [[letters, letters[:1]], [letters, letters[1, 1]]]

    return build


PUNCTUATION = r"""[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']"""


def found(keys, values, default, wanted, is_open):
    """A lookup, with a default that is known or an input."""

    def build():
        (key, of_keys), (value, of_values) = keys, values
        x, feeds = tf.placeholder(key, None), [wanted]
        inputs, missing = [x], tf.constant(default, value)
        if is_open:
            missing = tf.placeholder(value, [])
            inputs, feeds = inputs + [missing], feeds + [default]
        table = tf.raw_ops.HashTableV2(key_dtype=key, value_dtype=value)
        contents = dict(keys=tf.constant(of_keys, key), values=tf.constant(of_values, value))
        with tf.control_dependencies([tf.raw_ops.InitializeTableV2(table_handle=table, **contents)]):
            return inputs, [tf.raw_ops.LookupTableFindV2(table_handle=table, keys=x, default_value=missing)], [feeds]

    return build


def text_of(numbers, dtype, precision):
    def build():
        x = tf.placeholder(dtype, [None])
        return [x], [tf.raw_ops.AsString(input=x, precision=precision)], [[numbers]]

    return build


def graphs():
    reals = [0.0, -0.0, 1.5, 2.5, -0.5, 0.9999999, 2.5e-6, 1.5e-6, -1e-9, 123456.7890125, 2.0**60, np.nan, np.inf, -np.inf]
    for precision in (-1, 0, 1, 15):
        for dtype in (tf.float32, tf.float64):
            yield f"text_of_{dtype.name}_{precision}".replace("-", "minus_"), text_of(reals, dtype, precision)
    yield "reduce_join_of_a_constant", joined_constant
    for name, texts in (("empty_texts", ["", "a,,b", ""]), ("empty_texts_alone", ["", ""]), ("no_texts", np.zeros(0, object))):
        yield f"string_split_v2_of_{name}", split_v2(texts)
    for axes in ([0], [1], [0, 1], [1, 0], [-1], []):
        name = "_".join(map(str, axes)).replace("-", "minus_") or "nothing"
        yield f"reduce_join_{name}", joined(axes, separator=", ")
        yield f"reduce_join_{name}_kept", joined(axes, keep_dims=True)
    for shape, name in (([None, None], "open_lengths"), (None, "open_rank")):
        yield f"reduce_join_of_{name}", joined_of_open(shape, (0,), separator=", ")
        yield f"reduce_join_of_{name}_kept", joined_of_open(shape, (-1, 0), keep_dims=True)
        yield f"reduce_join_of_{name}_and_axes", joined_of_open(shape, [[0], [0, -1], []], separator="-")
        yield f"reduce_join_of_{name}_and_axes_kept", joined_of_open(shape, [[1], [-1, 0]], keep_dims=True)
    for name, delimiter in (("spaces", " "), ("commas", ",")):
        for skip_empty in (True, False):
            yield f"string_split_{name}{'' if skip_empty else '_with_empty'}", split(delimiter, skip_empty)
    many = np.array([f"{index % 7}" * (index % 3) for index in range(40)], object).reshape(20, 2)
    rows = [[letters, np.array([2, 0, 2], np.int32)], [many, np.arange(20, dtype=np.int32) * 3 % 5]]
    each = [[letters, np.array([[1, 3], [1, 1], [0, 3]], np.int32)]]
    yield "joined_rows_of_segments", joined_segments([None, 2], [None], 5, rows, "-")
    yield "joined_segments_of_a_matrix", joined_segments([None, None], [None, None], [4, 6], each, "")
    yield "joined_segments_of_open_rank", joined_segments(None, None, [5], rows + each, ", ")
    yield "added_texts", added([None, 2], None)
    yield "added_texts_of_open_rank", added(None, None)
    for name, pattern in (
        ("punctuation", PUNCTUATION),
        ("a_tag", "<br />"),
        ("spaces", r"\s+"),
        ("a_space", " "),
        ("two_letters", "aa"),
        ("letters", "[abc]"),
        ("runs_of_letters", "[ab]+"),
        ("a_point", r"\."),
    ):
        for to, rewrite in (("nothing", ""), ("text", "ab")):
            yield f"{name}_replaced_by_{to}", replaced(pattern, rewrite)
    yield "punctuation_replaced_by_punctuation", replaced(PUNCTUATION, "_", is_input=True)
    yield "the_first_tag_replaced", replaced("<br />", "-", is_input=True, replace_global=False)
    yield "the_first_letter_replaced", replaced("a", "", replace_global=False)
    words, numbers = (tf.string, ["a", "b"]), (tf.int64, [5, 6])
    for name, keys, values, default, wanted in (
        ("words_to_numbers", words, (tf.int64, [1, 2]), -1, ["b", "c", "a"]),
        ("numbers_to_words", numbers, (tf.string, ["x", "y"]), "?", [[6], [7]]),
        ("int32_to_reals", (tf.int32, [5, 6]), (tf.float32, [0.5, 1.5]), -1, [6, 7, 5]),
        ("words_to_booleans", words, (tf.bool, [True, False]), True, ["b", "c", "a"]),
        ("numbers_to_float64", numbers, (tf.float64, [0.1, 0.2]), 0.3, [6, 7, 5]),
    ):
        for is_open in (False, True):
            yield f"table_of_{name}{'_open_default' if is_open else ''}", found(keys, values, default, wanted, is_open)


def make(folder):
    made = [case for name, build in graphs() for case in cases.of_feeds(name, build, opset=OPSET)]
    cases.write(folder / "strings.zip", made)
