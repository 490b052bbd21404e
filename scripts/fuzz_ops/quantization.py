"""Ops that simulate quantized numbers."""

import numpy as np


def bounds(case, *dims):
    """The least and the greatest number, with 0 between them or at one of them."""
    least = [-case.choose([0.0, 0.5, 1.0, 3.0]) for _ in range(int(np.prod(dims)))]
    greatest = [low + case.choose([1.0, 2.0, 6.0, 4.25]) for low in least]
    return [case.feed(np.reshape(values, dims).astype("float32")) for values in (least, np.maximum(greatest, 0.5))]


def simulated(name):
    def make(case):
        x = case.tensor("float32", kind="plain", exact=True)
        low, high = bounds(case)
        ways = dict(signed_input=case.chance(0.6), range_given=case.chance(0.7), narrow_range=case.chance(0.3))
        bits = case.choose([8, 8, 4])
        ways |= dict(num_bits=bits) if name.endswith("V2") else dict(num_bits=case.argument(bits))
        ways |= dict(round_mode=case.choose(["HALF_TO_EVEN", "HALF_UP"])) if name.endswith("V2") else {}
        return case.op(name, 2, input=x, input_min=low, input_max=high, **ways)

    return make


def fake_quant_variables(case):
    low, high = bounds(case)
    ways = dict(num_bits=case.choose([8, 8, 4, 2]), narrow_range=case.chance(0.3))
    return case.op("FakeQuantWithMinMaxVars", True, inputs=case.tensor("float32", kind="plain", exact=True), min=low, max=high, **ways)


def fake_quant_channels(case):
    x = case.tensor("float32", (1, 4), kind="plain", exact=True, least=1)
    low, high = bounds(case, x.shape[-1])
    return case.op("FakeQuantWithMinMaxVarsPerChannel", True, inputs=x, min=low, max=high, narrow_range=case.chance(0.3))


def quantized(case):
    """Integers of a range and the numbers that they stand for: no other op reads them here, and NumPy has no type for them."""
    x = case.tensor("float32", (1, 4), kind="plain", exact=True, least=1)
    low, high = bounds(case)
    mode, narrow = case.choose(["MIN_COMBINED", "MIN_FIRST", "SCALED"]), case.chance(0.3)
    ways = dict(mode=mode, narrow_range=narrow and mode == "SCALED")
    rounding = "HALF_TO_EVEN" if mode == "SCALED" and case.chance(0.5) else "HALF_AWAY_FROM_ZERO"
    dtype = case.choose(["quint8", "qint8", "quint16", "qint16"])
    integers, least, greatest = case.op("QuantizeV2", 1, input=x, min_range=low, max_range=high, T=dtype, round_mode=rounding, **ways)
    integers.is_hidden = True
    return case.op("Dequantize", 1, input=integers, min_range=least, max_range=greatest, **ways)


OPS = {name: simulated(name) for name in ("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3")}
OPS |= {"FakeQuantWithMinMaxVars": fake_quant_variables, "FakeQuantWithMinMaxVarsPerChannel": fake_quant_channels}
OPS |= {"QuantizeV2": quantized}
