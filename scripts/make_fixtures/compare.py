"""Compares fixtures with those in the repository: graphs node for node, numbers within a tolerance, other files byte for byte.

Files that hold the same may differ in bytes: protobuf writes the attributes of a node in any order, an archive has other dates, and the
kernels that TensorFlow chooses for a processor round differently.
"""

import gzip
import io
import json
import re
import zipfile

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

# The files of the variables in a checkpoint or SavedModel; the index is compared.
DATA = ".data-"


class Differs(Exception):
    """What two files differ in."""


def arrays(made, kept):
    made, kept = (np.load(io.BytesIO(content), allow_pickle=True) for content in (made, kept))
    return tensors(made, kept)


def tensors(made, kept):
    """The largest difference, relative to the largest value."""
    if (made.dtype, made.shape) != (kept.dtype, kept.shape):
        raise Differs(f"{made.dtype} {made.shape}, not {kept.dtype} {kept.shape}")
    if made.dtype.kind not in "fc":
        if not (made == kept).all():
            raise Differs("elements differ")
        return 0.0
    same = (made == kept) | (np.isnan(made) & np.isnan(kept))
    if same.all():
        return 0.0
    finite = np.abs(kept[np.isfinite(kept)]).max(initial=0)
    return float(np.abs(made[~same] - kept[~same]).max() / finite) if finite else np.inf


def equal(made, kept, what):
    if made != kept:
        raise Differs(what)
    return 0.0


# Numbers that count what a process has built: TensorFlow puts them into the names of functions, their inputs and tables, and Keras into
# those of models.
COUNTERS = re.compile(r'(?<=[_/])\d{2,}(?=[_/"])|(?<=s: ")\d+(?=")|(?<=sequential)_\d+')


def readable(message):
    return COUNTERS.sub("", text_format.MessageToString(message))


def readable_node(node):
    """A node; a graph of objects in a constant is text, whose lines are sorted, as the order of its maps is not fixed."""
    strings = node.attr["value"].tensor.string_val if node.op == "Const" else []
    texts = []
    for content in strings:
        try:
            objects = trackable_object_graph_pb2.TrackableObjectGraph.FromString(content)
        except DecodeError:
            return readable(node)
        texts += sorted(readable(objects).splitlines())
    return "\n".join([node.name, *texts]) if texts else readable(node)


def readable_function(function):
    nodes = sorted(map(readable_node, function.node_def))
    return readable(function.signature) + "".join(nodes) + str(sorted(function.ret.items()))


def graph(made, kept):
    """Compares graphs node for node, in any order, and the functions of their libraries."""
    made_nodes, kept_nodes = ({node.name: node for node in definition.node} for definition in (made, kept))
    equal(made_nodes.keys(), kept_nodes.keys(), "other nodes")
    for name, node in made_nodes.items():
        equal(readable_node(node), readable_node(kept_nodes[name]), f"node {name}")
    return equal(*(sorted(map(readable_function, definition.library.function)) for definition in (made, kept)), "functions")


def meta_graph(made, kept):
    graph(made.graph_def, kept.graph_def)
    for message in (made, kept):
        message.ClearField("graph_def")
        # The ops of the TensorFlow that wrote it, and its version.
        message.ClearField("meta_info_def")
    # Functions are sorted by their names, which have counters: lines in any order.
    return equal(*(sorted(readable(message).splitlines()) for message in (made, kept)), "collections, signatures or objects")


def saved_model(made, kept):
    equal(len(made.meta_graphs), len(kept.meta_graphs), "number of graphs")
    return max(meta_graph(*pair) for pair in zip(made.meta_graphs, kept.meta_graphs))


def parsed(message, content, is_text):
    """The message in a file."""
    if is_text:
        return text_format.Parse(content, message)
    message.ParseFromString(content)
    return message


def checkpoint(made, kept):
    """Compares the tensors of checkpoints, which are given by their prefixes."""
    made, kept = (tf.train.load_checkpoint(str(prefix)) for prefix in (made, kept))
    shapes = [reader.get_variable_to_shape_map() for reader in (made, kept)]
    equal(*shapes, "other tensors")
    # The graph of objects is a message in a tensor.
    names = sorted(shapes[0].keys() - {"_CHECKPOINTABLE_OBJECT_GRAPH"})
    return max((tensors(*(np.asarray(reader.get_tensor(name)) for reader in (made, kept))) for name in names), default=0.0)


def contents(name, made, kept):
    """Compares the contents of two files of this name."""
    if made == kept:
        return 0.0
    suffix = name.rsplit(".", 1)[-1]
    if suffix == "gz":
        return contents(name.removesuffix(".gz"), gzip.decompress(made), gzip.decompress(kept))
    if suffix == "npy":
        return arrays(made, kept)
    if suffix == "json":
        return equal(json.loads(made), json.loads(kept), "JSON")
    if suffix == "zip":
        return archives(made, kept)
    if suffix in ("pb", "pbtxt", "meta"):
        if name.endswith("saved_model.pb"):
            compare, kind = saved_model, saved_model_pb2.SavedModel
        elif suffix == "meta" or name.endswith("model.pbtxt"):
            compare, kind = meta_graph, tf.MetaGraphDef
        else:
            compare, kind = graph, tf.GraphDef
        return compare(*(parsed(kind(), content, suffix == "pbtxt") for content in (made, kept)))
    raise Differs("bytes")


def archives(made, kept):
    made, kept = (zipfile.ZipFile(io.BytesIO(content)) for content in (made, kept))
    equal(set(made.namelist()), set(kept.namelist()), "other members")
    largest = 0.0
    for name in made.namelist():
        try:
            largest = max(largest, contents(name, made.read(name), kept.read(name)))
        except Differs as reason:
            raise Differs(f"{name}: {reason}") from None
    return largest


def files(made, kept):
    """Compares two files."""
    if not kept.exists():
        raise Differs("is not in the repository")
    if made.suffix == ".index" or made.suffix == ".ckpt":
        prefixes = (path.with_suffix("") if path.suffix == ".index" else path for path in (made, kept))
        return checkpoint(*prefixes)
    if DATA in made.name:
        return 0.0
    return contents(made.name, made.read_bytes(), kept.read_bytes())


def report(fixture, made, kept, tolerance):
    """Prints how the files in `made` differ from those in `kept`. Whether they hold the same: numbers may differ by `tolerance`,
    relative to the largest value of their array."""
    paths = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    identical = different = 0
    largest = 0.0
    for path in paths:
        ours, theirs = made / path, kept / path
        if theirs.exists() and ours.read_bytes() == theirs.read_bytes():
            identical += 1
            continue
        try:
            difference = files(ours, theirs)
            if not difference <= tolerance:
                raise Differs(f"differs by {difference:.1e} of the largest value")
            largest = max(largest, difference)
        except Differs as reason:
            different += 1
            print(f"{path}: {reason}")
    same = len(paths) - identical - different
    print(f"{fixture}: {len(paths)} files, {identical} identical, {same} with the same content, {different} differ; "
          f"numbers differ by at most {largest:.1e}")
    return not different and bool(paths)
