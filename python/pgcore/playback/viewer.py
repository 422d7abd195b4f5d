"""States in MuJoCo's viewer, as fast as they were simulated."""

from __future__ import annotations

import itertools
import os
import time
import warnings
from collections.abc import Sequence

from pgcore.base.arrays import F64
from pgcore.playback.camera import View
from pgcore.playback.drawing import load_model, set_state


def has_display() -> bool:
    """Whether a window can be expected to open."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_window() -> None:
    """RuntimeError where no window opens; MuJoCo's viewer would wait for one forever."""
    advice = "--no-viewer writes a video instead"
    if not has_display():
        raise RuntimeError(f"viewer: there is no display (DISPLAY is not set); {advice}")
    try:
        import glfw
    except ImportError as error:
        raise RuntimeError(f"viewer: {error}; {advice}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells by the result, too
        if not glfw.init():
            name = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
            raise RuntimeError(f"viewer: no window opens on the display {name}; {advice}")


def show(content: bytes, trajectories: Sequence[F64], view: View, seconds: float) -> None:
    """Show trajectories one after the other, and again, until the window is closed.

    Args:
        content: of ``task.native.model_bytes()``.
        trajectories: states [N, D] of each.
        view: from where it is seen first.
        seconds: between two states.
    """
    import mujoco
    import mujoco.viewer

    model = load_model(content)
    data = mujoco.MjData(model)
    set_state(model, data, trajectories[0][0])
    with mujoco.viewer.launch_passive(model, data) as window:
        chosen = view.camera(model)
        with window.lock():
            for name in ("type", "fixedcamid", "distance", "azimuth", "elevation"):
                setattr(window.cam, name, getattr(chosen, name))
            window.cam.lookat[:] = chosen.lookat
        due = time.perf_counter()
        for state in itertools.chain.from_iterable(itertools.cycle(trajectories)):
            if not window.is_running():
                return
            with window.lock():
                set_state(model, data, state)
                view.move(window.cam, data)
            window.sync()
            due = max(due + seconds, time.perf_counter() - seconds)  # late: not all at once
            time.sleep(max(0.0, due - time.perf_counter()))
