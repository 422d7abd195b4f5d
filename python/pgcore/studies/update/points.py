"""The points of an update that are measured, and what they do to the surrogate."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from torch import Tensor

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.learning import objectives
from pgcore.learning.algorithms import Objective
from pgcore.learning.data import TrainingData
from pgcore.learning.watch import Point
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.studies.landscape.surfaces import surrogate_surface
from pgcore.studies.pairs.steps import finite_update

EVERY = ("pass", "minibatch")
_CLIP = 0.2  # ε of the clip fraction of algorithms that clip nothing


def points_of(
    agent: Agent, data: TrainingData, seed: int, label: int, every: str, slots: int
) -> dict[int, Point]:
    """The points of one update of an agent that are measured, by their slot.

    Args:
        agent: one trial.
        data, seed, label: see :meth:`pgcore.Agent.updated`.
        every: "pass" over the pairs, or "minibatch".
        slots: how many there are at most.

    Raises:
        LeftOutError: the update diverges.
    """
    seen: list[Point] = []
    finite_update(agent, data, seed, label, seen.append)
    return chosen_points(seen, every, slots)


def chosen_points(seen: list[Point], every: str, slots: int) -> dict[int, Point]:
    """Every pass or minibatch; every second, third, ... where an update has more than slots.

    The last point is always among them. All tries of a line search count as passes do. Slots follow
    from the update as it is planned: one that ends early leaves the last ones empty.
    """
    last = seen[-1]
    stride = last.per_pass if every == "pass" else 1
    stride *= math.ceil(math.ceil(last.of / stride) / slots)
    return {
        math.ceil(p.number / stride) - 1: p for p in seen if p.number % stride == 0 or p is last
    }


def place_of(point: Point) -> tuple[float, float]:
    """Passes over the pairs, or fraction of the step that is tried; and whether it is accepted."""
    if point.fraction is None or point.accepted is None:
        return point.number / point.per_pass, math.nan
    return float(point.fraction[0]), float(point.accepted[0])


def _unclipped(ratio: Tensor, advantages: Tensor, _: object) -> Tensor:
    return objectives.surrogate(ratio, advantages)


def _clip_fraction(ratio: Tensor, _: Tensor, settings: object) -> Tensor:
    return ((ratio - 1).abs() > getattr(settings, "clip", _CLIP)).float().mean(-1)


def gains(
    agent: Agent,
    policies: GaussianPolicy,
    own: TrainingData,
    fresh: TrainingData,
    num_threads: int,
) -> dict[str, F64]:
    """What the points of an update gain on the start, each [M - 1].

    Args:
        agent: where the update starts.
        policies: M members, the first of them the start.
        own, fresh: the update's pairs, and as many that it has not seen.
        num_threads: of the tensor work.
    """
    algorithm = agent.check_algorithm()

    def mean(objective: Objective, data: TrainingData) -> tuple[F64, F64]:
        judge = dataclasses.replace(
            agent, algorithm=dataclasses.replace(algorithm, objective=objective)
        )
        values, kl = surrogate_surface(policies, judge, data, num_threads)
        return values[1:] - values[0], kl[1:]

    flat = policies.flat.double().numpy()
    surrogate, kl = mean(algorithm.objective, own)
    return {
        "surrogate": surrogate,
        "fresh": mean(algorithm.objective, fresh)[0],
        "unclipped": mean(_unclipped, own)[0],
        "unclipped_fresh": mean(_unclipped, fresh)[0],
        "kl": kl,
        "clip_fraction": mean(_clip_fraction, own)[0],
        "norm": np.linalg.norm(flat[1:] - flat[0], axis=1),
    }
