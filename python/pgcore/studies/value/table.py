"""A value study in numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.words import counted, spanned
from pgcore.studies.differences_table import difference_table
from pgcore.studies.measures.differences import (
    TRIALS_TO_DECIDE,
    differences_of,
    few_trials,
    fewest_trials,
)
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.own_pairs import nearest_to_agents
from pgcore.studies.style import spec_of

_SETS = ("train", "held-out")
_TARGETS = ("gae", "returns")


def with_estimates(data: xr.Dataset) -> xr.Dataset:
    """The iterations at which gradient estimates were compared."""
    there = data["gram"].notnull().any([d for d in data["gram"].dims if d != "iteration"])
    return data.isel(iteration=np.flatnonzero(there))


def _moments(data: xr.Dataset, *dims: str) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*(data[d].values for d in dims)):
        yield dict(zip(dims, values, strict=True))


def value_table(data: xr.Dataset) -> str:
    """The study in numbers: errors by iteration, variances by baseline, Monte Carlo values.

    Args:
        data: of :func:`pgcore.studies.value.opening.open_value`.
    """
    trials, fewest = data.sizes["trial"], fewest_trials(data["error"])
    bounds = _bounds(data)
    over = counted(trials, "trial") if fewest == trials else f"{spanned(fewest, trials)} trials"
    lines = [
        f"errors of the value network, IQM over {over}: mean relative error "
        f"[{bounds}] | root mean square error / std of the target",
        f"{'':<14}{'iter':>5}"
        + "".join(f"{t} {s}".rjust(30) for t, s in itertools.product(_TARGETS, _SETS)),
    ]
    for at in _moments(data, "agent", "iteration"):
        cells = []
        for target, which in itertools.product(_TARGETS, _SETS):
            own = data.sel(at).sel(set=which, target=target)
            names = ("error_iqm", "error_iqm_low", "error_iqm_high")
            middle, low, high = (float(own[n].sel(measure="mre")) for n in names)
            spread = float(own["error_iqm"].sel(measure="normalized"))
            between = f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
            cells.append(f"{middle:.2f}{between} | {spread:.2f}".rjust(30))
        lines.append(_place(at) + "".join(cells))
    lines += ["", *_other_lines(data)]
    if "mean_error" in data["measure"].values:  # an older pgcore has not measured it
        lines += ["", *_split_lines(data)]
    if "gram" in data:
        part = with_estimates(data)
        lines += ["", *_variance_lines(part)]
        lines += [blown] if (blown := divergence_note(part, "estimates_diverged")) else []
        lines += ["", *_monte_carlo_lines(part)]
    return "\n".join([*lines, "", *few_trials(fewest), *_difference_lines(data)]) + "\n"


def _place(at: dict[str, Any]) -> str:
    trial = f"{at['trial']!s:>6}" if "trial" in at else ""
    return f"{at['agent']!s:<14}{at['iteration']:>5}{trial}"


def _other_lines(data: xr.Dataset) -> list[str]:
    """Further measures, on held-out pairs."""
    lines = [
        "further errors on held-out pairs, IQM over trials: median relative | mean of error² / "
        "|target| (the companion\ncode's MRE of the GAE target, without its clipping; its MRE of "
        "returns is the mean relative error above) |\nexplained variance; and the share of the "
        "pairs whose return is known",
        f"{'':<14}{'iter':>5}{'gae':>28}{'returns':>28}{'known':>7}",
    ]
    measures = ["median_re", "squared_re", "explained_variance"]
    for at in _moments(data, "agent", "iteration"):
        part = data.sel(at).sel(set="held-out")
        cells = []
        for target in _TARGETS:
            numbers = part["error_iqm"].sel(target=target, measure=measures).values
            cells.append(" | ".join(f"{x:.3g}" for x in numbers).rjust(28))
        known = float(part["share"].sel(target="returns").mean())
        lines.append(_place(at) + "".join(cells) + f"{known:>7.2f}")
    return lines


def _split_lines(data: xr.Dataset) -> list[str]:
    """How much of the error on held-out pairs a constant would mend."""
    lines = [
        "errors on held-out pairs in standard deviations of the target, IQM over trials "
        f"[{_bounds(data)}]: root mean square |\nmean error (positive: values are too high) | std "
        "of the error; in each trial the square of the first is the sum of those of the others",
        f"{'':<14}{'iter':>5}" + "".join(f"{target:>66}" for target in _TARGETS),
    ]
    measures = ("normalized", "mean_error", "rest")
    for at in _moments(data, "agent", "iteration"):
        own, cells = data.sel(at).sel(set="held-out"), []
        for target in _TARGETS:
            part = own.sel(target=target)
            texts = [_interval(part.sel(measure=m), "error_iqm", ".2f") for m in measures]
            cells.append(" | ".join(texts).rjust(66))
        lines.append(_place(at) + "".join(cells))
    return lines


def _bounds(data: xr.Dataset) -> str:
    few = fewest_trials(data["error"]) < TRIALS_TO_DECIDE
    return "range" if few else "95 % interval"


def _interval(own: xr.Dataset, name: str, kind: str = ".3g") -> str:
    """A number with its interval, where that is known."""
    middle, low, high = (float(own[n]) for n in (name, f"{name}_low", f"{name}_high"))
    ends = f" [{low:{kind}}, {high:{kind}}]" if np.isfinite(low) else ""
    return f"{middle:{kind}}{ends}"


def _checkpoints(data: xr.Dataset) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each agent at an iteration, and the trials of it that were measured."""
    for at in _moments(data, "agent", "iteration"):
        known = data["gram"].sel(at).notnull().any(["n", "baseline", "estimate", "other"])
        trials = data["trial"].values[known.values]
        if len(trials):
            yield at, [{**at, "trial": t} for t in trials]


