"""Spectrum, shares in the leading subspace, and how long it lasts: a column per agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from pgcore.base.arrays import F64
from pgcore.base.words import counted
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, known_trials
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.style import STYLE, look_of, new_figure, shown, spec_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {"fisher": "Fisher matrix", "hessian": "surrogate's Hessian"}
_MOST_SPECTRA, _MOST_TICKS = 5, 8  # of one panel
_GREY = "0.45"
_SHARES = (  # variable, label, line, marker, whether in the agent's colour
    ("true_share", "true gradient ({true_pairs} pairs, noise removed)", "-", "o", True),
    ("gradient_share", "gradient from {update_pairs} pairs", "--", "s", False),
    ("step_share", "step from {update_pairs} pairs", ":", "^", False),
)
_OVERLAPS = (
    ("split_half", "with itself, from other pairs", "-", "o", True),
    ("overlap_with_next", "with the next iteration here", "--", "s", False),
    ("overlap_with_first", "with the first iteration", ":", "^", False),
)


def spectrum_panel(ax: Axes, data: xr.Dataset) -> Axes:
    """Magnitudes of the leading eigenvalues, a line per iteration; means over trials and halves.

    Args:
        ax: where to draw.
        data: of one agent, matrix and n.
    """
    known = data["magnitude"].notnull().all("vector").any(("trial", "half"))
    iterations = data["iteration"].values[known.values]
    places = np.linspace(0, len(iterations) - 1, min(len(iterations), _MOST_SPECTRA))
    chosen = iterations[np.unique(places.round().astype(int))]
    colors = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(chosen)))
    numbers = data["vector"].values + 1
    for iteration, color in zip(chosen, colors, strict=True):
        own = data["magnitude"].sel(iteration=iteration)
        middle = np.exp(xr.apply_ufunc(np.log, own).mean(("trial", "half"))).values
        ax.plot(numbers, middle, color=color, marker=".", linewidth=1.0, label=str(iteration))
    _log_axis(ax)
    ax.set_xlim(0.5, len(numbers) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.35)  # room for the legend
    ax.legend(title="iteration", fontsize=6, title_fontsize=6, ncols=2, loc="upper right")
    return ax


def along_training_panel(
    ax: Axes, data: xr.Dataset, curves: tuple[tuple[Any, ...], ...], color: str
) -> Axes:
    """Means along training, and what chance gives, dotted; 95 % intervals, cut at 0 and 1.

    Args:
        ax: where to draw.
        data: of one agent, matrix and n.
        curves: variable, label, line, marker, and whether in the agent's ``color``.
    """
    iterations = data["iteration"].values
    span = max(float(np.ptp(iterations)), 1.0)
    for place, (name, label, line, marker, own) in enumerate(curves):
        rows = _rows(data, name)
        known = np.isfinite(rows[:, 0])
        x = iterations[known] + 0.015 * span * (place - 1)
        middle, low, high = rows[known].T
        low, high = np.maximum(low, 0.0), np.minimum(high, np.maximum(middle, 1.0))
        ends = np.array([middle - low, high - middle])  # NaN: no bar
        look: Any = {"color": color if own else ("black", _GREY)[place - 1], "marker": marker}
        ax.errorbar(
            x, middle, ends, linestyle=line, markersize=3, linewidth=1.1, elinewidth=0.8,
            capsize=1.5, label=label, **look,
        )  # fmt: skip
        if data.sizes["trial"] > 1:
            for trial in data["trial"].values:
                values = data[name].sel(trial=trial).values[known]
                ax.plot(x, values, linestyle="", markersize=2, alpha=0.45, **look)
    level = data["random_level"].mean().item()
    ax.axhline(level, color="black", linewidth=0.8, linestyle=(0, (1, 3)), label="random")
    return ax


def _log_axis(ax: Axes) -> None:
    """A logarithmic axis with plain numbers."""
    ax.set_yscale("log", nonpositive="clip")
    low, high = ax.get_ylim()
    subs = (1.0,) if high > 30 * low else (1.0, 2.0, 5.0)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _rows(data: xr.Dataset, name: str) -> F64:
    """Middle and bounds [iteration, 3]: over trials, or those of a single trial."""
    one = data.isel(trial=0) if data.sizes["trial"] == 1 else data
    base = name if data.sizes["trial"] == 1 else f"{name}_over_trials"
    missing = xr.full_like(one[base], np.nan)
    columns = [one.get(f"{base}{end}", missing).values for end in ("", "_low", "_high")]
    return np.stack(columns, axis=-1)


@mpl.rc_context(STYLE)
def curvature_figure(data: xr.Dataset, matrix: str, n: int) -> Figure:
    """Spectrum, shares and overlaps of one matrix: a row each, a column per agent.

    Args:
        data: of :func:`pgcore.studies.curvature.opening.open_curvature`.
        matrix: "fisher" or "hessian".
        n: pairs of a half.
    """
    agents, spec = [str(a) for a in data["agent"].values], spec_of(data)
    counts = {name: spec.get(name, "?") for name in ("update_pairs", "true_pairs")}
    shares = tuple((n_, text.format(**counts), *rest) for n_, text, *rest in _SHARES)
    figure, axes = new_figure(len(agents), 3, width=3.1, height=2.2)
    for column, agent in enumerate(agents):
        own = data.sel(agent=agent, matrix=matrix, n=n)
        top, middle, bottom = axes[:, column]
        top.set_title(shown(agent), fontsize=8)
        color = look_of(agent, agents)["color"]
        spectrum_panel(top, own)
        along_training_panel(middle, own, shares, color)
        along_training_panel(bottom, own, _OVERLAPS, color)
        top.set_xlabel("number of the eigenvalue")
        for ax in (middle, bottom):
            ax.set_xlabel("iteration")
            if data.sizes["iteration"] <= _MOST_TICKS:
                ax.set_xticks(data["iteration"].values)
            if data.sizes["iteration"] == 1:
                ax.margins(x=2)  # what stands beside it stays beside it
    k = data.sizes["vector"]
    axes[0, 0].set_ylabel("|eigenvalue|")
    axes[1, 0].set_ylabel(f"share of the squared norm in\nthe span of {k} eigenvectors")
    axes[2, 0].set_ylabel(f"overlap of the spans\nof {k} eigenvectors")
    lowest = float(data["random_level"].min())
    for share, overlap in axes[1:].T:
        _log_axis(share)
        share.set_ylim(lowest / 3, 80)  # room for the legend; intervals may leave the panel
        share.minorticks_off()
        share.set_yticks([y for y in 10.0 ** np.arange(-6, 1) if y > lowest / 3])
        overlap.set_ylim(-0.04, 1.65)
        overlap.set_yticks([0, 0.25, 0.5, 0.75, 1])
    for row in axes[1:]:
        row[0].legend(fontsize=6, loc="upper left", handlelength=3)
    figure.suptitle(wrapped(_title(data, matrix, n), figure, 6.5), fontsize=6.5)
    return figure


def _title(data: xr.Dataset, matrix: str, n: int) -> str:
    several, (fewest, most) = data.sizes["trial"] > 1, known_trials(data["split_half"])
    few = fewest < TRIALS_TO_DECIDE
    names = ", ".join(shown(a) for a in data["agent"].values)
    text = (
        f"{spec_of(data).get('task', '')}: {names}; leading eigenvectors of the {_NAMES[matrix]} "
        f"from {n} pairs, shares from other pairs, {counted(fewest, 'trial', most)}\n"
        "bars: 95 % intervals, cut at 0 and 1, over "
    )
    text += "trials" if several else "gradient estimates and steps, given the subspace"
    text += "; pale: single trials" * several
    text += f"; fewer than {TRIALS_TO_DECIDE} trials: a description, not a decision" * few
    return text + (f"\n{blown}" if (blown := divergence_note(data)) else "")
