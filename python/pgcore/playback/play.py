"""`pgcore.play`: an agent's trajectories in MuJoCo's viewer or in a video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pgcore.agent import Agent
from pgcore.base.errors import check_flag, check_new_file, check_seed
from pgcore.base.progress import Progress
from pgcore.playback import offscreen
from pgcore.playback.camera import View, choose_view
from pgcore.playback.drawing import load_model
from pgcore.playback.source import Player, find_player
from pgcore.playback.trajectories import Trajectory, frame_rate, play_trajectories, shown_steps
from pgcore.playback.video import check_encoder, check_file, check_size, write_video
from pgcore.playback.viewer import check_window, has_display, show


@dataclass(frozen=True, eq=False)
class Played:
    """What was played.

    Attributes:
        trajectories: in the order in which they are shown.
        path: the video; None: they were shown in a window.
        frames: in the video; 0 without one.
        rate: frames per second.
    """

    trajectories: list[Trajectory]
    path: Path | None
    frames: int
    rate: Fraction


def play(
    source: str | Path | Agent,
    out: str | Path | None = None,
    *,
    iteration: int | None = None,
    trial: int = 0,
    trajectories: int = 1,
    seed: int = 0,
    deterministic: bool = False,
    max_steps: int | None = None,
    camera: str | int | None = None,
    width: int = 640,
    height: int = 480,
    fps: float | None = None,
    viewer: bool | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
) -> Played:
    """Show trajectories of an agent, in real time.

    They are the first trajectories of the streams of ``agent.collect(steps, trajectories, seed,
    keep_states=True)``, of the one trial: what is shown are the states that the simulator was in.

    Args:
        source: the folder of a run, a checkpoint, the file of an agent, or an agent; its task is
            native.
        out: an MP4. Default: named after the source, in the current folder.
        iteration: of a run's folder. Default: the last that was kept.
        trial: whose trajectories.
        trajectories: how many, one after the other.
        seed: of resets and actions.
        deterministic: act by the mean. Default: actions are sampled, as :func:`pgcore.collect`
            does.
        max_steps: of a trajectory. Default: the task's time limit; 1000 where it has none.
        camera: name or number of a camera of the model, or -1, the free camera. Default: the
            model's camera "track", or else one that has in view what moves.
        width, height: of the video, in pixels.
        fps: frames per second. Default: a frame for each step, or as many fewer as make it 60.
        viewer: whether a window shows them instead of a video. Default: where there is a display,
            unless ``out`` is given.
        overwrite: replace a video that is there.
        say: is given a line for each trajectory and one for the video, and a bar is shown while it
            is made; None: neither.

    Raises:
        ValueError, TypeError: a bad argument, or imageio-ffmpeg is not installed; before any work.
        CheckpointError: a file cannot be used.
        RuntimeError: no OpenGL, or no window.
        OSError: the video cannot be written.
    """
    player = find_player(source, iteration, trial)
    check_seed("seed", seed)
    rate = frame_rate(player.task.dt, fps)
    path = _target(player, out, viewer, overwrite)
    check_size("width", width)
    check_size("height", height)
    played = play_trajectories(player.agent, trajectories, seed, deterministic, max_steps)
    steps = [t.states[shown_steps(t.length, player.task.dt, rate)] for t in played]
    model = player.task.native.model_bytes()
    view = choose_view(load_model(model), np.concatenate(steps), camera)
    tell = say or (lambda line: None)
    tell(_title(player, deterministic, seed))
    for number, trajectory in enumerate(played):
        tell(_line(number, trajectory, player.task.dt))
    if path is None:
        show(model, steps, view, float(1 / rate))
        return Played(played, None, 0, rate)
    states = np.concatenate(steps)
    _film(path, model, states, view, (width, height), rate, say is not None)
    tell(f"written {path}: {width}x{height}, {len(states)} frames, {float(rate):.4g} per second")
    return Played(played, path, len(states), rate)


def _target(
    player: Player, out: str | Path | None, viewer: bool | None, overwrite: bool
) -> Path | None:
    """The file of the video, or None for a window; what either needs is there."""
    check_flag("overwrite", overwrite)
    if viewer is None:
        viewer = out is None and has_display()
    if check_flag("viewer", viewer):
        if out is not None:
            raise ValueError("out: expected none with a viewer, which writes no video")
        check_window()
        return None
    check_encoder()
    path = Path(f"{player.stem}.mp4") if out is None else check_new_file("out", out)
    check_file(path, overwrite)
    return path


def _film(
    path: Path,
    model: bytes,
    states: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    view: View,
    size: tuple[int, int],
    rate: Fraction,
    bar: bool,
) -> None:
    with offscreen.frames(model, states, view, *size) as frames:
        shown = _counted(frames, len(states)) if bar else frames
        write_video(path, shown, *size, rate)


def _counted(frames: Iterable[bytes], total: int) -> Iterator[bytes]:
    """The frames, with a bar that says how long it takes."""
    with Progress("video", total, unit="frames") as progress:
        for frame in frames:
            yield frame
            progress.update()


def _title(player: Player, deterministic: bool, seed: int) -> str:
    actions = "mean" if deterministic else "sampled"
    return f"{player.name}: {player.task.id}, {actions} actions, seed {seed}"


def _line(number: int, trajectory: Trajectory, dt: float) -> str:
    """Of one trajectory, its return with all its digits."""
    steps = f"{trajectory.length} {'step' if trajectory.length == 1 else 'steps'}"
    seconds = f"{trajectory.length * dt:.4g} s"
    return (
        f"trajectory {number}: {steps} ({seconds}), return {trajectory.total!r}, {trajectory.ended}"
    )
