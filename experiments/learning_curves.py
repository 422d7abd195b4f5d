"""Figure 8: mean return against iteration, of one or more training runs.

    python experiments/learning_curves.py RUN [RUN ...] --out FIGURE
    python experiments/learning_curves.py trpo=RUN "trpo, all states=RUN" --out FIGURE

A run is called by its algorithm and whether it has a baseline; a label says what else it differs
in, and lets tasks differ. Also prints a table: each trial's mean return over the last 50
iterations, and their interquartile mean with its 95 % bootstrap interval over trials; what agents
trained without a baseline (`--baseline zero`) reach, as a share of those with one; and what a
labelled variant's mean has more than that of what it varies ("trpo, no forces, wide" varies
"trpo, no forces", or else "trpo"), with Welch's 95 % interval. The curves are kept in
FIGURE.zarr.zip, from which `redraw.py` draws them again, and which may be given in the place of the
runs that it was drawn from.
"""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
import xarray as xr
from pack import keep, opened

from pgcore.studies.engine.labels import named_sources
from pgcore.studies.figures import learning_figure, save_figure
from pgcore.studies.measures.differences import unpaired_difference
from pgcore.studies.measures.statistics import iqm_interval, iqm_ratio_interval
from pgcore.training.records import read_diverged, read_metrics

LAST = 50  # iterations that make the final score


@dataclass(frozen=True)
class Command:
    """Draw learning curves and print final scores."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Folders of training runs on one task, one per algorithm and baseline, or LABEL=FOLDER; or
    curves that were kept (.zarr.zip)."""
    out: Path
    """Figure, without suffix; .png, .pdf, .txt (a table) and .zarr.zip (the curves) are written."""


def gathered(runs: tuple[str, ...]) -> xr.Dataset:
    """The curves of runs: ``return_mean`` [agent, iteration, trial].

    NaN where no trajectory ended, where a run has fewer trials, and of trials that diverged.
    """
    curves, remarks, tasks, pairs, labelled = {}, [], set(), set(), False
    for label, source in _named(runs):
        kept = source.name.endswith(".zarr.zip")
        found, said, its_tasks, its_pairs = _kept(source) if kept else _trained(source, label)
        remarks += said
        tasks |= its_tasks
        pairs.add(its_pairs)
        labelled |= kept or label is not None
        if len(tasks) > 1 and not labelled:
            words = " and ".join(sorted(tasks))
            raise SystemExit(
                f"learning_curves: expected one task, got {words}; runs of several need labels, "
                "as in LABEL=RUN"
            )
        if len(pairs) > 1:
            words = " and ".join(map(str, sorted(pairs)))
            raise SystemExit(f"learning_curves: expected one number of pairs, got {words}")
        for name in found:
            if name in curves:
                raise SystemExit(f"learning_curves: several runs of {name}; give labels: LABEL=RUN")
        curves |= found
    data = xr.concat(list(curves.values()), "agent", join="outer").assign_coords(
        agent=np.array([*curves], dtype=object)
    )
    data.attrs = {"units": "return", "long_name": "mean return of the trajectories of an iteration"}
    spec = {"study": "learning", "task": " and ".join(sorted(tasks)), "pairs": pairs.pop()}
    return xr.Dataset({"return_mean": data}, attrs={"spec": json.dumps(spec), "remarks": remarks})


_Curves = tuple[dict[str, xr.DataArray], list[str], set[str], int]  # remarks, tasks, pairs


def _trained(run: Path, label: str | None) -> _Curves:
    """The curves [iteration, trial] of a run, by its name."""
    if not (run / "config.json").is_file():
        raise SystemExit(f"learning_curves: {run} is no training run (no config.json)")
    config = json.loads((run / "config.json").read_text())
    task, name = config["task"], label or config["algorithm"]
    name += ", no baseline" if not label and config["baseline"] == "zero" else ""
    returns, remarks = read_metrics(run)["return_mean"], []
    if lost := read_diverged(run):
        returns = np.delete(returns, [d.trial for d in lost], axis=1)
        remarks.append(f"{task} {name}: left out: {'; '.join(map(str, lost))}")
    if not returns.shape[1]:
        raise SystemExit(f"learning_curves: no trial of {run} is left; all diverged")
    places = {"iteration": np.arange(len(returns)), "trial": np.arange(returns.shape[1])}
    return {name: xr.DataArray(returns, places)}, remarks, {task}, config["pairs"]


def _kept(file: Path) -> _Curves:
    """Curves that an earlier call has kept."""
    if not file.is_file():
        raise SystemExit(f"learning_curves: no file {file}")
    data = opened(file)
    if "return_mean" not in data:
        raise SystemExit(f"learning_curves: {file} holds no curves")
    spec = json.loads(data.attrs["spec"])
    curves = {
        str(name): data["return_mean"].sel(agent=name, drop=True).dropna("trial", how="all")
        for name in data["agent"].values
    }
    return curves, list(data.attrs["remarks"]), set(spec["task"].split(" and ")), spec["pairs"]


def _named(runs: tuple[str, ...]) -> list[tuple[str | None, Path]]:
    try:
        return [(label, Path(str(run))) for label, run in named_sources(runs)]
    except ValueError as error:
        raise SystemExit(f"learning_curves: {error}") from None


def report(data: xr.Dataset, out: Path) -> str:
    """Write figure and table of such a dataset beside each other; the table."""
    spec = json.loads(data.attrs["spec"])
    curves = {}
    for agent in data["agent"].values:
        returns = data["return_mean"].sel(agent=agent).transpose("iteration", "trial").values
        known = np.isfinite(returns)
        last = np.flatnonzero(known.any(axis=1)).max() + 1
        curves[str(agent)] = returns[:last, known.any(axis=0)]
    lines, scores = list(data.attrs["remarks"]), {}
    for name, returns in curves.items():
        finals = scores[name] = np.nanmean(returns[-LAST:], axis=0)
        iqm, low, high = iqm_interval(finals)
        lines.append(
            f"{spec['task']} {name}: IQM {iqm:.0f} [{low:.0f}, {high:.0f}] over {len(finals)} "
            f"trials, mean {finals.mean():.0f}; trials " + " ".join(f"{x:.0f}" for x in finals)
        )
    for name in scores:
        if (none := f"{name}, no baseline") in scores:
            share, low, high = iqm_ratio_interval(scores[none], scores[name])
            ends = f"{share:.2f} [{low:.2f}, {high:.2f}]"
            lines.append(f"{spec['task']} {name}: no baseline / one {ends}")
    for name, finals in scores.items():
        varied = _varied(name, scores)
        if varied and name != f"{varied}, no baseline":
            more = unpaired_difference(finals, scores[varied])
            lines.append(
                f"{spec['task']} {name}: {more.estimate:+.0f} [{more.low:+.0f}, {more.high:+.0f}] "
                f"in the mean, against {varied}"
            )
    save_figure(learning_figure(curves, spec["task"], spec["pairs"]), out)
    text = f"mean return over the last {LAST} of {len(returns)} iterations\n"
    text += "\n".join(lines) + "\n"
    out.with_suffix(".txt").write_text(text)
    return text


def _varied(name: str, scores: Container[str]) -> str:
    """What a labelled variant varies, if its scores are there."""
    while ", " in name:
        name = name.rpartition(", ")[0]
        if name in scores:
            return name
    return ""


def main(command: Command) -> None:
    data = gathered(command.runs)
    print(report(data, command.out), end="")
    keep(data, command.out.with_name(f"{command.out.name}.zarr.zip"))


if __name__ == "__main__":
    main(tyro.cli(Command))
