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
from pathlib import Path
from typing import Any

from pgcore import _core
from pgcore.base.errors import (
    check_choice,
    check_count,
    check_flag,
    check_path,
    check_type,
    shown,
)
from pgcore.tasks.model_files import check_model_files, read_anew, stamp
from pgcore.tasks.named_terms import native_rooms, read_activations
from pgcore.tasks.term import Term

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
        if not self.id.strip() or not self.id.isprintable():
            raise ValueError(f"id: expected a name of printable letters, got {shown(self.id)}")
        check_type("note", self.note, str, "a text")
        check_type("gymnasium_id", self.gymnasium_id, str | None, "an id of Gymnasium's, or None")
        options = self.gymnasium_options
        check_type("gymnasium_options", options, tuple | list, "pairs of a name and a value")
        for pair in options:
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
                wanted = "pairs of a name and a value"
                raise TypeError(f"gymnasium_options: expected {wanted}, got {shown(pair)}")
        check_type("xml", self.xml, str | os.PathLike, "the path of an MJCF file")
        object.__setattr__(self, "xml", os.fspath(self.xml))
        check_count("frame_skip", self.frame_skip, most=_MOST)
        if self.time_limit is not None:
            check_count("time_limit", self.time_limit, most=_MOST)
        check_choice("contact_margins", self.contact_margins, ("sum", "max"))
        own = tuple((name, _frozen(value)) for name, value in options)
        object.__setattr__(self, "gymnasium_options", own)
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
            return check_path("xml", self.xml)
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
        check_type("task", values, Mapping, "a table of a task's fields")
        known = {f.name: f for f in fields(TaskSpec)}
        unknown = sorted(str(name) for name in set(values) - set(known))
        if unknown:
            raise ValueError(f"task: unknown field {unknown[0]!r}; known: {', '.join(known)}")
        needed = [n for n, f in known.items() if f.default is MISSING and n not in values]
        if needed:
            raise ValueError(f"task: expected the field {needed[0]!r}, which is missing")
        chosen = dict(values)
        for room in ROOMS:
            terms = chosen.get(room, ())
            check_type(room, terms, tuple | list, "a list of terms")
            chosen[room] = tuple(_term(room, t) for t in terms)
        options = chosen.get("gymnasium_options", ())
        check_type("gymnasium_options", options, tuple | list, "a list of [name, value]")
        for option in options:
            if not isinstance(option, tuple | list) or len(option) != 2:
                raise ValueError(f"gymnasium_options: expected [name, value], got {shown(option)}")
        chosen["gymnasium_options"] = tuple((str(k), v) for k, v in options)
        return TaskSpec(**chosen)


def _frozen(value: Any) -> Any:
    """A value with tuples for lists."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value


def _term(room: str, values: Any) -> Term:
    """A term from a table with its kind under "term"."""
    if not isinstance(values, Mapping) or not isinstance(values.get("term"), str):
        raise ValueError(
            f'{room}: expected tables such as {{ term = "qpos", start = 1 }}, got {shown(values)}'
        )
    parameters = {k: v for k, v in values.items() if k != "term"}
    for name, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(
                f"{room}: term {values['term']!r}: {name}: expected a number or a text, "
                f"got {shown(value)}"
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
        unread_activations: activations of actuators, part of the state, that no observation reads.
    """

    def __init__(self, spec: TaskSpec, *, lowered: bool = True) -> None:
        check_type("spec", spec, TaskSpec, "a TaskSpec")
        check_flag("lowered", lowered)
        path = spec.xml_path()
        if not path.is_file():
            raise ValueError(f"xml: expected a readable MJCF file, got {str(path)!r}")
        check_model_files(path)
        read_anew()
        self.spec, self.lowered = spec.resolved(), lowered
        terms = {room: [t.native() for t in getattr(spec, room)] for room in ROOMS}
        native = native_rooms(terms, path, spec.frame_skip)
        self.native = _core.Task(
            xml_path=str(path),
            frame_skip=spec.frame_skip,
            time_limit=spec.time_limit or 0,
            contact_margins=spec.contact_margins,
            lowered=lowered,
            **native,
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
        self.unread_activations: int = self.native.na - len(read_activations(native["observation"]))
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
    return _compiled(spec, lowered, stamp(spec.xml_path()))


@functools.lru_cache(maxsize=32)
def _compiled(spec: TaskSpec, lowered: bool, version: tuple[tuple[str, int, int], ...]) -> Task:
    return Task(spec, lowered=lowered)


def _same_task(spec: TaskSpec, lowered: bool, model_hash: str) -> Task:
    """The task that was pickled; ValueError if its model is another one here and now."""
    task = cached_task(spec, lowered)
    if task.model_hash() != model_hash:
        raise ValueError(f"task: the model {spec.xml} of {spec.id} changed meanwhile")
    return task
