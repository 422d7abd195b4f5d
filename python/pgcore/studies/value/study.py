"""The value study: does the value network predict value, and how much variance does it remove?

Paper, section 2.2, figures 3, 4, 11 and 12. Four stores: ``errors.zarr`` (prediction along
training), ``true_value.zarr`` (networks fitted to many returns), ``monte_carlo.zarr`` (both against
Monte Carlo values of states) and ``variance.zarr`` (gradient estimates with three baselines on the
same pairs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pgcore.base.command import one_of
from pgcore.base.errors import check_choice, check_count, check_counts
from pgcore.base.memory import check_memory
from pgcore.rollout.monte_carlo import default_tail, monte_carlo_bytes
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.measures.value import MEASURES
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.baselines import (
    BASELINES,
    TRUE_VALUE,
    VARIANCE,
    TrueValue,
    VarianceReduction,
)
from pgcore.studies.value.errors import SETS, TARGETS, ValueErrors
from pgcore.studies.value.monte_carlo import MONTE_CARLO, MonteCarlo
from pgcore.studies.value.returns import resolved_steps
from pgcore.tasks.gymnasium import AnyTask

RETURNS = ("resolved", "cut")
_MOST_ESTIMATES = 4000  # so that all of them have stream ids of their own
_MOST_STATES = 1_000_000
_PAPER_MOMENTS = (150, 450)


@dataclass(frozen=True)
class ValueStudy:
    """The settings of a value study.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        variance_iterations: where gradient estimates are compared; empty: skipped. None: at 150 and
            450, else at the last of the iterations.
        trials: how many of the trials, from the first; None: all.
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

    iterations: tuple[int, ...] | None = None
    variance_iterations: tuple[int, ...] | None = None
    trials: int | None = None
    held_out_pairs: int = 20_000
    returns: Annotated[str, one_of(RETURNS)] = "resolved"
    true_value_pairs: int = 5_000_000
    states: int = 100
    continuations: int = 20
    pairs: tuple[int, ...] = (100, 200, 500, 1000, 2000, 5000, 10000)
    estimates: int = 10
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_choice("returns", self.returns, RETURNS)
        check_count(
            "estimates", self.estimates, 3, _MOST_ESTIMATES
        )  # two have no interval of a ratio
        check_count("held_out_pairs", self.held_out_pairs)
        check_count("true_value_pairs", self.true_value_pairs)
        check_count("states", self.states, 3, _MOST_STATES)
        check_count("continuations", self.continuations, 2, _MOST_STATES)
        needed = monte_carlo_bytes(self.states, self.continuations)
        check_memory("continuations", self.continuations, needed, "ask for fewer, or fewer states")
        check_counts("pairs", self.pairs)
        self.sampling.check_pairs(
            pairs=self.pairs,
            held_out_pairs=self.held_out_pairs,
            true_value_pairs=self.true_value_pairs,
        )
        if self.variance_iterations:
            check_counts("variance_iterations", self.variance_iterations, 0)
        if self.sampling.baseline != "value":
            raise ValueError("baseline: expected value; this study compares all three baselines")

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        agents.check_learning(need_algorithm=False)
        self.sampling.check_agents(agents.every())
        shared = shared_of(agents)
        plans = {"errors.zarr": self._errors_plan(agents, shared)}
        chosen = self._variance_moments(agents)
        if chosen:
            self._check_known(agents.task())
            some = agents.only(chosen)
            self._check_discount(some)
            shared = shared_of(some)
            store = str(out.resolve() / "true_value.zarr")
            plans["true_value.zarr"] = self._true_value_plan(some, shared)
            plans["monte_carlo.zarr"] = self._monte_carlo_plan(some, shared, store)
            plans["variance.zarr"] = self._variance_plan(some, shared, store)
        return plans

    def _variance_moments(self, agents: Agents) -> tuple[int, ...]:
        """Where gradient estimates are compared: as asked, else at 150 and 450, else at the end."""
        known = agents.iterations
        if self.variance_iterations is None:
            return tuple(i for i in _PAPER_MOMENTS if i in known) or known[-1:]
        odd = [i for i in self.variance_iterations if i not in known]
        if odd:
            raise ValueError(
                f"variance_iterations: expected some of the iterations {list(known)}, got {odd[0]}"
            )
        return self.variance_iterations

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

    def _check_discount(self, agents: Agents) -> None:
        """A value network of one discount cannot be judged by values of another."""
        for at, agent in agents.every():
            own = agent.judgement.gamma
            if own != self.sampling.gamma:
                raise ValueError(
                    f"gamma: the value network of {at['agent']} was trained with {own}, and would "
                    f"be judged with {self.sampling.gamma}; give gamma {own}, or choose no "
                    "variance_iterations"
                )

    def _spec(self, agents: Agents, *names: str, read: Sequence[str] = ()) -> dict[str, Any]:
        """What makes the numbers of a store: the settings of these names, besides all stores'.

        Args:
            agents: of the store.
            names: of settings.
            read: fields of the sampling, besides the streams' length, that its cells read.
        """
        sampling = {n: getattr(self.sampling, n) for n in ("stream_steps", *read)}
        return {
            **spec_of(self, "value", agents, *names, "seed"),
            "sampling": sampling,
        }

    def _errors_plan(self, agents: Agents, shared: dict[str, Any]) -> Plan:
        inner: dict[str, list[str]] = {
            "set": list(SETS),
            "target": list(TARGETS),
            "measure": list(MEASURES),
        }
        spec = self._spec(agents, "held_out_pairs", "returns")
        return Plan(
            title=f"value errors {agents.task_id}",
            schema=Schema(agents.dims, inner, _ERRORS, spec, agents.identities(), _GROWING),
            function=ValueErrors(
                agents, self.held_out_pairs, self.returns, self.seed, self.sampling
            ),
            cost=lambda at: self.held_out_pairs + agents.pairs(at),
            **shared,
        )

    def _true_value_plan(self, agents: Agents, shared: dict[str, Any]) -> Plan:
        P = max(a.check_value().flat.shape[1] for _, a in agents.every())
        return Plan(
            title=f"true value {agents.task_id}",
            schema=Schema(
                agents.dims,
                {"parameter": list(range(P)), "measure": list(MEASURES)},
                TRUE_VALUE,
                self._spec(agents, "true_value_pairs", read=["gamma"]),
                agents.identities(),
                _GROWING,
            ),
            function=TrueValue(agents, self.true_value_pairs, self.seed, self.sampling, P),
            cost=lambda at: self.true_value_pairs * 11 // 10,
            **shared,
        )

    def _monte_carlo_plan(self, agents: Agents, shared: dict[str, Any], true_store: str) -> Plan:
        inner: dict[str, list[Any]] = {"state": list(range(self.states))}
        names = ("true_value_pairs", "states", "continuations")
        spec = self._spec(agents, *names, read=["gamma"])
        function = MonteCarlo(
            agents, self.states, self.continuations, self.seed, self.sampling, true_store
        )
        return Plan(
            title=f"Monte Carlo values {agents.task_id}",
            schema=Schema(agents.dims, inner, MONTE_CARLO, spec, agents.identities()),
            function=function,
            cost=lambda at: self._monte_carlo_pairs(),
            **shared,
        )

    def _variance_plan(self, agents: Agents, shared: dict[str, Any], true_store: str) -> Plan:
        K = self.estimates
        inner: dict[str, list[Any]] = {
            "baseline": list(BASELINES),
            "estimate": list(range(K)),
            "other": list(range(K)),
        }
        dims = {**agents.dims, "n": list(self.pairs)}
        read = ("gamma", "lam", "advantages", "conventions")
        spec = self._spec(agents, "true_value_pairs", "estimates", read=read)
        return Plan(
            title=f"variance {agents.task_id}",
            schema=Schema(dims, inner, VARIANCE, spec, agents.identities()),
            function=VarianceReduction(agents, K, self.seed, self.sampling, true_store),
            cost=lambda at: K * at["n"],
            **shared,
        )

    def _monte_carlo_pairs(self) -> int:
        """At most: the way to every state, and the tail of its continuations."""
        tails = self.continuations * default_tail(self.sampling.gamma)
        return self.states * (self.sampling.stream_steps // 2 + tails)


_GROWING = frozenset({"measure"})  # an older pgcore has fewer
_Variables = dict[str, tuple[tuple[str, ...], str, str]]
_ERRORS: _Variables = {
    "error": (("set", "target", "measure"), "1", "errors of the value network"),
    "share": (("set", "target"), "1", "share of the pairs whose target is known"),
    "diverged": (("set",), "1", "trajectories that a simulation which blew up has ended"),
}
