"""Quality of gradient estimates and of computed steps (figures 1, 2, 9 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.base.words import spanned
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, differences_of, known_trials
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.own_pairs import dotted
from pgcore.studies.measures.statistics import predicted_pairwise, predicted_to_true
from pgcore.studies.style import (
    AGENT_PAIRS,
    STYLE,
    bars,
    caption,
    headline,
    look_of,
    new_figure,
    not_computed,
    pairs_axis,
    rows_of,
    shown,
    trajectories_axis,
    trials_panel,
    trials_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# variables of a kind of estimate: mean pairwise cosine, mean cosine to the true one
KINDS = {
    "gradient": ("pairwise_cosine", "cosine_to_true"),
    "step": ("step_pairwise_cosine", "step_cosine_to_true"),
}
_WORDS = {"gradient": "gradient estimates", "step": "computed steps"}
_LEAST_SPAN = 0.2  # of an axis of cosines, so that noise around 0 does not look like much


def measured_kinds(data: xr.Dataset) -> list[str]:
    """Of :data:`KINDS` those of which there is a number: not all agents have steps."""
    return [kind for kind, (name, _) in KINDS.items() if bool(data[name].notnull().any())]


def cosine_panel(
    ax: Axes, data: xr.Dataset, label: str, name: str = "pairwise_cosine", shift: float = 0.0
) -> Axes:
    """A mean cosine against n, a line per trial with 95 % intervals (figures 1, 2, 9 and 10).

    Args:
        ax: where to draw.
        data: of one iteration.
        label: agent.
        name: of the variable [agent, trial, n].
        shift: in points to the right.
    """
    own = data.sel(agent=label)
    own = own.isel(trial=np.flatnonzero(own[name].notnull().any("n")))
    if not own.sizes["trial"]:
        not_computed(ax)
        return ax
    trials = [rows_of(own.isel(trial=t), name) for t in range(own.sizes["trial"])]
    trials_panel(
        ax, data["n"].values, np.array(trials), rows_of(own, f"{name}_over_trials"),
        **look_of(label, data["agent"].values), label=shown(label), shift=shift,
    )  # fmt: skip
    return ax


def difference_panel(ax: Axes, data: xr.Dataset, name: str = "pairwise_cosine") -> Axes:
    """A variable of the other agents less the first's, against n, with intervals over trials.

    Args:
        ax: where to draw.
        data: of one iteration, of two agents or more.
        name: of the variable [agent, trial, n].
    """
    first, *others = (str(a) for a in data["agent"].values)
    found = differences_of(data, name)
    for place, agent in enumerate(others):
        own = found.sel(agent=agent, other=first)
        rows = np.stack([own[n].values for n in ("difference", "low", "high")], axis=-1)
        look, shift = look_of(agent, data["agent"].values), 2.2 * (place - (len(others) - 1) / 2)
        bars(ax, data["n"].values, rows, **look, label=f"{shown(agent)} - {shown(first)}",
             shift=shift)  # fmt: skip
    return ax


def _predictions(top: Axes, bottom: Axes, data: xr.Dataset, label: str) -> None:
    """What the noise scale of the true gradient predicts, dashed, per trial.

    The true gradient of N pairs is an estimate, too: cosines to it are lower by (1 + B/N)^(-1/2).
    """
    n = np.geomspace(data["n"].values.min(), data["n"].values.max(), 50)
    data = data.sel(agent=label)
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
        ax.plot(n, curve, color="0.45", linewidth=0.6, linestyle="--", zorder=1)


@mpl.rc_context(STYLE)
def gradient_figure(data: xr.Dataset, kind: str = "gradient") -> Figure:
    """Figures 1 and 2 (9 and 10): a column per iteration, two rows per agent.

    Of several agents a last row shows the differences of the pairwise cosine between them.

    Args:
        data: of :func:`pgcore.studies.gradient.opening.open_gradient`.
        kind: "gradient", or "step" for the computed steps.
    """
    iterations, agents = data["iteration"].values, [str(a) for a in data["agent"].values]
    several = len(agents) > 1
    figure, axes = new_figure(len(iterations), 2 * len(agents) + several, height=1.6)
    for column, iteration in enumerate(iterations):
        part = data.sel(iteration=iteration)
        for row, agent in enumerate(agents):
            top, bottom = axes[2 * row : 2 * row + 2, column]
            for panel, name in zip((top, bottom), KINDS[kind], strict=True):
                cosine_panel(panel, part, agent, name)
            if kind == "gradient":
                _predictions(top, bottom, part, agent)
            own = part.sel(agent=agent)
            known = own[KINDS[kind][0]].notnull().any("trial").values
            counts = own["trajectories"].mean(["trial", "estimate"]).values
            pairs_axis(top, part["n"].values)
            trajectories_axis(top, part["n"].values[known], counts[known])
            top.set_title(f"{shown(agent)}, iteration {iteration}", fontsize=8)
        if several:
            difference_panel(axes[-1, column], part, KINDS[kind][0])
            axes[-1, column].set_title(f"differences, iteration {iteration}", fontsize=8)
        for panel in axes[:, column]:
            panel.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")
            panel.axhline(0, color="black", linewidth=0.5)
            pairs_axis(panel, data["n"].values)
        axes[-1, column].set_xlabel("state-action pairs n")
    for row in range(len(agents)):
        axes[2 * row, 0].set_ylabel("mean pairwise\ncosine")
        axes[2 * row + 1, 0].set_ylabel(f"mean cosine to\nthe true {kind}")
    if several:
        axes[-1, 0].set_ylabel("difference of the\npairwise cosine")
        axes[-1, -1].legend(loc="upper left", handlelength=2.5, fontsize=6)
        _same_limits(axes[-1:])
    _same_limits(axes[: 2 * len(agents)])
    caption(figure, headline(data, f"how well {_WORDS[kind]} agree"), _note(data, kind))
    return figure


def _same_limits(panels: np.ndarray) -> None:
    """One range of y for all, which holds 0 and is not too small."""
    ends = np.array([ax.get_ylim() for ax in panels.ravel()])
    low, high = max(min(ends[:, 0].min(), 0.0), -1.05), min(max(ends[:, 1].max(), 0.0), 1.05)
    short = max(0.0, _LEAST_SPAN - (high - low)) / 2
    for ax in panels.ravel():
        ax.set_ylim(low - short, high + short)


def _note(data: xr.Dataset, kind: str) -> str:
    note = f"{data.sizes['estimate']} independent estimates at each n. "
    trials = [x for x in (known_trials(data[name]) for name in KINDS[kind]) if x[1]]
    fewest, most = min((x for x, _ in trials), default=0), max((x for _, x in trials), default=0)
    note += f"{trials_text(fewest, most, 'estimates').capitalize()}."
    note += dotted(data["n"].values, ", an iteration of the agents of the paper")
    if kind == "gradient" and data.sizes["n"] > 1:
        note += " Dashed: predicted from the noise scale B of the true gradient, per trial."
    note += " Trajectories: mean of an estimate of that agent."
    known = data[KINDS[kind][0]].notnull()
    if one := int(((known.sum("n") == 1).any(("agent", "iteration"))).sum()) * (
        data.sizes["n"] > 1
    ):
        note += f" {one} of the trials have one n only."
    if data.sizes["agent"] > 1:
        pairs = differences_of(data, KINDS[kind][0])["trials"]
        if len(counts := pairs.values[pairs.values > 0]):
            text = _trials_text(int(counts.min()), int(counts.max()))
            note += f" {text.capitalize()}."
    return note + (f"\n{blown}" if (blown := divergence_note(data)) else "")


def _trials_text(fewest: int, trials: int) -> str:
    text = f"differences: mean of {spanned(fewest, trials)} trial{'s' * (trials > 1)}"
    text += " with 95 % intervals over them, paired where they share seeds" * (trials > 1)
    few = fewest < TRIALS_TO_DECIDE
    return text + f"; fewer than {TRIALS_TO_DECIDE}: a description, not a decision" * few
