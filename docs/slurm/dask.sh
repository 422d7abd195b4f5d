#!/bin/bash
# A study on the cores of several nodes: sbatch dask.sh
#SBATCH --job-name=pgcore-study
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=64G
#SBATCH --time=08:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out

RUN=${RUN:-runs/ppo}
STUDY=${STUDY:-landscape}
OPTIONS=${OPTIONS:-}
NETWORK=${INTERFACE:+--interface $INTERFACE} # such as ib0; without one Dask chooses

export OMP_NUM_THREADS=1
where=scheduler-$SLURM_JOB_ID.json # in a folder that all nodes see, but not in the study's
rm -f "$where"                     # of an earlier turn

srun --overlap --nodes=1 --ntasks=1 --cpus-per-task=1 \
  dask scheduler --scheduler-file "$where" --port 0 --dashboard-address 127.0.0.1:0 $NETWORK &
scheduler=$!
srun --overlap --cpus-per-task="$SLURM_CPUS_PER_TASK" dask worker --scheduler-file "$where" \
  --nworkers "$SLURM_CPUS_PER_TASK" --nthreads 1 --dashboard-address 127.0.0.1:0 $NETWORK &
workers=$!

address=
until [ -n "$address" ]; do
  kill -0 "$scheduler" || exit 1
  sleep 1
  address=$(grep -m 1 -o '[a-z]*://[^"]*' "$where" 2>/dev/null)
done

# The signal comes to this script alone, which hands it on to the study.
pgcore study "$STUDY" "$RUN" --out "$RUN-$STUDY" --cluster "$address" $OPTIONS &
study=$!
trap 'kill -USR1 "$study"' USR1
wait "$study"
code=$?
while kill -0 "$study" 2>/dev/null; do # a signal ended the wait, not the study
  wait "$study"
  code=$?
done
kill "$workers" "$scheduler"
rm -f "$where"

# 130: asked to stop, and what was finished is on disk; 138 and 143: asked ahead of any work.
# Anything else is an error, which another turn would only repeat.
case $code in 130 | 138 | 143) scontrol requeue "$SLURM_JOB_ID" ;; esac
exit $code
