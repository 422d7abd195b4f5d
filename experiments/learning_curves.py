"""Figure 8: mean return against iteration, of one or more training runs.

    python experiments/learning_curves.py RUN [RUN ...] --out FIGURE
    python experiments/learning_curves.py trpo=RUN "trpo, all states=RUN" --out FIGURE

A run is called by its algorithm and whether it has a baseline; a label says what else it differs
in, and lets tasks differ. Also prints a table: each trial's mean return over the last 50
iterations, and their interquartile mean with its 95 % bootstrap interval over trials; what agents
trained without a baseline (`--baseline zero`) reach, as a share of those with one; and what a
labelled variant's mean has more than its algorithm's, with Welch's 95 % interval. The curves are
kept in FIGURE.zarr.zip, from which `redraw.py` draws them again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
import xarray as xr
from pack import keep

from pgcore.studies.engine.moments import named_sources
from pgcore.studies.figures import learning_figure, save_figure
from pgcore.studies.measures.differences import unpaired_difference
from pgcore.studies.measures.statistics import iqm_interval, iqm_ratio_interval
from pgcore.training.records import read_diverged, read_metrics

LAST = 50  # iterations that make the final score


@dataclass(frozen=True)
class Command:
    """Draw learning curves and print final scores."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Folders of training runs on one task, one per algorithm and baseline, or LABEL=FOLDER."""
    out: Path
    """Figure, without suffix; .png, .pdf, .txt (a table) and .zarr.zip (the curves) are written."""


def gathered(runs: tuple[str, ...]) -> xr.Dataset:
    """The curves of runs: ``return_mean`` [agent, iteration, trial].

    NaN where no trajectory ended, where a run has fewer trials, and of trials that diverged.
    """
    curves, remarks, tasks, pairs, labelled = {}, [], set(), set(), 0
    for label, run in _named(runs):
        if not (run / "config.json").is_file():
            raise SystemExit(f"learning_curves: {run} is no training run (no config.json)")
        config = json.loads((run / "config.json").read_text())
        task, name = config["task"], label or config["algorithm"]
        labelled += label is not None
        tasks.add(task)
        pairs.add(config["pairs"])
        if len(tasks) > 1 and not labelled:
            words = " and ".join(sorted(tasks))
            raise SystemExit(
                f"learning_curves: expected one task, got {words}; runs of several need labels, "
                "as in LABEL=RUN"
            )
        if len(pairs) > 1:
            words = " and ".join(map(str, sorted(pairs)))
            raise SystemExit(f"learning_curves: expected one number of pairs, got {words}")
        name += ", no baseline" if not label and config["baseline"] == "zero" else ""
        if name in curves:
            raise SystemExit(f"learning_curves: several runs of {name}; give labels: LABEL=RUN")
        returns = read_metrics(run)["return_mean"]
        if lost := read_diverged(run):
            returns = np.delete(returns, [d.trial for d in lost], axis=1)
            remarks.append(f"{task} {name}: left out: {'; '.join(map(str, lost))}")
        if not returns.shape[1]:
            raise SystemExit(f"learning_curves: no trial of {run} is left; all diverged")
        places = {"iteration": np.arange(len(returns)), "trial": np.arange(returns.shape[1])}
        curves[name] = xr.DataArray(returns, places)
    data = xr.concat(list(curves.values()), "agent", join="outer").assign_coords(
        agent=np.array([*curves], dtype=object)
    )
    data.attrs = {"units": "return", "long_name": "mean return of the trajectories of an iteration"}
    spec = {"study": "learning", "task": " and ".join(sorted(tasks)), "pairs": pairs.pop()}
    return xr.Dataset({"return_mean": data}, attrs={"spec": json.dumps(spec), "remarks": remarks})


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
        algorithm, _, variant = name.partition(", ")
        if variant not in ("", "no baseline") and algorithm in scores:
            more = unpaired_difference(finals, scores[algorithm])
            lines.append(
                f"{spec['task']} {name}: {more.estimate:+.0f} [{more.low:+.0f}, {more.high:+.0f}] "
                f"in the mean, against {algorithm}"
            )
    save_figure(learning_figure(curves, spec["task"], spec["pairs"]), out)
    text = f"mean return over the last {LAST} of {len(returns)} iterations\n"
    text += "\n".join(lines) + "\n"
    out.with_suffix(".txt").write_text(text)
    return text


def main(command: Command) -> None:
    data = gathered(command.runs)
    print(report(data, command.out), end="")
    keep(data, command.out.with_name(f"{command.out.name}.zarr.zip"))


if __name__ == "__main__":
    main(tyro.cli(Command))
