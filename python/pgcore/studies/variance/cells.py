"""The cell of a variance study: whole trajectories, and a state of each, restored many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F32, F64, I64
from pgcore.base.seeds import derive_seed
from pgcore.base.threads import one_torch_thread
from pgcore.learning.advantages import batch_values
from pgcore.policies.fisher import fisher_traces, score_squares
from pgcore.policies.gaussian import gradient_sums
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.continuations import grouped_continuations
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.sources import Agents
from pgcore.studies.measures.value import MEASURES
from pgcore.studies.measures.variance import JUDGES, restored_parts
from pgcore.studies.pairs.sampling import Sampling, sample_blocks
from pgcore.studies.value.fit import fit_value

_BLOCK_BYTES = 5e7  # of rewards and scores of restored states held at a time
_EACH, _JUDGED = ("trajectory",), ("judge", "trajectory")
VARIANCE: dict[str, tuple[tuple[str, ...], str, str]] = {
    "length": (_EACH, "pairs", "pairs of a trajectory"),
    "square": (_JUDGED, "1", "sum over its pairs of |g|², g = score * (return - baseline)"),
    "own": (_JUDGED, "1", "|G|², G the sum of g over the pairs of the trajectory"),
    "to_sum": (_JUDGED, "1", "inner product of G with the sum of all G"),
    "to_weighted": (_JUDGED, "1", "inner product of G with the sum of all G times their lengths"),
    "step": (_EACH, "1", "step at which a state of the trajectory was restored"),
    "rest": (_EACH, "1", "there: E[|g - E[g|s,a]|² | s]"),
    "state": (_EACH, "1", "there: |E[g|s]|²"),
    "pair": (_EACH, "1", "there: E[|g|² | s] with the fitted value"),
    "least": (_EACH, "1", "there: E[|g|² | s] with the best state baseline"),
    "fit_quality": ((), "1", "explained variance of the fitted value, on other returns"),
    "trajectories": ((), "1", "trajectories, and continuations of states"),
    "diverged": ((), "1", "of these, those that a simulation which blew up has ended"),
}


@dataclass(frozen=True)
class Variance:
    """The cell: N trajectories, and J actions with K rests of the trajectory at a state of each.

    Attributes:
        agents, trajectories, first_actions, rests, fit_pairs, seed: of the study.
    """

    agents: Agents
    trajectories: int
    first_actions: int
    rests: int
    fit_pairs: int
    seed: int

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent = self.agents.agent(at)
        own = agent.judgement
        sampling = Sampling(gamma=own.gamma, lam=own.lam)
        seed = self.agents.seed(at, self.seed, "variance fit")
        fitted, errors, _ = fit_value(
            agent, self.fit_pairs, seed, sampling, num_threads, limited=True
        )
        seed = self.agents.seed(at, self.seed, "variance trajectories")
        found = self.measured(agent, fitted, seed, num_threads)
        return {**found, "fit_quality": errors[MEASURES.index("explained_variance")]}

    def measured(
        self, agent: Agent, fitted: ValueNet, seed: int, num_threads: int
    ) -> dict[str, F64 | float]:
        """All but the fit: of trajectories from a seed, and a state of each."""
        own = agent.judgement
        sampling = Sampling(gamma=own.gamma, lam=own.lam)
        found, diverged = _trajectories(
            agent, self.trajectories, seed, sampling, fitted, num_threads
        )
        bits = np.random.Philox(key=derive_seed(seed, "states"))
        steps = np.random.Generator(bits).integers(0, found["length"].astype(np.int64))
        restored, blown = self._restored(agent, steps, seed, own.gamma, fitted, num_threads)
        return {
            **found,
            **restored,
            "step": steps.astype(np.float64),
            "trajectories": float(self.trajectories * (1 + self.first_actions * self.rests)),
            "diverged": diverged + blown,
        }

    def _restored(
        self, agent: Agent, steps: I64, seed: int, gamma: float, fitted: ValueNet, num_threads: int
    ) -> tuple[dict[str, F64], float]:
        """:func:`restored_parts` at a step of each trajectory, and continuations that blew up."""
        limit, J, P = agent.task.time_limit or 0, self.first_actions, agent.policy.flat.shape[1]
        size = max(1, int(_BLOCK_BYTES / (8 * J * (self.rests * limit + P))))
        blocks, blown = [], 0.0
        for i in range(0, len(steps), size):
            part = slice(i, i + size)
            after = grouped_continuations(
                agent.task, agent.policy, steps[part], np.arange(len(steps))[part], J, self.rests,
                limit, seed, num_threads, agent.normalizer, actions=agent.actions,
            )  # fmt: skip
            returns = agent.rewards(after.rewards) @ gamma ** np.arange(limit)
            blown += float(after.diverged.sum())
            with one_torch_thread():
                scores = _scores(agent, after.inputs, after.actions)
                inputs = torch.from_numpy(after.inputs)[None]
                with torch.no_grad():
                    baseline = fitted(inputs)[0].numpy().astype(np.float64)
                trace = fisher_traces(agent.policy, inputs.double(), agent.policy.flat.double())
            blocks.append(restored_parts(scores, returns, baseline, trace[0].numpy()))
        return {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}, blown


def _scores(agent: Agent, inputs: F32, actions: F32) -> F64:
    """∇ log π [B, J, P] of J actions at each of B states."""
    B, J, A = actions.shape
    each = np.repeat(inputs, J, axis=0)[:, None]
    ones = np.ones((B * J, 1))
    return gradient_sums(agent.policy, each, actions.reshape(B * J, 1, A), ones).reshape(B, J, -1)


def _trajectories(
    agent: Agent, count: int, seed: int, sampling: Sampling, fitted: ValueNet, num_threads: int
) -> tuple[dict[str, F64], float]:
    """Lengths, squares and inner products of whole trajectories, and how many blew up."""
    limit = agent.task.time_limit or 0
    gradients = np.zeros((len(JUDGES), count, agent.policy.flat.shape[1]))
    squares, lengths, blown = np.zeros((len(JUDGES), count)), np.zeros(count), 0.0
    for part, batch in sample_blocks(agent, limit, np.arange(count), seed, num_threads):
        ended = batch.terminated | batch.truncated
        ends = np.where(ended.any(1), ended.argmax(1), limit - 1)
        there = np.arange(limit) <= ends[:, None]
        lengths[part] = ends + 1.0
        blown += float((batch.diverged & there).sum())
        with one_torch_thread():
            x, a = torch.from_numpy(batch.inputs), torch.from_numpy(batch.actions)
            size = score_squares(
                agent.policy, x.reshape(1, -1, x.shape[-1]), a.reshape(1, -1, a.shape[-1])
            )
            sizes = size.numpy().astype(np.float64).reshape(there.shape)
            for j, advantages in enumerate(_judged(agent, batch, sampling, fitted)):
                weights = np.where(there, advantages, 0.0)
                gradients[j, part] = gradient_sums(
                    agent.policy, batch.inputs, batch.actions, weights
                )
                squares[j, part] = (sizes * weights**2).sum(1)
    totals, weighted = gradients.sum(1), np.einsum("jip,i->jp", gradients, lengths)
    return {
        "length": lengths,
        "square": squares,
        "own": np.einsum("jip,jip->ji", gradients, gradients),
        "to_sum": np.einsum("jip,jp->ji", gradients, totals),
        "to_weighted": np.einsum("jip,jp->ji", gradients, weighted),
    }, blown


def _judged(
    agent: Agent, batch: RolloutBatch, sampling: Sampling, fitted: ValueNet
) -> tuple[F64, ...]:
    """Advantages [S, T] in the order of :data:`JUDGES`."""
    returns = Sampling(gamma=sampling.gamma, baseline="zero").judge(agent, batch)
    net, better = (batch_values(v, batch)[0] for v in (agent.check_value(), fitted))
    return returns, returns - net, returns - better, sampling.judge(agent, batch)
