"""Tasks as data: a model, a time limit and lists of terms."""

from __future__ import annotations

import difflib
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgcore import _core
from pgcore.errors import check_count


@dataclass(frozen=True)
class Term:
    """One term of a task: its kind and its parameters, e.g. ``Term.of("qvel", clip=10.0)``.

    Kinds (parameters; those with a default may be left out):
        observation:
            qpos, sin_qpos, cos_qpos (start=0, end)
            qvel, qfrc_actuator, qfrc_constraint (start=0, end, clip)
            cinert, cvel (start=0), cfrc_ext (start=0, low, high): per body
            body_position (body, relative_to, axes="xyz")
        reward:
            coordinate (weight=1, index, per="one"|"timestep")
            coordinate_velocity (weight=1, index=0), com_velocity (weight=1, axis="x"),
            body_velocity (weight=1, axis="x", body)
            healthy (value=1, when="healthy"|"always")
            control_cost (weight)
            contact_cost (weight, low, high: of each entry of cfrc_ext, min, max: of the cost)
            velocity_cost (weight, index), site_cost (weight, site, axis="x", target=0)
            distance_cost (weight=1, body, to, when="after"|"before" the step)
            quadratic_state_cost (position=0, velocity=0)
        termination:
            qpos_range (index), state_range (start=0), site_range (site, axis="z"), each with
            low, high, interval="open"|"closed"; ends=1: with 0 the state is unhealthy, so that
            the healthy reward is not paid, but the trajectory goes on
        reset, in order, from the model's defaults:
            uniform, gaussian (target="qpos"|"qvel", start=0, end, scale)
            set (target, start=0, end, value)
            disc (start, radius), box_outside_disc (start, x_low, x_high, y_low, y_high, radius):
            a random place for qpos[start:start + 2]

    ``start`` and ``end`` of qpos and qvel count as in Python, negative ones from the end. Bodies
    and sites are given by name or number.
    """

    kind: str
    parameters: tuple[tuple[str, float | str], ...] = ()

    @staticmethod
    def of(kind: str, **parameters: float | str) -> Term:
        """A term from keyword parameters."""
        return Term(kind, tuple(sorted(parameters.items())))

    def native(self) -> tuple[str, dict[str, float | str]]:
        """The form that the native core takes."""
        values = {k: v if isinstance(v, str) else float(v) for k, v in self.parameters}
        return self.kind, values


@dataclass(frozen=True)
class TaskSpec:
    """A definition of a task.

    Attributes:
        id: name of the task, e.g. ``"Hopper-v2"``.
        xml: path of the MJCF file; a bare file name is looked up among Gymnasium's models.
        frame_skip: simulator steps per environment step.
        time_limit: environment steps after which a trajectory is truncated; None: never.
        reset, observation, reward, termination: the terms, in order. Observations are
            concatenated, rewards summed; any termination term ends the trajectory.
        gymnasium_id: the Gymnasium environment of the same dynamics, for ``backend="python"``.
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
    note: str = ""
    gymnasium_options: tuple[tuple[str, Any], ...] = ()

    def xml_path(self) -> Path:
        """Where the model file is."""
        if "/" in self.xml:
            return Path(self.xml).expanduser()
        own = Path(__file__).parent / "models" / self.xml
        if own.is_file():
            return own
        import gymnasium

        return Path(gymnasium.__path__[0]) / "envs" / "mujoco" / "assets" / self.xml


class Task:
    """A task that can be simulated. Made by :func:`make_task`; immutable and safe to share.

    Attributes:
        id: the task's name.
        obs_dim: length O of an observation.
        act_dim: length A of an action.
        dt: seconds of one environment step.
        frame_skip: simulator steps in one environment step.
        time_limit: environment steps after which a trajectory is truncated, or None.
        spec: the definition.
    """

    def __init__(self, spec: TaskSpec, *, lowered: bool = True) -> None:
        check_count("frame_skip", spec.frame_skip)
        if spec.time_limit is not None:
            check_count("time_limit", spec.time_limit)
        path = spec.xml_path()
        if not path.is_file():
            raise ValueError(f"xml: expected a readable MJCF file, got {str(path)!r}")
        self.spec = spec
        self.native = _core.Task(
            xml_path=str(path),
            frame_skip=spec.frame_skip,
            time_limit=spec.time_limit or 0,
            lowered=lowered,
            reset=[t.native() for t in spec.reset],
            observation=[t.native() for t in spec.observation],
            reward=[t.native() for t in spec.reward],
            termination=[t.native() for t in spec.termination],
        )
        self.id = spec.id
        self.frame_skip = spec.frame_skip
        self.time_limit = spec.time_limit
        self.obs_dim: int = self.native.obs_dim
        self.act_dim: int = self.native.act_dim
        self.dt: float = self.native.dt

    def model_hash(self) -> str:
        """SHA-256 of the model file, which provenance records."""
        return hashlib.sha256(self.spec.xml_path().read_bytes()).hexdigest()

    def __repr__(self) -> str:
        return f"Task({self.id!r}, obs_dim={self.obs_dim}, act_dim={self.act_dim}, dt={self.dt:g})"

    def __reduce__(self) -> tuple[type[Task], tuple[TaskSpec]]:
        return Task, (self.spec,)


@functools.lru_cache(maxsize=32)
def _cached_task(spec: TaskSpec, lowered: bool) -> Task:
    return Task(spec, lowered=lowered)


def task_ids() -> list[str]:
    """The ids of the built-in tasks."""
    from pgcore.task_definitions import TASKS

    return list(TASKS)


def make_task(task: str | TaskSpec, *, lowered: bool = True) -> Task:
    """A task by its id or from a definition of your own.

    Args:
        task: an id (see :func:`task_ids`), an id with Gymnasium's options such as
            ``"Ant-v5(frame_skip=4)"``, or a :class:`TaskSpec`.
        lowered: switch off engine passes that cannot change a bit of a trajectory (faster).

    Raises:
        ValueError: unknown id (the message names near matches), bad term or model file.
    """
    from pgcore.task_definitions import TASKS

    if isinstance(task, TaskSpec):
        return _cached_task(task, lowered)
    if "(" in str(task):
        from pgcore.gymnasium_suite.options import parse_id

        return _cached_task(parse_id(task), lowered)
    if task not in TASKS:
        by_lower = {name.lower(): name for name in TASKS}
        near = difflib.get_close_matches(str(task).lower(), by_lower, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(by_lower[n] for n in near)}? " if near else ""
        raise ValueError(f"task: unknown id {task!r}; {hint}`pgcore tasks` lists all ids")
    return _cached_task(TASKS[task], lowered)
