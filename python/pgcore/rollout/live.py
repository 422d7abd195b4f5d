"""Rollouts whose environments stay open for the next call, in this process."""

from __future__ import annotations

import dataclasses

import numpy as np

from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.call import Call
from pgcore.rollout.environments import Stream, Streams
from pgcore.rollout.loops import Part, collect_streams
from pgcore.rollout.open_streams import LiveStreams
from pgcore.rollout.parallel import batch_of, block_of
from pgcore.tasks.gymnasium import GymnasiumTask


def collect(
    task: GymnasiumTask,
    policy: GaussianPolicy,
    call: Call,
    steps: int,
    actions: str,
    deterministic: bool,
    start: LiveStreams | None,
) -> RolloutBatch:
    """See :func:`pgcore.collect`; the arguments are checked there.

    Raises:
        ValueError: ``start`` has another number of streams, or another task's, or is used again.
    """
    every = np.arange(len(call.member))
    if start is None:
        made = [Stream(task.make, call.seed, int(i), task.act_dim) for i in call.stream_ids]
        shape = (len(every), task.obs_dim)
        going = np.zeros(len(every), dtype=np.bool_)
        start = LiveStreams(made, np.zeros(shape), going, task.id)
    elif (start.task, len(start.streams)) != (task.id, len(every)):
        raise ValueError(
            f"start: expected {len(every)} streams of {task.id}, got {len(start.streams)} of "
            f"{start.task}"
        )
    elif start.left:
        raise ValueError(
            "start: these environments have gone on from there already; use the end of that batch"
        )
    start.left = True
    for stream in start.streams:
        stream.seed = call.seed
    block = block_of(task, policy, call, every, actions, deterministic)
    seen = Normalizer.create(task.obs_dim, len(every)) if call.watched else None
    parts = (block.head, block.controls, task.obs_dim, block.normalizer, call.live, seen)
    streams = Streams(start.streams, *parts)
    try:
        arrays = collect_streams(streams, steps, task.act_dim, start)
        part = Part(arrays, streams.errors, streams.normalizer, streams.seen)
        batch = batch_of(call, [every], [part])
    except BaseException:
        start.close()
        raise
    going = ~(batch.terminated | batch.truncated)[:, -1]
    end = LiveStreams(start.streams, streams.obs.copy(), going, task.id)
    return dataclasses.replace(batch, end=end)
