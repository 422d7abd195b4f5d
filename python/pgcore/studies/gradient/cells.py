"""The cells of a gradient study: true gradients and steps, and K estimates of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.learning.data import TrainingData
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.parts import padded_parameters
from pgcore.studies.engine.reading import open_cell
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import MOST_STREAMS, Sampling
from pgcore.studies.pairs.steps import StepPairs, step_data

ESTIMATE_IDS = MOST_STREAMS  # stream ids that an estimate may use
LEAST_STEP_PAIRS = 64  # an update needs a few pairs per minibatch
_Variables = dict[str, tuple[tuple[str, ...], str, str]]
TRUE: _Variables = {
    "gradient": (("half", "parameter"), "1", "true gradient, from two disjoint halves"),
    "step": (("half", "parameter"), "1", "true step, from two disjoint halves of its pairs"),
    "stream_square": ((), "1", "mean squared norm of a stream's mean gradient"),
    "streams": ((), "1", "streams of the true gradient"),
    "stream_pairs": ((), "1", "pairs of each of these streams"),
    "true_trajectories": ((), "1", "trajectories of the true gradient"),
}
ESTIMATES: _Variables = {
    "gram": (("estimate", "other"), "1", "inner products of the gradient estimates"),
    "dot_true": (("estimate",), "1", "inner product of each estimate with the true gradient"),
    "trajectories": (("estimate",), "1", "trajectories that an estimate used"),
    "diverged": (("estimate",), "1", "of these, those that a simulation which blew up has ended"),
    "step_gram": (("estimate", "other"), "1", "inner products of the computed steps"),
    "step_dot_true": (("estimate",), "1", "inner product of each step with the true step"),
}


@dataclass(frozen=True)
class TrueGradient:
    """The cell of ``true.zarr``: gradient and step, each from two disjoint halves of its pairs."""

    agents: Agents
    pairs: int
    step_pairs: int
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent = self.agents.agent(at)
        seed = self.agents.seed(at, self.seed, "true")
        halves = np.arange(2) * ESTIMATE_IDS
        sums = sum_gradients(agent, self.pairs // 2, halves, seed, self.sampling, num_threads)
        gradient, step = padded_parameters(self.agents, 2), padded_parameters(self.agents, 2)
        gradient[:, : sums.gradients.shape[1]] = sums.gradients
        if agent.algorithm is not None:
            for half in range(2):
                own = self._step(agent, half, seed, num_threads)
                step[half, : len(own)] = own
        return {
            "gradient": gradient,
            "step": step,
            "stream_square": sums.square,
            "streams": float(sums.streams),
            "stream_pairs": float(sums.steps),
            "true_trajectories": float(sums.trajectories.sum()),
        }

    def _step(self, agent: Agent, half: int, seed: int, num_threads: int) -> F64:
        """The step of one half: other streams than those of the gradient and of the other half."""
        n, first = self.step_pairs // 2, (2 + half) * ESTIMATE_IDS
        ids = [first + i for i in range(self.sampling.streams(n)[0])]
        data = step_data(agent, n, ids, seed, self.sampling, num_threads)
        return agent.updated(data, seed, half)


@dataclass(frozen=True)
class GradientEstimates:
    """The cell of ``dataset.zarr``: K estimates and their K steps, from n pairs each.

    Attributes:
        agents, estimates, largest_step, seed, sampling: of the study.
        true_store: where the true gradients are.
        swept: whether an agent at some coordinates has one; else what is compared with it is NaN.
    """

    agents: Agents
    estimates: int
    largest_step: int
    seed: int
    sampling: Sampling
    true_store: str
    swept: Callable[[Agents, Mapping[str, Any]], bool]

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, true = self.agents.agent(at), self._true(at)
        n, K, P = int(at["n"]), self.estimates, agent.policy.flat.shape[1]
        seed = self.agents.seed(at, self.seed, "estimates", n)
        firsts, steps = np.arange(K) * ESTIMATE_IDS, list[F64]()

        def take(data: TrainingData) -> None:
            steps.append(agent.updated(data, seed, len(steps)))

        makes_steps = agent.algorithm is not None and LEAST_STEP_PAIRS <= n <= self.largest_step
        keep = StepPairs(agent, n, self.sampling, take).add if makes_steps else None
        sums = sum_gradients(agent, n, firsts, seed, self.sampling, num_threads, keep)
        values: dict[str, Any] = {
            "gram": sums.gradients @ sums.gradients.T,
            "dot_true": sums.gradients @ true["gradient"][:P],
            "trajectories": sums.trajectories,
            "diverged": sums.diverged,
            "step_gram": np.full((K, K), np.nan),
            "step_dot_true": np.full(K, np.nan),
        }
        if makes_steps:
            moves = np.stack(steps)
            values["step_gram"] = moves @ moves.T
            values["step_dot_true"] = moves @ true["step"][:P]
        return values

    def _true(self, at: dict[str, Any]) -> dict[str, F64]:
        """The true gradient and step [P], mean of their halves; NaN where there are none."""
        names = ("gradient", "step")
        if not self.swept(self.agents, at):
            return dict.fromkeys(names, padded_parameters(self.agents))
        where = {name: at[name] for name in ("agent", "iteration", "trial")}
        halves = open_cell(self.true_store, where, names)
        return {name: of.mean(0) for name, of in halves.items()}
