"""Figure 8: mean return against iteration, of one or more training runs on one task.

    python experiments/learning_curves.py RUN [RUN ...] --out FIGURE

Also prints a table: each trial's mean return over the last 50 iterations, and their interquartile
mean with its 95 % bootstrap interval over trials; and what agents trained without a baseline
(`--baseline zero`) reach, as a share of those with one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from pgcore.studies.figures import learning_figure, save_figure
from pgcore.studies.measures.statistics import iqm_interval, iqm_ratio_interval
from pgcore.training.records import read_diverged, read_metrics

LAST = 50  # iterations that make the final score


@dataclass(frozen=True)
class Command:
    """Draw learning curves and print final scores."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of training runs on one task, one per algorithm and baseline."""
    out: Path
    """Figure, without suffix; .png, .pdf and .txt (the table) are written."""


def main(command: Command) -> None:
    curves, lines, scores, tasks = {}, [], {}, set()
    for run in command.runs:
        if not (run / "config.json").is_file():
            raise SystemExit(f"learning_curves: {run} is no training run (no config.json)")
        config = json.loads((run / "config.json").read_text())
        task, name = config["task"], config["algorithm"]
        tasks.add(task)
        if len(tasks) > 1:
            raise SystemExit(f"learning_curves: expected one task, got {' and '.join(tasks)}")
        name += ", no baseline" if config["baseline"] == "zero" else ""
        if name in curves:
            raise SystemExit(f"learning_curves: several runs of {name}; give one of each kind")
        curves[name] = read_metrics(run)["return_mean"]
        if lost := read_diverged(run):
            curves[name] = np.delete(curves[name], [d.trial for d in lost], axis=1)
            lines.append(f"{task} {name}: left out: {'; '.join(map(str, lost))}")
        if not curves[name].shape[1]:
            raise SystemExit(f"learning_curves: no trial of {run} is left; all diverged")
        finals = scores[name] = np.nanmean(curves[name][-LAST:], axis=0)
        iqm, low, high = iqm_interval(finals)
        lines.append(
            f"{task} {name}: IQM {iqm:.0f} [{low:.0f}, {high:.0f}] over {len(finals)} trials, "
            f"mean {finals.mean():.0f}; trials " + " ".join(f"{x:.0f}" for x in finals)
        )
    for name in scores:
        if f"{name}, no baseline" in scores:
            share, low, high = iqm_ratio_interval(scores[f"{name}, no baseline"], scores[name])
            lines.append(f"{task} {name}: no baseline / one {share:.2f} [{low:.2f}, {high:.2f}]")
    save_figure(learning_figure(curves, task), command.out)
    text = f"mean return over the last {LAST} of {len(curves[name])} iterations\n"
    text += "\n".join(lines) + "\n"
    command.out.with_suffix(".txt").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main(tyro.cli(Command))
