"""Quality of gradient estimates and of computed steps (figures 1, 2, 9 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, differences_of
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.statistics import predicted_pairwise, predicted_to_true
from pgcore.studies.style import (
    AGENT_PAIRS,
    STYLE,
    look_of,
    new_figure,
    pairs_axis,
    shown,
    spec_of,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# variables of a kind of estimate: mean pairwise cosine, mean cosine to the true one
KINDS = {
    "gradient": ("pairwise_cosine", "cosine_to_true"),
    "step": ("step_pairwise_cosine", "step_cosine_to_true"),
}


def band(
    ax: Axes, x: F64, rows: F64, *, color: str, line: str, marker: str, label: str | None
) -> None:
    """A line and its band; rows are (middle, low, high)."""
    ax.plot(
        x, rows[:, 0], color=color, linestyle=line, marker=marker, label=label, linewidth=1.0,
        markersize=2.5,
    )  # fmt: skip
    ax.fill_between(x, rows[:, 1], rows[:, 2], color=color, alpha=0.15, linewidth=0)


def rows_of(data: xr.Dataset, name: str) -> F64:
    """A variable of one dimension with its interval: rows (middle, low, high)."""
    return np.stack([data[f"{name}{end}"].values for end in ("", "_low", "_high")], axis=-1)


def cosine_panel(ax: Axes, data: xr.Dataset, label: str, name: str = "pairwise_cosine") -> Axes:
    """A mean cosine against n, a line and its 95 % band per trial (figures 1, 2, 9 and 10).

    Args:
        ax: where to draw.
        data: of one iteration.
        label: agent.
        name: of the variable [agent, trial, n].
    """
    style = look_of(label, data["agent"].values)
    for index, trial in enumerate(data["trial"].values):
        rows = rows_of(data.sel(agent=label, trial=trial), name)
        band(ax, data["n"].values, rows, **style, label=None if index else shown(label))
    return ax


def difference_panel(ax: Axes, data: xr.Dataset, name: str = "pairwise_cosine") -> Axes:
    """A variable of the other agents less the first's, against n, with bands over trials.

    Args:
        ax: where to draw.
        data: of one iteration, of two agents or more.
        name: of the variable [agent, trial, n].
    """
    first, *others = (str(a) for a in data["agent"].values)
    found = differences_of(data, name)
    for agent in others:
        own = found.sel(agent=agent, other=first)
        rows = np.stack([own[n].values for n in ("difference", "low", "high")], axis=-1)
        label = f"{shown(agent)} - {shown(first)}"
        band(ax, data["n"].values, rows, **look_of(agent, data["agent"].values), label=label)
    return ax


def _predictions(top: Axes, bottom: Axes, data: xr.Dataset, label: str) -> None:
    """What the noise scale of the true gradient predicts, dashed, per trial.

    The true gradient of N pairs is an estimate, too: cosines to it are lower by (1 + B/N)^(-1/2).
    """
    n = np.geomspace(data["n"].values.min(), data["n"].values.max(), 50)
    look, data = look_of(label, data["agent"].values), data.sel(agent=label)
    known = (data["streams"] * data["stream_pairs"]).values
    curves = [
        (ax, law)
        for B, N in zip(data["true_noise_scale"].values, known, strict=True)
        for ax, law in (
            (top, predicted_pairwise(n, B)),
            (bottom, predicted_to_true(n, B) * predicted_to_true(N, B)),
        )
    ]
    for ax, curve in curves:
        ax.plot(n, curve, color=look["color"], linewidth=0.7, linestyle="--", alpha=0.8)


@mpl.rc_context(STYLE)
def gradient_figure(data: xr.Dataset, kind: str = "gradient") -> Figure:
    """Figures 1 and 2 (9 and 10): a column per iteration, each agent in its colour.

    Of several agents a third row shows the differences of the pairwise cosine between them.

    Args:
        data: of :func:`pgcore.studies.gradient.opening.open_gradient`.
        kind: "gradient", or "step" for the computed steps.
    """
    iterations, several = data["iteration"].values, data.sizes["agent"] > 1
    figure, axes = new_figure(len(iterations), 2 + several, height=1.9)
    for column, iteration in enumerate(iterations):
        top, bottom = axes[:2, column]
        for agent in (str(a) for a in data["agent"].values):
            part = data.sel(iteration=iteration)
            for panel, name in zip((top, bottom), KINDS[kind], strict=True):
                cosine_panel(panel, part, agent, name)
            if kind == "gradient":
                _predictions(top, bottom, part, agent)
        if several:
            difference_panel(axes[2, column], data.sel(iteration=iteration), KINDS[kind][0])
        for panel in axes[:, column]:
            panel.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")
            panel.axhline(0, color="black", linewidth=0.5)
            pairs_axis(panel, data["n"].values)
        for panel in (top, bottom):
            panel.set_ylim(-0.3, 1.04)
        top.set_title(f"iteration {iteration}", fontsize=8)
        _trajectory_axis(top, data.sel(iteration=iteration))
    axes[0, 0].set_ylabel("mean pairwise cosine")
    axes[1, 0].set_ylabel(f"cosine to true {kind}")
    figure.supxlabel("state-action pairs n (above the panels: trajectories)", fontsize=8)
    axes[0, -1].legend(loc="upper left", handlelength=2.5)
    if several:
        axes[2, 0].set_ylabel("difference of the\nmean pairwise cosine")
        axes[2, -1].legend(loc="upper left", handlelength=2.5)
        widest = max(abs(y) for panel in axes[2] for y in panel.get_ylim())
        for panel in axes[2]:
            panel.set_ylim(-widest, widest)
    note = f"{spec_of(data).get('task', '')}: {', '.join(shown(a) for a in data['agent'].values)}"
    note += (
        f"\n{data.sizes['estimate']} estimates, a line per trial; bands: 95 % intervals over them"
    )
    note += f"\n{_trials_text(data)}" if several else ""
    note += f"\ndotted: n = {AGENT_PAIRS}"
    if kind == "gradient":
        note += "; dashed: predicted from the noise scale B"
    note += f"\n{blown}" if (blown := divergence_note(data)) else ""
    figure.suptitle(wrapped(note, figure, 6.5), fontsize=6.5)
    return figure


def _trajectory_axis(panel: Axes, data: xr.Dataset) -> None:
    """Mean trajectories per estimate at some n, above the panel."""
    mean = data["trajectories"].mean(["agent", "trial", "estimate"]).values
    n = data["n"].values
    top = panel.secondary_xaxis("top")
    chosen = slice(0, None, max(1, len(n) // 4))
    top.set_xticks(n[chosen], [f"{m:.0f}" if m >= 10 else f"{m:.1f}" for m in mean[chosen]])
    top.minorticks_off()
    top.tick_params(labelsize=6, length=2)


def _trials_text(data: xr.Dataset) -> str:
    trials = data.sizes["trial"]
    text = f"differences: mean of {trials} trial{'s' * (trials > 1)}"
    text += " with 95 % intervals over them, paired where they share seeds" * (trials > 1)
    few = trials < TRIALS_TO_DECIDE
    return text + f"; fewer than {TRIALS_TO_DECIDE}: a description, not a decision" * few
