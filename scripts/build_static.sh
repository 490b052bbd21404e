#!/usr/bin/env bash
# Builds a program that needs no shared library, for containers without any and for Linux of any age: target/static/tf2onnx-rs.
#
# usage: scripts/build_static.sh
#
# With musl where Rust's standard library for it is installed (rustup target add x86_64-unknown-linux-musl), otherwise with
# the static glibc of the machine (Debian: libc6-dev). Needs Linux and readelf (binutils).
set -euo pipefail
cd "$(dirname "$0")/.."
triple=$(rustc -vV | sed -n 's/^host: //p')
musl=${triple%-gnu}-musl

if [ -d "$(rustc --print target-libdir --target "$musl")" ]; then
    cargo build --release --locked --target "$musl"
    built=target/$musl/release/tf2onnx-rs
else
    # The flag is for the program alone: macros are compiled into shared libraries, which cannot be static. The result
    # stands in for target/release/tf2onnx-rs until the next build.
    cargo rustc --release --locked --bin tf2onnx-rs -- -C target-feature=+crt-static
    built=target/release/tf2onnx-rs
fi
# No interpreter and no library that the dynamic loader would have to find.
if readelf --program-headers --dynamic --wide "$built" | grep -E 'INTERP|NEEDED'; then
    echo "build_static.sh: $built is not static" >&2
    exit 1
fi
mkdir -p target/static
cp "$built" target/static/tf2onnx-rs
# Without an environment, which could tell it where libraries are.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
env -i target/static/tf2onnx-rs --version
env -i target/static/tf2onnx-rs convert --quiet --verify \
    examples/inception_v3_tiny/inception_v3_tiny.ckpt "$scratch/model.onnx"
echo "target/static/tf2onnx-rs: $(wc -c < target/static/tf2onnx-rs) bytes"
