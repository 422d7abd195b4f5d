"""Any Gymnasium environment with Box spaces as a task, stepped in Python.

Nothing here knows what the environment simulates, so its state cannot be restored and no pass can
make it cheaper. gymnasium is imported when such a task is made.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import itertools
import json
import math
import pickle
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from pgcore.base.arrays import F64
from pgcore.tasks.gymnasium_suite.options import parse_options
from pgcore.tasks.task import Task

PREFIX = "gym:"
_RESHAPE = {
    "observation_space": "gymnasium.wrappers.FlattenObservation(env)",
    "action_space": "a gymnasium.ActionWrapper",
}


@dataclass(frozen=True)
class GymnasiumSpec:
    """A registered environment and its options, as plain data.

    Attributes:
        id: what ``gymnasium.make`` takes, ``"Pendulum-v1"``; with ``"module:"`` ahead of it, that
            module is imported first, and registers it.
        options: (name, value) pairs of literals for ``gymnasium.make``, in the order of the names.
    """

    id: str
    options: tuple[tuple[str, Any], ...] = ()

    @staticmethod
    def parse(task_id: str) -> GymnasiumSpec:
        """The definition that ``"gym:ID"`` or ``"gym:ID(option=literal, ...)"`` stands for.

        Raises:
            ValueError: the options are no literals.
        """
        env_id, options = parse_options(task_id.removeprefix(PREFIX))
        return GymnasiumSpec(env_id, tuple(sorted(options.items())))

    @property
    def task_id(self) -> str:
        """What :meth:`parse` makes this definition of."""
        text = ", ".join(f"{name}={value!r}" for name, value in self.options)
        return f"{PREFIX}{self.id}({text})" if text else PREFIX + self.id

    def maker(self) -> Callable[[], Any]:
        """A function that makes the environment, in other processes too.

        Raises:
            ValueError: no such environment is registered (near matches are named).
        """
        import gymnasium

        module, _, name = self.id.rpartition(":")
        try:
            if module:
                _import(module)
            # the registration itself goes along: other processes may not have made it
            registered = gymnasium.spec(name)
        except (gymnasium.error.Error, ImportError) as error:
            raise ValueError(f"task: {self.task_id}: {error}") from None
        options = {"disable_env_checker": True, **dict(self.options)}
        return functools.partial(gymnasium.make, registered, **options)


def _import(module: str) -> None:
    """Import what registers an environment; whatever it raises, as an ImportError of one line."""
    try:
        importlib.import_module(module)
    except ImportError:
        raise
    except Exception as error:
        raise ImportError(f"{module} raises {type(error).__name__}: {error}") from error


class GymnasiumTask:
    """A Gymnasium environment as a task. Made by :func:`pgcore.make_task`; immutable.

    Attributes:
        id: ``"gym:ID"`` with its options; ``"gym:<Name>"`` for an environment that a function made.
        obs_dim: length O of an observation.
        act_dim: length A of an action.
        dt: seconds of one environment step, or NaN where the environment has no ``dt``.
        time_limit: ``max_episode_steps`` of the environment's registration or wrapper, or None.
        spec: the definition, or None for an environment that a function made.
        observation_space, action_space: the environment's Box spaces.
        passes: none; see :class:`pgcore.Task`.
    """

    passes: tuple[str, ...] = ()

    def __init__(self, definition: GymnasiumSpec | Callable[[], Any]) -> None:
        """Make the environment once, and read what it is.

        Raises:
            ValueError: it cannot be made from its id, or its spaces are no Box spaces [O], [A].
        """
        self.spec: GymnasiumSpec | None = None
        self.make: Callable[[], Any]
        if isinstance(definition, GymnasiumSpec):
            self.spec, self.make = definition, definition.maker()
        else:
            self.make = definition
        try:
            env = self.make()
        except Exception as error:
            if self.spec is None:  # the caller's own function: its error says more than ours
                raise
            name = type(error).__name__
            raise ValueError(f"task: {self.spec.task_id} cannot be made: {name}: {error}") from None
        try:
            self._read(env)
        finally:
            getattr(env, "close", lambda: None)()

    def _read(self, env: Any) -> None:
        inner = getattr(env, "unwrapped", env)
        kind = type(inner)
        registration = getattr(env, "spec", None)
        name = registration.id if registration is not None else kind.__name__
        self.id = self.spec.task_id if self.spec is not None else f"{PREFIX}<{name}>"
        self.observation_space, self.obs_dim = _checked_space(self.id, env, "observation_space")
        self.action_space, self.act_dim = _checked_space(self.id, env, "action_space")
        dt = getattr(inner, "dt", None)
        self.dt = float(dt) if isinstance(dt, Real) else math.nan
        self.time_limit = _time_limit(env)
        self._class = f"{kind.__module__}.{kind.__qualname__}"
        self._wrapped = re.sub(r" at 0x[0-9a-f]+", "", str(env))  # the same in every process

    @property
    def action_low(self) -> F64:
        """Lower bounds [A] of the environment's actions."""
        return self.action_space.low.astype(np.float64)  # type: ignore[no-any-return]

    @property
    def action_high(self) -> F64:
        """Upper bounds [A] of the environment's actions."""
        return self.action_space.high.astype(np.float64)  # type: ignore[no-any-return]

    def model_hash(self) -> str:
        """SHA-256 of what names the environment, which provenance records.

        That is its id and options (its class and wrappers, where a function made it) and the
        versions of gymnasium and of the package that it comes from; its code is not looked at.
        """
        import gymnasium

        package = sys.modules.get(self._class.partition(".")[0])
        made_by = repr(self.spec) if self.spec is not None else self._wrapped
        versions = [gymnasium.__version__, str(getattr(package, "__version__", None))]
        text = json.dumps([made_by, self._class, self.time_limit, *versions])
        return hashlib.sha256(text.encode()).hexdigest()

    def definition_hash(self) -> str:
        """As :meth:`model_hash`, which knows the options and the time limit."""
        return self.model_hash()

    def describe(self) -> str:
        """Spaces, bounds and limits, as `pgcore tasks gym:ID` prints them."""
        seconds = "" if math.isnan(self.dt) else f"; one step is {self.dt:g} s"
        limit = f"after {self.time_limit} steps" if self.time_limit else "never"
        lines = [f"{self.id}: a Gymnasium environment, stepped in Python{seconds}"]
        for name, space in (("observation", self.observation_space), ("action", self.action_space)):
            lines += ["", f"{name} ({space.shape[0]}), {space.dtype}", f"{'index':>9}  bounds"]
            lines += _bounds(space)
        lines += [
            "",
            "sampled actions are clipped to their bounds on the way into the environment, or as "
            "--actions says",
            f"truncated {limit}",
            f"meaning, reward and termination: python -m pydoc {self._class}",
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"GymnasiumTask({self.id!r}, obs_dim={self.obs_dim}, act_dim={self.act_dim})"

    def __reduce__(self) -> tuple[Callable[[bytes], GymnasiumTask], tuple[bytes]]:
        import cloudpickle

        return _unpickled, (cloudpickle.dumps(vars(self)),)


AnyTask: TypeAlias = Task | GymnasiumTask


def _unpickled(state: bytes) -> GymnasiumTask:
    """The task of :meth:`GymnasiumTask.__reduce__`, without making the environment again."""
    task = GymnasiumTask.__new__(GymnasiumTask)
    vars(task).update(pickle.loads(state))
    return task


def _checked_space(task_id: str, env: Any, name: str) -> tuple[Any, int]:
    """A Box space and its length.

    Raises:
        ValueError: it is another space, or not flat.
    """
    import gymnasium

    space = getattr(env, name, None)
    if not isinstance(space, gymnasium.spaces.Box):
        raise ValueError(f"task: {task_id}: expected a Box {name}, got {space}")
    if len(space.shape) != 1:
        raise ValueError(
            f"task: {task_id}: expected a flat Box {name}, got shape {list(space.shape)}; wrap it "
            f"in {_RESHAPE[name]} inside a function, and give that function to make_task"
        )
    if name == "action_space" and not np.issubdtype(space.dtype, np.floating):
        raise ValueError(f"task: {task_id}: expected actions of a float dtype, got {space.dtype}")
    return space, int(space.shape[0])


def _time_limit(env: Any) -> int | None:
    """The steps after which an environment truncates: as it is wrapped, or else as registered.

    Of several limits the least: the outer one may be larger than that of the registration.
    """
    import gymnasium

    limits, outer = list[int](), env
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, gymnasium.wrappers.TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    registered: int | None = getattr(getattr(outer, "spec", None), "max_episode_steps", None)
    return min(limits, default=registered)


def _bounds(space: Any) -> list[str]:
    """One line per run of equal bounds."""
    lines, start = [], 0
    for (low, high), run in itertools.groupby(zip(space.low, space.high, strict=True)):
        last = start + len(list(run)) - 1
        index = str(start) if last == start else f"{start}..{last}"
        lines.append(f"{index:>9}  [{low:g}, {high:g}]")
        start = last + 1
    return lines
