"""`pgcore report`: studies on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pgcore.base.command import parse
from pgcore.base.errors import check_path

_STUDIES = tyro.conf.arg(metavar="STUDY [STUDY ...]", help_behavior_hint="(required)")


@dataclass(frozen=True)
class Command:
    """One page of studies of the same agents, which needs nothing beside it, and LaTeX tables."""

    studies: Annotated[tuple[Path, ...], tyro.conf.Positional, _STUDIES]
    """Folders of studies: gradient, value, landscape and others. Studies of other agents get a page
    of their own."""
    out: Path
    """Folder of report.html and tables/*.tex. An earlier report in it is replaced."""


def main(arguments: Sequence[str]) -> None:
    """Parse, report, and say what was written."""
    command = parse(Command, "pgcore report", arguments)
    from pgcore.studies.report.write import files_of, report

    out = check_path("out", command.out)
    pages = report(command.studies, out)
    sizes = [f"{page.name} ({page.stat().st_size / 1e6:.1f} MB)" for page in pages]
    tables = len(files_of(out)) - len(pages)
    print(f"{out}: {', '.join(sizes)}, {tables} LaTeX tables")
