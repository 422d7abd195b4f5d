"""`pgcore.report`: studies in, pages and LaTeX tables out."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from pgcore.base.errors import check_path, check_type
from pgcore.base.files import write_atomically
from pgcore.base.folders import check_new_folder
from pgcore.base.progress import Progress
from pgcore.studies.report.document import GENERATOR, Page
from pgcore.studies.report.drawn import draw
from pgcore.studies.report.latex import MARK, table_latex
from pgcore.studies.report.sections import Part
from pgcore.studies.report.sets import Given, Source, sets_of


def report(studies: Source | Sequence[Source], out: str | Path) -> list[Path]:
    """One page for each set of agents, which needs nothing beside it, and LaTeX tables.

    Args:
        studies: folders of studies, or what :func:`pgcore.open` gave; one or several.
        out: folder of ``report.html`` and ``tables/*.tex``; of further sets of agents
            ``report-2.html`` and ``tables-2/*.tex``, and so on. An earlier report in it is
            replaced.

    Returns:
        The pages.

    Raises:
        ValueError: a folder holds no study, two are of one kind and of the same agents, or ``out``
            holds something else.
    """
    out = check_path("out", out)
    one = isinstance(studies, str | os.PathLike | xr.Dataset)
    sources: Sequence[Source] = [studies] if one else studies  # type: ignore[list-item,assignment]
    check_type("studies", sources, Sequence, "folders of studies, or datasets of pgcore.open")
    if not sources:
        raise ValueError("studies: expected at least one folder of a study, got none")
    _check_out(out)
    sets = sets_of([_given(source) for source in sources])
    out.mkdir(parents=True, exist_ok=True)  # ahead of drawing, which takes long
    contents: dict[Path, str] = {}
    pages = _pages(sets)
    for page, path in zip(pages, _paths(out, len(pages)), strict=True):
        contents[path] = page.html()
        for part in page.parts:
            told = f"the {part.name} study ({part.given.name}) of {page.title}"
            for table in part.findings.tables:
                if table.rows:
                    contents[out / page.file(part, table)] = table_latex(table, told)
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    for path in files_of(out):
        if path not in contents:
            path.unlink()
    return [path for path in contents if path.suffix == ".html"]


def _given(source: Source) -> Given:
    wanted = "the folder of a study, or a dataset of pgcore.open"
    check_type("studies", source, str | os.PathLike | xr.Dataset, wanted)
    return Given.of(source)


def _pages(sets: Sequence[Sequence[Given]]) -> list[Page]:
    """The pages, with what each says of the others."""
    pages = []
    names = [path.name for path in _paths(Path(), len(sets))]
    with Progress("report", sum(map(len, sets)), unit="studies") as bar:
        for i, given in enumerate(sets):
            parts = []
            for one in given:
                parts.append(Part(one, one.study.findings(one.data), draw(one.study, one.data)))
                bar.update()
            others = [(_apart(given, other), names[j]) for j, other in enumerate(sets) if j != i]
            pages.append(Page(parts, "tables" if i == 0 else f"tables-{i + 1}", others))
    return pages


def _apart(here: Sequence[Given], there: Sequence[Given]) -> str:
    """Which studies are on another page, and why."""
    names = ", ".join(g.study.name for g in there)
    for one in here:
        for other in there:
            if one.task[0] != other.task[0]:
                return f"{names}: on {other.task[0]}"
            if one.task != other.task:
                return f"{names}: the task's model is another one"
            if differing := one.differing(other):
                return f"{names}: {differing[0]} is another agent there"
    return f"{names}: no agent in common"


def _paths(out: Path, count: int) -> list[Path]:
    return [out / ("report.html" if i == 0 else f"report-{i + 1}.html") for i in range(count)]


def _check_out(out: Path) -> None:
    """ValueError where a folder holds anything but an earlier report."""
    if not (out / "report.html").is_file() or out / "report.html" not in files_of(out):
        check_new_folder(out, "report")


def files_of(out: Path) -> list[Path]:
    """The files of a report that is in a folder; copies under other names are a user's own."""
    marks = {".html": GENERATOR, ".tex": MARK}
    paths = [*out.glob("report*.html"), *out.glob("tables*/*.tex")]
    own = re.compile(r"report(-\d+)?\.html|tables(-\d+)?/[^/]+\.tex")
    found = []
    for path in sorted(p for p in paths if own.fullmatch(p.relative_to(out).as_posix())):
        with path.open(encoding="utf-8", errors="replace") as file:
            if marks[path.suffix] in file.read(400):
                found.append(path)
    return found
