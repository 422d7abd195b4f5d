"""What a study is, and the ways that every study is run: from Python, and described beforehand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pgcore.base.errors import check_count, check_counts, check_path, check_seed, check_type
from pgcore.studies.engine.cells import Plan, run_plans
from pgcore.studies.engine.describing import describe_plans
from pgcore.studies.engine.findings import Findings
from pgcore.studies.engine.kinds import of_kinds
from pgcore.studies.engine.moments import AnySources
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.tidy import plain_findings
from pgcore.studies.pairs.sampling import Sampling


class Settings(Protocol):
    """The settings of a study: a frozen dataclass whose fields are the command's options, too."""

    @property
    def iterations(self) -> Sequence[int] | None:
        """Of runs; None: all that they have kept."""

    @property
    def trials(self) -> int | None:
        """How many, from the first; None: all."""

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""


def check_settings(values: Mapping[str, Any]) -> None:
    """The settings that all studies share, by kind; each study checks its own."""
    iterations, trials = values.get("iterations"), values.get("trials")
    if iterations is not None:
        check_type("iterations", iterations, tuple | list, "a sequence of integers, or None")
        if iterations:
            check_counts("iterations", iterations, 0)
    if trials is not None:
        check_count("trials", trials)
    if "seed" in values:
        check_seed("seed", values["seed"])
    check_type("sampling", values.get("sampling", Sampling()), Sampling, "a Sampling")


@dataclass(frozen=True)
class Study:
    """A study: one row of :data:`pgcore.studies.catalog.STUDIES`.

    Attributes:
        name: of its command.
        question: what it answers, one line.
        figures: of the paper, for the list of studies.
        settings: a :class:`Settings` dataclass.
        open: folder -> datasets, with what follows from what was measured.
        report: (datasets, folder): figures and tables into the folder, from datasets alone.
        note: (settings, plans) -> a line for the description beforehand, or nothing.
        scouting: (settings, agents, folder) -> plans that are computed before the others are made.
        trains: whether it trains its agents itself: it is then given a task instead of agents.
        chapter: of a report, one of :data:`pgcore.studies.engine.findings.CHAPTERS`.
        findings: datasets -> what a report says of them beside the figures.
    """

    name: str
    question: str
    figures: str
    settings: type[Any]
    open: Callable[[Path], Any]
    report: Callable[[Any, Path], None]
    note: Callable[[Any, Mapping[str, Plan]], str] = lambda settings, plans: ""
    scouting: Callable[[Any, Agents, Path], dict[str, Plan]] = lambda settings, agents, out: {}
    chapter: str = "further"
    findings: Callable[[Any], Findings] = plain_findings
    trains: ClassVar[bool] = False

    def chosen(self, values: Mapping[str, Any]) -> Any:
        """The settings of a call; TypeError for a name that is none."""
        known = [f.name for f in dataclasses.fields(self.settings)]
        for name in values:
            if name not in known:
                raise TypeError(
                    f"{name}: the study {self.name} has no such setting; known: {', '.join(known)}"
                )
        values = of_kinds(self.settings, values)
        check_settings(values)
        return self.settings(**values)

    def plan(
        self,
        sources: AnySources,
        out: Path,
        lowered: bool | None,
        values: Mapping[str, Any],
        warm_up: bool = True,
    ) -> tuple[Any, dict[str, Plan]]:
        """The settings and the plans of a call."""
        settings, agents = self._settled(sources, lowered, values, warm_up)
        return settings, settings.plans(agents, out)

    def _settled(
        self, sources: AnySources, lowered: bool | None, values: Mapping[str, Any], warm_up: bool
    ) -> tuple[Any, Agents]:
        """The settings and the agents of a call."""
        settings = self.chosen(values)
        agents = Agents.of(sources, settings.iterations, settings.trials, lowered, warm_up)
        return settings, agents

    def measure(
        self,
        agents: AnySources,
        out: str | Path,
        /,
        *,
        num_threads: int | None = None,
        cluster: str | None = None,
        lowered: bool | None = None,
        warm_up: bool = True,
        **settings: Any,
    ) -> Any:
        """Measure agents; what ``out`` holds already is kept, and only the rest computed.

        Args:
            agents: run folders, agent files or agents; a mapping gives their labels.
            out: folder of the stores.
            num_threads: default: what affinity, cgroup and Slurm allow.
            cluster: see :func:`pgcore.studies.engine.cells.run_plan`.
            lowered: see :func:`pgcore.make_task`; None: as the agents were trained.
            warm_up: see :meth:`pgcore.studies.engine.sources.Agents.of`.
            settings: fields of the study's settings.

        Raises:
            ValueError: bad argument, missing agent, or ``out`` holds another study.
            StudyError: some cells failed; everything else is stored.
        """
        out = check_path("out", out)
        chosen, found = self._settled(agents, lowered, settings, warm_up)
        plans = chosen.plans(found, out)
        if scouting := self.scouting(chosen, found, out):
            run_plans(scouting, out, num_threads=num_threads, cluster=cluster)
            plans = chosen.plans(found, out)
        run_plans(plans, out, num_threads=num_threads, cluster=cluster)
        return self.open(out)

    def describe(
        self,
        agents: AnySources,
        out: str | Path,
        /,
        *,
        num_threads: int | None = None,
        lowered: bool | None = None,
        warm_up: bool = True,
        **settings: Any,
    ) -> str:
        """What :meth:`measure` would compute, and how long it would take."""
        out = check_path("out", out)
        chosen, found = self._settled(agents, lowered, settings, warm_up)
        plans = {**self.scouting(chosen, found, out), **chosen.plans(found, out)}
        lines = [describe_plans(plans, out, num_threads), self.note(chosen, plans)]
        return "\n".join(line for line in lines if line)
