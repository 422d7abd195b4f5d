"""What a sample regime study would compute, and how long that would take, beforehand."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pgcore.agent import Agent
from pgcore.base.words import counted, lasting
from pgcore.studies.engine.cells import missing_of
from pgcore.studies.engine.describing import pairs_per_second
from pgcore.studies.engine.overlap import overlapping_cells
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.steps import step_data
from pgcore.studies.regime.call import RegimeCall
from pgcore.studies.regime.cells import REWARD_STORE, reward_plan
from pgcore.studies.regime.grid import GridRun
from pgcore.studies.regime.measuring import (
    KINDS,
    agents_of,
    by_pairs,
    sampling_of,
    study_folder,
    study_plans,
)
from pgcore.studies.regime.settings import LAST
from pgcore.studies.regime.training import training_seconds
from pgcore.training.checkpoint import Checkpoint
from pgcore.training.trainer import Trainer

Name = Callable[[GridRun], str]


@dataclasses.dataclass
class _Work:
    """Cells, of them those to compute, with their pairs and the seconds of their updates."""

    cells: int = 0
    missing: int = 0
    pairs: int = 0
    updates: float = 0.0


def describe_regime(call: RegimeCall, threads: int) -> str:
    """A line of the training, one each of rewards, gradients and steps, and one of all."""
    runs = call.runs
    left = [run.left() for run in runs]
    pairs = sum(run.pairs(n) for run, n in zip(runs, left, strict=True))
    seconds = training_seconds(runs, threads)
    agents = sum(run.config.trials for run in runs)
    lines = [
        f"training {call.spec['task']}: {sum(n > 0 for n in left)} of {len(runs)} runs to train, "
        f"{agents} agents in all, {pairs:.3g} state-action pairs; {lasting(seconds)}"
    ]
    rate = pairs_per_second(_untrained(runs[0]).select(0), threads)
    work = {"rewards": _reward_work(call)}
    if call.settings.shares:
        work |= {kind: _study_work(call, kind) for kind in KINDS}
    for kind, own in work.items():
        own_seconds = own.pairs / rate + own.updates / overlapping_cells(threads)
        seconds += own_seconds
        lines.append(
            f"{kind}: {own.missing} of {own.cells} cells to compute, {own.pairs:.3g} state-action "
            f"pairs; {lasting(own_seconds)}"
        )
    lines.append(
        f"together {lasting(seconds)} on {counted(threads, 'thread')}, from a few iterations, "
        "updates and trajectories of untrained agents"
    )
    return "\n".join(lines)


def _untrained(run: GridRun) -> Agent:
    """Its agents ahead of their training."""
    return Checkpoint(run.config, 0, Trainer(run.config).state(), "", Path(), "").agent()


def _expected(
    call: RegimeCall, runs: Sequence[GridRun], shares: Sequence[float], name: Name
) -> Agents:
    """The agents of runs at their end, and untrained ones in place of those that are to come."""
    ended = [run for run in runs if not run.left()]
    agents = agents_of(ended, shares, name, call.lowered, call.warm_up)
    parts = [] if agents is None else [agents]
    for run in runs:
        if run.left():
            agent = _untrained(run)
            for i in map(run.iteration, shares):
                there = {name(run): dataclasses.replace(agent, iteration=i)}
                parts.append(Agents.of(there, warm_up=False))
    return Agents.together(parts)


def _reward_work(call: RegimeCall) -> _Work:
    """Of the true rewards."""
    shares = (0.0, *call.settings.shares, LAST)
    agents = _expected(call, call.runs, shares, lambda run: run.folder.name)
    plan = reward_plan(call.settings, call.runs, agents, call.spec, call.identities)
    missing = missing_of(plan, call.out / REWARD_STORE)
    return _Work(len(plan.cells()), len(missing), sum(map(plan.cost, missing)))


def _study_work(call: RegimeCall, kind: str) -> _Work:
    """Of all gradient or step studies."""
    whole, settings = _Work(), call.settings
    for algorithm, pairs, runs in by_pairs(call.runs):
        folder = study_folder(call.out, kind, algorithm, pairs)
        agents = _expected(call, runs, settings.shares, lambda run: run.label)
        plans, most = study_plans(settings, kind, runs, agents, folder), 0
        for name, plan in plans.items():
            missing = missing_of(plan, folder / name)
            whole.cells += len(plan.cells())
            whole.missing += len(missing)
            whole.pairs += sum(map(plan.cost, missing))
            most = max(most, len(missing))
        if most:
            each = settings.steps if kind == "step" else 1
            whole.updates += most * each * _update_seconds(runs[0])
    return whole


def _update_seconds(run: GridRun) -> float:
    """Of one update of one agent from the pairs of an iteration."""
    agent, sampling = _untrained(run).select(0), sampling_of(run.config)
    ids = list(range(sampling.streams(run.config.pairs)[0]))
    data = step_data(agent, run.config.pairs, ids, 0, sampling, 1)
    start = time.perf_counter()
    agent.updated(data, 0)
    return time.perf_counter() - start
