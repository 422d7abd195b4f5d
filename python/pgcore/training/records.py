"""What a run writes beside its checkpoints: metrics and timing tables, TensorBoard scalars."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F64
from pgcore.base.files import file_named, write_atomically
from pgcore.training.divergence import Divergence

METRICS = (
    "return_mean",
    "return_min",
    "return_max",
    "length_mean",
    "trajectories",
    "policy_loss",
    "value_loss",
    "kl",
    "clip_fraction",
    "ratio_max",
    "entropy",
    "explained_variance",
    "learning_rate",
    "step_norm",
    "policy_passes",
    "surrogate_gain",
    "cg_residual",
    "step_fraction",
    "warnings",
    "diverged",
)
TIMES = ("rollout_seconds", "update_seconds", "iteration_seconds")


class Table:
    """A CSV file that rows are added to, keyed by its first column, the iteration."""

    def __init__(self, path: Path, columns: tuple[str, ...], first_iteration: int) -> None:
        """Open a table; rows of ``first_iteration`` and later, and a torn last row, are dropped.

        Columns that an older pgcore did not write are NaN in its rows.
        """
        kept = [list(columns)]
        if path.exists() and first_iteration > 0:
            with path.open(newline="") as f:
                header, *rows = csv.reader(f)
            whole = [dict(zip(header, r, strict=True)) for r in rows if len(r) == len(header)]
            early = [r for r in whole if int(r[header[0]]) < first_iteration]
            kept += [[r.get(name, "nan") for name in columns] for r in early]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        write_atomically(path, text.getvalue().encode())
        self.path = path
        self._file = path.open("a", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, rows: list[list[Any]]) -> None:
        """Append rows."""
        with file_named(self.path):
            self._writer.writerows(rows)

    def sync(self) -> None:
        """Make sure that all rows are on disk."""
        with file_named(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file, also where the disk is full."""
        try:
            self.sync()
        finally:
            with contextlib.suppress(OSError):  # of what could not be written, once more
                self._file.close()


class Records:
    """The tables and the TensorBoard writer of a run.

    ``metrics.csv`` has one row per iteration and trial and is a function of the config alone;
    ``timing.csv`` has one row per iteration.
    """

    def __init__(self, run: Path, first_iteration: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._diverged = run / "diverged.csv"
        self.metrics = Table(run / "metrics.csv", ("iteration", "trial", *METRICS), first_iteration)
        self.timing = Table(run / "timing.csv", ("iteration", *TIMES), first_iteration)
        self.board = SummaryWriter(str(run / "tensorboard"), purge_step=first_iteration)

    def add(
        self, iteration: int, metrics: dict[str, NDArray[Any]], seconds: dict[str, float]
    ) -> None:
        """Record one iteration; metrics are arrays [M]."""
        trials = len(metrics["return_mean"])
        values = {k: metrics.get(k, np.full(trials, np.nan)) for k in METRICS}
        self.metrics.add(
            [[iteration, t, *(repr(float(values[k][t])) for k in METRICS)] for t in range(trials)]
        )
        self.timing.add([[iteration, *(f"{seconds[k]:.6f}" for k in TIMES)]])
        for name, array in values.items():
            known = array[np.isfinite(array)]
            if len(known):
                self.board.add_scalar(f"mean/{name}", known.mean(), iteration)
        for trial, value in enumerate(values["return_mean"]):
            self.board.add_scalar(f"trial/{trial}/return", value, iteration)

    def write_diverged(self, ended: Sequence[Divergence]) -> None:
        """Write ``diverged.csv``, a row per trial that has diverged; no file where none has."""
        if not ended and not self._diverged.exists():
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["trial", "iteration", "cause"])
        writer.writerows([d.trial, d.iteration, d.cause] for d in ended)
        write_atomically(self._diverged, text.getvalue().encode())

    def sync(self) -> None:
        """Make sure that everything recorded is on disk."""
        self.metrics.sync()
        self.timing.sync()

    def close(self) -> None:
        """Close all files, also where one of them cannot be written."""
        with contextlib.ExitStack() as every:
            for file in (self.board, self.timing, self.metrics):
                every.callback(file.close)


def read_diverged(run: Path) -> list[Divergence]:
    """The trials of a run that have diverged."""
    path = run / "diverged.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as f:
        return [Divergence(int(t), int(i), cause) for t, i, cause in list(csv.reader(f))[1:]]


def read_metrics(run: Path) -> dict[str, F64]:
    """The metrics table of a run as arrays [iterations, trials] by column."""
    path = run / "metrics.csv"
    if not path.is_file():
        raise ValueError(f"run: expected a metrics table, but there is no {path}")
    with path.open(newline="") as f:
        reader = csv.reader(f)
        header = next(reader)
        rows = [r for r in reader if len(r) == len(header)]
    table = np.array(rows, dtype=np.float64).reshape(-1, len(header))
    trials = int(table[:, 1].max()) + 1 if len(table) else 1
    whole = len(table) // trials * trials
    cube = table[:whole].reshape(-1, trials, len(header))
    return {name: cube[:, :, i] for i, name in enumerate(header)}
