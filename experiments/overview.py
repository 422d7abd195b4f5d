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
from pgcore.studies.gradient.opening import gradient_quantities
from pgcore.studies.landscape.figures import cut_panel, measured_pairs
from pgcore.studies.measures.statistics import iqm_interval
from pgcore.studies.style import (
    AGENT_PAIRS,
    STYLE,
    THREE_LOOKS,
    bars,
    caption,
    look_of,
    new_figure,
    pairs_axis,
    shown,
)

ITERATION, ALGORITHM, TRIAL = 150, "trpo", 0  # whose landscape is shown


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
    for place, agent in enumerate(("ppo", "trpo")):
        cosines = data["pairwise_cosine"].sel(agent=agent).transpose("n", "trial").values
        rows = np.stack([np.median(cosines, 1), cosines.min(1), cosines.max(1)], axis=-1)
        look = look_of(agent, data["agent"].values)
        bars(ax, data["n"].values, rows, **look, label=shown(agent), shift=2 * place - 1)
    pairs_axis(ax, data["n"].values)
    ax.axhline(0, color="black", linewidth=0.5)
    ax.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")
    ax.text(AGENT_PAIRS * 0.9, 0.98, "an iteration", fontsize=6, ha="right")
    ax.set(xlabel="state-action pairs n", ylabel="mean pairwise cosine", ylim=(-0.3, 1.04))
    ax.set_title("Do gradient estimates agree?\nPPO and TRPO, iteration 450", fontsize=7.5)
    ax.legend(fontsize=6, loc="center left")


def values(ax: mpl.axes.Axes, kept: Path) -> None:
    """Errors of PPO's value network on held-out pairs, after the start."""
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
    for place, (name, error) in enumerate(targets.items()):
        color, line, marker = THREE_LOOKS[place]
        error = error.sel(iteration=error["iteration"] > 0)
        rows = np.stack(iqm_interval(error.transpose("iteration", "trial").values), axis=1)
        look = {"color": color, "line": line, "marker": marker, "label": name}
        bars(ax, error["iteration"].values, rows, **look, shift=2 * (place - 1))
    ax.set_yscale("log")
    ax.set_ylim(top=2.0)
    ax.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda y, _: f"{y:g}"))
    ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.set(xlabel="iteration", ylabel="mean relative error")
    ax.set_title("Does the value network predict value?\nPPO, held-out pairs", fontsize=7.5)
    ax.legend(fontsize=5.5, ncols=3, loc="upper right", columnspacing=0.8, handlelength=2.0)


def landscape(ax: mpl.axes.Axes, kept: Path) -> None:
    """Reward and surrogate along a step."""
    where = {"agent": ALGORITHM, "iteration": ITERATION, "trial": TRIAL}
    data = opened(kept / "hopper-landscape.zarr.zip").sel(where)
    data = data.isel(source=-1)
    cut_panel(ax, data, np.array(measured_pairs(data["reward"])[-1:]))
    ax.set_xlabel("multiple of the step")
    title = f"{ALGORITHM.upper()}, iteration {ITERATION}"
    ax.set_title(f"Does the surrogate look like the reward?\n{title}", fontsize=7.5)


@mpl.rc_context(STYLE)
def overview(kept: Path) -> Figure:
    """The picture."""
    figure, axes = new_figure(3, 1, width=2.7, height=2.4)
    for ax, panel in zip(axes[0], (gradients, values, landscape), strict=True):
        panel(ax, kept)
    caption(
        figure,
        "Hopper-v2: PPO, TRPO; the three questions",
        "Left: medians and ranges of 3 trials. Middle: interquartile means and ranges of 3 trials; "
        "iteration 0, whose errors are far larger, is left out. Right: one step of one trial; "
        "band: 95 % interval over trajectories.",
    )
    return figure


def main(command: Command) -> None:
    save_figure(overview(command.kept), command.out)


if __name__ == "__main__":
    main(tyro.cli(Command))
