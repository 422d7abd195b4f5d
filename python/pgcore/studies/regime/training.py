"""The training of a sample regime's runs, by the ordinary machinery, and how long it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pgcore.base.progress import Progress
from pgcore.base.threads import check_stopped
from pgcore.studies.engine.cells import Cell, compute
from pgcore.studies.engine.overlap import overlapping_cells
from pgcore.studies.regime.grid import GridRun
from pgcore.training.divergence import DivergedError
from pgcore.training.records import read_diverged
from pgcore.training.run import Run
from pgcore.training.trainer import Trainer

_TIMED = 2  # iterations, for a description


def train_run(run: GridRun, num_threads: int, told: Callable[[int], None] | None = None) -> None:
    """Train a run to its end, from where it stands; whatever stops it, it is saved first.

    A run whose trials have all diverged is at its end.

    Args:
        run: of the grid.
        num_threads: of the training.
        told: called with the pairs of every iteration.
    """
    with Run(run.folder, run.config, resume=run.begun, num_threads=num_threads) as opened:
        try:
            for _ in opened.iterations():
                if told is not None:
                    told(run.pairs(1))
                check_stopped()
        except DivergedError:
            pass
        except BaseException:
            opened.save()
            raise


@dataclass(frozen=True)
class _Training:
    """Runs as cells, so that they go beside each other on many threads, or on a cluster."""

    runs: tuple[GridRun, ...]
    told: Callable[[int], None] | None

    def __call__(self, at: dict[str, Any], num_threads: int) -> dict[str, float]:
        train_run(self.runs[at["run"]], num_threads, self.told)
        return {}


def train_runs(
    runs: Sequence[GridRun], title: str, num_threads: int, cluster: str | None
) -> dict[str, BaseException]:
    """Train the runs that are not at their end.

    Returns:
        The error of each run that failed, by its name; the others are at their end.

    Raises:
        KeyboardInterrupt: on Ctrl-C; every run is saved where it stands.
    """
    left = [run.pairs(run.left()) for run in runs]
    missing = [i for i, pairs in enumerate(left) if pairs]
    if not missing:
        return {}
    failures: dict[str, BaseException] = {}
    total = sum(run.pairs(run.config.iterations) for run in runs)
    bar = Progress(f"training {title}", total, total - sum(left), unit="pairs", scaled=True)

    def keep(cell: Cell, values: Any) -> None:
        run = runs[cell[0]]
        if isinstance(values, BaseException):
            failures[f"training {run.folder.name}"] = values
        elif cluster is not None:
            bar.update(left[cell[0]])
        for lost in read_diverged(run.folder):
            bar.write(f"{run.folder.name}: {lost}; it is left out from there on")

    work = [((i,), {"run": i}) for i in missing]
    with bar:
        function = _Training(tuple(runs), None if cluster is not None else bar.update)
        compute(function, iter([work]), num_threads, cluster, keep)
    return failures


def training_seconds(runs: Sequence[GridRun], num_threads: int) -> float:
    """About how long the training that is left will take, from iterations of each kind of run."""
    together = overlapping_cells(num_threads)
    known: dict[tuple[str, int, int], float] = {}
    total = 0.0
    for run in runs:
        config, left = run.config, run.left()
        kind = (*run.point[:2], config.trials)
        if left and kind not in known:
            known[kind] = _iteration_seconds(run, max(1, num_threads // together))
        total += left * known.get(kind, 0.0)
    return total / min(together, max(1, len(runs)))


def _iteration_seconds(run: GridRun, num_threads: int) -> float:
    """Of an untrained run; nothing is written."""
    config = dataclasses.replace(run.config, iterations=_TIMED, keep=())
    trainer = Trainer(config, num_threads)
    try:
        records = list(islice(trainer.run(), _TIMED))
    finally:
        for block in trainer.blocks:
            block.close()
    return sum(r.seconds["iteration_seconds"] for r in records) / len(records)
