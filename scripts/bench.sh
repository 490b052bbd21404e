#!/usr/bin/env bash
# Measures tf2onnx-rs beside `cp`, tf2onnx and OpenVINO. The peers come from PyPI.
#
# usage: scripts/bench.sh [OPTION...]        options: those of scripts/bench.py
#
# PARITY_ENV names a folder with the Python environment of scripts/environment.sh; it is made where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${PARITY_ENV:-target/parity-env}
[ -x "$environment/bin/python" ] || scripts/environment.sh "$environment" >&2
"$environment/bin/python" -c 'import openvino' 2>/dev/null || "$environment/bin/pip" install --quiet "openvino>=2024" >&2
cargo build --release --quiet
"$environment/bin/python" scripts/bench.py "$@"
