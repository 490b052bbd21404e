"""Differential fuzzing of the ops: random small graphs, executed by TensorFlow and, converted, by ONNX Runtime.

usage: python scripts/fuzz_ops --bin target/debug/tf2onnx-rs [--minutes 10 | --count 500] [--seed N|today] [--only OP]
Runs in the environment of scripts/environment.sh. Each case follows from its number, from --seed on: a disagreement is repeated by
--seed NUMBER --count 1, with the same --only. Its graph, inputs, TensorFlow's results and message are left in --out.
The exit status is 1 where something disagrees.
"""
import argparse
import collections
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--bin", required=True)
    p.add_argument("--seed", default="1")
    p.add_argument("--minutes", type=float, default=10.0)
    p.add_argument("--count", type=int, default=10**9)
    p.add_argument("--only")
    p.add_argument("--out", default="target/fuzz_ops")
    p.add_argument("--refusals", action="store_true", help="print what was refused, and what ONNX Runtime has no kernel for")
    p.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return p.parse_args()


def work(a):
    """Checks the cases from `a.worker` on, and says of each how it went, a line of JSON each."""
    import check

    with tempfile.TemporaryDirectory() as folder:
        for seed in range(a.worker, a.worker + a.count):
            say = lambda stage: print(json.dumps({"seed": seed, "stage": stage}), flush=True)
            outcome, message, ops = check.check(seed, a.only, os.path.abspath(a.bin), folder, say)
            if outcome == "DISAGREE":
                kept = os.path.join(a.out, str(seed))
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                with open(os.path.join(kept, "message"), "w") as file:
                    file.write(message + "\n")
            print(json.dumps({"seed": seed, "outcome": outcome, "message": message, "ops": ops}), flush=True)


def cases(a, first):
    """The outcomes of the cases from `first` on. A worker that dies takes the case with it that it was at."""
    end, last = time.time() + a.minutes * 60, first + a.count
    while first < last and time.time() < end:
        command = [sys.executable, os.path.dirname(os.path.abspath(__file__)), "--bin", a.bin, "--out", a.out]
        command += ["--worker", str(first), "--count", str(min(last - first, 2000))]
        command += ["--only", a.only] if a.only else []
        # The kernels of oneDNN quantize some numbers otherwise than TensorFlow's own: docs/ops.md.
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        stage = None
        for line in process.stdout:
            told = json.loads(line)
            if "outcome" in told:
                yield told
                first, stage = told["seed"] + 1, None
                if time.time() > end:
                    process.kill()
                    return
            else:
                stage = told["stage"]
        process.wait()
        if process.returncode:
            if stage is None:
                sys.exit("the worker failed:\n" + process.stderr.read()[-2000:])
            error = process.stderr.read().strip().splitlines()[-1:] or [f"it ended with {process.returncode}"]
            outcome = "DISAGREE" if stage == "ONNX Runtime" else "not defined" if process.returncode < 0 else "DISAGREE"
            yield {"seed": first, "outcome": outcome, "message": f"{stage} crashed: {error[0]}", "ops": []}
            first += 1


def main():
    a = arguments()
    if a.worker is not None:
        return work(a)
    first = int(datetime.date.today().strftime("%Y%m%d")) * 1_000_000 if a.seed == "today" else int(a.seed)
    os.makedirs(a.out, exist_ok=True)
    counts, ops, other = collections.Counter(), set(), collections.Counter()
    for told in cases(a, first):
        counts[told["outcome"]] += 1
        if told["outcome"] == "DISAGREE":
            print(f"seed {told['seed']} {' '.join(told['ops'])}\n    {told['message']}", flush=True)
        elif told["outcome"] in ("refused", "not run"):
            other[told["outcome"] + ": " + re.sub(r"\d+", "N", told["message"])[:220]] += 1
        if told["outcome"] == "agree":
            ops |= set(told["ops"])
    if a.refusals:
        for message, count in other.most_common():
            print(f"{count:5d}  {message}")
    graphs = sum(counts.values()) - counts["not defined"]
    print(
        f"seeds from {first}: {graphs} graphs, {len(ops)} ops; {counts['agree']} agree, {counts['refused']} refused, "
        f"{counts['not run']} not run by ONNX Runtime, {counts['DISAGREE']} disagree; {counts['not defined']} not defined by TensorFlow"
    )
    return int(counts["DISAGREE"] > 0 or counts["agree"] == 0)


if __name__ == "__main__":
    sys.exit(main())
