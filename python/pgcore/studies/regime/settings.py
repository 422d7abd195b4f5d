"""The settings of a sample regime study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pgcore.base.command import one_of
from pgcore.base.errors import (
    check_choice,
    check_count,
    check_counts,
    check_flag,
    check_number,
    check_seed,
    shown,
)
from pgcore.learning.algorithms import ALGORITHMS
from pgcore.studies.gradient.cells import LEAST_STEP_PAIRS
from pgcore.studies.gradient.study import GradientStudy
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.step.study import StepStudy
from pgcore.training.presets import PRESETS

LAST = 1.0  # share of training at its end


@dataclass(frozen=True)
class RegimeStudy:
    """What a sample regime study is told."""

    algorithms: Annotated[tuple[str, ...], one_of(ALGORITHMS, None)] = ("ppo", "trpo")
    """Policy updates to train with."""
    pairs: tuple[int, ...] = (512, 2048, 8192)
    """The values of n, pairs per iteration and agent."""
    rates: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Factors of the preset's learning rate of the policy; of TRPO's bound delta."""
    total_pairs: int = 1_000_000
    """Pairs of a whole training, the same at each grid point up to less than one iteration."""
    trials: int = 8
    """Agents at each grid point; the same seeds at all."""
    preset: Annotated[str | None, one_of(PRESETS)] = None
    """Where all other settings come from, see `pgcore train`; None: as there."""
    minibatch_size: int | None = None
    """Pairs of a minibatch at every n; None: the preset's number of minibatches at every n."""
    persist: bool = False
    """Go on with the trajectories of the last iteration, instead of from fresh resets."""
    shares: tuple[float, ...] = (0.0, 0.3, 0.6, 0.9)
    """Of training, from 0 to below 1, after which gradients and steps are measured; the reward, at
    the end, too."""
    estimates: int = 10
    """Gradient estimates from n pairs each."""
    true_pairs: int = 100_000
    """Pairs of the true gradient."""
    steps: int = 10
    """Independent steps from n pairs each."""
    reward_pairs: int = 20_000
    """Pairs of a true reward: after a step, and of each agent."""
    seed: int = 0
    """Of everything random."""

    def __post_init__(self) -> None:
        check_all("algorithms", self.algorithms)
        for name in self.algorithms:
            check_choice("algorithms", name, list(ALGORITHMS))
        check_counts("pairs", self.pairs)
        check_all("rates", self.rates)
        for rate in self.rates:
            check_number("rates", rate, 0, above=True)
        if len({f"{rate:g}" for rate in self.rates}) < len(self.rates):
            raise ValueError(f"rates: expected factors that differ in six digits, got {self.rates}")
        check_count("total_pairs", self.total_pairs, 1)
        if self.total_pairs < max(self.pairs):
            raise ValueError(
                f"total_pairs: expected at least one iteration's pairs ({max(self.pairs)}), got "
                f"{self.total_pairs}"
            )
        check_count("trials", self.trials)
        if self.preset is not None:
            check_choice("preset", self.preset, PRESETS)
        check_flag("persist", self.persist)
        check_seed("seed", self.seed)
        self._check_minibatches()
        self._check_shares()
        for n in self.pairs if self.shares else ():
            self.step(n, Sampling())
            self.gradient(n, Sampling())

    def _check_minibatches(self) -> None:
        if self.minibatch_size is None:
            return
        size = check_count("minibatch_size", self.minibatch_size)
        for n in self.pairs:
            if n % size:
                raise ValueError(
                    f"minibatch_size: expected a divisor of every number of pairs, got {size} for "
                    f"{n}"
                )

    def _check_shares(self) -> None:
        if self.shares:
            check_all("shares", self.shares)
        for share in self.shares:
            check_number("shares", share, 0)
            if share >= LAST:
                raise ValueError(
                    f"shares: expected numbers from 0 to below 1, got {share}; at the end of "
                    "training the reward is measured anyway, and an annealed step is none"
                )
        for n in self.pairs:
            found = [iteration_at(share, self.iterations(n)) for share in self.shares]
            if len(set(found)) < len(found):
                raise ValueError(
                    f"shares: expected different iterations, got {found} of the "
                    f"{self.iterations(n)} that {self.total_pairs} pairs make with {n} each; "
                    "choose fewer shares, or more total_pairs"
                )

    def iterations(self, pairs: int) -> int:
        """Of a training with so many pairs in each."""
        return self.total_pairs // pairs

    def gradient(self, pairs: int, sampling: Sampling) -> GradientStudy:
        """The gradient study of agents that learn from so many pairs; without computed steps."""
        return GradientStudy(
            pairs=(pairs,),
            estimates=self.estimates,
            true_pairs=self.true_pairs,
            true_step_pairs=max(pairs, 2 * LEAST_STEP_PAIRS),
            largest_step=0,
            seed=self.seed,
            sampling=sampling,
        )

    def step(self, pairs: int, sampling: Sampling) -> StepStudy:
        """The step study of agents that learn from so many pairs; without random steps."""
        return StepStudy(
            pairs=(pairs,),
            steps=self.steps,
            reward_pairs=self.reward_pairs,
            random=False,
            seed=self.seed,
            sampling=sampling,
        )


def iteration_at(share: float, iterations: int) -> int:
    """The iteration after a share of them, rounded down; 0.3 of 10 is 3."""
    return int(share * iterations + 1e-9)


def check_all(name: str, values: Sequence[Any]) -> None:
    """At least one value, and none twice."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{name}: expected a sequence, got {shown(values)}")
    if not values:
        raise ValueError(f"{name}: expected at least one, got none")
    twice = [v for i, v in enumerate(values) if v in values[:i]]
    if twice:
        raise ValueError(f"{name}: expected every value once, got {twice[0]!r} several times")
