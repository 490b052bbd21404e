#!/usr/bin/env python3
"""Checks what the shards of a `tf2onnx-rs batch` made together: scripts/check_shards.py CHECKPOINTS OUT SHARDS STATUS

Every file in CHECKPOINTS has one line in the reports of the SHARDS shards in OUT. Three of them failed; all others have
the given STATUS (converted or skipped) and a model in OUT, and OUT has no other models.
"""

import collections
import json
import pathlib
import sys

BROKEN = {"truncated.ckpt", "notes.ckpt", "unknown.ckpt"}


def main():
    checkpoints, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    shards, status = int(sys.argv[3]), sys.argv[4]
    lines = []
    for number in range(1, shards + 1):
        report = out / f"report.{number}-of-{shards}.jsonl"
        own = [json.loads(line) for line in report.read_text().splitlines()]
        assert own, f"{report} is empty"
        assert all(line["shard"] == {"number": number, "of": shards} for line in own), report
        lines += own
    inputs = {str(path) for path in checkpoints.rglob("*.ckpt")}
    times = collections.Counter(line["input"] for line in lines)
    assert set(times) == inputs, f"not the same: {sorted(inputs ^ set(times))}"
    twice = [path for path, count in times.items() if count > 1]
    assert not twice, f"more than once: {twice}"
    for line in lines:
        expected = "failed" if pathlib.Path(line["input"]).name in BROKEN else status
        assert line["status"] == expected, line
    outputs = {line["output"]: line["bytes"] for line in lines if line["status"] == status}
    models = {str(path): path.stat().st_size for path in out.rglob("*.onnx")}
    assert models == outputs, f"not the same: {models.items() ^ outputs.items()}"
    records = [json.loads(line) for path in out.glob("tf2onnx-rs.state*") for line in path.read_text().splitlines()]
    written = collections.Counter(record["output"] for record in records)
    assert len(written) == len(models) and set(written.values()) == {1}, "a model was written more than once"
    leftovers = list(out.rglob(".tf2onnx-rs-*"))
    assert not leftovers, leftovers
    print(f"{shards} shards: {len(lines)} inputs, each once; {len(models)} {status}, {len(BROKEN)} failed, as they should")


if __name__ == "__main__":
    main()
