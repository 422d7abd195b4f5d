"""Landscapes as contours and along the first direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import patheffects

from pgcore.base.arrays import F64
from pgcore.base.quantiles import t_factor
from pgcore.studies.landscape.style import (
    axis_names,
    grid,
    measured_pairs,
    pairs_text,
    reward_text,
    title_of,
)
from pgcore.studies.landscape.surface_figures import is_plane
from pgcore.studies.style import STYLE, new_figure, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_TRAJECTORIES = 8  # of a point whose interval is drawn
_LEVELS = 14


def levels_of(values: F64) -> F64:
    """Growing levels between the least and the greatest value.

    Half way between equal steps of the value and equal shares of the points: a ridge on a floor,
    and what lies on the floor, are both resolved.
    """
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    if not high > low:
        return np.array([low - 0.5, low + 0.5])
    even = np.linspace(low, high, _LEVELS + 1)
    shares = np.quantile(finite, np.linspace(0, 1, _LEVELS + 1))
    return np.unique((even + shares) / 2)


def filled_panel(ax: Axes, surface: xr.DataArray, cmap: str, label: str) -> Axes:
    """A surface as colours, one for each of its levels, with their scale beside it."""
    x, y, z = grid(surface)
    levels = levels_of(z)
    norm = mpl.colors.BoundaryNorm(levels, mpl.colormaps[cmap].N)
    colours = ax.contourf(x, y, z, levels=levels, cmap=cmap, norm=norm)
    bar = ax.figure.colorbar(colours, ax=ax, shrink=0.95, spacing="uniform")
    shown = [float(x) for x in levels[:: max(1, len(levels) // 6)]]
    digits = max(0, 1 - math.floor(math.log10(float(np.ptp(levels)) / len(shown))))
    bar.set_ticks(shown, labels=[f"{x:.{digits}f}" for x in shown])
    bar.ax.tick_params(labelsize=5.5)
    bar.set_label(label, fontsize=6)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    return ax


def contour_panel(ax: Axes, reward: xr.DataArray, error: xr.DataArray) -> Axes:
    """The reward as colours, its standard error as lines."""
    filled_panel(ax, reward, "viridis", "mean return")
    x, y, e = grid(error)
    finite = e[np.isfinite(e)]
    if len(finite) and finite.max() > finite.min():
        lines = ax.contour(x, y, e, levels=3, colors="black", linewidths=0.6)
        edge = patheffects.withStroke(linewidth=1.4, foreground="white")
        edged: list[patheffects.AbstractPathEffect] = [edge]
        lines.set_path_effects(edged)
        for text in ax.clabel(lines, fontsize=5, fmt="±%.3g"):
            text.set_path_effects(edged)
    return ax


def along_the_step(data: xr.Dataset) -> int:
    """Where the second direction is not taken, or least."""
    return int(np.argmin(np.abs(data["random_scale"].values)))


def cut_panel(ax: Axes, data: xr.Dataset, pairs: F64) -> Axes:
    """Along the step direction: reward with 95 % bands per number of pairs, and the surrogate.

    With common random numbers, the reward less the centre's, whose errors are smaller. Points of
    less than LEAST_TRAJECTORIES have no band: the spread of so few says little (two that both
    reach the time limit differ by nothing).
    """
    x = data["step_scale"].values
    own = data.isel(random_scale=along_the_step(data))
    paired = bool(np.isfinite(own["difference"].sel(pairs=pairs).values).all())
    names = ("reward", "reward_error", "trajectories")
    if paired:
        names = ("difference", "difference_error", "paired_count")
    levels = data["pairs"].values
    greys = np.linspace(0.6, 0.0, max(len(levels), 2))[-len(levels) :]  # the most pairs are black
    for n in pairs:
        grey = greys[list(levels).index(n)]
        middle, error, count = (own[name].sel(pairs=n).values for name in names)
        width = t_factor(np.maximum(count - 1, 1)) * error
        width = np.where(count >= LEAST_TRAJECTORIES, width, np.nan)
        ax.plot(x, middle, color=str(grey), linewidth=1, label=f"reward, {pairs_text(data, n)}")
        ax.fill_between(x, middle - width, middle + width, color=str(grey), alpha=0.15, linewidth=0)
    right = ax.twinx()
    right.plot(x, own["surrogate"].values, color="#d98200", linestyle="--", linewidth=1)
    ax.set_ylabel("mean return less the centre's" if paired else "mean return", fontsize=6)
    right.set_ylabel("surrogate (dashed)", fontsize=6, color="#a06000")
    right.tick_params(labelsize=5)
    right.grid(visible=False)
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    off = float(own["random_scale"])
    place = f", at {off:g} of the second" if off else ""
    ax.set_title(f"along the first direction{place}", fontsize=6.5)
    return ax


@mpl.rc_context(STYLE)
def contour_figure(data: xr.Dataset, agent: str, trial: int, source: int) -> Figure:
    """A row per iteration: surrogate, reward at the most pairs with standard errors, the cut.

    Of a plane with one point in some direction, the cut alone.
    """
    part = data.sel(agent=agent, trial=trial, source=source)
    known = {int(i): measured_pairs(part["reward"].sel(iteration=i)) for i in part["iteration"]}
    known = {i: measured for i, measured in known.items() if measured}
    plane, names = is_plane(data), axis_names(data)
    figure, axes = new_figure(3 if plane else 1, max(len(known), 1), width=2.7, height=2.05)
    for row, (iteration, measured) in zip(axes, known.items(), strict=False):
        own = part.sel(iteration=iteration)
        cut_panel(row[-1], own, np.array(measured))
        if plane:
            _planes(row, data, own, measured[-1])
        else:
            row[0].set_title(f"iteration {iteration}, {row[0].get_title()}", fontsize=7)
    for ax in axes[-1]:
        ax.set_xlabel(names[0], fontsize=6.5)
    bands = f"bands: 95 %, where a point has {LEAST_TRAJECTORIES} trajectories or more"
    title = f"{title_of(data, agent, trial, source)}\n{bands}"
    figure.suptitle(wrapped(title, figure, 6.5), fontsize=6.5)
    legends = [ax.get_legend_handles_labels() for ax in axes[:, -1]]
    lines, texts = max(legends, key=lambda legend: len(legend[1]))
    if texts:
        columns = len(texts) if plane else 1
        figure.legend(lines, texts, fontsize=6, loc="outside lower right", ncols=columns)
    else:
        axes[0, 0].set_title("no map is computed", fontsize=7)
    return figure


def _planes(row: Sequence[Axes], data: xr.Dataset, own: xr.Dataset, pairs: int) -> None:
    """The surrogate's panel and the reward's, of one iteration."""
    best, iteration = own.sel(pairs=pairs), int(own["iteration"])
    filled_panel(row[0], own["surrogate"], "cividis", "surrogate")
    paired = bool(np.isfinite(best["difference"].values).all())
    contour_panel(row[1], best["reward"], best["difference_error" if paired else "reward_error"])
    row[0].set_title(f"iteration {iteration}: surrogate", fontsize=6.5)
    lines = "standard error of the difference to the centre" if paired else "standard error"
    text = f"true reward, {reward_text(data, pairs, best)}"
    row[1].set_title(f"{text}\nlines: {lines}", fontsize=6)
    for ax in row[:2]:
        ax.set_ylabel(axis_names(data)[1], fontsize=6.5)
