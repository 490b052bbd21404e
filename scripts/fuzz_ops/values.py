"""Random shapes and elements, with the ones at which implementations differ."""

import numpy as np

FLOATS = ["float32", "float64", "float16"]
INTEGERS = ["int32", "int64", "uint8", "int8", "int16", "uint16", "uint32", "uint64"]
NUMBERS = FLOATS + INTEGERS
ANY = NUMBERS + ["bool"]
WEIGHT = {"float32": 12, "int32": 6, "int64": 5, "float64": 3, "uint8": 2, "float16": 1, "int8": 1, "int16": 1, "bool": 2, "uint16": 1, "uint32": 1, "uint64": 1}


def dtype(rng, allowed):
    return rng.choices(allowed, [WEIGHT[name] for name in allowed])[0]


def length(rng, least=0):
    return max(least, rng.choices([0, 1, 2, 3, 4, 5, 7], [1, 4, 6, 6, 4, 2, 1])[0])


def shape(rng, ranks=(0, 4), least=0):
    rank = rng.randint(*ranks)
    return [length(rng, least) for _ in range(rank)]


def elements(rng, dtype, shape, kind):
    """`kind` is "plain" (small and finite), "special" (NaN and infinities too) or "any" (the extremes of the type too)."""
    numbers = np.random.RandomState(rng.getrandbits(32))
    dtype = np.dtype(dtype)
    if dtype == bool:
        return numbers.randint(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        least = 0 if dtype.kind == "u" else rng.choice([-9, -9, 0])
        array = np.asarray(numbers.randint(least, 10, shape)).astype(dtype)
        info = np.iinfo(dtype)
        edges = [info.min, info.max, info.max // 2 + 1, info.max - 1, 2**31, 2**32 + 5, -(2**31), -(2**31) - 1]
        edges = [edge for edge in edges if kind == "any" and info.min <= edge <= info.max]
    else:
        grid = numbers.randint(-32, 33, shape) / 8.0
        array = np.asarray(grid if rng.random() < 0.6 else numbers.randn(*shape) * 2).astype(dtype)
        edges = [0.0, -0.0] if kind == "plain" else [np.nan, np.inf, -np.inf, 0.0, -0.0]
        if kind == "any" and dtype != np.float16:
            edges += [1e30, -1e30, 3e9, -3e9, 16777217.0]
    if edges and array.size and rng.random() < 0.3:
        flat = array.reshape(-1)
        for place in numbers.randint(0, flat.size, rng.randint(1, 3)):
            flat[place] = np.asarray(rng.choice(edges)).astype(dtype)
        array = flat.reshape(array.shape)
    return array


def fits(array, kind):
    if kind == "any" or array.dtype == bool or not array.size:
        return True
    if array.dtype.kind not in "fiu":
        return False
    wide = array.astype(np.float64)
    finite = np.isfinite(wide)
    return bool((np.abs(wide[finite]) <= 1000).all()) and (kind == "special" or bool(finite.all()))
