"""The table of studies: what `pgcore study` and `pgcore.open` know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zarr

from pgcore.base.errors import check_path
from pgcore.studies.engine.study import Study
from pgcore.studies.gradient.report import report_gradient
from pgcore.studies.gradient.study import GradientStudy, open_gradient
from pgcore.studies.landscape.maps import open_landscape
from pgcore.studies.landscape.report import report_landscape
from pgcore.studies.landscape.study import LandscapeStudy, note
from pgcore.studies.step.opening import open_step
from pgcore.studies.step.report import report_step
from pgcore.studies.step.study import StepStudy
from pgcore.studies.step.study import note as step_note
from pgcore.studies.value.report import report_value
from pgcore.studies.value.study import ValueStudy, open_value

_ALL = (
    Study(
        "gradient",
        "How concentrated are gradient estimates from n pairs, and how near the true gradient?",
        "1, 2, 9, 10",
        GradientStudy,
        open_gradient,
        report_gradient,
    ),
    Study(
        "value",
        "Does the value network predict value, and how much variance does it remove?",
        "3, 4, 11, 12",
        ValueStudy,
        open_value,
        report_value,
    ),
    Study(
        "landscape",
        "Do the surrogate's landscape and the true reward's look alike around the policy?",
        "5-7, 13-20",
        LandscapeStudy,
        open_landscape,
        report_landscape,
        note,
    ),
    Study(
        "step",
        "How often does an update step raise the true reward, and by how much?",
        "claims 11 and 12",
        StepStudy,
        open_step,
        report_step,
        step_note,
    ),
)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}


def study_of(out: str | Path) -> Study:
    """The study whose datasets a folder holds; ValueError if it holds none."""
    out = check_path("out", out)
    if not out.is_dir():
        raise ValueError(f"study: there is no folder {out}")
    for store in sorted(out.glob("*.zarr")):
        spec: Any = zarr.open_group(store, mode="r").attrs.get("spec")
        name = str(json.loads(spec).get("study", "")) if spec else ""
        for study in _ALL:
            if name.startswith(study.name):
                return study
    raise ValueError(f"study: {out} holds no study's datasets")


def open(out: str | Path) -> Any:
    """The datasets of a study's folder, with what follows from what was measured."""
    return study_of(out).open(Path(out))
