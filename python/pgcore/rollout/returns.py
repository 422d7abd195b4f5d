"""Advantages and returns over streams, with terminated, truncated and cut kept apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore import _core
from pgcore.base.arrays import F32, F64, I64, Bool
from pgcore.base.errors import check_choice, check_number

TIME_LIMIT_RULES = ("bootstrap", "terminate")
CUT_RULES = ("next", "current", "zero")


def _check_array(name: str, value: Any) -> NDArray[Any]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: expected a numpy array [S, T], got {type(value).__name__}")
    return value


def gae(
    rewards: F64,
    values: NDArray[np.floating[Any]],
    next_values: NDArray[np.floating[Any]],
    terminated: Bool,
    truncated: Bool,
    gamma: float = 0.99,
    lam: float = 0.95,
) -> tuple[F64, F64]:
    """Generalised advantage estimation.

    δ_t = r_t + γ V(s_{t+1}) [not terminated_t] - V(s_t);  A_t = δ_t + γλ [goes on] A_{t+1}, where
    a trajectory goes on after t unless it is terminated or truncated there or the stream ends.

    Source: Schulman et al. 2015, arXiv:1506.02438, equations 11-16.

    Args:
        rewards: [S, T] float64.
        values: [S, T] float32 or float64, V of the observation before each step.
        next_values: [S, T], same dtype: V of the observation *after* each step, before any reset.
            Read where a trajectory is truncated or cut, too; ignored where it is terminated.
        terminated, truncated: [S, T] bool.
        gamma: discount, 0..1.
        lam: λ, 0..1.

    Returns:
        advantages [S, T] and returns [S, T] (advantages + values, the λ-return), float64.

    Raises:
        ValueError, TypeError: an argument has the wrong shape or dtype.
    """
    return _core.gae(
        rewards=_check_array("rewards", rewards),
        values=_check_array("values", values),
        next_values=_check_array("next_values", next_values),
        terminated=_check_array("terminated", terminated),
        truncated=_check_array("truncated", truncated),
        gamma=check_number("gamma", gamma, 0, 1),
        lam=check_number("lam", lam, 0, 1),
    )


def discounted_returns(
    rewards: F64,
    bootstrap: F64,
    terminated: Bool,
    truncated: Bool,
    gamma: float = 0.99,
) -> F64:
    """Discounted returns R_t = r_t + γ R_{t+1} of every step.

    Args:
        rewards: [S, T] float64.
        bootstrap: [S, T] float64: stands for R_{t+1} where a trajectory is truncated or the stream
            is cut (its last step); ignored elsewhere. Zeros: returns that are not bootstrapped.
        terminated, truncated: [S, T] bool.
        gamma: discount, 0..1.

    Returns:
        [S, T] float64.
    """
    return _core.discounted_returns(
        rewards=_check_array("rewards", rewards),
        bootstrap=_check_array("bootstrap", bootstrap),
        terminated=_check_array("terminated", terminated),
        truncated=_check_array("truncated", truncated),
        gamma=check_number("gamma", gamma, 0, 1),
    )


def successor_values(
    values: F32,
    bootstrap_values: F32,
    bootstrap_index: I64,
    truncated: Bool,
    *,
    time_limit: str = "bootstrap",
    cut: str = "next",
) -> F32:
    """V of the observation after each step, under the conventions in use.

    Args:
        values: [S, T], V of the observation before each step.
        bootstrap_values: [K], V of ``batch.bootstrap_obs``.
        bootstrap_index: [K, 2], (stream, step) of each.
        truncated: [S, T].
        time_limit: "bootstrap" from the observation at the limit (correct), or "terminate": the
            limit counts as death.
        cut: at the end of a stream: "next" bootstraps from V(s_T) (correct), "current" from
            V(s_{T-1}), "zero" not at all.

    Returns:
        [S, T] float32, to be given to :func:`gae`.
    """
    check_choice("time_limit", time_limit, TIME_LIMIT_RULES)
    check_choice("cut", cut, CUT_RULES)
    after = np.zeros_like(values)
    after[:, :-1] = values[:, 1:]
    stream, step = bootstrap_index[:, 0], bootstrap_index[:, 1]
    after[stream, step] = bootstrap_values
    if cut != "next":
        after[:, -1] = values[:, -1] if cut == "current" else 0.0
    if time_limit == "terminate":
        after[truncated] = 0.0
    else:  # a limit that falls on the cut is still a limit
        at_limit = truncated[stream, step]
        after[stream[at_limit], step[at_limit]] = bootstrap_values[at_limit]
    return after
