"""Rollouts of Gymnasium environments: blocks of streams, over several processes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import I64
from pgcore.base.errors import SimulationError
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.rollout.batch import RolloutBatch, Scores, merge_seen
from pgcore.rollout.call import Call
from pgcore.rollout.environments import Controls, Head, NativeOutputs
from pgcore.rollout.loops import Block, Part, Recorder, collect_block, evaluate_block, score_arrays
from pgcore.rollout.processes import JobError, run_jobs
from pgcore.tasks.actions import action_bounds
from pgcore.tasks.gymnasium import GymnasiumTask

_BLOCK = 8  # most streams that share a policy call, and so environments open in a process


def controls_of(task: GymnasiumTask, actions: str) -> Controls:
    """What the environments see of sampled actions."""
    return Controls(task.action_space.dtype, actions, *action_bounds(task))


def collect(
    task: GymnasiumTask,
    policy: GaussianPolicy,
    call: Call,
    steps: int,
    actions: str,
    deterministic: bool,
) -> RolloutBatch:
    """See :func:`pgcore.collect`; the arguments are checked there."""
    pieces = _pieces(call)
    blocks = [block_of(task, policy, call, p, actions, deterministic) for p in pieces]

    def nothing(streams: int) -> dict[str, NDArray[Any]]:
        return Recorder(streams, steps, task.obs_dim, task.act_dim).finish()

    found = _run(collect_block, blocks, (steps,), call.num_threads)
    return batch_of(call, pieces, _parts(pieces, found, nothing))


def evaluate(
    task: GymnasiumTask,
    policy: GaussianPolicy,
    call: Call,
    pairs: int,
    gamma: float,
    actions: str,
    deterministic: bool,
) -> Scores:
    """See :func:`pgcore.evaluate`; ``pairs`` are those of each stream."""
    pieces = _pieces(call)
    blocks = [block_of(task, policy, call, p, actions, deterministic) for p in pieces]
    found = _run(evaluate_block, blocks, (pairs, gamma), call.num_threads)
    parts = _parts(pieces, found, lambda streams: score_arrays([]))
    stream = [p[part.arrays["stream"]] for p, part in zip(pieces, parts, strict=True)]
    scores = Scores(
        returns=np.concatenate([part.arrays["returns"] for part in parts]),
        totals=np.concatenate([part.arrays["totals"] for part in parts]),
        lengths=np.concatenate([part.arrays["lengths"] for part in parts]),
        member=call.member[np.concatenate(stream)],
        stream=np.concatenate(stream),
        diverged=np.zeros(sum(map(len, stream)), dtype=np.bool_),
        warnings=np.zeros(len(call.member), dtype=np.int64),
    )
    _raise_errors(pieces, parts, scores)
    return scores


def batch_of(call: Call, pieces: list[I64], parts: list[Part]) -> RolloutBatch:
    """The batch of all streams; moves the call's normaliser.

    Args:
        pieces: the streams of each part, all of them in order.

    Raises:
        SimulationError: some streams failed; ``.result`` has the batch.
    """
    names = [name for name in parts[0].arrays if name != "bootstrap_index"]
    arrays: dict[str, NDArray[Any]] = {
        name: np.concatenate([part.arrays[name] for part in parts]) for name in names
    }
    index = []
    for p, part in zip(pieces, parts, strict=True):
        index.append(part.arrays["bootstrap_index"] + [p[0], 0])
        arrays["rewards"][p[list(part.errors)]] = np.nan
        if call.live and call.normalizer is not None and part.normalizer is not None:
            for name in ("count", "mean", "m2"):
                getattr(call.normalizer, name)[call.member[p]] = getattr(part.normalizer, name)
        if call.normalizer is not None and part.seen is not None:
            merge_seen(call.normalizer, call.member[p], part.seen)
    batch = RolloutBatch(
        **arrays,
        bootstrap_index=np.concatenate(index),
        member=call.member,
        stream_ids=call.stream_ids,
        normalizer=call.normalizer,
        end=None,
    )
    _raise_errors(pieces, parts, batch)
    return batch


def _raise_errors(pieces: list[I64], parts: list[Part], result: Any) -> None:
    failed = [
        (int(p[i]), part.errors[i])
        for p, part in zip(pieces, parts, strict=True)
        for i in sorted(part.errors)
    ]
    if failed:
        streams, messages = zip(*failed, strict=True)
        raise SimulationError(streams, messages, result, "an environment")


def _parts(
    pieces: list[I64],
    found: list[Part | JobError],
    nothing: Callable[[int], dict[str, NDArray[Any]]],
) -> list[Part]:
    """The parts; where a process gave none, one of failed streams with the arrays of nothing."""
    parts = []
    for p, part in zip(pieces, found, strict=True):
        if isinstance(part, JobError):
            text = f"{part} while it ran streams {p.tolist()}"
            errors = dict.fromkeys(range(len(p)), text)
            part = Part(nothing(len(p)), errors, None)
        parts.append(part)
    return parts


def _pieces(call: Call) -> list[I64]:
    """Streams that run together: enough pieces for all processes, and none too large."""
    streams = np.arange(len(call.member))
    size = min(_BLOCK, math.ceil(len(streams) / call.num_threads))
    return [streams[start : start + size] for start in range(0, len(streams), size)]


def block_of(
    task: GymnasiumTask,
    policy: GaussianPolicy,
    call: Call,
    piece: I64,
    actions: str,
    deterministic: bool,
) -> Block:
    """Some streams of a call, as a worker process takes them."""
    member = call.member[piece]
    one = bool((member == member[0]).all())
    outputs = NativeOutputs(
        policy.flat.numpy()[member[:1] if one else member], policy.sizes, policy.kind()
    )
    return Block(
        make=task.make,
        act_dim=task.act_dim,
        obs_dim=task.obs_dim,
        seed=call.seed,
        stream_ids=call.stream_ids[piece],
        head=Head(outputs, deterministic),
        controls=controls_of(task, actions),
        normalizer=None if call.normalizer is None else call.normalizer.select(member),
        live=call.live,
        watched=call.watched,
    )


def _run(
    function: Callable[..., Part], blocks: list[Block], arguments: tuple[Any, ...], threads: int
) -> list[Part | JobError]:
    """What ``function`` makes of every block; here, where one process is enough."""
    processes = min(threads, len(blocks))
    # beside other threads, as in training, Python would step one environment of all at a time
    if processes == 1 and threading.current_thread() is threading.main_thread():
        return [function(block, *arguments) for block in blocks]
    import cloudpickle

    try:
        jobs = [cloudpickle.dumps((function, (block, *arguments))) for block in blocks]
    except Exception as error:
        raise ValueError(
            f"task: its environment cannot be sent to worker processes ({error}); num_threads=1 "
            "runs it in this one"
        ) from error
    return run_jobs(jobs, processes)
