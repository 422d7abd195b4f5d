"""What a study would compute, and how long that takes here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from pgcore.agent import Agent
from pgcore.base.threads import chosen_threads
from pgcore.base.words import counted, lasting
from pgcore.studies.engine.cells import Plan, missing_of
from pgcore.studies.engine.store import check_folder


def describe_plans(
    plans: Mapping[str, Plan], out: str | Path, num_threads: int | None = None
) -> str:
    """A line for each plan of a study (cells, simulator steps and time), and one of all.

    Args:
        plans: by the names of their stores.
        out: folder of the stores.
        num_threads: default: what affinity, cgroup and Slurm allow.
    """
    check_folder(out, next(iter(plans.values())).schema.spec)
    threads = chosen_threads(num_threads)
    rates: dict[str, float] = {}  # of the agents that are simulated, which plans may share
    lines, together = [], 0.0
    for name, plan in plans.items():
        simulated = plan.probe.digest()
        if simulated not in rates:
            rates[simulated] = pairs_per_second(plan.probe, threads)
        rate = rates[simulated]
        cells, missing = plan.cells(), missing_of(plan, Path(out) / name)
        pairs = sum(plan.cost(at) for at in missing)
        seconds = pairs * plan.work / rate
        together += seconds
        frames = getattr(plan.probe.task, "frame_skip", None)  # unknown of Gymnasium environments
        steps = "" if frames is None else f" ({pairs * frames:.3g} simulator steps)"
        lines.append(
            f"{plan.title}: {len(missing)} of {len(cells)} cells to compute, {pairs:.3g} "
            f"state-action pairs{steps}; {lasting(seconds)} at {rate:.3g} pairs/s on "
            f"{counted(threads, 'thread')}"
        )
    if len(plans) > 1:
        lines.append(f"together {lasting(together)}")
    return "\n".join(lines)


def pairs_per_second(agent: Agent, threads: int) -> float:
    """How fast an agent is simulated, from a short calibration."""
    start = time.perf_counter()
    batch = agent.collect(500, 4 * threads, num_threads=threads)
    return batch.rewards.size / (time.perf_counter() - start)
