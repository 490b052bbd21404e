#!/usr/bin/env python3
"""Converts the same inputs with two builds of the program, and compares the models byte for byte: a change of structure alone
must not change a model.

usage: scripts/same_models.py OLD NEW [FOLDER ...]

Inputs are the graphs and checkpoints of tests/fixtures, and the checkpoints (.ckpt, .index, .meta) and graphs (.pb) below each
FOLDER. Prints the inputs whose models differ, or that only one of the two converts, and exits with 1 if there are any.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures"


def cases(folders, work):
    """Names of inputs, with the arguments that convert them."""
    for archive in sorted(FIXTURES.glob("*.zip")):
        with zipfile.ZipFile(archive) as files:
            for name in files.namelist():
                if not name.endswith("/graph.pb"):
                    continue
                case = json.loads(files.read(name.replace("graph.pb", "case.json")))
                graph = work / "graph.pb"
                graph.write_bytes(files.read(name))
                inputs = ["--inputs", ",".join(case["inputs"])] if case["inputs"] else []
                yield f"{archive.name}: {name}", [graph, "--outputs", ",".join(case["outputs"]), "--opset", "18", *inputs]
    for folder in [FIXTURES, *map(pathlib.Path, folders)]:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".ckpt", ".index", ".meta", ".pb") and path.is_file():
                yield str(path), [path]


def model(program, arguments, output):
    output.unlink(missing_ok=True)
    source, *options = map(str, arguments)
    done = subprocess.run([program, "convert", "-q", source, output, *options], capture_output=True, text=True)
    return output.read_bytes() if done.returncode == 0 else None


def main():
    old, new, *folders = sys.argv[1:]
    same = refused = 0
    different = []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for name, arguments in cases(folders, work):
            before, after = (model(program, arguments, work / "model.onnx") for program in (old, new))
            if before != after:
                different.append(name)
            elif before is None:
                refused += 1
            else:
                same += 1
    print(*different, sep="\n", end="\n" if different else "")
    print(f"{same} models are the same, {len(different)} differ, {refused} inputs are refused by both")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
