"""The three questions in one picture, from kept datasets alone.

python experiments/overview.py --out experiments/results/overview
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import tyro
from matplotlib.figure import Figure
from pack import opened

from pgcore.studies.figures import save_figure
from pgcore.studies.gradient.figures import band, cosine_panel
from pgcore.studies.gradient.opening import gradient_quantities
from pgcore.studies.landscape.figures import cut_panel, measured_pairs
from pgcore.studies.measures.statistics import iqm_interval
from pgcore.studies.style import AGENT_PAIRS, STYLE, new_figure, pairs_axis

ITERATION, ALGORITHM, TRIAL = 150, "trpo", 0  # whose landscape is shown
LINES = {  # errors on held-out pairs: color, line, marker
    "returns, cut": ("#b03030", ":", "s"),
    "returns": ("#1b7f4b", "-", "^"),
    "GAE target": ("#1f4e9c", "-.", "o"),
}


@dataclass(frozen=True)
class Command:
    """Draw the overview."""

    out: Path = Path("experiments/results/overview")
    """Figure, without suffix."""
    kept: Path = Path("experiments/results")
    """Folder of the kept datasets."""


def gradients(ax: mpl.axes.Axes, kept: Path) -> None:
    """Pairwise cosines late in training."""
    data = gradient_quantities(opened(kept / "hopper-gradient.zarr.zip")).sel(iteration=450)
    for algorithm in ("ppo", "trpo"):
        cosine_panel(ax, data, algorithm)
    pairs_axis(ax, data["n"].values)
    ax.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")
    ax.text(AGENT_PAIRS * 0.9, 0.98, "an iteration", fontsize=6, ha="right")
    ax.set(xlabel="state-action pairs n", ylabel="mean pairwise cosine", ylim=(-0.3, 1.04))
    ax.set_title("Do gradient estimates agree?\nHopper-v2, iteration 450", fontsize=7.5)
    ax.legend(fontsize=6, loc="center left")


def values(ax: mpl.axes.Axes, kept: Path) -> None:
    """Errors of PPO's value network on held-out pairs."""
    whole, cut = (
        opened(kept / f"hopper-value-{name}errors.zarr.zip")["error"].sel(
            {"agent": "ppo", "set": "held-out", "measure": "mre"}
        )
        for name in ("", "cut-")
    )
    targets = {
        "returns, cut": cut.sel(target="returns"),
        "returns": whole.sel(target="returns"),
        "GAE target": whole.sel(target="gae"),
    }
    for name, error in targets.items():
        color, line, marker = LINES[name]
        rows = np.stack(iqm_interval(error.transpose("iteration", "trial").values), axis=1)
        band(ax, error["iteration"].values, rows, color=color, line=line, marker=marker, label=name)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="iteration", ylabel="mean relative error")
    ax.set_title("Does the value network predict value?\nHopper-v2, PPO, held-out", fontsize=7.5)
    ax.legend(fontsize=6)


def landscape(ax: mpl.axes.Axes, kept: Path) -> None:
    """Reward and surrogate along a step."""
    where = {"agent": ALGORITHM, "iteration": ITERATION, "trial": TRIAL}
    data = opened(kept / "hopper-landscape.zarr.zip").sel(where)
    data = data.isel(source=-1)
    cut_panel(ax, data, np.array(measured_pairs(data["reward"])[-1:]))
    ax.set_xlabel("step")
    title = f"Hopper-v2, {ALGORITHM.upper()}, iteration {ITERATION}"
    ax.set_title(f"Does the surrogate look like the reward?\n{title}", fontsize=7.5)


@mpl.rc_context(STYLE)
def overview(kept: Path) -> Figure:
    """The picture."""
    figure, axes = new_figure(3, 1, width=2.7, height=2.4)
    for ax, panel in zip(axes[0], (gradients, values, landscape), strict=True):
        panel(ax, kept)
    return figure


def main(command: Command) -> None:
    save_figure(overview(command.kept), command.out)


if __name__ == "__main__":
    main(tyro.cli(Command))
