"""Where a run may begin: in an empty folder, or over a start that made no iteration."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

from pgcore.base.errors import CheckpointError
from pgcore.base.folders import check_new_folder
from pgcore.base.memory import check_memory
from pgcore.tasks.gymnasium import AnyTask
from pgcore.training.checkpoint import Checkpoint, load_checkpoint
from pgcore.training.config import TrainConfig

TABLE = "metrics.csv"
LATEST = "checkpoints/latest.safetensors"
MAY_CHANGE = ("iterations", "keep", "save_every")  # when a run is resumed
_ALWAYS = {"task", "algorithm", "trials", "iterations"}  # fields of every run's config.json


def check_start(run: Path, resume: bool) -> None:
    """Whether a run may begin in a folder, or go on there with ``resume``.

    Raises:
        ValueError: the folder holds another run, or something else.
    """
    config_file = run / "config.json"
    if resume and config_file.exists():
        return
    if not _is_config(config_file):
        check_new_folder(run, "run")
    elif has_iterations(run) and not _none_began(run):
        raise ValueError(f"out: {run} already holds a run; add --resume, or choose another folder")


def check_size(config: TrainConfig, task: AnyTask) -> None:
    """ValueError where the trials of a run cannot fit into memory together."""
    pair = 16.0 * task.obs_dim + 12 * task.act_dim + 80  # sampled, judged and given to an update
    layers = {
        "hidden": (task.obs_dim, *config.hidden, task.act_dim),
        "value_hidden": (task.obs_dim, *config.value_hidden, 1),
    }
    each = {  # with gradients, Adam's state and a copy of all
        name: 24.0 * sum((a + 1) * b for a, b in itertools.pairwise(sizes))
        for name, sizes in layers.items()
    }
    orders = 16.0 * config.pairs * min(config.trials, config.block)  # of one pass, in two copies
    epochs = {n: orders * getattr(config, n) for n in ("policy_epochs", "value_epochs")}
    for name, needed in {"pairs": config.pairs * pair, **each, **epochs}.items():
        check_memory(name, getattr(config, name), needed, "choose less")
    weights = sum(each.values())
    sampled = min(config.trials, 8 * config.block)  # the others' pairs are not held meanwhile
    needed = sampled * config.pairs * pair + config.trials * weights
    check_memory("trials", config.trials, needed, "choose fewer, or fewer pairs")


def stored_config(run: Path) -> TrainConfig:
    """The settings of a run; CheckpointError where its file does not say them."""
    file = run / "config.json"
    try:
        return TrainConfig.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"run: {file} is corrupt ({error})") from error


def changed_settings(
    run: Path, config: TrainConfig, stored: TrainConfig, may_change: Sequence[str] = MAY_CHANGE
) -> list[str]:
    """The settings that differ from those of a run; ValueError where one of them may not change."""
    names, shown = _differences(config, stored, may_change)
    if shown:
        raise ValueError(f"out: {run} holds a run with other settings ({shown})")
    return names


def check_made_with(checkpoint: Checkpoint, config: TrainConfig) -> None:
    """CheckpointError where a run would go on from what other settings made."""
    may_change = [n for n in MAY_CHANGE if n != "iterations" or not config.anneal]
    _, shown = _differences(config, checkpoint.config, may_change)
    if shown:
        raise CheckpointError(
            f"checkpoint: {checkpoint.path} was made with other settings than config.json beside "
            f"it has ({shown}); put these back"
        )


def _differences(
    config: TrainConfig, other: TrainConfig, may_change: Sequence[str]
) -> tuple[list[str], str]:
    """The settings that differ, and, of those that may not, both values."""
    mine, theirs = config.to_dict(), other.to_dict()
    names = [k for k in mine if mine[k] != theirs[k]]
    fixed = [k for k in names if k not in may_change]
    return names, ", ".join(f"{k}: {theirs[k]} there, {mine[k]} here" for k in fixed)


def clear_start(run: Path) -> None:
    """Remove what a start without an iteration to keep, with settings of its own, has left.

    Checkpoints last, by which a process that is killed meanwhile leaves such a start again.
    """
    for name in (TABLE, "diverged.csv"):
        (run / name).unlink(missing_ok=True)
    for events in (run / "tensorboard").glob("events.out.tfevents.*"):
        events.unlink()
    for checkpoint in (run / "checkpoints").glob("*.safetensors"):
        checkpoint.unlink()


def _is_config(file: Path) -> bool:
    """Whether a file is the config.json of a run, and not of another program."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and set(values) >= _ALWAYS


def newest_checkpoint(run: Path) -> Path | None:
    """What a run goes on from: its latest checkpoint, or the last that it has kept.

    The last one kept is written first, and may be all that a process got to.
    """
    latest = run / LATEST
    named = (run / "checkpoints").glob("[0-9]*.safetensors")
    kept = max((p for p in named if p.stem.isdigit()), key=lambda p: int(p.stem), default=None)
    if kept is None or not latest.exists():
        return latest if latest.exists() else kept
    try:
        return kept if int(kept.stem) > load_checkpoint(latest).iteration else latest
    except CheckpointError:
        return latest


def next_checkpoint(run: Path) -> Path | None:
    """:func:`newest_checkpoint`; CheckpointError if there is none, and iterations would be lost."""
    newest = newest_checkpoint(run)
    if newest is None and _has_rows(run):
        raise CheckpointError(
            f"checkpoint: none is left in {run / 'checkpoints'}, though {TABLE} has iterations; "
            "put one back, or train in another folder"
        )
    return newest


def _has_rows(run: Path) -> bool:
    table = run / TABLE
    return table.exists() and len(table.read_text(encoding="utf-8").splitlines()) > 1


def has_iterations(run: Path) -> bool:
    """Whether a run has more than a start: a checkpoint behind iteration 0, or rows."""
    newest = newest_checkpoint(run)
    if newest is None or _has_rows(run):
        return _has_rows(run)
    try:
        return load_checkpoint(newest).iteration > 0
    except CheckpointError:
        return True


def _none_began(run: Path) -> bool:
    """Whether all trials have diverged in their first iteration, so that nothing would be lost."""
    newest = newest_checkpoint(run)
    try:
        ends = None if newest is None else load_checkpoint(newest).state.get("diverged")
    except CheckpointError:
        return False
    return ends is not None and bool((ends[:, 0] == 0).all())
