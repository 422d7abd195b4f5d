"""Updates: where, inside one, does ascent of the surrogate stop to pay in true reward?

K independent updates from n pairs each, as a step study takes them, looked at on their way: after
every pass or minibatch of PPO, at every try of TRPO's line search, after A2C's single step. True
rewards of the points are measured on the streams of the start, so that changes are paired; beside
them the surrogate on the update's own and on fresh pairs.

One store: ``dataset.zarr`` has sums over trajectories, from which every statistic follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pgcore.agent import Agent
from pgcore.base.command import one_of
from pgcore.base.errors import check_choice, check_count, check_counts
from pgcore.rollout.collect import default_streams
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import check_time_limit, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.pairs.steps import MOST_STEPS
from pgcore.studies.update.cells import VARIABLES, Updates
from pgcore.studies.update.points import EVERY

MEASURES = ("return", "discounted")
_LEAST_PAIRS = 64  # an update needs a few pairs per minibatch


@dataclass(frozen=True)
class UpdateStudy:
    """The settings of an update study.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        trials: how many of the trials, from the first; None: all.
        updates: K, independent updates of every agent.
        pairs: the values of n, pairs that an update is computed from.
        every: "pass" over the pairs, or "minibatch", after which an update is looked at.
        points: at which an update is looked at, at most; longer ones at every second, third, ...
        reward_pairs: pairs of the true reward of each point; the start gets K times as many.
        seed: of everything random.
        sampling: how the pairs of an update are sampled and judged.
    """

    iterations: tuple[int, ...] | None = None
    trials: int | None = None
    updates: int = 10
    pairs: tuple[int, ...] = (2000,)
    every: Annotated[str, one_of(EVERY)] = "pass"
    points: int = 16
    reward_pairs: int = 20_000
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_choice("every", self.every, EVERY)
        check_count("updates", self.updates, 2, MOST_STEPS)
        check_counts("pairs", self.pairs, _LEAST_PAIRS)
        check_count("points", self.points)
        check_count("reward_pairs", self.reward_pairs)
        self.sampling.check_pairs(pairs=self.pairs, reward_pairs=self.reward_pairs)
        if self.sampling.advantages != "raw":
            raise ValueError(
                "advantages: expected raw, as sampled; the surrogate normalises them, and the "
                "update as the agent does"
            )

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        agents.check_learning()
        self.sampling.check_agents(agents.every())
        check_time_limit("update", agents.task())
        expected = {}
        for at, agent in agents.every():
            algorithm = agent.check_algorithm()
            if not algorithm.can_be_watched:
                raise ValueError(
                    f"agents: expected algorithms whose update can be watched, got "
                    f"{algorithm.name} of {at['agent']}; let its update take watch= (see "
                    "pgcore.learning.watch), or leave the agent out"
                )
            expected[at["agent"]] = self._expected_points(agent)
        names = ("updates", "every", "points", "reward_pairs", "seed", "sampling")
        own = {name: getattr(self, name) for name in names}
        plan = Plan(
            title=f"updates {agents.task_id}",
            schema=Schema(
                {**agents.dims, "n": list(self.pairs)},
                {
                    "update": list(range(self.updates)),
                    "point": list(range(self.points)),
                    "measure": list(MEASURES),
                },
                VARIABLES,
                spec_of(self, "update", agents, *names),
                agents.identities(),
            ),
            function=Updates(agents, **own),
            cost=lambda at: (
                self.updates * (2 * at["n"] + (1 + expected[at["agent"]]) * self.reward_pairs)
            ),
            **shared_of(agents),
        )
        return {"dataset.zarr": plan}

    def _expected_points(self, agent: Agent) -> int:
        """About how many an update has, for its cost alone: a line search takes a try or two."""
        settings = vars(agent.settings)
        passes = settings.get("policy_epochs", 2 if "backtracks" in settings else 1)
        each = settings.get("minibatches", 1) if self.every == "minibatch" else 1
        return int(min(self.points, passes * each))


def note(settings: UpdateStudy, plans: Mapping[str, Plan]) -> str:
    """What a description of the plans does not say by itself."""
    task = plans["dataset.zarr"].probe.task
    more = default_streams(task, settings.reward_pairs) * (task.time_limit or 0)
    return (
        f"{settings.updates} updates per cell, up to {settings.points} points each, and the start; "
        f"a line search is taken to try twice. Trajectories run to their end: up to {more} pairs "
        "more per policy."
    )
