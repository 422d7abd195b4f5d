"""The engine of every study: a plan of cells, computed here or on a cluster, resumed by itself.

A cell is a pure function of its coordinates. It may run anywhere, in any order and beside others,
and is stored when it is finished; the same call computes what is missing. One that raises
:class:`pgcore.base.errors.LeftOutError` is finished without numbers, and the study says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from pgcore.agent import Agent
from pgcore.base.errors import LeftOutError
from pgcore.base.files import remove_torn
from pgcore.base.folders import FolderLock
from pgcore.base.progress import Progress
from pgcore.base.provenance import attributes
from pgcore.base.threads import chosen_threads
from pgcore.studies.engine.cluster import check_cluster, cluster_outcomes
from pgcore.studies.engine.overlap import outcome, overlapping_cells, run_overlapping
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.store import (
    TORN_CHUNKS,
    Schema,
    Store,
    check_folder,
    check_stores,
    missing_cells,
)

Values = Mapping[str, NDArray[Any] | float]
Cell = tuple[int, ...]
Work = Sequence[tuple[Cell, dict[str, Any]]]


@dataclass(frozen=True)
class Plan:
    """What a study computes.

    Attributes:
        title: shown with the progress bar.
        schema: dimensions, variables and settings of the dataset.
        function: (coordinates of a cell, threads) to its variables; pure and picklable.
        cost: the state-action pairs of a cell, for progress and ETA.
        probe: an agent whose speed tells how long the study will take.
        attributes: further provenance.
        wanted: which cells there are; the others stay missing.
        stage: cells of a stage are computed when all those of earlier stages are finished.
        work: about how long a pair takes, simulated and used, against simulation alone.
    """

    title: str
    schema: Schema
    function: Callable[[dict[str, Any], int], Values]
    cost: Callable[[dict[str, Any]], int]
    probe: Agent
    attributes: Mapping[str, Any]
    wanted: Callable[[dict[str, Any]], bool] = lambda at: True
    stage: Callable[[dict[str, Any]], int] = lambda at: 0
    work: float = 1.0

    def cells(self) -> dict[Cell, dict[str, Any]]:
        """The wanted cells and their coordinates, in order."""
        every = {c: self.schema.coordinates(c) for c in self.schema.cells()}
        return {c: at for c, at in every.items() if self.wanted(at)}


class StudyError(RuntimeError):
    """Some cells of a study failed; the others are stored, and the same call tries these again.

    Attributes:
        failures: the error of each failed cell, by the cell's name.
    """

    def __init__(self, failures: Mapping[str, BaseException], total: int) -> None:
        self.failures, self.total = dict(failures), total
        shown = [f"{n}: {type(e).__name__}: {e}" for n, e in list(self.failures.items())[:5]]
        more = f"; and {len(self.failures) - 5} more" if len(self.failures) > 5 else ""
        super().__init__(
            f"{len(self.failures)} of {total} cells failed: {'; '.join(shown)}{more}; the others "
            "are stored, and the same command tries the failed ones again"
        )


def cell_name(coordinates: Mapping[str, Any]) -> str:
    """A cell as a person reads it."""
    return ", ".join(f"{k}={v}" for k, v in coordinates.items())


class _Inside:
    """Progress of cells in work: what they simulate counts at once, up to their cost."""

    def __init__(self, bar: Progress, costs: Mapping[Cell, int]) -> None:
        self.bar, self.left, self._lock = bar, dict(costs), threading.Lock()

    def count(self, cell: Cell, pairs: int) -> None:
        """Tell of pairs that a cell has simulated."""
        with self._lock:
            told = min(pairs, self.left[cell])
            self.left[cell] -= told
        if told:
            self.bar.update(told)

    def finish(self, cell: Cell) -> None:
        """Tell that a cell needs no more, whatever it was thought to cost."""
        self.count(cell, self.left[cell])


def run_plan(
    plan: Plan, out: str | Path, *, num_threads: int | None = None, cluster: str | None = None
) -> xr.Dataset:
    """Compute the missing cells of a study and return its dataset.

    Args:
        plan: what to compute.
        out: the Zarr store; made if it is not there.
        num_threads: of this machine. Default: what affinity, cgroup and Slurm allow.
        cluster: None (this process), "local:N" (N worker processes here) or the address of a
            running Dask scheduler, e.g. "tcp://host:8786".

    Raises:
        ValueError: ``out`` holds something else.
        StudyError: some cells failed; everything else is stored.
    """
    _complete(plan, Path(out), num_threads, cluster)
    return open_study(out)


def _complete(plan: Plan, out: Path, num_threads: int | None, cluster: str | None) -> None:
    """Compute the missing cells of a plan."""
    if cluster is not None:
        check_cluster(cluster, lambda: bool(missing_of(plan, out)))
    threads = chosen_threads(num_threads)
    store = Store(out, plan.schema, {**attributes(), **plan.attributes})
    coordinates = plan.cells()
    missing = [c for c in coordinates if not store.is_finished(c)]
    costs = {c: plan.cost(at) for c, at in coordinates.items()}
    total, left = sum(costs.values()), sum(costs[c] for c in missing)
    failures: dict[str, BaseException] = {}

    def keep(cell: Cell, values: Values | BaseException) -> None:
        if isinstance(values, LeftOutError):
            store.leave_out(cell, str(values))
        elif isinstance(values, BaseException):
            failures[cell_name(coordinates[cell])] = values
        else:
            store.write(cell, values)
        inside.finish(cell)

    start = time.perf_counter()
    bar = Progress(plan.title, total, total - left, unit="pairs", scaled=True)
    inside = _Inside(bar, costs)
    try:
        work = _stages(plan, {c: coordinates[c] for c in missing}, failures)
        compute(plan.function, work, threads, cluster if missing else None, keep, inside.count)
    finally:
        bar.close()
        store.close(time.perf_counter() - start)
    if failures:
        raise StudyError(failures, len(coordinates))


def _stages(
    plan: Plan, missing: Mapping[Cell, dict[str, Any]], failures: Mapping[str, BaseException]
) -> Iterator[Work]:
    """Stage after stage of missing cells, until one has failures."""
    for stage in sorted({plan.stage(at) for at in missing.values()}):
        if not failures:
            yield [(c, at) for c, at in missing.items() if plan.stage(at) == stage]


def run_plans(
    plans: Mapping[str, Plan],
    out: str | Path,
    *,
    num_threads: int | None = None,
    cluster: str | None = None,
) -> None:
    """Compute the missing cells of plans in order, by the names of their stores in ``out``.

    A failed cell stops neither its plan nor the next ones; cells that need it fail, too.

    Raises:
        ValueError: a store, or the folder, holds something else.
        FolderInUseError: another process writes into the folder.
        StudyError: some cells failed; everything else is stored.
    """
    chosen_threads(num_threads)
    check_folder(out, next(iter(plans.values())).schema.spec)
    if cluster is not None:
        lacking = (missing_of(plan, Path(out) / name) for name, plan in plans.items())
        check_cluster(cluster, lambda: any(lacking))
    with FolderLock(Path(out)) as lock:
        if lock.held:
            remove_torn(Path(out))
            for name in plans:
                remove_torn(Path(out) / name, TORN_CHUNKS)
        _run_plans(plans, Path(out), num_threads, cluster)


def _run_plans(
    plans: Mapping[str, Plan], out: Path, num_threads: int | None, cluster: str | None
) -> None:
    # before the first cell of any
    check_stores(out, {name: plan.schema for name, plan in plans.items()})
    failures: dict[str, BaseException] = {}
    total = 0
    for name, plan in plans.items():
        total += len(plan.cells())
        try:
            _complete(plan, out / name, num_threads, cluster)
        except StudyError as error:
            failures |= {f"{name} {cell}": e for cell, e in error.failures.items()}
    if failures:
        raise StudyError(failures, total)


def compute(
    function: Callable[[dict[str, Any], int], Values],
    stages: Iterator[Work],
    threads: int,
    cluster: str | None,
    keep: Callable[[Cell, Values | BaseException], None],
    count: Callable[[Cell, int], None] | None = None,
) -> None:
    """Give the values of every cell, or its error, to ``keep``, one by one as they are ready.

    ``count`` gets the pairs that cells simulate meanwhile; on a cluster it does not.
    """
    if cluster is not None:
        for cell, values in cluster_outcomes(function, stages, cluster):
            keep(cell, values)
        return
    for work in stages:
        if overlapping_cells(threads) > 1 and len(work) > 1:
            run_overlapping(function, work, threads, keep, count)
            continue
        for cell, coordinates in work:
            own = None if count is None else partial(count, cell)
            keep(cell, outcome(function, coordinates, threads, own))


def missing_of(plan: Plan, path: Path) -> list[dict[str, Any]]:
    """The coordinates of the wanted cells that a store lacks."""
    lacking = set(missing_cells(path, plan.schema))
    return [at for cell, at in plan.cells().items() if cell in lacking]
