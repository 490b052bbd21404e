"""Ops that move elements: shapes, slices, gathering, joining, and orders."""

import numpy as np
from values import ANY, FLOATS, NUMBERS

SLICED = ["float32", "float64", "int32", "int64", "bool", "uint8", "float16"]


def on_last_axis_pairs(case, tensor, greatest):
    return np.asarray([case.integers(2, 0, greatest) for _ in range(tensor.rank)], np.int32).reshape(tensor.rank, 2)


def reshape(case):
    x = case.tensor(ANY)
    target, left = [], int(x.value.size)
    for _ in range(case.integer(0, 3)):
        part = case.choose([d for d in range(1, max(left, 1) + 1) if left % d == 0][:8] or [1])
        target.append(part)
        left //= part
    target.insert(case.integer(0, len(target)), left)
    if x.value.size and case.chance(0.5):
        target[case.integer(0, len(target) - 1)] = -1
    return case.op("Reshape", tensor=x, shape=case.index_argument(target))


def shape(case):
    return case.op("Shape", input=case.tensor(ANY), out_type=case.choose(["int32", "int64"]))


def size(case):
    return case.op("Size", input=case.tensor(ANY), out_type=case.choose(["int32", "int64"]))


def rank(case):
    return case.op("Rank", input=case.tensor(ANY))


def expand_dims(case):
    x = case.tensor(ANY)
    return case.op("ExpandDims", input=x, axis=case.index_argument(case.integer(-x.rank - 1, x.rank)))


def squeeze(case):
    x = case.tensor(ANY)
    ones = [axis for axis, dim in enumerate(x.shape) if dim == 1]
    axes = [case.choose([axis, axis - x.rank]) for axis in ones if case.chance(0.6)]
    return case.op("Squeeze", input=x, axis=axes)


def transpose(case):
    x = case.tensor(ANY)
    perm = list(range(x.rank))
    case.rng.shuffle(perm)
    return case.op("Transpose", x=x, perm=case.index_argument(perm))


def slice_(case):
    x = case.tensor(SLICED)
    begin = [case.integer(0, dim) for dim in x.shape]
    size = [-1 if case.chance(0.3) else case.integer(0, dim - start) for dim, start in zip(x.shape, begin)]
    dtype = case.choose(["int32", "int64"])
    return case.op("Slice", input=x, begin=case.argument(begin, dtype), size=case.argument(size, dtype))


def strided_slice(case):
    x = case.tensor(SLICED)
    begin, end, strides, masks = [], [], [], dict.fromkeys(["begin", "end", "ellipsis", "new_axis", "shrink_axis"], 0)
    axis = 0
    while axis < x.rank and case.chance(0.85):
        bit, dim = 1 << len(begin), x.shape[axis]
        wide = case.chance(0.3)
        first, last = case.integers(2, -dim - 2, dim + 2) if wide else (case.integer(0, dim), case.integer(0, dim))
        stride = case.choose([1, 1, 1, 2, 3, -1, -2])
        if case.chance(0.1):
            first, last = case.choose([2**31 - 1, -(2**31)]), case.choose([2**31 - 1, -(2**31)])
        way = case.rng.random()
        if way < 0.1:
            masks["new_axis"] |= bit
        elif way < 0.2 and not masks["ellipsis"]:
            masks["ellipsis"] |= bit
            axis += case.integer(0, x.rank - axis)
        elif way < 0.4 and dim:
            masks["shrink_axis"] |= bit
            first, stride = case.integer(-dim, dim - 1), 1
            last = first + 1
            axis += 1
        else:
            masks["begin"] |= bit if case.chance(0.25) else 0
            masks["end"] |= bit if case.chance(0.25) else 0
            axis += 1
        begin.append(first)
        end.append(last)
        strides.append(stride)
    dtype = case.choose(["int32", "int64"])
    given = dict(begin=case.argument(begin, dtype), end=case.argument(end, dtype), strides=case.argument(strides, dtype))
    return case.op("StridedSlice", input=x, **given, **{f"{name}_mask": mask for name, mask in masks.items()})


