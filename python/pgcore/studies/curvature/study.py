"""Curvature: do gradients and steps lie in few directions of large curvature, and do these last?

After Schneider et al. 2024 (arXiv:2401.06604): the leading eigenvectors of the policy's Fisher
matrix and of the Hessian of what the algorithm ascends, the shares of gradients and steps in their
span, and how much of that span is left at other iterations.

Two stores: ``gradients.zarr`` has gradients and steps, ``dataset.zarr`` eigenpairs from two
independent halves of n pairs each, and the shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pgcore.base.errors import check_count, check_counts
from pgcore.studies.curvature.blocks import MEMORY_BYTES
from pgcore.studies.curvature.cells import (
    GRADIENTS,
    HALVES,
    MATRICES,
    SPECTRA,
    Gradients,
    Spectra,
)
from pgcore.studies.curvature.products import check_surrogate
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import parameters_of, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.pairs.sampling import Sampling

_LEAST_PAIRS = 64  # an update needs a few pairs per minibatch
_MOST_UPDATES = 4000  # so that all of them have stream ids of their own
_WORK = 14.0  # of a pair that eigenvectors are from, against its simulation


@dataclass(frozen=True)
class CurvatureStudy:
    """The settings of a curvature study.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        trials: how many of the trials, from the first; None: all.
        pairs: the values of n, pairs that eigenvectors are computed from; two halves of n each.
        vectors: k, leading eigenvectors of each matrix.
        updates: K, gradient estimates and steps whose shares are measured.
        update_pairs: pairs of each of them.
        true_pairs: pairs of the true gradient, in two halves.
        seed: of everything random.
        sampling: how pairs are sampled and judged.
    """

    iterations: tuple[int, ...] | None = None
    trials: int | None = None
    pairs: tuple[int, ...] = (20_000,)
    vectors: int = 10
    updates: int = 10
    update_pairs: int = 2048
    true_pairs: int = 100_000
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_counts("pairs", self.pairs, _LEAST_PAIRS)
        check_count("vectors", self.vectors)
        check_count("updates", self.updates, 1, _MOST_UPDATES)
        check_count("update_pairs", self.update_pairs, _LEAST_PAIRS)
        check_count("true_pairs", self.true_pairs, 2 * _LEAST_PAIRS)
        self.sampling.check_pairs(
            pairs=self.pairs, update_pairs=self.update_pairs, true_pairs=self.true_pairs
        )
        if self.sampling.advantages != "raw":
            raise ValueError(
                "advantages: expected raw, as sampled; the surrogate normalises them, and the "
                "step as the agent does"
            )

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        agents.check_learning()
        self.sampling.check_agents(agents.every())
        for at, agent in agents.every():
            check_surrogate(agent, str(at["agent"]))
            check_count("vectors", self.vectors, 1, agent.policy.flat.shape[1] - 1)
        shared, identities = shared_of(agents), agents.identities()
        names = ("updates", "update_pairs", "true_pairs", "seed", "sampling")
        own: dict[str, Any] = {name: getattr(self, name) for name in names}
        inner = {"half": list(HALVES), "update": list(range(self.updates))}
        gradients = Plan(
            title=f"gradients {agents.task_id}",
            schema=Schema(
                agents.dims,
                {**inner, "parameter": parameters_of(agents)},
                GRADIENTS,
                spec_of(self, "curvature", agents, *names),
                identities,
            ),
            function=Gradients(agents, **own),
            cost=lambda at: self.updates * self.update_pairs + self.true_pairs,
            **shared,
        )
        spectra = Plan(
            title=f"curvature {agents.task_id}",
            schema=Schema(
                {**agents.dims, "n": list(self.pairs)},
                {
                    **inner,
                    "matrix": list(MATRICES),
                    "vector": list(range(self.vectors)),
                    "parameter": parameters_of(agents),
                },
                SPECTRA,
                spec_of(self, "curvature", agents, *names, "vectors"),
                identities,
            ),
            function=Spectra(
                agents,
                self.vectors,
                self.seed,
                self.sampling,
                str(out.resolve() / "gradients.zarr"),
            ),
            cost=lambda at: len(HALVES) * at["n"],
            work=_WORK,
            **shared,
        )
        return {"gradients.zarr": gradients, "dataset.zarr": spectra}


def note(settings: CurvatureStudy, plans: Mapping[str, Plan]) -> str:
    """What a description of the plans does not say by itself."""
    agent = plans["dataset.zarr"].probe
    size = 4 * (agent.task.obs_dim + agent.task.act_dim + 1) * max(settings.pairs)
    where = (
        "in memory"
        if size <= MEMORY_BYTES
        else f"in part in temporary files of {size / 1e9:.2g} GB"
    )
    return (
        f"{settings.vectors} eigenvectors of two matrices from two halves of the pairs, which are "
        f"held {where} and gone through some 150 times; for this the time above is a guess."
    )
