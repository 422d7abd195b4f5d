#!/bin/bash
# A run and a study of it on one node: sbatch node.sh
#SBATCH --job-name=pgcore
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=32G
#SBATCH --time=08:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out

RUN=${RUN:-runs/ppo}
TRAIN=${TRAIN:---task Hopper-v2 --algorithm ppo --trials 24}
STUDY=${STUDY:-gradient}
OPTIONS=${OPTIONS:-}

# 130: asked to stop, and what was finished is on disk; 138 and 143: asked ahead of any work.
# Anything else is an error, which another turn would only repeat.
again() {
  local code=$?
  case $code in 130 | 138 | 143) scontrol requeue "$SLURM_JOB_ID" ;; esac
  exit $code
}

# a step has one core unless it is told how many
step() { srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" "$@"; }

step pgcore train --out "$RUN" --resume $TRAIN || again
step pgcore study "$STUDY" "$RUN" --out "$RUN-$STUDY" $OPTIONS || again
