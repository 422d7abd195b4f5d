"""Keep what is worth keeping of a study: its small datasets in one file each, table and pictures.

    python experiments/pack.py --name NAME --study STUDY     # from a study's folder
    python experiments/pack.py --name NAME --study A B.zip   # landscapes of the same agents in one
    python experiments/pack.py --name NAME                   # draw again what is kept of it

All that is kept is drawn again by `redraw.py`; of maps of several trials the pictures of the first
are kept. Files NAME*.zarr.zip open with
`xarray.open_zarr(zarr.storage.ZipStore(path, mode="r"))`.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro
import xarray as xr
import zarr
from PIL import Image

import pgcore
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.identities import same_identity
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.study import Study
from pgcore.studies.gradient.opening import gradient_quantities
from pgcore.studies.landscape.opening import landscape_quantities
from pgcore.studies.value.opening import STORES as VALUE_STORES
from pgcore.studies.value.opening import value_dataset
from pgcore.studies.variance.opening import variance_quantities

COLOURS = 256  # of a kept picture


@dataclass(frozen=True)
class Command:
    """Keep a study's small datasets, its table and its pictures."""

    name: str
    """Begins the names of the files."""
    study: tuple[Path, ...] = ()
    """Folder of a study; or of landscapes of the same agents that differ in iterations, sources or
    pairs, and kept ones. Default: none, the kept datasets are drawn again."""
    out: Path = Path("experiments/results")
    """Where the files are."""


def datasets(study: Path) -> dict[str, xr.Dataset]:
    """The small datasets of a study, by a suffix of their name."""
    if (study / "dataset.zarr").exists() or (study / "reward.zarr").exists():
        return {"": pgcore.open(study)}
    stores = {n: study / f"{n}.zarr" for n in VALUE_STORES}
    found = {f"-{n}": open_study(path) for n, path in stores.items() if path.exists()}
    return {n: data.drop_dims("parameter", errors="ignore") for n, data in found.items()}


def together(studies: tuple[Path, ...]) -> xr.Dataset:
    """Landscapes of the same agents in one dataset; maps that nobody computed are missing."""
    data = [opened(p) if p.suffix == ".zip" else datasets(p)[""] for p in studies]
    specs = [json.loads(d.attrs["spec"]) for d in data]
    differ = {"sources", "pairs", "part_pairs"}
    moments = [dict(d.attrs["moments"]) for d in data]
    for spec, own in zip(specs[1:], moments[1:], strict=True):
        names = (spec.keys() | specs[0].keys()) - differ
        if any(spec.get(k) != specs[0].get(k) for k in names):
            raise SystemExit(
                "study: expected landscapes that differ in iterations, sources and pairs only"
            )
        both = own.keys() & moments[0].keys()
        if not all(same_identity(own[k], moments[0][k]) for k in both):
            raise SystemExit("study: expected landscapes of the same agents")
    order = {"agent": data[0]["agent"].values}
    whole = data[0]
    for other in data[1:]:
        whole = whole.combine_first(other.reindex(order))
    whole.attrs["moments"] = {k: v for one in moments for k, v in one.items()}
    return whole


def opened(path: Path) -> xr.Dataset:
    """A kept dataset."""
    with zarr.storage.ZipStore(path, mode="r") as store:
        data: xr.Dataset = xr.open_zarr(store, consolidated=False, chunks=None).load()
    return data


def kept(name: str, out: Path) -> dict[str, xr.Dataset]:
    """The same, of what was kept."""
    found = {}
    for suffix in ("", *(f"-{n}" for n in VALUE_STORES)):
        path = out / f"{name}{suffix}.zarr.zip"
        if path.exists():
            found[suffix] = opened(path)
    if not found:
        raise SystemExit(f"name: no {name}*.zarr.zip in {out}")
    return found


def kind(data: xr.Dataset) -> Study:
    """Which study a kept dataset is of."""
    name = json.loads(data.attrs["spec"])["study"]
    return next(study for study in STUDIES.values() if name.startswith(study.name))


def study(name: str, out: Path) -> xr.Dataset:
    """The dataset of a kept study, with all that follows from it, as `pgcore.open` gives it."""
    found = kept(name, out)
    if "" not in found:
        return value_dataset({n[1:]: data for n, data in found.items()})
    data = found[""]
    quantities = {
        "gradient": gradient_quantities,
        "landscape": landscape_quantities,
        "variance": variance_quantities,
    }
    return quantities.get(kind(data).name, lambda own: own)(data)


def keep(data: xr.Dataset, path: Path) -> None:
    """Write a dataset into one file."""
    path.unlink(missing_ok=True)
    for variable in data.variables.values():
        variable.encoding = {}
    with tempfile.TemporaryDirectory() as folder:  # a zip cannot replace what is in it
        data.to_zarr(folder, consolidated=False, zarr_format=3, mode="w")
        shutil.make_archive(str(path.with_suffix("")), "zip", folder)


def keep_pictures(folder: Path, out: Path, name: str = "") -> None:
    """Copy the tables and pictures of a folder; pictures with few colours, which is a third.

    Says which ones.
    """
    files = [file for file in sorted(folder.iterdir()) if file.suffix in (".txt", ".png")]
    for file in files:
        target = out / f"{name}{file.name}"
        if file.suffix == ".txt":
            shutil.copy(file, target)
            continue
        with Image.open(file) as image:
            few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(target, optimize=True, dpi=image.info["dpi"])
    print(f"{out}: {', '.join(name + file.name for file in files)}")


def draw(name: str, out: Path) -> None:
    """The tables and pictures of a kept study."""
    data = study(name, out)
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):  # the table, which is kept
            kind(data).report(data, Path(folder))
        for picture in Path(folder).glob("*-trial[1-9]*.png"):  # of maps the first trial's
            picture.unlink()
        keep_pictures(Path(folder), out, f"{name}-")


def main(command: Command) -> None:
    if command.name.endswith(tuple(f"-{store}" for store in VALUE_STORES)):
        raise SystemExit(
            f"name: expected one that does not end as a value study's store does, got "
            f"{command.name!r}; the stores: {', '.join(VALUE_STORES)}"
        )
    command.out.mkdir(parents=True, exist_ok=True)
    if command.study:
        one = len(command.study) == 1
        found = datasets(command.study[0]) if one else {"": together(command.study)}
        for suffix, data in found.items():
            keep(data, command.out / f"{command.name}{suffix}.zarr.zip")
    draw(command.name, command.out)


if __name__ == "__main__":
    main(tyro.cli(Command))
