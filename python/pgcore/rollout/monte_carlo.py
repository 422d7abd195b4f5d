"""Monte Carlo values of states that a policy visits.

A state is named by its stream and step. Because random numbers are a pure function of their
address, the stream comes to it again, to the bit; the simulator's whole state is kept there and
restored for each continuation, which has random numbers of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pgcore.base.arrays import F32, F64, I64, Bool
from pgcore.base.errors import check_count, check_number, check_seed
from pgcore.base.memory import check_memory
from pgcore.base.seeds import derive_seed
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.rollout.branches import Branches, check_numbers, raise_errors
from pgcore.tasks.gymnasium import AnyTask


@dataclass(frozen=True)
class MonteCarloValues:
    """Values of B states from K continuations each.

    Attributes:
        values: [B], mean discounted return.
        errors: [B], its standard error over the continuations.
        returns: [B, K].
        diverged: [B, K] bool, the simulation blew up and ended the continuation without a reward.
        obs: [B, O], the states' observations; inputs: [B, O], as the network saw them.
    """

    values: F64
    errors: F64
    returns: F64
    diverged: Bool
    obs: F64
    inputs: F32


def default_tail(gamma: float) -> int:
    """Steps after which a reward counts less than 0.1 %."""
    return math.ceil(math.log(0.001) / math.log(gamma))


def monte_carlo_bytes(states: int, continuations: int) -> float:
    """About the memory that :func:`monte_carlo_values` needs."""
    return 40.0 * continuations * max(states, 1)


def monte_carlo_values(
    task: AnyTask,
    policy: GaussianPolicy,
    at: I64,
    continuations: int = 20,
    seed: int = 0,
    num_threads: int | None = None,
    normalizer: Normalizer | None = None,
    *,
    stream_ids: I64 | None = None,
    branch_seeds: I64 | None = None,
    gamma: float = 0.99,
    tail: int | None = None,
    actions: str | None = None,
) -> MonteCarloValues:
    """Continue from states of a policy's own streams, many times from each.

    Args:
        task, seed, num_threads, normalizer: see :func:`pgcore.collect`; the normaliser is frozen.
        policy: a stack of one member.
        at: int64 [B], the step of stream b at which its state is taken.
        continuations: K.
        stream_ids: int64 [B], default 0 .. B-1: the streams that ``collect`` gives these ids.
        branch_seeds: int64 [K], >= 0, of the continuations. Default: from ``seed``, all different
            from it. The stream's own seed continues it as it went on. States of one stream share
            the noise of continuation k at the same step; give every state a stream of its own.
        gamma: discount.
        tail: most steps of a continuation; it ends at a termination, never at the time limit.
            Default: where gamma^k falls below 0.1 %.
        actions: see :func:`pgcore.collect`.

    Raises:
        ValueError, TypeError: a bad argument, before any work.
        SimulationError: MuJoCo raised an error on the way to some state or after it; ``.result``
            has the others, and NaN for these.
    """
    K, seed = check_count("continuations", continuations), check_seed("seed", seed)
    branches = Branches.of(
        "monte_carlo_values", task, policy, at, stream_ids, seed, num_threads, normalizer, actions
    )
    check_memory("continuations", K, monte_carlo_bytes(len(at), K), "ask for fewer")
    if branch_seeds is None:
        branch_seeds = np.array([derive_seed(seed, "branch", k) >> 1 for k in range(K)])
    seeds = check_numbers("branch_seeds", branch_seeds, "K", K).astype(np.uint64)
    raw = branches.run(
        seeds=seeds,
        first=seeds,
        tail=_checked_tail(gamma, tail),
        gamma=gamma,
        limited=False,
        keep_rewards=False,
    )
    returns = raw["returns"]
    for failed, _ in raw["errors"]:
        returns[failed] = np.nan
    alone = np.full(len(at), np.nan)
    values = MonteCarloValues(
        values=returns.mean(axis=1),
        errors=returns.std(axis=1, ddof=1) / math.sqrt(K) if K > 1 else alone,
        returns=returns,
        diverged=raw["diverged"],
        obs=raw["obs"],
        inputs=raw["inputs"],
    )
    raise_errors(raw, values)
    return values


def _checked_tail(gamma: float, tail: int | None) -> int:
    """Most steps of a continuation."""
    check_number("gamma", gamma, 0, 1)
    if tail is None and gamma == 0:
        return 1  # a reward at once, and no other
    if tail is None and gamma == 1:
        raise ValueError(f"tail: expected a count, because gamma is {gamma}")
    return default_tail(gamma) if tail is None else check_count("tail", tail)