def pad(name):
    def make(case):
        # ONNX Runtime pads no scalars, which without a rank the converter cannot leave out.
        x = case.tensor(SLICED, (1, 4))
        extra = {"constant_values": case.tensor(x.dtype, shape=[])} if name == "PadV2" else {}
        return case.op(name, input=x, paddings=case.index_argument(on_last_axis_pairs(case, x, 3)), **extra)

    return make


def mirror_pad(case):
    x = case.tensor(SLICED, (1, 4))
    mode = case.choose(["REFLECT", "SYMMETRIC"])
    most = [max(0, dim - (mode == "REFLECT")) for dim in x.shape]
    pads = np.asarray([case.integers(2, 0, min(3, dim)) for dim in most], np.int32).reshape(x.rank, 2)
    return case.op("MirrorPad", input=x, paddings=case.index_argument(pads), mode=mode)


def tile(case):
    x = case.tensor(SLICED, (0, 4))
    return case.op("Tile", input=x, multiples=case.index_argument(case.integers(x.rank, 0 if case.chance(0.2) else 1, 3)))


def broadcast_to(case):
    x = case.tensor(ANY, (0, 3))
    dims = [case.integer(0, 3) if dim == 1 else dim for dim in x.shape]
    dims = case.integers(case.integer(0, 2), 1, 3) + dims
    return case.op("BroadcastTo", input=x, shape=case.index_argument(dims))


def fill(case):
    value = case.tensor(ANY, shape=[])
    return case.op("Fill", dims=case.index_argument(case.integers(case.integer(0, 3), 0, 4)), value=value)


def range_(case):
    dtype = case.choose(["int32", "int64", "float32", "float64"])
    start, delta = case.integer(-5, 5), case.choose([1, 1, 2, 3, -1, -2])
    limit = start + delta * case.integer(0, 6) + case.choose([0, 0, 1 if delta > 0 else -1])
    if dtype.startswith("float") and case.chance(0.5):
        start, limit, delta = start / 2, limit / 2, delta / 2
    start, limit, delta = [case.argument(number, dtype) for number in (start, limit, delta)]
    return case.op("Range", start=start, limit=limit, delta=delta)


def lin_space(case):
    dtype = case.choose(["float32", "float64"])
    start, stop = [case.argument(case.integer(-5, 5), dtype) for _ in range(2)]
    return case.op("LinSpace", True, start=start, stop=stop, num=case.index_argument(case.integer(1, 6)))


def concat(name):
    def make(case):
        x = case.tensor(ANY, (1, 4))
        axis = case.integer(0, x.rank - 1)
        parts = [x]
        for _ in range(case.integer(0, 2)):
            dims = [case.integer(0, 3) if at == axis else dim for at, dim in enumerate(x.shape)]
            parts.append(case.tensor(x.dtype, (0, 9), shape=dims))
        case.rng.shuffle(parts)
        if len(parts) < 2:
            parts *= 2
        if name == "Concat":
            return case.op("Concat", concat_dim=case.argument(axis), values=parts)
        return case.op("ConcatV2", values=parts, axis=case.index_argument(axis - x.rank if case.chance(0.4) else axis))

    return make


def pack(case):
    x = case.tensor(ANY, (0, 3))
    parts = [x] + [case.tensor(x.dtype, (0, 9), shape=x.shape) for _ in range(case.integer(0, 2))]
    return case.op("Pack", values=parts, axis=case.integer(-x.rank - 1, x.rank))


def unpack(case):
    x = case.tensor(ANY, (1, 4), least=1)
    axis = case.axis(x)
    return case.op("Unpack", value=x, num=x.shape[axis], axis=axis)


def split(case):
    x = case.tensor(ANY, (1, 4))
    axis = case.axis(x)
    ways = [n for n in range(1, 6) if x.shape[axis] % n == 0]
    return case.op("Split", axis=case.argument(axis), value=x, num_split=case.choose(ways))


def split_v(case):
    x = case.tensor(ANY, (1, 4))
    axis, sizes = case.axis(x), []
    left = x.shape[axis]
    for _ in range(case.integer(0, 3)):
        sizes.append(case.integer(0, left))
        left -= sizes[-1]
    sizes.insert(case.integer(0, len(sizes)), left)
    if case.chance(0.5):
        sizes[case.integer(0, len(sizes) - 1)] = -1
    return case.op("SplitV", value=x, size_splits=case.index_argument(sizes), axis=case.argument(axis), num_split=len(sizes))


