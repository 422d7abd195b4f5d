"""Learning curves (figure 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from pgcore.arrays import F64
from pgcore.studies.figures.style import AGENT_PAIRS, COLORS, STYLE, new_figure
from pgcore.studies.statistics import iqm_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def learning_curve(
    ax: Axes, returns: F64, label: str, pairs_per_iteration: int = AGENT_PAIRS
) -> Axes:
    """Mean return against iteration: trials as thin lines, IQM with its 95 % band (figure 8).

    Args:
        ax: where to draw.
        returns: [iterations, trials], NaN where no trajectory ended.
        label: algorithm, "ppo" or "trpo", and after a comma what else a run differs in.
        pairs_per_iteration: state-action pairs of one iteration.
    """
    algorithm, _, variant = label.partition(",")
    color, line = COLORS.get(algorithm, "black"), "--" if variant else "-"
    iterations = np.arange(len(returns))
    ax.plot(iterations, returns, color=color, linewidth=0.4, alpha=0.35)
    known = np.isfinite(returns).all(axis=1)
    middle, low, high = iqm_interval(returns[known])
    ax.plot(
        iterations[known], middle, color=color, linewidth=1.4, linestyle=line,
        label=f"{algorithm.upper()}{',' if variant else ''}{variant}, {returns.shape[1]} trials",
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
    axes[0, 0].set_title(f"{title}; line: IQM, band: 95 % bootstrap over trials", fontsize=7)
    axes[0, 0].legend(loc="upper left")
    return figure
