"""Pairs of a frozen agent in blocks, their advantages, and their gradient sums."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from numbers import Real
from typing import Annotated, Any

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64, I64
from pgcore.base.command import one_of
from pgcore.base.errors import check_choice, check_count, check_number, check_type
from pgcore.learning.advantages import Judgement, batch_values
from pgcore.learning.ranges import BASELINES
from pgcore.policies.gaussian import GRADIENT_STREAMS
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.collect import collect

ADVANTAGES = ("raw", "normalized")
CONVENTIONS = ("correct", "agent")
NOISES = ("independent", "common")  # of what is evaluated: streams of its own, or the same for all
MOST_STREAMS = 1 << 20  # of one estimate
_BLOCK_BYTES = 200e6  # of transitions held at a time; two blocks are alive at once


@dataclass(frozen=True)
class Sampling:
    """How pairs are sampled and judged.

    Attributes:
        gamma: discount of the advantages.
        lam: GAE's lambda.
        baseline: "value" (the agent's value network) or "zero" (returns instead of advantages).
        advantages: "raw", or "normalized" over the pairs of an estimate (mean 0, std 1).
        conventions: at time limits and cuts: "correct" bootstraps from the observation that
            follows; "agent" does what the agent's training did.
        stream_steps: longest stream; n pairs are ceil(n / stream_steps) equal streams, each from
            a fresh reset, as an agent samples its iterations.
    """

    gamma: float = 0.99
    lam: float = 0.95
    baseline: Annotated[str, one_of(BASELINES)] = "value"
    advantages: Annotated[str, one_of(ADVANTAGES)] = "raw"
    conventions: Annotated[str, one_of(CONVENTIONS)] = "correct"
    stream_steps: int = 2048

    def __post_init__(self) -> None:
        check_choice("baseline", self.baseline, BASELINES)
        check_choice("advantages", self.advantages, ADVANTAGES)
        check_choice("conventions", self.conventions, CONVENTIONS)
        check_count("stream_steps", self.stream_steps)
        check_type("gamma", self.gamma, Real, "a number between 0 and 1")
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma: expected a number between 0 and 1, got {self.gamma}")
        check_number("lam", self.lam, 0, 1)

    def check_pairs(self, **counts: int | Sequence[int]) -> None:
        """Whether numbers of pairs have streams enough, whose ids are counted in 32 bits."""
        most = MOST_STREAMS * self.stream_steps
        for name, values in counts.items():
            for n in values if isinstance(values, Sequence) else (values,):
                if n:  # 0: none, where a study allows it
                    check_count(name, n, 1, most)

    def check_agents(self, agents: Iterable[tuple[Any, Agent]]) -> None:
        """ValueError where advantages need a value network that an agent does not have."""
        if self.baseline == "value":
            for _, agent in agents:
                agent.check_value()

    def streams(self, n: int) -> tuple[int, int]:
        """Number and length of the streams of n pairs."""
        count = math.ceil(n / self.stream_steps)
        return count, math.ceil(n / count)

    def judge(self, agent: Agent, batch: RolloutBatch, value: ValueNet | None = None) -> F64:
        """Advantages [S, T] of a batch; ``value`` stands in for the agent's value network."""
        rewards = agent.rewards(batch.rewards)
        rule = Judgement(self.gamma, self.lam)
        if self.baseline == "zero":
            return rule.returns(rewards, batch)
        if self.conventions == "agent":
            own = agent.judgement
            rule = replace(rule, time_limit=own.time_limit, cut=own.cut)
        values, bootstrap = batch_values(value or agent.check_value(), batch)
        return rule.advantages(rewards, batch, values, bootstrap)[0]


def block_streams(agent: Agent, steps: int) -> int:
    """Streams of a block, from the task and their steps alone, so that bits are, too."""
    pair = 8 * agent.task.obs_dim + 4 * agent.task.obs_dim + 4 * agent.task.act_dim + 30
    size = max(1, int(_BLOCK_BYTES / (steps * pair)))
    return min(size, max(GRADIENT_STREAMS, int(200_000 / steps)))


def sample_blocks(
    agent: Agent, steps: int, stream_ids: I64, seed: int, num_threads: int
) -> Iterator[tuple[slice, RolloutBatch]]:
    """Streams of an agent, in blocks; the next block is simulated while the caller uses one.

    The size of a block is that of :func:`block_streams`.

    Args:
        agent: who acts.
        steps: T of every stream.
        stream_ids: [S], the key of each stream's random numbers.
        seed: of the rollouts.
        num_threads: of the simulation.

    Yields:
        The block's slice of the streams, and its transitions.
    """
    size = block_streams(agent, steps)
    parts = [slice(i, i + size) for i in range(0, len(stream_ids), size)]

    def simulate(part: slice) -> RolloutBatch:
        ids = stream_ids[part]
        return collect(
            agent.task,
            agent.policy,
            steps,
            np.zeros(len(ids), dtype=np.int64),
            seed=seed,
            num_threads=num_threads,
            normalizer=agent.normalizer,
            stream_ids=ids,
            actions=agent.actions,
        )

    def begin(part: slice) -> Future[RolloutBatch]:
        return ahead.submit(copy_context().run, simulate, part)  # counted and stopped as the caller

    with ThreadPoolExecutor(1) as ahead:
        coming = begin(parts[0])
        for i, part in enumerate(parts):
            batch = coming.result()
            if i + 1 < len(parts):
                coming = begin(parts[i + 1])
            yield part, batch
