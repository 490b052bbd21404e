#!/usr/bin/env python3
"""Converts, describes and extracts damaged files, and counts what must not happen.

usage: mutate.py --bin PATH_TO_tf2onnx-rs [--count N | --minutes N] [--seed N|today] [--only FORMAT,…] [--oracle tensorflow]
Small models of every format are changed: bits, bytes, blocks, lengths, the nodes, attributes and functions of graphs, any field of a
message or of JSON, the entries of checkpoints and the members of archives, with right checksums. A command may
convert what is left or refuse it in one sentence. It must not panic, be ended by a signal, take more than 10 s, take more than
256 MB for files of less than 1 MB, leave files, change its input or a target that it does not replace, or write other weights than those
of the file where the format has checksums. With --oracle, graphs are changed as messages, and what is converted is executed by
ONNX Runtime and TensorFlow: TensorFlow refuses the graph, or the results agree.
A case is repeated by its number: --seed NUMBER --count 1, with the same --only and --oracle. Its files stay in --out. The last line has
the counts; the exit status is 1 if one is not zero. Runs in the environment of scripts/environment.sh.
"""
import argparse
import collections
import concurrent.futures
import datetime
import os
import pathlib
import random
import shlex
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from mutation import changes, oracle, run, seeds

WRONG = ["panics", "aborts", "slow", "memory", "messages", "files left", "targets changed", "inputs changed", "weights changed"]
# What is chosen as often as something else, however many models of it there are.
WEIGHTS = {"ops": 6, "v1": 3, "v2": 3, "frozen": 3, "saved_model": 2, "meta": 3, "tfjs": 2, "onnx": 2}


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--oracle", choices=["tensorflow"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/mutants"))
    return parser.parse_args()


def mutant(formats, number):
    """A seed, its files with one of them changed, which one, how, whether checksums have to notice it, and a command."""
    rng = random.Random(number)
    names = sorted(formats)
    format = rng.choices(names, [WEIGHTS.get(name, 1) for name in names])[0]
    seed = rng.choice(formats[format])
    file = rng.choice(sorted(seed.files))
    files, what, is_damage = changes.changed(seed, file, formats[format], rng)
    return seed, files, file, what, is_damage and file in seed.guarded, rng.choice(seed.commands)


class Campaign:
    def __init__(self, a, formats):
        self.binary, self.out, self.formats = os.path.abspath(a.bin), a.out, formats
        self.counts, self.outcomes = collections.Counter(), collections.Counter()
        self.lock, self.local, self.originals = threading.Lock(), threading.local(), {}
        self.oracle = a.oracle

    def original(self, seed, command, work):
        """What the command writes for the files as they were."""
        key = (seed.format, seed.name, *command)
        if key not in self.originals:
            self.originals[key] = run.run(self.binary, seed, seed.files, command, work).output
        return self.originals[key]

    def check(self, number):
        seed, files, file, what, is_guarded, command = mutant(self.formats, number)
        with tempfile.TemporaryDirectory() as work:
            if is_guarded:
                original = self.original(seed, command, work)
            done = run.run(self.binary, seed, files, command, work)
            problems = done.problems
            if is_guarded and done.output not in (None, original):
                problems.append(("weights changed", "the output is another one"))
            outcome = "refused" if done.status else "read"
            if self.oracle and not done.status and not problems:
                if not hasattr(self.local, "oracle"):
                    self.local.oracle = oracle.Oracle()
                outcome, message = self.local.oracle.compare(pathlib.Path(work), seed.case)
                if outcome == "DISAGREE":
                    problems = [(outcome, message)]
            with self.lock:
                self.outcomes[outcome] += 1
                for kind, message in problems:
                    self.tell(number, kind, message, seed, file, what, command, done, work)
        return number

    def tell(self, number, kind, message, seed, file, what, command, done, work):
        self.counts[kind] += 1
        kept = self.out / str(number)
        print(f"{number} {kind} ({message}): {seed.format} {seed.name}, {file}: {what}", flush=True)
        inside = pathlib.Path(work) / "in"
        for path in inside.rglob("*"):
            if path.is_file():
                copy = kept / path.relative_to(inside)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
        said = run.words(command, seed, kept.resolve(), pathlib.Path("/tmp"))
        (kept / "message").write_text(f"{kind}: {message}\n{what}\n{shlex.join([self.binary, *said])}\n{done.stderr[:4000]}\n")
        if done.stderr:
            print("    " + done.stderr.strip().splitlines()[0][:200], flush=True)


def main():
    a = arguments()
    first = int(datetime.date.today().strftime("%Y%m%d")) * 1_000_000 if a.seed == "today" else int(a.seed)
    end = time.monotonic() + a.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        formats = seeds.all_seeds(a.bin, pathlib.Path(folder))
    only = ["ops"] if a.oracle else [name for name in a.only.split(",") if name]
    if unknown := set(only) - set(formats):
        sys.exit(f"no such format: {', '.join(unknown)}; there are {', '.join(sorted(formats))}")
    formats = {name: formats[name] for name in only or formats}
    run.limit_memory()
    campaign = Campaign(a, formats)
    numbers = iter(range(first, first + a.count))
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        waiting = set()
        for number in numbers:
            if time.monotonic() > end:
                break
            waiting.add(pool.submit(campaign.check, number))
            if len(waiting) >= 2 * a.jobs:
                done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                [future.result() for future in done]
        [future.result() for future in waiting]
    outcomes, counts = campaign.outcomes, campaign.counts
    print(f"numbers from {first}: {sum(outcomes.values())} runs; " + ", ".join(f"{outcomes[key]} {key}" for key in sorted(outcomes)))
    print(", ".join(f"{counts[kind]} {kind}" for kind in WRONG + ["DISAGREE"] * bool(a.oracle)))
    return int(bool(counts) or not outcomes)


if __name__ == "__main__":
    sys.exit(main())
