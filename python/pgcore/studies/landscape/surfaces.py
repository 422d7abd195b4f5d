"""Surfaces over a plane of policies: true reward by simulation, surrogate by tensor operations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgcore.agent import Agent
from pgcore.base.arrays import F64, I64
from pgcore.base.threads import one_torch_thread
from pgcore.learning import objectives
from pgcore.learning.data import TrainingData
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.rollout.collect import default_streams, evaluate

_MEMBERS, _PAIRS = 8, 4096  # of one block of the surrogate


def plane(agent: Agent, step: F64, random: F64, steps: F64, randoms: F64) -> GaussianPolicy:
    """The policies θ + a·step + b·random for a in steps, b in randoms, as one stack.

    Args:
        agent: θ.
        step, random: [P].
        steps: [A] scales; randoms: [B] scales.

    Returns:
        A stack of A·B members, b fastest.
    """
    a, b = (x.reshape(-1, 1) for x in np.meshgrid(steps, randoms, indexing="ij"))
    flat = agent.policy.flat[0].double().numpy() + a * step + b * random
    return agent.policy.with_members(torch.from_numpy(flat.astype(np.float32)))


@dataclass(frozen=True)
class RewardSums:
    """Returns of complete trajectories, summed per member [M].

    Attributes:
        count, total, square: number of trajectories, sums of their returns and of the squares.
        steps: simulated pairs.
        warnings: MuJoCo's (unstable simulation).
        diverged: trajectories that a simulation which blew up has ended.
        paired_count, paired_total, paired_square: the same for differences to the centre member
            over trajectories that both have; zeros without common random numbers.
        discounted_total, discounted_square, discounted_paired_total, discounted_paired_square: of
            discounted returns.
    """

    count: F64
    total: F64
    square: F64
    steps: F64
    warnings: F64
    diverged: F64
    paired_count: F64
    paired_total: F64
    paired_square: F64
    discounted_total: F64
    discounted_square: F64
    discounted_paired_total: F64
    discounted_paired_square: F64

    def arrays(self) -> tuple[F64, ...]:
        """All sums, in the order of the fields."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def standard_error(self) -> F64:
        """Of the mean return, over trajectories; infinite below two of them."""
        return standard_error(self.count, self.total, self.square)


def standard_error(count: F64, total: F64, square: F64) -> F64:
    """Standard error of a mean from count, sum and sum of squares; infinite below two."""
    n = np.maximum(count, 2.0)
    variance = np.maximum(square - total**2 / n, 0.0) / (n - 1)
    return np.where(count >= 2, np.sqrt(variance / n), np.inf)


def reward_sums(
    agent: Agent,
    policies: GaussianPolicy,
    pairs: int,
    seed: int,
    common: bool,
    centre: int | None,
    num_threads: int,
    members: I64 | None = None,
    keys: I64 | None = None,
) -> RewardSums:
    """True returns of every member, undiscounted and discounted, all in one pool of streams.

    Args:
        agent: task, normaliser and discount.
        policies: M members.
        pairs: per member.
        seed: of the rollouts.
        common: the same initial states and action noise for every member (common random numbers);
            otherwise all streams are independent.
        centre: the member that differences are taken to, with ``common``; one of ``members``.
        num_threads: of the simulation.
        members: int64, those that are evaluated, to the same bits as among all; the others get
            zeros. Default: all.
        keys: [M], each another number below 2^26, which a member's random numbers follow from
            without ``common``. Default: its place.
    """
    M, streams = policies.members, default_streams(agent.task, pairs)
    chosen = np.arange(M) if members is None else members
    own = np.tile(np.arange(streams), len(chosen))
    member = np.repeat(chosen, streams)
    keys = np.arange(M) if keys is None else keys
    ids = own if common else keys[member] * streams + own
    normalizer = agent.normalizer
    scores = evaluate(
        agent.task,
        policies,
        pairs,
        seed,
        num_threads,
        normalizer.select(np.zeros(M, dtype=np.int64)) if normalizer is not None else None,
        streams=member,
        stream_ids=ids,
        gamma=agent.judgement.gamma,
        actions=agent.actions,
    )

    def summed(weights: F64 | None = None) -> F64:
        return np.bincount(scores.member, weights, minlength=M).astype(np.float64)

    def paired(returns: F64) -> list[F64]:
        whole = [np.zeros(M) for _ in range(3)]
        if common and centre is not None:
            own_centre = int(np.flatnonzero(chosen == centre)[0])
            sums = _paired_sums(returns, scores.stream, len(chosen), streams, own_centre)
            for into, part in zip(whole, sums, strict=True):
                into[chosen] = part
        return whole

    count, total, square = paired(scores.totals)
    _, discounted_total, discounted_square = paired(scores.returns)
    return RewardSums(
        summed(),
        summed(scores.totals),
        summed(scores.totals**2),
        summed(scores.lengths.astype(np.float64)),
        np.bincount(member, scores.warnings, minlength=M).astype(np.float64),
        summed(scores.diverged.astype(np.float64)),
        count,
        total,
        square,
        summed(scores.returns),
        summed(scores.returns**2),
        discounted_total,
        discounted_square,
    )


