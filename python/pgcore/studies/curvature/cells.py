"""The cells of a curvature study: gradients and steps, and the leading eigenvectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.base.seeds import derive_seed
from pgcore.base.threads import one_torch_thread
from pgcore.studies.curvature.blocks import Pairs, pairs_of, sampled_pairs
from pgcore.studies.curvature.lanczos import leading, sums
from pgcore.studies.curvature.products import fisher, gradient, hessian, trace_of_fisher
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.parts import padded_parameters
from pgcore.studies.engine.reading import open_cell
from pgcore.studies.engine.sources import Agents
from pgcore.studies.measures.subspaces import shares_along, true_cosine, true_shares_along
from pgcore.studies.pairs.sampling import MOST_STREAMS, Sampling
from pgcore.studies.pairs.steps import step_data

MATRICES = ("fisher", "hessian")
HALVES = (0, 1)
PROBES = 10  # of the sums over all eigenvalues
_Variables = dict[str, tuple[tuple[str, ...], str, str]]
GRADIENTS: _Variables = {
    "gradient": (("update", "parameter"), "1", "gradient of the surrogate, from an update's pairs"),
    "step": (("update", "parameter"), "1", "step of the update"),
    "true_gradient": (("half", "parameter"), "1", "gradient from many pairs, two disjoint halves"),
    "true_trajectories": ((), "1", "trajectories of a half of the true gradient"),
}
_EACH = ("half", "matrix")
_ALONG = (*_EACH, "vector")
SPECTRA: _Variables = {
    "eigenvalue": (_ALONG, "1", "leading eigenvalues, by falling magnitude"),
    "eigenvector": ((*_ALONG, "parameter"), "1", "their eigenvectors, of length 1"),
    "trace": (_EACH, "1", "sum of all eigenvalues; Fisher: exact, Hessian: from random probes"),
    "trace_error": (_EACH, "1", "its standard error over probes; 0 where it is exact"),
    "square": (_EACH, "1", "sum of the squares of all eigenvalues, from random probes"),
    "square_error": (_EACH, "1", "its standard error over probes"),
    "products": (_EACH, "1", "matrix-vector products that the eigenvectors took"),
    "gradient_along": ((*_ALONG, "update"), "1", "share of |gradient|² along an eigenvector"),
    "step_along": ((*_ALONG, "update"), "1", "share of |step|² along an eigenvector"),
    "true_along": (_ALONG, "1", "share of |true gradient|² along an eigenvector, noise removed"),
    "true_cosine": ((), "1", "cosine between the halves of the true gradient"),
    "true_trajectories": ((), "1", "trajectories of a half of the true gradient"),
    "parameters": ((), "1", "P, parameters of the policy"),
    "trajectories": (("half",), "1", "trajectories that the eigenvectors are from"),
    "diverged": (("half",), "1", "of these, those that a simulation which blew up has ended"),
}


@dataclass(frozen=True)
class Gradients:
    """The cell of ``gradients.zarr``: K gradient estimates and steps, and the true gradient.

    Attributes:
        agents, updates, update_pairs, true_pairs, seed, sampling: of the study.
    """

    agents: Agents
    updates: int
    update_pairs: int
    true_pairs: int
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, K = self.agents.agent(at), self.updates
        P = agent.policy.flat.shape[1]
        found = padded_parameters(self.agents, 2, K)
        seed = self.agents.seed(at, self.seed, "curvature-update", self.update_pairs)
        for k in range(K):
            ids = [k * MOST_STREAMS + i for i in range(self.sampling.streams(self.update_pairs)[0])]
            data = step_data(agent, self.update_pairs, ids, seed, self.sampling, num_threads)
            found[0, k, :P] = _gradient(pairs_of(agent, data, num_threads))
            found[1, k, :P] = agent.updated(data, seed, k)
        true, trajectories = padded_parameters(self.agents, len(HALVES)), 0.0
        seed = self.agents.seed(at, self.seed, "curvature-true")
        n = -(-self.true_pairs // len(HALVES))
        for half in HALVES:
            rollouts = (seed, self.sampling, num_threads)
            with sampled_pairs(agent, n, half * MOST_STREAMS, *rollouts) as pairs:
                true[half, :P] = _gradient(pairs)
                trajectories += pairs.trajectories / len(HALVES)
        return {
            "gradient": found[0],
            "step": found[1],
            "true_gradient": true,
            "true_trajectories": trajectories,
        }


def _gradient(pairs: Pairs) -> F64:
    with one_torch_thread():
        slope: F64 = gradient(pairs).numpy()
    return slope


@dataclass(frozen=True)
class Spectra:
    """The cell of ``dataset.zarr``: leading eigenpairs from two halves of n pairs each.

    Attributes:
        agents, vectors, seed, sampling: of the study.
        gradients: the store of gradients and steps, whose pairs are others.
    """

    agents: Agents
    vectors: int
    seed: int
    sampling: Sampling
    gradients: str

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("agent", "iteration", "trial")}
        names, agent = ("gradient", "step", "true_gradient"), self.agents.agent(at)
        others = open_cell(self.gradients, where, (*names, "true_trajectories"))
        P = agent.policy.flat.shape[1]
        vectors = [others[n][:, :P] for n in names]
        halves = [self._half(agent, at, half, vectors, num_threads) for half in HALVES]
        return {
            "true_cosine": true_cosine(vectors[-1]),
            "true_trajectories": others["true_trajectories"],
            "parameters": float(P),
            **_stacked(halves),
        }

    def _half(
        self, agent: Agent, at: dict[str, Any], half: int, others: list[F64], num_threads: int
    ) -> dict[str, F64]:
        """What one half of the pairs gives."""
        n, each = int(at["n"]), []
        seed, first = self.agents.seed(at, self.seed, "curvature", n), half * MOST_STREAMS
        with sampled_pairs(agent, n, first, seed, self.sampling, num_threads) as pairs:
            for matrix in MATRICES:
                start = self.agents.seed(at, self.seed, "curvature-start", n, half, matrix)
                found = spectrum(pairs, matrix, self.vectors, start)
                each.append(found | self._shares(found["eigenvector"], *others))
            counts = {"trajectories": pairs.trajectories, "diverged": pairs.diverged}
            return _stacked(each) | {name: np.array(value) for name, value in counts.items()}

    def _shares(self, vectors: F64, gradients: F64, steps: F64, true: F64) -> dict[str, F64]:
        """Of gradients and steps, from other pairs; and the vectors as they are stored."""
        stored = padded_parameters(self.agents, len(vectors))
        stored[:, : vectors.shape[1]] = vectors
        return {
            "eigenvector": stored,
            "gradient_along": shares_along(vectors, gradients),
            "step_along": shares_along(vectors, steps),
            "true_along": true_shares_along(vectors, true),
        }


def _stacked(parts: list[dict[str, F64]]) -> dict[str, F64]:
    """Arrays of the same names along a new first axis."""
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def spectrum(pairs: Pairs, matrix: str, k: int, seed: int) -> dict[str, F64]:
    """The leading eigenpairs of one matrix on some pairs, and its sums, as in the dataset."""
    product = fisher(pairs) if matrix == "fisher" else hessian(pairs)
    with one_torch_thread():
        found = leading(product, k, pairs.agent.policy.flat.shape[1], seed)
        total = sums(product, found, derive_seed(seed, "probes"), PROBES)
        trace, error = total.trace, total.trace_error
        if matrix == "fisher":
            trace, error = trace_of_fisher(pairs), 0.0
    return {
        "eigenvalue": found.values.numpy(),
        "eigenvector": found.vectors.numpy(),
        "trace": np.array(trace),
        "trace_error": np.array(error),
        "square": np.array(total.square),
        "square_error": np.array(total.square_error),
        "products": np.array(float(found.products)),
    }
