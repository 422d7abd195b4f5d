"""Quality of gradient estimates and of computed steps (figures 1, 2, 9 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.statistics import (
    cosines,
    mean_interval,
    mean_pairwise,
    noise_scale_interval,
    pairwise_cosine_interval,
    predicted_pairwise,
    predicted_to_true,
    true_noise_scale,
)
from pgcore.studies.style import AGENT_PAIRS, STYLE, look_of, new_figure, pairs_axis, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# variables of a kind of estimate: inner products, with the true one, and the true one's square
KINDS = {
    "gradient": ("gram", "dot_true", "true_square"),
    "step": ("step_gram", "step_dot_true", "step_square"),
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


def _trial_band(ax: Axes, x: F64, rows: F64, label: str, first: bool) -> None:
    style = look_of(label)
    band(ax, x, rows, **style, label=shown(label) if first else None)


def pairwise_cosine_panel(ax: Axes, data: xr.Dataset, label: str, gram: str = "gram") -> Axes:
    """Mean pairwise cosine against n, a line and its 95 % band per trial (figures 1 and 9).

    Args:
        ax: where to draw.
        data: of one agent and iteration.
        label: agent.
        gram: the variable, [trial, n, estimate, other].
    """
    for index, trial in enumerate(data["trial"].values):
        grams = data[gram].sel(trial=trial).values
        rows = np.array([pairwise_cosine_interval(g) for g in grams])
        _trial_band(ax, data["n"].values, rows, label, index == 0)
    return ax


def true_cosine_panel(ax: Axes, data: xr.Dataset, label: str, kind: str = "gradient") -> Axes:
    """Mean cosine to the true gradient (or step) against n (figures 2 and 10)."""
    cosine = to_true(data, kind)
    for index in range(data.sizes["trial"]):
        rows = np.array([mean_interval(c) for c in cosine[index]])
        _trial_band(ax, data["n"].values, rows, label, index == 0)
    return ax


def noise_scales(data: xr.Dataset) -> F64:
    """B of the true gradient, one per trial, of one agent and iteration."""
    names = ("stream_square", "true_square", "streams", "stream_pairs")
    square, true_square, streams, pairs = (data[name].values for name in names)
    return true_noise_scale(square, true_square, streams, pairs)


def _predictions(top: Axes, bottom: Axes, data: xr.Dataset, label: str) -> None:
    """What the noise scale of the true gradient predicts, dashed, per trial.

    The true gradient of N pairs is an estimate, too: cosines to it are lower by (1 + B/N)^(-1/2).
    """
    n = np.geomspace(data["n"].values.min(), data["n"].values.max(), 50)
    known = (data["streams"] * data["stream_pairs"]).values
    curves = [
        (ax, law)
        for B, N in zip(noise_scales(data), known, strict=True)
        for ax, law in (
            (top, predicted_pairwise(n, B)),
            (bottom, predicted_to_true(n, B) * predicted_to_true(N, B)),
        )
    ]
    for ax, curve in curves:
        ax.plot(n, curve, color=look_of(label)["color"], linewidth=0.7, linestyle="--", alpha=0.8)


@mpl.rc_context(STYLE)
def gradient_figure(data: xr.Dataset, kind: str = "gradient") -> Figure:
    """Figures 1 and 2 (9 and 10): a column per iteration, PPO and TRPO in two colours.

    Args:
        data: of :func:`pgcore.studies.gradient.open_gradient`.
        kind: "gradient", or "step" for the computed steps.
    """
    iterations = data["iteration"].values
    figure, axes = new_figure(len(iterations), 2, height=1.9)
    for column, iteration in enumerate(iterations):
        top, bottom = axes[:, column]
        for agent in (str(a) for a in data["agent"].values):
            part = data.sel(iteration=iteration, agent=agent)
            pairwise_cosine_panel(top, part, agent, KINDS[kind][0])
            true_cosine_panel(bottom, part, agent, kind)
            if kind == "gradient":
                _predictions(top, bottom, part, agent)
        for panel in (top, bottom):
            panel.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":")
            panel.axhline(0, color="black", linewidth=0.5)
            pairs_axis(panel, data["n"].values)
            panel.set_ylim(-0.3, 1.04)
        top.set_title(f"iteration {iteration}", fontsize=8)
        _trajectory_axis(top, data.sel(iteration=iteration))
    axes[0, 0].set_ylabel("mean pairwise cosine")
    axes[1, 0].set_ylabel(f"cosine to true {kind}")
    figure.supxlabel("state-action pairs n (above the panels: trajectories)", fontsize=8)
    axes[0, -1].legend(loc="upper left", handlelength=2.5)
    note = f"{data.sizes['estimate']} estimates, a line per trial; bands: 95 % intervals over them"
    note += f"\ndotted: n = {AGENT_PAIRS}"
    if kind == "gradient":
        note += "; dashed: predicted from the noise scale B"
    note += f"\n{blown}" if (blown := divergence_note(data)) else ""
    figure.suptitle(note, fontsize=6.5)
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


def to_true(data: xr.Dataset, kind: str) -> F64:
    """Cosines of the estimates to the true gradient (or step) [..., estimate]; NaN for none."""
    gram, dot, square = (data[name] for name in KINDS[kind])
    norms = np.sqrt(np.diagonal(gram.values, axis1=-2, axis2=-1))
    with np.errstate(invalid="ignore", divide="ignore"):  # a step of length 0 has no direction
        return np.asarray((dot / norms / np.sqrt(square)).values)


def gradient_table(data: xr.Dataset) -> str:
    """The study in numbers, at the n nearest to an agent's pairs: a line per agent."""
    n = int(data["n"].values[np.argmin(np.abs(np.log(data["n"].values / AGENT_PAIRS)))])
    lines = [
        f"at n = {n}, {data.sizes['estimate']} estimates, [95 % intervals over them]: pairwise "
        "cosine; cosine to the true gradient;\nnoise scale B in pairs, from the true gradient's "
        "streams, and from the estimates; split-half cosine of the true gradient\nand its norm; "
        "trajectories of an estimate; pairwise cosine of computed steps, and to the true step",
        f"{'':<14}{'iter':>5}{'trial':>7}{'pairwise':>22}{'to true':>22}{'B':>10}"
        f"{'B of the estimates':>30}{'split':>7}{'|g|':>10}{'traj':>7}{'step pw':>9}"
        f"{'step true':>10}",
    ]
    for agent in data["agent"].values:
        for iteration in data["iteration"].values:
            part = data.sel(agent=agent, iteration=iteration)
            rows = np.array([_agent_row(part.sel(trial=t), n) for t in part["trial"].values])
            names = [*map(str, part["trial"].values)]
            if len(rows) > 1:
                rows, names = np.vstack([rows, np.median(rows, axis=0)]), [*names, "median"]
            for trial, row in zip(names, rows, strict=True):
                pw, tt, own = (_interval(row[i : i + 3], trial) for i in (0, 3, 6))
                lines.append(
                    f"{agent!s:<14}{iteration:>5}{trial:>7}{pw:>22}{tt:>22}{row[9]:>10.3g}"
                    f"{own:>30}{row[10]:>7.2f}{row[11]:>10.3g}{row[12]:>7.1f}{row[13]:>9.3f}"
                    f"{row[14]:>10.3f}"
                )
    lines += [blown] if (blown := divergence_note(data)) else []
    return "\n".join(lines) + "\n"


def _agent_row(part: xr.Dataset, n: int) -> list[float]:
    """The numbers of one agent: three intervals (middle, low, high), then single numbers."""
    own = part.sel(n=n)
    gram = own["gram"].values
    scales = ("stream_square", "true_square", "streams", "stream_pairs")
    return [
        *pairwise_cosine_interval(gram),
        *mean_interval(to_true(own, "gradient")),
        *noise_scale_interval(gram, n),
        float(true_noise_scale(*(part[name].values for name in scales))),
        float(part["half_dot"] / np.sqrt(part["half_squares"])),
        float(np.sqrt(part["true_square"])),
        float(own["trajectories"].mean()),
        mean_pairwise(cosines(own["step_gram"].values)),
        float(to_true(own, "step").mean()),
    ]


def _interval(numbers: F64, trial: str) -> str:
    middle, low, high = (f"{x:.3g}" if abs(x) >= 10 else f"{x:.2f}" for x in numbers)
    return middle if trial == "median" else f"{middle} [{low}, {high}]"
