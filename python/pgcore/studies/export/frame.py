"""The tidy table of a study: a row for each number, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pgcore.base.errors import check_type

_FIRST = ("agent", "iteration", "trial")
VALUES = ("quantity", "value", "low", "high", "unit", "description")


def tidy_frame(data: xr.Dataset, quantities: Sequence[str] | None = None) -> pd.DataFrame:
    """A row for each number of a dataset that is known.

    Args:
        data: of :func:`pgcore.open`.
        quantities: variables of it, in the order of the rows; None: all.

    Returns:
        A column for each dimension that the quantities have, missing where a quantity lacks it, and
        for each coordinate of a part that was selected;
        then quantity, value, low and high (NaN without an interval), unit, description.

    Raises:
        ValueError: no such variable.
    """
    chosen = _chosen(data, quantities)
    dims = list(dict.fromkeys(str(d) for name in chosen for d in data[name].dims))
    places = dims + [str(c) for c in data.coords if not data[c].dims]  # of a selected part
    parts = [_rows(data, name) for name in chosen]
    frame = pd.concat([p for p in parts if len(p)] or [pd.DataFrame()], ignore_index=True)
    places.sort(key=lambda d: _FIRST.index(d) if d in _FIRST else len(_FIRST))
    frame = frame.reindex(columns=[*places, *VALUES])
    for dim in places:
        if np.issubdtype(data[dim].dtype, np.integer):
            frame[dim] = frame[dim].astype("Int64")  # else a missing place makes it float
    return frame


def quantities_of(data: xr.Dataset) -> list[str]:
    """The variables of a dataset that are numbers of their own, not an end of an interval."""
    names = [str(name) for name in data.data_vars if data[name].dtype.kind in "bif"]
    ends = {end for name in names for end in _interval(data, name)}
    return [name for name in names if name not in ends]


def with_interval(data: xr.Dataset) -> list[str]:
    """Those of :func:`quantities_of` that have an interval."""
    return [name for name in quantities_of(data) if _interval(data, name)]


def _interval(data: xr.Dataset, name: str) -> tuple[str, ...]:
    """The variables of the ends of a number's interval; none where it has no interval."""
    ends = (f"{name}_low", f"{name}_high")
    there = all(end in data and set(data[end].dims) == set(data[name].dims) for end in ends)
    return ends if there else ()


def _chosen(data: xr.Dataset, quantities: Sequence[str] | None) -> list[str]:
    known = quantities_of(data)
    if quantities is None:
        return known
    wanted = "names of variables, or None"
    check_type("quantities", quantities, list | tuple, wanted)
    for name in quantities:
        check_type("quantities", name, str, wanted)
        if name not in known:
            ends = [n for n in known if name in _interval(data, n)]
            hint = f"it is in the rows of {ends[0]}" if ends else f"known: {', '.join(known)}"
            raise ValueError(f"quantities: the study has none called {name!r}; {hint}")
    return list(dict.fromkeys(quantities))


def _rows(data: xr.Dataset, name: str) -> pd.DataFrame:
    """The known numbers of a variable."""
    own = data[name]
    arrays = {"value": np.asarray(own.values, dtype=np.float64)}
    for column, end in zip(("low", "high"), _interval(data, name), strict=False):
        arrays[column] = np.asarray(data[end].transpose(*own.dims).values, dtype=np.float64)
    known = ~np.all([np.isnan(a) for a in arrays.values()], axis=0)
    places = np.nonzero(known) if own.dims else ()
    columns: dict[str, Any] = {
        str(d): _plain(data[d].values)[i] for d, i in zip(own.dims, places, strict=True)
    }
    for place in (c for c in data.coords if not data[c].dims):
        columns[str(place)] = np.full(int(known.sum()), _plain(data[place].values).item())
    columns["quantity"] = np.full(int(known.sum()), name, dtype=object)
    columns |= {column: array[known] for column, array in arrays.items()}
    columns["unit"] = str(own.attrs.get("units", "1"))
    columns["description"] = str(own.attrs.get("description", ""))
    return pd.DataFrame(columns)


def _plain(values: Any) -> Any:
    """Coordinates as pandas takes them: texts as Python's."""
    array = np.asarray(values)
    return array if array.dtype.kind in "bif" else array.astype(object)
