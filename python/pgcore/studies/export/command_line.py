"""`pgcore export`: a study's numbers in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from pgcore.base.command import parse
from pgcore.base.errors import check_new_file


@dataclass(frozen=True)
class Command:
    """A study as one tidy table: a row for each number, with 95 % interval, unit and meaning."""

    study: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="STUDY")]
    """Folder of a study."""
    to: Literal["csv", "parquet", "latex", "markdown", "json"]
    """Format. csv, parquet and json have every digit and every quantity, latex and markdown four
    digits of the quantities that have an interval."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """File; an earlier export is replaced, and nothing else. Default: export.csv, .parquet, .tex,
    .md or .json in the study's folder."""
    quantities: tuple[str, ...] | None = None
    """Only these, by the names that pgcore.open gives; None: those of the format."""


def main(arguments: Sequence[str]) -> None:
    """Parse, export, and say what was written."""
    command = parse(Command, "pgcore export", arguments)
    from pgcore.studies.export.write import default_file, export

    frame = export(command.study, command.to, command.out, command.quantities)
    path = default_file(command.study, command.to)
    path = path if command.out is None else check_new_file("out", command.out)
    count = frame["quantity"].nunique()
    print(f"{path}: {len(frame)} rows, {count} {'quantity' if count == 1 else 'quantities'}")
