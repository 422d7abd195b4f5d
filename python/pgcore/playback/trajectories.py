"""Trajectories with the simulator's states, and which states a film of them shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64, I64
from pgcore.base.errors import check_count, check_flag, check_number
from pgcore.rollout.batch import RolloutBatch

_SMOOTH = 60  # frames per second; more are not seen
_UNLIMITED = 1000  # steps of a task without a time limit


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One trajectory that was played.

    Attributes:
        states: [L, D] float64, MuJoCo's ``mjSTATE_INTEGRATION`` at each of its L observations.
        total: its undiscounted return, the sum of its rewards in a :class:`RolloutBatch`.
        ended: "terminated" by the task, "truncated" by its time limit, "diverged" where the
            simulation blew up, or "cut" after ``max_steps``.
    """

    states: F64
    total: float
    ended: str

    @property
    def length(self) -> int:
        """Steps."""
        return len(self.states)


def play_trajectories(
    agent: Agent, count: int, seed: int, deterministic: bool, max_steps: int | None
) -> list[Trajectory]:
    """Trajectories of an agent of one trial: the first of each stream of one rollout.

    They are those of ``agent.collect(steps, streams=count, seed=seed)``, whatever ``steps`` is.
    """
    check_count("trajectories", count)
    check_flag("deterministic", deterministic)
    limit = agent.task.time_limit
    if max_steps is not None:
        check_count("max_steps", max_steps)
    steps = min(x for x in (max_steps, limit, math.inf) if x is not None)
    batch = agent.collect(
        _UNLIMITED if math.isinf(steps) else int(steps),
        count,
        seed,
        deterministic=deterministic,
        keep_states=True,
    )
    return [_first_of(batch, stream) for stream in range(count)]


def _first_of(batch: RolloutBatch, stream: int) -> Trajectory:
    assert batch.states is not None
    ends = np.flatnonzero(batch.terminated[stream] | batch.truncated[stream])
    last = int(ends[0]) if len(ends) else batch.rewards.shape[1] - 1
    ended = "cut"
    for name in ("truncated", "terminated", "diverged"):  # of several, the last here counts
        if getattr(batch, name)[stream, last]:
            ended = name
    own = slice(last + 1)
    total = float(batch.rewards[stream, own].sum())
    return Trajectory(batch.states[stream, own], total, ended)


def frame_rate(dt: float, fps: float | None) -> Fraction:
    """Frames per second: those wanted, or one for every k-th step with the least k that is smooth.

    Args:
        dt: seconds of a step.
        fps: what the user wants, or None.
    """
    if fps is not None:
        return Fraction(check_number("fps", fps, 1, 240)).limit_denominator(1000)
    return Fraction(1 / (dt * math.ceil(1 / (_SMOOTH * dt) - 1e-9))).limit_denominator(1000)


def shown_steps(length: int, dt: float, rate: Fraction) -> I64:
    """The step of each frame, so that a film runs as fast as the simulation's own time."""
    stride = Fraction(1 / (float(rate) * dt)).limit_denominator(1000)
    return np.array([int(j * stride) for j in range(math.ceil(length / stride))], dtype=np.int64)
