"""Tasks as data: a model, a time limit and lists of terms."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from numbers import Real
from pathlib import Path
from typing import Any

import mujoco

from pgcore import _core
from pgcore.base.errors import check_choice, check_count, check_flag, check_type
from pgcore.tasks.named_terms import native_rooms


@dataclass(frozen=True)
class Term:
    """One term of a task: its kind and its parameters, e.g. ``Term.of("qvel", clip=10.0)``.

    Kinds (parameters; those with a default may be left out):
        observation:
            qpos, sin_qpos, cos_qpos (start=0, end)
            qvel, qfrc_actuator, qfrc_constraint (start=0, end, clip)
            cinert, cvel (start=0), cfrc_ext (start=0, low, high): per body
            body_position (body, relative_to, axes="xyz")
            sensor (sensor), site_position (site), tendon_length (tendon), activation (actuator:
            all), previous_action, body_orientation (body), body_velocity (body, frame="world"|
            "local"), zeros (count), expression (of, unit): see docs/terms.md
        reward:
            coordinate (weight=1, index, per="one"|"timestep")
            coordinate_velocity (weight=1, index=0), com_velocity (weight=1, axis="x"),
            body_velocity (weight=1, axis="x", body)
            healthy (value=1, when="healthy"|"always")
            control_cost (weight)
            contact_cost (weight, low, high: of each entry of cfrc_ext, min, max: of the cost)
            velocity_cost (weight, index), site_cost (weight, site, axis="x", target=0)
            distance_cost (weight=1, body, to, when="after"|"before" the step)
            quadratic_state_cost (position=0, velocity=0), expression (of, weight=1)
        termination:
            qpos_range (index), state_range (start=0), site_range (site, axis="z"), each with
            low, high, interval="open"|"closed"; ends=1: with 0 the state is unhealthy, so that
            the healthy reward is not paid, but the trajectory goes on
            expression (of: a condition, or a number with these bounds; ends=1),
            contact (geom or body, other: anything; ends=1)
        reset, in order, from the model's defaults:
            uniform, gaussian (target="qpos"|"qvel", start=0, end, scale)
            set (target, start=0, end, value)
            disc (start, radius), box_outside_disc (start, x_low, x_high, y_low, y_high, radius):
            a random place for qpos[start:start + 2]; box (start, x_low, x_high, y_low, ...): of
            three; mocap (body, x_low, ...); keyframe (key); joint_range (joint: all)
            rotation (scale, joint: all), orientation (joint: all): of free and ball joints

    ``start`` and ``end`` of qpos and qvel count as in Python, negative ones from the end; ``joint``
    instead of them stands for that joint's entries, and ``index`` may be the name of a joint.
    Parts of the model are given by name or number.
    """

    kind: str
    parameters: tuple[tuple[str, float | str], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str):
            raise TypeError(f"term: expected the name of a kind, got {self.kind!r}")
        for name, value in self.parameters:
            if isinstance(value, bool) or not isinstance(value, Real | str):
                raise TypeError(
                    f"term {self.kind!r}: {name}: expected a number or a text, got {value!r}"
                )

    @staticmethod
    def of(kind: str, **parameters: float | str) -> Term:
        """A term from keyword parameters."""
        return Term(kind, tuple(sorted(parameters.items())))

    def native(self) -> tuple[str, dict[str, float | str]]:
        """The form that the native core takes."""
        values = {k: v if isinstance(v, str) else float(v) for k, v in self.parameters}
        return self.kind, values


_MOST = 2**31 - 1
ROOMS = ("reset", "observation", "reward", "termination")
_NAMES = ("id", "xml", "gymnasium_id", "gymnasium_options", "note")  # the model has a hash itself


@dataclass(frozen=True)
class TaskSpec:
    """A definition of a task.

    Attributes:
        id: name of the task, e.g. ``"Hopper-v2"``.
        xml: path of the MJCF file, a text or a :class:`~pathlib.Path`, or ``gymnasium:NAME`` for a
            model of the installed gymnasium.
        frame_skip: simulator steps per environment step.
        time_limit: environment steps after which a trajectory is truncated; None: never.
        reset, observation, reward, termination: the terms, in order. Observations are
            concatenated, rewards summed; any termination term ends the trajectory.
        gymnasium_id: the Gymnasium environment of the same dynamics, for ``backend="python"``.
        contact_margins: when two geoms begin to act on each other: at the "sum" of their margins
            (MuJoCo since 3.5), or at the larger one, "max" (before, and so in the paper).
        gymnasium_options: the (name, value) pairs that ``gymnasium.make`` gets with it.
        note: one line on what the task is, shown by ``pgcore tasks``.
    """

    id: str
    xml: str
    frame_skip: int
    time_limit: int | None
    reset: tuple[Term, ...]
    observation: tuple[Term, ...]
    reward: tuple[Term, ...]
    termination: tuple[Term, ...] = ()
    gymnasium_id: str | None = None
    contact_margins: str = "sum"
    note: str = ""
    gymnasium_options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Check kinds; a path becomes a text and lists of terms tuples, so that it is hashable."""
        check_type("id", self.id, str, "a name")
        check_type("xml", self.xml, str | os.PathLike, "the path of an MJCF file")
        object.__setattr__(self, "xml", os.fspath(self.xml))
        for room in ROOMS:
            terms = getattr(self, room)
            check_type(room, terms, tuple | list, "a tuple of terms")
            for term in terms:
                check_type(room, term, Term, "terms such as Term.of('qpos', start=1)")
            object.__setattr__(self, room, tuple(terms))

    def xml_path(self) -> Path:
        """Where the model file is."""
        room, _, name = self.xml.rpartition(":")
        if room == "pgcore":
            return Path(__file__).parents[1] / "models" / name
        if room != "gymnasium":
            return Path(self.xml).expanduser()
        found = importlib.util.find_spec("gymnasium")  # its folder alone: importing it takes long
        if found is None or not found.submodule_search_locations:
            raise ImportError(f"xml: {self.xml} is a model of gymnasium, which is not installed")
        return Path(found.submodule_search_locations[0]) / "envs" / "mujoco" / "assets" / name

    def resolved(self) -> TaskSpec:
        """The definition with the model's path made absolute, so that it can travel."""
        if ":" in self.xml:
            return self
        return replace(self, xml=str(self.xml_path().resolve()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them; :meth:`from_dict` reads them."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for room in ROOMS:
            values[room] = [{"term": t.kind, **dict(t.parameters)} for t in values[room]]
        values["gymnasium_options"] = [list(pair) for pair in self.gymnasium_options]
        return values

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> TaskSpec:
        """A definition from plain values; fields that are missing take their defaults.

        Raises:
            ValueError: an unknown or missing field, or a term that is none.
        """
        known = {f.name: f for f in fields(TaskSpec)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"task: unknown field {unknown[0]!r}; known: {', '.join(known)}")
        needed = [n for n, f in known.items() if f.default is MISSING and n not in values]
        if needed:
            raise ValueError(f"task: expected the field {needed[0]!r}, which is missing")
        chosen = dict(values)
        for room in ROOMS:
            chosen[room] = tuple(_term(room, t) for t in chosen.get(room, ()))
        options = chosen.get("gymnasium_options", ())
        chosen["gymnasium_options"] = tuple((str(k), _frozen(v)) for k, v in options)
        return TaskSpec(**chosen)


def _frozen(value: Any) -> Any:
    """A value with tuples for lists."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _term(room: str, values: Any) -> Term:
    """A term from a table with its kind under "term"."""
    if not isinstance(values, Mapping) or not isinstance(values.get("term"), str):
        raise ValueError(
            f'{room}: expected tables such as {{ term = "qpos", start = 1 }}, got {values!r}'
        )
    parameters = {k: v for k, v in values.items() if k != "term"}
    for name, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(
                f"{room}: term {values['term']!r}: {name}: expected a number or a text, "
                f"got {value!r}"
            )
    return Term.of(values["term"], **parameters)


class Task:
    """A task that can be simulated. Made by :func:`pgcore.make_task`; immutable and safe to share.

    Attributes:
        id: the task's name.
        obs_dim: length O of an observation.
        act_dim: length A of an action.
        dt: seconds of one environment step.
        frame_skip: simulator steps in one environment step.
        time_limit: environment steps after which a trajectory is truncated, or None.
        spec: the definition.
        lowered: whether passes that make the engine cheaper and change no bit were asked for.
        passes: the passes that were applied: each only where it is exact for the model.
    """

    def __init__(self, spec: TaskSpec, *, lowered: bool = True) -> None:
        check_type("spec", spec, TaskSpec, "a TaskSpec")
        check_flag("lowered", lowered)
        check_count("frame_skip", spec.frame_skip, most=_MOST)
        if spec.time_limit is not None:
            check_count("time_limit", spec.time_limit, most=_MOST)
        path = spec.xml_path()
        if not path.is_file():
            raise ValueError(f"xml: expected a readable MJCF file, got {str(path)!r}")
        self.spec, self.lowered = spec.resolved(), lowered
        terms = {room: [t.native() for t in getattr(spec, room)] for room in ROOMS}
        self.native = _core.Task(
            xml_path=str(path),
            frame_skip=spec.frame_skip,
            time_limit=spec.time_limit or 0,
            contact_margins=check_choice("contact_margins", spec.contact_margins, ("sum", "max")),
            lowered=lowered,
            **native_rooms(terms, path, spec.frame_skip),
        )
        if ":" not in spec.xml:  # those of a package are not the user's to mend
            for text in self.native.warnings:
                warnings.warn(f"xml: MuJoCo warns of {path}: {text}", stacklevel=2)
        self.id = spec.id
        self.frame_skip = spec.frame_skip
        self.time_limit = spec.time_limit
        self.obs_dim: int = self.native.obs_dim
        self.act_dim: int = self.native.act_dim
        self.dt: float = self.native.dt
        self.passes: tuple[str, ...] = tuple(self.native.passes)
        self._model_hash: str | None = None

    def model_hash(self) -> str:
        """SHA-256 of the compiled model (includes and meshes, too) and of MuJoCo's version."""
        if self._model_hash is None:
            version = str(_core.build["mujoco_library"]).encode()
            self._model_hash = hashlib.sha256(version + self.native.model_bytes()).hexdigest()
        return self._model_hash

    def definition_hash(self) -> str:
        """SHA-256 of all that makes a number: the model and every rule, whatever their names."""
        values = self.spec.to_dict()
        rules = {n: v for n, v in values.items() if n not in _NAMES} | {"model": self.model_hash()}
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Task({self.id!r}, obs_dim={self.obs_dim}, act_dim={self.act_dim}, dt={self.dt:g})"

    def __reduce__(self) -> tuple[Callable[..., Task], tuple[TaskSpec, bool, str]]:
        return _same_task, (self.spec, self.lowered, self.model_hash())


def cached_task(spec: TaskSpec, lowered: bool) -> Task:
    """The task of a definition; equal definitions share one until a file of the model changes."""
    spec = spec.resolved()
    return _compiled(spec, lowered, _stamp(spec.xml_path()))


@functools.lru_cache(maxsize=32)
def _compiled(spec: TaskSpec, lowered: bool, stamp: tuple[tuple[str, int, int], ...]) -> Task:
    return Task(spec, lowered=lowered)


def _stamp(xml: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of every file that a model is made of."""
    if not xml.is_file():
        return ()  # compiling it says what is wrong
    try:
        files = sorted({str(xml), *mujoco.mju_getXMLDependencies(str(xml))})
        return tuple((f, os.stat(f).st_mtime_ns, os.stat(f).st_size) for f in files)
    except (OSError, ValueError, mujoco.FatalError):
        return ()


def _same_task(spec: TaskSpec, lowered: bool, model_hash: str) -> Task:
    """The task that was pickled; ValueError if its model is another one here and now."""
    task = cached_task(spec, lowered)
    if task.model_hash() != model_hash:
        raise ValueError(f"task: the model {spec.xml} of {spec.id} changed meanwhile")
    return task
