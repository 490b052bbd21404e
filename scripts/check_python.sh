#!/usr/bin/env bash
# Tests the Python package in the wheel that scripts/check_wheel.sh has built: in environments that have nothing else, without and
# with NumPy, and with mypy.
#
# usage: scripts/check_python.sh
#
# Needs Python 3.9 or newer with venv; pytest, mypy, NumPy and ml_dtypes come from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
bare=target/python-bare
full=target/python-full

wheel=$(echo target/wheels/*.whl)
[ -f "$wheel" ] || { echo "check_python.sh: there has to be one wheel in target/wheels; run scripts/check_wheel.sh" >&2; exit 1; }
rm -rf "$bare" "$full"
for environment in "$bare" "$full"; do
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "$wheel" pytest
done

echo "without NumPy"
"$bare/bin/python" -m pytest -q -p no:cacheprovider python/tests
"$full/bin/pip" install --quiet --disable-pip-version-check numpy ml_dtypes mypy typing_extensions
echo "with NumPy"
"$full/bin/python" -m pytest -q -p no:cacheprovider python/tests

# The types of the package, and those that a program sees.
"$full/bin/mypy" --strict python/tf2onnx_rs
"$full/bin/mypy" --strict python/tests/typed_program.py
