"""A value study in numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from pgcore.studies.differences_table import difference_table
from pgcore.studies.measures.differences import differences_of
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.style import AGENT_PAIRS, spec_of

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
    trials = data.sizes["trial"]
    bounds = "95 % interval" if trials > 5 else "range"
    lines = [
        f"errors of the value network, IQM over {trials} trial(s): mean relative error "
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
            between = f" [{low:.2f}, {high:.2f}]" if trials > 1 else ""
            cells.append(f"{middle:.2f}{between} | {spread:.2f}".rjust(30))
        lines.append(_place(at) + "".join(cells))
    lines += ["", *_other_lines(data)]
    if "gram" in data:
        part = with_estimates(data)
        lines += ["", *_variance_lines(part)]
        lines += [blown] if (blown := divergence_note(part, "estimates_diverged")) else []
        lines += ["", *_monte_carlo_lines(part)]
    return "\n".join([*lines, *_difference_lines(data)]) + "\n"


def _place(at: dict[str, Any]) -> str:
    trial = f"{at['trial']:>6}" if "trial" in at else ""
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


def _variance_lines(data: xr.Dataset) -> list[str]:
    n = int(data["n"].values[np.argmin(np.abs(np.log(data["n"].values / AGENT_PAIRS)))])
    largest = int(data["n"].values.max())
    baselines = [str(b) for b in data["baseline"].values]
    others = [b for b in baselines if b != "value net"]
    lines = [
        f"total variance tr Σ per pair with the value net, and that of the others over it [95 % "
        f"interval over estimates, n = {largest}];\npairwise cosine at n = {n}; zero: returns, so "
        "lambda = 1; fit: explained variance of the fitted true value on held-out pairs",
        f"{'':<14}{'iter':>5}{'trial':>6}" + "".join(f"{b:>38}" for b in baselines) + "   fit",
    ]
    below, above = dict.fromkeys(others, 0), dict.fromkeys(others, 0)
    for at in _moments(data, "agent", "iteration", "trial"):
        own, cells = data.sel(at), []
        for baseline in baselines:
            one = own.sel(baseline=baseline)
            most = one.sel(n=largest)
            text = f"{float(most['total_variance']):.3g}"
            if baseline != "value net":
                names = ("variance_ratio", "variance_ratio_low", "variance_ratio_high")
                middle, low, high = (float(most[name]) for name in names)
                text = f"{middle:.3g} [{low:.3g}, {high:.3g}]"
                below[baseline] += high < 1
                above[baseline] += low > 1
            cells.append(f"{text} {float(one['pairwise_cosine'].sel(n=n)):+.2f}".rjust(38))
        fit = float(own["fit_error"].sel(measure="explained_variance"))
        lines.append(_place(at) + "".join(cells) + f"{fit:>6.2f}")
    agents = data.sizes["agent"] * data.sizes["trial"]
    total = f"{agents * data.sizes['iteration']} checkpoints of {agents} agents"
    lines += [
        f"{b}: less than the value net's in {below[b]} of {total}, more in {above[b]} (95 %)"
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
    for at in _moments(data, "agent", "iteration", "trial"):
        own, cells = data.sel(at), []
        for name in ("value_net_misfit", "fitted_misfit"):
            middle, low, high = (float(own[n]) for n in (name, f"{name}_low", f"{name}_high"))
            most = f"{high:.3f}" if high < 10 else "> 10"
            cells.append(f"{middle:.3f} [{low:.3f}, {most}]".rjust(26))
        lines.append(_place(at) + "".join(cells) + f"{float(own['monte_carlo_noise']):>8.3f}")
    return lines


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
