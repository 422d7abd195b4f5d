"""Reward changes by independent steps: points with intervals, by iteration and n."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.base.words import counted
from pgcore.studies.measures.differences import known_trials
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.step_summary import OF_CENTRE, OF_STEPS, Steps, groups
from pgcore.studies.measures.surfaces import Interval
from pgcore.studies.style import STYLE, caption, headline, look_of, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHAPES = ("o", "s", "^", "D", "v", "P")  # of n
_GREY = "0.35"  # of random steps


def changes_panel(ax: Axes, x: float, width: float, steps: Steps, color: str, shape: str) -> Axes:
    """The steps of all trials, trial after trial, each with its 95 % interval.

    Args:
        ax: where to draw.
        x, width: where the points are spread.
        steps: of one agent, iteration and n.
        color, shape: of the points.
    """
    change = steps.change.ravel()
    places = np.arange(len(change)) + 1.5 * (np.arange(len(change)) // steps.change.shape[-1])
    at = x + width * (places / max(1, places[-1]) - 0.5)
    error = steps.width.ravel()
    ax.errorbar(
        at, change, error, fmt=shape, color=color, markersize=2, elinewidth=0.5, alpha=0.5,
        linewidth=0,
    )  # fmt: skip
    return ax


def _mean(ax: Axes, x: float, mean: Interval, color: str, shape: str, label: str | None) -> None:
    error, edge = None, color if shape == "x" else "white"
    if np.isfinite(mean.low):
        error = [[mean.estimate - mean.low], [mean.high - mean.estimate]]
    ax.errorbar(
        [x], [mean.estimate], error, fmt=shape, color=color, markersize=5, elinewidth=1.4,
        capsize=2.5, markeredgecolor=edge, markeredgewidth=0.8, label=label, zorder=3,
    )  # fmt: skip


def _panel(ax: Axes, data: xr.Dataset, agent: str, fraction: float, measure: str) -> None:
    iterations = [int(i) for i in data["iteration"].values]
    ns = [int(n) for n in data["n"].values]
    slot, named = 0.8 / len(ns), set[str]()
    for name, iteration, n, part, own in groups(data[[*OF_STEPS, *OF_CENTRE]].sel(agent=[agent])):
        if part != fraction:
            continue
        place, shape = ns.index(n), _SHAPES[ns.index(n) % len(_SHAPES)]
        x = iterations.index(iteration) + slot * (place - (len(ns) - 1) / 2)
        steps = Steps.of(own.sel(kind="step"), measure)
        color = look_of(name, data["agent"].values)["color"]
        changes_panel(ax, x - 0.14 * slot, 0.55 * slot, steps, color, shape)
        whole = 0 if data.sizes["trial"] == 1 else None  # of one known of several no interval
        label = None if f"n = {n}" in named else f"n = {n}"
        _mean(ax, x + 0.24 * slot, steps.mean(whole), color, shape, label)
        named.add(f"n = {n}")
        random = Steps.of(own.sel(kind="random"), measure)
        if random.trials == steps.trials:
            label = "random, equal KL" if "random" not in named else None
            _mean(ax, x + 0.38 * slot, random.mean(whole), _GREY, "x", label)
            named.add("random")
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_xticks(range(len(iterations)), [str(i) for i in iterations])
    ax.set_xlim(-0.6, len(iterations) - 0.4)
    counts = data["trajectories"].sel(agent=agent, kind="step", fraction=fraction)
    each = counts.mean([d for d in counts.dims if d not in ("iteration", "n")]).values
    few, many = (f"{x:.0f}" for x in (np.nanmin(each), np.nanmax(each)))
    between = few if few == many else f"{few} to {many}"
    ax.set_title(f"{shown(agent)}: {between} trajectories after a step", fontsize=8)
    ax.set_xlabel("iteration")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.2 * (high - low))  # room for the legend above the points
    ax.legend(fontsize=6, loc="upper left")


@mpl.rc_context(STYLE)
def step_figure(data: xr.Dataset, measure: str = "return") -> Figure:
    """A panel per agent: how each step changes the true reward, and the mean of all.

    Args:
        data: of :func:`pgcore.studies.step.opening.open_step`.
        measure: "return" or "discounted".
    """
    agents = [str(a) for a in data["agent"].values]
    fractions = data["fraction"].values
    fraction = float(fractions[np.argmin(np.abs(fractions - 1.0))])
    wide = 1.2 + 0.55 * data.sizes["iteration"] * data.sizes["n"]
    figure, axes = new_figure(len(agents), 1, width=max(2.6, wide), height=2.9)
    for ax, agent in zip(axes[0], agents, strict=True):
        _panel(ax, data, agent, fraction, measure)
    what = "discounted return" if measure == "discounted" else "return"
    axes[0, 0].set_ylabel(f"change of the mean\n{what} [reward]")
    several = data.sizes["trial"] > 1
    counts = known_trials(data["change"])
    part = f", {fraction:g} of a step" if fraction != 1 else ""
    kinds = data["kind"].values
    crosses = "random" in kinds and bool(data["change"].sel(kind="random").notnull().any())
    caption(
        figure,
        headline(data, f"what single updates do to the reward{part}"),
        f"{data.sizes['step']} independent steps of each of "
        f"{counted(counts[0], 'trial', counts[1])}. "
        "Pale: steps with 95 % intervals over trajectories, "
        + ("trial after trial; " if several else "")
        + "bold: mean and 95 % interval over "
        + ("trials" if several else "steps")
        + (". Crosses: random steps of equal KL." if crosses else ".")
        + (f"\n{blown}" if (blown := divergence_note(data)) else ""),
    )
    return figure