def _variance_lines(data: xr.Dataset) -> list[str]:
    n, largest = nearest_to_agents(data["n"].values), int(data["n"].values.max())
    baselines = [str(b) for b in data["baseline"].values]
    lines = [
        f"total variance tr Σ per pair with the value net, and that of the others over it [95 % "
        f"interval over estimates, n = {largest}];\npairwise cosine at n = {n}; all: over trials, "
        "geometric mean of variances and ratios, mean of the cosine [95 % intervals over "
        "trials];\nzero: returns, so lambda = 1; fit: explained variance of the fitted true value "
        "on held-out pairs",
        f"{'':<14}{'iter':>5}{'trial':>6}" + "".join(f"{b:>48}" for b in baselines) + "   fit",
    ]
    for at, trials in _checkpoints(data):
        for one in trials:
            own = data.sel(one)
            cells = [f"{_variance_cell(own, b, n, largest):>48}" for b in baselines]
            fit = float(own["fit_error"].sel(measure="explained_variance"))
            lines.append(_place(one) + "".join(cells) + f"{fit:>6.2f}")
        if len(trials) > 1:
            own = data.sel(at)
            cells = [f"{_variance_cell(own, b, n, largest, '_over_trials'):>48}" for b in baselines]
            lines.append(_place({**at, "trial": "all"}) + "".join(cells))
    return lines + [_count_line(data, b, largest) for b in baselines if b != "value net"]


def _variance_cell(own: xr.Dataset, baseline: str, n: int, largest: int, suffix: str = "") -> str:
    """Variance, or its ratio to the value network's, and the cosine."""
    part = own.sel(baseline=baseline)
    most, few = part.sel(n=largest), part.sel(n=n)
    if baseline != "value net":
        text = _interval(most, f"variance_ratio{suffix}")
    elif suffix:
        text = _interval(most, f"total_variance{suffix}")
    else:
        text = f"{float(most['total_variance']):.3g}"
    if suffix:
        return f"{text} {_interval(few, f'pairwise_cosine{suffix}', '+.2f')}"
    return f"{text} {float(few['pairwise_cosine']):+.2f}"


def _count_line(data: xr.Dataset, baseline: str, n: int) -> str:
    """In how many checkpoints a baseline's variance is clearly below and above the value net's."""
    own = data.sel(baseline=baseline, n=n)
    known = own["variance_ratio"].notnull()
    below, above = own["variance_ratio_high"] < 1, own["variance_ratio_low"] > 1
    agents, total = int(known.any("iteration").sum()), int(known.sum())
    return (
        f"{baseline}: less than the value net's in {int(below.sum())} of {total} checkpoints of "
        f"{agents} agents, more in {int(above.sum())} (95 %)"
    )


def _monte_carlo_lines(data: xr.Dataset) -> list[str]:
    lines = [
        f"error against Monte Carlo values of {data.sizes['state']} states, from "
        f"{spec_of(data).get('continuations')} continuations each, as a share of the variance of "
        "value over states\n= squared mean error + rest [about 95 % intervals over states; > 10: "
        "unknown], with the noise of the Monte Carlo values taken\noff; and that noise; all: "
        "geometric mean over trials [95 % interval over trials]",
        f"{'':<14}{'iter':>5}{'trial':>6}{'value net':>72}{'fitted':>72}{'noise':>8}",
    ]
    for at, trials in _checkpoints(data):
        for one in trials:
            own = data.sel(one)
            cells = [f"{_misfit_cell(own, name):>72}" for name in ("value_net", "fitted")]
            lines.append(_place(one) + "".join(cells) + f"{float(own['monte_carlo_noise']):>8.3f}")
        if len(trials) > 1:
            names = ("value_net_misfit_over_trials", "fitted_misfit_over_trials")
            cells = [f"{_share(data.sel(at), name):<46}".rjust(72) for name in names]
            lines.append(_place({**at, "trial": "all"}) + "".join(cells).rstrip())
    return lines


def _misfit_cell(own: xr.Dataset, name: str) -> str:
    parts = ("misfit", "squared_mean_error", "misfit_rest")
    whole, mean, rest = (_share(own, f"{name}_{part}") for part in parts)
    return f"{whole} = {mean} + {rest}"


def _share(own: xr.Dataset, name: str) -> str:
    middle, low, high = (float(own[n]) for n in (name, f"{name}_low", f"{name}_high"))
    most = f"{high:.3f}" if high < 10 else "> 10"
    return f"{middle:.3f} [{low:.3f}, {most}]"


def _difference_lines(data: xr.Dataset) -> list[str]:
    """Of errors on held-out pairs, and of what the value network's baseline removes."""
    titles = {"mre": "mre", "normalized": "rms/std"}
    columns = {
        f"{target} {title}": differences_of(
            data.sel(set="held-out", target=target, measure=measure), "error"
        )
        for target, (measure, title) in itertools.product(_TARGETS, titles.items())
    }
    if "gram" in data:
        own = data.sel(n=data["n"].values.max(), baseline="value net")
        columns["variance removed"] = differences_of(own, "variance_removed")
        columns["MC error"] = differences_of(data, "value_net_misfit")
    return difference_table(columns)
