"""The table of studies: what `pgcore study` and `pgcore.open` know."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from pgcore.base.errors import check_path, check_type
from pgcore.studies.curvature.opening import open_curvature
from pgcore.studies.curvature.report import report_curvature
from pgcore.studies.curvature.study import CurvatureStudy
from pgcore.studies.curvature.study import note as curvature_note
from pgcore.studies.engine.reading import damaged
from pgcore.studies.engine.study import Study
from pgcore.studies.gradient.findings import gradient_findings
from pgcore.studies.gradient.opening import open_gradient
from pgcore.studies.gradient.report import report_gradient
from pgcore.studies.gradient.study import GradientStudy
from pgcore.studies.landscape.findings import landscape_findings
from pgcore.studies.landscape.opening import open_landscape
from pgcore.studies.landscape.report import report_landscape
from pgcore.studies.landscape.study import LandscapeStudy, note
from pgcore.studies.measures.differences import differences_of
from pgcore.studies.regime.opening import open_regime
from pgcore.studies.regime.report import report_regime
from pgcore.studies.regime.settings import RegimeStudy
from pgcore.studies.regime.study import SampleRegime
from pgcore.studies.step.findings import step_findings
from pgcore.studies.step.opening import open_step
from pgcore.studies.step.report import report_step
from pgcore.studies.step.study import StepStudy
from pgcore.studies.step.study import note as step_note
from pgcore.studies.update.findings import update_findings
from pgcore.studies.update.opening import open_update
from pgcore.studies.update.report import report_update
from pgcore.studies.update.study import UpdateStudy
from pgcore.studies.update.study import note as update_note
from pgcore.studies.value.findings import value_findings
from pgcore.studies.value.opening import open_value
from pgcore.studies.value.report import report_value
from pgcore.studies.value.study import ValueStudy
from pgcore.studies.variance.findings import variance_findings
from pgcore.studies.variance.opening import open_variance
from pgcore.studies.variance.report import report_variance
from pgcore.studies.variance.study import VarianceStudy
from pgcore.studies.variance.study import note as variance_note

_ALL = (
    Study(
        "gradient",
        "How concentrated are gradient estimates from n pairs, and how near the true gradient?",
        "1, 2, 9, 10",
        GradientStudy,
        open_gradient,
        report_gradient,
        chapter="gradient",
        findings=gradient_findings,
    ),
    Study(
        "value",
        "Does the value network predict value, and how much variance does it remove?",
        "3, 4, 11, 12",
        ValueStudy,
        open_value,
        report_value,
        chapter="value",
        findings=value_findings,
    ),
    Study(
        "landscape",
        "Do the surrogate's landscape and the true reward's look alike around the policy?",
        "5-7, 13-20",
        LandscapeStudy,
        open_landscape,
        report_landscape,
        note,
        LandscapeStudy.scouting,
        chapter="landscape",
        findings=landscape_findings,
    ),
    Study(
        "step",
        "How often does an update step raise the true reward, and by how much?",
        "claims 11 and 12",
        StepStudy,
        open_step,
        report_step,
        step_note,
        chapter="landscape",
        findings=step_findings,
    ),
    Study(
        "update",
        "Where, inside one update, does ascent of the surrogate stop to pay in true reward?",
        "none",
        UpdateStudy,
        open_update,
        report_update,
        update_note,
        chapter="landscape",
        findings=update_findings,
    ),
    SampleRegime(
        "regime",
        "How do training and its estimates change with the pairs of an iteration and the rate?",
        "section 2.1",
        RegimeStudy,
        open_regime,
        report_regime,
    ),
    Study(
        "curvature",
        "Do gradients and steps lie in few directions of large curvature, and do these last?",
        "none",
        CurvatureStudy,
        open_curvature,
        report_curvature,
        curvature_note,
    ),
    Study(
        "variance",
        "What is the noise of gradient estimates made of, and what do baselines leave of it?",
        "none",
        VarianceStudy,
        open_variance,
        report_variance,
        variance_note,
        chapter="value",
        findings=variance_findings,
    ),
)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}


def study_of(out: str | Path) -> Study:
    """The study whose datasets a folder holds; ValueError if it holds none."""
    out = check_path("out", out)
    if not out.is_dir():
        raise ValueError(f"study: there is no folder {out}")
    for store in sorted(out.glob("*.zarr")):
        with damaged(store):
            found = _study_named(zarr.open_group(store, mode="r").attrs.get("spec"))
        if found is not None:
            return found
    raise ValueError(f"study: {out} holds no study's datasets")


def _study_named(spec: Any) -> Study | None:
    """The study whose settings these are, as a dataset's attributes have them."""
    name = str(json.loads(spec).get("study", "")) if spec else ""
    return next((study for study in _ALL if name.startswith(study.name)), None)


def study_of_data(data: xr.Dataset) -> Study:
    """The study that a dataset of :func:`open` is of; ValueError if it is of none."""
    found = _study_named(data.attrs.get("spec"))
    if found is None:
        raise ValueError("study: the dataset is no study's (its attribute spec names none)")
    return found


def open(out: str | Path) -> xr.Dataset:
    """The dataset of a study's folder, with all that follows from what was measured.

    Every variable has ``units`` and a ``description``; a number ``x`` with an interval has its 95 %
    bounds in ``x_low`` and ``x_high``. What is costly is computed when it is used.

    Raises:
        ValueError: the folder holds no study.
    """
    study = study_of(out)
    with damaged(out):
        data: xr.Dataset = study.open(check_path("out", out))
    return data


def differences(study: str | Path | xr.Dataset, variable: str, level: float = 0.95) -> xr.Dataset:
    """How agents differ in a variable of :func:`open`: means over trials, with intervals.

    Trials are paired where they come from runs of the same seed (:attr:`run_seed`, and the same
    :attr:`run_trial`): Student's interval of the differences. Agents whose seeds are not known, or
    that share none, get Welch's. Below two trials there is no interval; fewer than six describe,
    and do not decide.

    Args:
        study: the folder of a study, or what :func:`open` gave, or a part of it.
        variable: with the dimensions agent and trial, for example "pairwise_cosine".
        level: coverage of the intervals.

    Returns:
        Dims agent, other, and those of the variable but for trial: difference (agent less other),
        low, high, trials, paired.

    Raises:
        ValueError: no study, or no such variable.
    """
    wanted = "the folder of a study, or a dataset of pgcore.open"
    check_type("study", study, str | os.PathLike | xr.Dataset, wanted)
    data = study if isinstance(study, xr.Dataset) else open(study)
    if "agent" not in data.dims and study_of_data(data).trains:
        raise ValueError(
            "study: expected one whose dataset has agents; a sample regime has its differences in "
            "variables that end in _difference"
        )
    return differences_of(data, variable, level)
