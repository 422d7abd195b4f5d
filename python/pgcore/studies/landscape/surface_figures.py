"""Landscapes as surfaces (figures 5-7 and 13-20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.studies.landscape.style import (
    axis_names,
    grid,
    limits_of,
    measured_pairs,
    reward_text,
    title_of,
)
from pgcore.studies.style import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRONT, CORNER = (22.0, -62.0), (32.0, -128.0)  # elevation and azimuth: along the first axis; above
_WIDTH, _HEIGHT, _HEAD = 2.9, 2.2, 0.4  # inches of a panel, and of the title


@dataclass(frozen=True)
class Panel:
    """One surface of a figure.

    Attributes:
        surface: over the plane.
        title: above it.
        label: of the z axis and of the colours.
        limits: of both.
        view: elevation and azimuth.
        bar: whether the colours' scale is beside it, or beside another panel of the row.
    """

    surface: xr.DataArray
    title: str
    label: str
    limits: tuple[float, float]
    view: tuple[float, float] = FRONT
    bar: bool = True


def surface_panel(ax: Any, panel: Panel, names: tuple[str, str]) -> Any:
    """A 3-D surface over the plane; a point that is not finite is a gap."""
    x, y, z = grid(panel.surface)
    drawn = ax.plot_surface(
        x, y, z, cmap="viridis", vmin=panel.limits[0], vmax=panel.limits[1],
        linewidth=0.15, edgecolor="black", antialiased=True, rstride=1, cstride=1,
    )  # fmt: skip
    ax.set_zlim(*panel.limits)
    ax.set_xlabel(names[0], fontsize=5.5, labelpad=-9)
    ax.set_ylabel(names[1], fontsize=5.5, labelpad=-9)
    ax.tick_params(labelsize=5, pad=-3.5)
    ax.tick_params(axis="z", pad=-1)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.set_title(panel.title, fontsize=6.5, y=0.97)
    ax.view_init(*panel.view)
    ax.set_box_aspect((1, 1, 0.75), zoom=1.08)
    ax.set_zlabel(panel.label, fontsize=5.5, labelpad=-6.5)
    if panel.bar:
        _add_bar(ax, drawn, panel.label)
    return ax


def _add_bar(ax: Any, drawn: Any, label: str) -> None:
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.55, pad=0.17, aspect=14)
    bar.ax.tick_params(labelsize=5, pad=1)
    bar.ax.set_title(label, fontsize=5.5, pad=3)
    bar.locator = mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10])
    bar.update_ticks()


def surface_figure(data: xr.Dataset, agent: str, trial: int, source: int) -> Figure:
    """Figures 6, 7 and 13-18: a row per iteration; the surrogate, and the reward from two sides.

    The reward is that of the most pairs that every row has, so that rows can be compared; a row
    that has none of them shows the most that it has.
    """
    own = data.sel(agent=agent, trial=trial, source=source)
    common = measured_pairs(own["reward"])
    rows = []
    for iteration in data["iteration"].values:
        row = own.sel(iteration=iteration)
        measured = common or measured_pairs(row["reward"])
        if not measured:
            continue
        best = row.sel(pairs=measured[-1])
        rewards, limits = best["reward"], limits_of(best["reward"])
        title = f"iteration {iteration}: true reward\n{reward_text(data, measured[-1], best)}"
        first = f"iteration {iteration}: surrogate\n(step from {source} pairs)"
        rows.append(
            [
                Panel(row["surrogate"], first, "surrogate", limits_of(row["surrogate"])),
                Panel(rewards, title, "mean return", limits, bar=False),
                Panel(rewards, "the same from the corner\nof the policy", "mean return", limits,
                      CORNER),
            ]
        )  # fmt: skip
    return _figure(rows, data, title_of(data, agent, trial, source))


def levels_figure(data: xr.Dataset, agent: str, trial: int, source: int) -> Figure | None:
    """Figures 5, 19 and 20: a row per iteration; the reward at every number of pairs per point.

    The rewards of a row have one scale, so that what is noise at few pairs can be seen. Iterations
    that have one number of pairs are not drawn; None if there are no others.
    """
    own = data.sel(agent=agent, trial=trial, source=source)
    measured = {int(i): measured_pairs(own["reward"].sel(iteration=i)) for i in own["iteration"]}
    several = {i: levels for i, levels in measured.items() if len(levels) > 1}
    if not several:
        return None
    shared = sorted(set.intersection(*(set(levels) for levels in several.values())))
    rows = []
    for iteration in several if len(shared) > 1 else ():
        row = own.sel(iteration=iteration)
        limits = limits_of(row["reward"].sel(pairs=shared))
        rows.append(
            [
                Panel(
                    row["reward"].sel(pairs=n),
                    f"iteration {iteration}: true reward\n{reward_text(data, n, row.sel(pairs=n))}",
                    "mean return",
                    limits,
                    bar=n == shared[-1],
                )
                for n in shared
            ]
        )
    return _figure(rows, data, title_of(data, agent, trial, source)) if rows else None


def sources_figure(data: xr.Dataset, agent: str, trial: int) -> Figure:
    """Figures 6, 7 and 13-18: surrogate and true reward for steps from few and from many pairs.

    The rewards of a row are those of the most pairs that were measured for all of it.
    """
    rows = []
    for iteration in data["iteration"].values:
        row = data.sel(agent=agent, trial=trial, iteration=iteration)
        whole = row["surrogate"].notnull().all(["step_scale", "random_scale"])
        sources = [int(s) for s in data["source"].values[whole.values]]
        measured = measured_pairs(row["reward"].sel(source=sources)) if sources else []
        if not measured:
            continue
        n = measured[-1]
        limits = limits_of(row["reward"].sel(pairs=n, source=sources))
        panels = []
        for source in sources:
            own = row.sel(source=source)
            said = f"iteration {iteration}, step from {source} pairs:\n"
            text = f"{said}reward, {reward_text(data, n, own.sel(pairs=n))}"
            surrogate = own["surrogate"]
            panels += [
                Panel(surrogate, f"{said}surrogate", "surrogate", limits_of(surrogate)),
                Panel(own["reward"].sel(pairs=n), text, "mean return", limits),
            ]
        rows.append(panels)
    return _figure(rows, data, title_of(data, agent, trial))


@mpl.rc_context(STYLE | {"figure.constrained_layout.use": False})
def _figure(rows: Sequence[Sequence[Panel]], data: xr.Dataset, title: str) -> Figure:
    """Panels in rows, each row as wide as the widest."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max((len(row) for row in rows), default=1)
    width, height = _WIDTH * columns, _HEIGHT * max(len(rows), 1) + _HEAD
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    names = axis_names(data)
    for r, row in enumerate(rows):
        bottom = 1 - (_HEAD + (r + 1) * _HEIGHT) / height
        for c, panel in enumerate(row):
            wide = 0.93 if panel.bar else 0.7
            place = (
                (c + 0.03) / columns,
                bottom + 0.12 / height,
                wide / columns,
                0.88 * _HEIGHT / height,
            )
            surface_panel(figure.add_axes(place, projection="3d"), panel, names)
    if not rows:
        figure.text(0.5, 0.3, "no map is computed", ha="center", fontsize=8)
    figure.suptitle(title, y=1 - 0.1 / height, va="top", fontsize=7)
    return figure


def is_plane(data: xr.Dataset) -> bool:
    """Whether there is a surface to draw."""
    return bool(np.min([data.sizes["step_scale"], data.sizes["random_scale"]]) > 1)
