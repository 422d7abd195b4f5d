"""The studies that a report is given, and which of them measured the same agents."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
import zarr

from pgcore.base.errors import check_path
from pgcore.studies.catalog import open as open_dataset
from pgcore.studies.catalog import study_of, study_of_data
from pgcore.studies.engine.identities import TARGET, same_identity
from pgcore.studies.engine.sentences import spec_of
from pgcore.studies.engine.study import Study

Source = str | os.PathLike[str] | xr.Dataset
# what numbers are of: agents, or a grid of trainings
_PLACES = (("agent", "iteration", "trial"), ("algorithm", "pairs", "rate", "trial"))


@dataclass(frozen=True)
class Given:
    """A study that was given.

    Attributes:
        name: what it is called in messages and on the page.
        study, data: what it is, and what was measured.
        stores: attributes of its stores, by their names.
    """

    name: str
    study: Study
    data: xr.Dataset
    stores: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def of(source: Source) -> Given:
        """A folder of a study, or what :func:`pgcore.open` gave.

        Raises:
            ValueError: it holds no study, or one of which nothing is finished.
        """
        if isinstance(source, xr.Dataset):
            study = study_of_data(source)
            if gone := [str(c) for c, v in source.coords.items() if not v.ndim]:
                raise ValueError(
                    "study: expected a dataset with all its dimensions, got one without "
                    f"{', '.join(gone)}; select with a list, which keeps them"
                )
            found = Given(f"a {study.name} dataset", study, source, {"dataset": source.attrs})
        else:
            folder = check_path("study", source)
            study, data = study_of(folder), open_dataset(folder)
            groups = {p.name: zarr.open_group(p, mode="r") for p in sorted(folder.glob("*.zarr"))}
            stores = {name: dict(group.attrs) for name, group in groups.items()}
            found = Given(str(source), study, data, stores)
        if not found.measured().any():
            raise ValueError(f"study: nothing of {found.name} is finished; let the study go on")
        return found

    @property
    def moments(self) -> dict[str, str]:
        """The identity of each agent by its moment's name; none of a grid of trainings."""
        if "agent" not in self.data.dims:
            return {}
        told = dict(self.data.attrs.get("moments", {}))
        return {str(k): str(v) for k, v in told.items() if not str(k).endswith(TARGET)}

    @property
    def task(self) -> tuple[str, str]:
        """The task and what identifies its model."""
        return str(spec_of(self.data).get("task", "")), str(self.data.attrs.get("model_sha256", ""))

    @property
    def place(self) -> tuple[str, ...]:
        """The dimensions that say what a number is of: an agent, or a training of a grid."""
        return next(dims for dims in _PLACES if set(dims) <= set(self.data.dims))

    @property
    def labels(self) -> list[str]:
        """Of its agents, or its algorithms."""
        return [str(label) for label in self.data[self.place[0]].values]

    def measured(self) -> xr.DataArray:
        """Where there is a number of an agent, [agent, iteration, trial], or of a training."""
        place = self.place
        shape = tuple(self.data.sizes[d] for d in place)
        coordinates = {d: self.data[d].values for d in place}
        known = xr.DataArray(np.zeros(shape, dtype=np.bool_), coordinates, place)
        for name, variable in self.data.data_vars.items():
            if set(place) <= set(variable.dims) and name not in ("run_seed", "run_trial"):
                there = variable.notnull()
                known = known | there.any([d for d in there.dims if d not in place]).variable
                if bool(known.all()):
                    break
        return known

    def shared(self, other: Given) -> set[str]:
        """The agents, as ``label/iteration``, that both have measured."""
        a, b = self.moments, other.moments
        return {name for name in a.keys() & b.keys() if same_identity(a[name], b[name])}

    def differing(self, other: Given) -> list[str]:
        """Those that have one name and are different agents."""
        a, b = self.moments, other.moments
        return sorted(a.keys() & b.keys() - self.shared(other))

    def fits(self, other: Given) -> bool:
        """Whether nothing says that the two measured different agents, or on different tasks."""
        return self.task == other.task and not self.differing(other)


def sets_of(given: Sequence[Given]) -> list[list[Given]]:
    """The studies by their agents: each set goes on a page of its own.

    A study joins the set with which it shares the most agents. It begins one of its own where an
    agent of its has another digest under the same name, where its task or model is another one, and
    where the set has a study of its kind already.

    Raises:
        ValueError: two are of one kind and have an agent in common.
    """
    for i, one in enumerate(given):
        for other in given[:i]:
            if one.study.name == other.study.name and one.task == other.task and one.shared(other):
                raise ValueError(
                    f"studies: {other.name} and {one.name} are two {one.study.name} studies of the "
                    "same agents; give one of them, and make a report of its own for the other"
                )
    sets: list[list[Given]] = []
    for one in given:
        fitting = [
            own for own in sets if all(one.fits(o) and one.study.name != o.study.name for o in own)
        ]
        if fitting:
            max(fitting, key=lambda own: len(set().union(*map(one.shared, own)))).append(one)
        else:
            sets.append([one])
    return sets
