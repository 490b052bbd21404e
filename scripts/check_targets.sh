#!/usr/bin/env bash
# Type-checks the program for Windows and macOS on Linux: code for one system alone, and fallbacks of code for Unix.
#
# usage: scripts/check_targets.sh [TARGET…]        by default x86_64-pc-windows-msvc and aarch64-apple-darwin
#
# Nothing is linked or run. Where the standard library of a target is installed (rustup target add), it is used. Otherwise it is
# compiled from its source: that of rustup (rustup component add rust-src), or that of Debian's package rust-web-src with the compiler
# of rustc-web, which are unpacked into target/debian-rust and not installed. The exit status is 77 if there is neither.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("$@")
[ "$#" -gt 0 ] || targets=(x86_64-pc-windows-msvc aarch64-apple-darwin)
debian=$PWD/target/debian-rust

# Returns 1 where there are no such packages. Called in a condition, where `set -e` has no effect.
unpack_debian() {
    [ -f "$debian/ready" ] && return
    command -v apt-get > /dev/null || return 1
    rm -rf "$debian" && mkdir -p "$debian/packages" || return 1
    local version llvm package
    apt-cache show rustc-web > /dev/null 2>&1 || apt-get update -q > "$debian/log" 2>&1 || return 1
    version=$(apt-cache policy rustc-web | sed -n 's/^ *Candidate: \([0-9]*\.[0-9]*\).*/\1/p')
    llvm=$(apt-cache depends "libstd-rust-web-$version" 2> /dev/null | sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p')
    [ -n "$version" ] && [ -n "$llvm" ] || return 1
    # The sandbox of apt cannot write here; its warning is in the log.
    (cd "$debian/packages" && apt-get download -q rustc-web libstd-rust-web-dev "libstd-rust-web-$version" rust-web-src "$llvm") \
        > "$debian/log" 2>&1 || return 1
    for package in "$debian"/packages/*.deb; do
        dpkg-deb --extract "$package" "$debian" || return 1
    done
    rm -rf "$debian/packages"
    touch "$debian/ready"
}

for target in "${targets[@]}"; do
    options=(--lib --bins --locked --target "$target" --target-dir target/other-systems)
    if [ -d "$(rustc --print target-libdir --target "$target")" ]; then
        cargo check --quiet "${options[@]}"
    elif [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then
        RUSTC_BOOTSTRAP=1 cargo check --quiet -Zbuild-std=std,panic_abort "${options[@]}"
    elif unpack_debian; then
        RUSTC=$debian/usr/bin/rustc LD_LIBRARY_PATH=$(echo "$debian"/usr/lib/*-linux-gnu) RUSTC_BOOTSTRAP=1 \
            cargo check --quiet -Zbuild-std=std,panic_abort "${options[@]}"
    else
        echo "check_targets.sh: there is no standard library for $target, and no source of it" >&2
        exit 77
    fi
    echo "$target: type-checked"
done
