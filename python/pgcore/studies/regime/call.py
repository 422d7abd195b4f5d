"""One call of a sample regime study: everything checked, then computed and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from pgcore.base.threads import chosen_threads
from pgcore.studies.engine.cells import StudyError, run_plan, run_plans
from pgcore.studies.engine.parts import check_time_limit
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import check_folder, check_same, check_stores
from pgcore.studies.regime.cells import (
    REWARD_STORE,
    TRAINING_STORE,
    reward_plan,
    reward_schema,
    training_plan,
)
from pgcore.studies.regime.grid import GridRun, base_configs, base_digests, grid_runs
from pgcore.studies.regime.measuring import (
    KINDS,
    agents_of,
    by_pairs,
    sampling_of,
    study_folder,
    study_plans,
)
from pgcore.studies.regime.settings import LAST, RegimeStudy
from pgcore.studies.regime.training import train_runs
from pgcore.tasks.make import make_task
from pgcore.training.config import TrainConfig


@dataclass(frozen=True)
class RegimeCall:
    """One call, checked.

    Attributes:
        settings, out, lowered, warm_up: of the call.
        runs: of the grid.
        spec: what makes the numbers of its own stores.
        identities: of what the grid varies, by a name in these stores.
    """

    settings: RegimeStudy
    out: Path
    lowered: bool | None
    warm_up: bool
    runs: list[GridRun]
    spec: dict[str, Any]
    identities: dict[str, str]

    def check_studies(self) -> None:
        """Whether the gradient and step studies that are there have these settings.

        Raises:
            ValueError: some have others.
        """
        for kind, (algorithm, pairs, runs) in product(KINDS, by_pairs(self.runs)):
            folder = study_folder(self.out, kind, algorithm, pairs)
            ended = [run for run in runs if folder.exists() and not run.left()]
            agents = self._agents(ended)
            if agents is not None:
                plans = study_plans(self.settings, kind, ended, agents, folder)
                check_stores(folder, {name: plan.schema for name, plan in plans.items()})

    def _agents(self, runs: list[GridRun]) -> Agents | None:
        """Those that are measured, of runs at their end."""
        shares = self.settings.shares
        return agents_of(runs, shares, lambda run: run.label, self.lowered, self.warm_up)

    def compute(self, num_threads: int | None, cluster: str | None) -> None:
        """Train what is not at its end, and measure what is."""
        failures = train_runs(self.runs, self.spec["task"], chosen_threads(num_threads), cluster)
        ended, total = [run for run in self.runs if not run.left()], len(self.runs)
        where: dict[str, Any] = {"num_threads": num_threads, "cluster": cluster}
        for measure in self._measures(ended, where) if ended else ():
            try:
                measure()
            except StudyError as error:
                failures |= error.failures
                total += error.total
        if failures:
            raise StudyError(failures, total)

    def _measures(self, runs: list[GridRun], where: dict[str, Any]) -> Iterator[Callable[[], Any]]:
        """Everything that is measured, in order; each is planned when it is asked for."""
        shares, rest = self.settings.shares, (self.lowered, self.warm_up)
        agents = agents_of(runs, (0.0, *shares, LAST), lambda run: run.folder.name, *rest)
        assert agents is not None  # all are sound before their first iteration
        own = (self.settings, runs, agents, self.spec, self.identities)
        yield partial(run_plan, reward_plan(*own), self.out / REWARD_STORE, **where)
        yield partial(run_plan, training_plan(*own), self.out / TRAINING_STORE, **where)
        for kind, (algorithm, pairs, some) in product(KINDS, by_pairs(runs)):
            agents = self._agents(some)
            if agents is not None:
                folder = study_folder(self.out, kind, algorithm, pairs)
                plans = study_plans(self.settings, kind, some, agents, folder)
                yield partial(run_plans, plans, folder, **where)


def check_call(
    task: Any,
    out: Path,
    settings: RegimeStudy,
    configs: Mapping[str, TrainConfig] | None,
    lowered: bool | None,
    warm_up: bool,
) -> RegimeCall:
    """Everything that can be wrong is found here, before any work.

    Raises:
        ValueError: settings that cannot be, or a folder that holds something else.
    """
    bases = base_configs(task, settings, configs)
    plain = lowered is None or lowered
    made = make_task(task, lowered=plain)
    check_time_limit("regime", made)
    spec = {
        "study": "regime",
        "task": made.id,
        "model": made.model_hash(),
        "total_pairs": settings.total_pairs,
        "seed": settings.seed,
    }
    identities = {f"settings of {name}": own for name, own in base_digests(settings, bases)}
    check_folder(out, spec)
    check_same(out / REWARD_STORE, reward_schema(settings, spec, identities))
    runs = grid_runs(settings, bases, made, out, plain)
    for run in runs:
        sampling_of(run.config)
    call = RegimeCall(settings, out, lowered, warm_up, runs, spec, identities)
    call.check_studies()
    return call
