"""Value prediction along training and variance reduction (figures 3, 4, 11 and 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.base.words import counted
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, known_trials
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.own_pairs import dotted
from pgcore.studies.measures.statistics import mean_over_trials
from pgcore.studies.style import (
    AGENT_PAIRS,
    FEW,
    STYLE,
    THREE_LOOKS,
    bars,
    caption,
    headline,
    look_of,
    new_figure,
    not_computed,
    pairs_axis,
    rows_of,
    shown,
    spec_of,
    trajectories_axis,
    trials_panel,
    trials_text,
)
from pgcore.studies.value.table import with_estimates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE_STYLES = dict(zip(("true value", "value net", "zero"), THREE_LOOKS, strict=True))
MEASURE_NAMES = {
    "mre": "mean relative\nerror",
    "median_re": "median relative\nerror",
    "squared_re": "mean of\nerror² / |target|",
    "normalized": "root mean square error\n/ std of the target",
    "explained_variance": "explained variance",
}
_RELATIVE = ("mre", "median_re", "squared_re")  # positive, drawn on a logarithmic axis
_SETS = {"train": "training pairs", "held-out": "held-out pairs"}


def target_names(data: xr.Dataset) -> dict[str, str]:
    """What values are compared with, as figures say it."""
    kinds = {"cut": "cut returns", "resolved": "known returns"}
    return {"gae": "GAE target", "returns": kinds.get(spec_of(data).get("returns", ""), "returns")}


def value_panel(ax: Axes, data: xr.Dataset, label: str) -> Axes:
    """An error measure against the iteration: trials thin, their IQM with its 95 % bars.

    Iteration 0 is written into the panel where there are others: its errors would leave them no
    room on the axis.

    Args:
        ax: where to draw.
        data: of one set, target and measure.
        label: agent.
    """
    style, own = look_of(label, data["agent"].values), data.sel(agent=label)
    known = own["error_iqm"].notnull().values
    if not known.any():
        not_computed(ax, "no return is known" if str(own["target"].values) == "returns" else "none")
        return ax
    own = own.isel(iteration=np.flatnonzero(known))
    start, later = own["iteration"].values == 0, own["iteration"].values != 0
    if later.any():
        for row in rows_of(own.isel(iteration=np.flatnonzero(start)), "error_iqm"):
            ends = f" [{row[1]:.2g}, {row[2]:.2g}]" if np.isfinite(row[1]) else ""
            text = f"iteration 0: {row[0]:.2g}{ends}"
            ax.text(0.97, 0.97, text, fontsize=6, ha="right", va="top", transform=ax.transAxes)
        own = own.isel(iteration=np.flatnonzero(later))
    x, y = own["iteration"].values, own["error"].transpose("iteration", "trial").values
    ax.plot(x, y, color=style["color"], linewidth=0.4, alpha=0.6)
    bars(ax, x, rows_of(own, "error_iqm"), **style, label=shown(label), width=1.2)
    return ax


@mpl.rc_context(STYLE)
def value_figure(data: xr.Dataset, measure: str = "mre") -> Figure:
    """Figures 3, 11 and 12: errors for both targets, on training and on held-out pairs.

    A row per agent; all panels have one axis. Agents that came without a run have no training pairs
    and no panels of them.

    Args:
        data: of :func:`pgcore.studies.value.opening.open_value`.
        measure: one of its error measures.
    """
    agents = [str(a) for a in data["agent"].values]
    sets = [s for s in _SETS if data["error"].sel(set=s).notnull().any()] or list(_SETS)
    panels = [(s, t) for t in ("gae", "returns") for s in sets]
    figure, axes = new_figure(len(panels), len(agents), width=1.9, height=1.8)
    for row, agent in enumerate(agents):
        for ax, (which, target) in zip(axes[row], panels, strict=True):
            value_panel(ax, data.sel(set=which, target=target, measure=measure), agent)
            ax.set_title(
                f"{shown(agent)}: {target_names(data)[target]},\n{_SETS[which]}", fontsize=7
            )
        axes[row, 0].set_ylabel(MEASURE_NAMES[measure])
    _same_axis(axes, measure in _RELATIVE)
    trained = [i for i in data["iteration"].values if i > 0]  # 0 is written into the panels
    for ax in axes.ravel():
        if len(trained) > 1:
            ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
        else:
            ax.set_xticks(trained or data["iteration"].values)
    for ax in axes[-1]:
        ax.set_xlabel("iteration")
    caption(figure, headline(data, "errors of the value network"), _errors_note(data))
    return figure


def _errors_note(data: xr.Dataset) -> str:
    note, (fewest, most) = "One trial", known_trials(data["error"])
    if most > 1:
        intervals = f"95 % bootstrap intervals of {TRIALS_TO_DECIDE} and more"
        kind = "their range" if most < TRIALS_TO_DECIDE else f"{intervals}, the range of fewer"
        kind = "95 % bootstrap intervals" if fewest >= TRIALS_TO_DECIDE else kind
        note = f"Thin: {counted(fewest, 'trial', most)}; bold: interquartile mean, bars: {kind}"
    if not data["error"].sel(set="train").notnull().any():
        note += ". Without a run no training pairs are known"
    start, later = data["iteration"].values == 0, data["iteration"].values != 0
    if start.any() and later.any():
        note += ". Iteration 0 is off the axis, and written into each panel"
    if spec_of(data).get("returns") == "resolved":
        note += ". Known returns: of pairs whose discounted return is not cut short"
    elif spec_of(data).get("returns") == "cut":
        note += ". Cut returns: they end with the time limit and with the batch, as in the paper"
    return note + "."


def _same_axis(axes: np.ndarray, relative: bool) -> None:
    """One y axis of all panels that hold something; numbers at the left ones alone."""
    drawn = [ax for ax in axes.ravel() if ax.lines]
    if relative:
        for ax in axes.ravel():
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
            ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda y, _: f"{y:g}"))
            ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ends = np.array([ax.get_ylim() for ax in drawn]).reshape(-1, 2)
    for ax in axes.ravel():
        if len(ends):
            low, high = ends[:, 0].min(), ends[:, 1].max()
            span = high / low
            ax.set_ylim(*((low / span**0.05, high * span**0.12) if relative else (low, high)))
        ax.tick_params(labelleft=ax in axes[:, 0])


@mpl.rc_context(STYLE)
def variance_figure(data: xr.Dataset) -> Figure:
    """Figure 4: mean pairwise cosine against n for three baselines on the same pairs.

    A panel per agent, iteration that has estimates, and trial; where there are more than
    :data:`pgcore.studies.style.FEW` trials, they share one with their means.

    Args:
        data: of :func:`pgcore.studies.value.opening.open_value`.
    """
    data = with_estimates(data)
    agents, iterations = data["agent"].values, data["iteration"].values
    trials = data["trial"].values
    together = len(trials) > FEW or len(trials) == 1
    parts = [
        (str(a), int(i), t)
        for a in agents
        for i in iterations
        for t in ([trials] if together else [[t] for t in trials])
    ]
    columns = len(iterations) if together else len(trials)
    figure, axes = new_figure(columns, len(parts) // columns, width=2.1, height=1.7)
    for ax, (agent, iteration, own) in zip(axes.ravel(), parts, strict=True):
        _baselines_panel(ax, data.sel(agent=agent, iteration=iteration, trial=own))
        where = f", trial {own[0]}" if len(own) == 1 else ""
        ax.set_title(f"{shown(agent)}, iteration {iteration}{where}", fontsize=8)
        ax.set_ylim(-0.3, 1.04)
    for ax in axes[:, 0]:
        ax.set_ylabel("mean pairwise\ncosine")
    for ax in axes[-1]:
        ax.set_xlabel("state-action pairs n")
    handles = max((ax.get_legend_handles_labels()[0] for ax in axes.ravel()), key=len)
    title = headline(data, "gradient estimates with three baselines")
    caption(figure, title, _variance_note(data), handles)
    return figure


def _baselines_panel(ax: Axes, data: xr.Dataset) -> None:
    """The baselines side by side, of the trials of one agent and iteration."""
    n = data["n"].values
    if not bool(data["pairwise_cosine"].notnull().any()):
        not_computed(ax)
    for place, (baseline, (color, line, marker)) in enumerate(BASELINE_STYLES.items()):
        own = data.sel(baseline=baseline)
        own = own.isel(trial=np.flatnonzero(own["pairwise_cosine"].notnull().any("n")))
        trials = [rows_of(own.isel(trial=t), "pairwise_cosine") for t in range(own.sizes["trial"])]
        if not trials:
            continue
        trials_panel(
            ax, n, np.array(trials), _over_trials(own["pairwise_cosine"]), color=color, line=line,
            marker=marker, label=baseline, shift=2.2 * (place - 1),
        )  # fmt: skip
    pairs_axis(ax, n)
    counts = data["trajectories"].mean([d for d in data["trajectories"].dims if d != "n"]).values
    trajectories_axis(ax, n, counts)
    ax.axhline(0, color="black", linewidth=0.5)
    ax.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")


def _over_trials(cosines: xr.DataArray) -> F64:
    """Means over trials with their intervals, [n, 3]."""
    return np.array([mean_over_trials(c) for c in cosines.transpose("n", "trial").values])


def _variance_note(data: xr.Dataset) -> str:
    """What is drawn, and with what baselines."""
    bars_text = "bars: 95 % intervals over estimates"
    if data.sizes["trial"] > FEW:
        bars_text = trials_text(*known_trials(data["pairwise_cosine"]), "estimates")
    fitted = int(spec_of(data).get("true_value_pairs", 0))
    note = (
        f"{data.sizes['estimate']} estimates at each n, of the same pairs for all baselines; "
        f"{bars_text}.{dotted(data['n'].values)} True value: a network fitted to the returns of "
        f"{fitted} pairs; value net: the agent's own; zero: returns, no baseline."
    )
    return note + (f"\n{blown}" if (blown := divergence_note(data, "estimates_diverged")) else "")
