"""A study's dataset on disk: one Zarr store, one chunk per cell, NaN for what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pgcore.base.files import file_named
from pgcore.base.folders import LOCK_NAME, check_new_folder
from pgcore.studies.engine.identities import of_another_run, same_identity
from pgcore.studies.engine.layout import (
    consolidate,
    create_store,
    extend_store,
    read_coordinates,
    recover_store,
)
from pgcore.studies.engine.reading import FINISHED, LEFT_OUT, damaged
from pgcore.studies.engine.told import told_more

TORN_CHUNKS = "**/*.partial"  # what zarr writes to before it renames


@dataclass(frozen=True)
class Schema:
    """What a study's dataset looks like.

    Attributes:
        cell_dims: the dimensions whose product are the cells, with their coordinates. A store may
            hold more of each, and grows where it holds less.
        inner_dims: further dimensions inside a cell, with their coordinates.
        growing: those of them that may gain coordinates: every cell is then computed again, and
            finds what it has in the store.
        variables: for each variable, its inner dimensions, its unit and what it is.
        spec: the settings that make the numbers; a store with others is refused.
        moments: digest of each agent at each iteration, by ``label/iteration``; a store that holds
            another agent of that name is refused.
        needed: the variables that a cell must have by now: where one of them holds nothing, the
            cell was finished for less, and is computed again.
        other_moment: how an error names what differs in ``moments``, before its name.
    """

    cell_dims: Mapping[str, Sequence[Any]]
    inner_dims: Mapping[str, Sequence[Any]]
    variables: Mapping[str, tuple[tuple[str, ...], str, str]]
    spec: Mapping[str, Any] = field(default_factory=dict)
    moments: Mapping[str, str] = field(default_factory=dict)
    growing: frozenset[str] = frozenset()
    needed: Callable[[dict[str, Any]], Sequence[str]] = lambda at: ()
    other_moment: str = "another agent as"

    def __post_init__(self) -> None:
        for name, values in {**self.cell_dims, **self.inner_dims}.items():
            if len(set(values)) < len(values):
                twice = next(v for v in values if list(values).count(v) > 1)
                raise ValueError(
                    f"{name}: expected every coordinate once, got {twice} several times"
                )

    def cells(self) -> list[tuple[int, ...]]:
        """Indices of all cells, in the order of the dimensions."""
        return list(np.ndindex(*(len(c) for c in self.cell_dims.values())))

    def coordinates(self, cell: tuple[int, ...]) -> dict[str, Any]:
        """The coordinates of a cell by dimension."""
        return {d: c[i] for (d, c), i in zip(self.cell_dims.items(), cell, strict=True)}

    def is_finished(self, group: zarr.Group, place: tuple[int, ...], at: dict[str, Any]) -> bool:
        """Whether a store's cell at some place, and coordinates, needs no more work."""

        def held(name: str) -> NDArray[Any]:
            array: Any = group[name]
            return np.asarray(array[place])

        there = bool(held(FINISHED) == 1)
        return there and all(bool(np.isfinite(held(name)).any()) for name in self.needed(at))

    def spec_text(self) -> str:
        """The settings as they are stored and compared."""
        return json.dumps(dict(self.spec), sort_keys=True)


class OtherStudyError(ValueError):
    """A store is of a study with other settings, agents or coordinates."""


