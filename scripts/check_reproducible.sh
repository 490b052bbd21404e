#!/usr/bin/env bash
# Builds the program and the wheel twice, in folders of different names, and compares the bytes.
#
# usage: scripts/check_reproducible.sh [--program] [--profile PROFILE]
#
#   --program    only the program
#   --profile    of Cargo, by default release, which takes two times five minutes on four cores; the wheel is always a release
#
# Needs Rust, git, and Python 3.9 or newer with venv; maturin comes from PyPI. What is committed is built.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=release
wheel=yes
while [ "$#" -gt 0 ]; do
    case "$1" in
        --program) wheel= ;;
        --profile) profile=$2 && shift ;;
        *) echo "check_reproducible.sh: unknown argument $1" >&2 && exit 2 ;;
    esac
    shift
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ -n "$wheel" ]; then
    python3 -m venv "$scratch/tools"
    "$scratch/tools/bin/pip" install --quiet --disable-pip-version-check "maturin>=1.12,<2"
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
case "$profile" in dev) built=debug ;; *) built=$profile ;; esac

for folder in first "second and longer"; do
    mkdir "$scratch/$folder"
    git archive HEAD | tar -x -C "$scratch/$folder"
    (
        cd "$scratch/$folder"
        . scripts/reproducible.sh
        cargo build --quiet --locked --profile "$profile"
        python3 scripts/package.py host published --profile "$built"
        if [ -n "$wheel" ]; then
            python3 scripts/dependencies.py sbom target/tf2onnx-rs-python.cdx.json --package tf2onnx-rs-python
            "$scratch/tools/bin/maturin" build --quiet --release --out published --sbom-include target/tf2onnx-rs-python.cdx.json
        fi
    )
    # The next build must not find anything of this one, and the disk not be full of both.
    mv "$scratch/$folder/target/$built/tf2onnx-rs" "$scratch/$folder/published/"
    rm -rf "$scratch/$folder/target"
done
cd "$scratch"
(cd first/published && sha256sum -- *) | tee sums
(cd "second and longer/published" && sha256sum --check --quiet ../../sums)
if grep -aqF "$scratch" first/published/tf2onnx-rs; then
    echo "check_reproducible.sh: the program contains the path of its source" >&2
    exit 1
fi
echo "both builds have the same bytes"
