"""The named quantities of a model: what an expression of a task may read."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco

from pgcore import _core

XYZ = ("x", "y", "z")
_QUATERNION = ("qw", "qx", "qy", "qz")
_MATRIX = tuple(f"{i}{j}" for i in XYZ for j in XYZ)
_SPATIAL = ("wx", "wy", "wz", "vx", "vy", "vz")
_WRENCH = ("tx", "ty", "tz", "fx", "fy", "fz")
_TURN, _MOVE = ("rad/s",) * 3, ("m/s",) * 3
_FREE, _BALL = mujoco.mjtJoint.mjJNT_FREE, mujoco.mjtJoint.mjJNT_BALL
_SLIDE = mujoco.mjtJoint.mjJNT_SLIDE
UNKNOWN = "-"  # unit of what is known to be a number, and no more

_SENSOR_UNITS = {
    "touch": "N", "accelerometer": "m/s2", "velocimeter": "m/s", "gyro": "rad/s", "force": "N",
    "torque": "N m", "rangefinder": "m", "framepos": "m", "framequat": "1 (quaternion)",
    "ballquat": "1 (quaternion)", "framelinvel": "m/s", "frameangvel": "rad/s",
    "framelinacc": "m/s2", "frameangacc": "rad/s2", "subtreecom": "m", "subtreelinvel": "m/s",
    "subtreeangmom": "N m s", "ballangvel": "rad/s", "clock": "s", "framexaxis": "1",
    "frameyaxis": "1", "framezaxis": "1", "geomdist": "m",
}  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """What the core reads, as an instruction of a program, and what its entries are.

    Attributes:
        code: the instruction.
        rows: meaning and unit of every entry.
    """

    code: str
    rows: tuple[tuple[str, str], ...]


def _field(name: str, start: int, rows: Sequence[tuple[str, str]]) -> Quantity:
    return Quantity(f"field {name} {start} {len(rows)}", tuple(rows))


def _parts(
    what: str, parts: Sequence[str], units: str | Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Rows "what (part)", with one unit for all or one for each."""
    each = [units] * len(parts) if isinstance(units, str) else units
    return tuple((f"{what} ({p})", u) for p, u in zip(parts, each, strict=True))


def _joint(m: Any, j: int, name: str) -> Quantity:
    kind, start = m.jnt_type[j], int(m.jnt_qposadr[j])
    what = f"position of {name}"
    if kind == _FREE:
        units = ("m",) * 3 + ("1 (quaternion)",) * 4
        return _field("qpos", start, _parts(what, XYZ + _QUATERNION, units))
    if kind == _BALL:
        return _field("qpos", start, _parts(what, _QUATERNION, "1 (quaternion)"))
    return _field("qpos", start, [(what, "m" if kind == _SLIDE else "rad")])


def _joint_velocity(m: Any, j: int, name: str) -> Quantity:
    kind, start = m.jnt_type[j], int(m.jnt_dofadr[j])
    what = f"velocity of {name}"
    if kind == _FREE:
        return _field("qvel", start, _parts(what, (*XYZ, *_SPATIAL[:3]), _MOVE + _TURN))
    if kind == _BALL:
        return _field("qvel", start, _parts(what, _SPATIAL[:3], _TURN))
    return _field("qvel", start, [(what, "m/s" if kind == _SLIDE else "rad/s")])


def _sensor(m: Any, i: int, name: str) -> Quantity:
    size = int(m.sensor_dim[i])
    kind = mujoco.mjtSensor(int(m.sensor_type[i])).name.removeprefix("mjSENS_").lower()
    unit, what = _SENSOR_UNITS.get(kind, UNKNOWN), f"sensor {name} ({kind})"
    rows = [(what, unit)] if size == 1 else [(f"{what} [{k}]", unit) for k in range(size)]
    return _field("sensordata", int(m.sensor_adr[i]), rows)


def _activation(m: Any, i: int, name: str) -> Quantity:
    start, size = int(m.actuator_actadr[i]), int(m.actuator_actnum[i])
    if start < 0 or size < 1:
        raise ValueError(f"actuator {name!r} has no activation")
    rows = [(f"activation of {name}", UNKNOWN)] * size
    return _field("act", start, rows)


def _actuator(m: Any, i: int, name: str) -> Quantity:
    outputs = getattr(m, "actuator_outadr", None)
    if outputs is None:
        return _field("actuator_force", i, [(f"force of {name}", "N or N m")])
    start = int(outputs[i])
    end = int(outputs[i + 1]) if i + 1 < len(outputs) else int(m.nout)
    return _field("actuator_force", start, [(f"force of {name}", "N or N m")] * (end - start))


def _of_body(field: str, what: str, parts: tuple[str, ...], units: Any) -> Callable[..., Quantity]:
    """An array with one row of ``parts`` for every object."""
    return lambda m, i, name: _field(field, i * len(parts), _parts(f"{what} {name}", parts, units))


def _scalar(field: str, what: str, unit: str) -> Callable[..., Quantity]:
    return lambda m, i, name: _field(field, i, [(f"{what} {name}", unit)])


