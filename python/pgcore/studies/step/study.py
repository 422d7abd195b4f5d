"""Steps: how often does one update raise the true reward, and by how much?

K independent steps from n pairs each, as the paper's claims about steps (C11, C12) need them: a
landscape shows one step of a checkpoint. Beside each step: the surrogate's gain on its own and on
fresh pairs, a random step of equal KL, and a step of equal length along the true gradient.

Stores: ``true.zarr`` (true gradients, where asked for), ``dataset.zarr`` (sums over trajectories).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pgcore.base.command import one_of
from pgcore.base.errors import check_choice, check_count, check_counts
from pgcore.rollout.collect import default_streams
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import check_time_limit, parameters_of, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.pairs.sampling import NOISES, Sampling
from pgcore.studies.pairs.steps import MOST_STEPS
from pgcore.studies.step.cells import KINDS, TRUE, VARIABLES, Steps, TrueGradient

MEASURES = ("return", "discounted")
_LEAST_PAIRS = 64  # an update needs a few pairs per minibatch


@dataclass(frozen=True)
class StepStudy:
    """The settings of a step study.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        trials: how many of the trials, from the first; None: all.
        steps: K, independent steps of every agent.
        pairs: the values of n, pairs that a step is computed from.
        reward_pairs: pairs of the true reward of each step; the centre gets K times as many.
        fractions: of a step, at which everything is measured.
        noise: "independent" streams, or "common": a step shares them with its part of the centre's.
        random: whether a random step of equal KL is measured beside each step.
        true_pairs: pairs of the true gradient, along which a step of equal length is measured; 0:
            none.
        seed: of everything random.
        sampling: how the pairs of a step are sampled and judged.
    """

    iterations: tuple[int, ...] | None = None
    trials: int | None = None
    steps: int = 20
    pairs: tuple[int, ...] = (2000,)
    reward_pairs: int = 100_000
    fractions: tuple[float, ...] = (1.0,)
    noise: Annotated[str, one_of(NOISES)] = "independent"
    random: bool = True
    true_pairs: int = 0
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_choice("noise", self.noise, NOISES)
        check_count("steps", self.steps, 2, MOST_STEPS)
        check_counts("pairs", self.pairs, _LEAST_PAIRS)
        check_count("reward_pairs", self.reward_pairs)
        check_count("true_pairs", self.true_pairs, 0)
        self.sampling.check_pairs(
            pairs=self.pairs, reward_pairs=self.reward_pairs, true_pairs=self.true_pairs
        )
        whole = all(math.isfinite(f) and f != 0 for f in self.fractions)
        if not self.fractions or not whole or len(set(self.fractions)) < len(self.fractions):
            raise ValueError(
                f"fractions: expected different numbers, none of them 0, got {self.fractions}"
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
        check_time_limit("step", agents.task())
        shared = shared_of(agents)
        plans = {"true.zarr": self._true_plan(agents, shared)} if self.true_pairs else {}
        return {**plans, "dataset.zarr": self._plan(agents, shared, out.resolve())}

    def _true_plan(self, agents: Agents, shared: dict[str, Any]) -> Plan:
        return Plan(
            title=f"true gradient {agents.task_id}",
            schema=Schema(
                agents.dims,
                {"parameter": parameters_of(agents)},
                TRUE,
                spec_of(self, "step", agents, "true_pairs", "seed", "sampling"),
                agents.identities(),
            ),
            function=TrueGradient(agents, self.true_pairs, self.seed, self.sampling),
            cost=lambda at: self.true_pairs,
            **shared,
        )

    def _plan(self, agents: Agents, shared: dict[str, Any], out: Path) -> Plan:
        names = ("steps", "fractions", "reward_pairs", "noise", "random", "true_pairs", "seed")
        true_store = str(out / "true.zarr") if self.true_pairs else None
        return Plan(
            title=f"steps {agents.task_id}",
            schema=Schema(
                {**agents.dims, "n": list(self.pairs)},
                {
                    "kind": list(KINDS),
                    "step": list(range(self.steps)),
                    "fraction": list(self.fractions),
                    "measure": list(MEASURES),
                },
                VARIABLES,
                spec_of(self, "step", agents, *names, "sampling"),
                agents.identities(),
            ),
            function=Steps(
                agents,
                self.steps,
                self.fractions,
                self.reward_pairs,
                self.noise,
                self.random,
                self.seed,
                self.sampling,
                true_store,
            ),
            cost=lambda at: self.steps * (2 * at["n"] + self.members() * self.reward_pairs),
            **shared,
        )

    def members(self) -> int:
        """Policies whose reward is measured per step, its share of the centre among them."""
        return 1 + len(self.fractions) * (1 + self.random + (self.true_pairs > 0))


def note(settings: StepStudy, plans: Mapping[str, Plan]) -> str:
    """What a description of the plans does not say by itself."""
    task = plans["dataset.zarr"].probe.task
    more = default_streams(task, settings.reward_pairs) * (task.time_limit or 0)
    return (
        f"{settings.steps} steps per cell, {settings.members()} policies each (the centre's part "
        f"among them). Trajectories run to their end: up to {more} pairs more per policy."
    )
