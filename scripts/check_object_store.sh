#!/usr/bin/env bash
# Converts from and to an S3 store with its own client, as docs/cluster.md and docs/batch.md show it: through pipes, with
# synchronized folders, and with examples/cluster/object_store.sh as the pods of an Indexed Job. Where SLURM_CONF names a
# running Slurm, also as a job array.
#
#     scripts/check_object_store.sh [TF2ONNX_RS]
#
# The store is moto's server on this machine. It and the client come from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --release
    binary=target/release/tf2onnx-rs
fi
binary=$(realpath "$binary")
environment=$PWD/target/object-store-env
if ! [ -e "$environment/installed" ]; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "moto[s3,server]>=5.1,<6" "awscli>=1.40,<2"
    touch "$environment/installed"
fi

# All nodes of Slurm, of which there is one, see it.
folder=$(mktemp -d /tmp/check_object_store.XXXXXX)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
fail() {
    echo "check_object_store.sh: $*" >&2
    exit 1
}

port=$("$environment/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$environment/bin/moto_server" --host 127.0.0.1 --port "$port" > "$folder/server.log" 2>&1 &
server=$!
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=check AWS_SECRET_ACCESS_KEY=check AWS_DEFAULT_REGION=us-east-1
ln -s "$binary" "$folder/tf2onnx-rs"
export PATH=$folder:$environment/bin:$PATH
for _ in $(seq 100); do
    ! aws s3 ls > /dev/null 2>&1 || break
    sleep 0.2
done

aws s3 mb s3://models > /dev/null
example=examples/inception_v3_tiny/inception_v3_tiny.ckpt
v2=tests/fixtures/graphs/containers
aws s3 cp --quiet "$example" s3://models/checkpoints/inception_v3_tiny.ckpt
for number in 1 2 3; do aws s3 cp --quiet "$example" "s3://models/checkpoints/team/net $number.ckpt"; done
aws s3 cp --quiet --recursive "$v2" s3://models/checkpoints/v2 --exclude '*' --include 'model.ckpt.*'
aws s3 cp --quiet "$v2/frozen.pb" s3://models/checkpoints/frozen.pb
aws s3 cp --quiet --recursive "$v2/saved_model" s3://models/checkpoints/saved_model
expected=$folder/expected.onnx
tf2onnx-rs convert --quiet "$example" "$expected"

# Compares the weights and nodes of two models: they differ in the source that they name.
same() {
    "$folder/tf2onnx-rs" verify "$1" --against "$2" > /dev/null || fail "$1 and $2 differ"
}

echo "== pipes"
aws s3 cp s3://models/checkpoints/inception_v3_tiny.ckpt - | tf2onnx-rs convert --quiet - - |
    aws s3 cp - s3://models/pipes/inception_v3_tiny.onnx
aws s3 cp --quiet s3://models/pipes/inception_v3_tiny.onnx "$folder/piped.onnx"
same "$folder/piped.onnx" "$expected"
tar c -C "$v2" model.ckpt.index model.ckpt.data-00000-of-00001 model.ckpt.meta | aws s3 cp - s3://models/archives/v2.tar
aws s3 cp s3://models/archives/v2.tar - | tf2onnx-rs convert --quiet - - | aws s3 cp - s3://models/pipes/v2.onnx

echo "== synchronized folders"
aws s3 sync --quiet s3://models/checkpoints "$folder/checkpoints"
tf2onnx-rs batch "$folder/checkpoints" --out-dir "$folder/onnx" --resume
aws s3 sync --quiet "$folder/onnx" s3://models/synchronized --exclude '*' --include '*.onnx'

models="frozen.onnx
inception_v3_tiny.onnx
saved_model.onnx
team/net 1.onnx
team/net 2.onnx
team/net 3.onnx
v2/model.onnx"
# Compares the names of the objects below an address with these.
complete() {
    local found
    found=$(aws s3 ls --recursive "$1" | sed 's/^\S* *\S* *\S* //; s|^[^/]*/||' | LC_ALL=C sort)
    [ "$found" = "$models" ] || fail "$1 contains: $found"
}
complete s3://models/synchronized

echo "== pods of an Indexed Job"
export FROM=s3://models/checkpoints
printf 'learning_rate: 0.1\n' | aws s3 cp - "$FROM/notes.ckpt"
failures=0
for index in 0 1 2; do
    JOB_COMPLETION_INDEX=$index JOB_COMPLETIONS=3 TO=s3://models/job examples/cluster/object_store.sh ||
        failures=$((failures + 1))
done
[ "$failures" = 1 ] || fail "$failures pods failed; one has a model that cannot be converted"
complete s3://models/job
aws s3 cp --quiet "s3://models/job/team/net 2.onnx" "$folder/job.onnx"
same "$folder/job.onnx" "$expected"
aws s3 rm --quiet "$FROM/notes.ckpt"
again=$(JOB_COMPLETION_INDEX=0 JOB_COMPLETIONS=1 TO=s3://models/job examples/cluster/object_store.sh)
[ "$(grep -c 'converted before$' <<< "$again")" = 7 ] || fail "models were converted again: $again"

if [ -n "${SLURM_CONF:-}" ]; then
    echo "== a Slurm array"
    TO=s3://models/array sbatch --wait --array=3-5 --cpus-per-task=1 --output="$folder/task-%a.log" \
        examples/cluster/object_store.sh || { cat "$folder"/task-*.log; fail "the array failed"; }
    cat "$folder"/task-*.log
    complete s3://models/array
fi
echo passed
