"""Drawing states off-screen; the part of it that a process of its own runs.

Which OpenGL MuJoCo draws with is settled when a process imports it, so that pgcore, which has
imported it, asks another process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F64
from pgcore.playback.camera import View

_SHADOWS = 1024  # pixels of a shadow map; the usual 4096 cost software half of its time
READY = b"\n"  # ahead of the first frame


def load_model(content: bytes) -> mujoco.MjModel:
    """The model of ``task.native.model_bytes()``."""
    return mujoco.MjModel.from_binary_path("model.mjb", {"model.mjb": content})


def set_state(model: mujoco.MjModel, data: mujoco.MjData, state: F64) -> None:
    """Bring everything that is drawn to a state."""
    mujoco.mj_setState(model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    mujoco.mj_forward(model, data)


def pictures(
    model: mujoco.MjModel, states: F64, view: View, renderer: Any
) -> Iterator[NDArray[np.uint8]]:
    """A picture [height, width, 3] of each state, by a ``mujoco.Renderer``."""
    data, camera = mujoco.MjData(model), view.camera(model)
    for state in states:
        set_state(model, data, state)
        view.move(camera, data)
        renderer.update_scene(data, camera)
        yield renderer.render()


def serve(folder: str, pipe: int) -> None:
    """Draw what :mod:`pgcore.playback.offscreen` left in a folder, and write it to a pipe."""
    room = Path(folder)
    wanted = json.loads((room / "wanted.json").read_text(encoding="utf-8"))
    model = load_model((room / "model.mjb").read_bytes())
    width, height = wanted["width"], wanted["height"]
    screen = model.vis.global_
    screen.offwidth, screen.offheight = max(screen.offwidth, width), max(screen.offheight, height)
    model.vis.quality.shadowsize = min(model.vis.quality.shadowsize, _SHADOWS)
    view, states = View(**wanted["view"]), np.load(room / "states.npy")
    with os.fdopen(pipe, "wb") as out, mujoco.Renderer(model, height, width) as renderer:
        for number, picture in enumerate(pictures(model, states, view, renderer)):
            out.write(READY if number == 0 else b"")
            out.write(picture.tobytes())
