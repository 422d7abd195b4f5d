"""What is in the folders of runs and studies, and whether two hold the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from pgcore.studies.engine.reading import FINISHED, open_study
from pgcore.training.checkpoint import load_checkpoint

Marks = dict[str, tuple[int, int]]  # of files: inode and time of writing


def _mark(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def finished_work(folder: Path) -> Marks:
    """The files of finished cells and of kept checkpoints, which nobody has to write again."""
    marks: Marks = {}
    for store in sorted(folder.rglob("*.zarr")):
        if not (store / FINISHED / "zarr.json").exists():
            continue
        group = zarr.open_group(store, mode="r", use_consolidated=False)
        cells = np.argwhere(np.asarray(group[FINISHED][...]) == 1)
        dims = cells.shape[1]
        for name, array in group.arrays():
            if array.ndim < dims or not (store / name / "c").is_dir():
                continue
            for cell in cells:
                place = [*map(str, cell), *["0"] * (array.ndim - dims)]
                chunk = store.joinpath(name, "c", *place)
                if chunk.is_file():  # one of NaN alone is not written
                    marks[str(chunk.relative_to(folder))] = _mark(chunk)
    for latest in folder.rglob("latest.safetensors"):
        done = load_checkpoint(latest).iteration
        for kept in latest.parent.glob("[0-9]*.safetensors"):
            if int(kept.stem) < done:
                marks[str(kept.relative_to(folder))] = _mark(kept)
    return marks


def repeated(before: Marks, folder: Path) -> list[str]:
    """Which of the finished files have been written again, or are gone."""
    return [n for n, m in before.items() if not (folder / n).exists() or _mark(folder / n) != m]


def _names(folder: Path, pattern: str) -> list[Path]:
    return sorted(p.relative_to(folder) for p in folder.rglob(pattern))


def differences(whole: Path, cut: Path) -> list[str]:
    """What two folders do not have alike to the bit: datasets, checkpoints, tables of runs."""
    found = []
    for pattern in ("*.zarr", "*.safetensors", "metrics.csv", "diverged.csv"):
        mine, theirs = _names(whole, pattern), _names(cut, pattern)
        if mine != theirs:
            found.append(f"{pattern}: {len(mine)} and {len(theirs)} of them")
            continue
        for name in mine:
            found += _different(whole / name, cut / name)
    return found


def _different(a: Path, b: Path) -> list[str]:
    if a.suffix == ".csv":
        return [] if a.read_bytes() == b.read_bytes() else [a.name]
    if a.suffix == ".safetensors":
        return [] if load_checkpoint(a).digest == load_checkpoint(b).digest else [a.name]
    mine, theirs = (open_study(path, whole=True) for path in (a, b))
    if set(mine.variables) != set(theirs.variables):
        return [f"{a.name}: other variables"]
    return [
        f"{a.name}: {name}"
        for name in mine.variables
        if not np.array_equal(
            mine[name].values, theirs[name].values, equal_nan=mine[name].dtype.kind == "f"
        )
    ]


def litter(folder: Path) -> list[str]:
    """Files that a killed process may leave, and the next one has to remove."""
    kinds = (".*.tmp", ".*.building", ".*.replaced", "*.partial")
    return [str(p) for kind in kinds for p in _names(folder, kind)]
