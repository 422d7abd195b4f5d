"""Copy what is worth keeping of a study: its small dataset in one file, its table and pictures.

    python experiments/pack.py STUDY --name NAME --out experiments/results

The file NAME.zarr.zip opens with `xarray.open_zarr(zarr.storage.ZipStore(path, mode="r"))`.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
import xarray as xr

from pgcore.studies.gradient import open_gradient
from pgcore.studies.landscape import open_landscape
from pgcore.studies.store import open_study


@dataclass(frozen=True)
class Command:
    """Keep a study's small dataset, its table and its pictures."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of a study."""
    name: str
    """Begins the names of the files."""
    out: Path = Path("experiments/results")
    """Where they go."""


def datasets(study: Path) -> dict[str, xr.Dataset]:
    """The small datasets of a study, by a suffix of their name."""
    if (study / "dataset.zarr").exists():
        return {"": open_gradient(study)}
    if (study / "reward.zarr").exists():
        return {"": open_landscape(study)}
    names = ("errors", "true_value", "monte_carlo", "variance")
    stores = {n: study / f"{n}.zarr" for n in names}
    found = {f"-{n}": open_study(path) for n, path in stores.items() if path.exists()}
    return {n: data.drop_dims("parameter", errors="ignore") for n, data in found.items()}


def main(command: Command) -> None:
    command.out.mkdir(parents=True, exist_ok=True)
    for suffix, data in datasets(command.study).items():
        path = command.out / f"{command.name}{suffix}.zarr.zip"
        path.unlink(missing_ok=True)
        for variable in data.variables.values():
            variable.encoding = {}
        with tempfile.TemporaryDirectory() as folder:  # a zip cannot replace what is in it
            data.to_zarr(folder, consolidated=False, zarr_format=3, mode="w")
            shutil.make_archive(str(path.with_suffix("")), "zip", folder)
    for file in sorted(command.study.iterdir()):
        if file.suffix in (".png", ".txt"):
            shutil.copy(file, command.out / f"{command.name}-{file.name}")


if __name__ == "__main__":
    main(tyro.cli(Command))