def check_same(path: Path, schema: Schema) -> bool:
    """Whether a study of this schema is at a path; False if nothing is, or none of its cells.

    Raises:
        OtherStudyError: the path holds a study with other settings or agents.
        ValueError: it holds something else.
    """
    recover_store(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return False
    with damaged(path):
        try:
            group = zarr.open_group(path, mode="r")
            stored = str(group.attrs["spec"])
            moments: Any = group.attrs["moments"]
        except (KeyError, OSError, zarr.errors.GroupNotFoundError) as error:
            raise ValueError(f"out: {path} exists and is no study; choose another") from error
        marks: Any = group.get(FINISHED)
        begun = marks is None or bool(np.isfinite(np.asarray(marks[...])).any())
    if not begun:
        return False  # a start with settings that may have been corrected since
    advice = "choose another folder"
    if stored != schema.spec_text():
        mine, theirs = json.loads(schema.spec_text()), json.loads(stored)
        names = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
        raise OtherStudyError(
            f"out: {path} holds a study with other settings of {', '.join(names)}; {advice}"
        )
    for name, digest in schema.moments.items():
        if not same_identity(moments.get(name, digest), digest):
            raise OtherStudyError(f"out: {path} holds {schema.other_moment} {name}; {advice}")
        if (other := of_another_run(name, digest, moments)) is not None:
            raise OtherStudyError(f"out: {path} holds {other} of another run than {name}; {advice}")
    for name, values in schema.inner_dims.items():
        there: Any = group.get(name)
        held, wanted = [] if there is None else list(there[...]), list(np.asarray(values))
        if held == wanted:
            continue
        if name not in schema.growing:
            reason = f"other coordinates of {name}, which cannot grow here"
        elif set(held) <= set(wanted):
            continue
        else:
            gone = len(set(held) - set(wanted))
            reason = f"{gone} coordinates of {name} that a larger grid would have to keep"
        raise OtherStudyError(f"out: {path} holds a study with {reason}; {advice}")
    return True


def stored_spec(path: Path) -> dict[str, Any]:
    """What makes the numbers of a store; {} where that cannot be read, which is told elsewhere."""
    try:
        found = json.loads(str(zarr.open_group(path, mode="r").attrs["spec"]))
    except (KeyError, OSError, ValueError, zarr.errors.GroupNotFoundError):
        return {}
    return found if isinstance(found, dict) else {}


def kind_of(spec: Mapping[str, Any]) -> str:
    """The study that a store is of, by the first word of its spec's name of it; else ""."""
    return str(spec.get("study", "")).partition(" ")[0]


def check_folder(out: str | Path, spec: Mapping[str, Any]) -> None:
    """Whether a study may be in ``out``; ValueError if that is a file, or holds something else.

    A store, or a lock's file that is not a run's, tells that a study has been there.

    Args:
        out: the folder.
        spec: of one of the study's stores, which names its kind; one of another kind is refused.
    """
    out, own = Path(out), kind_of(spec)
    for store in sorted(out.glob("*.zarr")):
        other = kind_of(stored_spec(store))
        if own and other and own != other:
            raise ValueError(f"out: {out} holds a {other} study; choose another folder for {own}")
    locked = (out / LOCK_NAME).exists() and not (out / "config.json").exists()
    if not locked and not any(out.glob("*.zarr")):
        check_new_folder(out, "study")


def check_stores(out: Path, schemas: Mapping[str, Schema]) -> None:
    """:func:`check_same` of all stores of a study, by their names in its folder.

    Raises:
        ValueError: some hold another study; all that would have to go are named.
    """
    other: dict[str, OtherStudyError] = {}
    for name, schema in schemas.items():
        try:
            check_same(out / name, schema)
        except OtherStudyError as error:
            other[name] = error
    if other:
        first = next(iter(other.values()))
        they = "it is" if len(other) == 1 else "they are"
        gone = " and ".join(str(out / name) for name in other)
        raise ValueError(f"{first}, or remove {gone}, and {they} computed anew")


class Store:
    """A study's dataset while cells are computed.

    Chunks are replaced whole, and ``finished`` is written last, so that a crash leaves a cell
    finished or missing.
    """

    def __init__(self, path: Path, schema: Schema, attributes: Mapping[str, Any]) -> None:
        """Create a store, or open one of the same settings to go on; it grows where it must.

        Raises:
            ValueError: the path holds a study with other settings, or something else.
        """
        self.path, self.schema = path, schema
        variables = {**schema.variables, FINISHED: ((), "1", "1 where the cell is whole")}
        dims = schema.cell_dims, schema.inner_dims
        with file_named(path):
            if not check_same(path, schema):
                header = {**attributes, "spec": schema.spec_text(), "moments": dict(schema.moments)}
                create_store(path, *dims, variables, header)
            else:
                extend_store(path, *dims, variables, schema.moments)
            self.group = zarr.open_group(path, mode="r+", use_consolidated=False)
            for name, told in told_more(dict(self.group.attrs), attributes).items():
                self.group.attrs[name] = told
        # opened once: each time reads a file; a store that an older pgcore began has fewer
        there = {n: self.group.get(n) for n in variables}
        self._arrays: dict[str, Any] = {n: a for n, a in there.items() if a is not None}
        held = read_coordinates(self.group, list(schema.cell_dims))
        self._places = {d: {v: i for i, v in enumerate(values)} for d, values in held.items()}

    def _place(self, cell: tuple[int, ...]) -> tuple[int, ...]:
        """Where a cell of the schema is in the store, which may hold more and in another order."""
        return tuple(self._places[d][v] for d, v in self.schema.coordinates(cell).items())

    def is_finished(self, cell: tuple[int, ...]) -> bool:
        """Whether a cell needs no more work."""
        at = self.schema.coordinates(cell)
        with damaged(self.path):
            return self.schema.is_finished(self.group, self._place(cell), at)

    def write(self, cell: tuple[int, ...], values: Mapping[str, NDArray[Any] | float]) -> None:
        """Write a finished cell; one that is there is unfinished until it is whole again."""
        if set(values) != set(self.schema.variables):
            raise ValueError(
                f"cell: expected {sorted(self.schema.variables)}, got {sorted(values)}"
            )
        place = self._place(cell)
        marks = self._arrays[FINISHED]
        with file_named(self.path):
            if marks[place] == 1:
                marks[place] = np.nan
            for name in self.schema.variables:
                if name in self._arrays:
                    self._arrays[name][place] = values[name]
            marks[place] = 1.0

    def leave_out(self, cell: tuple[int, ...], reason: str) -> None:
        """Write a finished cell that has no numbers; the reason goes first, so that it is there."""
        own: Any = {"cell": self.schema.coordinates(cell), "reason": reason}
        known: Any = self.group.attrs.get(LEFT_OUT, [])
        if own not in known:
            with file_named(self.path):
                self.group.attrs[LEFT_OUT] = [*known, own]
        self.write(cell, dict.fromkeys(self.schema.variables, np.nan))

    def close(self, seconds: float) -> None:
        """Add to the wall time that the study took, and consolidate the metadata.

        They hold whatever follows: only chunks change, until the store is opened here again.
        """
        with file_named(self.path):
            before = float(self.group.attrs.get("wall_seconds", 0.0))  # type: ignore[arg-type]
            self.group.attrs["wall_seconds"] = before + seconds
            consolidate(self.path)


def missing_cells(path: Path, schema: Schema) -> list[tuple[int, ...]]:
    """The cells of a schema that a store lacks, without touching it; all if there is none."""
    if not check_same(path, schema):
        return schema.cells()
    group = zarr.open_group(path, mode="r", use_consolidated=False)
    for name, values in schema.inner_dims.items():
        there: Any = group[name]
        if there.shape[0] < len(values):
            return schema.cells()
    held = read_coordinates(group, list(schema.cell_dims))
    missing = []
    for cell in schema.cells():
        at = schema.coordinates(cell)
        known = all(at[d] in held[d] for d in at)
        place = tuple(held[d].index(at[d]) for d in at) if known else ()
        with damaged(path):
            if not known or not schema.is_finished(group, place, at):
                missing.append(cell)
    return missing
