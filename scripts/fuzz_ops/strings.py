"""Ops of strings."""

import numpy as np
import values

WORDS = ["", "a", "B c", "x,y", "  two  ", "-1", "0.5", "Grün", "aa,b,,c", "12", "é"]


def words(case, ranks=(0, 3), of=WORDS, shape=None):
    """Strings that are no results: a graph has few ops of them."""
    dims = values.shape(case.rng, ranks) if shape is None else shape
    chosen = [case.choose(of).encode() for _ in range(int(np.prod(dims)))]
    return case.feed(np.array(chosen, object).reshape(dims))


def join(case):
    first = words(case)
    others = [words(case, shape=case.choose([first.shape, []])) for _ in range(case.integer(0, 2))]
    return case.op("StringJoin", inputs=[first, *others], separator=case.choose(["", ",", " - "]))


def reduce_join(case):
    x = words(case)
    axes = case.argument(case.axes(x))
    return case.op("ReduceJoin", inputs=x, reduction_indices=axes, keep_dims=case.chance(0.4), separator=case.choose(["", ","]))


def split(name):
    def make(case):
        x = words(case, (1, 1))
        given = case.constant(np.array(case.choose([b",", b" "] + [b""] * (name == "StringSplitV2")), object))
        if name == "StringSplitV2":
            return case.op(name, input=x, sep=given)
        return case.op(name, input=x, delimiter=given, skip_empty=case.chance(0.5))

    return make


def in_case(name):
    return lambda case: case.op(name, input=words(case, of=[word for word in WORDS if word.isascii()]))


def to_number(case):
    numbers = ["0", "-1", "12", "2147483647"]
    dtype = case.choose(["float32", "int32", "float64", "int64"])
    return case.op("StringToNumber", string_tensor=words(case, of=numbers + ["0.5", "-1e3"] * (dtype[0] == "f")), out_type=dtype)


def as_string(case):
    """Integers, and real numbers with digits behind the point, which need the operator set of StringConcat."""
    if case.chance(0.5):
        numbers = case.without_nan(case.tensor(values.FLOATS, exact=True))
        # From 2^63 on, the runtime decides about the digits: docs/ops.md.
        if np.any(np.abs(numbers.value) >= 2.0**63):
            numbers = case.feed(np.clip(numbers.value, *np.array([-1e4, 1e4], numbers.value.dtype)))
        return case.op("AsString", input=numbers, precision=case.choose([0, 1, 2, 6, 15]))
    return case.op("AsString", input=case.tensor(values.INTEGERS + ["bool"]))


def match(name):
    def make(case):
        pattern = case.choose(["[a-z,]*", r"-?\d+", "", "a|.*c"])
        is_input = name == "RegexFullMatch"
        return case.op(name, input=words(case), pattern=case.constant(np.array(pattern.encode(), object)) if is_input else pattern)

    return make


def equal(case):
    x = words(case)
    return case.op(case.choose(["Equal", "NotEqual"]), x=x, y=words(case, shape=case.choose([x.shape, []])))


OPS = {
    "StringJoin": join, "ReduceJoin": reduce_join, "StringLower": in_case("StringLower"), "StringUpper": in_case("StringUpper"),
    "StringToNumber": to_number, "AsString": as_string, "EqualStrings": equal,
}
OPS |= {name: match(name) for name in ("RegexFullMatch", "StaticRegexFullMatch")}
OPS |= {name: split(name) for name in ("StringSplit", "StringSplitV2")}
