"""Value prediction along training and variance reduction (figures 3, 4, 11 and 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.studies.gradient.figures import band, rows_of
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.style import AGENT_PAIRS, STYLE, look_of, new_figure, pairs_axis, shown, spec_of
from pgcore.studies.value.table import with_estimates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE_STYLES = {
    "true value": ("#1b7f4b", "-", "^"),
    "value net": ("#1f4e9c", "-.", "o"),
    "zero": ("#b03030", ":", "s"),
}


def value_panel(ax: Axes, data: xr.Dataset, label: str) -> Axes:
    """An error measure against the iteration: trials thin, their IQM with its 95 % band.

    Args:
        ax: where to draw.
        data: of one set, target and measure.
        label: agent.
    """
    style, data = look_of(label, data["agent"].values), data.sel(agent=label)
    x, y = data["iteration"].values, data["error"].transpose("iteration", "trial").values
    ax.plot(x, y, color=style["color"], linewidth=0.4, alpha=0.5)
    band(ax, x, rows_of(data, "error_iqm"), **style, label=shown(label))
    return ax


@mpl.rc_context(STYLE)
def value_figure(data: xr.Dataset, measure: str = "mre") -> Figure:
    """Figures 3, 11 and 12: errors for both targets, on training and on held-out pairs.

    Args:
        data: of :func:`pgcore.studies.value.opening.open_value`.
        measure: one of its error measures.
    """
    figure, axes = new_figure(4, 1, width=1.9, height=2.3)
    panels = [(s, t) for t in ("gae", "returns") for s in ("train", "held-out")]
    spec, trials = spec_of(data), data.sizes["trial"]
    kind = {"cut": "cut returns", "resolved": "known returns"}.get(spec.get("returns", ""))
    names = {"gae": "GAE target", "returns": kind or "returns"}
    lowest, highest = np.inf, -np.inf
    for ax, (which, target) in zip(axes[0], panels, strict=True):
        for agent in (str(a) for a in data["agent"].values):
            part = data.sel(set=which, target=target, measure=measure)
            value_panel(ax, part, agent)
        shown = data["error"].sel(set=which, target=target, measure=measure)
        if not bool(np.isfinite(shown).any()):
            ax.text(0.5, 0.5, "no return is known", ha="center", transform=ax.transAxes)
        else:
            lowest, highest = min(lowest, ax.get_ylim()[0]), max(highest, ax.get_ylim()[1])
        ax.set_title(f"{names[target]}, {which}", fontsize=8)
    relative = measure in ("mre", "median_re", "squared_re")
    for ax in axes[0]:
        if relative:
            ax.set_yscale("log", base=2)
            ax.yaxis.set_major_formatter(mpl.ticker.LogFormatterMathtext(base=2))
            lowest = float(data["error"].sel(measure=measure).min()) / 1.2
        if np.isfinite([lowest, highest]).all() and lowest < highest:
            ax.set_ylim(lowest, highest)
            ax.tick_params(labelleft=ax is axes[0, 0])
    axes[0, 0].set_ylabel({"mre": "mean relative error"}.get(measure, measure))
    axes[0, 0].legend()
    figure.supxlabel("iteration", fontsize=8)
    band_text = "95 % interval" if trials > 5 else "range"
    title = f"{spec.get('task', '')}; IQM and {band_text} of {trials} trial{'s' * (trials > 1)}"
    figure.suptitle(title, fontsize=8)
    return figure


@mpl.rc_context(STYLE)
def variance_figure(data: xr.Dataset) -> Figure:
    """Figure 4: mean pairwise cosine against n for three baselines on the same pairs.

    A row per agent, a column per iteration that has estimates; a line and its 95 % band per trial.

    Args:
        data: of :func:`pgcore.studies.value.opening.open_value`.
    """
    data = with_estimates(data)
    agents, iterations = data["agent"].values, data["iteration"].values
    figure, axes = new_figure(len(iterations), len(agents), height=2.0)
    n = data["n"].values
    for row, agent in enumerate(agents):
        for column, iteration in enumerate(iterations):
            ax = axes[row, column]
            part = data.sel(agent=agent, iteration=iteration)
            for baseline, (color, line, marker) in BASELINE_STYLES.items():
                for i, trial in enumerate(data["trial"].values):
                    rows = rows_of(part.sel(trial=trial, baseline=baseline), "pairwise_cosine")
                    name = baseline if i == 0 else None
                    band(ax, n, rows, color=color, line=line, marker=marker, label=name)
            pairs_axis(ax, n)
            ax.set_ylim(-0.3, 1.04)
            ax.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")
            ax.set_title(f"{shown(agent)}, iteration {iteration}", fontsize=8)
        axes[row, 0].set_ylabel("mean pairwise cosine")
    for ax in axes[-1]:
        ax.set_xlabel("state-action pairs n")
    lines, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(names))
    spec = spec_of(data)
    fitted = f"true value: a network fitted to the returns of {spec.get('true_value_pairs')} pairs"
    fitted += f"\n{blown}" if (blown := divergence_note(data, "estimates_diverged")) else ""
    figure.suptitle(f"{spec.get('task', '')}; zero: returns, no baseline\n{fitted}", fontsize=8)
    return figure
