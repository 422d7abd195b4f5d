"""Value prediction along training and variance reduction (figures 3, 4, 11 and 12)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import xarray as xr

from pgcore.studies.gradient.figures import band
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.statistics import (
    cosines,
    interquartile_mean,
    iqm_interval,
    mean_pairwise,
    misfit,
    misfit_interval,
    pairwise_cosine_interval,
)
from pgcore.studies.measures.value import total_variance, variance_ratio
from pgcore.studies.style import (
    AGENT_PAIRS,
    STYLE,
    look_of,
    new_figure,
    pairs_axis,
    shown,
    spec_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE_STYLES = {
    "true value": ("#1b7f4b", "-", "^"),
    "value net": ("#1f4e9c", "-.", "o"),
    "zero": ("#b03030", ":", "s"),
}


def value_panel(ax: Axes, errors: xr.DataArray, label: str) -> Axes:
    """An error measure against the iteration: trials thin, their IQM with its 95 % band.

    Args:
        ax: where to draw.
        errors: [iteration, trial] of one agent.
        label: agent.
    """
    x, y = errors["iteration"].values, errors.transpose("iteration", "trial").values
    ax.plot(x, y, color=look_of(label)["color"], linewidth=0.4, alpha=0.5)
    middle, low, high = iqm_interval(y)
    style = look_of(label)
    band(ax, x, np.stack([middle, low, high], axis=1), **style, label=shown(label))
    return ax


@mpl.rc_context(STYLE)
def value_figure(data: xr.Dataset, measure: str = "mre") -> Figure:
    """Figures 3, 11 and 12: errors for both targets, on training and on held-out pairs.

    Args:
        data: the dataset "errors" of :func:`pgcore.studies.value.value_prediction`.
        measure: one of its measures.
    """
    figure, axes = new_figure(4, 1, width=1.9, height=2.3)
    panels = [(s, t) for t in ("gae", "returns") for s in ("train", "held-out")]
    spec, trials = spec_of(data), data.sizes["trial"]
    kind = {"cut": "cut returns", "resolved": "known returns"}.get(spec.get("returns", ""))
    names = {"gae": "GAE target", "returns": kind or "returns"}
    lowest, highest = np.inf, -np.inf
    for ax, (which, target) in zip(axes[0], panels, strict=True):
        for agent in (str(a) for a in data["agent"].values):
            part = data["error"].sel(agent=agent, set=which, target=target, measure=measure)
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

    A row per agent, a column per iteration; a line and its 95 % band per trial.
    """
    agents, iterations = data["agent"].values, data["iteration"].values
    figure, axes = new_figure(len(iterations), len(agents), height=2.0)
    n = data["n"].values
    for row, agent in enumerate(agents):
        for column, iteration in enumerate(iterations):
            ax = axes[row, column]
            part = data["gram"].sel(agent=agent, iteration=iteration)
            for baseline, (color, line, marker) in BASELINE_STYLES.items():
                for i, trial in enumerate(data["trial"].values):
                    grams = part.sel(trial=trial, baseline=baseline).values
                    rows = np.array([pairwise_cosine_interval(g) for g in grams])
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
    fitted += f"\n{blown}" if (blown := divergence_note(data)) else ""
    figure.suptitle(f"{spec.get('task', '')}; zero: returns, no baseline\n{fitted}", fontsize=8)
    return figure


def value_table(data: dict[str, xr.Dataset]) -> str:
    """The study in numbers: errors by iteration, variances by baseline, Monte Carlo values."""
    errors = data["errors"]["error"]
    trials = errors.sizes["trial"]
    bounds = "95 % interval" if trials > 5 else "range"
    lines = [
        f"errors of the value network, IQM over {trials} trial(s): mean relative error "
        f"[{bounds}] | root mean square error / std of the target",
        f"{'':<14}{'iter':>5}"
        + "".join(f"{t} {s}".rjust(30) for t in ("gae", "returns") for s in ("train", "held-out")),
    ]
    for agent, iteration in itertools.product(*(errors[d].values for d in ("agent", "iteration"))):
        part = errors.sel(agent=agent, iteration=iteration)
        cells = []
        for target, which in itertools.product(("gae", "returns"), ("train", "held-out")):
            own = part.sel(set=which, target=target)
            middle, low, high = iqm_interval(own.sel(measure="mre").values)
            spread = iqm_interval(own.sel(measure="normalized").values)[0]
            between = f" [{low:.2f}, {high:.2f}]" if trials > 1 else ""
            cells.append(f"{middle:.2f}{between} | {spread:.2f}".rjust(30))
        lines.append(f"{agent!s:<14}{iteration:>5}" + "".join(cells))
    lines += ["", *_other_lines(data["errors"])]
    if "variance" in data:
        lines += ["", *_variance_lines(data["variance"], data["true_value"])]
        lines += [blown] if (blown := divergence_note(data["variance"])) else []
        lines += ["", *_monte_carlo_lines(data["monte_carlo"])]
    return "\n".join(lines) + "\n"


