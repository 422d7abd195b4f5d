"""Gradient quality: how concentrated are gradient estimates from n pairs, and how near the truth?

Paper, section 2.1, figures 1, 2, 9 and 10. At each checkpoint and each n, K independent estimates

    g = E[∇_θ log π_θ(a|s) A(s, a)]    (equation 1)

from fresh rollouts, with GAE advantages of the checkpoint's own value network, and the steps that
one update computes from the same pairs. The "true" gradient and step come from many disjoint pairs.

Two stores: ``true.zarr`` has the true vectors, ``dataset.zarr`` the inner products of the
estimates with each other and with them, from which every statistic follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.base.errors import check_count, check_counts
from pgcore.studies.engine.cells import Plan, Values
from pgcore.studies.engine.parts import padded_parameters, parameters_of, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema, open_cell
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import MOST_STREAMS, Sampling
from pgcore.studies.pairs.steps import step_data

DEFAULT_PAIRS = (100, 200, 500, 1000, 2000, 5000, 10000)
_ESTIMATE_IDS = MOST_STREAMS  # stream ids that an estimate may use
_MOST_ESTIMATES = 4000  # so that all of them have ids of their own
_LEAST_STEP_PAIRS = 64  # an update needs a few pairs per minibatch


@dataclass(frozen=True)
class TrueGradient:
    """The cell of ``true.zarr``: gradient from two disjoint halves, and a step from many pairs."""

    agents: Agents
    pairs: int
    step_pairs: int
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent = self.agents.agent(at)
        seed = self.agents.seed(at, self.seed, "true")
        halves = np.arange(2) * _ESTIMATE_IDS
        sums = sum_gradients(agent, self.pairs // 2, halves, seed, self.sampling, num_threads)
        count, _ = self.sampling.streams(self.step_pairs)
        ids = list(range(2 * _ESTIMATE_IDS, 2 * _ESTIMATE_IDS + count))
        gradient, step = padded_parameters(self.agents, 2), padded_parameters(self.agents)
        gradient[:, : sums.gradients.shape[1]] = sums.gradients
        if agent.algorithm is not None:
            data = step_data(agent, self.step_pairs, ids, seed, self.sampling, num_threads)
            own = agent.updated(data, seed)
            step[: len(own)] = own
        return {
            "gradient": gradient,
            "step": step,
            "stream_square": sums.square,
            "streams": float(sums.streams),
            "stream_pairs": float(sums.steps),
            "true_trajectories": float(sums.trajectories.sum()),
        }


@dataclass(frozen=True)
class GradientEstimates:
    """The cell of ``dataset.zarr``: K estimates and K steps from n pairs each."""

    agents: Agents
    estimates: int
    largest_step: int
    seed: int
    sampling: Sampling
    true_store: str

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("agent", "iteration", "trial")}
        agent = self.agents.agent(at)
        true = open_cell(self.true_store, where)
        n, K, P = int(at["n"]), self.estimates, agent.policy.flat.shape[1]
        seed = self.agents.seed(at, self.seed, "estimates", n)
        firsts = np.arange(K) * _ESTIMATE_IDS
        sums = sum_gradients(agent, n, firsts, seed, self.sampling, num_threads)
        values: dict[str, Any] = {
            "gram": sums.gradients @ sums.gradients.T,
            "dot_true": sums.gradients @ true["gradient"].values.mean(0)[:P],
            "trajectories": sums.trajectories,
            "diverged": sums.diverged,
            "step_gram": np.full((K, K), np.nan),
            "step_dot_true": np.full(K, np.nan),
        }
        if agent.algorithm is not None and _LEAST_STEP_PAIRS <= n <= self.largest_step:
            count, _ = self.sampling.streams(n)
            steps = np.stack(
                [
                    agent.updated(
                        step_data(
                            agent, n, list(range(i, i + count)), seed, self.sampling, num_threads
                        ),
                        seed,
                        k,
                    )
                    for k, i in enumerate(int(f) for f in firsts)
                ]
            )
            values["step_gram"] = steps @ steps.T
            values["step_dot_true"] = steps @ true["step"].values[:P]
        return values


@dataclass(frozen=True)
class GradientStudy:
    """The settings of a gradient study.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        pairs: the values of n.
        estimates: K, independent estimates at each n.
        trials: how many of the trials, from the first; None: all.
        true_pairs: pairs of the true gradient, half in each of its two halves.
        true_step_pairs: pairs of the true step.
        largest_step: steps are computed up to this n.
        seed: of the rollouts; nothing else is random.
        sampling: how pairs are sampled and judged.
    """

    iterations: tuple[int, ...] | None = None
    pairs: tuple[int, ...] = DEFAULT_PAIRS
    estimates: int = 10
    trials: int | None = None
    true_pairs: int = 1_000_000
    true_step_pairs: int = 100_000
    largest_step: int = 10_000
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_count("estimates", self.estimates, 2, _MOST_ESTIMATES)
        check_count("true_pairs", self.true_pairs, 2)
        check_count("true_step_pairs", self.true_step_pairs, _LEAST_STEP_PAIRS)
        check_counts("pairs", self.pairs)
        check_count("largest_step", self.largest_step, 0)
        self.sampling.check_pairs(
            pairs=self.pairs, true_pairs=self.true_pairs, true_step_pairs=self.true_step_pairs
        )

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        true_store = str(out.resolve() / "true.zarr")
        shared = shared_of(agents)
        names = ("true_pairs", "true_step_pairs", "seed", "sampling")
        true = Plan(
            title=f"true gradient {agents.task_id}",
            schema=Schema(
                cell_dims=agents.dims,
                inner_dims={"half": [0, 1], "parameter": parameters_of(agents)},
                variables=_TRUE_VARIABLES,
                spec=spec_of(self, "gradient_quality", agents, *names),
                moments=agents.identities(),
            ),
            function=TrueGradient(
                agents, self.true_pairs, self.true_step_pairs, self.seed, self.sampling
            ),
            cost=lambda at: self.true_pairs + self.true_step_pairs,
            **shared,
        )
        K = self.estimates
        estimates = Plan(
            title=f"gradient {agents.task_id}",
            schema=Schema(
                cell_dims={**agents.dims, "n": list(self.pairs)},
                inner_dims={"estimate": list(range(K)), "other": list(range(K))},
                variables=_VARIABLES,
                spec=spec_of(self, "gradient_quality", agents, *names, "estimates", "largest_step"),
                moments=agents.identities(),
            ),
            function=GradientEstimates(
                agents, K, self.largest_step, self.seed, self.sampling, true_store
            ),
            cost=lambda at: K * at["n"] * (2 if at["n"] <= self.largest_step else 1),
            **shared,
        )
        return {"true.zarr": true, "dataset.zarr": estimates}


_TRUE_VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "gradient": (("half", "parameter"), "1", "true gradient, from two disjoint halves"),
    "step": (("parameter",), "1", "step computed from true_step_pairs pairs"),
    "stream_square": ((), "1", "mean squared norm of a stream's mean gradient"),
    "streams": ((), "1", "streams of the true gradient"),
    "stream_pairs": ((), "1", "pairs of each of these streams"),
    "true_trajectories": ((), "1", "trajectories of the true gradient"),
}
_VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "gram": (("estimate", "other"), "1", "inner products of the gradient estimates"),
    "dot_true": (("estimate",), "1", "inner product of each estimate with the true gradient"),
    "trajectories": (("estimate",), "1", "trajectories that an estimate used"),
    "diverged": (("estimate",), "1", "of these, those that a simulation which blew up has ended"),
    "step_gram": (("estimate", "other"), "1", "inner products of the computed steps"),
    "step_dot_true": (("estimate",), "1", "inner product of each step with the true step"),
}
