"""Streams of environments that are stepped in Python: what they do, and what is kept of it.

The Python twin and the worker processes share it. One policy call serves all streams of a call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pgcore import _core
from pgcore.base.arrays import F32, F64, I64
from pgcore.policies.normalize import Normalizer
from pgcore.rollout import reference
from pgcore.rollout.open_streams import LiveStreams
from pgcore.tasks.actions import mapped_actions


class Stream:
    """An environment of its own, with the addresses of its random numbers.

    No other stream has seen that environment, so nothing that it remembers over resets makes a
    result depend on which streams run where.

    Attributes:
        make: makes the environment, with the first reset.
        trajectory: number of the trajectory that it is in, from 0.
        step: environment steps taken in it.
        lost: no observation can be made of the state; only where an engine is watched.
        diverged: the newest step has blown up; likewise.
    """

    lost = False
    diverged = False

    def __init__(self, make: Callable[[], Any], seed: int, stream_id: int, act_dim: int) -> None:
        self.make, self.seed, self.stream_id, self.act_dim = make, seed, stream_id, act_dim
        self.env: Any = None
        self.trajectory = -1
        self.step = 0

    def reset(self) -> Any:
        """Begin the next trajectory; its first observation."""
        self.trajectory += 1
        self.step = 0
        if self.env is None:
            self.env = self.make()
        address = (self.seed, self.stream_id, self.trajectory, 0, reference.RESET_POSITION)
        obs, _ = self.env.reset(seed=int(_core.uniform(*address, 1)[0] * 2**31))
        return self.observation(obs)

    def advance(self, control: NDArray[Any]) -> tuple[Any, float, bool, bool]:
        """One step: observation, reward, terminated, truncated."""
        self.step += 1
        obs, reward, terminated, truncated, _ = self.env.step(control)
        return self.observation(obs), float(reward), bool(terminated), bool(truncated)

    def observation(self, obs: Any) -> Any:
        """An observation of the environment as the task has it."""
        return obs

    def diverge(self) -> tuple[float, bool]:
        """Reward and terminated where the simulation has blown up and nothing has said so yet."""
        self.diverged = True
        return 0.0, True

    def warnings(self) -> int:
        """Events that an engine has warned of, up to now."""
        return 0

    def noise(self) -> F64:
        """The noise [A] of the next action; from the core, whose bits no CPU changes."""
        address = (self.seed, self.stream_id, self.trajectory, self.step, reference.ACTION)
        return _core.normal(*address, self.act_dim)

    def close(self) -> None:
        """Close the environment; what it raises then comes after all results."""
        with contextlib.suppress(Exception):
            if self.env is not None:
                self.env.close()


@dataclass(frozen=True)
class Controls:
    """What an environment sees of a sampled action.

    Attributes:
        dtype: the environment's.
        map: see :data:`~pgcore.tasks.actions.ACTION_MAPS`.
        low, high: bounds [A].
    """

    dtype: Any
    map: str
    low: F64
    high: F64

    def __call__(self, actions: F32) -> NDArray[Any]:
        """Controls [B, A] for sampled actions [B, A]."""
        controls = mapped_actions(self.map, actions.astype(np.float64), self.low, self.high)
        return controls.astype(self.dtype, copy=False)


def where(rows: I64, count: int) -> I64 | slice:
    """The index of ``rows``, in order and each once, of ``count``: all of them without a copy."""
    return slice(None) if len(rows) == count else rows


class Outputs(Protocol):
    """Mean and std [B, A] that a policy gives some streams ``rows`` [B] for their inputs [B, O]."""

    def __call__(self, inputs: F32, rows: I64) -> tuple[F32, F64]: ...


@dataclass(frozen=True)
class NativeOutputs:
    """Means and stds from the native core, without torch.

    It takes one input after the other, so that a stream's mean has the same bits whichever
    streams share the call; a library's matrix product would not promise that.

    Attributes:
        params: [B, P], the policy of each stream; or [1, P], one policy for all of them.
        sizes, kind: of the policy.
    """

    params: F32
    sizes: tuple[int, ...]
    kind: dict[str, Any]

    def __call__(self, inputs: F32, rows: I64) -> tuple[F32, F64]:
        """See :class:`Outputs`."""
        one = len(self.params) == 1
        params = self.params if one else self.params[where(rows, len(self.params))]
        stacked = inputs[None] if one else inputs[:, None]
        mean, std = _core.policy_outputs(
            params=params, sizes=self.sizes, kind=self.kind, inputs=stacked
        )
        return mean.reshape(len(rows), -1), std.reshape(len(rows), -1)


@dataclass(frozen=True)
class Head:
    """Diagonal Gaussians of the actions of B streams.

    Attributes:
        outputs: where their means and stds come from.
        deterministic: act by the mean.
    """

    outputs: Outputs
    deterministic: bool = False


@dataclass
class Streams:
    """Streams that go step by step together.

    ``rows`` are the streams that a call is about; one that raises an error is left out from then
    on, and the others go on.

    Attributes:
        streams: B of them.
        head, controls: how they act.
        normalizer: a row of statistics for each stream, or None.
        live: whether it follows the observations.
        seen: statistics of the observations of each stream [B], which follow them instead.
        errors: what each failed stream raised, by its place.
        obs, inputs: [B, O], the newest observation of each stream, and as the network sees it.
        rewards, terminated, truncated, diverged: [B], of the newest step.
        unseen: [B], the newest step or reset has given no observation.
    """

    streams: Sequence[Stream]
    head: Head
    controls: Controls
    obs_dim: int
    normalizer: Normalizer | None = None
    live: bool = False
    seen: Normalizer | None = None
    errors: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.streams)
        self.obs = np.zeros((count, self.obs_dim))
        self.inputs = np.zeros((count, self.obs_dim), dtype=np.float32)
        self.rewards = np.zeros(count)
        self.terminated = np.zeros(count, dtype=np.bool_)
        self.truncated = np.zeros(count, dtype=np.bool_)
        self.diverged = np.zeros(count, dtype=np.bool_)
        self.unseen = np.zeros(count, dtype=np.bool_)

    def begin(self, rows: I64) -> I64:
        """Begin a trajectory in every one of ``rows``; returns those that could."""
        for i in rows:
            try:
                self.obs[i] = self._checked(self.streams[i].reset())
                self.unseen[i] = self.streams[i].lost
            except Exception as error:
                self._fail(i, error)
        return self._observed(rows)

    def start(self, live: LiveStreams | None) -> I64:
        """Go on where streams stand, or begin; an observation of before is not counted again."""
        if live is None:
            return self.begin(np.arange(len(self.streams)))
        rows = np.flatnonzero(live.going)
        self.obs[rows] = self.inputs[rows] = live.obs[rows]
        if self.normalizer is not None:
            self.inputs[rows] = self.normalizer.inputs(live.obs[rows], rows)
        return np.sort(np.concatenate([rows, self.begin(np.flatnonzero(~live.going))]))

    def act(self, rows: I64) -> tuple[F32, F32]:
        """Sampled actions [B', A] of ``rows`` and their log-probabilities [B']."""
        head, own = self.head, where(rows, len(self.streams))
        outputs, std = head.outputs(self.inputs[own], rows)
        mean = outputs.astype(np.float64)
        if head.deterministic:
            actions = mean.astype(np.float32)
        else:
            noise = np.array([self.streams[i].noise() for i in rows])
            actions = (mean + std * noise).astype(np.float32)
        z = (actions - mean) / std
        scale = np.log(std).sum(axis=1) + 0.5 * mean.shape[1] * np.log(2 * np.pi)
        log_probs = -0.5 * (z * z).sum(axis=1) - scale
        return actions, log_probs.astype(np.float32)

    def step(self, rows: I64, actions: F32) -> I64:
        """One step of every one of ``rows``; returns those that could."""
        for i, control in zip(rows, self.controls(actions), strict=True):
            try:
                stream = self.streams[i]
                obs, *rest = stream.advance(control)
                if not stream.diverged:  # else there is nothing to see
                    self.obs[i] = self._checked(obs)
                self.rewards[i], self.terminated[i], self.truncated[i] = rest
                self.diverged[i] = stream.diverged
                self.unseen[i] = stream.diverged or stream.lost
            except Exception as error:
                self._fail(i, error)
        return self._observed(rows)

    def end_lost(self, rows: I64, last: bool) -> None:
        """End lost ones of ``rows`` where there is no next step to do it: nothing follows them."""
        if not self.unseen.any():
            return
        for i in rows:
            if self.streams[i].lost and not self.terminated[i] and (last or self.truncated[i]):
                self.rewards[i], self.terminated[i] = self.streams[i].diverge()
                self.diverged[i] = True

    def _observed(self, rows: I64) -> I64:
        """Those of ``rows`` that have not failed; their inputs follow their observations."""
        if self.errors:
            rows = np.array([i for i in rows if i not in self.errors], dtype=np.int64)
        own = where(rows, len(self.streams))
        obs = self.obs[own]
        if self.normalizer is None:
            self.inputs[own] = obs
        else:
            follows = self.normalizer if self.live else self.seen
            if follows is not None:
                there = ~self.unseen[own]
                follows.push(obs[there], rows[there])
            self.inputs[own] = self.normalizer.inputs(obs, rows)
        return rows

    def _checked(self, obs: Any) -> Any:
        if np.shape(obs) != (self.obs_dim,):
            raise ValueError(f"expected an observation [{self.obs_dim}], got {list(np.shape(obs))}")
        return obs

    def _fail(self, i: int, error: Exception) -> None:
        stream = self.streams[i]
        where = f"trajectory {stream.trajectory}, step {stream.step}"
        self.errors[int(i)] = f"{type(error).__name__}: {error} ({where})"
