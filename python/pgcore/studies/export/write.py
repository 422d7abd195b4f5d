"""`pgcore.export`: a study's numbers as one tidy table, in memory or in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from pgcore.base.errors import check_choice, check_new_file, check_path, check_type
from pgcore.base.files import check_replaceable, write_atomically
from pgcore.studies.catalog import open as open_folder
from pgcore.studies.catalog import study_of_data
from pgcore.studies.export.formats import FORMATS, MARK, READ_BY_PEOPLE, check_parquet
from pgcore.studies.export.frame import VALUES, tidy_frame, with_interval
from pgcore.studies.style import spec_of


def export(
    study: str | Path | xr.Dataset,
    to: str | None = None,
    out: str | Path | None = None,
    quantities: Sequence[str] | None = None,
) -> pd.DataFrame:
    """A study as one tidy table: a row for each number that is known.

    The columns are those of the dataset's dimensions (agent, iteration, trial, n, ...; missing
    where a quantity has no such dimension), then quantity, value, low and high (the ends of the
    95 % interval, where there is one), unit and description.

    Args:
        study: the folder of a study, or what :func:`pgcore.open` gave, or a part of it.
        to: csv, parquet (needs pyarrow), latex, markdown or json; None: no file.
        out: the file; an earlier export, or an empty file, is replaced. Default: ``export.*`` in
            the study's folder.
        quantities: names of variables. Default: all; for latex and markdown, which people read,
            those that have an interval.

    Returns:
        The table, as it is written.

    Raises:
        ValueError: no study, no such format or variable, no file for a dataset, or another file
            is there.
    """
    wanted = "the folder of a study, or a dataset of pgcore.open"
    check_type("study", study, str | os.PathLike | xr.Dataset, wanted)
    path = _file(study, to, out)
    data = study if isinstance(study, xr.Dataset) else open_folder(study)
    kind = study_of_data(data).name
    if quantities is not None and not len(quantities):
        raise ValueError("quantities: expected names of variables, or None for all, got none")
    if quantities is None and to in READ_BY_PEOPLE:
        quantities = with_interval(data) or None
    frame = tidy_frame(data, quantities)
    if to is not None and path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        source = f"the {kind} study of {spec_of(data).get('task', '')}"
        write_atomically(path, FORMATS[to][1](frame, source))
    return frame


def _file(study: str | Path | xr.Dataset, to: str | None, out: str | Path | None) -> Path | None:
    """Where the table goes, checked before any work; None: nowhere."""
    if to is None:
        if out is not None:
            raise ValueError(f"to: expected one of {', '.join(FORMATS)} beside out, got None")
        return None
    check_choice("to", to, list(FORMATS))
    if to == "parquet":
        check_parquet()
    if out is None:
        if isinstance(study, xr.Dataset):
            raise ValueError("out: expected a file, since a dataset has no folder; got None")
        path = default_file(study, to)
    else:
        path = check_new_file("out", out)
    check_replaceable(path, "out")
    if path.exists() and not _is_export(path):
        raise ValueError(
            f"out: {path} is there and is no export, which alone would be replaced; choose "
            "another name, or remove it"
        )
    if path.suffix in {ending for ending, _ in FORMATS.values()} - {FORMATS[to][0]}:
        raise ValueError(f"out: expected a name that goes with {to}, got {path.name}")
    return path


def _is_export(path: Path) -> bool:
    """Whether a file is empty, or was written here in whichever format."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if start.startswith(b"PAR1"):
        return _columns_of_parquet(path)[-len(VALUES) :] == VALUES
    first, _, rest = start.partition(b"\n")
    if first == b"[":
        row = rest.partition(b"\n")[0]
        return not row or _keys(row)[-len(VALUES) :] == VALUES
    return not start or MARK.encode() in first or first.endswith(",".join(VALUES).encode())


def _columns_of_parquet(path: Path) -> tuple[str, ...]:
    """None where the file cannot be read, or nothing here reads such files."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        return ()
    try:
        return tuple(parquet.read_schema(path).names)
    except (ArrowException, OSError):
        return ()


def _keys(row: bytes) -> tuple[str, ...]:
    """Of a row of a list in JSON."""
    try:
        values = json.loads(row.rstrip(b","))
    except (ValueError, RecursionError):
        return ()
    return tuple(values) if isinstance(values, dict) else ()


def default_file(study: str | Path, to: str) -> Path:
    """The file of a format in a study's folder."""
    return check_path("study", study) / f"export{FORMATS[to][0]}"
