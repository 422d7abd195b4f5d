"""Reset terms in plain NumPy: the twins of ``cpp/pgcore/terms/*reset*.cpp``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pgcore.base.arrays import F64
from pgcore.rollout.reference import (
    RESET_BOX,
    RESET_JOINT,
    RESET_MOCAP,
    RESET_PLACE,
    RESET_POSITION,
    RESET_ROTATION,
    RESET_VELOCITY,
    normal,
    uniform,
)
from pgcore.tasks.term import Term

Address = tuple[int, int, int]  # seed, stream id, trajectory
_SIZES = {0: (7, 6), 1: (4, 3)}  # entries of free and ball joints in qpos and qvel


def reset_state(
    terms: tuple[Term, ...],
    qpos: F64,
    qvel: F64,
    seed: int,
    stream_id: int,
    trajectory: int,
    model: Any = None,
) -> tuple[F64, F64]:
    """The state that a trajectory starts from: defaults (qpos [nq], qvel [nv]) and reset terms.

    Terms that name a part of the model need ``model``, a ``mujoco.MjModel``; what they say of other
    arrays than these two is not told.
    """
    state = {"qpos": qpos.copy(), "qvel": qvel.copy()}
    for term in terms:
        apply(term, state, model, (seed, stream_id, trajectory))
    return state["qpos"], state["qvel"]


def apply(term: Term, state: dict[str, F64], model: Any, address: Address) -> None:
    """Change ``state``: the arrays qpos and qvel, with or without act, ctrl, mocap_pos, mocap_quat.

    Args:
        term: a reset term.
        state: its arrays are changed in place.
        model: a ``mujoco.MjModel``; None will do where no term names a part of it.
        address: what its draws depend on.
    """
    values: dict[str, Any] = dict(term.parameters)
    match term.kind:
        case "disc" | "box_outside_disc":
            start = range(len(state["qpos"]))[int(values["start"])]
            state["qpos"][start : start + 2] = _place(term.kind, values, address, start)
        case "set" | "uniform" | "gaussian":
            _noise(term.kind, values, state, model, address)
        case "keyframe":
            _keyframe(values["key"], state, model)
        case "joint_range":
            u = _draw(address, 0, RESET_JOINT, len(state["qpos"]))
            for j in _joints(values, model):
                i = int(model.jnt_qposadr[j])
                low, high = model.jnt_range[j]
                if model.jnt_type[j] >= 2 and model.jnt_limited[j]:
                    state["qpos"][i] = low + (high - low) * u[i]
        case "rotation" | "orientation":
            for j in _joints(values, model):
                if model.jnt_type[j] in _SIZES:
                    i = int(model.jnt_qposadr[j]) + _SIZES[model.jnt_type[j]][0] - 4
                    u = _draw(address, i, RESET_ROTATION, 3)
                    q = state["qpos"][i : i + 4]
                    q[:] = _turned(q, u, values["scale"]) if "scale" in values else _any(u)
        case _:
            _box(term.kind, values, state, model, address)


def _draw(address: Address, step: int, purpose: int, n: int) -> F64:
    draws: F64 = uniform(*address, np.array([step]), purpose, n)[0]
    return draws


def _noise(
    kind: str, values: dict[str, Any], state: dict[str, F64], model: Any, address: Address
) -> None:
    target = state[values["target"]]
    velocity = values["target"] == "qvel"
    part = slice(int(values.get("start", 0)), int(values.get("end", len(target))))
    if "joint" in values:
        (j,) = _joints(values, model)
        start = int((model.jnt_dofadr if velocity else model.jnt_qposadr)[j])
        part = slice(start, start + _SIZES.get(model.jnt_type[j], (1, 1))[velocity])
    if kind == "set":
        target[part] = values["value"]
        return
    purpose = RESET_VELOCITY if velocity else RESET_POSITION
    if kind == "uniform":
        noise = 2.0 * _draw(address, 0, purpose, len(target)) - 1.0
    else:
        noise = normal(*address, np.zeros(1, dtype=np.int64), purpose, len(target))[0]
    target[part] += float(values["scale"]) * noise[part]


def _keyframe(key: Any, state: dict[str, F64], model: Any) -> None:
    k = model.key(key if isinstance(key, str) else int(key)).id
    names = {"mocap_pos": "key_mpos", "mocap_quat": "key_mquat"}
    for name, array in state.items():
        array[:] = getattr(model, names.get(name, f"key_{name}"))[k].reshape(array.shape)


def _joints(values: dict[str, Any], model: Any) -> list[int]:
    """The joint that is named, or all."""
    if "joint" not in values:
        return list(range(model.njnt))
    joint = values["joint"]
    return [model.joint(joint if isinstance(joint, str) else int(joint)).id]


def _turned(q: F64, u: F64, scale: float) -> list[float]:
    """A quaternion turned by a rotation vector in its own frame, of unit length."""
    x, y, z = (float(scale) * (2.0 * float(v) - 1.0) for v in u)
    angle = math.sqrt(x * x + y * y + z * z)
    sine = math.sin(0.5 * angle) / angle if angle > 0.0 else 0.5
    a = [float(v) for v in q]
    b = [math.cos(0.5 * angle), sine * x, sine * y, sine * z]
    product = [
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    ]
    square = 0.0
    for v in product:
        square += v * v
    return [v / math.sqrt(square) for v in product]


def _any(u: F64) -> list[float]:
    """Any orientation, uniformly (Shoemake 1992)."""
    a, b = math.sqrt(1.0 - u[0]), math.sqrt(u[0])
    first, second = 2.0 * math.pi * float(u[1]), 2.0 * math.pi * float(u[2])
    return [b * math.cos(second), a * math.sin(first), a * math.cos(first), b * math.sin(second)]


def _box(
    kind: str, values: dict[str, Any], state: dict[str, F64], model: Any, address: Address
) -> None:
    """Coordinates of a mocap body, or entries of qpos, between bounds."""
    if kind == "mocap":
        body = values["body"]
        i = int(model.body_mocapid[model.body(body if isinstance(body, str) else int(body)).id])
        u, place = (
            _draw(address, i, RESET_MOCAP, 3),
            state.get("mocap_pos", np.zeros((i + 1, 3)))[i],
        )
    else:
        start = range(len(state["qpos"]))[int(values.get("start", 0))]
        if "joint" in values:
            start = int(model.jnt_qposadr[_joints(values, model)[0]])
        u, place = _draw(address, start, RESET_BOX, 3), state["qpos"][start : start + 3]
    for k, axis in enumerate("xyz"):
        if f"{axis}_low" in values:
            low, high = float(values[f"{axis}_low"]), float(values[f"{axis}_high"])
            place[k] = low + (high - low) * u[k]


def _place(kind: str, values: dict[str, Any], address: Address, start: int) -> F64:
    """A point [2] of a disc, or of a box outside a disc: the first of 64 in the box that is."""
    radius = float(values["radius"])
    if kind == "disc":
        low, high = np.full(2, -radius), np.full(2, radius)
    else:
        low = np.array([values["x_low"], values["y_low"]], dtype=np.float64)
        high = np.array([values["x_high"], values["y_high"]], dtype=np.float64)
    draws = _draw(address, start, RESET_PLACE, 128)
    points = low + (high - low) * draws.reshape(64, 2)
    distance = np.sqrt(np.square(points).sum(axis=1))
    accepted = points[distance < radius if kind == "disc" else distance > radius]
    otherwise = np.zeros(2) if kind == "disc" else np.where(-low > high, low, high)
    point: F64 = accepted[0] if len(accepted) else otherwise
    return point
