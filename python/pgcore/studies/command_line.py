"""`pgcore study`: run a study on trained agents and draw its figures."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
import xarray as xr

from pgcore.studies.gradient.study import GradientStudy, describe_gradient, gradient_quality
from pgcore.studies.landscape.study import LandscapeStudy, describe_landscape, landscape
from pgcore.studies.value.study import ValueStudy, describe_value, value_prediction

USAGE = """usage: pgcore study STUDY RUN [RUN ...] --out DIR [options]

Measure the agents of one or more training runs (one run per algorithm, same task). What is already
in DIR is kept and only the rest computed, so an interrupted study goes on with the same command.

  gradient   how good are gradient estimates from n state-action pairs? (figures 1, 2, 9, 10)
  value      does the value network predict value; how much variance does it remove? (3, 4, 11, 12)
  landscape  do the surrogate and the true reward look alike around the policy? (5-7, 13-20)

`pgcore study STUDY --help` documents every option; --dry-run says what would be computed.
"""


@dataclass(frozen=True)
class Where:
    """What every study is given: agents, a folder, and where to compute."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of training runs on one task, at most one per algorithm."""
    out: Path
    """Folder for datasets and figures."""
    threads: int | None = None
    """Threads. Default: what affinity, cgroup and Slurm allow."""
    cluster: str | None = None
    """Dask: local:N for N worker processes here, or the tcp://host:port of a running scheduler."""
    dry_run: bool = False
    """Only say how many cells, simulator steps and hours it would take."""


def _command(study: type, name: str, text: str, arguments: Sequence[str]) -> tuple[Where, Any]:
    """Parse the options of a study: those of :class:`Where` and the fields of its settings."""
    kind = dataclasses.make_dataclass(
        "Command",
        [
            ("where", Annotated[Where, tyro.conf.arg(name="")]),
            ("study", Annotated[study, tyro.conf.arg(name="")]),
        ],
        frozen=True,
    )
    kind.__doc__ = text
    command: Any = tyro.cli(
        kind,
        prog=f"pgcore study {name}",
        args=list(arguments),
        config=(tyro.conf.OmitArgPrefixes,),
    )
    return command.where, command.study


def _run(
    study: type,
    name: str,
    text: str,
    describe: Callable[..., str],
    compute: Callable[..., Any],
    arguments: Sequence[str],
) -> tuple[Path, Any]:
    """Parse, then compute: the study's folder and its data. With --dry-run, print and exit."""
    where, chosen = _command(study, name, text, arguments)
    settings = {f.name: getattr(chosen, f.name) for f in dataclasses.fields(chosen)}
    if where.dry_run:
        print(describe(where.runs, where.out, num_threads=where.threads, **settings))
        raise SystemExit(0)
    data = compute(
        where.runs, where.out, num_threads=where.threads, cluster=where.cluster, **settings
    )
    return where.out, data


def _report(out: Path, table: str) -> None:
    """Store the table beside the figures, and print it."""
    (out / "summary.txt").write_text(table)
    figures = sorted(p.name for p in out.iterdir() if p.suffix in (".png", ".html"))
    print(f"{table}\n{out}: {', '.join(figures)}, summary.txt, datasets")


def report_gradient(data: xr.Dataset, out: Path) -> None:
    """Figures and table of a gradient study, from its dataset alone."""
    from pgcore.studies import figures

    for kind in ("gradient", "step"):
        figures.save_figure(figures.gradient_figure(data, kind), out / f"{kind}_quality")
    _report(out, figures.gradient_table(data))


def report_value(data: dict[str, xr.Dataset], out: Path) -> None:
    """Figures and table of a value study, from its datasets alone."""
    from pgcore.studies import figures

    figures.save_figure(figures.value_figure(data["errors"]), out / "value_errors")
    if "variance" in data:
        figures.save_figure(figures.variance_figure(data["variance"]), out / "variance")
    _report(out, figures.value_table(data))


def report_landscape(data: xr.Dataset, out: Path) -> None:
    """Figures, page and table of a landscape study, from its dataset alone."""
    from pgcore.studies import figures

    plane = figures.is_plane(data)
    kinds = {"surface": figures.surface_figure, "contour": figures.contour_figure}
    if not plane:
        kinds.pop("surface")
    for algorithm, trial in itertools.product(*(data[d].values for d in ("algorithm", "trial"))):
        who = f"{algorithm}-trial{trial}"
        for source, (kind, draw) in itertools.product(data["source"].values, kinds.items()):
            figure = draw(data, str(algorithm), int(trial), int(source))
            figures.save_figure(figure, out / f"{kind}-{who}-step{source}")
        if plane and data.sizes["source"] > 1:
            figure = figures.sources_figure(data, str(algorithm), int(trial))
            figures.save_figure(figure, out / f"sources-{who}")
    if plane:
        (out / "landscape.html").write_text(figures.landscape_page(data))
    _report(out, figures.landscape_table(data))


def gradient(arguments: Sequence[str]) -> None:
    """`pgcore study gradient`."""
    text = "How concentrated are gradient estimates from n pairs, and how near the true gradient?"
    out, data = _run(
        GradientStudy, "gradient", text, describe_gradient, gradient_quality, arguments
    )
    report_gradient(data, out)


def value(arguments: Sequence[str]) -> None:
    """`pgcore study value`."""
    text = "Does the value network predict value, and how much variance does it remove?"
    out, data = _run(ValueStudy, "value", text, describe_value, value_prediction, arguments)
    report_value(data, out)


def map_landscape(arguments: Sequence[str]) -> None:
    """`pgcore study landscape`."""
    text = "Do the surrogate's landscape and the true reward's look alike around the policy?"
    out, data = _run(LandscapeStudy, "landscape", text, describe_landscape, landscape, arguments)
    report_landscape(data, out)


STUDIES: dict[str, Callable[[Sequence[str]], None]] = {
    "gradient": gradient,
    "value": value,
    "landscape": map_landscape,
}


def main(arguments: Sequence[str]) -> None:
    """Dispatch to a study; the caller turns errors into one line."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        raise SystemExit(0)
    if arguments[0] not in STUDIES:
        known = ", ".join(STUDIES)
        print(f"pgcore study: unknown study {arguments[0]!r}; studies: {known}", file=sys.stderr)
        raise SystemExit(2)
    STUDIES[arguments[0]](arguments[1:])
