# shellcheck shell=bash
# Sourced by the scripts beside it and by .ci/run.
CI_START=${CI_START:-$(date +%s)}
export CI_START

# Runs a command and prints it before, with the minutes since the first script began.
step() {
    echo
    echo "== [$((($(date +%s) - CI_START) / 60)) min] $*"
    "$@"
}

# Installs packages of Debian or Ubuntu. Returns 1 where there is no apt-get, or the user is not root.
install_packages() {
    command -v apt-get > /dev/null && [ "$(id -u)" = 0 ] || return 1
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}
