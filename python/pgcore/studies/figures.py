"""Figures from stored datasets and tables alone. Functions take an ``ax`` or make a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.arrays import F64
from pgcore.studies.statistics import iqm_interval, pairwise_cosine_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# dark and light, so that the two can be told apart in grey, too
COLORS = {"ppo": "#1f4e9c", "trpo": "#d98200"}
AGENT_PAIRS = 2048
STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def new_figure(
    columns: int, rows: int = 1, width: float = 2.3, height: float = 2.2
) -> tuple[Figure, Any]:
    """A figure of panels [rows, columns] that does not touch global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width * columns, 3.3), height * rows))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG for the screen and a PDF for print beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".png", ".pdf"):
        figure.savefig(path.with_suffix(suffix), dpi=200)


def learning_curve(
    ax: Axes, returns: F64, label: str, pairs_per_iteration: int = AGENT_PAIRS
) -> Axes:
    """Mean return against iteration: trials as thin lines, IQM with its 95 % band (figure 8).

    Args:
        ax: where to draw.
        returns: [iterations, trials], NaN where no trajectory ended.
        label: algorithm, "ppo" or "trpo".
        pairs_per_iteration: state-action pairs of one iteration.
    """
    color = COLORS.get(label, "black")
    iterations = np.arange(len(returns))
    ax.plot(iterations, returns, color=color, linewidth=0.4, alpha=0.35)
    known = np.isfinite(returns).all(axis=1)
    middle, low, high = iqm_interval(returns[known])
    ax.plot(
        iterations[known], middle, color=color, linewidth=1.4,
        label=f"{label.upper()}, {returns.shape[1]} trials",
    )  # fmt: skip
    if returns.shape[1] > 1:
        ax.fill_between(iterations[known], low, high, color=color, alpha=0.2, linewidth=0)
    ax.set_xlabel(f"iteration ({pairs_per_iteration} pairs each)")
    ax.set_ylabel("mean return")
    return ax


@mpl.rc_context(STYLE)
def learning_figure(curves: dict[str, F64], title: str) -> Figure:
    """Learning curves of runs on one task, [iterations, trials] by algorithm."""
    figure, axes = new_figure(1, width=3.6, height=2.6)
    for label, returns in curves.items():
        learning_curve(axes[0, 0], returns, label)
    axes[0, 0].set_title(
        f"{title}\nline: interquartile mean, band: 95 % bootstrap over trials", fontsize=8
    )
    axes[0, 0].legend(loc="upper left")
    return figure


def pairwise_cosine_panel(ax: Axes, data: xr.Dataset, label: str) -> Axes:
    """Mean pairwise cosine against n, one line per trial with its 95 % band (figures 1 and 9).

    Args:
        ax: where to draw.
        data: gram [trial, n, estimate, other] of one algorithm and iteration.
        label: algorithm.
    """
    color = COLORS.get(label, "black")
    n = data["n"].values
    for index, trial in enumerate(data["trial"].values):
        grams = data["gram"].sel(trial=trial).values
        middle, low, high = np.array([pairwise_cosine_interval(g) for g in grams]).T
        ax.plot(n, middle, color=color, linewidth=1.0, marker="o", markersize=2,
                label=label.upper() if index == 0 else None)  # fmt: skip
        ax.fill_between(n, low, high, color=color, alpha=0.15, linewidth=0)
    return ax


@mpl.rc_context(STYLE)
def gradient_figure(data: xr.Dataset) -> Figure:
    """Figure 1 (or 9): a panel per iteration, PPO and TRPO in two colours."""
    iterations = data["iteration"].values
    figure, axes = new_figure(len(iterations))
    for panel, iteration in zip(axes[0], iterations, strict=True):
        for algorithm in data["algorithm"].values:
            pairwise_cosine_panel(
                panel, data.sel(iteration=iteration, algorithm=algorithm), str(algorithm)
            )
        panel.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")
        panel.axhline(0, color="black", linewidth=0.5)
        panel.set_xscale("log")
        panel.set_ylim(-0.4, 1.02)
        panel.set_title(f"iteration {iteration}", fontsize=8)
        _trajectory_axis(panel, data.sel(iteration=iteration))
    axes[0, 0].set_ylabel("mean pairwise cosine")
    figure.supxlabel("state-action pairs n (top: trajectories)", fontsize=8)
    axes[0, -1].legend(loc="lower right")
    count = data.sizes["estimate"]
    note = f"{count} estimates; bands: 95 % bootstrap over estimates; dotted: n = {AGENT_PAIRS}"
    figure.suptitle(note, fontsize=7)
    return figure


def _trajectory_axis(panel: Axes, data: xr.Dataset) -> None:
    """Mean trajectories per estimate at every other n, above the panel."""
    mean = data["trajectories"].mean(["algorithm", "trial", "estimate"]).values
    n = data["n"].values
    top = panel.secondary_xaxis("top")
    chosen = slice(0, None, 2)
    top.set_xticks(n[chosen], [f"{m:.0f}" if m >= 10 else f"{m:.1f}" for m in mean[chosen]])
    top.minorticks_off()
    top.tick_params(labelsize=6, length=2)
