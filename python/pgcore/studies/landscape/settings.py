"""The settings of a landscape study."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from pgcore.base.command import one_of
from pgcore.base.errors import check_choice, check_count, check_counts, check_number, check_type
from pgcore.studies.landscape.directions import Directions
from pgcore.studies.landscape.style import DIRECTIONS
from pgcore.studies.pairs.sampling import NOISES, Sampling

_MOST_POINTS = 1000  # of an axis
_FAR = 1e6  # no policy is left there
_PAPER_RANGE = (0.0, 3.0)
_TO_THE_OTHER = (0.0, 1.0)
# What makes the numbers of a store: of directions and surrogate; beside them of the true reward;
# and of an adaptive one, where what a part gets depends on all maps together, and so on their grid,
# which then cannot grow.
SURROGATE_SPEC = ("seed", "sampling")
REWARD_SPEC = ("noise", "part_pairs")
ADAPTIVE_SPEC = ("target_error", "budget", "pairs", "sources")
_PAPER_DIRECTIONS = ("step", "random")


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
    """Grid points along each of the two directions; of a line the second is 1."""
    directions: Annotated[tuple[str, str], one_of(DIRECTIONS, 2)] = _PAPER_DIRECTIONS
    """Of the axes, two of: step (of one update), gradient (as long as the step), random (Gaussian,
    norm 2), filter (Gaussian, each neuron's weights as long as the policy's), agent (the way to
    --towards)."""
    towards: str = ""
    """Where "agent" leads to: an iteration of the same run, another run's folder, or a file."""
    gradient_pairs: int = 100_000
    """Pairs that the direction "gradient" is from."""
    step_range: tuple[float, float] | None = None
    """First and last coordinate along the first direction; None: 0 to 3, or to another agent."""
    random_range: tuple[float, float] | None = None
    """First and last coordinate along the second direction; None: likewise, but for random ones
    twice the distance over which the reward falls, from a scout line (the paper's plane: 0 3)."""
    scout_pairs: int = 2000
    """Pairs of every point of the scout line."""
    noise: Annotated[str, one_of(NOISES)] = "independent"
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
        check_choice("noise", self.noise, NOISES)
        check_count("part_pairs", self.part_pairs)
        check_type("points", self.points, tuple | list, "two numbers of grid points")
        if len(self.points) != 2:
            raise ValueError(f"points: expected two numbers of grid points, got {self.points}")
        for n in self.points:
            check_count("points", n, 1, _MOST_POINTS)
        if self.target_error is not None:
            check_number("target_error", self.target_error, 0, above=True)
        if self.budget is not None:
            check_count("budget", self.budget)
        for name in ("sources", "pairs"):
            check_counts(name, getattr(self, name))
        self.sampling.check_pairs(sources=self.sources, pairs=self.pairs)
        for name in ("step_range", "random_range"):
            if getattr(self, name) is None:
                continue
            low, high = getattr(self, name)
            if not -_FAR < low < high < _FAR:
                raise ValueError(
                    f"{name}: expected two growing numbers between {-_FAR:g} and {_FAR:g}, got "
                    f"{low} and {high}"
                )
        self._check_directions()
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

    def _check_directions(self) -> None:
        for name in self.directions:
            check_choice("directions", name, tuple(DIRECTIONS))
        check_type("towards", self.towards, str, "an iteration or a path")
        if (self.towards != "") != ("agent" in self.directions):
            raise ValueError(
                "towards: expected the other agent with the direction agent, and only then; got "
                f"{self.towards!r} with {' and '.join(self.directions)}"
            )
        twice = self.directions[0] == self.directions[1]
        if twice and self.directions[0] not in ("random", "filter"):
            raise ValueError(
                f"directions: expected two that differ, got {self.directions[0]} twice"
            )
        if self.random_range is not None and self.points[1] == 1:
            raise ValueError(
                f"random_range: expected none for a line (points {self.points[0]} 1), got "
                f"{self.random_range[0]:g} {self.random_range[1]:g}; give more points, or none"
            )
        check_count("gradient_pairs", self.gradient_pairs)
        check_count("scout_pairs", self.scout_pairs)
        self.sampling.check_pairs(gradient_pairs=self.gradient_pairs)

    @property
    def scouted(self) -> bool:
        """Whether the second axis is chosen from a scout line."""
        return (
            self.random_range is None
            and self.points[1] > 1
            and self.directions[1] in ("random", "filter")
        )

    @property
    def surrogate_spec(self) -> tuple[str, ...]:
        """The settings that make directions and surrogate."""
        named = () if self.directions == _PAPER_DIRECTIONS else ("directions",)
        pairs = ("gradient_pairs",) if "gradient" in self.directions else ()
        return (*SURROGATE_SPEC, *named, *pairs)

    @property
    def reward_spec(self) -> tuple[str, ...]:
        """The settings that make the true reward along them."""
        own = (*REWARD_SPEC, *(ADAPTIVE_SPEC if self.adaptive else ()))
        return (*self.surrogate_spec, *own)

    @property
    def made(self) -> Directions:
        """How the directions are made."""
        return Directions(
            self.directions, self.towards, self.gradient_pairs, self.seed, self.sampling
        )

    @property
    def adaptive(self) -> bool:
        """Whether pairs are spent where they are needed."""
        return self.target_error is not None or self.budget is not None

    def axes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The grid's coordinates along the two directions."""
        axes = []
        ranges = (self.step_range, self.random_range)
        for ends, name, n in zip(ranges, self.directions, self.points, strict=True):
            chosen = ends or (_TO_THE_OTHER if name == "agent" else _PAPER_RANGE)
            axes.append(tuple(np.linspace(*chosen, n).round(9).tolist()))
        return axes[0], axes[1]
