"""Learning curves (figure 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from pgcore.base.arrays import F64
from pgcore.studies.measures.statistics import iqm_interval
from pgcore.studies.style import AGENT_PAIRS, STYLE, look_of, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def running_mean(values: F64, window: int) -> F64:
    """Mean of the last ``window`` rows that are known, at every row; NaN where none is.

    Args:
        values: [iterations, trials], NaN: unknown.
        window: rows; fewer at the beginning.
    """
    known = np.isfinite(values)
    sums = np.cumsum(np.stack([np.where(known, values, 0.0), known]), axis=1)
    sums[:, window:] -= sums[:, :-window].copy()
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[0] / sums[1])


def learning_curve(
    ax: Axes,
    returns: F64,
    label: str,
    pairs_per_iteration: int = AGENT_PAIRS,
    window: int = 1,
) -> Axes:
    """Mean return against iteration: trials as thin lines, IQM with its 95 % band (figure 8).

    Args:
        ax: where to draw.
        returns: [iterations, trials], NaN where no trajectory ended.
        label: algorithm, "ppo" or "trpo", and after a comma what else a run differs in.
        pairs_per_iteration: state-action pairs of one iteration.
        window: iterations of the running mean; an iteration has a handful of trajectories only.
    """
    algorithm, _, variant = label.partition(",")
    color, line = look_of(algorithm)["color"], "--" if variant else "-"
    returns, iterations = running_mean(returns, window), np.arange(len(returns))
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
    figure, axes = new_figure(1, width=3.9, height=2.8)
    window = max(1, min(20, *(len(returns) // 10 for returns in curves.values())))
    for label, returns in curves.items():
        learning_curve(axes[0, 0], returns, label, window=window)
    note = f"running means of {window} iterations; line: IQM, band: 95 % bootstrap over trials"
    axes[0, 0].set_title(f"{title}\n{note}", fontsize=6.5)
    axes[0, 0].legend(loc="upper left", fontsize=6.5)
    return figure
