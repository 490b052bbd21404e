"""Makes simulated_quantization/: networks of TF-Slim that `tf.contrib.quantize.create_eval_graph` of TensorFlow 1.15 has changed.

Their graphs are those of tests/fixtures/zoo, from newer attributes to older ones. TensorFlow 1.15 needs Python 3.7:

    python3.7 -m venv tf1
    tf1/bin/pip install tensorflow==1.15.5 "numpy<1.19" "protobuf<3.21" "h5py<3"
    tf1/bin/python scripts/make_fixtures/simulated_quantization.py [NETWORK...]

`ranges.json.gz` has, for each network, the scopes of the variables that were added, and the nodes whose outputs they are the ranges of.
It is written if no networks are named. For the networks of RUN, the graph is stored, and what TensorFlow computes with weights of
`fill.py` and with ranges that were measured one after the other.
"""

import gzip
import json
import os
import pathlib
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import fill

ZOO, INTO = ROOT / "tests/fixtures/zoo", ROOT / "tests/fixtures/simulated_quantization"
RUN = ["mobilenet_v1_025", "mobilenet_v2_half"]
v1 = tf.compat.v1
v1.logging.set_verbosity(v1.logging.ERROR)


def unpacked(path):
    with gzip.open(str(path)) as file:
        return file.read()


def imported(name):
    """The graph of a network, without the attributes that TensorFlow 1.15 does not have."""
    definition = v1.GraphDef()
    definition.ParseFromString(unpacked(ZOO / name / "graph.pb.gz"))
    ops = op_def_registry.get_registered_ops()
    for node in definition.node:
        known = {attribute.name for attribute in ops[node.op].attr}
        for key in [key for key in node.attr if key not in known and not key.startswith("_")]:
            del node.attr[key]
    definition.versions.Clear()
    definition.versions.producer = 134
    tf.import_graph_def(definition, name="")


def fake_quants(graph):
    return [op for op in graph.get_operations() if op.type == "FakeQuantWithMinMaxVars"]


def in_order(op, seen, order):
    """The nodes that an op needs, each after those that it reads."""
    if op not in seen:
        seen.add(op)
        for tensor in op.inputs:
            in_order(tensor.op, seen, order)
        order.append(op)


def run(name, graph, folder):
    """What the network computes, with ranges that are those of its tensors."""
    case = json.loads(unpacked(ZOO / name / "case.json.gz"))
    values = {variable[0]: fill.variable(variable[0], variable[1], variable[3]) for variable in case["variables"]}
    shape = [case["input"]["batch"] if length is None else length for length in case["input"]["shape"]]
    feed = {case["input"]["name"]: (2 * fill.uniform("input", shape) - 1).astype(np.float32)}
    output = graph.get_tensor_by_name(case["output"])
    order, ranges = [], {}
    in_order(output.op, set(), order)
    with v1.Session(graph=graph) as session, graph.as_default():
        assigned = {op.name: op.outputs[0] for op in order if op.type == "VariableV2"}

        for variable in assigned:
            holder = v1.placeholder(tf.float32, assigned[variable].shape, name=variable + "/placeholder")
            tf.raw_ops.Assign(ref=assigned[variable], value=holder, name=variable + "/given")
            session.run(variable + "/given:0", {holder: values.get(variable, np.float32(0))})
        for op in (op for op in order if op.type == "FakeQuantWithMinMaxVars"):
            scope = op.inputs[1].op.name.rsplit("/", 2)[0]
            tensor = session.run(op.inputs[0], feed)
            ranges[scope] = [min(0.0, float(tensor.min())), max(0.0, float(tensor.max()))]
            for end, value in zip(("min", "max"), ranges[scope]):
                session.run(f"{scope}/{end}/given:0", {f"{scope}/{end}/placeholder:0": value})
        logits = session.run(output, feed)
    folder.mkdir(exist_ok=True)
    with gzip.GzipFile(str(folder / "ranges.json.gz"), "wb", mtime=0) as file:
        file.write(json.dumps(ranges, indent=0, sort_keys=True).encode())
    definition = v1.graph_util.extract_sub_graph(graph.as_graph_def(), [output.op.name])
    with gzip.GzipFile(str(folder / "graph.pb.gz"), "wb", mtime=0) as file:
        file.write(definition.SerializeToString())
    np.save(str(folder / "logits.npy"), logits)


def main(names):
    INTO.mkdir(exist_ok=True)
    found = {}
    for name in names or sorted(path.name for path in ZOO.iterdir() if path.is_dir()):
        graph = tf.Graph()
        with graph.as_default():
            try:
                imported(name)
                tf.contrib.quantize.create_eval_graph(graph)
            except Exception as error:
                print(name, "-", str(error)[:150])
                continue
        found[name] = {op.inputs[1].op.name.rsplit("/", 2)[0]: op.inputs[0].op.name for op in fake_quants(graph)}
        if name in RUN:
            run(name, graph, INTO / name)
        print(name, len(found[name]), flush=True)
    if not names:
        with gzip.GzipFile(str(INTO / "ranges.json.gz"), "wb", mtime=0) as file:
            file.write(json.dumps(found, indent=0, sort_keys=True).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
