"""How a store lies on disk: made whole, and grown whole, whatever happens meanwhile."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

Dims = Mapping[str, Sequence[Any]]
Variables = Mapping[str, tuple[tuple[str, ...], str, str]]


def _building(path: Path) -> Path:
    return path.with_name(f".{path.name}.building")


def _replaced(path: Path) -> Path:
    return path.with_name(f".{path.name}.replaced")


def create_store(
    path: Path,
    cell_dims: Dims,
    inner_dims: Dims,
    variables: Variables,
    attributes: Mapping[str, Any],
) -> None:
    """Write all metadata to a neighbour and move it into place, so that it is whole.

    What is there, a folder or a store without a finished cell, goes.
    """
    _write_metadata(_building(path), cell_dims, inner_dims, variables, attributes)
    _move_into_place(path)


def _move_into_place(path: Path) -> None:
    """Put what was built at a path; what was there goes when it has another name.

    A process that is killed meanwhile leaves one of the two whole: :func:`recover_store`.
    """
    replaced = _replaced(path)
    if path.exists():
        path.rename(replaced)
    _building(path).rename(path)
    if replaced.exists():
        shutil.rmtree(replaced)


def _write_metadata(
    path: Path,
    cell_dims: Dims,
    inner_dims: Dims,
    variables: Variables,
    attributes: Mapping[str, Any],
) -> None:
    """All but the cells' chunks, made in memory: on a disk each array is several small writes."""
    files: dict[str, Any] = {}
    memory = zarr.storage.MemoryStore(files)
    group = zarr.create_group(memory, attributes=dict(attributes))
    dims = {**cell_dims, **inner_dims}
    for name, values in dims.items():
        array = np.asarray(values)
        kind = str if array.dtype.kind == "U" else array.dtype
        made = group.create_array(name, shape=array.shape, dtype=kind, dimension_names=[name])
        made[...] = array
    for name, (inner, unit, meaning) in variables.items():
        own = (*cell_dims, *inner)
        shape = tuple(len(dims[d]) for d in own)
        group.create_array(
            name,
            shape=shape,
            chunks=(1,) * len(cell_dims) + shape[len(cell_dims) :],
            dtype="float64",
            fill_value=np.nan,
            dimension_names=list(own),
            attributes={"units": unit, "long_name": meaning},
        )
    consolidate(memory)
    if path.exists():  # of a start that was killed
        shutil.rmtree(path)
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.to_bytes())


def read_coordinates(group: zarr.Group, names: Sequence[str]) -> dict[str, list[Any]]:
    """The coordinates that a store holds."""
    found: dict[str, list[Any]] = {}
    for name in names:
        array: Any = group[name]
        found[name] = [v.item() if hasattr(v, "item") else v for v in np.asarray(array[...])]
    return found


def extend_store(
    path: Path,
    cell_dims: Dims,
    inner_dims: Dims,
    variables: Variables,
    moments: Mapping[str, str],
) -> None:
    """Let a store hold further coordinates; they follow those that it has, and nothing is lost.

    The larger store is made beside it, its finished cells are hard links (or copies) of the old
    ones, and then it takes the old one's place. Where cells themselves get larger, each has what it
    had, and is unfinished.
    """
    group = zarr.open_group(path, mode="r", use_consolidated=False)
    held = read_coordinates(group, list(cell_dims))
    union = {d: [*held[d], *(v for v in cell_dims[d] if v not in held[d])] for d in cell_dims}
    known: Any = group.attrs["moments"]
    inner = read_coordinates(group, list(inner_dims))
    grown = inner != {d: list(v) for d, v in inner_dims.items()}
    if union == held and set(moments) <= set(known) and not grown:
        return
    attributes = {**dict(group.attrs), "moments": {**known, **moments}}
    building = _building(path)
    _write_metadata(building, union, inner_dims, variables, attributes)
    if grown:
        _copy_into(group, zarr.open_group(building, mode="r+"), inner, inner_dims, variables)
    for name in variables if not grown else ():
        chunks = path / name / "c"
        if chunks.is_dir():
            shutil.copytree(chunks, building / name / "c", copy_function=_link, dirs_exist_ok=True)
    _move_into_place(path)


def _copy_into(
    old: zarr.Group, new: zarr.Group, inner: Dims, larger: Dims, variables: Variables
) -> None:
    """Copy what cells hold into larger ones, and mark these with 0: there in part."""
    places = {d: [list(larger[d]).index(v) for v in values] for d, values in inner.items()}
    for name, (dims, _, _) in variables.items():
        source: Any = old.get(name)
        if source is None:
            continue
        values = np.asarray(source[...])
        target: Any = new[name]
        if not dims:
            values = np.where(np.isfinite(values), 0.0, np.nan)
        cells = [range(n) for n in values.shape[: values.ndim - len(dims)]]
        whole = np.full(target.shape, np.nan)
        whole[np.ix_(*cells, *(places[d] for d in dims))] = values
        target[...] = whole


def consolidate(store: Path | zarr.storage.MemoryStore) -> None:
    """Write all metadata of a store into one file as well, as other readers expect it."""
    with warnings.catch_warnings():  # that Zarr's third format does not prescribe it
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(store)


def _link(source: str, target: str) -> None:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def recover_store(path: Path) -> None:
    """Finish what a process left that was killed while it moved a store into place."""
    if not path.exists() and _replaced(path).exists() and _building(path).exists():
        _replaced(path).rename(path)
    else:  # in its place is the new one, or its owner has removed that
        shutil.rmtree(_replaced(path), ignore_errors=True)
