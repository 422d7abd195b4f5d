"""True reward and surrogate along updates: a column per agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.base.words import counted
from pgcore.studies.measures.differences import known_trials
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.updates import Along, over_units
from pgcore.studies.style import STYLE, band, bars, caption, headline, look_of, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY = "0.5"
_GAINS = {  # name: what it is, line, marker, whether on fresh pairs
    "surrogate": ("objective, own pairs", "-", "o", False),
    "fresh": ("objective, fresh pairs", "--", "s", True),
    "unclipped": ("unclipped, own pairs", ":", "^", False),
    "unclipped_fresh": ("unclipped, fresh pairs", "-.", "v", True),
}
_OBJECTIVE = ("surrogate", "fresh")


def _means(values: F64) -> tuple[F64, F64]:
    """Means [P] over units of values [T, K, P], and their intervals [2, P]."""
    each = [over_units(values[..., p]) for p in range(values.shape[-1])]
    ends = np.array([[x.low for x in each], [x.high for x in each]])
    return np.array([x.estimate for x in each]), ends


def _along_passes(
    ax: Axes, along: Along, name: str, label: str, line: str, marker: str, color: str
) -> None:
    """A line from the start on, with a band; units pale behind that of the change."""
    values = along.values[name]
    units = values[0] if len(values) == 1 else values.mean(axis=1)
    at = np.concatenate([[0.0], along.at])
    middle, ends = (np.insert(x, 0, 0.0, axis=-1) for x in _means(values))
    points = marker if len(at) <= 21 else None
    rows = np.stack([middle, *ends], axis=-1)
    if name == "change":
        for one in units:
            ax.plot(at, np.insert(one, 0, 0.0), color=color, linewidth=0.6, alpha=0.5)
    if name == "change" and points:
        bars(ax, at, rows, color=color, line=line, marker=marker, label=label, width=1.3)
    elif name in ("change", *_OBJECTIVE):
        band(ax, at, rows, color=color, line=line, marker=points, label=label)
    else:
        ax.plot(
            at, middle, color=color, linestyle=line, marker=points, linewidth=1.0, markersize=2.5,
            label=label,
        )  # fmt: skip


def _along_tries(
    ax: Axes, along: Along, name: str, label: str, marker: str, color: str, shift: float
) -> None:
    """Accepted tries filled, refused ones hollow, with intervals and numbers of updates."""
    for accepted in (1.0, 0.0):
        chosen = along.values["accepted"] == accepted
        values = np.where(chosen, along.values[name], np.nan)
        middle, ends = _means(values)
        if not chosen.any():
            continue
        x = along.at * 2.0 ** (shift + (0.08 if accepted else -0.08))
        face = color if accepted else "white"
        text = None
        if name == "change":
            text = "accepted (number)" if accepted else "refused (number)"
        elif accepted:
            text = label
        ax.errorbar(
            x, middle, np.abs(ends - middle), fmt=marker, color=color, markerfacecolor=face,
            markersize=5, capsize=2.5, elinewidth=1.2, linewidth=0, label=text,
        )  # fmt: skip
        if name == "change":
            counts = np.isfinite(values).sum(axis=(0, 1))
            place: dict[str, Any] = {"xytext": (-5 if accepted else 5, 3)}
            place["ha"] = "right" if accepted else "left"
            for xy, count in zip(zip(x, middle, strict=True), counts, strict=True):
                if count:
                    ax.annotate(str(count), xy, textcoords="offset points", fontsize=6, **place)


def _panels(reward: Axes, gain: Axes, along: Along, agent: str) -> None:
    color = look_of(agent)["color"]
    single = len(along.trials) == 1
    if along.search:
        _along_tries(reward, along, "change", "", "o", color, 0.0)
        for place, name in enumerate(_OBJECTIVE):  # a line search clips nothing
            label, _, marker, fresh = _GAINS[name]
            own = _GREY if fresh else color
            _along_tries(gain, along, name, label, marker, own, 0.3 * (0.5 - place))
        for ax in (reward, gain):
            ax.set_xscale("log", base=2)
            ax.set_xlim(2.0, along.at.min() / 2)
            ax.set_xticks(along.at, [f"1/{1 / at:.3g}" if at < 1 else "1" for at in along.at])
        gain.set_xlabel("fraction of the step that is tried")
    else:
        unit = "updates" if single else "trials"
        _along_passes(reward, along, "change", f"mean, 95 % over {unit}", "-", "o", color)
        gains, others = (along.values[name] for name in ("surrogate", "unclipped"))
        apart = np.nanmax(np.abs(gains - others)) > 0.02 * np.nanmax(np.abs(gains))
        for name, (label, line, marker, fresh) in _GAINS.items():
            if apart or name in _OBJECTIVE:
                own = _GREY if fresh else color
                _along_passes(gain, along, name, label, line, marker, own)
        gain.set_xlabel("passes over the pairs")
        for ax in (reward, gain):
            ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
    for ax in (reward, gain):
        ax.axhline(0, color="black", linewidth=0.6)
        low, high = ax.get_ylim()
        entries = len(ax.get_legend_handles_labels()[1])
        ax.set_ylim(low, high + 0.1 * entries * (high - low))  # room for the legend
        ax.legend(fontsize=6, loc="upper left", handlelength=3)
    counts = along.values["trajectories"]
    each = f"{counts[np.isfinite(counts)].mean():.0f}"
    reward.set_title(f"{shown(agent)}: {each} trajectories at a point", fontsize=8)


@mpl.rc_context(STYLE)
def update_figure(data: xr.Dataset, iteration: int, n: int, measure: str = "return") -> Figure:
    """A column per agent: how true reward (above) and surrogate (below) change along an update.

    Args:
        data: of :func:`pgcore.studies.update.opening.open_update`.
        iteration, n: which updates.
        measure: "return" or "discounted".
    """
    agents = [str(a) for a in data["agent"].values]
    figure, axes = new_figure(len(agents), 2, width=2.9, height=2.4)
    for column, agent in enumerate(agents):
        own = data.sel(agent=agent, iteration=iteration, n=n)
        along = Along.of(own, measure)
        if along.trials:
            _panels(axes[0, column], axes[1, column], along, agent)
        else:
            axes[0, column].set_title(f"{shown(agent)}: not computed", fontsize=8)
    what = "discounted return" if measure == "discounted" else "return"
    axes[0, 0].set_ylabel(f"change of the mean\n{what} [reward]")
    axes[1, 0].set_ylabel("gain of the surrogate\n[std of the advantage]")
    for above, below in axes.T:
        above.set_xlabel(below.get_xlabel())
    at = data["at"].sel(iteration=iteration, n=n)
    fewest, most = known_trials(at.where(at.notnull().any("point").all("update")), "agent")
    over = "trials" if most > 1 else "updates"
    over += " (updates where there is one trial)" if fewest == 1 < most else ""
    caption(
        figure,
        headline(data, f"updates at iteration {iteration}, from {n} pairs each"),
        f"{data.sizes['update']} independent updates of each of "
        f"{counted(fewest, 'trial', most)}. Pale: "
        + ("means of trials" if most > 1 else "updates")
        + f"; bold: their mean; bands and bars: 95 % intervals over {over}"
        + ". Fresh pairs: as many others, of the same policy."
        + (f"\n{blown}" if (blown := divergence_note(data)) else ""),
    )
    return figure
