"""Learning curves (figure 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from pgcore.base.arrays import F64
from pgcore.base.words import counted
from pgcore.studies.measures.statistics import iqm_interval
from pgcore.studies.style import AGENT_PAIRS, STYLE, band, caption, look_of, new_figure, shown

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


def learning_curve(ax: Axes, returns: F64, label: str, window: int = 1) -> Axes:
    """Mean return against iteration: trials as thin lines, IQM with its 95 % band (figure 8).

    Args:
        ax: where to draw.
        returns: [iterations, trials], NaN where no trajectory ended.
        label: of :func:`curve_look`.
        window: iterations of the running mean; an iteration has a handful of trajectories only.
    """
    color, line, _ = curve_look(label)
    returns, iterations = running_mean(returns, window), np.arange(float(len(returns)))
    ax.plot(iterations, returns, color=color, linewidth=0.4, alpha=0.35)
    known = np.isfinite(returns).all(axis=1)
    rows = np.stack(iqm_interval(returns[known]), axis=-1)
    band(ax, iterations[known], rows, color=color, line=line, marker=None, label=None)
    return ax


def curve_look(label: str) -> tuple[str, str, str]:
    """Colour, line and name of a curve: algorithm, and after a comma what else a run differs in."""
    algorithm, _, variant = label.partition(",")
    name = shown(algorithm) + (f",{variant}" if variant else "")
    return look_of(algorithm)["color"], "--" if variant else "-", name


@mpl.rc_context(STYLE)
def learning_figure(
    curves: dict[str, F64], task: str, pairs_per_iteration: int = AGENT_PAIRS
) -> Figure:
    """Learning curves of runs on one task, a panel each, with the others' IQM behind it.

    Args:
        curves: [iterations, trials] by label, for example "ppo" or "trpo, no baseline".
        task: that they are of.
        pairs_per_iteration: state-action pairs of one iteration.
    """
    figure, axes = new_figure(len(curves), width=2.5, height=2.3)
    window = max(1, min(20, *(len(returns) // 10 for returns in curves.values())))
    for ax, (label, returns) in zip(axes[0], curves.items(), strict=True):
        for other, values in curves.items():
            if other != label:
                middle = iqm_interval(running_mean(values, window))[0]
                ax.plot(middle, color="0.6", linewidth=0.8, linestyle=curve_look(other)[1])
        learning_curve(ax, returns, label, window)
        trials = returns.shape[1]
        ax.set_title(f"{curve_look(label)[2]}: {counted(trials, 'trial')}", fontsize=8)
        ax.set_xlabel(f"iteration\n({pairs_per_iteration} pairs each)")
    for ax in axes[0, 1:]:
        ax.sharey(axes[0, 0])
        ax.tick_params(labelleft=False)
    axes[0, 0].set_ylabel("mean return [reward]")
    names = ", ".join(dict.fromkeys(curve_look(label)[2].partition(",")[0] for label in curves))
    note = f"Running means of {window} iterations."
    if any(returns.shape[1] > 1 for returns in curves.values()):
        note += " Thin: trials; bold: their interquartile mean; band: its 95 % bootstrap interval"
        note += " over trials."
    note += " Grey: the others' interquartile means." * (len(curves) > 1)
    caption(figure, f"{task}: {names}; learning curves", note)
    return figure
