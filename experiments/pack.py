"""Keep what is worth keeping of a study: its small datasets in one file each, table and pictures.

    python experiments/pack.py --name NAME --study STUDY     # from a study's folder
    python experiments/pack.py --name NAME --study A B.zip   # landscapes of the same agents in one
    python experiments/pack.py --name NAME                   # draw again what is kept

Files NAME*.zarr.zip open with `xarray.open_zarr(zarr.storage.ZipStore(path, mode="r"))`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro
import xarray as xr
import zarr

import pgcore
from pgcore.studies.engine.store import open_study
from pgcore.studies.gradient.opening import gradient_quantities
from pgcore.studies.gradient.report import report_gradient
from pgcore.studies.landscape.opening import landscape_quantities
from pgcore.studies.landscape.report import report_landscape
from pgcore.studies.step.report import report_step
from pgcore.studies.update.report import report_update
from pgcore.studies.value.opening import STORES as VALUE_STORES
from pgcore.studies.value.opening import value_dataset
from pgcore.studies.value.report import report_value


def _report_gradient(data: xr.Dataset, out: Path) -> None:
    report_gradient(gradient_quantities(data), out)


def _report_landscape(data: xr.Dataset, out: Path) -> None:
    report_landscape(landscape_quantities(data), out)


# by a dimension that only one study has
REPORTS = {"step_scale": _report_landscape, "fraction": report_step, "point": report_update}


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
        if any(own[k] != moments[0][k] for k in both):
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
        data: xr.Dataset = xr.open_zarr(store, consolidated=False).load()
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


def keep(data: xr.Dataset, path: Path) -> None:
    """Write a dataset into one file."""
    path.unlink(missing_ok=True)
    for variable in data.variables.values():
        variable.encoding = {}
    with tempfile.TemporaryDirectory() as folder:  # a zip cannot replace what is in it
        data.to_zarr(folder, consolidated=False, zarr_format=3, mode="w")
        shutil.make_archive(str(path.with_suffix("")), "zip", folder)


def main(command: Command) -> None:
    command.out.mkdir(parents=True, exist_ok=True)
    if not command.study:
        found = kept(command.name, command.out)
    else:
        one = len(command.study) == 1
        found = datasets(command.study[0]) if one else {"": together(command.study)}
        for suffix, data in found.items():
            keep(data, command.out / f"{command.name}{suffix}.zarr.zip")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if "" not in found:
            report_value(value_dataset({n[1:]: data for n, data in found.items()}), out)
        else:
            data = found[""]
            reports = [report for dim, report in REPORTS.items() if dim in data.dims]
            (reports or [_report_gradient])[0](data, out)
        for file in sorted(out.iterdir()):
            if file.suffix in (".png", ".txt"):
                shutil.copy(file, command.out / f"{command.name}-{file.name}")


if __name__ == "__main__":
    main(tyro.cli(Command))