def gather(case):
    x = case.tensor(ANY, (1, 4))
    indices = case_indices(case, x.shape[0], (0, 2))
    return case.op("Gather", params=x, indices=indices)


def case_indices(case, length, ranks):
    dims = [case.integer(0, 3) for _ in range(case.integer(*ranks))]
    if length == 0:
        dims = dims + [0]
    numbers = np.random.RandomState(case.rng.getrandbits(32)).randint(0, max(length, 1), dims)
    return case.index_argument(numbers)


def gather_v2(case):
    x = case.tensor(ANY, (1, 4))
    batch = case.integer(0, x.rank - 1) if case.chance(0.3) else 0
    axis = case.integer(batch, x.rank - 1)
    dims = x.shape[:batch] + [case.integer(0, 3) for _ in range(case.integer(0, 2))]
    if x.shape[axis] == 0:
        dims = dims + [0]
    numbers = np.random.RandomState(case.rng.getrandbits(32)).randint(0, max(x.shape[axis], 1), dims)
    axis = axis - x.rank if case.chance(0.3) else axis
    batch = batch - len(dims) if case.chance(0.2) and dims else batch
    return case.op("GatherV2", params=x, indices=case.index_argument(numbers), axis=case.argument(axis), batch_dims=batch)


def places(case, dims, depth, least=1):
    """Indices into the first axes of a tensor."""
    outer = [case.integer(0, 3) for _ in range(case.integer(least, 2))]
    if 0 in dims[:depth]:
        outer = [0]
    columns = [np.random.RandomState(case.rng.getrandbits(32)).randint(0, max(dim, 1), outer) for dim in dims[:depth]]
    return np.stack(columns, -1) if columns else np.zeros(outer + [0], int)


def gather_nd(case):
    x = case.tensor(ANY, (1, 4))
    indices = places(case, x.shape, case.integer(1, x.rank), 0)
    return case.op("GatherNd", params=x, indices=case.index_argument(indices))


def scatter_nd(case):
    dims = [case.integer(1, 4) for _ in range(case.integer(1, 3))]
    indices = places(case, dims, case.integer(1, len(dims)))
    depth = indices.shape[-1]
    updates = case.tensor(["float32", "float64", "int32", "int64"], (0, 9), kind="plain", shape=list(indices.shape[:-1]) + dims[depth:])
    dtype = case.choose(["int32", "int64"])
    return case.op("ScatterNd", True, indices=case.argument(indices, dtype), updates=updates, shape=case.argument(dims, dtype))


def tensor_scatter(name):
    def make(case):
        x = case.tensor(["float32", "float64", "int32", "int64"], (1, 3), kind="plain")
        indices = places(case, x.shape, case.integer(1, x.rank))
        if name == "TensorScatterUpdate":
            flat = indices.reshape(-1, indices.shape[-1])
            indices = np.unique(flat, axis=0)
        dims = list(indices.shape[:-1]) + x.shape[indices.shape[-1] :]
        updates = case.tensor(x.dtype, (0, 9), kind="plain", shape=dims)
        return case.op(name, True, tensor=x, indices=case.index_argument(indices), updates=updates)

    return make


def one_hot(case):
    indices = case.tensor(["int32", "int64", "uint8"], (0, 3))
    dtype = case.choose(["float32", "int32", "int64", "float64", "bool", "uint8"])
    on, off = [case.argument(number, dtype) for number in (case.integer(1, 5), 0 if case.chance(0.5) else case.integer(0, 5))]
    axis = case.integer(-1, indices.rank)
    return case.op("OneHot", indices=indices, depth=case.argument(case.integer(0, 5)), on_value=on, off_value=off, axis=axis)


def roll(case):
    x = case.tensor(SLICED, (1, 4))
    count = case.integer(1, 3)
    axes = [case.axis(x) for _ in range(count)]
    shifts = case.integers(count, -9, 9) if case.chance(0.9) else case.integers(count, -(2**31), 2**31 - 1)
    if count == 1 and case.chance(0.5):
        axes, shifts = axes[0], shifts[0]
    return case.op("Roll", input=x, shift=case.index_argument(shifts), axis=case.index_argument(axes))


