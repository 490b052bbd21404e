#!/usr/bin/env bash
# Runs the unit tests of `unsafe` code: with Miri, which finds undefined behaviour, and with AddressSanitizer, which finds accesses outside
# of memory also where Miri cannot run (vector instructions, mapped files).
#
# usage: scripts/check_unsafe.sh [TEST…]        TEST: parts of the names of tests for the second; by default all unit tests
#
# Needs Linux on x86-64 or aarch64. Miri is a part of nightly toolchains; where `cargo miri` is missing, that part is left out. A stable
# toolchain has the sanitizer's library, too.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The flags of the sanitizer are not stable.
export RUSTC_BOOTSTRAP=1
# A file without dependencies, which takes a second. First with a mistake, which the sanitizer has to find.
alone=src/tensor/transpose.rs
sed 's/out.len() >= (SIDE - 1) \* stride + SIDE,/out.len() >= (SIDE - 1) * stride,/' "$alone" > "$scratch/wrong.rs"
cat >> "$scratch/wrong.rs" << 'WRONG'
#[test]
fn wrong() {
    transpose_square(&[[0; 4]; 2 * SIDE], &[0; SIDE], &mut vec![[0; 4]; (SIDE - 1) * SIDE], SIDE);
}
WRONG
for code in "$scratch/wrong.rs" "$alone"; do
    rustc --edition 2024 --test -Copt-level=1 -Zsanitizer=address -o "$scratch/test" "$code"
    if "$scratch/test" --quiet > "$scratch/said" 2>&1; then said=0; else said=$?; fi
    case "$code" in
        "$alone") [ "$said" = 0 ] || { cat "$scratch/said"; exit 1; } ;;
        *) grep -q 'AddressSanitizer: heap-buffer-overflow' "$scratch/said" || { echo "check_unsafe.sh: the sanitizer does not work" >&2; exit 1; } ;;
    esac
done
echo "$alone: AddressSanitizer finds nothing, and finds a mistake that was made on purpose"

# Everything that the tests run is instrumented; with --target, build scripts and macros are not.
RUSTFLAGS=-Zsanitizer=address CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
    cargo test --quiet --locked --lib --bins --target "$target" --target-dir target/sanitizer -- "$@"

if cargo miri --version > /dev/null 2>&1; then
    # Miri knows neither mapped files nor AVX2: it runs the code that other processors run.
    MIRIFLAGS=-Zmiri-disable-isolation cargo miri test --quiet --locked --lib --target-dir target/miri -- tensor::transpose
else
    echo "left out: Miri, which this toolchain does not have"
fi
