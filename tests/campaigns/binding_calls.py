"""Calls of the bindings, mostly of the right names and shapes, from any source of choices."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

TASKS = ("Hopper-v2", "LinearQuadratic-v0")
NUMBERS = (0.0, 1.0, -1.0, 0.5, 1e300, -1e-320, float("nan"), float("inf"), 3.7)
COUNTS = (0, 1, 2, 3, -1, 7, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, 2**63, 2**64, 1.5, None, "1")
ODD = (None, "", "x", b"x", 1.5, [], {}, (1, 2), object, np.zeros(0), np.array(1), "\0")


class Source:
    """Where choices come from: a random generator, or the bytes that libFuzzer gives."""

    def __init__(self, rng: Any) -> None:
        self.integer: Callable[[int, int], int] = (
            rng.randint if isinstance(rng, random.Random) else rng.ConsumeIntInRange
        )

    def one(self, choices: Sequence[Any]) -> Any:
        """One of them."""
        return choices[self.integer(0, len(choices) - 1)]

    def seldom(self, of: int = 12) -> bool:
        """True once in a while."""
        return self.integer(0, of - 1) == 0

    def array(self, shape: Sequence[int], dtype: Any, low: int = -3, high: int = 3) -> Any:
        """An array of this shape and dtype; seldom of another."""
        if self.seldom(40):
            return self.one(ODD)
        sizes = [max(0, n + self.integer(-1, 1)) if self.seldom(30) else n for n in shape]
        if self.seldom(30):
            sizes = self.one(([], sizes[1:], [*sizes, 1], [0, *sizes[1:]]))
        kind = self.one((np.int8, np.float16, np.int64, "U1", bool)) if self.seldom(30) else dtype
        step = self.integer(1, 5)
        values = np.arange(int(np.prod(sizes))) * step % (high - low + 1) + low
        made = values.reshape(sizes).astype(kind)
        if made.dtype.kind == "f" and made.size and self.seldom():
            with np.errstate(over="ignore"):
                made.flat[self.integer(0, made.size - 1)] = self.one(NUMBERS)
        if self.seldom(30) and made.ndim:
            made = self.one((made[..., ::-1], np.asfortranarray(made), made[::2]))
        return made

    def count(self, low: int, high: int) -> Any:
        """A count from a range; seldom another one."""
        return self.one(COUNTS) if self.seldom(25) else self.integer(low, high)

    def number(self, low: float, high: float) -> Any:
        """A number from a range; seldom another one."""
        return self.one(NUMBERS) if self.seldom() else low + (high - low) * self.integer(0, 8) / 8


class Calls:
    """Calls of every function of the module."""

    def __init__(self) -> None:
        import pgcore
        from pgcore import _core

        self.core = _core
        self.tasks = [pgcore.make_task(name) for name in TASKS]
        self.made = [
            self.rollout, self.rollout, self.branch, self.replay, self.environments, self.returns,
            self.policy, self.random_numbers, self.task,
        ]  # fmt: skip

    def __call__(self, s: Source) -> tuple[str, Callable[[], Any]]:
        """A call in words, and what makes it."""
        name, function, arguments = s.one(self.made)(s)
        if s.seldom(40) and arguments:
            arguments[s.one(sorted(arguments))] = s.one(ODD)
        return f"{name}({arguments!r})"[:2000], lambda: function(**arguments)

    def _policy(self, s: Source, obs: int, act: int, members: int) -> dict[str, Any]:
        hidden = [s.integer(1, 4) for _ in range(s.integer(0, 2))]
        std = s.one(("free", "free", "state"))
        sizes = [obs, *hidden, act * (1 if std == "free" else 2)]
        count = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
        count += act if std == "free" else 0
        if s.seldom(15):
            sizes = s.one(([], [obs], [obs, -1, act], [obs, 2**31 - 1, act], [0, 0], sizes[::-1]))
        kind = {
            "activation": s.one(("tanh", "relu", "none", "elu", "x")),
            "mean_map": s.one(("none", "tanh")),
            "std": std,
            "std_map": s.one(("clamp", "softplus")),
            "log_std_range": (s.number(-3, 0), s.number(0, 2)),
            "min_std": s.number(0, 1),
        }
        if s.seldom(20):
            kind.pop(s.one(sorted(kind)))
        return {"params": s.array([members, count], np.float32), "sizes": sizes, "kind": kind}

    def _streams(self, s: Source) -> tuple[Any, dict[str, Any], int]:
        task, members, streams = s.one(self.tasks), s.integer(1, 2), s.integer(1, 3)
        obs = task.obs_dim
        return (
            task,
            {
                "task": task.native,
                **self._policy(s, obs, task.act_dim, members),
                "member": s.array([streams], np.int64, 0, members - 1),
                "stream_ids": s.array([streams], np.int64, 0, 5),
                "seed": s.count(0, 9),
                "deterministic": s.seldom(2),
                "action_map": s.one(("none", "clip", "scale", "tanh", "x")),
                "num_threads": s.one((1, 1, 2, 3, 0, -1)),
                "normalizer": None if s.seldom(2) else (
                    s.array([members], np.float64, 0, 3), s.array([members, obs], np.float64),
                    s.array([members, obs], np.float64, 0, 3), s.number(0, 10), s.seldom(2),
                ),
            },
            streams,
        )  # fmt: skip

    def rollout(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """Collecting, perhaps from states, or evaluating."""
        task, arguments, streams = self._streams(s)
        if s.seldom(3):
            arguments |= {"pairs": s.integer(-1, 30), "gamma": s.number(0, 1)}
            return "evaluate", self.core.evaluate, arguments
        start = None
        if s.seldom(2):
            size = task.native.state_size()
            start = (
                s.array([streams, size], np.float64), s.array([streams], np.int64, 0, 3),
                s.array([streams], np.int64, 0, 1200),
            )  # fmt: skip
        arguments |= {
            "steps": s.integer(-1, 6), "watch": s.seldom(2), "start": start,
            "keep_end": s.seldom(2), "keep_states": s.seldom(2),
        }  # fmt: skip
        return "collect", self.core.collect, arguments

    def branch(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """Continuations of trajectories."""
        _, arguments, _ = self._streams(s)
        points, repeats = s.integer(1, 3), s.integer(1, 2)
        arguments |= {
            "at": s.array([points], np.int64, 0, 40),
            "seeds": s.array([points, repeats], np.int64, 0, 9),
            "first": s.array([points], np.int64, 0, 2),
            "tail": s.count(1, 5),
            "gamma": s.number(0, 1),
            "limited": s.seldom(2),
            "keep_rewards": s.seldom(2),
        }
        return "branch", self.core.branch, arguments

    def replay(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """Given actions from given states."""
        task, streams, steps = s.one(self.tasks), s.integer(1, 2), s.integer(1, 4)
        native = task.native
        return "replay", self.core.replay, {
            "task": native,
            "qpos": s.array([streams, native.nq], np.float64),
            "qvel": s.array([streams, native.nv], np.float64),
            "actions": s.array([streams, steps, task.act_dim], np.float64),
            "num_threads": s.one((1, 2, 0)),
        }  # fmt: skip

    def environments(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """Environments, stepped whether or not they were reset."""
        task, count = s.one(self.tasks), s.integer(1, 3)
        obs, flags = s.array([count, task.obs_dim], np.float64), [count]
        mask = s.array(flags, bool, 0, 1)
        seeding = {"mask": mask, "seeds": s.array(flags, np.uint64, 0, 9)}
        seeding["ids"] = s.array(flags, np.int64, 0, 9)
        stepping = {
            "actions": s.array([count, task.act_dim], np.float64), "action_map": "none", "obs": obs,
            "rewards": s.array(flags, np.float64), "terminated": s.array(flags, bool, 0, 1),
            "truncated": s.array(flags, bool, 0, 1), "diverged": s.array(flags, bool, 0, 1),
            "final_obs": None if s.seldom(2) else s.array([count, task.obs_dim], np.float64),
            "num_threads": s.one((1, 2)),
        }  # fmt: skip
        order = [s.integer(0, 3) for _ in range(4)]
        size = s.count(count, count) if s.seldom(3) else count
        if isinstance(size, int) and size > 10**6:
            size = count  # memory, and no fault

        def run(task: Any, count: Any, obs: Any, mask: Any) -> None:
            made = self.core.Environments(task, count)
            for step in order:
                if step == 0:
                    made.seed(**seeding)
                elif step == 1:
                    made.reset(mask=mask, obs=obs, num_threads=1)
                elif step == 2:
                    made.step(**stepping)
                else:
                    made.states()

        arguments = {"task": task.native, "count": size, "obs": obs, "mask": mask}
        return f"Environments {order}", run, arguments

    def returns(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """Advantages, returns and scaled rewards."""
        shape = [s.integer(1, 3), s.integer(1, 4)]
        real, flag = lambda: s.array(shape, np.float64), lambda: s.array(shape, bool, 0, 1)
        ends = {"terminated": flag(), "truncated": flag(), "gamma": s.number(0, 1)}
        kind = s.integer(0, 2)
        if kind == 0:
            values = {"rewards": real(), "values": real(), "next_values": real()}
            return "gae", self.core.gae, {**values, **ends, "lam": s.number(0, 1)}
        if kind == 1:
            values = {"rewards": real(), "bootstrap": real()}
            return "discounted_returns", self.core.discounted_returns, {**values, **ends}
        return "scale_rewards", self.core.scale_rewards, {
            "rewards": real(), "ended": flag(), "gamma": s.number(0, 1), "clip": s.number(0, 10),
            "state": s.array([3 + shape[0]], np.float64, 0, 3),
        }  # fmt: skip

    def policy(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """What networks compute."""
        obs, members = s.integer(1, 4), s.integer(1, 2)
        if s.seldom(4):
            values = s.array([s.integer(0, 40)], np.float32)
            return "activate", self.core.activate, {"activation": s.one(("tanh", "gelu", "x")),
                                                    "values": values}  # fmt: skip
        arguments = self._policy(s, obs, s.integer(1, 3), members)
        arguments["inputs"] = s.array([members, s.integer(0, 3), obs], np.float32)
        return "policy_outputs", self.core.policy_outputs, arguments

    def random_numbers(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """Numbers of the counter-based generator."""
        names = ("seed", "stream_id", "trajectory", "step", "purpose")
        arguments = {name: s.count(0, 9) for name in names} | {"n": s.integer(-1, 9)}
        name = s.one(("uniform", "normal"))
        return name, getattr(self.core, name), arguments

    def task(self, s: Source) -> tuple[str, Any, dict[str, Any]]:
        """A task of a model that is there, of any terms."""
        kinds = {
            "reset": ("uniform", "gaussian", "set", "disc", "box_outside_disc", "x"),
            "observation": ("qpos", "qvel", "cinert", "cfrc_ext", "body_position", "zeros"),
            "reward": ("coordinate", "healthy", "control_cost", "distance_cost", "site_cost"),
            "termination": ("qpos_range", "state_range", "site_range"),
        }
        names = ("start", "end", "low", "high", "index", "body", "count", "scale", "target", "axis")
        values = (*NUMBERS, -7.0, 99.0, 2.0**31, 2.0**63, "qpos", "x", "torso", "")

        def terms(room: str) -> list[Any]:
            return [
                (s.one(kinds[room]), {s.one(names): s.one(values) for _ in range(s.integer(0, 3))})
                for _ in range(s.integer(0, 2))
            ]

        return "Task", self.core.Task, {
            "xml_path": str(s.one(self.tasks).spec.xml_path()), "frame_skip": s.count(1, 3),
            "time_limit": s.count(1, 9), "contact_margins": s.one(("sum", "max", "x")),
            "lowered": s.seldom(2), **{room: terms(room) for room in kinds},
        }  # fmt: skip
