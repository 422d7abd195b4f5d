"""Variance: what is the noise of gradient estimates made of, and what do baselines leave of it?

tr Σ of the gradient of whole trajectories, split by nested restores of their states into what
states, actions and the rest of the trajectory contribute, and the covariance between its pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pgcore.base.errors import check_count
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import check_time_limit, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.measures.variance import JUDGES
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.returns import resolved_steps
from pgcore.studies.variance.cells import VARIANCE, Variance
from pgcore.tasks.gymnasium import GymnasiumTask

_MOST_TRAJECTORIES = 4000  # whose gradients are held at a time
_WORK = 2.0  # of a pair, simulated and used, against its simulation


@dataclass(frozen=True)
class VarianceStudy:
    """The settings of a variance study; discount and lambda are each agent's own.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        trials: how many of the trials, from the first; None: all.
        trajectories: N, whole trajectories; one state of each is restored.
        first_actions: J, actions that are tried there.
        rests: K, rests of the trajectory after each of them.
        fit_pairs: pairs whose returns the fitted value is fitted to.
        seed: of everything random.
    """

    iterations: tuple[int, ...] | None = None
    trials: int | None = None
    trajectories: int = 400
    first_actions: int = 6
    rests: int = 2
    fit_pairs: int = 200_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("trajectories", self.trajectories, 10, _MOST_TRAJECTORIES)
        check_count("first_actions", self.first_actions, 3, 1000)
        check_count("rests", self.rests, 2, 1000)
        check_count("fit_pairs", self.fit_pairs)
        Sampling().check_pairs(fit_pairs=self.fit_pairs)

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store."""
        task = agents.task()
        if isinstance(task, GymnasiumTask):
            raise ValueError(
                f"variance: needs to restore a simulator's state, which {task.id} cannot; use a "
                "task of the native engine"
            )
        check_time_limit("variance", agents.task())
        for at, agent in agents.every():
            agent.check_value()
            self._check_fit(str(at["agent"]), agent.judgement.gamma)
        names = ("trajectories", "first_actions", "rests", "fit_pairs", "seed")
        most = self.trajectories * (task.time_limit or 0) * (2 + self.first_actions * self.rests)
        plan = Plan(
            title=f"variance {agents.task_id}",
            schema=Schema(
                agents.dims,
                {"judge": list(JUDGES), "trajectory": list(range(self.trajectories))},
                VARIANCE,
                spec_of(self, "variance", agents, *names),
                agents.identities(),
            ),
            function=Variance(agents, **{name: getattr(self, name) for name in names}),
            cost=lambda at: most + self.fit_pairs * 11 // 10,
            work=_WORK,
            **shared_of(agents),
        )
        return {"dataset.zarr": plan}

    def _check_fit(self, agent: str, gamma: float) -> None:
        """A value can be fitted where returns are known before their stream ends."""
        steps, tail = Sampling(gamma=gamma).streams(self.fit_pairs)[1], resolved_steps(gamma)
        if tail >= steps:
            raise ValueError(
                f"fit_pairs: with the discount of {agent}, {gamma}, a return is known {tail} steps "
                f"before the end of its stream, which has {steps}; "
                + ("give more" if steps < Sampling().stream_steps else "the discount is too high")
            )


def note(settings: VarianceStudy, plans: Mapping[str, Plan]) -> str:
    """What a description of the plans does not say by itself."""
    return (
        f"{settings.trajectories} trajectories, and at a state of each {settings.first_actions} "
        f"actions with {settings.rests} rests of the trajectory: at most, as if none ended before "
        "the time limit."
    )
