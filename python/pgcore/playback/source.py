"""From what a user names to one trial of an agent at one moment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pgcore.agent import Agent
from pgcore.agent_file import load_agent
from pgcore.base.errors import check_count, check_path, check_type
from pgcore.base.files import read_arrays
from pgcore.tasks.task import Task
from pgcore.training.checkpoint import Checkpoint, load_checkpoint
from pgcore.training.divergence import divergences, no_marks, reward_terms
from pgcore.training.run import checkpoint_path, kept_iterations


@dataclass(frozen=True)
class Player:
    """Who plays.

    Attributes:
        agent: one trial.
        task: its task.
        name: what it is, for people.
        stem: the same as the name of a file.
    """

    agent: Agent
    task: Task
    name: str
    stem: str


def find_player(source: str | Path | Agent, iteration: int | None, trial: int) -> Player:
    """One trial of a run, a checkpoint, an agent's file or an agent.

    Args:
        source: the folder of a run, a file, or the agent.
        iteration: of a run; None: the last that it has kept.
        trial: of those that the source holds.

    Raises:
        ValueError: nothing there, no such trial or iteration, or a task that is not native.
        CheckpointError: a file cannot be used.
    """
    wanted = "a run's folder, a checkpoint, an agent's file or a pgcore.Agent"
    check_type("source", source, str | os.PathLike | Agent, wanted)
    if isinstance(source, Agent):
        _refuse_iteration("an agent", iteration)
        return _player(source, "agent", None, trial)
    path = check_path("source", source)
    if path.is_file():
        _refuse_iteration(str(path), iteration)
        header, _ = read_arrays(path, "agent")
        if header.get("kind") == "agent":
            return _player(load_agent(path), path.stem, None, trial)
        checkpoint = load_checkpoint(path)
        return _player(checkpoint.agent(), _run_of(path).name, checkpoint, trial)
    if not path.is_dir():
        raise ValueError(f"source: expected {wanted}, got {path}, which is not there")
    kept = kept_iterations(path)
    if not kept:
        raise ValueError(f"source: {path} has kept no iteration yet")
    chosen = kept[-1] if iteration is None else check_count("iteration", iteration, 0)
    checkpoint = load_checkpoint(checkpoint_path(path, chosen, "iteration"))
    return _player(checkpoint.agent(), path.resolve().name, checkpoint, trial)


def _refuse_iteration(what: str, iteration: int | None) -> None:
    if iteration is not None:
        raise ValueError(f"iteration: expected none, since {what} is of one moment already")


def _run_of(path: Path) -> Path:
    """The folder of the run that a checkpoint lies in, or the file without its ending."""
    folder = path.resolve().parent
    return folder.parent if folder.name == "checkpoints" else path.with_suffix("")


def _player(agent: Agent, label: str, checkpoint: Checkpoint | None, trial: int) -> Player:
    task = agent.task
    if not isinstance(task, Task):
        raise ValueError(
            f"task: {task.id} is simulated by Gymnasium, not by pgcore, which has no states of it "
            "to show; gymnasium.wrappers.RecordVideo films such an environment"
        )
    one = agent.select(trial)
    names, stems = [label], [label]
    if checkpoint is not None:
        names.append(f"iteration {checkpoint.iteration}")
        stems.append(f"iteration{checkpoint.iteration}")
    if agent.members > 1:
        names.append(f"trial {trial}")
        stems.append(f"trial{trial}")
    if checkpoint is not None:
        names += _diverged(checkpoint, task, trial)
    return Player(one, task, ", ".join(names), "-".join(stems))


def _diverged(checkpoint: Checkpoint, task: Task, trial: int) -> list[str]:
    """What is to be said of a trial that stands still since it has diverged."""
    marks = checkpoint.state.get("diverged", no_marks(checkpoint.config.trials))
    found = divergences(marks, reward_terms(task))
    return [f"as it was when {d}" for d in found if d.trial == trial]
