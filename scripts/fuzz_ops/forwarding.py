"""Ops that forward tensors, name their axes, or tell of them."""

from values import ANY


def partly(case, dims):
    """A shape that these lengths have: some of its axes are open."""
    return [None if case.chance(0.4) else length for length in dims]


def ensure_shape(case):
    x = case.tensor(ANY)
    return case.op("EnsureShape", input=x, shape=partly(case, x.shape))


def placeholder_with_default(case):
    x = case.tensor(ANY)
    return case.op("PlaceholderWithDefault", input=x, shape=None if case.chance(0.2) else partly(case, x.shape))


def identities(case):
    return case.op("IdentityN", input=[case.tensor(ANY) for _ in range(case.integer(1, 3))])


def shapes(case):
    x = case.tensor(ANY)
    others = [case.tensor(x.dtype) for _ in range(case.integer(0, 2))]
    return case.op("ShapeN", input=[x, *others], out_type=case.choose(["int32", "int64"]))


def to_bool(case):
    return case.op("ToBool", input=case.tensor(ANY, (0, 2)))


def formats(case):
    """Two orders of the same axes."""
    axes = case.choose(["NHWC", "NDHWC"])
    common = ["NHWC", "NCHW", "HWNC"] if len(axes) == 4 else ["NDHWC", "NCDHW"]
    shuffled = lambda: "".join(case.rng.sample(axes, len(axes)))
    return [case.choose(common) if case.chance(0.6) else shuffled() for _ in range(2)]


def dim_map(case):
    source, target = formats(case)
    dims = case.integers(case.integer(0, 2), 0, 4)
    count = len(source)
    places = case.numbers().randint(-count, count, dims)
    return case.op("DataFormatDimMap", x=case.index_argument(places), src_format=source, dst_format=target)


def vec_permute(case):
    source, target = formats(case)
    spatial = len(source) - 2
    dims = [case.choose([len(source), spatial])] + ([2] if case.chance(0.4) else [])
    x = case.index_argument(case.numbers().randint(-9, 10, dims))
    return case.op("DataFormatVecPermute", x=x, src_format=source, dst_format=target)


def histogram(case):
    # Which bin a NaN is in, TensorFlow leaves open.
    x = case.without_nan(case.tensor(["float32", "float64", "int32", "int64"], kind="special", exact=True))
    least = case.choose([-9, -1, 0, 2])
    limits = case.argument([least, least + case.choose([1, 3, 7, 10])], x.dtype)
    given = dict(values=x, value_range=limits, nbins=case.argument(case.integer(1, 6)))
    return case.op("HistogramFixedWidth", **given, dtype=case.choose(["int32", "int64"]))


OPS = {"EnsureShape": ensure_shape, "PlaceholderWithDefault": placeholder_with_default, "IdentityN": identities}
OPS |= {"ShapeN": shapes, "ToBool": to_bool, "HistogramFixedWidth": histogram}
OPS |= {"DataFormatDimMap": dim_map, "DataFormatVecPermute": vec_permute}
