"""The dataset of a study on disk: one Zarr store, one chunk per cell, NaN for what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schema:
    """What a study's dataset looks like.

    Attributes:
        cell_dims: the dimensions whose product are the cells, with their coordinates.
        inner_dims: further dimensions inside a cell, with their coordinates.
        variables: for each variable, its inner dimensions, its unit and what it is.
        spec: the settings that make the numbers; a store with others is refused.
    """

    cell_dims: Mapping[str, Sequence[Any]]
    inner_dims: Mapping[str, Sequence[Any]]
    variables: Mapping[str, tuple[tuple[str, ...], str, str]]
    spec: Mapping[str, Any] = field(default_factory=dict)

    def cells(self) -> list[tuple[int, ...]]:
        """Indices of all cells, in the order of the dimensions."""
        return list(np.ndindex(*(len(c) for c in self.cell_dims.values())))

    def coordinates(self, cell: tuple[int, ...]) -> dict[str, Any]:
        """The coordinates of a cell by dimension."""
        return {d: c[i] for (d, c), i in zip(self.cell_dims.items(), cell, strict=True)}

    def spec_text(self) -> str:
        """The settings as they are stored and compared."""
        return json.dumps(dict(self.spec), sort_keys=True)


def check_same(path: Path, schema: Schema) -> bool:
    """Whether a study of this schema is at a path; False if nothing is.

    Raises:
        ValueError: the path holds a study with other settings, or something else.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return False
    try:
        group = zarr.open_group(path, mode="r")
        stored = str(group.attrs["spec"])
    except (KeyError, OSError, zarr.errors.GroupNotFoundError) as error:
        raise ValueError(f"out: {path} exists and is no study; choose another") from error
    if stored != schema.spec_text():
        mine, theirs = json.loads(schema.spec_text()), json.loads(stored)
        names = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
        raise ValueError(
            f"out: {path} holds a study with other settings of {', '.join(names)}; "
            f"choose another folder, or remove {path.name}, and it is computed anew"
        )
    for name, values in {**schema.cell_dims, **schema.inner_dims}.items():
        there: Any = group.get(name)
        if there is None or list(there[...]) != list(np.asarray(values)):
            raise ValueError(
                f"out: {path} holds a study with other coordinates of {name} (or in "
                f"another order); choose another folder, or remove {path.name}, and it is "
                "computed anew"
            )
    return True


class Store:
    """A study's dataset while cells are computed.

    A cell is finished when every variable of it is written; the first variable of the schema is
    written last and marks it. Chunks are replaced whole, so a crash leaves a cell finished or
    missing.
    """

    def __init__(self, path: Path, schema: Schema, attributes: Mapping[str, Any]) -> None:
        """Create a store, or open one of the same spec to go on.

        Raises:
            ValueError: the path holds a study with other settings, or something else.
        """
        self.path, self.schema = path, schema
        if not check_same(path, schema):
            self._create(attributes)
        self.group = zarr.open_group(path, mode="r+")

    def _create(self, attributes: Mapping[str, Any]) -> None:
        """Write all metadata to a neighbour and move it into place, so that it is whole."""
        building = self.path.with_name(f".{self.path.name}.building")
        group = zarr.open_group(building, mode="w")
        group.attrs.update({**attributes, "spec": self.schema.spec_text()})
        dims = {**self.schema.cell_dims, **self.schema.inner_dims}
        for name, values in dims.items():
            array = np.asarray(values)
            kind = str if array.dtype.kind == "U" else array.dtype
            group.create_array(name, shape=array.shape, dtype=kind, dimension_names=[name])[...] = (
                array
            )
        for name, (inner, unit, meaning) in self.schema.variables.items():
            own = (*self.schema.cell_dims, *inner)
            shape = tuple(len(dims[d]) for d in own)
            chunks = (1,) * len(self.schema.cell_dims) + shape[len(self.schema.cell_dims) :]
            variable = group.create_array(
                name,
                shape=shape,
                chunks=chunks,
                dtype="float64",
                fill_value=np.nan,
                dimension_names=list(own),
            )
            variable.attrs.update({"units": unit, "long_name": meaning})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self.path.rmdir()
        building.rename(self.path)

    def is_finished(self, cell: tuple[int, ...]) -> bool:
        """Whether a cell needs no more work."""
        marker: Any = self.group[next(iter(self.schema.variables))]
        return not bool(np.isnan(marker[cell]).all())

    def write(self, cell: tuple[int, ...], values: Mapping[str, NDArray[Any] | float]) -> None:
        """Write a finished cell."""
        if set(values) != set(self.schema.variables):
            raise ValueError(
                f"cell: expected {sorted(self.schema.variables)}, got {sorted(values)}"
            )
        for name in reversed(list(self.schema.variables)):
            variable: Any = self.group.get(name)
            if variable is not None:  # a store that an older pgcore began has fewer
                variable[cell] = values[name]

    def add_seconds(self, seconds: float) -> None:
        """Add to the wall time that the study took."""
        before = float(self.group.attrs.get("wall_seconds", 0.0))  # type: ignore[arg-type]
        self.group.attrs["wall_seconds"] = before + seconds

    def dataset(self) -> xr.Dataset:
        """All of it in memory."""
        return open_study(self.path)


def open_cell(path: str | Path, where: Mapping[str, Any]) -> xr.Dataset:
    """What an earlier store of the study has at some coordinates; ValueError if it is missing."""
    cell = open_study(path, load=False).sel(where)
    first = next(iter(cell.data_vars.values()))
    if not bool(np.isfinite(first.values).any()):
        raise ValueError(f"needs the cell of {Path(path).name} at {dict(where)}, which is missing")
    return cell


def open_study(path: str | Path, *, load: bool = True) -> xr.Dataset:
    """A study's dataset, in memory or read as it is used; ValueError if there is none."""
    path = Path(path)
    if not (path / "zarr.json").is_file():
        raise ValueError(f"study: {path} is no study's dataset (no zarr.json)")
    data: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
    return data.load() if load else data
