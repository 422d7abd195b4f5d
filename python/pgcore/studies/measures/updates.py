"""What happens along updates: changes, what is left of an update after a point, intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures.steps import mean_change, over_trials
from pgcore.studies.measures.surfaces import Interval

_NAMES = (
    *("at", "accepted", "change", "surrogate", "fresh", "unclipped", "unclipped_fresh", "kl"),
    *("clip_fraction", "norm", "trajectories"),
)


@dataclass(frozen=True)
class Along:
    """K updates of each of T trials of one agent, iteration and n, at P points on their way.

    Attributes:
        trials: T names.
        search: whether the points are tries of a line search.
        at: [P], passes over the pairs, or fractions of the step that were tried.
        values: [T, K, P] by name. An update that has ended early stays where it is; a try that was
            not made is NaN.
    """

    trials: tuple[str, ...]
    search: bool
    at: F64
    values: Mapping[str, F64]

    @staticmethod
    def of(data: xr.Dataset, measure: str = "return") -> Along:
        """From a dataset of one agent, iteration and n."""
        own = data.sel(measure=measure).transpose("trial", "update", "point", ...)
        whole = own["at"].notnull().any("point").all("update").values
        own = own.isel(trial=np.flatnonzero(whole))
        used = np.flatnonzero(own["at"].notnull().any(("trial", "update")).values)
        own = own.isel(point=used)
        search = bool(own["accepted"].notnull().any())
        values = {name: own[name].values.astype(np.float64) for name in _NAMES}
        at = np.nanmax(values["at"], axis=(0, 1)) if len(used) else np.zeros(0)
        if not search:
            values = {name: _carried(x, values["at"]) for name, x in values.items()}
        return Along(tuple(map(str, own["trial"].values)), search, at, values)

    def ends(self, name: str) -> F64:
        """The value [T, K] of what an update leaves; 0 where a line search refuses all."""
        if not self.search:
            return np.asarray(self.values[name][..., -1])
        kept = np.where(self.values["accepted"] == 1, self.values[name], 0.0)
        return np.asarray(kept.sum(axis=-1))

    def rest(self, name: str) -> F64:
        """What an update adds after the start and after each point, [T, K, 1 + P].

        NaN after the last point and after an accepted try, where nothing follows.
        """
        ends = self.ends(name)[..., None]
        after = ends - self.values[name]
        if self.search:
            after = np.where(self.values["accepted"] == 0, after, np.nan)
        else:
            after[..., -1] = np.nan
        return np.concatenate([ends, after], axis=-1)

    def rest_intervals(self, name: str = "change", level: float = 0.95) -> list[Interval]:
        """Of :meth:`rest`, for the start and all points together.

        Bonferroni: each at 1 - (1 - level) / (points after which something follows).
        """
        rest = self.rest(name)
        known = [p for p in range(rest.shape[-1]) if np.isfinite(rest[..., p]).any()]
        each = 1 - (1 - level) / max(1, len(known))
        return [over_units(rest[..., p], each) for p in range(rest.shape[-1])]


def _carried(values: F64, at: F64) -> F64:
    """Values [T, K, P] with that of an update's last point in those that it did not reach."""
    place = np.where(np.isfinite(at), np.arange(at.shape[-1]), 0)
    last = np.maximum.accumulate(place, axis=-1)
    return np.take_along_axis(values, last, axis=-1)


def over_units(values: F64, level: float = 0.95) -> Interval:
    """Mean of values [T, K] of updates: over trials, or over the updates of a single trial.

    Trials are the units where there are several, each with the mean of its updates; without the
    updates (and trials) that have no value.
    """
    known = np.isfinite(values)
    if not known.any():
        return Interval(math.nan, math.nan, math.nan)
    if len(values) == 1:
        return mean_change(values[known], level=level)
    sums, counts = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    return over_trials(sums[counts > 0] / counts[counts > 0], level)


def groups(data: xr.Dataset) -> Iterator[tuple[str, int, int, Along, Along]]:
    """(agent, iteration, n, its updates, the same discounted) of everything that was measured."""
    for agent in data["agent"].values:
        for iteration in data["iteration"].values:
            for n in data["n"].values:
                own = data.sel(agent=agent, iteration=iteration, n=n)
                along = Along.of(own)
                if along.trials:
                    yield str(agent), int(iteration), int(n), along, Along.of(own, "discounted")


@dataclass(frozen=True)
class Verdict:
    """Where ascent pays, as places in the start and the points; None: nowhere for sure.

    Attributes:
        pays: the last after which the rest of the update is clearly a gain.
        stops: the first after which the rest is clearly a loss.
    """

    pays: int | None
    stops: int | None

    @staticmethod
    def of(rest: list[Interval]) -> Verdict:
        """From :meth:`Along.rest_intervals`."""
        raised = [p for p, x in enumerate(rest) if x.low > 0]
        lowered = [p for p, x in enumerate(rest) if x.high < 0]
        return Verdict(raised[-1] if raised else None, lowered[0] if lowered else None)
