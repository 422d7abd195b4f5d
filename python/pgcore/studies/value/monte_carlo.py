"""Value networks against Monte Carlo values: error split into noise and misfit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pgcore.base.arrays import F32, F64
from pgcore.base.threads import one_torch_thread
from pgcore.policies.value import ValueNet
from pgcore.rollout.monte_carlo import monte_carlo_values
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.baselines import fitted_parameters

MONTE_CARLO: dict[str, tuple[tuple[str, ...], str, str]] = {
    "value": (("state",), "1", "Monte Carlo value, discounted return of raw rewards"),
    "diverged": (("state",), "1", "continuations that a simulation which blew up has ended"),
    "value_error": (("state",), "1", "its standard error over the continuations"),
    "value_net": (("state",), "1", "the agent's value network, on the scale of raw rewards"),
    "fitted": (("state",), "1", "the fitted true value, on the scale of raw rewards"),
}


@dataclass(frozen=True)
class MonteCarlo:
    """The cell of ``monte_carlo.zarr``: values at states of fresh streams, from K continuations.

    States are spread evenly over the first ``sampling.stream_steps`` steps of as many streams.
    """

    agents: Agents
    states: int
    continuations: int
    seed: int
    sampling: Sampling
    true_store: str

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent = self.agents.agent(at)
        steps = (np.arange(self.states) * self.sampling.stream_steps) // self.states
        result = monte_carlo_values(
            agent.task,
            agent.policy,
            steps.astype(np.int64),
            self.continuations,
            self.agents.seed(at, self.seed, "monte carlo"),
            num_threads,
            agent.normalizer,
            gamma=self.sampling.gamma,
            actions=agent.actions,
        )
        scale = 1.0 if agent.reward_std is None else float(agent.reward_std[0])
        value = agent.check_value()
        flat = fitted_parameters(self.true_store, at, value)
        return {
            "value": result.values,
            "value_error": result.errors,
            "diverged": result.diverged.sum(axis=1).astype(np.float64),
            "value_net": scale * _predict(value, result.inputs),
            "fitted": scale * _predict(value.with_members(flat), result.inputs),
        }


def _predict(value: ValueNet, inputs: F32) -> F64:
    with torch.no_grad(), one_torch_thread():
        out: F64 = value(torch.from_numpy(inputs)[None])[0].numpy().astype(np.float64)
    return out
