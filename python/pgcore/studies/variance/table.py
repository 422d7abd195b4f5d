"""A variance study in numbers: parts of tr Σ, and what is left of it with each baseline."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from pgcore.studies.differences_table import difference_table
from pgcore.studies.measures.differences import differences_of, few_trials, fewest_trials
from pgcore.studies.measures.divergence import simulation_remarks
from pgcore.studies.style import spec_of

_LEGEND = """\
trace: tr Σ of the gradient of a trajectory, the variance of the sum over its pairs of score *
(return - baseline), without a baseline; pairs: mean length. Shares of tr Σ in %: states, what
differs between the states' mean gradients; actions, between actions in a state; rest, between
the trajectories that follow a state and an action; covariance, between pairs of a trajectory.
Below: the same with each baseline, and what is left of tr Σ and of its pairs' own part (all but
the covariance), in % of that without a baseline. All with lambda 1 and returns that end at the
time limit, but for the last line: GAE advantages with the agent's lambda, which are biased and
have a covariance, but no such parts. best: the state baseline that leaves least to the pairs;
the fitted value was fitted to the returns of {fit_pairs} pairs (explained variance on others:
fit). From {trajectories} trajectories, with a state of each restored: {first_actions} actions,
{rests} rests of the trajectory after each. In brackets 95 % intervals {units}. Over
trials numbers are less their jackknife bias: they may lie outside the trials' own"""
_UNITS = {True: "over trials", False: "over trajectories, with a state of each, of the one trial"}


def variance_table(data: xr.Dataset) -> str:
    """The study in numbers: a block per agent and iteration.

    Args:
        data: of :func:`pgcore.studies.variance.opening.open_variance`.
    """
    names = ("fit_pairs", "trajectories", "first_actions", "rests")
    spec = {name: spec_of(data).get(name, "?") for name in names}
    lines = [_LEGEND.format(units=_UNITS[data.sizes["trial"] > 1], **spec)]
    head = f"{'':<12}{'iter':>5} {'baseline':<22}{'tr Σ left':>24}{'pairs left':>24}"
    head += "".join(f"{part!s:>24}" for part in data["part"].values)
    for place, facts, one in _groups(data):
        lines += [f"{place} {facts}", head]
        lines += [f"{place} {_line(one.sel(baseline=b))}" for b in data["baseline"].values]
    for name, text in (("total_left", "tr Σ left"), ("pairs_left", "pairs left")):
        for baseline in data["baseline"].values[1:]:
            own = data[name].sel(baseline=baseline)
            if own.notnull().any():
                found = differences_of(data.sel(baseline=baseline), name)
                short = str(baseline).replace("value net, own lambda", "own lambda")
                lines += difference_table({f"{text}, {short}": found})
    remarks = few_trials(fewest_trials(data["total_left"])) + simulation_remarks(data)
    return "\n".join([*lines, *remarks]) + "\n"


def _groups(data: xr.Dataset) -> Iterator[tuple[str, str, xr.Dataset]]:
    """Agents at their iterations: the beginning of a line, facts, and means or the single trial."""
    several = data.sizes["trial"] > 1
    ends = ("", "_low", "_high")
    for agent in data["agent"].values:
        for iteration in data["iteration"].values:
            own = data.sel(agent=agent, iteration=iteration)
            known = own["total"].isel(baseline=0).notnull().values
            if not known.any():
                continue
            own = own.isel(trial=np.flatnonzero(known))
            one = own.isel(trial=0)
            names = ("total", "total_left", "pairs_left", "share")
            if several:
                over = {f"{n}{e}": own[f"{n}_over_trials{e}"] for n in names for e in ends}
                one = xr.Dataset(over)
            trace = shown_number(one.isel(baseline=0), "total")
            facts = (
                f"trace {trace}, pairs {float(own['length'].mean()):.1f}, "
                f"fit {float(own['fit_quality'].mean()):.2f}, trials {int(known.sum())}"
            )
            yield f"{agent!s:<12}{iteration:>5}", facts, one


def shown_number(data: xr.Dataset, name: str) -> str:
    """A number of any size with its interval."""
    values = [float(data[f"{name}{end}"]) for end in ("", "_low", "_high")]
    if not np.isfinite(values[1]):
        return f"{values[0]:.3g}"
    return f"{values[0]:.3g} [{values[1]:.3g}, {values[2]:.3g}]"


def _line(one: xr.Dataset) -> str:
    text = f"{one['baseline'].values!s:<22}"
    text += f"{_percent(one, 'total_left'):>24}{_percent(one, 'pairs_left'):>24}"
    for part in one["part"].values:
        text += f"{_percent(one.sel(part=part), 'share'):>24}"
    return text


def _percent(data: xr.Dataset, name: str) -> str:
    """A share in percent with its interval; ends that say nothing are short."""
    values = [100 * float(data[f"{name}{end}"]) for end in ("", "_low", "_high")]
    middle, low, high = (f"{x:.0e}" if abs(x) >= 1e5 else f"{x:.1f}" for x in values)
    if not np.isfinite(values[0]):
        return "-"
    return f"{middle} [{low}, {high}]" if np.isfinite(values[1]) else middle
