# shellcheck shell=bash
# Sourced in the root of the source, before a build: programs and wheels are then the same bytes, whichever folder they are built
# in. Without it, they contain the paths of the source of crates, for messages of panics.
#
# usage: . scripts/reproducible.sh [CARGO_HOME]        CARGO_HOME: where Cargo has its crates, if the build runs in a container
crates=${1:-${CARGO_HOME:-$HOME/.cargo}}
# Cargo separates flags by this byte, so that paths may have spaces.
separator=$'\x1f'
CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$PWD=/tf2onnx-rs$separator--remap-path-prefix=$crates=/cargo"
case "${OSTYPE:-}" in
    # The linker of Windows writes the time into programs otherwise.
    msys* | cygwin*) CARGO_ENCODED_RUSTFLAGS+="$separator-Clink-arg=/Brepro" ;;
esac
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || echo 315532800)}
export CARGO_ENCODED_RUSTFLAGS SOURCE_DATE_EPOCH CARGO_INCREMENTAL=0
