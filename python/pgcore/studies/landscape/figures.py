"""Landscapes of true reward and surrogate (figures 5-7 and 13-20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from scipy import stats

from pgcore.base.arrays import F64
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.style import STYLE, new_figure, shown, spec_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LEAST_TRAJECTORIES = 8  # of a point whose interval is drawn


def _grid(data: xr.DataArray) -> tuple[F64, F64, F64]:
    """x (steps), y (random directions) and z [step, random] of a surface."""
    z = data.transpose("step_scale", "random_scale").values
    x, y = np.meshgrid(data["step_scale"].values, data["random_scale"].values, indexing="ij")
    return x, y, z


def surface_panel(ax: Any, data: xr.DataArray, title: str, limits: tuple[float, float]) -> Any:
    """A 3-D surface over the plane; ``limits`` of z and of the colours."""
    if not bool(np.isfinite(data).all()):
        ax.set_axis_off()
        ax.set_title(f"{title.split(' (')[0]}: not computed", fontsize=6.5, pad=-2)
        return ax
    x, y, z = _grid(data)
    ax.plot_surface(
        x, y, z, cmap="viridis", vmin=limits[0], vmax=limits[1],
        linewidth=0.15, edgecolor="black", antialiased=True, rstride=1, cstride=1,
    )  # fmt: skip
    ax.set_zlim(*limits)
    ax.set_xlabel("step", fontsize=6, labelpad=-8)
    ax.set_ylabel("random", fontsize=6, labelpad=-8)
    ax.tick_params(labelsize=5, pad=-3)
    ax.tick_params(axis="z", pad=1)
    ax.zaxis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.set_title(title, fontsize=6.5, pad=-2)
    ax.view_init(elev=28, azim=-125)
    return ax


def surface_figure(data: xr.Dataset, agent: str, trial: int, source: int) -> Figure:
    """Figures 5-7: a row per iteration; the surrogate, then the true reward per number of pairs.

    The rewards of a row have one scale, so that what is noise at few pairs can be seen.
    """
    title = _what(data, agent, trial, source)
    return _surfaces(data.sel(source=[source]), agent, trial, title, every_level=True)


def sources_figure(data: xr.Dataset, agent: str, trial: int) -> Figure:
    """Figures 6, 7 and 13-18: surrogate and true reward for steps from few and from many pairs.

    The rewards of a row are those of the most pairs that were measured for all of it.
    """
    return _surfaces(data, agent, trial, _what(data, agent, trial), every_level=False)


@mpl.rc_context(STYLE)
def _surfaces(data: xr.Dataset, agent: str, trial: int, title: str, *, every_level: bool) -> Figure:
    """A row per iteration; for each source of a step the surrogate, then rewards by pairs.

    ``every_level``: of all numbers of pairs per point, or of the most that all sources have.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    iterations, sources = data["iteration"].values, data["source"].values
    all_levels = [int(n) for n in data["pairs"].values]
    columns = len(sources) * (1 + (len(all_levels) if every_level else 1))
    figure = Figure(figsize=(1.95 * columns + 0.3, 1.75 * len(iterations)))
    FigureCanvasAgg(figure)
    number = 1
    for iteration in iterations:
        row = data.sel(agent=agent, trial=trial, iteration=iteration)
        measured = measured_pairs(row["reward"]) or all_levels
        levels = all_levels if every_level else measured[-1:]
        shown = row["reward"].sel(pairs=levels)
        for source in sources:
            own = row.sel(source=source)
            name = f"iteration {iteration}: surrogate"
            if len(sources) > 1:
                name += f", {source} pairs"
            panels = [(own["surrogate"], name, _limits(own["surrogate"]))]
            for n in levels:
                text = _reward_text(data, n, own.sel(pairs=n))
                panels.append((own["reward"].sel(pairs=n), text, _limits(shown)))
            for surface, text, limits in panels:
                axes = figure.add_subplot(len(iterations), columns, number, projection="3d")
                surface_panel(axes, surface, text, limits)
                number += 1
    figure.suptitle(title, fontsize=7)
    return figure


def measured_pairs(rewards: xr.DataArray) -> list[int]:
    """The numbers of pairs at which every one of these maps was measured, growing."""
    whole = rewards.notnull().all([d for d in rewards.dims if d != "pairs"])
    return [int(n) for n in rewards["pairs"].values[whole.values]]


