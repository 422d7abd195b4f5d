"""What an update tells whoever watches it: the parameters that it comes by."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pgcore.learning.data import Minibatches
from pgcore.policies.gaussian import GaussianPolicy


@dataclass(frozen=True)
class Point:
    """Where an update of M members stands.

    Attributes:
        flat: [M, P], a copy of the parameters.
        number: of this point in the update, from 1.
        of: how many there are if nothing ends the update early.
        per_pass: how many make a pass over the pairs.
        fraction: [M], of the whole step that a line search tries here; None: there is none.
        accepted: [M], whether the line search takes it; None: there is none.
    """

    flat: Tensor
    number: int
    of: int
    per_pass: int = 1
    fraction: Tensor | None = None
    accepted: Tensor | None = None


Watch = Callable[[Point], None]


def minibatch_watch(
    watch: Watch | None, policy: GaussianPolicy, minibatches: Minibatches
) -> Callable[[], None]:
    """What an update calls after each of its minibatches."""
    if watch is None:
        return lambda: None
    numbers, per_pass = itertools.count(1), minibatches.count
    whole = minibatches.epochs * per_pass
    return lambda: watch(Point(policy.flat.clone(), next(numbers), whole, per_pass))
