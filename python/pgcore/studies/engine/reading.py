"""Reading a study's store: whole, a cell of it, or what a cell has so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.errors import BaseZarrError

from pgcore.base.errors import LeftOutError
from pgcore.studies.engine.layout import read_coordinates

Coordinates = Mapping[str, Any]
FINISHED = "finished"  # per cell, written last: 1 where every variable is there, 0: in part
LEFT_OUT = "cells_left_out"  # attribute: cells without numbers, and the reasons


def known_values(path: str | Path, where: Coordinates) -> dict[str, NDArray[np.float64]]:
    """What a store has of a cell, whole or not, by variable; NaN for what is missing.

    Nothing where there is no store.
    """
    if not Path(path).exists():
        return {}
    cell = open_study(path, load=False, whole=True).sel(where)
    return {str(n): v.values for n, v in cell.data_vars.items() if n != FINISHED}


def open_cell(
    path: str | Path, where: Coordinates, names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Variables of a cell of an earlier store of the study, by their names, each of its own shape.

    Read from its chunks alone: a study asks once for each of its own cells.

    Args:
        path: of the store.
        where: coordinates, at least of every dimension of its cells.
        names: of the variables.

    Raises:
        LeftOutError: the cell has no numbers.
        ValueError: it is missing.
    """
    _check_there(Path(path))
    with damaged(path):
        group = zarr.open_group(path, mode="r", use_consolidated=False)
        left_out: Any = group.attrs.get(LEFT_OUT, [])
        marks: Any = group[FINISHED]
        held = read_coordinates(group, marks.metadata.dimension_names)
        there = all(where[d] in values for d, values in held.items())
        place = tuple(values.index(where[d]) for d, values in held.items()) if there else ()
        finished = there and bool(marks[place] == 1)
        arrays: Mapping[str, Any] = {name: group[name] for name in names if finished}
        found = {name: np.asarray(array[place]) for name, array in arrays.items()}
    for left in left_out:
        if all(where.get(name, value) == value for name, value in left["cell"].items()):
            raise LeftOutError(left["reason"])
    if not finished:
        raise ValueError(f"needs the cell of {Path(path).name} at {dict(where)}, which is missing")
    return found


def _check_there(path: Path) -> None:
    if not (path / "zarr.json").is_file():
        raise ValueError(f"study: {path} is no study's dataset (no zarr.json)")


@contextmanager
def damaged(path: str | Path) -> Iterator[None]:
    """What a store that cannot be read raises, whatever it is, as a ValueError of one line."""
    try:
        yield
    except (LookupError, ValueError, TypeError, RuntimeError, BaseZarrError) as error:
        said = " ".join(str(error).split())
        if said.startswith(("study: ", "out: ")):
            raise
        raise ValueError(
            f"study: {path} is damaged ({said}); restore it, or remove it and run the study again"
        ) from error


def open_study(path: str | Path, *, load: bool = True, whole: bool = False) -> xr.Dataset:
    """A study's dataset, sorted along numeric dimensions; ValueError if there is none.

    Args:
        path: of the store.
        load: into memory; else it is read as it is used.
        whole: as it is stored, with the marks of finished cells; else what is not finished is NaN.
    """
    _check_there(Path(path))
    with damaged(path):
        data: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
        for name in data.dims:
            number = np.issubdtype(data[name].dtype, np.number)
            if number and not data.indexes[name].is_monotonic_increasing:
                data = data.sortby(name)
        if load:
            data = data.load()
    if not whole:
        finished = data[FINISHED] == 1
        data = data.drop_vars(FINISHED)
        if not bool(finished.all()):
            data = data.assign({name: v.where(finished) for name, v in data.data_vars.items()})
    return data
