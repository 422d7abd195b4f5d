"""Where an adaptive landscape study spends its pairs, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64, Bool
from pgcore.base.quantiles import chi2_quantile
from pgcore.studies.engine.reading import FINISHED, open_study
from pgcore.studies.landscape.surfaces import standard_error


@dataclass(frozen=True)
class Spending:
    """The rule of an adaptive study: the first part of the pairs goes to every point of every map.

    A further part goes to the points whose standard error may be above the target; with a budget,
    to those where it may be largest, in all maps together, an equal share of what is left in each
    part, at the price in pairs that a part had so far (trajectories run to their end). The earlier
    parts of all maps of a budget, else of the map itself, must be finished, and nothing else is
    looked at: a decision depends on no order of computation. Maps that were left out get nothing.

    Attributes:
        store: of the study's rewards.
        parts: R, that a point may get at most.
        paired: errors are those of the differences to the centre (common random numbers).
        target_error: None: 0.
        budget: pairs of all maps together; None: no limit.
        maps: (agent, iteration, trial) of the maps that share the budget; None: all of the store.
    """

    store: str
    parts: int
    paired: bool
    target_error: float | None
    budget: int | None
    maps: tuple[tuple[str, int, int], ...] | None = None

    def chosen(self, at: dict[str, Any]) -> Bool:
        """The points [A·B] of a map that get a part; ValueError if an earlier part is missing."""
        number = int(at["part"])
        data = open_study(self.store, load=False, whole=True)
        points = data.sizes["step_scale"] * data.sizes["random_scale"]
        if number == 0:
            return np.ones(points, dtype=np.bool_)
        names = ("paired_count", "paired_total", "paired_square")
        if not self.paired:
            names = ("count", "total", "square")
        earlier = data[["count", "pairs_used", FINISHED, *names]].isel(part=slice(0, number)).load()
        where = {d: at[d] for d in ("agent", "iteration", "trial", "source", "pairs")}
        held = self._held(earlier[FINISHED].isel(part=0, drop=True), where)
        if not bool(((earlier[FINISHED] == 1) | ~held).all()):
            raise ValueError(f"needs the parts before {number} of all maps; one is missing")
        held &= earlier["count"].notnull().any(("part", "step_scale", "random_scale"))
        sums = earlier.where(held, 0.0).sum("part")
        bounds = sums["count"].copy(data=error_bound(*(sums[n].values for n in names)))
        errors = bounds.where(held, 0.0).transpose(*bounds.dims).values
        spent, bought = float(sums["pairs_used"].sum()), int((earlier["count"] > 0).sum())
        chosen = sums["count"].copy(data=self.allocation(errors, spent, spent / bought, number))
        own: Bool = chosen.sel(where).transpose("step_scale", "random_scale").values.ravel()
        return own

    def _held(self, cells: xr.DataArray, own: dict[str, Any]) -> xr.DataArray:
        """Which maps a decision about one of them looks at."""
        held = xr.full_like(cells, self.budget is not None and self.maps is None, dtype=np.bool_)
        if self.budget is None:
            held.loc[own] = True
        elif self.maps is not None:
            for agent, iteration, trial in self.maps:
                held.loc[{"agent": agent, "iteration": iteration, "trial": trial}] = True
        return held

    def allocation(self, errors: F64, spent: float, price: float, number: int) -> Bool:
        """Which points of all maps get part ``number`` >= 1, by their errors (same shape).

        Args:
            errors: what may be made smaller.
            spent: pairs so far.
            price: pairs of a point's part.
            number: of the part.
        """
        flat = errors.ravel()
        order = np.argsort(-flat, kind="stable")
        order = order[flat[order] > (self.target_error or 0.0)]
        if self.budget is not None:
            share = (self.budget - spent) / price / (self.parts - number)
            order = order[: max(0, int(share))]
        chosen = np.zeros(flat.shape, dtype=np.bool_)
        chosen[order] = True
        return chosen.reshape(errors.shape)


def error_bound(count: F64, total: F64, square: F64) -> F64:
    """What a standard error is below with 95 %, were returns normal; infinite below two.

    A point that stopped where its error happens to be small would make it small.
    """
    freedom = np.maximum(count - 1, 1.0)
    factor = np.sqrt(freedom / chi2_quantile(0.05, freedom))
    return np.asarray(standard_error(count, total, square) * factor)
