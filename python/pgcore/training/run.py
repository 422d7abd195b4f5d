"""Training runs: the loop, its checkpoints and its records."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.errors import check_flag, check_path, check_type, corrupt_if_it_fails
from pgcore.base.files import remove_torn, write_atomically
from pgcore.base.folders import FolderLock
from pgcore.base.threads import chosen_threads
from pgcore.tasks.actions import chosen_actions
from pgcore.tasks.make import make_task
from pgcore.training.block import Block, Outcome
from pgcore.training.checkpoint import load_checkpoint, save_checkpoint
from pgcore.training.config import TrainConfig
from pgcore.training.divergence import (
    DivergedError,
    Divergence,
    State,
    divergences,
    reward_terms,
)
from pgcore.training.pipeline import outcomes
from pgcore.training.records import Records
from pgcore.training.start import (
    LATEST,
    changed_settings,
    check_made_with,
    check_size,
    check_start,
    clear_start,
    next_checkpoint,
    stored_config,
)


@dataclass(frozen=True)
class Record:
    """One iteration: its number, metrics [M] by name, seconds by name, and who diverged in it.

    A diverged trial's metrics are NaN from that iteration on, and its environment steps stay.
    """

    iteration: int
    metrics: dict[str, NDArray[Any]]
    seconds: dict[str, float]
    diverged: tuple[Divergence, ...] = ()


class Trainer:
    """Trains the agents of a config; iterate over :meth:`run` to go on.

    Trials are cut into blocks of ``config.block``. Blocks run on threads of their own, so that one
    simulates while another updates; which thread runs what changes no result.

    Args:
        config: the settings.
        num_threads: default: what affinity, cgroup and Slurm allow.
    """

    def __init__(self, config: TrainConfig, num_threads: int | None = None) -> None:
        check_type("config", config, TrainConfig, "a TrainConfig")
        threads = chosen_threads(num_threads)
        self.config = config
        self.task = make_task(config.task, lowered=config.lowered)
        chosen_actions(self.task, config.actions)  # ahead of any work
        self.iteration = 0
        self._recorded: list[State] | None = None  # the blocks' at ``iteration``, while they run
        check_size(config, self.task)
        count = -(-config.trials // config.block)
        if config.trials > 1:
            count = max(2, count)  # two halves, so that one simulates while the other updates
        self._rows = np.array_split(np.arange(config.trials), count)  # of the blocks, in a state
        self.blocks = [
            Block(self.task, config, [config.trial_numbers[row] for row in rows])
            for rows in self._rows
        ]
        self.workers = min(count, threads)
        self.native_threads = max(1, threads // self.workers)

    def run(self) -> Generator[Record, None, None]:
        """Run the remaining iterations, yielding a record after each.

        Raises:
            DivergedError: all trials have diverged, after the record of the last one's.
        """

        self._recorded = self._states()
        rest = range(self.iteration, self.config.iterations)
        try:
            with closing(outcomes(self.blocks, rest, self.workers, self.native_threads)) as steps:
                start = time.perf_counter()
                while self._some_are_left() and self.iteration < self.config.iterations:
                    yield self._record(next(steps), time.perf_counter() - start)
                    start = time.perf_counter()
        finally:  # blocks may be ahead
            states, self._recorded = self._recorded, None
            for block, state in zip(self.blocks, states, strict=True):
                block.load_state(state)

    def _record(self, blocks: list[Outcome], seconds: float) -> Record:
        self._recorded = [b.state for b in blocks]
        names = blocks[0].metrics
        fresh = [d for d in self.divergences() if d.iteration == self.iteration]
        self.iteration += 1
        return Record(
            self.iteration - 1,
            {name: np.concatenate([b.metrics[name] for b in blocks]) for name in names},
            {
                "rollout_seconds": sum(b.rollout_seconds for b in blocks),
                "update_seconds": sum(b.update_seconds for b in blocks),
                "iteration_seconds": seconds,
            },
            tuple(fresh),
        )

    def starts_anew(self) -> bool:
        """Whether trajectories that persist are lost: no file can hold those of gym: tasks."""
        return self.iteration > 0 and any(b.course and b.course.states is None for b in self.blocks)

    def divergences(self) -> list[Divergence]:
        """The trials that have diverged."""
        return divergences(self.state()["diverged"], reward_terms(self.task))

    def _some_are_left(self) -> bool:
        ended = self.divergences()
        if len(ended) < self.config.trials:
            return True
        shown = "; ".join(str(d) for d in ended[:5]) + ("; ..." if len(ended) > 5 else "")
        raise DivergedError(f"no trial is left after iteration {self.iteration - 1}: {shown}")

    def state(self) -> dict[str, NDArray[Any]]:
        """The state of all agents, members in the order of their trials."""
        states = self._states() if self._recorded is None else self._recorded
        return {name: np.concatenate([s[name] for s in states]) for name in states[0]}

    def _states(self) -> list[State]:
        return [block.state() for block in self.blocks]

    def load_state(self, state: dict[str, NDArray[Any]], iteration: int) -> None:
        """Go on from a state after ``iteration`` iterations."""
        for block, rows in zip(self.blocks, self._rows, strict=True):
            block.load_state({name: array[rows] for name, array in state.items()})
        self.iteration = iteration


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
        self.trainer = Trainer(config, num_threads)
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
