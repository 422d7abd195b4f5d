"""The training loop, in memory."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.errors import check_type
from pgcore.base.threads import chosen_threads
from pgcore.tasks.actions import chosen_actions
from pgcore.tasks.files import located
from pgcore.tasks.make import make_task
from pgcore.training.block import Block, Outcome
from pgcore.training.config import TrainConfig
from pgcore.training.divergence import (
    DivergedError,
    Divergence,
    State,
    divergences,
    reward_terms,
)
from pgcore.training.pipeline import outcomes
from pgcore.training.start import check_size


@dataclass(frozen=True)
class Record:
    """One iteration: its number, metrics [M] by name, seconds by name, and who diverged in it.

    A diverged trial's metrics are NaN from that iteration on, and its environment steps stay.
    """

    iteration: int
    metrics: dict[str, NDArray[Any]]
    seconds: dict[str, float]
    diverged: tuple[Divergence, ...] = ()


class Trainer:
    """Trains the agents of a config; iterate over :meth:`run` to go on.

    Trials are cut into blocks of ``config.block``. Blocks run on threads of their own, so that one
    simulates while another updates; which thread runs what changes no result.

    Args:
        config: the settings.
        num_threads: default: what affinity, cgroup and Slurm allow.
        run: folder of the run, above which its task file may be.
    """

    def __init__(
        self, config: TrainConfig, num_threads: int | None = None, run: Path | None = None
    ) -> None:
        check_type("config", config, TrainConfig, "a TrainConfig")
        threads = chosen_threads(num_threads)
        self.config = config
        named = config.task if run is None else located(config.task, run)
        self.task = make_task(named, lowered=config.lowered)
        chosen_actions(self.task, config.actions)  # ahead of any work
        self.iteration = 0
        self._recorded: list[State] | None = None  # the blocks' at ``iteration``, while they run
        check_size(config, self.task)
        count = -(-config.trials // config.block)
        if config.trials > 1:
            count = max(2, count)  # two halves, so that one simulates while the other updates
        self._rows = np.array_split(np.arange(config.trials), count)  # of the blocks, in a state
        self.blocks = [
            Block(self.task, config, [config.trial_numbers[row] for row in rows])
            for rows in self._rows
        ]
        self.workers = min(count, threads)
        self.native_threads = max(1, threads // self.workers)

    def run(self) -> Generator[Record, None, None]:
        """Run the remaining iterations, yielding a record after each.

        Raises:
            DivergedError: all trials have diverged, after the record of the last one's.
        """

        self._recorded = self._states()
        rest = range(self.iteration, self.config.iterations)
        try:
            with closing(outcomes(self.blocks, rest, self.workers, self.native_threads)) as steps:
                start = time.perf_counter()
                while self._some_are_left() and self.iteration < self.config.iterations:
                    yield self._record(next(steps), time.perf_counter() - start)
                    start = time.perf_counter()
        finally:  # blocks may be ahead
            states, self._recorded = self._recorded, None
            for block, state in zip(self.blocks, states, strict=True):
                block.load_state(state)

    def _record(self, blocks: list[Outcome], seconds: float) -> Record:
        self._recorded = [b.state for b in blocks]
        names = blocks[0].metrics
        fresh = [d for d in self.divergences() if d.iteration == self.iteration]
        self.iteration += 1
        return Record(
            self.iteration - 1,
            {name: np.concatenate([b.metrics[name] for b in blocks]) for name in names},
            {
                "rollout_seconds": sum(b.rollout_seconds for b in blocks),
                "update_seconds": sum(b.update_seconds for b in blocks),
                "iteration_seconds": seconds,
            },
            tuple(fresh),
        )

    def starts_anew(self) -> bool:
        """Whether trajectories that persist are lost: no file can hold those of gym: tasks."""
        return self.iteration > 0 and any(b.course and b.course.states is None for b in self.blocks)

    def divergences(self) -> list[Divergence]:
        """The trials that have diverged."""
        return divergences(self.state()["diverged"], reward_terms(self.task))

    def _some_are_left(self) -> bool:
        ended = self.divergences()
        if len(ended) < self.config.trials:
            return True
        shown = "; ".join(str(d) for d in ended[:5]) + ("; ..." if len(ended) > 5 else "")
        raise DivergedError(f"no trial is left after iteration {self.iteration - 1}: {shown}")

    def state(self) -> dict[str, NDArray[Any]]:
        """The state of all agents, members in the order of their trials."""
        states = self._states() if self._recorded is None else self._recorded
        return {name: np.concatenate([s[name] for s in states]) for name in states[0]}

    def _states(self) -> list[State]:
        return [block.state() for block in self.blocks]

    def load_state(self, state: dict[str, NDArray[Any]], iteration: int) -> None:
        """Go on from a state after ``iteration`` iterations."""
        for block, rows in zip(self.blocks, self._rows, strict=True):
            block.load_state({name: array[rows] for name, array in state.items()})
        self.iteration = iteration
