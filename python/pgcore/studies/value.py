"""The value study: does the value network predict value, and how much variance does it remove?

Paper, section 2.2, figures 3, 4, 11 and 12. Three stores: ``errors.zarr`` (prediction along
training), ``true_value.zarr`` (networks fitted to many returns) and ``variance.zarr`` (gradient
estimates with three baselines on the same pairs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from pgcore.agents import derive_seed
from pgcore.arrays import F64
from pgcore.batch import RolloutBatch
from pgcore.errors import check_choice, check_count
from pgcore.nets import ValueNet
from pgcore.studies.agent import Agent, Checkpoints
from pgcore.studies.cells import Plan, Values, describe_plan, run_plan
from pgcore.studies.estimates import Judge, compare_judges
from pgcore.studies.sampling import Sampling
from pgcore.studies.store import Schema, open_study
from pgcore.studies.value_errors import MEASURES, SETS, TARGETS, ValueErrors, fit_value

BASELINES = ("true value", "value net", "zero")
_ESTIMATE_IDS = 1 << 20  # stream ids that an estimate may use


@dataclass(frozen=True)
class TrueValue:
    """The cell of ``true_value.zarr``: a network fitted to the returns of many pairs."""

    checkpoints: Checkpoints
    pairs: int
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent = self.checkpoints.agent(**at)
        seed = derive_seed(self.seed, "true value", *at.values())
        value, errors, share = fit_value(agent, self.pairs, seed, self.sampling, num_threads)
        return {"parameters": value.flat[0].numpy(), "fit_error": errors, "fit_share": share}


@dataclass(frozen=True)
class VarianceReduction:
    """The cell of ``variance.zarr``: K estimates from n pairs with each baseline, paired."""

    checkpoints: Checkpoints
    estimates: int
    seed: int
    sampling: Sampling
    true_store: str

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("algorithm", "iteration", "trial")}
        agent = self.checkpoints.agent(**where)
        fitted = open_study(self.true_store, load=False).sel(where)["parameters"].values
        flat = torch.from_numpy(fitted.astype(np.float32))[None]
        judges = [
            self._judge(agent, agent.value.with_members(flat)),
            self._judge(agent, agent.value),
            self._judge(agent, None),
        ]
        seed = derive_seed(self.seed, "variance", *at.values())
        groups = np.arange(self.estimates) * _ESTIMATE_IDS
        sums = compare_judges(agent, int(at["n"]), groups, seed, self.sampling, judges, num_threads)
        return {
            "gram": np.stack([s.gradients @ s.gradients.T for s in sums]),
            "trajectories": sums[0].trajectories,
        }

    def _judge(self, agent: Agent, value: ValueNet | None) -> Judge:
        kind = "zero" if value is None else "value"
        sampling = Sampling(**{**asdict(self.sampling), "baseline": kind})

        def advantages(batch: RolloutBatch) -> F64:
            return sampling.judge(agent, batch, value)

        return advantages


@dataclass(frozen=True)
class ValueStudy:
    """The settings of a value study.

    Attributes:
        iterations: checkpoints whose value prediction is measured.
        variance_iterations: checkpoints where gradient estimates are compared; none: skipped.
        trials: how many of the runs' trials, from the first; None: all.
        held_out_pairs: fresh pairs that judge a value network.
        returns: "resolved" leaves out the pairs whose return is cut short; "cut" cuts them.
        true_value_pairs: pairs that the "true" value network is fitted to.
        pairs: the values of n of the gradient estimates.
        estimates: K, independent estimates at each n.
        seed: of the rollouts; nothing else is random.
        sampling: how pairs are sampled and judged.
    """

    iterations: tuple[int, ...] = (0, 150, 300, 450)
    variance_iterations: tuple[int, ...] = (150, 450)
    trials: int | None = None
    held_out_pairs: int = 20_000
    returns: str = "resolved"
    true_value_pairs: int = 5_000_000
    pairs: tuple[int, ...] = (100, 200, 500, 1000, 2000, 5000, 10000)
    estimates: int = 10
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_choice("returns", self.returns, ("resolved", "cut"))
        check_count("estimates", self.estimates, 2)
        check_count("held_out_pairs", self.held_out_pairs)
        check_count("true_value_pairs", self.true_value_pairs)
        for n in self.pairs:
            check_count("pairs", n)

    def plans(self, runs: str | Path | Sequence[str | Path], out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        every = Checkpoints.of(runs, self.iterations, self.trials)
        spec = {**asdict(self), "study": "value", "task": every.task_id, "trials": every.trials}
        shared: dict[str, Any] = {
            "probe": every.agent(every.algorithms[0], max(every.iterations), 0),
            "attributes": {"model_sha256": every.task().model_hash()},
        }
        errors = Plan(
            title=f"value errors {every.task_id}",
            schema=Schema(
                every.dims,
                {"set": list(SETS), "target": list(TARGETS), "measure": list(MEASURES)},
                _ERRORS,
                {**spec, "checkpoints": every.digests()},
            ),
            function=ValueErrors(
                every, self.held_out_pairs, self.returns, self.seed, self.sampling
            ),
            cost=lambda at: self.held_out_pairs + every.agent(**at).config.pairs,
            **shared,
        )
        if not self.variance_iterations:
            return {"errors.zarr": errors}
        some = Checkpoints.of(runs, self.variance_iterations, self.trials)
        P = some.agent(some.algorithms[0], some.iterations[0], 0).value.flat.shape[1]
        K = self.estimates
        spec = {**spec, "checkpoints": some.digests()}
        true = Plan(
            title=f"true value {some.task_id}",
            schema=Schema(
                some.dims,
                {"parameter": list(range(P)), "measure": list(MEASURES)},
                _TRUE,
                {**spec, "pairs": None, "estimates": None},
            ),
            function=TrueValue(some, self.true_value_pairs, self.seed, self.sampling),
            cost=lambda at: self.true_value_pairs * 11 // 10,
            **shared,
        )
        variance = Plan(
            title=f"variance {some.task_id}",
            schema=Schema(
                {**some.dims, "n": list(self.pairs)},
                {
                    "baseline": list(BASELINES),
                    "estimate": list(range(K)),
                    "other": list(range(K)),
                },
                _VARIANCE,
                spec,
            ),
            function=VarianceReduction(
                some, K, self.seed, self.sampling, str(out / "true_value.zarr")
            ),
            cost=lambda at: K * at["n"],
            **shared,
        )
        return {"errors.zarr": errors, "true_value.zarr": true, "variance.zarr": variance}


_Variables = dict[str, tuple[tuple[str, ...], str, str]]
_ERRORS: _Variables = {
    "error": (("set", "target", "measure"), "1", "errors of the value network"),
    "share": (("set", "target"), "1", "share of the pairs whose target is known"),
}
_TRUE: _Variables = {
    "parameters": (("parameter",), "1", "the fitted network, layer by layer"),
    "fit_error": (("measure",), "1", "its errors against returns of other pairs"),
    "fit_share": ((), "1", "share of the pairs whose return is known"),
}
_VARIANCE: _Variables = {
    "gram": (("baseline", "estimate", "other"), "1", "inner products of the estimates"),
    "trajectories": (("estimate",), "1", "trajectories that an estimate used"),
}


def value_prediction(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    num_threads: int | None = None,
    cluster: str | None = None,
    **settings: Any,
) -> dict[str, xr.Dataset]:
    """Measure value prediction and variance reduction; resumes what is there.

    Args:
        runs: folders of training runs on one task, at most one per algorithm.
        out: folder of the stores.
        num_threads: default: what affinity, cgroup and Slurm allow.
        cluster: see :func:`pgcore.studies.cells.run_plan`.
        settings: fields of :class:`ValueStudy`.

    Returns:
        Datasets by name: "errors" (algorithm, iteration, trial, set, target, measure), and
        "true_value" and "variance" (..., n, baseline, estimate, other) if those are measured.

    Raises:
        ValueError: bad argument, missing checkpoint, or ``out`` holds another study.
        StudyError: some cells failed; everything else is stored.
    """
    out = Path(out)
    return {
        name.removesuffix(".zarr"): run_plan(
            plan, out / name, num_threads=num_threads, cluster=cluster
        )
        for name, plan in ValueStudy(**settings).plans(runs, out).items()
    }


def describe_value(
    runs: str | Path | Sequence[str | Path], out: str | Path, **settings: Any
) -> str:
    """What :func:`value_prediction` would compute, and how long it would take."""
    plans = ValueStudy(**settings).plans(runs, Path(out))
    return "\n".join(describe_plan(plan, Path(out) / name) for name, plan in plans.items())
