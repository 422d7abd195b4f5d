#!/bin/bash
# Trials as runs of their own, one after the other as nodes get free: sbatch --array=0-23 array.sh
#SBATCH --job-name=pgcore-trial
#SBATCH --array=0-23
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=08:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A-%a.out

RUNS=${RUNS:-runs/ppo}
TRAIN=${TRAIN:---task Hopper-v2 --algorithm ppo}
TRIALS=${TRIALS:-1} # of an element of the array

# 130: asked to stop, and what was finished is on disk; 138 and 143: asked ahead of any work.
# Anything else is an error, which another turn would only repeat.
again() {
  local code=$?
  case $code in 130 | 138 | 143) scontrol requeue "$SLURM_JOB_ID" ;; esac
  exit $code
}

# The same seed at all: each element's agents begin as those of one run of all trials, up to the last digit of sums.
first=$((SLURM_ARRAY_TASK_ID * TRIALS))
srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" pgcore train --out "$RUNS-$first" \
  --first-trial "$first" --trials "$TRIALS" --resume $TRAIN || again
