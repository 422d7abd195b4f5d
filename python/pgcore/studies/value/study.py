"""The value study: does the value network predict value, and how much variance does it remove?

Paper, section 2.2, figures 3, 4, 11 and 12. Four stores: ``errors.zarr`` (prediction along
training), ``true_value.zarr`` (networks fitted to many returns), ``monte_carlo.zarr`` (both against
Monte Carlo values of states) and ``variance.zarr`` (gradient estimates with three baselines on the
same pairs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from pgcore.base.errors import check_choice, check_count, check_counts
from pgcore.rollout.monte_carlo import default_tail
from pgcore.studies.engine.cells import Plan, describe_plans, run_plans
from pgcore.studies.engine.checkpoints import Checkpoints
from pgcore.studies.engine.store import Schema
from pgcore.studies.pairs.sampling import Sampling, resolved_steps
from pgcore.studies.value.baselines import (
    BASELINES,
    TRUE_VALUE,
    VARIANCE,
    TrueValue,
    VarianceReduction,
)
from pgcore.studies.value.errors import MEASURES, SETS, TARGETS, ValueErrors
from pgcore.studies.value.monte_carlo import MONTE_CARLO, MonteCarlo
from pgcore.tasks.gymnasium import AnyTask


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
        states: whose Monte Carlo values are measured.
        continuations: of each of them.
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
    states: int = 100
    continuations: int = 20
    pairs: tuple[int, ...] = (100, 200, 500, 1000, 2000, 5000, 10000)
    estimates: int = 10
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_choice("returns", self.returns, ("resolved", "cut"))
        check_count("estimates", self.estimates, 3)  # two have no interval of a ratio
        check_count("held_out_pairs", self.held_out_pairs)
        check_count("true_value_pairs", self.true_value_pairs)
        check_count("states", self.states, 3)
        check_count("continuations", self.continuations, 2)
        check_counts("pairs", self.pairs)
        if self.sampling.baseline != "value":
            raise ValueError("baseline: expected value; this study compares all three baselines")

    def plans(self, runs: str | Path | Sequence[str | Path], out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        every = Checkpoints.of(runs, self.iterations, self.trials)
        every.check_learning()
        shared: dict[str, Any] = {
            "probe": every.agent(every.algorithms[0], max(every.iterations), 0),
            "attributes": every.provenance(),
        }
        plans = {"errors.zarr": self._errors_plan(every, shared)}
        if self.variance_iterations:
            self._check_known(every.task())
            some = Checkpoints.of(runs, self.variance_iterations, self.trials)
            self._check_discount(some)
            store = str(out.resolve() / "true_value.zarr")
            plans["true_value.zarr"] = self._true_value_plan(some, shared)
            plans["monte_carlo.zarr"] = self._monte_carlo_plan(some, shared, store)
            plans["variance.zarr"] = self._variance_plan(some, shared, store)
        return plans

    def _check_known(self, task: AnyTask) -> None:
        """A true value cannot be fitted where no return is known."""
        _, steps = self.sampling.streams(self.true_value_pairs)
        limit, tail = task.time_limit or steps, resolved_steps(self.sampling.gamma)
        if tail > min(steps, limit):
            raise ValueError(
                f"variance_iterations: with gamma {self.sampling.gamma} a return is known {tail} "
                f"steps before the time limit ({limit}) and the stream's end ({steps}), which is "
                "never; lower gamma, lengthen stream_steps (and true_value_pairs), or choose no "
                "variance_iterations"
            )

    def _check_discount(self, checkpoints: Checkpoints) -> None:
        """A value network of one discount cannot be judged by values of another."""
        for algorithm, iteration, *_ in checkpoints.entries:
            own = checkpoints.checkpoint(algorithm, iteration).config.gamma
            if own != self.sampling.gamma:
                raise ValueError(
                    f"gamma: {algorithm.upper()}'s value network was trained with {own}, and would "
                    f"be judged with {self.sampling.gamma}; give gamma {own}, or choose no "
                    "variance_iterations"
                )

    def _spec(
        self, checkpoints: Checkpoints, *names: str, read: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What makes the numbers of a store: the settings of these names, besides all stores'.

        Args:
            checkpoints: of the store.
            names: of settings.
            read: fields of the sampling, besides the streams' length, that its cells read.
        """
        settings = asdict(self)
        sampling = {name: settings["sampling"][name] for name in ("stream_steps", *read)}
        return {
            **{name: settings[name] for name in (*names, "seed")},
            "sampling": sampling,
            "study": "value",
            "task": checkpoints.task_id,
            "checkpoints": checkpoints.digests(),
        }

    def _errors_plan(self, checkpoints: Checkpoints, shared: dict[str, Any]) -> Plan:
        inner: dict[str, list[str]] = {
            "set": list(SETS),
            "target": list(TARGETS),
            "measure": list(MEASURES),
        }
        spec = self._spec(checkpoints, "held_out_pairs", "returns")
        return Plan(
            title=f"value errors {checkpoints.task_id}",
            schema=Schema(checkpoints.dims, inner, _ERRORS, spec),
            function=ValueErrors(
                checkpoints, self.held_out_pairs, self.returns, self.seed, self.sampling
            ),
            cost=lambda at: self.held_out_pairs + checkpoints.agent(**at).config.pairs,
            **shared,
        )

    def _true_value_plan(self, checkpoints: Checkpoints, shared: dict[str, Any]) -> Plan:
        P = shared["probe"].value.flat.shape[1]
        return Plan(
            title=f"true value {checkpoints.task_id}",
            schema=Schema(
                checkpoints.dims,
                {"parameter": list(range(P)), "measure": list(MEASURES)},
                TRUE_VALUE,
                self._spec(checkpoints, "true_value_pairs", read=["gamma"]),
            ),
            function=TrueValue(checkpoints, self.true_value_pairs, self.seed, self.sampling),
            cost=lambda at: self.true_value_pairs * 11 // 10,
            **shared,
        )

    def _monte_carlo_plan(
        self, checkpoints: Checkpoints, shared: dict[str, Any], true_store: str
    ) -> Plan:
        inner: dict[str, list[Any]] = {"state": list(range(self.states))}
        names = ("true_value_pairs", "states", "continuations")
        spec = self._spec(checkpoints, *names, read=["gamma"])
        function = MonteCarlo(
            checkpoints, self.states, self.continuations, self.seed, self.sampling, true_store
        )
        return Plan(
            title=f"Monte Carlo values {checkpoints.task_id}",
            schema=Schema(checkpoints.dims, inner, MONTE_CARLO, spec),
            function=function,
            cost=lambda at: self._monte_carlo_pairs(),
            **shared,
        )

    def _variance_plan(
        self, checkpoints: Checkpoints, shared: dict[str, Any], true_store: str
    ) -> Plan:
        K = self.estimates
        inner: dict[str, list[Any]] = {
            "baseline": list(BASELINES),
            "estimate": list(range(K)),
            "other": list(range(K)),
        }
        dims = {**checkpoints.dims, "n": list(self.pairs)}
        read = ("gamma", "lam", "advantages", "conventions")
        spec = self._spec(checkpoints, "true_value_pairs", "estimates", read=read)
        return Plan(
            title=f"variance {checkpoints.task_id}",
            schema=Schema(dims, inner, VARIANCE, spec),
            function=VarianceReduction(checkpoints, K, self.seed, self.sampling, true_store),
            cost=lambda at: K * at["n"],
            **shared,
        )

    def _monte_carlo_pairs(self) -> int:
        """At most: the way to every state, and the tail of its continuations."""
        tails = self.continuations * default_tail(self.sampling.gamma)
        return self.states * (self.sampling.stream_steps // 2 + tails)


_Variables = dict[str, tuple[tuple[str, ...], str, str]]
_ERRORS: _Variables = {
    "error": (("set", "target", "measure"), "1", "errors of the value network"),
    "share": (("set", "target"), "1", "share of the pairs whose target is known"),
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
        "true_value", "monte_carlo" (..., state) and "variance" (..., n, baseline, estimate, other)
        if those are measured.

    Raises:
        ValueError: bad argument, missing checkpoint, or ``out`` holds another study.
        StudyError: some cells failed; everything else is stored.
    """
    out = Path(out)
    plans = ValueStudy(**settings).plans(runs, out)
    data = run_plans(plans, out, num_threads=num_threads, cluster=cluster)
    return {name.removesuffix(".zarr"): stored for name, stored in data.items()}


def describe_value(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    num_threads: int | None = None,
    **settings: Any,
) -> str:
    """What :func:`value_prediction` would compute, and how long it would take."""
    return describe_plans(ValueStudy(**settings).plans(runs, Path(out)), out, num_threads)
