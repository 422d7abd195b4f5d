"""Shares of vectors in a subspace, and the overlap of subspaces; each with what chance gives.

A subspace is given by orthonormal rows [k, P]. Sums run on one thread, so that the bits do not
depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
import torch

from pgcore.base.arrays import F64
from pgcore.base.threads import one_torch_thread

LEAST_COSINE = 0.5  # between halves, below which a share without noise says nothing


def _dot(a: F64, b: F64) -> F64:
    """a bᵀ of rows [A, P] and [B, P]."""
    with one_torch_thread():
        product: F64 = (torch.from_numpy(a) @ torch.from_numpy(b).T).numpy()
    return product


def shares_along(vectors: F64, others: F64) -> F64:
    """Share of the squared norm of vectors [E, P] along each row of a subspace, [k, E].

    Their sums over k are the gradient's fraction in a subspace of Gur-Ari et al. 2018
    (arXiv:1812.04754) and Schneider et al. 2024 (arXiv:2401.06604). NaN for a vector of length 0.
    """
    squares = np.square(others).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.square(_dot(vectors, others)) / squares)


def true_shares_along(vectors: F64, halves: F64) -> F64:
    """The same of a vector that is known from two independent noisy estimates [2, P], [k].

    (u·g)(u·g') / (g·g'): noise adds nothing to the means of numerator and denominator. NaN where
    g·g' is not positive. The ratio has long tails unless the halves agree: with a cosine of 0.8 and
    most of the noise inside, a share of 0.3 comes out with a standard deviation of 0.13, with one
    of :data:`LEAST_COSINE` with 7.
    """
    along = _dot(vectors, halves)
    both = float(_dot(halves[:1], halves[1:])[0, 0])
    return np.asarray(along[:, 0] * along[:, 1] / (both if both > 0 else np.nan))


def true_cosine(halves: F64) -> float:
    """Cosine between two independent estimates [2, P] of a vector."""
    dots = _dot(halves, halves)
    return float(dots[0, 1] / np.sqrt(dots[0, 0] * dots[1, 1]))


def overlaps(halves: F64) -> F64:
    """Overlaps ‖U Vᵀ‖² / k [I, I] of the subspaces of I moments, each from H independent halves.

    The measure is Gur-Ari et al.'s. All pairs of halves are averaged; a moment with itself is one
    half with the other, so that the diagonal says what other pairs alone leave of an overlap of 1.
    Of random subspaces it is k / P.

    Args:
        halves: [I, H, k, P]; NaN for a moment that is missing.
    """
    moments, H, k, P = halves.shape
    squares = np.square(_dot(*[halves.reshape(-1, P)] * 2)).reshape(moments, H, k, moments, H, k)
    each = squares.sum(axis=(2, 5)) / k  # [I, H, I, H]
    mean = each.mean(axis=(1, 3))
    for i in range(moments):
        mean[i, i] = each[i][:, i][~np.eye(H, dtype=bool)].mean()
    return np.asarray(mean)
