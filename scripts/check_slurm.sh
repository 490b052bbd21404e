#!/usr/bin/env bash
# Runs examples/cluster/slurm.sh as a job array of a real Slurm, on this machine: thirty checkpoints, three of them
# broken, four tasks. Checks that the models are complete, that nothing is converted twice, that the report has a line
# for each input, and that an array of another size, submitted afterwards, finds everything up to date. Then it runs
# check_object_store.sh, whose jobs this Slurm takes.
#
#     scripts/check_slurm.sh [TF2ONNX_RS]
#
# Needs root and Debian's or Ubuntu's apt-get; without them nothing is checked. Where Slurm or munge is missing, packages
# are installed, and removed at the end. Configuration, keys, logs and spool are in a temporary folder, and the daemons end
# with the script.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: $*"
    exit 0
}
# What is installed is not to be started by itself; how services are started here otherwise stays as it is.
install_slurm() (
    policy=/usr/sbin/policy-rc.d
    if ! [ -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge
)
[ "$(id -u)" = 0 ] || skip "only root can run Slurm's daemons"

is_installed() {
    local program
    for program in slurmctld slurmd sbatch munged mungekey; do
        command -v "$program" > /dev/null || return 1
    done
}
packages() {
    dpkg-query --show --showformat='${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort -u
}
added=()
remove_packages() {
    if [ "${#added[@]}" -gt 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get purge -y "${added[@]}" > /dev/null 2>&1 || echo "not removed: ${added[*]}"
    fi
}
trap remove_packages EXIT
if ! is_installed; then
    command -v apt-get > /dev/null || skip "Slurm is not installed, and there is no apt-get"
    log=$(mktemp)
    before=$(packages)
    status=0
    install_slurm > "$log" 2>&1 || status=$?
    mapfile -t added < <(comm -13 <(echo "$before") <(packages))
    if [ "$status" != 0 ]; then
        tail -n 5 "$log"
        rm -f "$log"
        skip "Slurm cannot be installed"
    fi
    rm -f "$log"
fi

binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --release
    binary=target/release/tf2onnx-rs
fi
binary=$(realpath "$binary")

folder=$(mktemp -d /tmp/check_slurm.XXXXXX)
# munged requires a folder that all users can enter and no other user can write to.
chmod 755 "$folder"
daemons=()
finish() {
    status=$?
    if [ "$status" != 0 ]; then
        tail -n 20 "$folder"/*.log "$folder"/out/*.log 2> /dev/null || true
    fi
    # The last that was started ends first.
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
        kill "${daemons[i]}" 2> /dev/null || true
        wait "${daemons[i]}" 2> /dev/null || true
    done
    rm -rf "$folder"
    remove_packages
    exit "$status"
}
trap finish EXIT

until_ready() {
    local what=$1
    shift
    for _ in $(seq 100); do
        if "$@" > /dev/null 2>&1; then return; fi
        sleep 0.2
    done
    echo "$what does not answer"
    return 1
}

mungekey --create --keyfile="$folder/munge.key"
munged --foreground --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munge.pid" \
    --log-file="$folder/munge.log" --seed-file="$folder/munge.seed" > "$folder/munged.log" 2>&1 &
daemons+=($!)
until_ready munged munge --no-input --socket="$folder/munge.socket"

node=$(hostname -s)
mkdir "$folder/state" "$folder/spool"
cat > "$folder/slurm.conf" << EOF_CONF
ClusterName=check
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo) State=UNKNOWN
PartitionName=check Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF_CONF
# Control groups are not used; the plugin of version 1 starts without them, as in a container that has none.
echo "CgroupPlugin=cgroup/v1" > "$folder/cgroup.conf"
export SLURM_CONF=$folder/slurm.conf
slurmctld -D -i -f "$SLURM_CONF" > "$folder/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D -N "$node" -f "$SLURM_CONF" > "$folder/slurmd.log" 2>&1 &
daemons+=($!)
is_idle() { [ "$(sinfo --noheader --format=%T)" = idle ]; }
until_ready "the node" is_idle
echo "$(sbatch --version), node $(sinfo --noheader --format='%N, %c CPUs, %T')"

export CHECKPOINTS=$folder/checkpoints OUT=$folder/out
mkdir -p "$CHECKPOINTS/team" "$OUT"
example=examples/inception_v3_tiny/inception_v3_tiny.ckpt
for number in $(seq -w 20); do cp "$example" "$CHECKPOINTS/net_$number.ckpt"; done
for number in $(seq 7); do cp "$example" "$CHECKPOINTS/team/net_$number.ckpt"; done
head -c 500000 "$example" > "$CHECKPOINTS/truncated.ckpt"
echo "learning_rate: 0.1" > "$CHECKPOINTS/notes.ckpt"
cp tests/fixtures/batchnorm/conv3d_noscale/v1.ckpt "$CHECKPOINTS/unknown.ckpt"
ln -s "$binary" "$folder/tf2onnx-rs"
export PATH=$folder:$PATH

# An array that does not begin with 0, and as many CPUs a task as let two of them run at a time.
submit() {
    sbatch --parsable --array="$1" --cpus-per-task=1 --output="$OUT/task-%A_%a.log" examples/cluster/slurm.sh
}
wait_for() {
    local deadline=$((SECONDS + 300))
    while [ -n "$(squeue --noheader --jobs="$1" 2> /dev/null)" ]; do
        if [ "$SECONDS" -gt "$deadline" ]; then
            squeue
            echo "the array does not end"
            return 1
        fi
        sleep 0.5
    done
}

echo "== array 5-8"
job=$(submit 5-8)
wait_for "$job"
cat "$OUT"/task-"$job"_*.log
python3 scripts/check_shards.py "$CHECKPOINTS" "$OUT" 4 converted

echo "== array 0-2, with the same folders"
job=$(submit 0-2)
wait_for "$job"
python3 scripts/check_shards.py "$CHECKPOINTS" "$OUT" 3 skipped

echo "== models in an object store"
scripts/check_object_store.sh "$binary"
echo passed
