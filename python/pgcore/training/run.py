"""Training runs in folders: their checkpoints and records."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pgcore.base.errors import check_flag, check_path, check_type, corrupt_if_it_fails
from pgcore.base.files import remove_torn, write_atomically
from pgcore.base.folders import FolderLock
from pgcore.training.checkpoint import load_checkpoint, save_checkpoint
from pgcore.training.config import TrainConfig
from pgcore.training.records import Records
from pgcore.training.start import (
    LATEST,
    changed_settings,
    check_made_with,
    check_start,
    clear_start,
    next_checkpoint,
    stored_config,
)
from pgcore.training.trainer import Record, Trainer


class Run:
    """A training run in a folder: config, checkpoints, tables. Resumable from any moment.

    Layout: ``config.json``, ``metrics.csv``, ``timing.csv``, ``tensorboard/`` and
    ``checkpoints/NNNNNN.safetensors`` for kept iterations, ``checkpoints/latest.safetensors``; if a
    trial has diverged ``diverged.csv``.
    """

    def __init__(
        self,
        path: str | Path,
        config: TrainConfig,
        *,
        resume: bool = False,
        num_threads: int | None = None,
    ) -> None:
        """Open a run.

        Raises:
            ValueError: the folder holds a run and ``resume`` is off, another config's run, or
                something else. A run that has made no iteration is begun anew.
            CheckpointError: the checkpoint to resume from cannot be used.
            FolderInUseError: another process writes into the folder.
            OSError: the folder cannot be written.
        """
        check_type("config", config, TrainConfig, "a TrainConfig")
        check_flag("resume", resume)
        path = self.path = check_path("path", path)
        self.config = config
        check_start(path, resume)
        self.trainer = Trainer(config, num_threads, path)
        self._lock = FolderLock(path)
        try:
            check_start(path, resume)  # again: nobody can change it any more
            self._open(resume)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, resume: bool) -> None:
        """Read or begin what is in the folder."""
        path, config = self.path, self.config
        config_file = path / "config.json"
        for folder in (path, path / "checkpoints") if self._lock.held else ():
            remove_torn(folder)
        changed = True
        if config_file.exists() and resume:
            changed = self._check_same_config()
        else:
            clear_start(path)
        (path / "checkpoints").mkdir(exist_ok=True)
        newest = next_checkpoint(path)
        if newest is not None:
            checkpoint = load_checkpoint(newest, config.task_id)
            check_made_with(checkpoint, config)
            if checkpoint.iteration > config.iterations:
                raise ValueError(
                    f"iterations: the run has made {checkpoint.iteration} already, expected at "
                    f"least as many, got {config.iterations}"
                )
            checkpoint.check_task(self.trainer.task)
            with corrupt_if_it_fails(f"checkpoint: {newest}"):
                self.trainer.load_state(checkpoint.state, checkpoint.iteration)
            self._check_kept(checkpoint.iteration)
        if changed:  # all is checked
            self._write_config(config_file)
        self.records = Records(path, config, self.trainer.iteration)
        try:
            self.records.write_diverged(self.trainer.divergences())
            if self.trainer.iteration == 0 or newest != path / LATEST or self._keeps_more():
                self.save()
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to be told
                self.records.close()
            raise

    def _check_kept(self, iteration: int) -> None:
        """ValueError where iterations are to be kept that are over, and were not."""
        kept = [i for i in self.config.keep or () if i < iteration]
        gone = [str(i) for i in kept if not kept_file(self.path, i).exists()]
        if gone:
            raise ValueError(
                f"keep: the run is at iteration {iteration}, and has not kept {', '.join(gone)}"
            )

    def _keeps_more(self) -> bool:
        """Whether the moment that the run stands at is one to keep by now."""
        kept = kept_file(self.path, self.trainer.iteration)
        return self.trainer.iteration in self.config.kept() and not kept.exists()

    def _check_same_config(self) -> bool:
        """Whether settings differ that may; ValueError where others do."""
        stored = stored_config(self.path)
        names = changed_settings(self.path, self.config, stored)
        if "iterations" in names and self.config.anneal:
            raise ValueError(
                "iterations: the learning rate falls to 0 over the run's own "
                f"{stored.iterations}; a run with anneal cannot be made longer or shorter"
            )
        return bool(names)

    def _write_config(self, file: Path) -> None:
        text = json.dumps(self.config.to_dict(), indent=2, sort_keys=True)
        write_atomically(file, text.encode())

    def save(self) -> None:
        """Write the newest checkpoint, and keep it if its iteration is to be kept."""
        self.records.sync()  # a checkpoint promises that the rows before it are on disk
        iteration, state = self.trainer.iteration, self.trainer.state()
        folder = self.path / "checkpoints"
        if not folder.is_dir():
            raise FileNotFoundError(
                f"run: {folder} was moved or removed; resume it where it is now"
            )
        if iteration in self.config.kept():
            self._write(kept_file(self.path, iteration), iteration, state)
        self._write(self.path / LATEST, iteration, state)

    def _write(self, path: Path, iteration: int, state: dict[str, NDArray[Any]]) -> None:
        save_checkpoint(path, self.config, iteration, state, self.trainer.task)

    def iterations(self) -> Generator[Record, None, None]:
        """Run what remains; records and checkpoints are written along the way.

        What was finished is saved also where an iteration fails.
        """
        with closing(self.trainer.run()) as records:
            for record in self._saved_if_it_fails(records):
                self.records.add(record.iteration, record.metrics, record.seconds)
                if record.diverged:
                    self.records.write_diverged(self.trainer.divergences())
                if record.diverged or self._saves_at(self.trainer.iteration):
                    self.save()
                yield record

    def _saved_if_it_fails(self, records: Iterator[Record]) -> Iterator[Record]:
        try:
            yield from records
        except Exception:
            with contextlib.suppress(OSError):  # the first error is the one to be told
                self.save()
            raise

    def _saves_at(self, iteration: int) -> bool:
        return iteration in self.config.kept() or iteration % self.config.save_every == 0

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.records.close()
        finally:
            for block in self.trainer.blocks:
                block.close()
            self._lock.release()


def kept_iterations(run: Path) -> list[int]:
    """The iterations whose checkpoints a run has kept; ValueError if it is no run."""
    folder = run / "checkpoints"
    if not folder.is_dir():
        what = "has no checkpoints" if run.exists() else "is not there"
        raise ValueError(f"runs: expected a training run, got {run}, which {what}")
    return sorted(int(p.stem) for p in folder.glob("[0-9]*.safetensors") if p.stem.isdigit())


def kept_file(run: Path, iteration: int) -> Path:
    """Where the checkpoint of an iteration is kept, if it is."""
    return run / "checkpoints" / f"{iteration:06d}.safetensors"


def checkpoint_path(run: Path, iteration: int, name: str = "iterations") -> Path:
    """The kept checkpoint of an iteration; ValueError on an argument ``name``, or no run."""
    known = kept_iterations(run)
    path = kept_file(run, iteration)
    if not path.is_file():
        raise ValueError(f"{name}: {run} has no checkpoint {iteration}; it has {known}")
    return path