def reverse(case):
    x = case.tensor(SLICED)
    return case.op("ReverseV2", tensor=x, axis=case.index_argument(case.axes(x)))


def reverse_sequence(case):
    x = case.tensor(SLICED, (2, 4))
    seq, batch = case.rng.sample(range(x.rank), 2)
    lengths = case.integers(x.shape[batch], 0, x.shape[seq])
    return case.op("ReverseSequence", input=x, seq_lengths=case.index_argument(lengths), seq_dim=seq, batch_dim=batch)


def where(case):
    return case.op("Where", condition=case.tensor(["bool", "float32", "int32", "uint8"], (1, 4), exact=True))


def unique(name):
    def make(case):
        x = case.tensor(["int32", "int64", "float32"], (1, 1), kind="plain", exact=True)
        return case.op(name, x=x, out_idx=case.choose(["int32", "int64"]))

    return make


def invert_permutation(case):
    order = list(range(case.integer(0, 6)))
    case.rng.shuffle(order)
    return case.op("InvertPermutation", x=case.index_argument(order))


def list_diff(case):
    x, y = [case.tensor(["int32"], (1, 1), kind="plain") for _ in range(2)]
    return case.op("ListDiff", x=x, y=y, out_idx=case.choose(["int32", "int64"]))


def dynamic_partition(case):
    x = case.tensor(NUMBERS, (1, 3))
    count = case.integer(1, 3)
    depth = case.integer(1, x.rank)
    parts = np.random.RandomState(case.rng.getrandbits(32)).randint(0, count, x.shape[:depth])
    return case.op("DynamicPartition", data=x, partitions=case.argument(parts), num_partitions=count)


def dynamic_stitch(case):
    order = list(range(case.integer(1, 6)))
    case.rng.shuffle(order)
    cut, dims = case.integer(0, len(order)), case.integers(case.integer(0, 2), 1, 3)
    if case.chance(0.3):
        order[0] = order[-1]
    if max(order, default=0) + 1 > len(set(order)):
        order = order + [n for n in range(max(order)) if n not in order]
    parts = [order[:cut], order[cut:]]
    data = [case.tensor("float32", (0, 9), shape=[len(part)] + dims) for part in parts]
    return case.op("DynamicStitch", indices=[case.argument(part) for part in parts], data=data)


def matrix_band_part(case):
    x = case.tensor(["float32", "float64", "int32", "int64"], (2, 4))
    dtype = case.choose(["int32", "int64"])
    lower, upper = [case.integer(-1, min(3, dim)) for dim in x.shape[-2:]]
    return case.op("MatrixBandPart", input=x, num_lower=case.argument(lower, dtype), num_upper=case.argument(upper, dtype))


def diagonal(name):
    def make(case):
        x = case.tensor(["float32", "float64", "int32", "int64"], (1, 3) if name == "MatrixDiag" else (2, 4), least=1)
        x = case.without_signed_zeros(x)
        if name == "MatrixDiag":
            return case.op(name, diagonal=x)
        if name == "MatrixDiagPart":
            return case.op(name, input=x)
        dims = x.shape[:-2] + [min(x.shape[-2:])]
        return case.op(name, input=x, diagonal=case.tensor(x.dtype, (0, 9), shape=dims))

    return make


def band(case, rows, columns):
    """The diagonals from one to another of matrices of a size, the number of these, and the length of the longest."""
    lower, upper = sorted(case.integer(1 - rows, columns - 1) for _ in range(2))
    if case.chance(0.5):
        upper = lower
    return lower, upper, upper - lower + 1, min(rows + min(upper, 0), columns - max(lower, 0))


def band_argument(case, lower, upper):
    return case.argument(case.choose([lower, [lower], [lower, upper]]) if lower == upper else [lower, upper])


ALIGN = ["LEFT_LEFT", "LEFT_RIGHT", "RIGHT_LEFT", "RIGHT_RIGHT"]
DIAGONAL = ["float32", "float64", "int32", "int64"]


