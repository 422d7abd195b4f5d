"""Where one looks from: a camera of the model, or one that has the moving bodies in view."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from pgcore.base.arrays import F64
from pgcore.base.errors import check_type

_PREFERRED = "track"  # what Gymnasium's models call the camera that follows their body
_LOOKS = 50  # states that say where the bodies go
_ROOM = 3.2  # distance per radius of what is to be seen; 2.6 would just hold it


@dataclass(frozen=True)
class View:
    """A camera, as plain values that another process takes.

    Attributes:
        fixed: a camera of the model, or -1.
        lookat, distance: of the free camera; None: as the model's statistics have it.
        follow: the body whose centre of mass the free camera goes along with, sideways; or -1.
    """

    fixed: int = -1
    lookat: tuple[float, float, float] | None = None
    distance: float | None = None
    follow: int = -1

    def camera(self, model: mujoco.MjModel) -> mujoco.MjvCamera:
        """The camera as MuJoCo has it."""
        camera = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(model, camera)
        if self.fixed >= 0:
            camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, self.fixed
        if self.lookat is not None:
            camera.lookat[:], camera.distance = self.lookat, self.distance
        return camera

    def move(self, camera: mujoco.MjvCamera, data: mujoco.MjData) -> None:
        """Go along with the body; up and down the camera stays, so that jumps are seen."""
        if self.follow >= 0:
            camera.lookat[:2] = data.subtree_com[self.follow][:2]


def choose_view(model: mujoco.MjModel, states: F64, wanted: str | int | None) -> View:
    """The view that a user wants.

    Args:
        model: what is seen.
        states: [N, D], what it will do.
        wanted: name or number of a camera of the model; -1: the free camera, which stands still;
            None: the model's camera "track", or else a free one that has the moving bodies in view.

    Raises:
        ValueError: there is no such camera.
    """
    check_type("camera", wanted, str | int | None, "a camera's name or number, or -1")
    names = [model.camera(i).name for i in range(model.ncam)]
    if wanted is None:
        return View(names.index(_PREFERRED)) if _PREFERRED in names else _framing(model, states)
    if wanted in names:
        return View(names.index(wanted))
    numbers = {str(i): i for i in range(-1, model.ncam)}
    if str(wanted) not in numbers:
        known = ", ".join(repr(n) if n else str(i) for i, n in enumerate(names))
        has = f"the model has {known}" if known else "the model has none"
        raise ValueError(f"camera: no camera {wanted!r}; {has}, and -1 is the free camera")
    return View(numbers[str(wanted)])


def _framing(model: mujoco.MjModel, states: F64) -> View:
    """A free camera that holds all that moves, or goes along where that moves far."""
    moving = np.flatnonzero(model.body_weldid[model.geom_bodyid] > 0)
    if not len(moving):
        return View()
    data, reach = mujoco.MjData(model), model.geom_rbound[moving, None]
    boxes = []  # of all moving geoms, in each state
    for state in states[np.linspace(0, len(states) - 1, min(_LOOKS, len(states))).astype(int)]:
        mujoco.mj_setState(model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_kinematics(model, data)
        at = data.geom_xpos[moving]
        boxes.append([(at - reach).min(axis=0), (at + reach).max(axis=0)])
    low, high = np.min(boxes, axis=0)[0], np.max(boxes, axis=0)[1]
    own = float(np.median([np.linalg.norm(b[1] - b[0]) for b in boxes])) / 2
    whole = float(np.linalg.norm(high - low)) / 2
    x, y, z = (float(c) for c in (low + high) / 2)
    if whole < 2 * own:
        return View(lookat=(x, y, z), distance=_ROOM * whole)
    roots = [b for b in range(1, model.nbody) if model.body_weldid[b] > 0]
    heaviest = max(roots, key=lambda b: float(model.body_subtreemass[b]))
    return View(lookat=(x, y, z), distance=_ROOM * own, follow=heaviest)