# name: the kind of object that it is a quantity of, and how it is read
_OF_OBJECTS: dict[str, tuple[str, Callable[[Any, int, str], Quantity]]] = {
    "joint": ("joint", _joint),
    "joint_velocity": ("joint", _joint_velocity),
    "sensor": ("sensor", _sensor),
    "site": ("site", _of_body("site_xpos", "position of site", XYZ, "m")),
    "site_matrix": ("site", _of_body("site_xmat", "orientation of site", _MATRIX, "1")),
    "geom": ("geom", _of_body("geom_xpos", "position of geom", XYZ, "m")),
    "body": ("body", _of_body("xpos", "position of", XYZ, "m")),
    "body_quat": ("body", _of_body("xquat", "orientation of", _QUATERNION, "1 (quaternion)")),
    "body_matrix": ("body", _of_body("xmat", "orientation of", _MATRIX, "1")),
    "contact_force": (
        "body",
        _of_body("cfrc_ext", "contact force on", _WRENCH, ("N m",) * 3 + ("N",) * 3),
    ),
    "com": ("body", _of_body("subtree_com", "centre of mass from", XYZ, "m")),
    "tendon": ("tendon", _scalar("ten_length", "length of tendon", "m")),
    "tendon_velocity": ("tendon", _scalar("ten_velocity", "velocity of tendon", "m/s")),
    "actuator": ("actuator", _actuator),
    "activation": ("actuator", _activation),
}
_VELOCITIES = {"body_velocity": "body", "site_velocity": "site"}
_CONTACTS = {"contact": "geom", "body_contact": "body"}
_WHOLE = ("qpos", "qvel", "act", "ctrl", "action", "com", "time", "dt", "pi")
NAMES = (*_WHOLE, *_OF_OBJECTS, *_VELOCITIES, *_CONTACTS)


class Quantities:
    """The quantities of one model.

    Args:
        model: a ``mujoco.MjModel``.
        dt: seconds of one environment step.
    """

    def __init__(self, model: Any, dt: float) -> None:
        self.model = model
        self.constants = {"dt": dt, "pi": 3.141592653589793}

    def whole(self, name: str) -> Quantity | None:
        """A quantity without an object: an array, the time; None where there is none.

        Raises:
            ValueError: an array that is empty in this model.
        """
        m = self.model
        if name == "time":
            return Quantity("time", (("time", "s"),))
        if name == "com":
            return _OF_OBJECTS["com"][1](m, 0, "the model")
        joint = {"qpos": _joint, "qvel": _joint_velocity}.get(name)
        if joint is not None:
            joints = [joint(m, j, self.name_of("joint", j)) for j in range(m.njnt)]
            return self._array(name, [row for q in joints for row in q.rows])
        if name in ("ctrl", "action"):
            names = [self.name_of("actuator", i) for i in range(m.nu)]
            return self._array("ctrl", [(f"control of {n}", UNKNOWN) for n in names])
        if name == "act":
            return self._array("act", [(f"activation [{i}]", UNKNOWN) for i in range(m.na)])
        return None

    def _array(self, name: str, rows: list[tuple[str, str]]) -> Quantity:
        if not rows:
            raise ValueError(f"{name} is empty in this model")
        return _field(name, 0, rows)

    def of(self, name: str, arguments: list[str | int]) -> Quantity | None:
        """A quantity of named objects, ``sensor("vel")``; None where there is no such name.

        Raises:
            ValueError: other arguments than it takes, or no such object.
        """
        if name in _OF_OBJECTS:
            kind, read = _OF_OBJECTS[name]
            self._check_count(name, arguments, 1)
            i = self.find(kind, arguments[0])
            return read(self.model, i, self.name_of(kind, i))
        if name in _VELOCITIES:
            kind = _VELOCITIES[name]
            self._check_count(name, arguments, 2)
            frame = arguments[1] if len(arguments) > 1 else "world"
            if frame not in ("world", "local"):
                raise ValueError(f"{name}: expected the frame 'world' or 'local', got {frame!r}")
            i = self.find(kind, arguments[0])
            what = f"velocity of {self.name_of(kind, i)} ({frame})"
            return Quantity(f"velocity {kind} {i} {frame}", _parts(what, _SPATIAL, _TURN + _MOVE))
        if name in _CONTACTS:
            kind = _CONTACTS[name]
            self._check_count(name, arguments, 2)
            ids = [self.find(kind, a) for a in arguments]
            return Quantity(f"contact {kind} {ids[0]} {(*ids, -1)[1]}", ((name, "1"),))
        return None

    @staticmethod
    def _check_count(name: str, arguments: list[str | int], most: int) -> None:
        if not 1 <= len(arguments) <= most:
            names = "the name of one" if most == 1 else f"one to {most} texts"
            raise ValueError(f"{name}: expected {names}, got {len(arguments)} arguments")

    def find(self, kind: str, name: str | int) -> int:
        """The number of a named object; a number is its own.

        Raises:
            ValueError: there is no such object; near names are given.
        """
        names = [self.name_of(kind, i) for i in range(len(getattr(self.model, _ARRAYS[kind])))]
        if isinstance(name, int):
            if not 0 <= name < len(names):
                raise ValueError(f"expected a {kind} from 0 to {len(names) - 1}, got {name}")
            return name
        if name in names:
            return names.index(name)
        known = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") or "it has none"
        raise ValueError(f"unknown {kind} {name!r}; {did_you_mean(name, names)}known: {known}")

    def name_of(self, kind: str, i: int) -> str:
        """An object's name, or its kind and number."""
        code = getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}")
        return mujoco.mj_id2name(self.model, code, i) or f"{kind} {i}"


def load_quantities(path: Path, frame_skip: int) -> Quantities:
    """The quantities of a model file.

    Raises:
        ValueError: MuJoCo cannot load it.
    """
    _core.keep_quiet(True)
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"xml: MuJoCo cannot load {str(path)!r}: {said}") from None
    finally:
        _core.keep_quiet(False)
    return Quantities(model, model.opt.timestep * frame_skip)


_ARRAYS = {  # one entry for each object
    "joint": "jnt_type",
    "sensor": "sensor_type",
    "site": "site_bodyid",
    "geom": "geom_bodyid",
    "body": "body_parentid",
    "tendon": "tendon_width",
    "actuator": "actuator_trntype",
}


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A question about near names, or nothing."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {', '.join(near)}? " if near else ""
