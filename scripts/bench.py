"""Measures conversions and other programs in one run, and prints the ratio of each time to that of copying the same file.

The time of a copy is that of the fastest of `cp` and of two loops that read and write large blocks, with one thread and with two.

usage: scripts/bench.sh [--rounds N] [--floor] [--peers] [--growth]
The networks are those of tests/fixtures/zoo. Files are in the page cache. The runs of the programs alternate, and the time of a program is
its median, so that noise of the machine affects all of them. Prints the tables of docs/performance.md.
"""

import argparse
import concurrent.futures
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow.compat.v1 as tf

import fill

ROOT = pathlib.Path(__file__).resolve().parent.parent
ZOO = ROOT / "tests/fixtures/zoo"
BINARY = ROOT / "target/release/tf2onnx-rs"
FLOOR = ["mobilenet_v1_025", "mobilenet_v2", "resnet_v1_50", "inception_v3", "nasnet_large", "vgg_16"]
PEERS = ["mobilenet_v2", "resnet_v1_50", "inception_v3"]
COPIES = ("cp", "one thread", "two threads")
BLOCK_BYTES = 8 << 20
# Arguments of slim's functions that variables tell.
SHOWN = ["depth_multiplier", "min_depth", "create_aux_logits", "finegrain_classification_mode"]
tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()


class Network:
    """A network with its checkpoint in both formats, its graph, and its frozen graph."""

    def __init__(self, name, folder, with_graphs=True):
        self.name, self.folder = name, folder / name
        self.folder.mkdir()
        self.case = json.loads(gzip.open(ZOO / name / "case.json.gz").read())
        values = {v[0]: fill.variable(v[0], v[1], v[3]) for v in self.case["variables"] if v[2] == "float32"}
        self.v2, self.v1, self.graph, self.frozen = (self.folder / file for file in ("model.ckpt", "v1.ckpt", "graph.pb", "frozen.pb"))
        names = sorted(values)
        with tf.Graph().as_default(), tf.Session() as session:
            tensors = [tf.placeholder(tf.float32, values[name].shape) for name in names]
            feed = dict(zip(tensors, (values[name] for name in names)))
            session.run(tf.raw_ops.SaveV2(prefix=str(self.v2), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors), feed)
            session.run(tf.raw_ops.Save(filename=str(self.v1), tensor_names=names, data=tensors), feed)
        self.data = pathlib.Path(f"{self.v2}.data-00000-of-00001")
        self.graph.write_bytes(gzip.open(ZOO / name / "graph.pb.gz").read())
        if with_graphs:
            self.freeze(values)

    def freeze(self, values):
        frozen = tf.GraphDef.FromString(self.graph.read_bytes())
        for node in frozen.node:
            if node.op in ("VariableV2", "VarHandleOp") and node.name in values:
                node.op = "Const"
                node.ClearField("attr")
                node.attr["dtype"].type = tf.float32.as_datatype_enum
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
        self.frozen.write_bytes(frozen.SerializeToString())


def measured(programs, rounds, folder):
    """The median time of each program in seconds; they take turns. Its command or function, by name; what they write is removed."""
    seconds = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name, command in programs.items():
            # Nobody waits for what another has left to be written to the disk.
            os.sync()
            started = time.perf_counter()
            if callable(command):
                command()
            else:
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
            for file in folder.iterdir():
                file.unlink()
    # The first round warms the page cache.
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def peak_memory(command):
    """The most private memory and the most memory in all, in MB."""
    private = resident = 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
        except OSError:
            break
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        private = max(private, int(fields.get("RssAnon", "0 kB").split()[0]))
        resident = max(resident, int(fields.get("VmHWM", "0 kB").split()[0]))
        time.sleep(0.0005)
    return private / 1000, resident / 1000


def copy(source, target, threads):
    """Copies a file in large blocks, which the threads share."""
    read, write = os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    size = os.fstat(read).st_size

    def part(thread):
        buffer = bytearray(BLOCK_BYTES)
        for offset in range(thread * BLOCK_BYTES, size, threads * BLOCK_BYTES):
            count = os.preadv(read, [buffer], offset)
            assert os.pwrite(write, memoryview(buffer)[:count], offset) == count == min(BLOCK_BYTES, size - offset)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, range(threads)))
    os.close(read)
    os.close(write)


def copies(source, target):
    """The ways to copy a file into a folder, by name."""
    loops = {name: lambda threads=threads: copy(source, target / "copy", threads) for threads, name in enumerate(COPIES[1:], 1)}
    return {"cp": ["cp", source, target], **loops}


def ours(source, target, *options):
    return [BINARY, "convert", "-q", source, target / "model.onnx", *options]


