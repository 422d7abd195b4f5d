"""The settings of a landscape study."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pgcore.base.errors import check_choice, check_count, check_counts
from pgcore.studies.pairs.sampling import Sampling

_MOST_POINTS = 1000  # of an axis
_FAR = 1e6  # no policy is left there
# What makes the numbers of a store: of the directions and the surrogate, of the true reward along
# them, and of an adaptive one, where what a part gets depends on all maps together, and so on their
# grid, which then cannot grow.
SURROGATE_SPEC = ("seed", "sampling")
REWARD_SPEC = (*SURROGATE_SPEC, "noise", "part_pairs")
ADAPTIVE_SPEC = (*REWARD_SPEC, "target_error", "budget", "pairs", "sources")


@dataclass(frozen=True)
class LandscapeSettings:
    """What a landscape study is told."""

    iterations: tuple[int, ...] | None = None
    """Of the runs; None: all that they have kept."""
    trials: int | None = 1
    """How many of the trials, from the first; None: all."""
    sources: tuple[int, ...] = (2000,)
    """Pairs that the update step is computed from, one map each."""
    pairs: tuple[int, ...] = (2000, 20_000)
    """Pairs per grid point of the true reward, one map each."""
    points: tuple[int, int] = (11, 11)
    """Grid points along each of the two directions."""
    step_range: tuple[float, float] = (0.0, 3.0)
    """First and last coordinate along the step, in steps."""
    random_range: tuple[float, float] = (0.0, 3.0)
    """First and last coordinate along the random direction."""
    noise: str = "independent"
    """"independent" streams at every point, or "common" random numbers."""
    part_pairs: int = 20_000
    """A map is computed in parts of so many pairs per point."""
    target_error: float | None = None
    """After a first part everywhere, further parts go only to points whose standard error may still
    be above this (95 %), at most ``pairs`` to a point; None: to all."""
    budget: int | None = None
    """Pairs of all maps together: further parts go where the standard error is largest; None: no
    limit."""
    seed: int = 0
    """Of everything random."""
    sampling: Sampling = field(default_factory=Sampling)
    """How the pairs of a step are sampled and judged."""

    def __post_init__(self) -> None:
        check_choice("noise", self.noise, ("independent", "common"))
        check_count("part_pairs", self.part_pairs)
        for n in self.points:
            check_count("points", n, 1, _MOST_POINTS)
        for name in ("sources", "pairs"):
            check_counts(name, getattr(self, name))
        self.sampling.check_pairs(sources=self.sources, pairs=self.pairs)
        for name in ("step_range", "random_range"):
            low, high = getattr(self, name)
            if not -_FAR < low < high < _FAR:
                raise ValueError(
                    f"{name}: expected two growing numbers between {-_FAR:g} and {_FAR:g}, got "
                    f"{low} and {high}"
                )
        if self.sampling.advantages != "raw":
            raise ValueError(
                "advantages: expected raw, as sampled; a landscape's surrogate normalises them, "
                "and its step as the agent does"
            )
        if self.adaptive and len(self.pairs) != 1:
            raise ValueError(
                f"pairs: expected one number, the most for a point, with a target_error or a "
                f"budget; got {len(self.pairs)}"
            )
        if self.adaptive and not self.part_pairs < self.pairs[0]:
            raise ValueError(
                f"part_pairs: expected less than pairs ({self.pairs[0]}) with a target_error or a "
                f"budget, which spread the parts; got {self.part_pairs}. A tenth is a good choice"
            )
        if self.target_error is not None and not self.target_error > 0:
            raise ValueError(f"target_error: expected a number > 0, got {self.target_error}")
        if self.budget is not None:
            check_count("budget", self.budget)

    @property
    def adaptive(self) -> bool:
        """Whether pairs are spent where they are needed."""
        return self.target_error is not None or self.budget is not None

    def axes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The grid's coordinates in steps and in random directions."""
        axes = zip((self.step_range, self.random_range), self.points, strict=True)
        a, b = (np.linspace(*ends, n).round(9).tolist() for ends, n in axes)
        return tuple(a), tuple(b)
