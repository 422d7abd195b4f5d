"""Parts of the gradient's variance, and what baselines leave of it: a column per agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.base.words import counted
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, known_trials
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.style import (
    STYLE,
    caption,
    headline,
    new_figure,
    not_computed,
    nth_look,
    shown,
    spec_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STACKED = ("none", "value net", "fitted value")
_FILLS = ("#1c4796", "#e38d00", "#7ad0c2", "0.8")  # of the parts, in their order
_LETTERS = {"none": "0", "value net": "V", "fitted value": "F"}


def parts_panel(ax: Axes, data: xr.Dataset) -> Axes:
    """Stacked shares of tr Σ, three bars per iteration: no baseline, value net, fitted value.

    Args:
        ax: where to draw.
        data: of one agent.
    """
    share = _rows(data, "share", "baseline", "part")[..., 0]
    names, parts = list(data["baseline"].values), list(data["part"].values)
    places: list[float] = []
    labels: list[str] = []
    for i in range(data.sizes["iteration"]):
        for b, baseline in enumerate(_STACKED):
            values = share[i, names.index(baseline)]
            if not np.isfinite(values).all():
                continue
            x = i + 0.28 * (b - 1)
            up, down = 0.0, 0.0  # what is negative hangs below 0
            for p, value in enumerate(values):
                bottom = up if value >= 0 else down
                label = str(parts[p]) if not places else None
                ax.bar(
                    x, value, 0.25, bottom, color=_FILLS[p], edgecolor="black", linewidth=0.4,
                    label=label,
                )  # fmt: skip
                up, down = up + max(value, 0.0), down + min(value, 0.0)
            places.append(x)
            below = f"\n{data['iteration'].values[i]}" if baseline == _STACKED[1] else ""
            labels.append(f"{_LETTERS[baseline]}{below}")
    ax.set_xticks(places, labels, fontsize=6)
    ax.set_xlim(-0.5, data.sizes["iteration"] - 0.5)
    ax.tick_params(axis="x", length=0)
    ax.grid(visible=False, axis="x")
    ax.axhline(0, color="black", linewidth=0.5)
    ax.axhline(1, color="black", linewidth=0.5)
    if not places:
        not_computed(ax)
    return ax


def left_panel(ax: Axes, data: xr.Dataset, name: str) -> Axes:
    """What is left with each baseline, with 95 % intervals, on a logarithmic axis.

    Args:
        ax: where to draw.
        data: of one agent.
        name: "total_left" or "pairs_left".
    """
    rows = 100 * _rows(data, name, "baseline")
    x = np.arange(data.sizes["iteration"], dtype=np.float64)
    for b, baseline in enumerate(data["baseline"].values):
        own = rows[:, b]
        known = np.isfinite(own[:, 0])
        if baseline == "none" or not known.any():
            continue
        look = nth_look(b)
        ends = np.abs(own[known, 1:] - own[known, :1]).T  # NaN: no bar
        ax.errorbar(
            x[known] + 0.08 * (b - 2.5), own[known, 0], ends, color=look["color"],
            linestyle=look["line"], marker=look["marker"], markersize=3, linewidth=1.1,
            elinewidth=0.8, capsize=1.5, label=str(baseline),
        )  # fmt: skip
    ax.axhline(100, color="black", linewidth=0.8, linestyle=(0, (1, 3)))
    ax.set_yscale("log")
    ax.set_xticks(x, [str(i) for i in data["iteration"].values])
    ax.set_xlim(-0.5, len(x) - 0.5)
    ax.set_xlabel("iteration")
    return ax


def _rows(data: xr.Dataset, name: str, *dims: str) -> F64:
    """Middle and bounds [iteration, *dims, 3]: over trials, or those of a single trial."""
    one = data.isel(trial=0) if data.sizes["trial"] == 1 else data
    base = name if data.sizes["trial"] == 1 else f"{name}_over_trials"
    columns = [
        one[f"{base}{e}"].transpose("iteration", *dims).values for e in ("", "_low", "_high")
    ]
    return np.stack(columns, axis=-1)


@mpl.rc_context(STYLE)
def budget_figure(data: xr.Dataset) -> Figure:
    """Parts of tr Σ, what baselines leave of it, and of its pairs' part: a column per agent.

    Args:
        data: of :func:`pgcore.studies.variance.opening.open_variance`.
    """
    agents, spec = data["agent"].values, spec_of(data)
    wide = max(2.6, 0.5 * data.sizes["iteration"] + 1.0)
    figure, axes = new_figure(len(agents), 3, width=wide, height=1.9)
    for column, agent in enumerate(agents):
        own = data.sel(agent=agent)
        top, middle, bottom = axes[:, column]
        top.set_title(shown(agent), fontsize=8)
        parts_panel(top, own)
        left_panel(middle, own, "total_left")
        left_panel(bottom, own, "pairs_left")
    for ax, text in zip(
        axes[:, 0], ("share of tr Σ", "% of tr Σ left", "% of the pairs'\npart left"), strict=True
    ):
        ax.set_ylabel(text)
    top = axes[0, 0]
    handles = [*top.get_legend_handles_labels()[0]]
    below = {"loc": "lower left", "bbox_to_anchor": (-0.1, 1.02), "ncols": 2, "fontsize": 6}
    axes[2, 0].legend(**below, handlelength=2.4, handletextpad=0.4, columnspacing=0.8)
    caption(
        figure, headline(data, "variance of a trajectory's gradient"), _text(data, spec), handles
    )
    return figure


def _text(data: xr.Dataset, spec: dict[str, object]) -> str:
    several, (fewest, most) = data.sizes["trial"] > 1, known_trials(data["total_left"])
    text = (
        "0, V, F: without a baseline, with the value net, with a value fitted to "
        f"{spec.get('fit_pairs', '?')} pairs; below: against no baseline, 100 %. best: the state "
        "baseline that leaves least to the pairs. lambda 1 but for the line of the agent's own. "
        f"{spec.get('trajectories', '?')} trajectories, a state of each restored; "
        f"{counted(fewest, 'trial', most)}, bars: 95 % intervals over "
    )
    text += "trials" if several else "trajectories, with a state of each"
    few = fewest < TRIALS_TO_DECIDE
    text += f"; fewer than {TRIALS_TO_DECIDE} trials: a description, not a decision" * few
    return text + (f"; {blown}" if (blown := divergence_note(data)) else "")
