"""Steps in numbers: changes, shares, tails, surrogate and controls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures import steps as measures
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.surfaces import Interval

TRIALS_TO_DECIDE = 6
_LEGEND = """\
change of the true reward by a step: mean and 95 % interval over steps (all: over trials), the
centre's error in it; spread between steps, evaluation noise removed; lowers: share of the measured
changes below 0, and in brackets its interval; clear: shares of the steps whose own 95 % interval is
below / above 0; disc: the change of the discounted return; LTP: probability that the return after
a step is below half its mean; CVaR: mean of the lowest tenth of these returns, evaluation noise
removed from both; gain: surrogate's, on the step's own pairs and on fresh ones; r: correlation of
gain and change between the steps of a trial, and what it is without evaluation noise (rel: share of
the changes' variance that is none; -: noise alone); between: that of the trials' means, from four
trials on; random: change by random steps of equal KL; true: by steps of equal length along the true
gradient; n: pairs of one step"""


@dataclass(frozen=True)
class Steps:
    """The steps of one agent, iteration, n, kind and fraction, of its T finished trials.

    Attributes:
        trials: T names.
        change, change_error, apart_error, compared, surrogate, fresh, kl, norm: [T, K].
        centre, common_error: [T].
    """

    trials: tuple[str, ...]
    change: F64
    change_error: F64
    apart_error: F64
    compared: F64
    surrogate: F64
    fresh: F64
    kl: F64
    norm: F64
    centre: F64
    common_error: F64

    @staticmethod
    def of(data: xr.Dataset, measure: str = "return") -> Steps:
        """From a dataset of one agent, iteration, n, kind and fraction."""
        own = data.sel(measure=measure).transpose("trial", "step", ...)
        own = own.isel(trial=np.flatnonzero(np.isfinite(own["change"].values).all(axis=1)))
        names = [n for n in Steps.__dataclass_fields__ if n != "trials"]
        return Steps(tuple(map(str, own["trial"].values)), *(own[n].values for n in names))

    @property
    def width(self) -> F64:
        """Half of the 95 % interval of each change [T, K]."""
        return measures.change_width(self.change_error, self.compared)

    def mean(self, t: int | None = None) -> Interval:
        """Mean change of trial t over its steps, or over trials."""
        if t is not None:
            return measures.mean_change(self.change[t], float(self.common_error[t]))
        return measures.over_trials(self.change.mean(axis=1))

    def lowers(self, t: int | None = None) -> Interval:
        """Share of the measured changes that are below 0."""
        lower = (self.change < 0)[slice(None) if t is None else slice(t, t + 1)].sum(axis=1)
        return measures.share_over_trials(lower, np.full(len(lower), self.change.shape[1]))


def groups(data: xr.Dataset) -> Iterator[tuple[str, int, int, float, xr.Dataset]]:
    """(agent, iteration, n, fraction, their dataset) of everything that was measured."""
    for agent in data["agent"].values:
        for iteration in data["iteration"].values:
            for n in data["n"].values:
                for fraction in data["fraction"].values:
                    own = data.sel(agent=agent, iteration=iteration, n=n, fraction=fraction)
                    if bool(own["change"].sel(kind="step").notnull().all("step").any()):
                        yield str(agent), int(iteration), int(n), float(fraction), own


def step_table(data: xr.Dataset) -> str:
    """The study in numbers: a line per trial, and one over trials."""
    head = f"{'':<12}{'iter':>5}{'n':>8}{'of step':>8}{'trial':>6}"
    tops = [
        f"{'traj':>7}{'centre':>9}{'change':>24}{'spread':>22}{'lowers':>20}{'clear':>12}{'disc':>24}",
        f"{'LTP':>6}{'CVaR':>9}{'KL':>9}{'|step|':>8}{'gain':>9}{'fresh':>9}"
        f"{'r':>21}{'rel':>6}{'r true':>8}{'between':>21}{'random':>24}{'true':>24}",
    ]
    lines = [f"{data.sizes['step']} steps each. {_LEGEND}"]
    for top, line in zip(tops, (_change_line, _other_line), strict=True):
        lines.append(head + top)
        for agent, iteration, n, fraction, own in groups(data):
            steps = Steps.of(own.sel(kind="step"))
            chosen: list[int | None] = list(range(len(steps.trials)))
            chosen += [None] if len(chosen) > 1 else []
            for t in chosen:
                name = "all" if t is None else steps.trials[t]
                place = f"{agent:<12}{iteration:>5}{n:>8}{fraction:>8.3g}{name:>6}"
                lines.append(place + line(own, steps, t))
    return "\n".join([*lines, *_remarks(data)]) + "\n"


def _remarks(data: xr.Dataset) -> list[str]:
    lines = []
    norm = data["norm"].sel(kind="step")
    refused = int((norm == 0).sum())
    if refused:
        lines.append(
            f"{refused} of {int(norm.notnull().sum())} steps were refused: their length is 0"
        )
    if data.sizes["trial"] < TRIALS_TO_DECIDE:
        lines.append(
            f"{data.sizes['trial']} trial(s), fewer than {TRIALS_TO_DECIDE}: what is said about "
            "agents is a description, not a decision"
        )
    unstable = float(data["warnings"].sum())
    if unstable:
        lines.append(f"MuJoCo warned {unstable:.0f} times of an unstable simulation")
    lines += [blown] if (blown := divergence_note(data)) else []
    return lines


def _change_line(own: xr.Dataset, steps: Steps, t: int | None) -> str:
    discounted = Steps.of(own.sel(kind="step"), "discounted")
    chosen = slice(None) if t is None else slice(t, t + 1)
    spreads = [
        measures.spread(a, b)
        for a, b in zip(steps.change[chosen], steps.apart_error[chosen], strict=True)
    ]
    spread = spreads[0]
    if t is None:
        spread = Interval(math.sqrt(np.mean([s.estimate**2 for s in spreads])), *(math.nan,) * 2)
    down, up = measures.clear_shares(steps.change[chosen], steps.width[chosen])
    trajectories = own["trajectories"].sel(kind="step").isel(trial=chosen).mean()
    return (
        f"{float(trajectories):>7.0f}{steps.centre[chosen].mean():>9.1f}{shown(steps.mean(t)):>24}"
        f"{shown(spread):>22}{shown(steps.lowers(t), 2):>20}{f'{down:.2f} / {up:.2f}':>12}"
        f"{shown(discounted.mean(t)):>24}"
    )


def _other_line(own: xr.Dataset, steps: Steps, t: int | None) -> str:
    chosen = slice(None) if t is None else slice(t, t + 1)
    returns = (steps.centre[:, None] + steps.change)[chosen]
    pairs = list(zip(returns, steps.apart_error[chosen], strict=True))
    tail = np.mean([measures.lower_tail(a, b) for a, b in pairs])
    low = np.mean([measures.lower_mean(a, b) for a, b in pairs])
    change, gain = steps.change[chosen], steps.surrogate[chosen]
    r = measures.within_trials(gain, change)
    kept = measures.reliability(change, steps.apart_error[chosen])
    true = r.estimate / math.sqrt(kept) if kept > 0 else math.nan
    between = measures.correlation(gain.mean(axis=1), change.mean(axis=1))
    controls = ""
    for kind in ("random", "true"):
        other = Steps.of(own.sel(kind=kind))
        there = other.trials == steps.trials
        controls += f"{shown(other.mean(t)) if there else '-':>24}"
    means = [float(x[chosen].mean()) for x in (steps.kl, steps.norm, steps.surrogate, steps.fresh)]
    return (
        f"{f'{tail:.2f}' if np.isfinite(tail) else '-':>6}{low:>9.1f}{means[0]:>9.4f}"
        f"{means[1]:>8.3f}{means[2]:>9.4f}{means[3]:>9.4f}{shown(r, 2):>21}{kept:>6.2f}"
        f"{f'{min(max(true, -1.0), 1.0):.2f}' if np.isfinite(true) else '-':>8}"
        f"{shown(between, 2):>21}{controls}"
    )


def shown(x: Interval, digits: int = 1) -> str:
    """An interval in a table; without its ends where they are not known."""
    if not np.isfinite(x.estimate):
        return "-"
    ends = f" [{x.low:.{digits}f}, {x.high:.{digits}f}]" if np.isfinite(x.low) else ""
    return f"{x.estimate:.{digits}f}{ends}"
