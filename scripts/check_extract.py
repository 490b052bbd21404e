#!/usr/bin/env python3
"""Reads the output of `tf2onnx-rs extract` with NumPy and safetensors.

usage: check_extract.py --bin PATH_TO_tf2onnx-rs
The three formats must have the same elements, with the digests that TensorFlow computed. Tensors in ONNX's layout must equal NumPy's
transposes of TensorFlow's. Gammas that were not stored must be ones.
Needs a Python with NumPy and safetensors.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/inception_v3_tiny/inception_v3_tiny.ckpt"
DTYPES = ROOT / "tests/fixtures/checkpoints/dtypes_v2"


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def npz(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def folder(path):
    return {str(file.relative_to(path).with_suffix("")): np.load(file) for file in path.rglob("*.npy")}


def demand(holds, what):
    if not holds:
        sys.exit(f"check_extract.py: {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    binary = parser.parse_args().bin.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)

        def extract(source, name, *options):
            subprocess.run([binary, "extract", "-q", source, scratch / name, *options], check=True)
            return scratch / name

        forms = [
            npz(extract(EXAMPLE, "w.npz")),
            load_file(extract(EXAMPLE, "w.safetensors")),
            folder(extract(EXAMPLE, "w/")),
        ]
        for form in forms[1:]:
            demand(form.keys() == forms[0].keys(), "the forms hold tensors of other names")
            for name, array in forms[0].items():
                demand(array.dtype == form[name].dtype, f"{name} has another type")
                demand(np.array_equal(array, form[name]), f"{name} has other elements")
        print(f"{len(forms[0])} tensors are the same as .npz, as .safetensors and in a folder")

        onnx = load_file(extract(EXAMPLE, "onnx.safetensors", "--layout", "onnx", "--with-synthesized"))
        filters = [name for name, array in forms[0].items() if array.ndim == 4 and name in onnx]
        for name in filters:
            demand(np.array_equal(onnx[name], forms[0][name].transpose(3, 2, 0, 1)), f"{name} is not transposed")
        gammas = [array for name, array in onnx.items() if name.endswith("/gamma")]
        demand(len(filters) == 95 and len(gammas) == 94, f"{len(filters)} filters and {len(gammas)} gammas")
        demand(all((gamma == 1).all() for gamma in gammas), "a gamma is not all ones")
        print(f"{len(filters)} filters have ONNX's layout, {len(gammas)} gammas are ones")

        stored = json.loads((DTYPES / "tensors.json").read_text())
        arrays = npz(extract(DTYPES, "dtypes.npz"))
        with safe_open(extract(DTYPES, "dtypes.safetensors"), "numpy") as file:
            names = set(file.keys())
            # safetensors' own list: NumPy has no bfloat16.
            types = {name: file.get_slice(name).get_dtype() for name in names}
        compared = 0
        for name, tensor in stored.items():
            demand(name in arrays, f"{name} is not in the .npz")
            demand(list(arrays[name].shape) == tensor["shape"], f"{name} has another shape")
            if tensor["dtype"] == "string":
                demand(name not in names, f"{name} is a string, which safetensors has not")
                continue
            demand(digest(arrays[name]) == tensor["sha256"], f"{name} has other elements than TensorFlow's")
            demand(name in names or tensor["dtype"] == "complex128", f"{name} is not in the .safetensors")
            demand(tensor["dtype"] != "bfloat16" or types[name] == "BF16", f"{name} is {types.get(name)}")
            compared += 1
        print(f"{compared} tensors of all types have the elements that TensorFlow took digests of")


main()
