#!/bin/bash
# A Slurm array job that converts all models below CHECKPOINTS into OUT. Each task chooses its shard automatically.
#
#     CHECKPOINTS=/data/checkpoints OUT=/data/onnx sbatch slurm.sh
#
#SBATCH --job-name=tf2onnx-rs
#SBATCH --array=0-15
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=tf2onnx-rs-%A_%a.log
set -euo pipefail
: "${CHECKPOINTS:?the folder with the models}" "${OUT:?the folder for the converted models}"

# A preempted task starts again and skips finished models.
exec tf2onnx-rs batch "$CHECKPOINTS" --out-dir "$OUT" --resume --report "$OUT/report.jsonl" \
    --jobs "${SLURM_CPUS_PER_TASK:-1}"
