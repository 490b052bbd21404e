"""Ops that treat every element alike, alone or in pairs."""

import numpy as np
from case import Refused
from values import ANY, FLOATS, INTEGERS, NUMBERS

SIGNED = FLOATS + ["int32", "int64", "int8", "int16"]
# The types of each op, whether implementations may differ in the last digits, and whether it jumps.
UNARY = {
    "Abs": (SIGNED, False, False), "Neg": (SIGNED, False, False), "Sign": (SIGNED, False, True),
    "Square": (FLOATS + ["int32", "int64"], False, False),
    "Ceil": (FLOATS, False, True), "Floor": (FLOATS, False, True), "Rint": (FLOATS, False, True),
    "Round": (FLOATS + ["int32", "int64"], False, True),
    "IsNan": (FLOATS, False, True), "IsInf": (FLOATS, False, True), "IsFinite": (FLOATS, False, True),
    "Relu": (NUMBERS, False, False), "Relu6": (NUMBERS, False, False), "LeakyRelu": (FLOATS, True, False),
    "Inv": (FLOATS, True, False), "Reciprocal": (FLOATS, True, False), "Invert": (INTEGERS, False, False),
    "LogicalNot": (["bool"], False, False), "StopGradient": (ANY, False, False), "Identity": (ANY, False, False),
    "OnesLike": (ANY, False, False), "ZerosLike": (ANY, False, False), "Snapshot": (ANY, False, False),
}
UNARY |= {
    name: (FLOATS, True, False)
    for name in (
        "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Elu Erf Erfc Exp Expm1 Log Log1p Rsqrt Selu Sigmoid Sin Sinh Softplus "
        "Softsign Sqrt Tan Tanh"
    ).split()
}
WIDE = NUMBERS
BINARY = {
    "Add": WIDE, "AddV2": WIDE, "Sub": WIDE, "Mul": WIDE, "Maximum": NUMBERS, "Minimum": NUMBERS,
    "SquaredDifference": FLOATS + ["int32", "int64"],
    "BitwiseAnd": INTEGERS, "BitwiseOr": INTEGERS, "BitwiseXor": INTEGERS,
    "LogicalAnd": ["bool"], "LogicalOr": ["bool"],
}
DIVISIONS = {
    "Div": WIDE, "RealDiv": FLOATS, "FloorDiv": WIDE, "FloorMod": FLOATS + INTEGERS,
    "Mod": ["float32", "float64", "int32", "int64"], "TruncateDiv": INTEGERS, "TruncateMod": ["int32", "int64", "float32", "float64"],
    "DivNoNan": FLOATS, "MulNoNan": FLOATS, "Xdivy": FLOATS, "Xlogy": FLOATS, "Atan2": FLOATS,
}
COMPARISONS = ["Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"]


# Where these end or grow without bounds, a last digit decides.
STEEP = "Acos Acosh Asin Atanh Inv Log Log1p Reciprocal Rsqrt Sqrt Tan".split()
ARGUMENT = {"StopGradient": "input", "Identity": "input", "Snapshot": "input"}
ARGUMENT |= {name: "features" for name in "Relu Relu6 LeakyRelu Elu Selu Softplus Softsign".split()}


def unary(name):
    dtypes, rounds, jumps = UNARY[name]

    def make(case):
        x = case.tensor(dtypes, kind="special" if rounds else "any", exact=jumps or name in STEEP)
        if rounds and x.rounded and x.dtype == "float16":
            # Three digits, of which another function would leave none.
            x = case.feed(np.ones(x.shape, np.float16))
        x = case.with_fed_zeros(x) if name in STEEP else x
        # What ONNX Runtime computes otherwise than ONNX says: docs/ops.md.
        x = case.without_nan(x) if name in ("Erf", "Erfc") and x.dtype != "float64" else x
        if name == "Atanh" and x.dtype != "float64" and np.isinf(x.value).any():
            x = case.feed(np.zeros(x.shape, x.dtype))
        return case.op(name, rounds, **{ARGUMENT.get(name, "x"): x})

    return make


def binary(name):
    def make(case):
        a = case.tensor(BINARY[name])
        pair = [a, case.like(a)]
        case.rng.shuffle(pair)
        return case.op(name, False, x=pair[0], y=pair[1])

    return make


def comparison(name):
    def make(case):
        a = case.tensor(ANY if "qual" == name[-4:] and len(name) < 9 else NUMBERS, exact=True)
        pair = [a, case.like(a, exact=True)]
        case.rng.shuffle(pair)
        return case.op(name, False, x=pair[0], y=pair[1])

    return make


