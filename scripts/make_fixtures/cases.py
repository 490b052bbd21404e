"""The format of tests/fixtures/*.zip: small graphs, each with inputs and with TensorFlow's results.

A case is a folder in the archive:

    case.json           the names of inputs and outputs, the tolerances, what to compare, and the operator set if it needs another
                        than 18
    graph.pb            the graph, without variables
    i0.npy, i1.npy, …   the inputs
    o0.npy, o1.npy, …   the results
"""

import io
import json
import zipfile

import numpy as np


def array_bytes(value):
    buffer = io.BytesIO()
    # Strings as bytes of one length, because objects are pickled.
    np.save(buffer, value.astype("S") if value.dtype == object else value)
    return buffer.getvalue()


def case(definition, inputs, outputs, feeds, results, rtol=1e-6, atol=1e-6, mtol=None, opset=None, **checks):
    """The files of a case, by name."""
    checks = {f"check_{what}": checks.get(f"check_{what}", True) for what in ("value", "shape", "dtype")}
    checks |= {"opset": opset} if opset else {}
    text = json.dumps({"inputs": inputs, "outputs": outputs, "rtol": rtol, "atol": atol, "mtol": mtol, **checks})
    files = {"case.json": text.encode(), "graph.pb": definition.SerializeToString(deterministic=True)}
    for kind, arrays in (("i", feeds), ("o", results)):
        files |= {f"{kind}{index}.npy": array_bytes(value) for index, value in enumerate(arrays)}
    return files


def write(path, cases):
    """Writes an archive of cases, which are pairs of a name and its files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, files in cases:
            for file, content in files.items():
                # ZipInfo has a fixed date, so that the same cases are the same archive.
                archive.writestr(zipfile.ZipInfo(f"{name}/{file}"), content, zipfile.ZIP_DEFLATED)


def of_feeds(name, build, rewrite=None, **tolerances):
    """A case for each feed that `build` returns, together with the input tensors and the output tensors of its graph.

    `rewrite` returns the graph of the cases for a session, the graph of this session and the names of the outputs.
    """
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default() as graph, tf.Session() as session:
        inputs, outputs, feeds = build()
        outputs = [tf.identity(output, name=f"output_{index}") for index, output in enumerate(outputs)]
        operations = [output.op.name for output in outputs]
        definition = tf.graph_util.extract_sub_graph(graph.as_graph_def(), operations)
        if rewrite:
            session.run(tf.global_variables_initializer())
            definition = rewrite(session, definition, operations)
        names = [[tensor.name for tensor in tensors] for tensors in (inputs, outputs)]
        for number, values in enumerate(feeds):
            values = [np.asarray(value, tensor.dtype.as_numpy_dtype) for value, tensor in zip(values, inputs)]
            results = session.run(outputs, dict(zip(inputs, values)))
            results = [np.asarray(result) for result in results]
            yield f"{name}.{number}", case(definition, *names, values, results, **tolerances)
