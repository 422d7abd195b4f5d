"""Gradient estimates with three baselines: a fitted "true" value, the value network, and none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.reading import open_cell
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.estimates import Judge, compare_judges
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.fit import fit_value

BASELINES = ("true value", "value net", "zero")
_ESTIMATE_IDS = 1 << 20  # stream ids that an estimate may use

_Variables = dict[str, tuple[tuple[str, ...], str, str]]
TRUE_VALUE: _Variables = {
    "parameters": (("parameter",), "1", "the fitted network, layer by layer"),
    "fit_error": (("measure",), "1", "its errors against returns of other pairs"),
    "fit_share": ((), "1", "share of the pairs whose return is known"),
}
VARIANCE: _Variables = {
    "gram": (("baseline", "estimate", "other"), "1", "inner products of the estimates"),
    "trajectories": (("estimate",), "1", "trajectories that an estimate used"),
    "diverged": (("estimate",), "1", "of these, those that a simulation which blew up has ended"),
}


@dataclass(frozen=True)
class TrueValue:
    """The cell of ``true_value.zarr``: a network fitted to the returns of many pairs.

    ``size`` is the number of parameters of the largest network; smaller ones end in NaN.
    """

    agents: Agents
    pairs: int
    seed: int
    sampling: Sampling
    size: int

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent = self.agents.agent(at)
        seed = self.agents.seed(at, self.seed, "true value")
        value, errors, share = fit_value(agent, self.pairs, seed, self.sampling, num_threads)
        parameters = np.full(self.size, np.nan)
        parameters[: value.flat.shape[1]] = value.flat[0].numpy()
        return {"parameters": parameters, "fit_error": errors, "fit_share": share}


def fitted_parameters(store: str, where: dict[str, Any], value: ValueNet) -> torch.Tensor:
    """The fitted network's parameters [1, P], of a network of the same kind as ``value``."""
    fitted = open_cell(store, where, ["parameters"])["parameters"][: value.flat.shape[1]]
    return torch.from_numpy(fitted.astype(np.float32))[None]


@dataclass(frozen=True)
class VarianceReduction:
    """The cell of ``variance.zarr``: K estimates from n pairs with each baseline, paired."""

    agents: Agents
    estimates: int
    seed: int
    sampling: Sampling
    true_store: str

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("agent", "iteration", "trial")}
        agent = self.agents.agent(at)
        value = agent.check_value()
        flat = fitted_parameters(self.true_store, where, value)
        judges = [
            self._judge(agent, value.with_members(flat)),
            self._judge(agent, value),
            self._judge(agent, None),
        ]
        seed = self.agents.seed(at, self.seed, "variance", int(at["n"]))
        groups = np.arange(self.estimates) * _ESTIMATE_IDS
        sums = compare_judges(agent, int(at["n"]), groups, seed, self.sampling, judges, num_threads)
        return {
            "gram": np.stack([s.gradients @ s.gradients.T for s in sums]),
            "trajectories": sums[0].trajectories,
            "diverged": sums[0].diverged,
        }

    def _judge(self, agent: Agent, value: ValueNet | None) -> Judge:
        kind = "zero" if value is None else "value"
        sampling = Sampling(**{**asdict(self.sampling), "baseline": kind})

        def advantages(batch: RolloutBatch) -> F64:
            return sampling.judge(agent, batch, value)

        return advantages
