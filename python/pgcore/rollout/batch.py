"""What rollouts return: plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F32, F64, I64, Bool
from pgcore.policies.normalize import Normalizer

if TYPE_CHECKING:
    from pgcore.rollout.open_streams import LiveStreams


@dataclass(frozen=True)
class StreamStates:
    """Where S streams stand between two calls of :func:`pgcore.collect`.

    Attributes:
        simulator: [S, N] float64, MuJoCo's whole state: what it integrates, and what observations
            and rewards read of what it derived before. Of one model, lowered or not.
        trajectory: [S] int64, the number of the trajectory in hand.
        step: [S] int64, its steps so far; 0: it is yet to begin.
    """

    simulator: F64
    trajectory: I64
    step: I64


@dataclass(frozen=True)
class RolloutBatch:
    """Transitions of S streams of T steps each. Row-major arrays; nothing writes into them later.

    Attributes:
        obs: [S, T, O] float64, the task's observations.
        inputs: [S, T, O] float32, what the network saw (normalised and clipped, if at all).
        actions: [S, T, A] float32, as sampled (MuJoCo clamps them to the control range).
        log_probs: [S, T] float32, log π(action | input).
        rewards: [S, T] float64.
        terminated: [S, T] bool, the task ended the trajectory with this step.
        truncated: [S, T] bool, the time limit did. Both can be true: then terminated counts.
        diverged: [S, T] bool, the simulation blew up in this step (or had no finite observation
            ahead of it, which is then written as zeros): MuJoCo found a state or controls beyond
            its range, and has reset them or would. Such a step is terminated and has no reward.
        bootstrap_obs: [K, O] float64: the observation that follows each truncation and each
            stream's last step, unless that step terminated.
        bootstrap_inputs: [K, O] float32, the network input of each.
        bootstrap_index: [K, 2] int64, its (stream, step).
        member: [S] int64, the policy of each stream.
        stream_ids: [S] int64, the key of each stream's random numbers.
        warnings: [S] int64, MuJoCo warnings (unstable simulation, bad control, full buffers) in
            each stream, and divergences that it had no occasion to warn of.
        reward_fault: [S] int64, the reward term (its place in the task) that first made a reward
            NaN or infinite, -1 where all are finite. Of the python backend: 0 for the whole reward.
        normalizer: the observation statistics after the call, or None.
        end: where the streams stand after it, if that was asked for.
        states: [S, T, D] float64, MuJoCo's ``mjSTATE_INTEGRATION`` at each observation, or None
            where that was not asked for. ``mujoco.mj_setState`` takes a row; steps from there with
            the same action give the bits of the next one.
        qpos, qvel: [S, T, nq] and [S, T, nv], the positions and velocities in them, or None.
    """

    obs: F64
    inputs: F32
    actions: F32
    log_probs: F32
    rewards: F64
    terminated: Bool
    truncated: Bool
    diverged: Bool
    bootstrap_obs: F64
    bootstrap_inputs: F32
    bootstrap_index: I64
    member: I64
    stream_ids: I64
    warnings: I64
    reward_fault: I64
    normalizer: Normalizer | None = None
    end: StreamStates | LiveStreams | None = None
    states: F64 | None = None
    qpos: F64 | None = None
    qvel: F64 | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by its name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: v for name, v in values.items() if isinstance(v, np.ndarray)}

    def trajectories(self) -> int:
        """Number of trajectories that the batch holds, the ones cut at the end included."""
        ended = self.terminated | self.truncated
        return int(ended[:, :-1].sum()) + len(ended)


@dataclass(frozen=True)
class Scores:
    """Complete trajectories of an evaluation, in the order of their streams.

    Attributes:
        returns: [N] float64, Σ γ^t r_t (undiscounted by default).
        totals: [N] float64, Σ r_t of the same trajectories, whatever γ is.
        lengths: [N] int64, steps.
        member: [N] int64, the policy of each trajectory.
        stream: [N] int64, the stream of each trajectory.
        diverged: [N] bool, the simulation blew up with its last step, which has no reward.
        warnings: [S] int64, MuJoCo warnings of each stream.
    """

    returns: F64
    totals: F64
    lengths: I64
    member: I64
    stream: I64
    diverged: Bool
    warnings: I64


def merge_seen(normalizer: Normalizer, member: I64, seen: Normalizer) -> None:
    """Add what streams have seen to their members' statistics, in the order of the streams.

    Args:
        normalizer: statistics of M members, changed in place.
        member: [S], the member of each stream.
        seen: statistics of each stream's own observations, [S].
    """
    for s, m in enumerate(member):
        normalizer.merge_moments(float(seen.count[s]), seen.mean[s], seen.m2[s], int(m))


def trajectory_metrics(
    batch: RolloutBatch, members: int, earlier: F64 | None = None
) -> dict[str, NDArray[Any]]:
    """Raw returns and lengths of the trajectories that ended inside the batch, per member.

    NaN where none did; ``trajectories`` counts all, the ones cut at the end included, and
    ``diverged`` those that a simulation which blew up has ended.

    Args:
        batch: transitions.
        members: M.
        earlier: [S, 2], return and length of what came before the batch of the trajectories that
            it begins with; None: nothing.
    """
    before = np.zeros((len(batch.member), 2)) if earlier is None else earlier
    out = {
        name: np.full(members, np.nan)
        for name in ("return_mean", "return_min", "return_max", "length_mean")
    }
    out["trajectories"] = np.zeros(members)
    for name, counts in (("warnings", batch.warnings), ("diverged", batch.diverged.sum(axis=1))):
        out[name] = np.bincount(batch.member, weights=counts, minlength=members)
    ended = batch.terminated | batch.truncated
    for member in range(members):
        returns, lengths = [], []
        for s in np.nonzero(batch.member == member)[0]:
            ends = np.nonzero(ended[s])[0] + 1
            pieces = np.split(batch.rewards[s], ends)
            out["trajectories"][member] += len(ends) + (len(pieces[-1]) > 0)
            carried = [before[s], *np.zeros((len(ends), 2))]
            returns += [float(p.sum() + c[0]) for p, c in zip(pieces[:-1], carried, strict=False)]
            lengths += [len(p) + int(c[1]) for p, c in zip(pieces[:-1], carried, strict=False)]
        if returns:
            out["return_mean"][member] = np.mean(returns)
            out["return_min"][member], out["return_max"][member] = min(returns), max(returns)
            out["length_mean"][member] = np.mean(lengths)
    return out


def cut_trajectories(batch: RolloutBatch, earlier: F64) -> F64:
    """Return and length [S, 2] of the trajectories in hand at a batch's end; zeros for none.

    Args:
        batch: transitions.
        earlier: the same ahead of the batch.
    """
    ended = batch.terminated | batch.truncated
    T = ended.shape[1]
    first = np.where(ended.any(axis=1), T - np.argmax(ended[:, ::-1], axis=1), 0)
    sums = np.stack([(batch.rewards[s, t:].sum(), T - t) for s, t in enumerate(first)])
    cut: F64 = np.where(first[:, None] == 0, earlier, 0.0) + sums
    return cut
