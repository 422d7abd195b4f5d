"""Datasets, tables, pictures and verdicts of a folder of `reproduce.py`, in one small folder.

    python experiments/gathered.py REPRODUCTION     # into REPRODUCTION/kept

`paper_page.py` and `redraw.py` read it, as they read `experiments/results`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pack
import tyro
from claimed.sources import TASKS


@dataclass(frozen=True)
class Command:
    """Keep what is worth keeping of a reproduction."""

    folder: tyro.conf.Positional[Path]
    """Of `reproduce.py --out`."""
    out: Path | None = None
    """Where it goes; default: FOLDER/kept."""


def gather(folder: Path, out: Path) -> None:
    """Keep each study that there is, the learning curves and claims.json."""
    out.mkdir(parents=True, exist_ok=True)
    for task, name in TASKS.items():
        for study in sorted(folder.glob(f"{task}-*")):
            if any(study.glob("*.zarr")):
                kind = study.name.removeprefix(f"{task}-")
                pack.main(pack.Command(name=f"{name}-{kind}", study=(study,), out=out))
        curves = folder / "figures" / f"{task}-learning.zarr.zip"
        if curves.exists():
            shutil.copy(curves, out / f"{name}-learning.zarr.zip")
            for ending in ("png", "txt"):
                shutil.copy(
                    curves.parent / f"{task}-learning.{ending}", out / f"{name}-learning.{ending}"
                )
    if (folder / "claims.json").exists():
        shutil.copy(folder / "claims.json", out)


def main(command: Command) -> None:
    gather(command.folder, command.out or command.folder / "kept")


if __name__ == "__main__":
    main(tyro.cli(Command))
