"""What a step is compared with: a random step of equal KL, and one along the true gradient."""

from __future__ import annotations

import math

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.learning.data import TrainingData
from pgcore.studies.landscape.surfaces import plane, surrogate_surface

_NEAR = 1e-2  # relative error of the KL that ends the search
_TRIES = 30


def kl_of(agent: Agent, data: TrainingData, step: F64) -> float:
    """Mean KL(θ || θ + step) on given pairs."""
    stack = plane(agent, step, step, np.array([1.0]), np.array([0.0]))
    return float(surrogate_surface(stack, agent, data, 1)[1][0])


def random_step(agent: Agent, data: TrainingData, kl: float, norm: float, seed: int) -> F64:
    """A Gaussian direction [P], scaled so that its mean KL on the pairs is ``kl``.

    KL grows with nearly the square of the length, so that the next length is l sqrt(kl / KL(l)),
    kept inside what is known to be too short and too long.

    Args:
        agent: θ.
        data: the pairs [1, N, ...].
        kl: of the step that it is compared with; 0 gives no step.
        norm: first guess of the length.
        seed: of the direction.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    unit = generator.standard_normal(agent.policy.flat.shape[1])
    unit /= np.linalg.norm(unit)
    if not kl > 0:
        return np.zeros_like(unit)
    low, high, length = 0.0, math.inf, norm
    for _ in range(_TRIES):
        found = kl_of(agent, data, length * unit)
        if abs(found / kl - 1) < _NEAR:
            break
        low, high = (max(low, length), high) if found < kl else (low, min(high, length))
        guess = length * math.sqrt(kl / found) if found > 0 else 2 * length
        inside = low < guess < high
        length = guess if inside else (2 * low if math.isinf(high) else (low + high) / 2)
    return np.asarray(length * unit)


def along(direction: F64, norm: float) -> F64:
    """A step of a given length along a direction [P]."""
    size = float(np.linalg.norm(direction))
    return np.asarray(direction * (norm / size) if size > 0 else np.zeros_like(direction))
