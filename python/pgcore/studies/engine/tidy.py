"""Tidy tables of a study's dataset: a row for each place, a column for each variable."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pgcore.base.words import spanned
from pgcore.studies.engine.findings import Column, Findings, Number, Table

_ENDS = ("", "_low", "_high")
_MOST_ROWS = 500  # of a table that nobody has chosen


def pick(data: xr.Dataset, column: Column, at: Mapping[str, Any]) -> Number:
    """The number of a column at some coordinates, with its interval where the dataset has one."""
    at = {**at, **column.at}
    found = [float(data[n].sel(at)) if n in data else math.nan for n in _names(column)]
    return column.number(found, at)


def range_of(data: xr.Dataset, column: Column, at: Mapping[str, Any]) -> Number:
    """The least and the greatest finite value of a column at some coordinates."""
    at = {**at, **column.at}
    values = data[column.variable].sel(at).to_numpy()
    values = values[np.isfinite(values)]
    ends = (float(values.min()), float(values.max())) if values.size else (math.nan, math.nan)
    return column.number((math.nan, *ends), at, "range")


def _names(column: Column) -> list[str]:
    return [column.variable + end for end in _ENDS]


def tidy(
    data: xr.Dataset,
    name: str,
    title: str,
    index: Sequence[str],
    columns: Sequence[Column],
    main: bool = True,
    needs: str = "",
) -> Table:
    """A row for each combination of the index's coordinates at which a column is known.

    Args:
        data: of a study.
        name, title, main: of the table.
        needs: the variable that must be known for a row; "": any.
        index: dimensions; those that the dataset lacks are passed over.
        columns: those whose variable the dataset lacks are passed over.
    """
    index = [d for d in index if d in data.dims]
    there = [_described(data, c) for c in columns if c.variable in data]
    values = [[_values(data, n, index, c) for n in _names(c)] for c in there]
    places = [data[d].values.tolist() for d in index]
    rows = []
    for cell in np.ndindex(*map(len, places)):
        place = dict(zip(index, (p[i] for p, i in zip(places, cell, strict=True)), strict=True))
        numbers = [
            c.number([float(v[cell]) for v in own], {**place, **c.at})
            for own, c in zip(values, there, strict=True)
        ]
        if any(number.known for number in numbers if needs in ("", number.variable)):
            rows.append((tuple(place.values()), numbers))
    return Table(name, title, index, there, rows, main)


def _described(data: xr.Dataset, column: Column) -> Column:
    attributes = data[column.variable].attrs
    unit = column.unit or str(attributes.get("units", "1"))
    return replace(
        column, unit=unit, meaning=column.meaning or str(attributes.get("description", ""))
    )


def _values(data: xr.Dataset, name: str, index: Sequence[str], column: Column) -> NDArray[Any]:
    """A variable over the dimensions of an index; NaN where the dataset has none."""
    shape = tuple(data.sizes[d] for d in index)
    if name not in data:
        return np.full(shape, np.nan)
    own = data[name].sel(column.at)
    own = own.expand_dims({d: data[d].values for d in index if d not in own.dims})
    return np.asarray(own.transpose(*index).values, dtype=np.float64)


def compared(columns: Mapping[str, xr.Dataset]) -> list[Table]:
    """How agents differ, a row for each two of them and iteration; nothing where there is one.

    Args:
        columns: by title, of :func:`pgcore.studies.measures.differences.differences_of`, with the
            dimensions agent, other and iteration.
    """
    first = next(iter(columns.values()))
    heads = [Column(title, "difference", unit=_unit(own)) for title, own in columns.items()]
    rows: list[tuple[Sequence[Any], Sequence[Number]]] = []
    for (a, b), iteration in itertools.product(_two(first), first["iteration"].values.tolist()):
        at = {"agent": a, "other": b, "iteration": iteration}
        own = [c.sel(at) for c in columns.values()]
        numbers = [
            head.number([float(c[n]) for n in ("difference", "low", "high")], at, "difference")
            for head, c in zip(heads, own, strict=True)
        ]
        if any(n.known for n in numbers):
            known = [c for c in own if np.isfinite(c["trials"])]
            trials = {int(c["trials"]) for c in known}
            kinds = {"paired" if float(c["paired"]) == 1 else "unpaired" for c in known}
            count = trials.pop() if len(trials) == 1 else spanned(min(trials), max(trials))
            rows.append(((f"{a} - {b}", iteration, count, " and ".join(sorted(kinds))), numbers))
    title = (
        "Differences between agents: mean over trials, 95 % intervals over them, paired where the "
        "trials share seeds, else Welch's"
    )
    index = ("agents", "iteration", "trials", "kind")
    return [Table("differences", title, index, heads, rows)] if rows else []


def _two(data: xr.Dataset) -> Iterator[tuple[Any, Any]]:
    for a, b in itertools.combinations(data["agent"].values.tolist(), 2):
        yield b, a


def _unit(data: xr.Dataset) -> str:
    return str(data["difference"].attrs.get("units", "1"))


def plain_findings(data: xr.Dataset) -> Findings:
    """Of a study that gives none itself: all its numbers that have an interval, by dimensions."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(map(str, data.data_vars)):
        if {f"{name}_low", f"{name}_high"} <= set(data.data_vars):
            groups.setdefault(tuple(map(str, data[name].dims)), []).append(name)
    tables = []
    for dims, names in sorted(groups.items()):
        if math.prod(data.sizes[d] for d in dims) > _MOST_ROWS:
            continue
        title = "What the dataset has with 95 % intervals, by " + ", ".join(dims)
        columns = [Column(n.replace("_", " "), n) for n in names]
        tables.append(tidy(data, "by-" + "-".join(dims), title, dims, columns))
    return Findings(tables=[t for t in tables if t.rows])
