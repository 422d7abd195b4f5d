"""`pgcore study`: run a study on agents and draw its figures."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from pgcore.base.command import parse
from pgcore.base.errors import check_count, check_path
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.study import Study

_USAGE = """usage: pgcore study STUDY [LABEL=]SOURCE [[LABEL=]SOURCE ...] --out DIR [options]

Measure agents on one task: a SOURCE is the folder of a training run, or an agent's file. LABEL
names it in datasets and figures; sources of one LABEL are its trials, in their order. A study that
trains its agents itself (regime) is given a TASK instead. What is already in DIR is kept and only
the rest computed: an interrupted study goes on with the same command, and one with more iterations,
trials, agents or pairs is extended.

{studies}

`pgcore study STUDY --help` documents every option; --dry-run says what would be computed.
"""


_SOURCES = tyro.conf.arg(
    metavar="[LABEL=]SOURCE [[LABEL=]SOURCE ...]", help_behavior_hint="(required)"
)


@dataclass(frozen=True, kw_only=True)
class Where:
    """What every study is given beside its agents: a folder, and where to compute."""

    out: Path
    """Folder for datasets and figures."""
    threads: int | None = None
    """Threads. Default: what affinity, cgroup and Slurm allow."""
    cluster: str | None = None
    """Dask: local:N for N worker processes here, or the tcp://host:port of a running scheduler."""
    lowered: bool | None = None
    """Whether the simulator is made cheaper where that changes no bit. Default: as in training."""
    warm_up: bool = True
    """At iteration 0, statistics frozen after the first iteration's steps; off: none."""
    dry_run: bool = False
    """Only say how many cells, simulator steps and hours it would take."""


@dataclass(frozen=True, kw_only=True)
class WithAgents(Where):
    """Of a study that measures agents."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, _SOURCES]
    """Run folders or agent files, each as PATH or LABEL=PATH; those of one LABEL are its trials."""


@dataclass(frozen=True, kw_only=True)
class WithTask(Where):
    """Of a study that trains its agents itself."""

    task: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK")]
    """Task: an id (`pgcore tasks` lists them), a task file (arm.toml), or gym:ID."""


def _parse(study: Study, arguments: Sequence[str]) -> tuple[Any, Any]:
    """The options of a study: those of :class:`Where` and the fields of its settings."""
    given: Any = WithTask if study.trains else WithAgents
    kind = dataclasses.make_dataclass(
        "Command",
        [
            ("where", Annotated[given, tyro.conf.arg(name="")]),
            ("study", Annotated[study.settings, tyro.conf.arg(name="")]),
        ],
        frozen=True,
    )
    kind.__doc__ = study.question
    command: Any = parse(
        kind,
        f"pgcore study {study.name}",
        arguments,
        config=(tyro.conf.OmitArgPrefixes,),
    )
    return command.where, command.study


def run(study: Study, arguments: Sequence[str]) -> None:
    """One study: parse, compute, report."""
    where, chosen = _parse(study, arguments)
    if where.threads is not None:
        check_count("threads", where.threads)
    out = check_path("out", where.out)
    settings = {f.name: getattr(chosen, f.name) for f in dataclasses.fields(chosen)}
    options: dict[str, Any] = {
        "num_threads": where.threads,
        "lowered": where.lowered,
        "warm_up": where.warm_up,
    }
    options |= settings
    of: Any = where.task if study.trains else where.sources
    if where.dry_run:
        print(study.describe(of, out, **options))
        return
    data = study.measure(of, out, cluster=where.cluster, **options)
    study.report(data, out)


def main(arguments: Sequence[str]) -> None:
    """Dispatch to a study; the caller turns errors into one line."""
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = [f"  {s.name:<12}{s.question} ({s.figures})" for s in STUDIES.values()]
        print(_USAGE.format(studies="\n".join(lines)), end="")
        return
    if arguments[0] not in STUDIES:
        known = ", ".join(STUDIES)
        print(f"pgcore study: unknown study {arguments[0]!r}; studies: {known}", file=sys.stderr)
        raise SystemExit(2)
    run(STUDIES[arguments[0]], arguments[1:])
