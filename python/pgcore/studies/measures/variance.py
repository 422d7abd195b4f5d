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

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pgcore.base.arrays import F64
from pgcore.base.quantiles import t_factor
from pgcore.studies.measures.statistics import skewed_quantiles

JUDGES = ("none", "value net", "fitted value", "value net, own lambda")
BASELINES = (*JUDGES[:3], "best", JUDGES[3])
PARTS = ("states", "actions", "rest", "covariance")
_FITTED = JUDGES.index("fitted value")


def restored_parts(scores: F64, returns: F64, baseline: F64, trace: F64) -> dict[str, F64]:
    """Unbiased estimates at B states, from J >= 3 actions each and K returns after each of them.

    A square of a mean is a mean of products of different actions; what the other actions return is
    taken off both, which changes no mean and leaves little of the noise.

    Args:
        scores: [B, J, P], ∇ log π(a|s).
        returns: [B, J, K].
        baseline: [B], the fitted value.
        trace: [B], E[|∇ log π|² | s], exactly.

    Returns:
        By name, [B] each: ``rest``, E[|g - E[g|s,a]|² | s]; ``state``, |E[g|s]|²; ``pair``,
        E[|g|² | s] with the fitted value, and ``least`` with b*(s).
    """
    J = scores.shape[1]
    size, mean = np.square(scores).sum(-1), returns.mean(2)
    state, least = np.zeros(len(size)), np.zeros(len(size))
    for j, m in itertools.combinations(range(J), 2):
        two = [j, m]
        others = np.delete(mean, two, axis=1).mean(1)[:, None]
        shifted = mean[:, two] - others
        product = (scores[:, j] * scores[:, m]).sum(-1)
        state += product * shifted.prod(1)
        second = size[:, two] * np.square(returns[:, two] - others[..., None]).mean(2)
        least += second.mean(1) - (size[:, two] * shifted).prod(1) / trace
    number = J * (J - 1) / 2
    away = np.square(returns - baseline[:, None, None]).mean(2)
    return {
        "rest": (size * returns.var(axis=2, ddof=1)).mean(1),
        "state": state / number,
        "pair": (size * away).mean(1),
        "least": least / number,
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
    best = scale * mean_at_states("least") - mean[_FITTED]
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
    """Estimates and their jackknife intervals, [..., 3], from [..., 1 + N].

    N - 1 degrees of freedom, and ends that follow the skewness of what the items contribute, see
    :func:`~pgcore.studies.measures.statistics.skewed_quantiles`: Student's alone cover 87 to 92 %
    of what is skewed (benchmarks/coverage_variance.py).
    """
    n = values.shape[-1] - 1
    whole, without = values[..., 0], values[..., 1:]
    away = without.mean(-1, keepdims=True) - without
    second = np.square(away).mean(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = np.asarray((away**3).mean(-1) / second**1.5 / np.sqrt(n))
    low, high = skewed_quantiles(skewness, float(t_factor(n - 1, level)))
    error = np.sqrt((n - 1) * second)
    return np.stack([whole, whole - error * low, whole + error * high], axis=-1)


def log_jackknife(values: F64, level: float = 0.95) -> F64:
    """:func:`jackknife` of the logarithm, turned back: for what is positive and skewed."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.exp(jackknife(np.log(np.where(values > 0, values, np.nan)), level)))


def less_bias(values: F64) -> F64:
    """Estimates less their jackknife bias, [...], from [..., 1 + N]: what trials are averaged of.

    The bias of order 1 / N of a ratio is the same in every trial; a mean over trials keeps it,
    while its interval shrinks.
    """
    n = values.shape[-1] - 1
    return np.asarray(n * values[..., 0] - (n - 1) * values[..., 1:].mean(-1))


def log_less_bias(values: F64) -> F64:
    """:func:`less_bias` of the logarithm, turned back: a mean of logarithms is too low.

    Where not all values are positive it is that of the values themselves, 0 at least: a trial that
    has next to nothing left is not to be missing from a mean.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithmic = np.exp(less_bias(np.log(np.where(values > 0, values, np.nan))))
    plain = np.maximum(less_bias(values), 0.0)
    return np.asarray(np.where((values > 0).all(-1), logarithmic, plain))
