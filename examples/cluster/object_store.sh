#!/bin/bash
# Converts the models below one address of an S3 store into another, one model at a time, so that a task needs room for one
# model only. It is a task of a Slurm array or of an Indexed Job, or alone. Models that were converted are skipped.
#
#     FROM=s3://models/checkpoints TO=s3://models/onnx sbatch --array=0-15 object_store.sh
#
# Needs the command line of AWS, which other stores understand too: set AWS_ENDPOINT_URL to theirs.
#SBATCH --job-name=tf2onnx-rs
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --requeue
#SBATCH --output=tf2onnx-rs-%A_%a.log
set -euo pipefail
: "${FROM:?the address of the models, s3://BUCKET/PREFIX}" "${TO:?the address for the converted models}"
task=$((${SLURM_ARRAY_TASK_ID:-${JOB_COMPLETION_INDEX:-0}} - ${SLURM_ARRAY_TASK_MIN:-0}))
tasks=${SLURM_ARRAY_TASK_COUNT:-${JOB_COMPLETIONS:-1}}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The path of each object below an address, without the address.
objects() {
    local bucket=${1#s3://} prefix
    prefix=${bucket#*/}/
    bucket=${bucket%%/*}
    aws s3api list-objects-v2 --bucket "$bucket" --prefix "$prefix" --query 'Contents[].[Key]' --output text |
        while IFS= read -r key; do
            [ "$key" = None ] || printf '%s\n' "${key#"$prefix"}"
        done
}

# A V2 checkpoint is named by its index, and a SavedModel by its graph; both are fetched with all of their files.
mapfile -t models < <(objects "$FROM" | grep -E '\.(ckpt|index|pb|tar|tar\.gz|zip)$' | grep -v '/variables/variables\.index$' |
    LC_ALL=C sort)
mapfile -t finished < <(objects "$TO")
failed=0
for ((i = task; i < ${#models[@]}; i += tasks)); do
    model=${models[i]%.index}
    files=("${models[i]}" "$model.data-*" "$model.meta" "${model%/*}/pipeline.config" "${model%/*}/*_config.json")
    if [ "${model##*/}" = saved_model.pb ]; then
        model=${model%/saved_model.pb}
        files=("$model/*")
    fi
    # The names that `tf2onnx-rs batch` gives.
    name=${model%.gz}
    name=${name%.tar}
    name=${name%.zip}
    name=${name%.pb}
    name=${name%.ckpt}
    name=${name/.ckpt-/-}
    if printf '%s\n' "${finished[@]}" | grep --quiet --fixed-strings --line-regexp "$name.onnx"; then
        echo "$FROM/$model: converted before"
        continue
    fi
    aws s3 cp --quiet --recursive "$FROM" "$scratch/in" --exclude '*' "${files[@]/#/--include=}"
    if tf2onnx-rs convert --quiet "$scratch/in/$model" "$scratch/out.onnx"; then
        aws s3 cp --quiet "$scratch/out.onnx" "$TO/$name.onnx"
        echo "$FROM/$model → $TO/$name.onnx"
    else
        failed=1
    fi
    rm -rf "$scratch/in" "$scratch/out.onnx"
done
exit "$failed"
