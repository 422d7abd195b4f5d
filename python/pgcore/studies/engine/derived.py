"""Derived quantities of a dataset: each computed for the cells that are asked for, when they are.

Opening a study stays cheap however costly its measures are, and tables, figures and users read the
same numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from pgcore.base.arrays import F64
from pgcore.studies.engine.identities import named_moment

Measure = Callable[..., Sequence[float] | float]
_COORDINATES = {
    "agent": "label of the agent",
    "iteration": "updates that the agent had made",
    "trial": "trial of the agent's run",
    "n": "state-action pairs that an estimate or a step is computed from",
    "estimate": "number of an independent estimate",
    "other": "number of the estimate that it is compared with",
    "step": "number of an independent step",
    "update": "number of an independent update",
    "point": "point at which an update is looked at, from the start",
    "kind": "step of the algorithm, random step of equal KL, or step along the true gradient",
    "fraction": "of a step, at which it is measured",
    "measure": "what is measured: of returns, or an error measure",
    "set": "pairs that the value network was trained on, or held-out ones",
    "target": "what values are compared with",
    "baseline": "what is taken off returns",
    "state": "number of a state",
    "source": "state-action pairs that the step is computed from",
    "pairs": "state-action pairs of a point of the reward's map",
    "step_scale": "multiple of the step",
    "random_scale": "multiple of the random direction",
}
_PAIRS = ("n", "source", "pairs")


class _Cells:
    """A measure of every cell of some arrays, kept once it is computed."""

    def __init__(
        self,
        measure: Measure,
        arguments: Sequence[xr.Variable],
        sizes: Mapping[str, int],
        count: int,
    ) -> None:
        """``sizes``: of the cells' dimensions; the measure gives ``count`` numbers."""
        self.measure, self.arguments, self.dims = measure, arguments, tuple(sizes)
        self.values: F64 = np.full((*sizes.values(), count), np.nan)
        self.known = np.zeros(tuple(sizes.values()), dtype=np.bool_)

    def _compute(self, cell: tuple[int, ...]) -> None:
        at = dict(zip(self.dims, cell, strict=True))
        own = [
            a.isel({d: i for d, i in at.items() if d in a.dims}).to_numpy() for a in self.arguments
        ]
        if not np.isnan(own[0]).all():  # else the cell is not there
            self.values[cell] = self.measure(*own)
        self.known[cell] = True

    def column(self, key: tuple[Any, ...], number: int) -> NDArray[Any]:
        """One number of the measure, at the cells of an orthogonal key."""
        shape = self.known.shape
        places = [np.arange(size)[k] for size, k in zip(shape, key, strict=True)]
        for cell in itertools.product(*(np.atleast_1d(p).tolist() for p in places)):
            if not self.known[cell]:
                self._compute(cell)
        chosen = self.values[..., number][np.ix_(*(np.atleast_1d(p) for p in places))]
        return np.reshape(chosen, [len(p) for p in places if p.ndim])


class _Column(BackendArray):
    """One number of a measure, as an array that xarray reads when it is used."""

    def __init__(self, cells: _Cells, number: int) -> None:
        self.cells, self.number = cells, number
        self.shape, self.dtype = cells.known.shape, np.dtype(np.float64)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        return self.cells.column(key, self.number)


def derive(
    data: xr.Dataset,
    measure: Measure,
    arguments: Sequence[xr.DataArray],
    inner: Sequence[str],
    variables: Mapping[str, tuple[str, str]],
) -> None:
    """Add a measure's numbers to a dataset, computed when they are first used.

    Args:
        data: gets a variable for each number.
        measure: of arrays, those of one cell; as many numbers as there are ``variables``. Pure; a
            function of a module, so that the dataset can be pickled. Where the first argument is
            NaN everywhere, so are the numbers.
        arguments: of the measure, variables of ``data`` or parts of them.
        inner: the dimensions that the measure sees, in the order in which it wants them; all others
            of the arguments are those of the cells.
        variables: unit and description of each number, by its name.
    """
    dims = dict.fromkeys(d for a in arguments for d in a.dims if d not in inner)
    sizes = {str(d): data.sizes[d] for d in dims}
    ordered = [
        v.transpose(*(d for d in v.dims if d not in inner), *(d for d in inner if d in v.dims))
        for v in (a.variable for a in arguments)
    ]
    cells = _Cells(measure, ordered, sizes, len(variables))
    columns = {}
    for number, (name, (unit, meaning)) in enumerate(variables.items()):
        column = indexing.LazilyIndexedArray(_Column(cells, number))
        columns[name] = xr.Variable(tuple(sizes), column, _attributes(unit, meaning))
    data.update(columns)


def with_bounds(name: str, unit: str, meaning: str, over: str = "") -> dict[str, tuple[str, str]]:
    """The variables of a number and its 95 % interval: ``name``, ``name_low`` and ``name_high``."""
    what = f"{meaning}; its 95 % interval{over and f' over {over}'}: "
    return {
        name: (unit, meaning),
        f"{name}_low": (unit, f"{what}lower end"),
        f"{name}_high": (unit, f"{what}upper end"),
    }


def describe(data: xr.Dataset, variables: Mapping[str, tuple[str, str]]) -> None:
    """Give variables of a dataset their unit and description."""
    for name, (unit, meaning) in variables.items():
        if name in data:
            data[name].attrs.update(_attributes(unit, meaning))


def _attributes(unit: str, meaning: str) -> dict[str, str]:
    return {"units": unit, "description": meaning, "long_name": meaning}


def annotate(data: xr.Dataset) -> xr.Dataset:
    """The dataset with descriptions everywhere, and with the seed of each agent's trial.

    Stores know a variable's description as ``long_name``, and the seeds of their agents as the
    attribute ``seeds``: name of the moment -> seed of the run, and trials of that run.
    """
    for variable in data.data_vars.values():
        if "long_name" in variable.attrs:
            variable.attrs.setdefault("description", variable.attrs["long_name"])
    for name, meaning in _COORDINATES.items():
        if name in data.coords:
            unit = "pairs" if name in _PAIRS else "1"
            data[name].attrs.update({"units": unit, "description": meaning})
    if "run_seed" not in data or "seeds" in data.attrs:
        _add_seeds(data)
    return data


def _add_seeds(data: xr.Dataset) -> None:
    dims = ("agent", "iteration", "trial")
    values: F64 = np.full((2, *(data.sizes[d] for d in dims)), np.nan)
    seeds: Any = data.attrs.get("seeds", {})
    agents, iterations, trials = (data[d].values.tolist() for d in dims)
    for name, (seed, numbers) in seeds.items():
        label, iteration, first = named_moment(name)
        if label in agents and iteration in iterations:
            at = agents.index(label), iterations.index(iteration)
            for trial, number in enumerate(numbers, first):
                if trial in trials:
                    values[:, *at, trials.index(trial)] = seed, number
    texts = ("seed of the run that the agent is from", "the agent's trial in that run")
    for name, own, text in zip(("run_seed", "run_trial"), values, texts, strict=True):
        meaning = f"{text}; NaN where it is not known"
        data[name] = xr.Variable(dims, own, _attributes("1", meaning))
