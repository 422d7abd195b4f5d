"""The two loops over streams of environments: keep transitions, or scores of trajectories.

Worker processes run what is here; it needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F32, F64, I64
from pgcore.policies.normalize import Normalizer
from pgcore.rollout.environments import Controls, Head, Stream, Streams, where
from pgcore.rollout.open_streams import LiveStreams


@dataclass(frozen=True)
class Block:
    """Some streams and all that it takes to run them, as it goes to another process.

    Attributes:
        make: makes the environment of a stream.
        act_dim, obs_dim: of the task.
        seed, stream_ids: [B], the keys of the streams' random numbers.
        head, controls, normalizer, live: see :class:`Streams`.
        watched: whether its ``seen`` is wanted.
    """

    make: Callable[[], Any]
    act_dim: int
    obs_dim: int
    seed: int
    stream_ids: I64
    head: Head
    controls: Controls
    normalizer: Normalizer | None
    live: bool
    watched: bool


@dataclass(frozen=True)
class Part:
    """What came of the streams of one block.

    Attributes:
        arrays: of :func:`collect_streams` or :func:`evaluate_streams`.
        errors: what each failed stream raised, by its place in the block.
        normalizer: the block's statistics afterwards, or None.
        seen: statistics of each stream's own observations, or None.
    """

    arrays: dict[str, NDArray[Any]]
    errors: dict[int, str]
    normalizer: Normalizer | None
    seen: Normalizer | None = None


def collect_block(block: Block, steps: int) -> Part:
    """:func:`collect_streams` of a block."""
    with _streams(block) as streams:
        arrays = collect_streams(streams, steps, block.act_dim)
    return Part(arrays, streams.errors, streams.normalizer, streams.seen)


def evaluate_block(block: Block, pairs: int, gamma: float) -> Part:
    """:func:`evaluate_streams` of a block."""
    with _streams(block) as streams:
        arrays = evaluate_streams(streams, pairs, gamma)
    return Part(arrays, streams.errors, streams.normalizer)


@contextmanager
def _streams(block: Block) -> Iterator[Streams]:
    made = [Stream(block.make, block.seed, int(i), block.act_dim) for i in block.stream_ids]
    seen = Normalizer.create(block.obs_dim, len(made)) if block.watched else None
    try:
        yield Streams(
            made, block.head, block.controls, block.obs_dim, block.normalizer, block.live, seen
        )
    finally:
        for stream in made:
            stream.close()


class Recorder:
    """The arrays of a batch of S streams, T steps each, as they are filled."""

    def __init__(self, streams: int, steps: int, obs_dim: int, act_dim: int) -> None:
        self.arrays: dict[str, NDArray[Any]] = {
            "obs": np.zeros((streams, steps, obs_dim)),
            "inputs": np.zeros((streams, steps, obs_dim), dtype=np.float32),
            "actions": np.zeros((streams, steps, act_dim), dtype=np.float32),
            "log_probs": np.zeros((streams, steps), dtype=np.float32),
            "rewards": np.zeros((streams, steps)),
            "terminated": np.zeros((streams, steps), dtype=np.bool_),
            "truncated": np.zeros((streams, steps), dtype=np.bool_),
            "diverged": np.zeros((streams, steps), dtype=np.bool_),
            "warnings": np.zeros(streams, dtype=np.int64),
            "reward_fault": np.full(streams, -1, dtype=np.int64),
        }
        self.bootstrap: list[tuple[int, int, F64, F32]] = []

    def keep(self, t: int, rows: I64, **values: NDArray[Any]) -> None:
        """Values [B', ...] of step ``t`` of the streams ``rows``, by their names."""
        own = where(rows, len(self.arrays["obs"]))
        for name, value in values.items():
            self.arrays[name][own, t] = value

    def keep_events(self, streams: Streams) -> None:
        """What the streams' engines have counted, and whose rewards are not finite."""
        self.arrays["warnings"][:] = [stream.warnings() for stream in streams.streams]
        faulty = ~np.isfinite(self.arrays["rewards"]).all(axis=1)
        self.arrays["reward_fault"][faulty] = 0

    def finish(self) -> dict[str, NDArray[Any]]:
        """All arrays; what follows truncations and cuts stream by stream."""
        self.bootstrap.sort(key=lambda entry: entry[:2])
        obs_dim = self.arrays["obs"].shape[2]
        index = np.array([entry[:2] for entry in self.bootstrap], dtype=np.int64)
        obs = np.array([entry[2] for entry in self.bootstrap])
        inputs = np.array([entry[3] for entry in self.bootstrap], dtype=np.float32)
        return self.arrays | {
            "bootstrap_index": index.reshape(-1, 2),
            "bootstrap_obs": obs.reshape(-1, obs_dim),
            "bootstrap_inputs": inputs.reshape(-1, obs_dim),
        }


def collect_streams(
    streams: Streams, steps: int, act_dim: int, live: LiveStreams | None = None
) -> dict[str, NDArray[Any]]:
    """Run every stream for ``steps`` steps, with resets inside; the arrays of a batch.

    Args:
        streams: S of them.
        steps: of each.
        act_dim: A.
        live: where they stand; None: they begin.
    """
    count = len(streams.streams)
    recorder = Recorder(count, steps, streams.obs_dim, act_dim)
    rows = streams.start(live)
    for t in range(steps):
        if not len(rows):  # every one has failed
            break
        # observe, act, step
        own = where(rows, count)
        actions, log_probs = streams.act(rows)
        obs, inputs = streams.obs[own], streams.inputs[own]
        recorder.keep(t, rows, obs=obs, inputs=inputs, actions=actions, log_probs=log_probs)
        rows = streams.step(rows, actions)
        last = t + 1 == steps
        streams.end_lost(rows, last)
        own = where(rows, count)
        terminated, truncated = streams.terminated[own], streams.truncated[own]
        recorder.keep(t, rows, rewards=streams.rewards[own], diverged=streams.diverged[own])
        recorder.keep(t, rows, terminated=terminated, truncated=truncated)
        # what to bootstrap from, then reset
        ended = terminated | truncated
        if not (last or ended.any()):
            continue
        for i in rows[~terminated & (truncated | last)]:
            recorder.bootstrap.append((int(i), t, streams.obs[i].copy(), streams.inputs[i].copy()))
        if not last:
            rows = np.sort(np.concatenate([rows[~ended], streams.begin(rows[ended])]))
    recorder.keep_events(streams)
    return recorder.finish()


# stream, trajectory, discounted return, sum of rewards, length
Finished = tuple[int, int, float, float, int]


def evaluate_streams(streams: Streams, pairs: int, gamma: float) -> dict[str, NDArray[Any]]:
    """Run every stream until it has ``pairs`` steps, and then to the end of that trajectory.

    Returns:
        ``returns``, ``totals``, ``lengths`` and ``stream``, [N] each, stream by stream.
    """
    count = len(streams.streams)
    value, total, discount = np.zeros(count), np.zeros(count), np.ones(count)
    length, taken = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    finished: list[Finished] = []
    rows = streams.begin(np.arange(count))
    while len(rows):
        actions, _ = streams.act(rows)
        rows = streams.step(rows, actions)
        value[rows] += discount[rows] * streams.rewards[rows]
        total[rows] += streams.rewards[rows]
        discount[rows] *= gamma
        length[rows] += 1
        over = streams.terminated[rows] | streams.truncated[rows]
        if not over.any():
            continue
        ended = rows[over]
        for i in ended:
            number = streams.streams[i].trajectory
            finished.append((int(i), number, float(value[i]), float(total[i]), int(length[i])))
        taken[ended] += length[ended]
        value[ended], total[ended], discount[ended], length[ended] = 0.0, 0.0, 1.0, 0
        again = streams.begin(ended[taken[ended] < pairs])
        rows = np.sort(np.concatenate([rows[~over], again]))
    return score_arrays(finished)


def score_arrays(finished: list[Finished]) -> dict[str, NDArray[Any]]:
    """Arrays of trajectories, stream by stream."""
    finished = sorted(finished)
    return {
        "returns": np.array([f[2] for f in finished], dtype=np.float64),
        "totals": np.array([f[3] for f in finished], dtype=np.float64),
        "lengths": np.array([f[4] for f in finished], dtype=np.int64),
        "stream": np.array([f[0] for f in finished], dtype=np.int64),
    }
