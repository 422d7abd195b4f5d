"""The cells of a step study: true gradients, and K steps with their controls and true rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.learning.data import TrainingData
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.parts import padded_parameters
from pgcore.studies.engine.reading import open_cell
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.surfaces import plane, surrogate_surface
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.pairs.steps import finite_update, numbered_data
from pgcore.studies.step.controls import along, kl_of, random_step
from pgcore.studies.step.rewards import (
    Variables,
    centre_variables,
    member_variables,
    pool_returns,
)

KINDS = ("step", "random", "true")
_ALL = ("kind", "step", "fraction")
REWARDS = member_variables(_ALL, "the step and the centre")
VARIABLES: Variables = {
    **REWARDS,
    **centre_variables("the policy before the steps"),
    "surrogate": (_ALL, "1", "gain of what the algorithm maximises, on the step's own pairs"),
    "fresh": (_ALL, "1", "gain of it on as many fresh pairs"),
    "kl": (_ALL, "1", "mean KL divergence from the centre, on the step's own pairs"),
    "norm": (("kind", "step"), "1", "length of the step"),
}
TRUE: Variables = {"gradient": (("parameter",), "1", "true gradient")}


@dataclass(frozen=True)
class TrueGradient:
    """The cell of ``true.zarr``: the gradient from many pairs."""

    agents: Agents
    pairs: int
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, seed = self.agents.agent(at), self.agents.seed(at, self.seed, "step-true")
        one = np.zeros(1, dtype=np.int64)
        sums = sum_gradients(agent, self.pairs, one, seed, self.sampling, num_threads)
        gradient = padded_parameters(self.agents)
        gradient[: sums.gradients.shape[1]] = sums.gradients[0]
        return {"gradient": gradient}


@dataclass(frozen=True)
class Steps:
    """The cell of ``dataset.zarr``: K independent steps from n pairs each.

    Attributes:
        agents, steps, fractions, reward_pairs, noise, random, seed, sampling: of the study.
        true_store: where the true gradients are; None: no steps along them.
    """

    agents: Agents
    steps: int
    fractions: tuple[float, ...]
    reward_pairs: int
    noise: str
    random: bool
    seed: int
    sampling: Sampling
    true_store: str | None

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, K = self.agents.agent(at), self.steps
        shape = (len(KINDS), K, len(self.fractions))
        gains: F64 = np.full((3, *shape), np.nan)  # surrogate, fresh, KL
        moves: F64 = np.full((*shape[:2], agent.policy.flat.shape[1]), np.nan)
        for k in range(K):
            own = self._data(agent, at, k, "step", num_threads)
            seed = self.agents.seed(at, self.seed, "step", at["n"])
            moves[0, k] = finite_update(agent, own, seed, k)
            self._controls(agent, at, k, own, moves)
            fresh = self._data(agent, at, k, "fresh", num_threads)
            for kind in self._kinds():
                gains[:, kind, k] = self._gains(agent, moves[kind, k], own, fresh, num_threads)
        values = self._rewards(agent, at, moves, num_threads)
        return {
            **values,
            **dict(zip(("surrogate", "fresh", "kl"), gains, strict=True)),
            "norm": np.sqrt(np.square(moves).sum(-1)),
        }

    def _kinds(self) -> list[int]:
        """What is measured, as places in KINDS."""
        asked = (True, self.random, self.true_store is not None)
        return [i for i, there in enumerate(asked) if there]

    def _data(
        self, agent: Agent, at: dict[str, Any], k: int, purpose: str, num_threads: int
    ) -> TrainingData:
        """The pairs of step k."""
        seed = self.agents.seed(at, self.seed, purpose, at["n"])
        return numbered_data(agent, at["n"], k, seed, self.sampling, num_threads)

    def _controls(
        self, agent: Agent, at: dict[str, Any], k: int, own: TrainingData, moves: F64
    ) -> None:
        """Fill in the random step of equal KL and the true gradient's of equal length."""
        norm = float(np.linalg.norm(moves[0, k]))
        if self.random:
            seed = self.agents.seed(at, self.seed, "random", at["n"], k)
            moves[1, k] = random_step(agent, own, kl_of(agent, own, moves[0, k]), norm, seed)
        if self.true_store is not None:
            where = {name: at[name] for name in ("agent", "iteration", "trial")}
            true = open_cell(self.true_store, where, ["gradient"])["gradient"]
            moves[2, k] = along(true[: moves.shape[-1]], norm)

    def _gains(
        self, agent: Agent, move: F64, own: TrainingData, fresh: TrainingData, num_threads: int
    ) -> F64:
        """Surrogate gain on own and on fresh pairs, and KL [3, fractions]."""
        scales = np.array([0.0, *self.fractions])
        stack = plane(agent, move, move, scales, np.array([0.0]))
        here, kl = surrogate_surface(stack, agent, own, num_threads)
        there, _ = surrogate_surface(stack, agent, fresh, num_threads)
        return np.stack([here[1:] - here[0], there[1:] - there[0], kl[1:]])

    def _rewards(
        self, agent: Agent, at: dict[str, Any], moves: F64, num_threads: int
    ) -> dict[str, F64 | float]:
        """True returns of centre and steps, from one pool of streams."""
        kinds, F = self._kinds(), len(self.fractions)
        scaled = moves[kinds][:, :, None] * np.array(self.fractions)[:, None]  # [kind, K, F, P]
        every = np.concatenate(
            [np.zeros((1, moves.shape[-1])), scaled.reshape(-1, moves.shape[-1])]
        )
        flat = agent.policy.flat[0].double().numpy() + every
        policies = agent.policy.with_members(torch.from_numpy(flat.astype(np.float32)))
        step_of = np.tile(np.repeat(np.arange(self.steps), F), len(kinds))
        pool = pool_returns(
            agent,
            policies,
            np.concatenate([np.zeros(1, dtype=np.int64), step_of]),
            self.reward_pairs,
            self.agents.seed(at, self.seed, "step-reward", at["n"]),
            self.noise == "common",
            num_threads,
        )
        values = pool.centre()
        for name, (dims, _, _) in REWARDS.items():
            sums = getattr(pool, name)[..., 1:]
            whole = np.full((*sums.shape[:-1], len(KINDS), self.steps, F), np.nan)
            whole[..., kinds, :, :] = sums.reshape(*sums.shape[:-1], len(kinds), self.steps, F)
            assert whole.ndim == len(dims)
            values[name] = whole
        return values
