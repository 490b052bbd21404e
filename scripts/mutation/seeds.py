"""The files that are changed: small models of every format, from the fixtures of the tests."""
import gzip
import json
import pathlib
import subprocess
import zipfile

from google.protobuf import text_format

from . import archives
from .messages import MESSAGES

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "tests/fixtures"
GRAPHS = FIXTURES / "graphs"
# What the file `case.json` of these has are names of tensors of a graph, and TensorFlow's results.
OP_CASES = ["control_flow", "edges", "found", "loops", "ops", "patterns", "runtime_arguments", "special", "types"]


class Seed:
    """Files by their paths, the path that commands are given, and the commands: lists of words with IN and OUT.

    `guarded` are the files whose checksums have to notice a change of what is read."""

    def __init__(self, format, name, files, input, commands, guarded=(), case=None):
        self.format, self.name, self.files, self.input, self.commands = format, name, files, input, commands
        self.guarded, self.case = set(guarded), case


def read(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def only(files, *begins):
    return {name: data for name, data in files.items() if name.startswith(begins)}


CONVERT = ["convert", "IN", "OUT.onnx"]
EXTRACT = ["extract", "IN", "OUT.npz"]
INSPECT = ["inspect", "IN"]
READ = [EXTRACT, EXTRACT + ["--layout", "onnx"], ["extract", "IN", "OUT.safetensors"], INSPECT, ["inspect", "IN", "--json"]]
OPTIONS = ["--float16", "--verify", "--keep-going", "--fold-batch-norm"]
BUILD = [CONVERT, CONVERT, *(CONVERT + [option] for option in OPTIONS), INSPECT]
BUILD += [["graph", "IN", "OUT.pb", "--frozen"], ["graph", "IN", "OUT.pbtxt"], ["graph", "IN", "OUT.meta"]]


def checkpoints():
    for folder in sorted((FIXTURES / "checkpoints").iterdir()):
        files = {name: data for name, data in read(folder).items() if name != "tensors.json"}
        format = folder.name[-2:]
        models = [name for name in files if name != "checkpoint"]
        prefix = models[0].removesuffix(".index").split(".data-")[0]
        yield Seed(format, folder.name, only(files, prefix), prefix, READ, models)
        yield Seed("state", folder.name, files, "checkpoint", READ)
    network = ROOT / "examples/inception_v3_tiny/inception_v3_tiny.ckpt"
    yield Seed("v1", "inception_v3_tiny", {network.name: network.read_bytes()}, network.name, [CONVERT, EXTRACT, INSPECT], [network.name])


def graphs_with_weights():
    for name in ("containers", "cudnn_gru", "cudnn_lstm", "partitioned"):
        files = only(read(GRAPHS / name), "model.ckpt")
        weights = [file for file in files if not file.endswith(".meta")]
        yield Seed("meta", name, files, "model.ckpt", BUILD, weights)
        if name == "containers":
            yield Seed("v2", name, only(files, *weights), "model.ckpt", READ, weights)
            objects = read(GRAPHS / "keras/checkpoint")
            yield Seed("v2", "objects", objects, "model.ckpt", READ, objects)
            for format, archive, data in (
                ("tar.gz", "model.tar.gz", gzip.compress(archives.tar(files.items()), mtime=0)),
                ("tar", "model.tar", archives.tar(files.items())),
                ("zip", "model.zip", archives.zipped(files.items())),
            ):
                yield Seed(format, name, {archive: data}, archive, BUILD + READ, [archive] if format != "tar" else [])
    for folder in (GRAPHS / "containers/saved_model", GRAPHS / "containers/hub_module", GRAPHS / "keras/saved_model", GRAPHS / "keras/spelled_softmax"):
        files = read(folder)
        weights = [file for file in files if file.startswith("variables/")]
        name = "/".join(folder.parts[-2:])
        in_model = {f"model/{file}": data for file, data in files.items()}
        yield Seed("saved_model", name, in_model, "model", BUILD, [f"model/{file}" for file in weights])


    saved = MESSAGES["saved_model"].FromString((GRAPHS / "containers/saved_model/saved_model.pb").read_bytes())
    files = {f"model/{name}": data for name, data in read(GRAPHS / "containers/saved_model").items() if name != "saved_model.pb"}
    files["model/saved_model.pbtxt"] = text_format.MessageToString(saved).encode()
    yield Seed("saved_model", "text", files, "model", BUILD, [file for file in files if "/variables/" in file])


def graphs():
    for file in ("containers/frozen.pb", "inputs/retrained.pb", "batch_statistics/frozen.pb", "inputs/behind_a_loop.pb"):
        yield Seed("frozen", file, {"graph.pb": (GRAPHS / file).read_bytes()}, "graph.pb", BUILD + READ)
    text = (GRAPHS / "containers/frozen.pbtxt").read_bytes()
    yield Seed("pbtxt", "frozen", {"graph.pbtxt": text}, "graph.pbtxt", BUILD)
    frozen = gzip.compress((GRAPHS / "containers/frozen.pb").read_bytes(), mtime=0)
    yield Seed("gz", "frozen", {"graph.pb.gz": frozen}, "graph.pb.gz", BUILD, ["graph.pb.gz"])
    for folder in sorted((FIXTURES / "tfjs").iterdir()):
        files = {f"model/{name}": data for name, data in read(folder).items() if not name.endswith(".npy")}
        yield Seed("tfjs", folder.name, files, "model", [CONVERT, CONVERT, INSPECT])


def op_cases():
    """Graphs of few nodes, with inputs and TensorFlow's results."""
    for archive_name in OP_CASES:
        with zipfile.ZipFile(FIXTURES / f"{archive_name}.zip") as archive:
            for name in sorted({file.split("/")[0] for file in archive.namelist()}):
                case = json.loads(archive.read(f"{name}/case.json"))
                graph = archive.read(f"{name}/graph.pb")
                if len(graph) > 20_000 or not case["check_value"] or case.get("inputs_as_nchw") or case.get("use_default"):
                    continue
                case["feeds"] = {tensor: archive.read(f"{name}/i{index}.npy") for index, tensor in enumerate(case["inputs"])}
                command = CONVERT + ["--opset", str(max(18, case.get("opset", 18))), "--outputs", ",".join(case["outputs"])]
                command += ["--inputs", ",".join(case["inputs"])] if case["inputs"] else []
                yield Seed("ops", f"{archive_name}/{name}", {"graph.pb": graph}, "graph.pb", [command, command, command + ["--verify"]], case=case)


def made(binary, folder):
    """Files that the program itself makes: an ONNX model, and arrays."""
    model, arrays = folder / "model.onnx", folder / "arrays.npz"
    subprocess.run([binary, "convert", "-q", GRAPHS / "containers/frozen.pb", model], check=True)
    subprocess.run([binary, "extract", "-q", GRAPHS / "containers/model.ckpt", arrays], check=True)
    subprocess.run([binary, "convert", "-q", "--external-data", GRAPHS / "containers/frozen.pb", folder / "external.onnx"], check=True)
    external = {path.name: path.read_bytes() for path in folder.glob("external.onnx*")}
    verify = ["verify", "IN", "--against", "IN"]
    inputs = {"model.onnx": model.read_bytes(), "input.npy": (GRAPHS / "containers/input.npy").read_bytes()}
    expected = {**inputs, "expected.npy": (GRAPHS / "containers/logits.npy").read_bytes()}
    yield Seed("onnx", "frozen", {"model.onnx": inputs["model.onnx"]}, "model.onnx", [verify, INSPECT, EXTRACT])
    yield Seed("onnx", "external", external, "external.onnx", [verify, INSPECT, EXTRACT])
    yield Seed("npz", "arrays", {"arrays.npz": arrays.read_bytes()}, "arrays.npz", READ, ["arrays.npz"])
    comparison = ["verify", "IN", "--inputs", "HERE/input.npy", "--expected", "HERE/expected.npy"]
    yield Seed("npy", "input", expected, "model.onnx", [comparison])
    feeds = {"model.onnx": inputs["model.onnx"], "feeds.npz": archives.zipped([("input.npy", inputs["input.npy"])])}
    yield Seed("npz", "feeds", feeds, "model.onnx", [["verify", "IN", "--inputs", "HERE/feeds.npz", "--against", "IN"]])


def described():
    weights = only(read(FIXTURES / "checkpoints/partitioned_v2"), "model.ckpt")
    for file in sorted((ROOT / "examples/networks").glob("*.toml")):
        files = {**weights, "network.toml": file.read_bytes()}
        commands = [["networks", "HERE/network.toml"], ["networks", "HERE/network.toml", "--json"]]
        commands += [command + ["--network", "HERE/network.toml"] for command in (CONVERT, INSPECT)]
        yield Seed("toml", file.stem, files, "model.ckpt", commands)
    with zipfile.ZipFile(FIXTURES / "detectors/cases.zip") as archive:
        for name in sorted(file for file in archive.namelist() if file.endswith("pipeline.config"))[:6]:
            files = {**weights, "pipeline.config": archive.read(name)}
            command = CONVERT + ["--network", "faster_rcnn" if b"faster_rcnn" in files["pipeline.config"] else "ssd"]
            yield Seed("config", name, files, "model.ckpt", [command, INSPECT])


def all_seeds(binary, folder):
    """The seeds of each format."""
    formats = {}
    for seeds in (checkpoints(), graphs_with_weights(), graphs(), op_cases(), made(binary, folder), described()):
        for seed in seeds:
            formats.setdefault(seed.format, []).append(seed)
    return formats
