"""Draw every kept figure again, and write every table, from the kept datasets alone.

    python experiments/redraw.py            # all
    python experiments/redraw.py hopper-    # those whose names begin so

Says which pictures there are no datasets for. Afterwards `numbers_in_docs.py --check` says whether
what the documents quote is still what the datasets give.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import learning_curves
import overview
import tyro
from pack import VALUE_STORES, draw, keep_pictures, opened

from pgcore.studies.figures import save_figure


@dataclass(frozen=True)
class Command:
    """Draw what is kept again."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ("",)
    """Beginnings of the names to draw."""
    out: Path = Path("experiments/results")
    """Folder of the kept datasets, tables and figures."""


def names_in(folder: Path) -> list[str]:
    """The names of the kept studies of a folder, a value study's stores under one."""
    stores = tuple(f"-{name}" for name in VALUE_STORES)
    found = (path.name.removesuffix(".zarr.zip") for path in folder.glob("*.zarr.zip"))
    return sorted({next((n.removesuffix(s) for s in stores if n.endswith(s)), n) for n in found})


def draw_one(name: str, folder: Path) -> None:
    """A study, or learning curves, by name."""
    path = folder / f"{name}.zarr.zip"
    data = opened(path) if path.exists() else None
    if data is None or json.loads(data.attrs["spec"]).get("study") != "learning":
        draw(name, folder)
        return
    with tempfile.TemporaryDirectory() as out:
        learning_curves.report(data, Path(out) / name)
        keep_pictures(Path(out), folder)


def draw_overview(folder: Path) -> None:
    """The picture of the README."""
    with tempfile.TemporaryDirectory() as out:
        save_figure(overview.overview(folder), Path(out) / "overview")
        keep_pictures(Path(out), folder)


def main(command: Command) -> None:
    names = names_in(command.out)
    found = command.out.glob("*.png")  # beside a .json they are of a script of their own
    pictures = {p.name for p in found if not p.with_suffix(".json").exists()}
    for name in names:
        if name.startswith(command.names):
            draw_one(name, command.out)
    if "overview.png" in pictures and "overview".startswith(command.names):
        draw_overview(command.out)
    sources = (*(f"{name}-" for name in names), *(f"{name}.png" for name in names), "overview.png")
    if none := sorted(p for p in pictures if not p.startswith(sources)):
        print("no dataset is kept, so that these stay as they are:", *none, sep="\n  ")


if __name__ == "__main__":
    main(tyro.cli(Command))
