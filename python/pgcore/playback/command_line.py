"""`pgcore play`: an agent's trajectories in a window or a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pgcore.base.command import parse


@dataclass(frozen=True)
class Command:
    """Show trajectories of an agent: in MuJoCo's viewer where there is a display, else as an MP4.

    What is shown are the simulator's own states, as `pgcore.collect` of the same seed gives them.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Folder of a run, a checkpoint, or the file of an agent."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Video (MP4), also where there is a display. Default: named after SOURCE, in this folder."""
    iteration: int | None = None
    """Iteration of a run. Default: the last that it has kept."""
    trial: int = 0
    """Trial of the run or file."""
    trajectories: int = 1
    """Trajectories, one after the other."""
    seed: int = 0
    """Of resets and actions."""
    deterministic: bool = False
    """Act by the mean."""
    sample: bool = False
    """Sample actions, as in training; this is the default."""
    max_steps: int | None = None
    """Steps of a trajectory. Default: the task's time limit; 1000 where it has none."""
    camera: str | None = None
    """Name or number of a camera of the model, or -1, the free camera. Default: the model's camera
    "track", or else one that has in view what moves."""
    width: int = 640
    """Of the video, in pixels."""
    height: int = 480
    """Of the video, in pixels."""
    fps: float | None = None
    """Frames per second, in real time. Default: one a step, or as many fewer as make it 60."""
    viewer: bool = False
    """A window, and an error where there is no display."""
    no_viewer: bool = False
    """A video, also where there is a display."""
    overwrite: bool = False
    """Replace a video that is there."""


def _choice(yes: str, on: bool, no: str, off: bool) -> bool | None:
    """What two flags that exclude each other say; None: nothing."""
    if on and off:
        raise ValueError(f"--{yes}: expected it without --{no}")
    return on if on or off else None


def main(arguments: Sequence[str]) -> None:
    """Parse and play; the caller turns errors into one line."""
    command = parse(Command, "pgcore play", arguments, config=(tyro.conf.FlagCreatePairsOff,))
    deterministic = _choice("deterministic", command.deterministic, "sample", command.sample)
    viewer = _choice("viewer", command.viewer, "no-viewer", command.no_viewer)
    from pgcore.playback.play import play

    play(
        command.source,
        command.out,
        iteration=command.iteration,
        trial=command.trial,
        trajectories=command.trajectories,
        seed=command.seed,
        deterministic=bool(deterministic),
        max_steps=command.max_steps,
        camera=command.camera,
        width=command.width,
        height=command.height,
        fps=command.fps,
        viewer=viewer,
        overwrite=command.overwrite,
        say=lambda line: print(line, flush=True),
    )
