"""Makes ops.zip: graphs of the unit tests of tf2onnx, with the inputs of the tests and TensorFlow's results.

`source` is a checkout of https://github.com/onnx/tensorflow-onnx at v1.17.0, whose tests also need `parameterized` and
`timeout-decorator` of PyPI. The cases are a choice of what the tests run; they are named by the test and the number of the graph in it.
"""

import importlib
import json
import os
import pathlib
import sys
import unittest
import unittest.mock
import zipfile

from . import cases

ARCHIVE = pathlib.Path(__file__).resolve().parents[2] / "tests/fixtures/ops.zip"
# The tests of most ops need no prefix.
MAIN = "test_backend.BackendTests."


class Recorder:
    """Takes the place of tf2onnx's run_test_case, and keeps what it would convert."""

    def __init__(self, wanted):
        self.wanted, self.cases, self.graph = wanted, {}, None

    def keep_graph(self, _inputs, _outputs, definition, *_):
        """Takes the place of tf_optimize: the cases have the frozen graph as it is before Grappler."""
        self.graph = definition
        return definition

    def run(self, test, func, feeds, _inputs, outputs, rtol=1e-7, atol=1e-5, mtol=None, as_session=False, premade_placeholders=False, **more):
        number = test.__dict__.setdefault("recorded", 0)
        test.recorded += 1
        name = f"{case_name(test)}.{number}"
        if name not in self.wanted:
            return
        results, definition, _ = test.freeze_and_run_tf(func, feeds, outputs, as_session, premade_placeholders, False)
        checks = {key: more[key] for key in ("check_value", "check_shape", "check_dtype") if key in more}
        files = cases.case(self.graph or definition, list(feeds), outputs, feeds.values(), results, rtol, atol, mtol, **checks)
        options = more.get("process_args") or {}
        if options.get("use_default"):
            case = json.loads(files["case.json"])
            files["case.json"] = json.dumps({**case, "use_default": options["use_default"]}).encode()
        self.cases[name] = files


def case_name(test):
    method = test._testMethodName.removeprefix("test_")
    module, name = type(test).__module__, type(test).__name__
    prefix = f"{module}.{name}."
    return method if prefix == MAIN else f"{module}.{name.removesuffix('Tests')}.{method}"


def make(folder, source):
    with zipfile.ZipFile(ARCHIVE) as archive:
        wanted = {name.split("/")[0] for name in archive.namelist()}
    recorder = Recorder(wanted)
    sys.path.insert(0, str(source / "tests"))
    # Tests of later operator sets are skipped, and the tests read the command line.
    os.environ["TF2ONNX_TEST_OPSET"] = "18"
    sys.argv[1:] = []
    # What tests look at in the model that they do not get.
    common = importlib.import_module("common")
    common.group_nodes_by_type = common.check_node_domain = unittest.mock.MagicMock()
    base = importlib.import_module("backend_test_base")
    loader = importlib.import_module("tf2onnx.tf_loader")
    base.tf_optimize = loader.tf_optimize = recorder.keep_graph
    base.Tf2OnnxBackendTestBase.run_test_case = lambda test, *args, **options: recorder.run(test, *args, **options)
    modules = ["test_backend", *sorted({name.split(".")[0] for name in wanted if name.startswith("test_")})]
    suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
    # A test that looks at its model fails after its graph has been recorded.
    suite.run(unittest.TestResult())
    for name in sorted(wanted - recorder.cases.keys()):
        print(f"{name}: no test of this name")
    cases.write(folder / "ops.zip", sorted(recorder.cases.items()))
