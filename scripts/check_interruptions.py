#!/usr/bin/env python3
"""Kills conversions, and changes files while they are read.

usage: check_interruptions.py --bin PATH_TO_tf2onnx-rs [--count N] [--seed N]
TensorFlow writes a network of 100 MB in six forms: checkpoints of both formats, a frozen graph, a SavedModel, and archives of it. N
conversions (200) that replace an older model are killed, and N times each the largest file of the input is cut, overwritten in part,
or replaced by another file, at a random moment before the command ends. Then the target must be the older model, or that of the input
before or after the change; a command that was not killed ends with 0, or with 1 and one sentence; and after the next command in
the folders no temporary files are left. Exits with 1 otherwise. Needs the environment of scripts/environment.sh and 1 GB of disk.
"""

import argparse
import itertools
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow.compat.v1 as tf

ROOT = pathlib.Path(__file__).resolve().parent.parent
SMALL = ROOT / "examples/inception_v3_tiny/inception_v3_tiny.ckpt"
LAYERS, SIDE = 24, 1024
OLDER = b"an older model"
# What the command is given, and the file that is changed.
FORMS = {
    "V1": ("v1.ckpt.meta", "v1.ckpt"),
    "V2": ("v2.ckpt.meta", "v2.ckpt.data-00000-of-00001"),
    "frozen": ("frozen.pb", "frozen.pb"),
    "SavedModel": ("saved_model", "saved_model/variables/variables.data-00000-of-00001"),
    "tar": ("saved_model.tar", "saved_model.tar"),
    "tar.gz": ("saved_model.tar.gz", "saved_model.tar.gz"),
}


def save(folder):
    """Writes the network in all forms, each into a folder of its own."""
    inside = {form: folder / form for form in FORMS}
    for path in inside.values():
        path.mkdir()
    numbers = np.random.RandomState(0)
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        images = net = tf.placeholder(tf.float32, [None, SIDE], name="input")
        variables = [tf.Variable(tf.zeros([SIDE, SIDE]), name=f"dense_{index}/weights", use_resource=False) for index in range(LAYERS)]
        for variable in variables:
            net = tf.matmul(net, variable)
        output = tf.identity(net, name="output")
        for variable in variables:
            variable.load(numbers.normal(0, 1 / 32, (SIDE, SIDE)).astype(np.float32), session)
        tf.train.Saver(write_version=tf.train.SaverDef.V1).save(session, str(inside["V1"] / "v1.ckpt"))
        tf.train.Saver().save(session, str(inside["V2"] / "v2.ckpt"))
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["output"])
        (inside["frozen"] / "frozen.pb").write_bytes(frozen.SerializeToString())
        model = inside["SavedModel"] / "saved_model"
        tf.saved_model.simple_save(session, str(model), {"input": images}, {"output": output})
    for form, mode in (("tar", "w"), ("tar.gz", "w:gz")):
        with tarfile.open(inside[form] / f"saved_model.{form}", mode, **({"compresslevel": 1} if form == "tar.gz" else {})) as archive:
            archive.add(model, "saved_model")
    return inside


class Run:
    """A conversion with folders of its own for the input, the output and temporary files."""

    def __init__(self, binary, form, original, folder):
        self.binary, self.form, self.folder = binary, form, folder
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("outputs", "temporary"):
            (folder / name).mkdir(parents=True)
        shutil.copytree(original, folder / "inputs")
        self.input, self.changed = (folder / "inputs" / name for name in FORMS[form])
        self.target = folder / "outputs/model.onnx"
        self.target.write_bytes(OLDER)

    def start(self, input=None, target=None):
        command = [self.binary, "convert", "--quiet", input or self.input, target or self.target]
        command += [] if input or self.form in ("SavedModel", "tar", "tar.gz") else ["--outputs", "output:0"]
        environment = {**os.environ, "TMPDIR": str(self.folder / "temporary")}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def model(self):
        """The model of the input as it is now, or None where it is refused."""
        target = self.folder / "model.onnx"
        done = self.start(target=target)
        done.communicate()
        return target.read_bytes() if done.returncode == 0 else None

    def leftovers(self):
        """What stays in the folders after another command has used them."""
        other = self.folder / "outputs/other.onnx"
        assert self.start(SMALL, other).wait() == 0
        other.unlink()
        return sorted(str(path) for name in ("outputs", "temporary") for path in (self.folder / name).iterdir() if path != self.target)


def timed(run):
    start = time.monotonic()
    run.model()
    return time.monotonic() - start


def kill(rng, run, process):
    process.kill()


def cut(rng, run, process):
    os.truncate(run.changed, rng.randrange(run.changed.stat().st_size))


def overwrite(rng, run, process):
    write_block(rng, run.changed)


def replace(rng, run, process):
    other = run.folder / "inputs/other"
    shutil.copyfile(run.changed, other)
    write_block(rng, other)
    os.replace(other, run.changed)


def write_block(rng, path):
    with open(path, "r+b") as file:
        file.seek(rng.randrange(path.stat().st_size))
        file.write(rng.randbytes(4096))


def problem_of(outcome, run, before, status, stderr):
    """None, or what is wrong after a command that was killed, or read a file that has changed."""
    model = run.target.read_bytes()
    if outcome == "killed":
        return None if model in (OLDER, before) else "the target is neither the older model nor the new one"
    if outcome == "converted":
        return None if model in (before, run.model()) else "the model is that of neither the file before nor the file after the change"
    if status != 1:
        return f"status {status}"
    if model != OLDER:
        return "the target has changed although the command failed"
    text = stderr.decode("utf-8", "replace")
    return None if text.startswith("error: ") and text.count("\n") == 1 else f"no sentence: {text}"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, failed = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        originals = save(folder)
        before, seconds = {}, {}
        for form, original in originals.items():
            run = Run(options.bin, form, original, folder / "run")
            before[form] = run.model()
            assert before[form], form
            seconds[form] = min(timed(run) for _ in range(3))
        print(", ".join(f"{form} {time * 1000:.0f} ms" for form, time in seconds.items()))
        for disturb in (kill, cut, overwrite, replace):
            counts = dict.fromkeys(("too late", "killed", "converted", "refused", "wrong", "files left"), 0)
            for tries in itertools.count():
                if tries - counts["too late"] == options.count:
                    break
                form = list(FORMS)[tries % len(FORMS)]
                run = Run(options.bin, form, originals[form], folder / "run")
                process = run.start()
                time.sleep(rng.random() * seconds[form])
                disturb(rng, run, process)
                counts["too late"] += process.poll() not in (None, -9)
                _, stderr = process.communicate()
                outcome = "killed" if process.returncode == -9 else "refused" if process.returncode else "converted"
                counts[outcome] += 1
                problem = problem_of(outcome, run, before[form], process.returncode, stderr)
                if problem:
                    counts["wrong"] += 1
                    print(f"{form}: {problem}")
                if left := run.leftovers():
                    counts["files left"] += 1
                    print(f"{form}: {left}")
            failed += counts["wrong"] + counts["files left"]
            print(f"{disturb.__name__:9} " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
