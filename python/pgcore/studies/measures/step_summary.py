"""What K steps of each of T trials say together: of one trial, or over trials."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures import steps as measures
from pgcore.studies.measures.surfaces import Interval

OF_STEPS = ("change", "change_error", "apart_error", "compared", "surrogate")
OF_CENTRE = ("centre", "common_error")
# places of the bounds among the numbers of `agent_summary`
_ENDS = [i + end for i in (0, 3, 6, 9, 18, 21, 24) for end in (1, 2)]


@dataclass(frozen=True)
class Steps:
    """The steps of one agent, iteration, n, kind and fraction, of its T finished trials.

    Statistics take the number t of a trial, or None for all, whose units are trials.

    Attributes:
        change, change_error, apart_error, compared, surrogate: [T, K].
        centre, common_error: [T].
        trials: T names.
    """

    change: F64
    change_error: F64
    apart_error: F64
    compared: F64
    surrogate: F64
    centre: F64
    common_error: F64
    trials: tuple[str, ...]

    @staticmethod
    def of(data: xr.Dataset, measure: str = "return") -> Steps:
        """From a dataset of one agent, iteration, n, kind and fraction."""
        own = data[[*OF_STEPS, *OF_CENTRE]].sel(measure=measure).transpose("trial", "step", ...)
        own = own.isel(trial=np.flatnonzero(np.isfinite(own["change"].values).all(axis=1)))
        names = tuple(map(str, own["trial"].values))
        values: dict[str, Any] = {n: own[n].values for n in (*OF_STEPS, *OF_CENTRE)}
        return Steps(**values, trials=names)

    @property
    def width(self) -> F64:
        """Half of the 95 % interval of each change [T, K]."""
        return measures.change_width(self.change_error, self.compared)

    def mean(self, t: int | None = None) -> Interval:
        """Mean change of trial t over its steps, or over trials."""
        if t is not None:
            return measures.mean_change(self.change[t], float(self.common_error[t]))
        return measures.over_trials(self.change.mean(axis=1))

    def spread(self, t: int | None = None) -> Interval:
        """Standard deviation between steps; over trials the root mean square."""
        of = (self.change[_chosen(t)], self.apart_error[_chosen(t)])
        return measures.spread_over_trials(*of)

    def lowers(self, t: int | None = None) -> Interval:
        """Share of the measured changes that are below 0."""
        lower = (self.change < 0)[_chosen(t)].sum(axis=1)
        return measures.share_over_trials(lower, np.full(len(lower), self.change.shape[1]))

    def clear(self, t: int | None = None) -> tuple[float, float]:
        """Shares of the steps whose own interval lies below 0, and above 0."""
        return measures.clear_shares(self.change[_chosen(t)], self.width[_chosen(t)])

    def tails(self, t: int | None = None) -> tuple[float, float]:
        """Left-tail probability and mean of the lowest tenth of the returns after steps."""
        returns = (self.centre[:, None] + self.change)[_chosen(t)]
        pairs = list(zip(returns, self.apart_error[_chosen(t)], strict=True))
        found = [(measures.lower_tail(a, b), measures.lower_mean(a, b)) for a, b in pairs]
        tail, low = np.mean(found, axis=0).tolist()
        return tail, low

    def correlations(self, t: int | None = None) -> tuple[Interval, float, float]:
        """Of gain and change between the steps of a trial; its reliability; without noise."""
        change, gain = self.change[_chosen(t)], self.surrogate[_chosen(t)]
        r = measures.within_trials(gain, change)
        kept = measures.reliability(change, self.apart_error[_chosen(t)])
        true = r.estimate / math.sqrt(kept) if kept > 0 else math.nan
        return r, kept, min(max(true, -1.0), 1.0)

    def between(self) -> Interval:
        """Correlation of the trials' mean gains and changes."""
        return measures.correlation(self.surrogate.mean(axis=1), self.change.mean(axis=1))

    def lowering_shares(self) -> tuple[Interval, Interval, float]:
        """Of the steps that raise the surrogate: those that clearly lower the reward; that may.

        Each with an interval: over trials, or over the steps of a single trial (Wilson). And how
        many such steps there are.
        """
        raised = self.surrogate > 0
        # where a step's own interval is not known, it may lower the reward, and is not sure to
        sure_or_may = (self.change + self.width < 0, ~(self.change - self.width >= 0))
        lows, of = [(x & raised).sum(axis=1) for x in sure_or_may], raised.sum(axis=1)
        sure, may = (measures.share_over_trials(low, of) for low in lows)
        return sure, may, float(of.sum())


def _chosen(t: int | None) -> slice:
    return slice(None) if t is None else slice(t, t + 1)


def _unnamed(arrays: list[F64]) -> Steps:
    values: dict[str, Any] = dict(zip((*OF_STEPS, *OF_CENTRE), arrays, strict=True))
    return Steps(**values, trials=tuple(map(str, range(len(arrays[0])))))


def _summary(steps: Steps, t: int | None) -> tuple[float, ...]:
    r, kept, true = steps.correlations(t)
    intervals = (steps.mean(t), steps.spread(t), steps.lowers(t), r)
    numbers = [x for interval in intervals for x in astuple(interval)]
    return *numbers, *steps.clear(t), *steps.tails(t), kept, true


def trial_summary(*arrays: F64) -> tuple[float, ...]:
    """The statistics of one trial, from OF_STEPS [K] and OF_CENTRE: 18 numbers.

    Mean, spread, share that lowers and correlation with the gain, each with its bounds; shares
    clearly below and above 0; left tail and lowest tenth; reliability, correlation without noise.
    """
    steps = _unnamed([np.asarray(a)[None] for a in arrays])
    if not np.isfinite(steps.change).all():
        return (math.nan,) * 18
    return _summary(steps, 0)


def agent_summary(*arrays: F64) -> tuple[float, ...]:
    """The same over the finished trials, from OF_STEPS [T, K] and OF_CENTRE [T]: 27 numbers.

    Then the correlation between trials, and the shares of the steps that raise the surrogate which
    clearly lower the reward, and which may, each with its bounds. Of a single trial bounds are NaN.
    """
    whole = np.isfinite(arrays[0]).all(axis=1)
    if not whole.any():
        return (math.nan,) * 27
    steps = _unnamed([a[whole] for a in arrays])
    sure, may, _ = steps.lowering_shares()
    more = [x for interval in (steps.between(), sure, may) for x in astuple(interval)]
    numbers = np.array([*_summary(steps, None), *more])
    if whole.sum() == 1:  # what its steps say of it is no interval over trials
        numbers[_ENDS] = math.nan
    return tuple(numbers.tolist())


def groups(data: xr.Dataset) -> Iterator[tuple[str, int, int, float, xr.Dataset]]:
    """(agent, iteration, n, fraction, their dataset) of everything that was measured."""
    dims = ("agent", "iteration", "n", "fraction")
    whole = data["change"].sel(kind="step").notnull().all("step")
    there = whole.any([d for d in whole.dims if d not in dims]).transpose(*dims).to_numpy()
    for place in np.argwhere(there):
        own = data.isel(dict(zip(dims, place, strict=True)))
        agent, iteration, n, fraction = (own[d].item() for d in dims)
        yield agent, iteration, n, fraction, own
