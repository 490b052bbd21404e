"""Asks TensorFlow about a changed graph that was converted: it refuses the graph too, or its results are those of ONNX Runtime."""
import json
import os
import pathlib
import resource
import select
import subprocess
import sys

# How long a graph may run, and how long the import of TensorFlow takes on a busy machine.
SECONDS, START_SECONDS = 30, 600
# The most bytes of results that are compared.
LARGEST = 1 << 28


class Oracle:
    """A process with TensorFlow and ONNX Runtime. Some graphs end it: another one is started for the next."""

    def __init__(self):
        self.process = None

    def start(self):
        command, pipe = [sys.executable, __file__], subprocess.PIPE
        self.process, self.said = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0), b""
        if not self.told(START_SECONDS):
            sys.exit("TensorFlow or ONNX Runtime cannot be imported")

    def told(self, seconds):
        """What the process says next; `None` if it ends or says nothing in this time."""
        while b"\n" not in self.said:
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            more = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                return None
            self.said += more
        line, _, self.said = self.said.partition(b"\n")
        return json.loads(line)

    def compare(self, work, case):
        """"agree", "refused by TensorFlow", "not defined by TensorFlow", "too large to compare", "not run" (a fault of ONNX Runtime that is known), or
        "DISAGREE", and a sentence."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        for index, data in enumerate(case["feeds"].values()):
            (work / f"i{index}.npy").write_bytes(data)
        job = {"work": str(work), "inputs": list(case["feeds"]), "outputs": case["outputs"], "rtol": case["rtol"], "atol": case["atol"]}
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        stage = "TensorFlow"
        while told := self.told(SECONDS):
            if "outcome" in told:
                return told["outcome"], told["message"]
            stage = told["stage"]
        what = f"gives no result in {SECONDS} s" if self.process.poll() is None else "crashes"
        self.process.kill()
        self.process.wait()
        return ("refused by TensorFlow" if stage == "TensorFlow" else "DISAGREE"), f"{stage} {what}"


def work():
    """The process: a job a line, an answer a line."""
    # Its parent limits the memory of what it starts, and TensorFlow reserves much that it does not use.
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fuzz_ops"))
    import numpy as np
    import tensorflow as tf

    import check

    def feeds_of(job, graph):
        """The feeds in the types of the placeholders, as Session.run takes them."""
        feeds = {}
        for index, name in enumerate(job["inputs"]):
            value = np.load(pathlib.Path(job["work"]) / f"i{index}.npy", allow_pickle=True)
            if value.dtype.kind == "S":
                value = value.astype(object)
            dtype = graph.get_tensor_by_name(name).dtype.as_numpy_dtype
            feeds[name] = value if value.dtype == object else value.astype(dtype)
        return feeds

    def tensorflow(job):
        definition = tf.compat.v1.GraphDef.FromString((pathlib.Path(job["work"]) / "in/graph.pb").read_bytes())
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
            feeds = feeds_of(job, graph)
            with tf.compat.v1.Session(graph=graph) as session:
                session.run([node for node in graph.get_operations() if node.type == "InitializeTableV2"])
                return feeds, [np.asarray(value) for value in session.run(job["outputs"], feeds)]

    def compare(job, want, got):
        for name, expected, actual in zip(job["outputs"], want, got):
            actual = np.asarray(actual)
            if expected.dtype.kind == "c":
                expected = np.stack([expected.real, expected.imag], -1)
            if expected.dtype == object or actual.dtype == object:
                expected, actual = (value.astype(str) for value in (np.char.decode(expected.astype(bytes)), actual))
            if expected.dtype != actual.dtype and "U" not in (expected.dtype.kind, actual.dtype.kind):
                return "DISAGREE", f"{name} is {actual.dtype}, TensorFlow's is {expected.dtype}"
            if expected.shape != actual.shape:
                return "DISAGREE", f"{name} has the shape {actual.shape}, TensorFlow's {expected.shape}"
            if expected.dtype.kind in "fV" and not close(job, expected, actual) or expected.dtype.kind not in "fV" and (expected != actual).any():
                return "DISAGREE", f"{name} is {check.brief(actual)}, TensorFlow computes {check.brief(expected)}"
        return "agree", ""

    def close(job, expected, actual):
        expected, actual = expected.astype(np.float64), actual.astype(np.float64)
        finite = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        return np.allclose(actual, expected, rtol=max(job["rtol"], 1e-4), atol=max(job["atol"], 1e-5 * finite), equal_nan=True)

    def has_any_order(job):
        """Whether TopK returns the largest elements in any order: see its attribute `sorted` in TensorFlow's documentation."""
        definition = tf.compat.v1.GraphDef.FromString((pathlib.Path(job["work"]) / "in/graph.pb").read_bytes())
        nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
        return any(node.op in ("TopK", "TopKV2") and "sorted" in node.attr and not node.attr["sorted"].b for node in nodes)

    def has_overflown(job, want, got):
        """Whether powers of integers are beyond their type, which ONNX Runtime computes in float64: see Pow in docs/ops.md. Then it
        has the least number of the type."""
        definition = tf.compat.v1.GraphDef.FromString((pathlib.Path(job["work"]) / "in/graph.pb").read_bytes())
        if not any(node.op == "Pow" and tf.as_dtype(node.attr["T"].type).is_integer for node in definition.node):
            return False
        pairs = [(expected, np.asarray(actual)) for expected, actual in zip(want, got)]
        return all(e.dtype.kind == "i" and e.shape == a.shape and (a[e != a] == np.iinfo(a.dtype).min).all() for e, a in pairs)

    def say(**told):
        print(json.dumps(told), flush=True)

    def answer(job):
        say(stage="TensorFlow")
        try:
            feeds, want = tensorflow(job)
        except Exception as error:
            return "refused by TensorFlow", str(error)[:300]
        if sum(value.nbytes for value in want) > LARGEST:
            # A number of a segment may be changed to any other: to compute as many takes longer than the time there is.
            return "too large to compare", "TensorFlow computes results of so many bytes"
        say(stage="ONNX Runtime")
        results = dict.fromkeys(job["outputs"])
        got = check.run(str(pathlib.Path(job["work"]) / "out/output.onnx"), feeds, results)
        outcome, message = check.compare(got, results) if isinstance(got, Exception) else compare(job, want, got)
        is_known = outcome == "DISAGREE" and (has_any_order(job) or not isinstance(got, Exception) and has_overflown(job, want, got))
        return ("not defined by TensorFlow", message) if is_known else (outcome, message)

    say(stage="ready")
    for line in sys.stdin:
        outcome, message = answer(json.loads(line))
        say(outcome=outcome, message=message)


if __name__ == "__main__":
    work()