def diag_part_v3(case):
    x = case.without_signed_zeros(case.tensor(DIAGONAL, (2, 4), least=1))
    lower, upper, *_ = band(case, *x.shape[-2:])
    padding = case.without_signed_zeros(case.tensor(x.dtype, shape=[], kind="plain"))
    return case.op("MatrixDiagPartV3", input=x, k=band_argument(case, lower, upper), padding_value=padding, align=case.choose(ALIGN))


def diag_v3(case):
    rows, columns = case.integers(2, 1, 4)
    lower, upper, count, longest = band(case, rows, columns)
    dims = case.integers(case.integer(0, 1), 1, 2) + ([count] if count > 1 else []) + [longest]
    x = case.without_signed_zeros(case.tensor(DIAGONAL, (0, 9), shape=dims))
    padding = case.without_signed_zeros(case.tensor(x.dtype, shape=[], kind="plain"))
    size = case.choose([(rows, columns), (rows, columns), (-1, columns), (rows, -1), (-1, -1)])
    sizes = dict(num_rows=case.argument(size[0]), num_cols=case.argument(size[1]))
    return case.op("MatrixDiagV3", diagonal=x, k=band_argument(case, lower, upper), padding_value=padding, align=case.choose(ALIGN), **sizes)


def set_diag_v3(case):
    x = case.without_signed_zeros(case.tensor(DIAGONAL, (2, 4), least=1))
    lower, upper, count, longest = band(case, *x.shape[-2:])
    dims = x.shape[:-2] + ([count] if count > 1 else []) + [longest]
    values = case.without_signed_zeros(case.tensor(x.dtype, (0, 9), shape=dims))
    return case.op("MatrixSetDiagV3", input=x, diagonal=values, k=band_argument(case, lower, upper), align=case.choose(ALIGN))


def sparse_to_dense(case):
    length = case.integer(1, 6)
    count = case.integer(0, length)
    places = sorted(case.rng.sample(range(length), count))
    default = case.tensor(["float32", "int32", "int64"], shape=[], kind="plain")
    values = case.tensor(default.dtype, (0, 9), "plain", [] if case.chance(0.3) else [count])
    indices = np.reshape(places, [count, 1] if case.chance(0.5) else [count])
    dtype = case.choose(["int32", "int64"])
    indices, shape = case.argument(indices, dtype), case.argument([length], dtype)
    return case.op("SparseToDense", sparse_indices=indices, output_shape=shape, sparse_values=values, default_value=default)


OPS = {
    "Reshape": reshape, "Shape": shape, "Size": size, "Rank": rank, "ExpandDims": expand_dims, "Squeeze": squeeze,
    "Transpose": transpose, "Slice": slice_, "StridedSlice": strided_slice, "Pad": pad("Pad"), "PadV2": pad("PadV2"),
    "MirrorPad": mirror_pad, "Tile": tile, "BroadcastTo": broadcast_to, "Fill": fill, "Range": range_, "LinSpace": lin_space,
    "Concat": concat("Concat"), "ConcatV2": concat("ConcatV2"), "Pack": pack, "Unpack": unpack, "Split": split, "SplitV": split_v,
    "Gather": gather, "GatherV2": gather_v2, "GatherNd": gather_nd, "ScatterNd": scatter_nd, "OneHot": one_hot, "Roll": roll,
    "ReverseV2": reverse, "ReverseSequence": reverse_sequence, "Where": where, "Unique": unique("Unique"),
    "UniqueWithCounts": unique("UniqueWithCounts"), "InvertPermutation": invert_permutation, "ListDiff": list_diff,
    "DynamicPartition": dynamic_partition, "DynamicStitch": dynamic_stitch, "MatrixBandPart": matrix_band_part,
} | {f"TensorScatter{kind}": tensor_scatter(f"TensorScatter{kind}") for kind in ("Add", "Sub", "Max", "Min", "Update")}
OPS |= {"MatrixDiagPartV3": diag_part_v3, "MatrixDiagV3": diag_v3, "MatrixSetDiagV3": set_diag_v3, "SparseToDense": sparse_to_dense}
OPS |= {name: diagonal(name) for name in ("MatrixDiag", "MatrixDiagPart", "MatrixSetDiag")}
