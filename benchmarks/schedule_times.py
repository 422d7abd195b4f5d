"""Times of the parts of studies and training on one core, around an agent trained for a minute."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from schedule import Phase, serial

import pgcore
from pgcore import _core
from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.base.threads import chosen_threads, one_torch_thread
from pgcore.policies.gaussian import gradient_sums
from pgcore.studies.engine.cells import run_plan
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.directions import random_direction
from pgcore.studies.landscape.study import LandscapeStudy
from pgcore.studies.landscape.surfaces import plane, surrogate_surface
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.pairs.steps import step_data
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.presets import preset_config
from pgcore.training.run import Run

TRAINED = 60  # iterations of the agent
POINTS = 11  # along the axes of the plane around it
ALGORITHMS = ("ppo", "trpo")


@dataclass(frozen=True)
class Update:
    """Seconds of one agent's policy update from n pairs, a + b n; ``lock`` of them are Python's."""

    fixed: float
    pair: float
    lock: float

    def phase(self, pairs: int) -> Phase:
        seconds = self.fixed + self.pair * pairs
        return serial(seconds, min(1.0, self.lock / seconds))


@dataclass(frozen=True)
class Times:
    """What was measured, in seconds on one core.

    Attributes:
        pair: of the simulator.
        lengths: trajectories around each point of a plane.
        overhead: of a map's cell beside its streams: reading, planning, storing.
        judged: advantages of a pair.
        summed: advantages and gradient sums of a pair.
        block: of the surrogate, 8 members on 2000 pairs.
        updates: by algorithm.
    """

    pair: float
    lengths: list[F64]
    overhead: float
    judged: float
    summed: float
    block: float
    updates: dict[str, Update]


def cpu(function: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Seconds of CPU, the least of three: the machine may be busy with something else."""
    seconds = []
    for _ in range(3):
        start = clock()
        function()
        seconds.append(clock() - start)
    return min(seconds)


def measured_update(agent: Agent, algorithm: str) -> Update:
    """Times of an algorithm's update from two numbers of pairs, and of one of next to nothing."""
    config = dataclasses.replace(preset_config("paper", "Hopper-v2", algorithm), iterations=10_000)
    own = dataclasses.replace(agent, settings=config.settings(), rate=1.0, optimizer={})
    few, many = 2000, 20_000
    seconds = []
    for n in (few, many):
        streams = list(range(-(-n // 2048)))
        data = step_data(own, n, streams, 0, Sampling(), chosen_threads(None))
        seconds.append(cpu(lambda data=data: own.updated(data, 0)))
    slope = (seconds[1] - seconds[0]) / (many - few)
    # the same operations on tensors of nothing are what Python does
    policy = pgcore.GaussianPolicy(agent.task.obs_dim, agent.task.act_dim, (1, 1))
    nothing = dataclasses.replace(own, policy=policy)
    data = step_data(nothing, 64, [0], 0, Sampling(), 1)
    lock = cpu(lambda: nothing.updated(data, 0))
    return Update(seconds[0] - slope * few, slope, lock)


def map_overhead(run: Path) -> float:
    """Seconds of a map's cell beside its streams, from a small study on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        study = LandscapeStudy(
            iterations=(0, TRAINED), points=(POINTS, POINTS), sources=(128, 256), pairs=(1, 2)
        )
        plans = study.plans(Agents.of(run, study.iterations, study.trials), Path(folder))
        run_plan(plans["surrogate.zarr"], Path(folder) / "surrogate.zarr", num_threads=1)
        native: list[float] = []
        real = _core.evaluate

        def evaluate(**arguments):
            start = time.process_time()
            result = real(**arguments)
            native.append(time.process_time() - start)
            return result

        _core.evaluate = evaluate
        try:
            start = time.process_time()
            run_plan(plans["reward.zarr"], Path(folder) / "reward.zarr", num_threads=1)
            whole = time.process_time() - start
        finally:
            _core.evaluate = real
        return (whole - sum(native)) / len(native)


def measured(run: Path) -> Times:
    """Everything, around the last checkpoint of a run."""
    agent = load_checkpoint(run / "checkpoints" / f"{TRAINED:06d}.safetensors").agent().select(0)
    updates = {algorithm: measured_update(agent, algorithm) for algorithm in ALGORITHMS}
    data = step_data(agent, 2048, [0], 0, Sampling(), 1)
    step = agent.updated(data, 0)
    axis = np.linspace(0, 3, POINTS)
    policies = plane(agent, step, random_direction(len(step), 0), axis, axis)
    normalizer = agent.normalizer.select(np.zeros(POINTS**2, dtype=np.int64))
    scores = pgcore.evaluate(agent.task, policies, 2000, 0, normalizer=normalizer, streams=2)
    lengths = [scores.lengths[scores.member == m] for m in range(POINTS**2)]

    def simulate() -> pgcore.RolloutBatch:
        return pgcore.collect(
            agent.task, agent.policy, 2048, 8, normalizer=agent.normalizer, num_threads=1
        )

    batch, pairs = simulate(), 8 * 2048
    with one_torch_thread():
        advantages = Sampling().judge(agent, batch)
        judged = cpu(lambda: Sampling().judge(agent, batch)) / pairs
        sums = cpu(lambda: gradient_sums(agent.policy, batch.inputs, batch.actions, advantages))
    few = policies.with_members(policies.flat[:8])
    return Times(
        pair=cpu(simulate, time.process_time) / pairs,
        lengths=lengths,
        overhead=map_overhead(run),
        judged=judged,
        summed=judged + sums / pairs,
        block=cpu(lambda: surrogate_surface(few, agent, data, 1), time.process_time),
        updates=updates,
    )


def trained_run(folder: Path) -> None:
    """A run of one trial, stopped early."""
    config = dataclasses.replace(
        preset_config("paper", "Hopper-v2", "ppo"), iterations=10_000, keep=(0, TRAINED)
    )
    with Run(folder, config) as run:
        for record in run.iterations():
            if record.iteration + 1 == TRAINED:
                return
