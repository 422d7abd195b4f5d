"""True returns of a centre and of many steps from it, all in one pool of streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64, I64
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.rollout.batch import Scores
from pgcore.rollout.collect import default_streams, evaluate

Variables = dict[str, tuple[tuple[str, ...], str, str]]


def member_variables(dims: tuple[str, ...], member: str) -> Variables:
    """What a dataset has of a pool's members but the centre: dimensions, unit and description.

    Args:
        dims: that number the members.
        member: what one of them, and the centre, are called.
    """
    both = ("measure", *dims)
    return {
        "count": (dims, "1", "trajectories"),
        "total": (both, "1", "sum of their returns"),
        "square": (both, "1", "sum of the squares of their returns"),
        "pairs_used": (dims, "1", "state-action pairs"),
        "warnings": (dims, "1", "MuJoCo's warnings (unstable simulation)"),
        "diverged": (dims, "1", "trajectories that a simulation which blew up has ended"),
        "paired_count": (dims, "1", f"trajectories that {member} share"),
        "paired_total": (both, "1", "sum of their differences in return"),
        "paired_square": (both, "1", "sum of the squares of these differences"),
    }


def centre_variables(centre: str) -> Variables:
    """What it has of the centre, by the names of :meth:`Pool.centre`."""
    return {
        "centre_count": ((), "1", f"trajectories of {centre}"),
        "centre_total": (("measure",), "1", "sum of their returns"),
        "centre_square": (("measure",), "1", "sum of the squares of their returns"),
    }


@dataclass(frozen=True)
class Pool:
    """Sums over complete trajectories; member 0 is the centre. Axis 0: undiscounted, discounted.

    Attributes:
        count: [M]; total, square: [2, M], sums of the returns and of their squares.
        pairs_used, warnings: [M], simulated pairs and MuJoCo's warnings.
        diverged: [M], trajectories that a simulation which blew up has ended.
        paired_count: [M]; paired_total, paired_square: [2, M], the same for differences to the
            centre over trajectories that both have; zeros without common random numbers.
    """

    count: F64
    total: F64
    square: F64
    pairs_used: F64
    warnings: F64
    diverged: F64
    paired_count: F64
    paired_total: F64
    paired_square: F64

    def centre(self) -> dict[str, F64 | float]:
        """The sums of the centre."""
        return {f"centre_{n}": getattr(self, n)[..., 0] for n in ("count", "total", "square")}


def pool_returns(
    agent: Agent,
    policies: GaussianPolicy,
    step_of: I64,
    pairs: int,
    seed: int,
    common: bool,
    num_threads: int,
) -> Pool:
    """Evaluate a stack whose member 0 is the centre, measured with as many pairs as K steps.

    Every step has a part of the centre's streams as its partner. With common random numbers a
    member follows those of its step's part, so that differences of different steps are independent.

    Args:
        agent: task, normaliser and discount.
        policies: M members.
        step_of: [M], the step 0..K-1 that a member belongs to; that of the centre is not used.
        pairs: per member; the centre gets K times as many.
        seed: of the rollouts.
        common: the same initial states and action noise as the centre's part; else independent.
        num_threads: of the simulation.
    """
    M, S = policies.members, default_streams(agent.task, pairs)
    K = int(step_of[1:].max()) + 1
    member = np.concatenate([np.zeros(K * S, dtype=np.int64), np.repeat(np.arange(1, M), S)])
    own = np.tile(np.arange(S), M - 1)
    partner = np.repeat(step_of[1:], S) * S + own  # stream of the centre
    ids = np.arange(len(member))
    if common:
        ids = np.concatenate([np.arange(K * S), partner])
    normalizer = agent.normalizer
    scores = evaluate(
        agent.task,
        policies,
        K * pairs,  # of the member with the most streams
        seed,
        num_threads,
        normalizer.select(np.zeros(M, dtype=np.int64)) if normalizer is not None else None,
        streams=member,
        stream_ids=ids,
        gamma=agent.judgement.gamma,
        actions=agent.actions,
    )
    returns = np.stack([scores.totals, scores.returns])

    def summed(weights: F64 | None = None) -> F64:
        return np.bincount(scores.member, weights, minlength=M).astype(np.float64)

    paired = [np.zeros(M), np.zeros((2, M)), np.zeros((2, M))]
    if common:
        paired = _paired(scores, returns, partner, M, K * S)
    return Pool(
        summed(),
        np.stack([summed(r) for r in returns]),
        np.stack([summed(r**2) for r in returns]),
        summed(scores.lengths.astype(np.float64)),
        np.bincount(member, scores.warnings, minlength=M).astype(np.float64),
        summed(scores.diverged.astype(np.float64)),
        *paired,
    )


def _paired(scores: Scores, returns: F64, partner: I64, M: int, first: int) -> list[F64]:
    """Sums of differences to the centre's trajectories of the same stream and number."""
    streams = first + len(partner)
    counts = np.bincount(scores.stream, minlength=streams)
    number = np.arange(len(scores.stream)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((2, streams, counts.max()), np.nan)
    table[:, scores.stream, number] = returns
    difference = table[:, first:] - table[:, partner]
    difference = difference.reshape(2, M - 1, -1)
    known = np.isfinite(difference)
    difference = np.where(known, difference, 0.0)
    sums = [known[0].sum(-1), difference.sum(-1), (difference**2).sum(-1)]
    return [np.concatenate([np.zeros((*s.shape[:-1], 1)), s], axis=-1) for s in sums]