def _limits(data: xr.DataArray) -> tuple[float, float]:
    """Of finite values, a little wider where they are all the same."""
    values = data.values[np.isfinite(data.values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def pairs_text(data: xr.Dataset, n: int) -> str:
    """How many pairs a point has; adaptive maps differ from point to point."""
    spec = spec_of(data)
    most = spec.get("budget") is not None or spec.get("target_error") is not None
    return f"{'up to ' if most else ''}{n} pairs"


def _reward_text(data: xr.Dataset, n: int, own: xr.Dataset) -> str:
    """What a map of n pairs per point is called."""
    return f"reward, {pairs_text(data, n)} (~{float(own['trajectories'].mean()):.0f} traj.)"


def has_common_numbers(data: xr.Dataset) -> bool:
    """Whether all points had the same random numbers."""
    return spec_of(data).get("noise") == "common"


def noise_text(data: xr.Dataset) -> str:
    """How the random numbers of the points go together."""
    return "common random numbers" if has_common_numbers(data) else "independent streams"


def _what(data: xr.Dataset, agent: str, trial: int, source: int | None = None) -> str:
    step = f"; step from {source} pairs" if source is not None else ""
    task = spec_of(data).get("task", "")
    first = f"{task}, {shown(agent)}, trial {trial}{step}"
    note = f"\n{blown}" if (blown := divergence_note(data)) else ""
    return f"{first}\n{noise_text(data)}; random direction of norm 2{note}"


def filled_panel(ax: Axes, surface: xr.DataArray, cmap: str) -> Axes:
    """A surface as colours, with their scale beside it."""
    x, y, z = _grid(surface)
    colours = ax.contourf(x, y, z, levels=14, cmap=cmap)
    bar = ax.figure.colorbar(colours, ax=ax, shrink=0.9)
    bar.locator = mpl.ticker.MaxNLocator(5)
    bar.update_ticks()
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    return ax


def contour_panel(ax: Axes, reward: xr.DataArray, error: xr.DataArray) -> Axes:
    """The reward as colours, its standard error as white lines."""
    filled_panel(ax, reward, "viridis")
    x, y, e = _grid(error)
    finite = e[np.isfinite(e)]
    if len(finite) and finite.max() > finite.min():
        lines = ax.contour(x, y, e, levels=3, colors="white", linewidths=0.6)
        ax.clabel(lines, fontsize=5, fmt="±%.3g")
    return ax


def along_the_step(data: xr.Dataset) -> int:
    """Where the random direction is not taken, or least."""
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
        width = stats.t.ppf(0.975, np.maximum(count - 1, 1)) * error
        width = np.where(count >= LEAST_TRAJECTORIES, width, np.nan)
        ax.plot(x, middle, color=str(grey), linewidth=1, label=f"reward, {pairs_text(data, n)}")
        ax.fill_between(x, middle - width, middle + width, color=str(grey), alpha=0.15, linewidth=0)
    right = ax.twinx()
    right.plot(x, own["surrogate"].values, color="#d98200", linestyle="--", linewidth=1)
    ax.set_ylabel("reward less the centre's" if paired else "reward", fontsize=6)
    right.set_ylabel("surrogate (dashed)", fontsize=6, color="#a06000")
    right.tick_params(labelsize=5)
    right.grid(visible=False)
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    off = float(own["random_scale"])
    ax.set_title("along the step" + (f", at random = {off:g}" if off else ""), fontsize=7)
    return ax


@mpl.rc_context(STYLE)
def contour_figure(data: xr.Dataset, agent: str, trial: int, source: int) -> Figure:
    """A row per iteration: surrogate, reward at the most pairs with standard errors, the cut.

    Of a plane with one point in some direction, the cut alone.
    """
    part = data.sel(agent=agent, trial=trial, source=source)
    iterations = data["iteration"].values
    plane = is_plane(data)
    figure, axes = new_figure(3 if plane else 1, len(iterations), width=2.6, height=2.0)
    for row, iteration in enumerate(iterations):
        own = part.sel(iteration=iteration)
        measured = measured_pairs(own["reward"])
        if not measured:
            for ax in axes[row]:
                ax.set_axis_off()
            axes[row, -1].set_title(f"iteration {iteration}: not computed", fontsize=7)
            continue
        cut_panel(axes[row, -1], own, np.array(measured))
        if not plane:
            axes[row, 0].set_title(f"iteration {iteration}, along the step", fontsize=7)
            continue
        best = own.sel(pairs=measured[-1])
        filled_panel(axes[row, 0], own["surrogate"], "cividis")
        paired = bool(np.isfinite(best["difference"].values).all())
        error = best["difference_error" if paired else "reward_error"]
        contour_panel(axes[row, 1], best["reward"], error)
        axes[row, 0].set_title(f"iteration {iteration}: surrogate", fontsize=7)
        text = _reward_text(data, measured[-1], best)
        lines_text = "SE of the difference to the centre" if paired else "standard error"
        axes[row, 1].set_title(f"{text}\nlines: {lines_text}", fontsize=6.5)
        axes[row, 0].set_ylabel("random direction", fontsize=7)
    for ax in axes[-1]:
        ax.set_xlabel("step", fontsize=7)
    bands = f"bands: 95 %, where a point has {LEAST_TRAJECTORIES} trajectories or more"
    figure.suptitle(f"{_what(data, agent, trial, source)}; {bands}", fontsize=7)
    legends = [ax.get_legend_handles_labels() for ax in axes[:, -1]]
    lines, names = max(legends, key=lambda legend: len(legend[1]))
    if names:
        figure.legend(lines, names, fontsize=6, loc="outside lower right", ncols=len(names))
    return figure


def is_plane(data: xr.Dataset) -> bool:
    """Whether there is a surface to draw."""
    return min(data.sizes["step_scale"], data.sizes["random_scale"]) > 1
