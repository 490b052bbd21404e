#!/usr/bin/env bash
# Builds the Python wheel, installs it into a fresh environment, and converts and classifies with the command it brings.
# scripts/check_python.sh tests the package in it.
#
# usage: scripts/check_wheel.sh
#
# Needs Rust and Python 3.9 or newer with venv; maturin, NumPy, Pillow and ONNX Runtime come from PyPI. The wheel stays in
# target/wheels.
set -euo pipefail
cd "$(dirname "$0")/.."
# Not a target: the limit reveals a dependency that is unexpectedly large.
largest=20000000
tools=target/wheel-env
fresh=target/wheel-check
wheels=target/wheels
example=examples/inception_v3_tiny

fail() {
    echo "check_wheel.sh: $*" >&2
    exit 1
}
pip_install() {
    "$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
}

if ! [ -x "$tools/bin/maturin" ]; then
    python3 -m venv "$tools"
    pip_install "$tools" "maturin>=1.12,<2"
fi
rm -rf "$wheels" "$fresh"
mkdir -p target
python3 scripts/dependencies.py sbom target/tf2onnx-rs-python.cdx.json --package tf2onnx-rs-python
"$tools/bin/maturin" build --quiet --release --out "$wheels" --sbom-include target/tf2onnx-rs-python.cdx.json
wheel=$(echo "$wheels"/*.whl)
[ -f "$wheel" ] || fail "maturin built no wheel, or several: $wheel"

python3 -m venv "$fresh"
pip_install "$fresh" "$wheel" numpy pillow onnxruntime
# The commands below must find this program, as a user does, and no other one.
export PATH="$PWD/$fresh/bin:$PATH"
[ "$(command -v tf2onnx-rs)" = "$PWD/$fresh/bin/tf2onnx-rs" ] || fail "the wheel has no command tf2onnx-rs"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
[ "$(tf2onnx-rs --version)" = "tf2onnx-rs $version" ] || fail "$(tf2onnx-rs --version), and Cargo.toml has $version"
library=$(python -c 'import tf2onnx_rs._native as native; print(native.__file__)')
size=$(wc -c < "$library")
[ "$size" -le "$largest" ] || fail "the native library has $size bytes, allowed $largest"
echo "$wheel: $(wc -c < "$wheel") bytes, the native library $size bytes, allowed $largest"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# grep leaves the pipe at once, which would be an error of the program before it.
python3 -m zipfile -l "$wheel" > "$scratch/files"
grep -q '/sboms/tf2onnx-rs-python.cdx.json ' "$scratch/files" || fail "the wheel has no bill of materials"
tf2onnx-rs convert --quiet "$example/inception_v3_tiny.ckpt" "$scratch/model.onnx"
python "$example/compare.py" "$scratch/model.onnx"

printf 'label %s\n' 0 1 2 3 4 5 6 7 8 9 10 > "$scratch/labels.txt"
python examples/python/classify.py "$example/inception_v3_tiny.ckpt" examples/python/flower.png \
    --labels "$scratch/labels.txt" | tee "$scratch/classes"
[ "$(grep -c '^0\.[0-9]*  label [0-9]*$' "$scratch/classes")" = 5 ] || fail "classify.py did not print five classes"
if python examples/python/classify.py README.md examples/python/flower.png 2> "$scratch/error"; then
    fail "classify.py classified with a file that is not a checkpoint"
fi
grep -q '^error: README.md' "$scratch/error" || fail "classify.py did not print the reason: $(cat "$scratch/error")"
