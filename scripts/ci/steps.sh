# shellcheck shell=bash
# Sourced by the scripts beside it and by .ci/run.
CI_START=${CI_START:-$(date +%s)}
export CI_START

# Everything is built once: what speeds up the next build would take up 5 GB of the disk.
export CARGO_INCREMENTAL=0

# Runs a command and prints it before, with the minutes since the first script began and what is left of the disk.
step() {
    echo
    echo "== [$((($(date +%s) - CI_START) / 60)) min, $(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }') GB free] $*"
    "$@"
}

# Runs the commands of the standard input, one a line, as many at once as there are processors, and prints what a command has printed
# when it ends. Fails if one of them fails.
steps() {
    xargs -d '\n' -P "$(nproc)" -I COMMAND bash -c '
        . scripts/ci/steps.sh
        log=$(mktemp) status=0
        step COMMAND > "$log" 2>&1 || status=1
        cat "$log" && rm "$log"
        [ "$status" = 0 ] || { echo "== failed: COMMAND"; exit 1; }'
}

# Installs packages of Debian or Ubuntu. Returns 1 where there is no apt-get, or the user is not root.
install_packages() {
    command -v apt-get > /dev/null && [ "$(id -u)" = 0 ] || return 1
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}
