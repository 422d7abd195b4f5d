"""What a run writes beside its checkpoints: metrics and timing tables, TensorBoard scalars."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F64
from pgcore.base.errors import shown
from pgcore.base.files import file_named, write_atomically
from pgcore.training.config import TrainConfig
from pgcore.training.divergence import Divergence

METRICS = (  # of the algorithms here, in the order of a table's columns
    "environment_steps",
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


def _close(file: IO[Any], sync: Callable[[], None]) -> None:
    """Close a file after its last sync, which may fail."""
    try:
        sync()
    finally:
        with contextlib.suppress(OSError):  # of what could not be written, once more
            file.close()


def _rows(path: Path) -> list[list[str]]:
    """The header and the whole rows of a table; what a power loss made of its end is left out.

    Raises:
        ValueError: the file is damaged ahead of its end.
    """
    header, rows, torn = list[str](), list[list[str]](), False
    for line in path.read_bytes().split(b"\n"):
        try:
            (row,) = csv.reader([line.decode()])
            sound = len(row) == len(header) and row[0].isdigit() if header else bool(row)
        except (ValueError, csv.Error):
            sound = False
        if sound and torn:
            raise ValueError(f"run: {path} is damaged ahead of its end; restore or move it")
        if sound and header:
            rows.append(row)
        elif sound:
            header = row
        else:
            torn = True
    return [header, *rows] if header else []


class Table:
    """A CSV file that rows are added to, keyed by its first column, the iteration.

    Its columns are those of its first row; a file that goes on keeps those that it has.
    """

    def __init__(self, path: Path, first_iteration: int) -> None:
        """Open a table; rows of ``first_iteration`` and later, and a torn last row, are dropped."""
        self.path, self.columns = path, list[str]()
        kept: list[list[str]] = []
        if path.exists() and first_iteration > 0:
            self.columns, *rows = _rows(path) or [[]]
            if self.columns and self.columns[0] != "iteration":
                raise ValueError(
                    f"out: expected the columns of a run in {path}, got {shown(self.columns)}; "
                    "move it away to resume, whose earlier rows are then not there"
                )
            if self.columns:
                kept = [self.columns, *(r for r in rows if int(r[0]) < first_iteration)]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        write_atomically(path, text.getvalue().encode())
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Append rows; what a row does not have is NaN."""
        with file_named(self.path):
            if not self.columns:
                self.columns = list(rows[0])
                self._writer.writerow(self.columns)
            self._writer.writerows([r.get(name, "nan") for name in self.columns] for r in rows)

    def sync(self) -> None:
        """Make sure that all rows are on disk."""
        with file_named(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file, also where the disk is full."""
        _close(self._file, self.sync)


class Board:
    """TensorBoard's file of a run: scalars by environment steps, and the settings as text.

    A run whose table has no environment steps, which an older pgcore began, goes on by iterations.
    Events are written here, not by TensorBoard's thread, whose errors nobody catches.
    """

    def __init__(
        self, folder: Path, config: TrainConfig, first_iteration: int, by_iteration: bool
    ) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter
        from torch.utils.tensorboard.summary import text

        self.pairs = 1 if by_iteration else config.pairs
        self._offset = 0 if by_iteration else 1  # what is told of an iteration is known at its end
        folder.mkdir(exist_ok=True)
        self._path = folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"
        with file_named(self._path):
            self._file = self._path.open("wb")
        self._writer = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if first_iteration > 0:  # readers drop what an interrupted run has told from this step on
            start = SessionLog(status=SessionLog.SessionStatus.Value("START"))
            self._write(step=self._step(first_iteration), session_log=start)
        else:
            rows = [f"| {name} | {value} |" for name, value in config.to_dict().items()]
            table = "\n".join(["| setting | value |", "|---|---|", *rows])
            self._write(summary=text("settings", table))  # type: ignore[no-untyped-call]

    def _write(self, **event: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        with file_named(self._path):
            self._writer.write(Event(wall_time=time.time(), **event).SerializeToString())

    def _step(self, iteration: int) -> int:
        return (iteration + self._offset) * self.pairs

    def add(
        self, iteration: int, metrics: Mapping[str, NDArray[Any]], seconds: Mapping[str, float]
    ) -> None:
        """Means over trials, each trial's return, and what the time went into."""
        from torch.utils.tensorboard.summary import scalar

        step, told = self._step(iteration), dict[str, float]()
        for name, array in metrics.items():
            known = array[np.isfinite(array)]
            if len(known) and name != "environment_steps":
                told[f"mean/{name}"] = known.mean()
        for trial, value in enumerate(metrics["return_mean"]):
            if np.isfinite(value):
                told[f"trial/{trial}/return"] = value
        for name, value in seconds.items():
            told[f"time/{name}"] = value
        for name, value in told.items():
            self._write(step=step, summary=scalar(name, value))  # type: ignore[no-untyped-call]

    def sync(self) -> None:
        """Make sure that a reader sees everything."""
        with file_named(self._path):
            self._file.flush()

    def close(self) -> None:
        """Close the file, also where the disk is full."""
        _close(self._file, self.sync)


class Records:
    """The tables and the TensorBoard writer of a run.

    ``metrics.csv`` has one row per iteration and trial and is a function of the config alone;
    ``timing.csv`` has one row per iteration.
    """

    def __init__(self, run: Path, config: TrainConfig, first_iteration: int) -> None:
        self._diverged = run / "diverged.csv"
        with contextlib.ExitStack() as opened:  # closed again where a later one fails
            self.metrics = Table(run / "metrics.csv", first_iteration)
            opened.callback(self.metrics.close)
            self.timing = Table(run / "timing.csv", first_iteration)
            opened.callback(self.timing.close)
            known = self.metrics.columns
            by_iteration = bool(known) and "environment_steps" not in known
            self.board = Board(run / "tensorboard", config, first_iteration, by_iteration)
            opened.pop_all()

    def add(
        self, iteration: int, metrics: dict[str, NDArray[Any]], seconds: dict[str, float]
    ) -> None:
        """Record one iteration; metrics are arrays [M], those of an algorithm of one's own, too."""
        names = [n for n in METRICS if n in metrics] + [n for n in metrics if n not in METRICS]
        self.metrics.add(
            [
                {"iteration": str(iteration), "trial": str(t)}
                | {name: repr(metrics[name][t].item()) for name in names}
                for t in range(len(metrics["return_mean"]))
            ]
        )
        times = {name: f"{seconds[name]:.6f}" for name in TIMES}
        self.timing.add([{"iteration": str(iteration), **times}])
        self.board.add(iteration, metrics, seconds)

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
        self.board.sync()

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
    return [Divergence(int(t), int(i), cause) for t, i, cause in _rows(path)[1:]]


def read_metrics(run: Path) -> dict[str, F64]:
    """The metrics table of a run as arrays [iterations, trials] by column.

    As many iterations as it has whole; NaN for those whose rows somebody has taken away.
    """
    path = run / "metrics.csv"
    found = _rows(path) if path.is_file() else []
    if not found:
        raise ValueError(f"run: expected the metrics of an iteration, but there are none in {path}")
    header, *rows = found
    try:
        table = np.array(rows, dtype=np.float64).reshape(-1, len(header))
    except ValueError as error:
        raise ValueError(f"run: {path} is damaged ({error}); restore it") from None
    places = table[:, :2].astype(np.int64)  # iteration and trial
    trials = int(places[:, 1].max()) + 1 if len(table) else 1
    whole = np.flatnonzero(np.bincount(places[:, 0]) == trials)
    cube = np.full((whole[-1] + 1 if len(whole) else 0, trials, len(header)), np.nan)
    cube[..., 0], cube[..., 1] = np.indices(cube.shape[:2])
    known = places[:, 0] < len(cube)
    cube[tuple(places[known].T)] = table[known]
    return {name: cube[:, :, i] for i, name in enumerate(header)}
