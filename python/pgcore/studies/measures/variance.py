"""What the variance of a trajectory's gradient is made of, from trajectories and nested restores.

G = Σ_t g_t is the gradient of a trajectory of L pairs, g_t = ∇ log π(a_t|s_t) (R_t - b(s_t)), and
ḡ = E[G] / E[L]. An estimate from n pairs has the variance tr Σ E[L]⁻¹ / n with

    tr Σ = E|G - L ḡ|² = E Σ_t |g_t - ḡ|²  +  E Σ_{t≠u} ⟨g_t - ḡ, g_u - ḡ⟩

and by the law of total variance the pairs' own part, the first, is

    E Σ_t { (|E[g|s]|² - |ḡ|²)  +  (E|E[g|s,a]|² - |E[g|s]|²)  +  E |g - E[g|s,a]|² }
              states                 actions                      rest of the trajectory

A baseline changes what actions contribute, and the covariance. What the pairs have left is least
with b*(s) = E[|∇ log π|² R | s] / E[|∇ log π|² | s] (Greensmith et al. 2004, JMLR 5, theorem 11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pgcore.base.arrays import F64

JUDGES = ("none", "value net", "fitted value", "value net, own lambda")
BASELINES = (*JUDGES[:3], "best", JUDGES[3])
PARTS = ("states", "actions", "rest", "covariance")
_FITTED = JUDGES.index("fitted value")


def restored_parts(scores: F64, returns: F64, baseline: F64, trace: F64) -> dict[str, F64]:
    """Unbiased estimates at B states, from J actions each and K returns after each of them.

    Args:
        scores: [B, J, P], ∇ log π(a|s).
        returns: [B, J, K].
        baseline: [B], any value that does not depend on the above; near b*(s) the noise is least.
        trace: [B], E[|∇ log π|² | s], exactly.

    Returns:
        By name, [B] each: ``rest``, E[|g - E[g|s,a]|² | s]; ``state``, |E[g|s]|²; ``pair``, E[|g|²
        | s] with this baseline; ``excess``, by how much that is above what b*(s) would leave.
    """
    J, K = returns.shape[1:]
    size = np.square(scores).sum(-1)
    centred = returns - baseline[:, None, None]
    mean = centred.mean(2)

    def squared_mean(x: F64) -> F64:
        """|E x|² of J independent vectors [B, J, ...], from pairs of different ones."""
        total = np.square(x.sum(1)).sum(-1) - np.square(x).sum((1, 2))
        return np.asarray(total / (J * (J - 1)))

    return {
        "rest": (size * returns.var(axis=2, ddof=1)).mean(1) if K > 1 else np.full(len(size), 0.0),
        "state": squared_mean(scores * mean[..., None]),
        "pair": (size * np.square(centred).mean(2)).mean(1),
        "excess": squared_mean((size * mean)[..., None]) / trace,
    }


@dataclass(frozen=True)
class Budget:
    """A budget of N trajectories, [..., 1 + N]: of all, then without each of them in turn.

    Attributes:
        total: [5, 1 + N], tr Σ by baseline; NaN for the best one.
        pairs: [5, 1 + N], its pairs' own part.
        parts: [5, 4, 1 + N], by baseline and part; NaN with a lambda that may be below 1.
    """

    total: F64
    pairs: F64
    parts: F64


def budget(of: Mapping[str, F64]) -> Budget:
    """The budget from what is stored of N trajectories, with one restored state of each.

    Args:
        of: by name. [N]: ``length`` L, and of a state at a uniformly drawn step
            :func:`restored_parts` with the fitted value. [4, N], by judge: ``square`` Σ_t |g_t|²,
            ``own`` |G|², ``to_sum`` ⟨G, Σ G⟩ and ``to_weighted`` ⟨G, Σ L G⟩, sums over all N.

    The second moment of the N states' pairs is scaled to that of all pairs of the trajectories: a
    ratio estimate, in which what the states have in common cancels.
    """
    length = of["length"]
    n = np.append(float(len(length)), np.full(len(length), len(length) - 1.0))

    def sums(x: F64) -> F64:
        whole = x.sum(-1, keepdims=True)
        return np.concatenate([whole, whole - x], axis=-1)

    def mean_at_states(name: str) -> F64:
        return np.asarray(sums(length * of[name]) / n)

    L, L2, own = sums(length), sums(length**2), sums(of["own"])
    square_of_sum = _without(of["to_sum"], -2 * of["to_sum"] + of["own"])
    cross = length * of["to_sum"]
    with_weighted = _without(cross, -of["to_weighted"] - cross + length * of["own"])
    total = (own - 2 * with_weighted / L + L2 * square_of_sum / L**2) / (n - 1)
    mean = L / n * (square_of_sum - own) / (L**2 - L2)  # E[L] |ḡ|²
    mean[:_FITTED] = mean[_FITTED]  # the same with every baseline at lambda = 1
    second = sums(of["square"]) / n
    scale = second[_FITTED] / mean_at_states("pair")
    best = second[_FITTED] - mean[_FITTED] - scale * mean_at_states("excess")
    pairs = np.insert(second - mean, _FITTED + 1, best, axis=0)
    total = np.insert(total, _FITTED + 1, np.nan, axis=0)
    rest = scale * mean_at_states("rest")
    states = scale * mean_at_states("state") - mean[_FITTED]
    parts = np.full((len(BASELINES), len(PARTS), len(n)), np.nan)
    parts[:-1, 0], parts[:-1, 2] = states, rest
    parts[:-1, 1] = pairs[:-1] - states - rest
    parts[:, 3] = total - pairs
    return Budget(total, pairs, parts)


def _without(each: F64, change: F64) -> F64:
    """A sum over the last axis, and what it is without each item, given how it changes."""
    whole = each.sum(-1, keepdims=True)
    return np.concatenate([whole, whole + change], axis=-1)


def jackknife(values: F64, level: float = 0.95) -> F64:
    """Estimates and their jackknife intervals with Student's t, [..., 3], from [..., 1 + N]."""
    n = values.shape[-1] - 1
    whole, without = values[..., 0], values[..., 1:]
    spread = np.square(without - without.mean(-1, keepdims=True)).sum(-1)
    width = stats.t.ppf(0.5 + level / 2, n - 1) * np.sqrt((n - 1) / n * spread)
    return np.stack([whole, whole - width, whole + width], axis=-1)


def log_jackknife(values: F64, level: float = 0.95) -> F64:
    """:func:`jackknife` of the logarithm, turned back: for what is positive and skewed."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.exp(jackknife(np.log(np.where(values > 0, values, np.nan)), level)))
