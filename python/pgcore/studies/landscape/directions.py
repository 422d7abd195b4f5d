"""Directions of a landscape, by name: where a plane around a policy's parameters leads to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.base.errors import check_path
from pgcore.policies.normalize import Normalizer
from pgcore.studies.engine.identities import TARGET
from pgcore.studies.engine.moments import Moment, find_moments, one_trial, warm
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling

RANDOM_NORM = 2.0
_STATES = 1000  # on which two agents are compared
_NEAR = 1e-2  # of a standard deviation of the actions, by which their means may differ


def random_direction(parameters: int, seed: int) -> F64:
    """A Gaussian vector [P] scaled to norm 2 (the paper's, section 2.3)."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    vector = generator.standard_normal(parameters)
    return np.asarray(RANDOM_NORM * vector / np.linalg.norm(vector))


def filter_direction(agent: Agent, seed: int) -> F64:
    """A Gaussian vector [P], the weights into each neuron scaled to the norm of the agent's.

    Biases and standard deviations do not move. Source: Li et al. 2018 (arXiv:1712.09913), section
    4, for the layers of a network of neurons; Sullivan et al. 2022 (arXiv:2205.07015) take it to
    reward surfaces.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    flat = torch.from_numpy(generator.standard_normal(agent.policy.flat.shape))
    own = agent.policy.split(agent.policy.flat.double())
    drawn = agent.policy.split(flat)
    layers = agent.policy.layer_tensors
    for place, (tensor, weights) in enumerate(zip(drawn, own, strict=True)):
        if place < layers and place % 2 == 0:  # [1, in, out]
            norms = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
            tensor *= norms / torch.linalg.vector_norm(tensor, dim=1, keepdim=True)
        else:
            tensor.zero_()
    return flat[0].numpy()


@dataclass(frozen=True)
class Target:
    """The other agent that a direction leads to: an iteration, another run, or a file.

    An iteration is the same trial of the same run then; a run's folder has the other agent at the
    same iteration and trial; a file is an agent's, whose first trial is taken.
    """

    name: str

    def moment(self, own: Moment) -> Moment:
        """Where the other agent is found; ValueError if it is nowhere."""
        if self.name.isdigit():
            if not own.config:
                raise ValueError(
                    f"towards: {own.label} is from no run, so that it has no iteration "
                    f"{self.name}; give a run or an agent's file"
                )
            run = Path(own.path).parent.parent
            return warm(find_moments(own.label, run, [int(self.name)])[0])
        place = check_path("towards", self.name)
        if place.is_dir():
            try:
                return warm(find_moments("towards", place, [own.iteration])[0])
            except ValueError as error:
                raise ValueError(f"towards: {error}") from error
        if not place.is_file():
            raise ValueError(
                "towards: expected an iteration of the same run, another run's folder, or an "
                f"agent's file, got {self.name!r}"
            )
        return find_moments("towards", place, None)[0]

    def of(self, agents: Agents, at: dict[str, Any]) -> Agent:
        """The agent that the one at some coordinates is led to."""
        own = agents.moment(at)
        assert own is not None
        other = self.moment(own)
        trial = at["trial"] - own.first if other.config else 0
        if trial not in other.trials:
            raise ValueError(f"towards: {self.name} has no trial {trial}, or it has diverged")
        return one_trial(other, trial)

    def identities(self, agents: Agents) -> dict[str, str]:
        """What identifies the other agent of every moment, by its name in a store."""
        return {f"{m.name}{TARGET}": self.moment(m).digest for m in agents.moments}

    def check(self, agents: Agents) -> None:
        """ValueError if some agent has no way to the other one."""
        for at, _ in agents.every():
            self.direction(agents, at)

    def direction(self, agents: Agents, at: dict[str, Any]) -> F64:
        """The way [P] from an agent to the other one, in the agent's own observation statistics.

        Raises:
            ValueError: other task, network or statistics than can be carried along, or no way.
        """
        agent, other = agents.agent(at), self.of(agents, at)
        place = f"at iteration {at['iteration']}, trial {at['trial']}"
        who = f"towards: {self.name} and {at['agent']} {place}"
        if other.task.definition_hash() != agent.task.definition_hash():
            raise ValueError(f"{who} act on different tasks, {other.task.id} and {agent.task.id}")
        shapes = [(p.sizes, p.activation, p.flat.shape) for p in (agent.policy, other.policy)]
        if shapes[0] != shapes[1] or type(agent.policy) is not type(other.policy):
            raise ValueError(f"{who} have different networks, {shapes[1]} and {shapes[0]}")
        carried = in_statistics_of(other, agent.normalizer)
        way = (carried - agent.policy.flat[0].double()).numpy()
        if not way.any():
            raise ValueError(f"{who} are the same; there is no way between them")
        _check_carried(other, agent, carried, who)
        return np.asarray(way)


def in_statistics_of(agent: Agent, statistics: Normalizer | None) -> torch.Tensor:
    """Parameters [P] that make of inputs in other statistics what the agent makes of its own.

    Wᵀ(o - m₁)/s₁ + b = (W s₀/s₁)ᵀ (o - m₀)/s₀ + b + Wᵀ(m₀ - m₁)/s₁, but for the clipping.
    """
    flat = agent.policy.flat.double().clone()
    weight, bias = agent.policy.split(flat)[:2]
    m0, s0 = _mean_scale(statistics, agent.task.obs_dim)
    m1, s1 = _mean_scale(agent.normalizer, agent.task.obs_dim)
    bias += torch.from_numpy((m0 - m1) / s1) @ weight[0]
    weight *= torch.from_numpy(s0 / s1)[:, None]
    return flat[0]


def _mean_scale(statistics: Normalizer | None, dim: int) -> tuple[F64, F64]:
    if statistics is None or statistics.count[0] < 2:
        return np.zeros(dim), np.ones(dim)
    std = np.sqrt(statistics.m2[0] / (statistics.count[0] - 1))
    return statistics.mean[0], std + 1e-8


def _check_carried(other: Agent, agent: Agent, carried: torch.Tensor, who: str) -> None:
    """ValueError where clipping makes the carried agent another one on states that it visits."""
    batch = other.collect(_STATES, 1, 0)
    moved = agent.policy.with_members(carried.float()[None])
    observed = batch.obs[0, :_STATES]
    means, stds = [], []
    for policy, statistics in ((other.policy, other.normalizer), (moved, agent.normalizer)):
        inputs = observed.astype(np.float32) if statistics is None else statistics.inputs(observed)
        with torch.no_grad():
            own = torch.from_numpy(np.ascontiguousarray(inputs))[None]
            mean, std = policy.moments(own, list(policy.tensors))
        means.append(mean)
        stds.append(std)
    apart = float((np.abs(means[0] - means[1]) / stds[0]).max())
    if not apart < _NEAR:
        raise ValueError(
            f"{who} normalise observations so differently that clipping does not let one act in "
            f"the other's statistics: their means differ by {apart:.2g} standard deviations"
        )


@dataclass(frozen=True)
class Directions:
    """How the two directions of a plane are made.

    Attributes:
        names: of :data:`DIRECTIONS`.
        towards: of :class:`Target`, for "agent".
        gradient_pairs: that the true gradient is from.
        seed: of everything random.
        sampling: how its pairs are sampled and judged.
    """

    names: tuple[str, str]
    towards: str
    gradient_pairs: int
    seed: int
    sampling: Sampling

    def vectors(
        self, agents: Agents, at: dict[str, Any], step: F64, num_threads: int
    ) -> tuple[F64, F64]:
        """Both directions [P] of an agent whose update step is given."""
        made = [
            self._vector(name, agents, at, step, i, num_threads)
            for i, name in enumerate(self.names)
        ]
        return made[0], made[1]

    def vector_without_step(self, agents: Agents, at: dict[str, Any]) -> F64:
        """The second direction, where it needs no step."""
        return self._vector(self.names[1], agents, at, np.zeros(0), 1, 1)

    def _vector(
        self, name: str, agents: Agents, at: dict[str, Any], step: F64, axis: int, num_threads: int
    ) -> F64:
        agent = agents.agent(at)
        purpose = ("random", "random-first")[axis == 0]
        if name == "step":
            return step
        if name == "random":
            seed = agents.seed(at, self.seed, purpose)
            return random_direction(agent.policy.flat.shape[1], seed)
        if name == "filter":
            return filter_direction(agent, agents.seed(at, self.seed, purpose, "filter"))
        if name == "agent":
            return Target(self.towards).direction(agents, at)
        seed = agents.seed(at, self.seed, "landscape-gradient")
        sampling = dataclasses.replace(self.sampling, advantages="raw")
        one = np.zeros(1, dtype=np.int64)
        sums = sum_gradients(agent, self.gradient_pairs, one, seed, sampling, num_threads)
        gradient = sums.gradients[0]
        return np.asarray(gradient * (np.linalg.norm(step) / np.linalg.norm(gradient)))