def _paired_sums(returns: F64, stream: I64, M: int, streams: int, centre: int) -> list[F64]:
    """Sums over differences to the centre of trajectories with the same stream and number."""
    counts = np.bincount(stream, minlength=M * streams)
    number = np.arange(len(stream)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((M * streams, counts.max()), np.nan)
    table[stream, number] = returns
    table = table.reshape(M, -1)
    difference = table - table[centre]
    known = np.isfinite(difference)
    difference = np.where(known, difference, 0.0)
    return [known.sum(1).astype(np.float64), difference.sum(1), (difference**2).sum(1)]


def surrogate_surface(
    policies: GaussianPolicy, agent: Agent, data: TrainingData, num_threads: int
) -> tuple[F64, F64]:
    """Surrogate and mean KL(θ || member) of every member, on given pairs.

    The surrogate is what the agent's algorithm ascends, with normalised advantages. Work is cut
    into fixed blocks on a thread pool and summed in their order, so that the bits do not depend on
    the threads.

    Args:
        policies: M members.
        agent: θ.
        data: the pairs [1, N, ...].
        num_threads: of the pool.

    Returns:
        surrogate [M] and KL [M].
    """
    algorithm = agent.check_algorithm()
    N, M = data.advantages.shape[1], policies.members
    advantages = objectives.normalize_advantages(data.advantages.double()).float()
    with torch.no_grad(), one_torch_thread():
        old = agent.policy.distribution(data.inputs)
        old_log_prob = old.log_prob(data.actions)

    def block(corner: tuple[int, int]) -> tuple[Tensor, Tensor]:
        members, pairs = (
            slice(corner[0], corner[0] + _MEMBERS),
            slice(corner[1], corner[1] + _PAIRS),
        )
        part = policies.with_members(policies.flat[members])
        shape = (part.members, -1, -1)
        with torch.no_grad():
            new = part.distribution(data.inputs[:, pairs].expand(shape))
            log_prob = new.log_prob(data.actions[:, pairs].expand(shape))
            ratio = torch.exp(log_prob - old_log_prob[:, pairs])
            a = advantages[:, pairs].expand(part.members, -1)
            gain = algorithm.objective(ratio, a, agent.settings)
            kl = old.states(pairs).kl(new)
            weight = ratio.shape[1] / N
            return gain.double() * weight, kl.double() * weight

    corners = [(m, n) for m in range(0, M, _MEMBERS) for n in range(0, N, _PAIRS)]
    surface = torch.zeros(2, M, dtype=torch.float64)
    with (
        one_torch_thread(),
        ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        for (m, _), results in zip(corners, pool.map(block, corners), strict=True):
            for row, values in enumerate(results):
                surface[row, m : m + len(values)] += values
    return surface[0].numpy(), surface[1].numpy()
