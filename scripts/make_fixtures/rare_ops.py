"""Makes rare_ops.zip: graphs of one op each that few graphs have, among them old versions and names of ops."""

import numpy as np

from . import cases
from .edges import fed
from .tensorflow1 import tf

f16, f32, f64 = np.float16, np.float32, np.float64
i8, i32, i64, u8 = np.int8, np.int32, np.int64, np.uint8
nan, inf = np.nan, np.inf
rng = np.random.RandomState(4)
rows = f32(rng.randn(3, 6))
image = f32(rng.randn(2, 7, 6, 3))
square = f32(rng.randn(2, 3, 3))


# A name, the op, its inputs (arrays are constants) and attributes.
CASES = [
    # Ops that look for elements.
    ("in_top_k", "InTopK", dict(predictions=fed(f32([[1, 3, 2], [3, 3, 1], [nan, 1, 2], [1, 2, 3], [inf, 1, 0], [1, 2, 3]]), None, None), targets=fed(i32([2, 0, 1, 7, 1, -1]), None)), dict(k=2)),
    ("in_top_k_of_an_open_k", "InTopKV2", dict(predictions=fed(rows, 3, 6), targets=fed(i64([0, 3, 5]), None), k=fed(i64(3)))),
    ("lower_bound", "LowerBound", dict(sorted_inputs=fed(f32([[1, 2, 2, 5], [-inf, 0, 0, inf]]), 2, None), values=fed(f32([[0, 2, 9], [0, nan, inf]]), 2, None))),
    ("upper_bound", "UpperBound", dict(sorted_inputs=fed(f32([[1, 2, 2, 5], [-inf, 0, 0, inf]]), None, 4), values=fed(f32([[0, 2, 9], [0, nan, inf]]), None, 3)), dict(out_type="int64")),
    ("upper_bound_of_int64", "UpperBound", dict(sorted_inputs=fed(i64([[2**53, 2**53 + 1]])), values=fed(i64([[2**53, 2**53 + 1, 5]])))),
    ("lower_bound_of_bytes", "LowerBound", dict(sorted_inputs=fed(u8([[1, 200, 255]])), values=fed(u8([[200, 201]])))),
    ("nth_element", "NthElement", dict(input=fed(rows), n=fed(i32(2))), dict(reverse=False)),
    ("nth_element_from_the_greatest", "NthElement", dict(input=fed(i32([[5, 1, 4], [7, 7, -3]]), 2, None), n=i32(1)), dict(reverse=True)),
    ("nth_element_of_a_vector_of_halves", "NthElement", dict(input=fed(f16([5, 1, 4]), None), n=fed(i32(0))), dict(reverse=True)),
    ("histogram", "HistogramFixedWidth", dict(values=fed(f32([[-1, 0, 1.5], [2, 5, 15]]), None, None), value_range=f32([0, 5]), nbins=i32(5))),
    ("histogram_of_open_bins", "HistogramFixedWidth", dict(values=fed(f64([-1, 0, 0.3, 2, 5, 15, inf])), value_range=fed(f64([0, 5])), nbins=fed(i32(7))), dict(dtype="int64")),
    ("histogram_of_integers", "HistogramFixedWidth", dict(values=fed(i32([3, 4, 10, -2])), value_range=i32([0, 10]), nbins=i32(3))),
    ("histogram_of_nothing", "HistogramFixedWidth", dict(values=fed(np.zeros(0, f32), None), value_range=f32([0, 1]), nbins=i32(3))),
    ("approx_top_k", "ApproxTopK", dict(input=fed(rows, None, 6)), dict(k=3)),
    ("approx_least_k", "ApproxTopK", dict(input=fed(rows, 3, 6)), dict(k=2, is_max_k=False)),
    ("unique_rows", "UniqueV2", dict(x=fed(i32([[3, 1], [2, 2], [3, 1], [0, 9]]), None, 2), axis=i32([0]))),
    ("unique_columns", "UniqueWithCountsV2", dict(x=fed(f32([[3, 1, 3], [2, 2, 2]]), 2, None), axis=i64([-1])), dict(out_idx="int64")),
    ("unique_without_an_axis", "UniqueV2", dict(x=fed(i64([4, 4, -1, 2**40]), None), axis=np.zeros(0, i32))),
    ("unique_of_an_open_axis", "UniqueWithCountsV2", dict(x=fed(i8([4, 4, -1]), None), axis=fed(i64([0]), 1))),
]

# Ops that TensorFlow builds in old graphs alone.
OLD = {"BatchMatrixDiag", "BatchMatrixDiagPart", "BatchMatrixSetDiag", "BatchMatrixBandPart", "BatchMatrixDeterminant", "BatchMatrixInverse", "BatchNormWithGlobalNormalization", "AdjustContrast", "RandomCrop"}


def old_op(op, inputs, attributes):
    """The outputs of an op in a graph that was built by an early version of TensorFlow."""
    outer = tf.get_default_graph().as_graph_def()
    outer.versions.producer = 8
    names = [tensor.name for tensor in inputs.values()]
    node = outer.node.add(op=op, name="output", input=[name.removesuffix(":0") for name in names])
    node.attr["T"].type = next(iter(inputs.values())).dtype.as_datatype_enum
    for name, value in attributes.items():
        node.attr[name].CopyFrom(tf.AttrValue(b=value) if isinstance(value, bool) else tf.AttrValue(f=value))
    return outer


def build(op, inputs, attributes=None):
    feeds = {}
    attributes = attributes or {}
    with tf.Graph().as_default() as graph:

        def tensor(value):
            if isinstance(value, list):
                return [tensor(item) for item in value]
            if not isinstance(value, tuple):
                return tf.constant(value)
            value, dims = np.asarray(value[0]), value[1] if np.ndim(value[0]) or value[1] else []
            placeholder = tf.placeholder(value.dtype, dims, f"input_{len(feeds)}")
            feeds[placeholder.name] = value
            return placeholder

        given = {name: tensor(value) for name, value in inputs.items()}
        definition = old_op(op, given, attributes) if op in OLD else None
        if definition is None:
            outputs = getattr(tf.raw_ops, op)(name="output", **given, **attributes)
            outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
            names = [output.name for output in outputs]
            definition = graph.as_graph_def()
    if op in OLD:
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
        names = [output.name for output in graph.get_operation_by_name("output").outputs]
    with tf.Session(graph=graph) as session:
        results = session.run(names, feeds)
    return cases.case(definition, list(feeds), names, feeds.values(), results)


def make(folder, cases_named=()):
    chosen = [case for case in CASES if not cases_named or case[0] in cases_named]
    cases.write(folder / "rare_ops.zip", ((name, build(*description)) for name, *description in chosen))