def floor(folder, target, rounds):
    print("| network | checkpoint | fastest copy | V2 | V1 | with graph | one core | over the start | private memory |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in FLOOR:
        network = Network(name, folder, with_graphs=False)
        outputs = ("--graph", network.graph, "--outputs", network.case["output"])
        times = measured({
            **copies(network.data, target),
            "start": [BINARY, "--version"],
            "V2": ours(network.v2, target),
            "V1": ours(network.v1, target),
            "graph": ours(network.v2, target, *outputs),
            "one core": ["taskset", "--cpu-list", "0", *ours(network.v2, target)],
        }, rounds, target)
        fastest = min(COPIES, key=times.get)
        private, _ = peak_memory(ours(network.v2, target))
        columns = [f"{times[key] * 1000:.0f} ms ({times[key] / times[fastest]:.2f})" for key in ("V2", "V1", "graph", "one core")]
        over = (max(times["V2"], times["V1"]) - times["start"]) * 1000
        size = network.data.stat().st_size / 1e6
        print(f"| {name} | {size:.1f} MB | {times[fastest] * 1000:.0f} ms ({fastest}) | {' | '.join(columns)} | {over:.1f} ms | {private:.1f} MB |", flush=True)


def peers(folder, target, rounds):
    python = sys.executable
    print("\n| network | program | time | ratio to `cp` | memory |\n|---|---|---|---|---|")
    for name in PEERS:
        network = Network(name, folder)
        tensors = [network.case["input"]["name"], network.case["output"]]
        openvino = (
            "import sys, openvino as ov; "
            "ov.save_model(ov.convert_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)"
        )
        programs = {
            "cp": ["cp", network.data, target],
            "tf2onnx-rs": ours(network.v2, target),
            "tf2onnx": [python, "-m", "tf2onnx.convert", "--graphdef", network.frozen, "--inputs", tensors[0],
                        "--outputs", tensors[1], "--output", target / "model.onnx"],
            "OpenVINO": [python, "-c", openvino, network.frozen, target / "model.xml"],
        }
        times = measured(programs, rounds, target)
        for program, command in programs.items():
            _, resident = peak_memory(command)
            ratio = times[program] / times["cp"]
            print(f"| {name} | {program} | {times[program] * 1000:.0f} ms | {ratio:.1f} | {resident:.0f} MB |", flush=True)


def growth(folder, target, rounds):
    """Time against size over the networks, and against the number of nodes of synthetic graphs."""
    print("\n| network | checkpoint | nodes built | time | per MB |\n|---|---|---|---|---|")
    for path in sorted(ZOO.iterdir()):
        network = Network(path.name, folder, with_graphs=False)
        size = [f"--image-size={'x'.join(map(str, network.case['input']['shape'][-3:-1]))}"]
        size += [f"--network-option={key}={value}" for key, value in network.case.get("kwargs", {}).items() if key not in SHOWN]
        seconds = measured({"ours": ours(network.v2, target, *size)}, rounds, target)["ours"]
        megabytes = network.data.stat().st_size / 1e6
        nodes = len(tf.GraphDef.FromString(network.graph.read_bytes()).node)
        print(f"| {path.name} | {megabytes:.1f} MB | {nodes} | {seconds * 1000:.1f} ms | {seconds * 1000 / megabytes:.2f} ms |", flush=True)
        for file in network.folder.iterdir():
            file.unlink()
    print("\n| nodes | time | per node |\n|---|---|---|")
    for count in (100, 1000, 10_000, 100_000):
        with tf.Graph().as_default() as graph:
            net = tf.placeholder(tf.float32, [None, 8], name="input")
            definition = graph.as_graph_def()
            for index in range(count):
                node = definition.node.add(name=f"block_{index // 10}/relu_{index}", op="Relu" if index % 2 else "Neg")
                node.input.append(definition.node[-2].name)
                node.attr["T"].type = tf.float32.as_datatype_enum
            del net
        source = folder / f"{count}.pb"
        source.write_bytes(definition.SerializeToString())
        seconds = measured({"ours": ours(source, target)}, rounds, target)["ours"]
        print(f"| {count} | {seconds * 1000:.1f} ms | {seconds * 1e6 / count:.1f} µs |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--floor", action="store_true", help="only the comparison with cp")
    parser.add_argument("--peers", action="store_true", help="only the comparison with other converters")
    parser.add_argument("--growth", action="store_true", help="only the growth with size and nodes")
    arguments = parser.parse_args()
    chosen = [name for name in ("floor", "peers", "growth") if getattr(arguments, name)]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        target = work / "target"
        target.mkdir()
        for name, table in (("floor", floor), ("peers", peers), ("growth", growth)):
            if not chosen or name in chosen:
                folder = work / name
                folder.mkdir()
                table(folder, target, arguments.rounds if name != "peers" else min(arguments.rounds, 3))


if __name__ == "__main__":
    main()
