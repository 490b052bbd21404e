"""The files that are changed: small models of every format, from the fixtures of the tests."""
import gzip
import io
import json
import pathlib
import subprocess
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "tests/fixtures"
GRAPHS = FIXTURES / "graphs"
# What the file `case.json` of these has are names of tensors of a graph, and TensorFlow's results.
OP_CASES = ["control_flow", "edges", "found", "loops", "ops", "patterns", "runtime_arguments", "special", "types"]


class Seed:
    """Files by their paths, the path that commands are given, and the commands: lists of words with IN and OUT.

    `guarded` are the files whose checksums have to notice a change of what is read, and `messages` the kinds of those that
    are messages: see messages.py."""

    def __init__(self, format, name, files, input, commands, guarded=(), messages=(), case=None):
        self.format, self.name, self.files, self.input, self.commands = format, name, files, input, commands
        self.guarded, self.messages, self.case = set(guarded), dict(messages), case


def read(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def only(files, *begins):
    return {name: data for name, data in files.items() if name.startswith(begins)}


def tar(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    # Two blocks of zeros are the end. Python fills up ten kilobytes.
    blocks = sum(1 + -(-len(data) // 512) for data in files.values())
    return stream.getvalue()[: 512 * (blocks + 2)]


def zipped(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


CONVERT = ["convert", "IN", "OUT.onnx"]
EXTRACT = ["extract", "IN", "OUT.npz"]
INSPECT = ["inspect", "IN"]
READ = [EXTRACT, EXTRACT, ["extract", "IN", "OUT.safetensors"], INSPECT, ["inspect", "IN", "--json"]]
BUILD = [CONVERT, CONVERT, CONVERT + ["--float16"], INSPECT, ["graph", "IN", "OUT.pb", "--frozen"], ["graph", "IN", "OUT.pbtxt"]]


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
        yield Seed("meta", name, files, "model.ckpt", BUILD, weights, {"model.ckpt.meta": "meta"})
        if name == "containers":
            yield Seed("v2", name, only(files, *weights), "model.ckpt", READ, weights)
            for format, archive, data in (
                ("tar.gz", "model.tar.gz", gzip.compress(tar(files), mtime=0)),
                ("tar", "model.tar", tar(files)),
                ("zip", "model.zip", zipped(files)),
            ):
                yield Seed(format, name, {archive: data}, archive, BUILD + READ, [archive] if format != "tar" else [])
    for folder in (GRAPHS / "containers/saved_model", GRAPHS / "containers/hub_module", GRAPHS / "keras/saved_model", GRAPHS / "keras/spelled_softmax"):
        files = read(folder)
        weights = [file for file in files if file.startswith("variables/")]
        name = "/".join(folder.parts[-2:])
        in_model = {f"model/{file}": data for file, data in files.items()}
        messages = {"model/saved_model.pb": "saved_model"}
        yield Seed("saved_model", name, in_model, "model", BUILD, [f"model/{file}" for file in weights], messages)


def graphs():
    for file in ("containers/frozen.pb", "inputs/retrained.pb", "batch_statistics/frozen.pb", "inputs/behind_a_loop.pb"):
        yield Seed("frozen", file, {"graph.pb": (GRAPHS / file).read_bytes()}, "graph.pb", BUILD + READ, (), {"graph.pb": "graph"})
    text = (GRAPHS / "containers/frozen.pbtxt").read_bytes()
    yield Seed("pbtxt", "frozen", {"graph.pbtxt": text}, "graph.pbtxt", BUILD, (), {"graph.pbtxt": "graph"})
    frozen = gzip.compress((GRAPHS / "containers/frozen.pb").read_bytes(), mtime=0)
    yield Seed("gz", "frozen", {"graph.pb.gz": frozen}, "graph.pb.gz", BUILD, ["graph.pb.gz"])
    for folder in sorted((FIXTURES / "tfjs").iterdir()):
        files = {f"model/{name}": data for name, data in read(folder).items() if not name.endswith(".npy")}
        messages = {name: "graph" for name in files if name.endswith(".pb")}
        yield Seed("tfjs", folder.name, files, "model", [CONVERT, CONVERT, INSPECT], (), messages)


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
                yield Seed("ops", f"{archive_name}/{name}", {"graph.pb": graph}, "graph.pb", [command], (), {"graph.pb": "graph"}, case)


def made(binary, folder):
    """Files that the program itself makes: an ONNX model, and arrays."""
    model, arrays = folder / "model.onnx", folder / "arrays.npz"
    subprocess.run([binary, "convert", "-q", GRAPHS / "containers/frozen.pb", model], check=True)
    subprocess.run([binary, "extract", "-q", GRAPHS / "containers/model.ckpt", arrays], check=True)
    verify = ["verify", "IN", "--against", "IN"]
    inputs = {"model.onnx": model.read_bytes(), "input.npy": (GRAPHS / "containers/input.npy").read_bytes()}
    expected = {**inputs, "expected.npy": (GRAPHS / "containers/logits.npy").read_bytes()}
    yield Seed("onnx", "frozen", {"model.onnx": inputs["model.onnx"]}, "model.onnx", [verify, INSPECT, EXTRACT])
    yield Seed("npz", "arrays", {"arrays.npz": arrays.read_bytes()}, "arrays.npz", READ, ["arrays.npz"])
    comparison = ["verify", "IN", "--inputs", "HERE/input.npy", "--expected", "HERE/expected.npy"]
    yield Seed("npy", "input", expected, "model.onnx", [comparison])


def described():
    for name in ("plain_cnn", "residual_net", "blocks", "combined", "every_layer"):
        for file in (FIXTURES / "networks" / name).glob("*.toml"):
            yield Seed("toml", name, {file.name: file.read_bytes()}, file.name, [["networks", "IN"], ["networks", "IN", "--json"]])
    with zipfile.ZipFile(FIXTURES / "detectors/cases.zip") as archive:
        weights = only(read(FIXTURES / "checkpoints/partitioned_v2"), "model.ckpt")
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