def division(name):
    def make(case):
        # Where the divisor is 0, a last digit decides between infinity and NaN.
        a = case.with_fed_zeros(case.tensor(DIVISIONS[name], kind="special", exact=True))
        b = case.with_fed_zeros(case.like(a, kind="special", exact=True))
        if b.value.dtype.kind in "iu":
            value = np.where(b.value == 0, 3, b.value).astype(b.value.dtype)
            b = case.feed(value)
            if (a.value == np.iinfo(a.value.dtype).min).any() and b.value.dtype.kind == "i":
                b = case.feed(np.where(value == -1, 2, value).astype(value.dtype))
        return case.op(name, a.value.dtype.kind == "f", x=a, y=b)

    return make


def power(case):
    a = case.tensor(FLOATS + ["int32", "int64"], kind="special", exact=True)
    if a.value.dtype.kind == "f":
        return case.op("Pow", True, x=a, y=case.like(a, kind="special"))
    exponents = np.random.RandomState(case.rng.getrandbits(32)).randint(0, 6, a.shape)
    if (np.abs(a.value.astype(np.float64)) ** exponents >= 2.0 ** (31 if a.dtype == "int32" else 53)).any():
        raise Refused("ONNX Runtime computes powers of integers in float64: docs/ops.md")
    return case.op("Pow", x=a, y=case.feed(np.asarray(exponents).astype(a.dtype)))


def shift(name):
    def make(case):
        a = case.tensor(INTEGERS)
        b = case.like(a, kind="plain")
        return case.op(name, x=a, y=b)

    return make


def cast(case):
    source = case.tensor(ANY, exact=True)
    target = case.choose(ANY)
    if source.value.dtype.kind == "f" and np.dtype(target).kind in "iu":
        # C++ leaves open what becomes of numbers that the type does not have.
        info, wide = np.iinfo(target), source.value.astype(np.float64)
        limit = min(float(info.max), 2.0**62)
        if not (np.isfinite(wide).all() and (wide > info.min - 1.0).all() and (wide < limit).all()):
            target = case.choose(FLOATS + ["bool"])
    return case.op("Cast", x=source, DstT=target)


def select(case):
    a = case.without_signed_zeros(case.tensor(ANY))
    condition = case.tensor("bool", (0, 9), shape=a.shape[:1] if case.chance(0.3) and a.rank else a.shape)
    b = case.without_signed_zeros(case.tensor(a.dtype, (0, 9), shape=a.shape))
    return case.op("Select", condition=condition, x=a, y=b)


def select_v2(case):
    a = case.without_signed_zeros(case.tensor(ANY))
    b = case.without_signed_zeros(case.like(a))
    dims = case.choose([a, b]).shape
    condition = case.tensor("bool", (0, 9), shape=dims[case.integer(0, len(dims)) :])
    return case.op("SelectV2", condition=condition, t=a, e=b)


def add_n(case):
    a = case.tensor(WIDE)
    return case.op("AddN", True, inputs=[a] + [case.tensor(a.dtype, (0, 9), shape=a.shape) for _ in range(case.integer(0, 3))])


def clip(case):
    a = case.tensor(FLOATS + ["int32", "int64"])
    low, high = (case.without_signed_zeros(case.tensor(a.dtype, shape=[], kind="plain")) for _ in range(2))
    return case.op("ClipByValue", t=a, clip_value_min=low, clip_value_max=high)


def bucketize(case):
    bounds = sorted(float(x) for x in case.integers(case.integer(0, 4), -5, 5))
    # Of no elements ONNX Runtime mistakes an axis that is counted from the end.
    x = case.tensor(["float32", "float64", "int32", "int64"], exact=True, least=1)
    return case.op("Bucketize", input=x, boundaries=bounds)


def fake_quant(case):
    low = case.choose([-6.0, -1.0, 0.0, -0.3])
    arguments = dict(min=low, max=case.choose([6.0, 1.0, 0.7]), num_bits=case.choose([8, 8, 4, 2]), narrow_range=case.chance(0.3))
    return case.op("FakeQuantWithMinMaxArgs", True, inputs=case.tensor("float32", kind="plain", exact=True), **arguments)


OPS = (
    {name: unary(name) for name in UNARY}
    | {name: binary(name) for name in BINARY}
    | {name: division(name) for name in DIVISIONS}
    | {name: comparison(name) for name in COMPARISONS}
    | {"Pow": power, "LeftShift": shift("LeftShift"), "RightShift": shift("RightShift"), "Cast": cast, "Select": select}
    | {"SelectV2": select_v2, "AddN": add_n, "ClipByValue": clip, "Bucketize": bucketize}
    | {"FakeQuantWithMinMaxArgs": fake_quant}
)
