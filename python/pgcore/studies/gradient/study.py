"""Gradient quality: how concentrated are gradient estimates from n pairs, and how near the truth?

Paper, section 2.1, figures 1, 2, 9 and 10. At each checkpoint and each n, K independent estimates

    g = E[∇_θ log π_θ(a|s) A(s, a)]    (equation 1)

from fresh rollouts, with GAE advantages of the checkpoint's own value network, and the steps that
one update computes from the same pairs. The "true" gradient and step come from many disjoint pairs.

Two stores: ``true.zarr`` has the true vectors, ``dataset.zarr`` the inner products of the
estimates with each other and with them, from which every statistic follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pgcore.base.errors import check_count, check_counts
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import parameters_of, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.gradient.cells import (
    ESTIMATES,
    LEAST_STEP_PAIRS,
    TRUE,
    GradientEstimates,
    TrueGradient,
)
from pgcore.studies.measures.own_pairs import nearest_to_agents
from pgcore.studies.pairs.sampling import Sampling

DEFAULT_PAIRS = (100, 200, 500, 1000, 2000, 5000, 10000)
_MOST_ESTIMATES = 4000  # so that all of them have stream ids of their own


@dataclass(frozen=True)
class GradientStudy:
    """The settings of a gradient study.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        pairs: the values of n.
        estimates: K, independent estimates at each n.
        trials: how many of the trials, from the first; None: all.
        sweep_trials: how many of these get a true gradient and every n; the others get the n
            nearest to 2048 alone, which is cheap. None: all.
        true_pairs: pairs of the true gradient, half in each of its two halves.
        true_step_pairs: pairs of the true step, which is the mean of the steps of two halves.
        largest_step: steps are computed up to this n.
        seed: of the rollouts; nothing else is random.
        sampling: how pairs are sampled and judged.
    """

    iterations: tuple[int, ...] | None = None
    pairs: tuple[int, ...] = DEFAULT_PAIRS
    estimates: int = 10
    trials: int | None = None
    sweep_trials: int | None = None
    true_pairs: int = 1_000_000
    true_step_pairs: int = 100_000
    largest_step: int = 100_000
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_count("estimates", self.estimates, 2, _MOST_ESTIMATES)
        check_count("true_pairs", self.true_pairs, 2)
        check_count("true_step_pairs", self.true_step_pairs, 2 * LEAST_STEP_PAIRS)
        if self.sweep_trials is not None:
            check_count("sweep_trials", self.sweep_trials)
        check_counts("pairs", self.pairs)
        check_count("largest_step", self.largest_step, 0)
        self.sampling.check_pairs(
            pairs=self.pairs, true_pairs=self.true_pairs, true_step_pairs=self.true_step_pairs
        )

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        if self.sweep_trials is not None:
            check_count("sweep_trials", self.sweep_trials, 1, len(agents.trials))
        self.sampling.check_agents(agents.every())
        shared = shared_of(agents)
        return {
            "true.zarr": self._true_plan(agents, shared),
            "dataset.zarr": self._estimates_plan(agents, shared, str(out.resolve() / "true.zarr")),
        }

    def _spec(self, agents: Agents, *names: str) -> dict[str, Any]:
        names = ("true_pairs", "true_step_pairs", "seed", "sampling", *names)
        return {**spec_of(self, "gradient_quality", agents, *names), "true_step": "two halves"}

    def swept(self, agents: Agents, at: Mapping[str, Any]) -> bool:
        """Whether a trial is one of those that get a true gradient and every n."""
        known = [t for t in agents.trials if agents.has({**at, "trial": t})]
        return at["trial"] in known[: self.sweep_trials]

    def _true_plan(self, agents: Agents, shared: dict[str, Any]) -> Plan:
        return Plan(
            title=f"true gradient {agents.task_id}",
            schema=Schema(
                cell_dims=agents.dims,
                inner_dims={"half": [0, 1], "parameter": parameters_of(agents)},
                variables=TRUE,
                spec=self._spec(agents),
                moments=agents.identities(),
            ),
            function=TrueGradient(
                agents, self.true_pairs, self.true_step_pairs, self.seed, self.sampling
            ),
            cost=lambda at: self.true_pairs + self.true_step_pairs,
            **{**shared, "wanted": lambda at: self.swept(agents, at)},
        )

    def _estimates_plan(self, agents: Agents, shared: dict[str, Any], true_store: str) -> Plan:
        K, own = self.estimates, nearest_to_agents(self.pairs)

        def wanted(at: dict[str, Any]) -> bool:
            return self.swept(agents, at) or (at["n"] == own and agents.has(at))

        return Plan(
            title=f"gradient {agents.task_id}",
            schema=Schema(
                cell_dims={**agents.dims, "n": list(self.pairs)},
                inner_dims={"estimate": list(range(K)), "other": list(range(K))},
                variables=ESTIMATES,
                spec=self._spec(agents, "estimates", "largest_step"),
                moments=agents.identities(),
                # a cell that was computed before its trial had a true gradient is computed again
                needed=lambda at: ("dot_true",) if self.swept(agents, at) else (),
            ),
            function=GradientEstimates(
                agents, K, self.largest_step, self.seed, self.sampling, true_store, self.swept
            ),
            cost=lambda at: K * at["n"],
            **{**shared, "wanted": wanted},
        )
