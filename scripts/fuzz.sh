#!/usr/bin/env bash
# Runs the fuzz targets of fuzz/ with libFuzzer.
#
# usage: scripts/fuzz.sh [--minutes N] [--keep] [TARGET ...]        by default one minute for each of all targets
#
# --keep runs nothing and adds files that were found before to fuzz/corpus: fuzz/README.md. Needs a C++ compiler, and works with
# the stable toolchain: the flags are those of `cargo fuzz --sanitizer none`. Everything is below FUZZ_DIR, by default target/fuzz.
# The exit status is 1 if a target fails on a file, which is left in FUZZ_DIR/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=1 keep=
while [ $# -gt 0 ]; do
    case $1 in
        --minutes) minutes=$2; shift 2 ;;
        --keep) keep=1; shift ;;
        -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
        *) break ;;
    esac
done
if [ $# -eq 0 ]; then
    targets=(fuzz/fuzz_targets/*.rs)
    targets=("${targets[@]##*/}")
    set -- "${targets[@]%.rs}"
fi
dir=$(realpath -m "${FUZZ_DIR:-target/fuzz}")
triple=$(rustc -vV | sed -n 's/^host: //p')

build() {
    local flags=(--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
        -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0)
    # With a named target, programs that run while building are not instrumented.
    RUSTFLAGS="${flags[*]}" cargo build --manifest-path fuzz/Cargo.toml --release --target "$triple" --target-dir "$dir" "${@/#/--bin=}"
}

# Runs a target, which begins with the files of the repository and what it found before.
run() {
    local target=$1 corpus=$dir/corpus/$1 artifacts=$dir/artifacts/$1/
    shift
    mkdir -p "$corpus" "$artifacts"
    TMPDIR=$files "$dir/$triple/release/$target" "$corpus" "fuzz/corpus/$target" -artifact_prefix="$artifacts" -max_len=4096 \
        -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "$@" > "$dir/$target.log" 2>&1
}

build "$@"
files=$(mktemp -d "${XDG_RUNTIME_DIR:-/dev/shm}/fuzz.XXXXXX" 2> /dev/null || mktemp -d)
trap 'rm -rf "$files"' EXIT
failed=0
for target in "$@"; do
    if [ -n "$keep" ]; then
        rm -rf "$dir/cover/$target"
        mkdir -p "$dir/cover/$target" "$dir/corpus/$target"
        TMPDIR=$files "$dir/$triple/release/$target" -set_cover_merge=1 -max_len=4096 -timeout=10 "$dir/cover/$target" \
            "fuzz/corpus/$target" "$dir/corpus/$target" > "$dir/$target.log" 2>&1
        python3 fuzz/corpus.py --keep "$target" "$dir/cover/$target"
        continue
    fi
    if run "$target" -max_total_time="$((minutes * 60))"; then
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$target.log") files, $minutes min"
    else
        failed=1
        echo "$target: FAILED, see $dir/$target.log"
        grep -m 3 -E 'panicked|ERROR|^SUMMARY' "$dir/$target.log" || true
    fi
done
exit "$failed"