def _other_lines(data: xr.Dataset) -> list[str]:
    """Further measures, on held-out pairs."""
    lines = [
        "further errors on held-out pairs, IQM over trials: median relative | mean of error² / "
        "|target| (the companion\ncode's MRE of the GAE target, without its clipping; its MRE of "
        "returns is the mean relative error above) |\nexplained variance; and the share of the "
        "pairs whose return is known",
        f"{'':<14}{'iter':>5}{'gae':>28}{'returns':>28}{'known':>7}",
    ]
    for agent, iteration in itertools.product(*(data[d].values for d in ("agent", "iteration"))):
        part = data.sel(agent=agent, iteration=iteration, set="held-out")
        cells = []
        for target in ("gae", "returns"):
            own = part["error"].sel(target=target)
            numbers = [
                float(interquartile_mean(own.sel(measure=m).values))
                for m in ("median_re", "squared_re", "explained_variance")
            ]
            cells.append(" | ".join(f"{x:.3g}" for x in numbers).rjust(28))
        known = float(part["share"].sel(target="returns").mean())
        lines.append(f"{agent!s:<14}{iteration:>5}" + "".join(cells) + f"{known:>7.2f}")
    return lines


def _variance_lines(data: xr.Dataset, true: xr.Dataset) -> list[str]:
    n = int(data["n"].values[np.argmin(np.abs(np.log(data["n"].values / AGENT_PAIRS)))])
    largest = int(data["n"].values.max())
    others = [b for b in BASELINE_STYLES if b != "value net"]
    lines = [
        f"total variance tr Σ per pair with the value net, and that of the others over it [95 % "
        f"interval over estimates, n = {largest}];\npairwise cosine at n = {n}; zero: returns, so "
        "lambda = 1; fit: explained variance of the fitted true value on held-out pairs",
        f"{'':<14}{'iter':>5}{'trial':>6}"
        + "".join(f"{b:>38}" for b in BASELINE_STYLES)
        + "   fit",
    ]
    below, above = dict.fromkeys(others, 0), dict.fromkeys(others, 0)
    where: dict[str, Any]
    for agent, iteration, trial in itertools.product(
        *(data[d].values for d in ("agent", "iteration", "trial"))
    ):
        where = {"agent": agent, "iteration": iteration, "trial": trial}
        own = data["gram"].sel(where)
        cells = []
        for baseline in BASELINE_STYLES:
            gram, net = (own.sel(n=largest, baseline=b).values for b in (baseline, "value net"))
            text = f"{total_variance(net, largest):.3g}"
            if baseline != "value net":
                middle, low, high = variance_ratio(gram, net)
                text = f"{middle:.3g} [{low:.3g}, {high:.3g}]"
                below[baseline] += high < 1
                above[baseline] += low > 1
            cosine = mean_pairwise(cosines(own.sel(n=n, baseline=baseline).values))
            cells.append(f"{text} {cosine:+.2f}".rjust(38))
        fit = float(true["fit_error"].sel({**where, "measure": "explained_variance"}))
        lines.append(f"{agent!s:<14}{iteration:>5}{trial:>6}" + "".join(cells) + f"{fit:>6.2f}")
    total = data.sizes["agent"] * data.sizes["iteration"] * data.sizes["trial"]
    lines += [
        f"{b}: less than the value net's in {below[b]} of {total} agents, more in {above[b]} (95 %)"
        for b in others
    ]
    return lines


def _monte_carlo_lines(data: xr.Dataset) -> list[str]:
    lines = [
        f"error against Monte Carlo values of {data.sizes['state']} states, from "
        f"{spec_of(data).get('continuations')} continuations each, as a share of the variance of "
        "value over states\n[about 95 % interval over states; > 10: unknown], with "
        "the noise of the Monte Carlo values taken off; and that noise",
        f"{'':<14}{'iter':>5}{'trial':>6}{'value net':>26}{'fitted':>26}{'noise':>8}",
    ]
    for agent, iteration, trial in itertools.product(
        *(data[d].values for d in ("agent", "iteration", "trial"))
    ):
        own = data.sel({"agent": agent, "iteration": iteration, "trial": trial})
        value, error = own["value"].values, own["value_error"].values
        cells = []
        for name in ("value_net", "fitted"):
            middle, low, high = misfit_interval(own[name].values, value, error)
            most = f"{high:.3f}" if high < 10 else "> 10"
            cells.append(f"{middle:.3f} [{low:.3f}, {most}]".rjust(26))
        noise = misfit(own["fitted"].values, value, error)[1]
        lines.append(f"{agent!s:<14}{iteration:>5}{trial:>6}" + "".join(cells) + f"{noise:>8.3f}")
    return lines
