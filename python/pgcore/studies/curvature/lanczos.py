"""The leading eigenpairs of a symmetric matrix that is known by its products, and its sums.

The method is that of ARPACK (and SciPy's ``eigsh``), which a test compares: Lanczos with full
orthogonalisation, restarted with the best Ritz vectors. It is here because ``eigsh`` works on the
threads of BLAS, whose number changes the order of its sums: with 29,000 parameters it has given
other bits on two of them than on one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgcore.studies.curvature.products import Product

TOLERANCE = 1e-4  # residual of an eigenpair over its eigenvalue
_RESTARTS = 300
_TINY = 1e-12  # of the largest eigenvalue: nothing


def normal_vectors(seed: int, count: int, size: int) -> Tensor:
    """Standard normal rows [count, size], float64."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    return torch.from_numpy(generator.standard_normal((count, size)))


@dataclass(frozen=True)
class Leading:
    """The k eigenvalues that are largest in magnitude.

    Attributes:
        values: [k], by falling magnitude.
        vectors: [k, P], orthonormal rows.
        products: how many it took.
    """

    values: Tensor
    vectors: Tensor
    products: int


def leading(
    product: Product, k: int, size: int, seed: int, tolerance: float = TOLERANCE
) -> Leading:
    """The k leading eigenpairs, also of eigenvalues that are there several times.

    Residuals are |Mu - λu| ≤ tol |λ|: a vector is right to tol |λ| / gap, with the distance to the
    next eigenvalue as the gap, an eigenvalue to the square of that. From one start Lanczos sees
    one direction of an eigenspace (in a Fisher matrix all free log-stds have the eigenvalue 2): so
    it is repeated outside of what is found, until there is nothing larger.

    Args:
        product: v [P] -> M v, of a symmetric matrix M.
        k: eigenpairs, fewer than P.
        size: P.
        seed: of the first vectors.
        tolerance: tol.

    Raises:
        ArithmeticError: a product is not finite, or the residuals do not fall.
    """
    starts = normal_vectors(seed, k + 1, size)
    found = _lanczos(product, k, starts[0], tolerance)
    for start in starts[1:]:
        U = found.vectors

        def outside(vector: Tensor, U: Tensor = U) -> Tensor:
            image = product(vector - (U @ vector) @ U)
            return image - (U @ image) @ U

        more = _lanczos(outside, 1, start - (U @ start) @ U, tolerance)
        products = found.products + more.products
        values = torch.cat([found.values, more.values])
        order = values.abs().argsort(descending=True, stable=True)[:k]
        vectors = torch.cat([U, more.vectors])[order]
        missed = k in order.tolist()
        found = Leading(values[order], vectors, products)
        if not missed:
            break
    return found


def _lanczos(product: Product, k: int, start: Tensor, tolerance: float) -> Leading:
    """Thick-restart Lanczos (Wu and Simon 2000) from one vector [P]."""
    size = len(start)
    m = min(size, max(2 * k + 10, 20))
    generator = torch.Generator().manual_seed(0)  # of vectors outside an invariant subspace
    Q, T = torch.zeros(m + 1, size, dtype=torch.float64), torch.zeros(m, m, dtype=torch.float64)
    Q[0], kept, products = start / start.norm(), 0, 0
    for _ in range(_RESTARTS):
        for j in range(kept, m):
            image = product(Q[j])
            products += 1
            if not bool(torch.isfinite(image).all()):
                raise ArithmeticError("curvature: a product is not finite at these parameters")
            rest, along = _orthogonal(image, Q[: j + 1])
            T[: j + 1, j] = T[j, : j + 1] = along
            beta = float(rest.norm())
            if beta <= _TINY * float(T.abs().max()):  # all that the start reaches
                other = torch.randn(size, generator=generator, dtype=torch.float64)
                beta, (rest, _) = 0.0, _orthogonal(other, Q[: j + 1])
            Q[j + 1] = rest / rest.norm().clamp(min=1e-300)
        values, S = torch.linalg.eigh(T)
        order = values.abs().argsort(descending=True, stable=True)
        values, S = values[order], S[:, order]
        errors, floor = beta * S[-1].abs(), _TINY * float(values.abs().max())
        if bool((errors[:k] <= (tolerance * values[:k].abs()).clamp(min=floor)).all()):
            return Leading(values[:k], S[:, :k].T @ Q[:m], products)
        kept = k + (m - k) // 2
        Q[: kept + 1] = torch.cat([S[:, :kept].T @ Q[:m], Q[m:]])
        T.zero_()
        T[:kept, :kept] = torch.diag(values[:kept])
    worst = float((errors[:k] / values[:k].abs()).max())
    raise ArithmeticError(
        f"curvature: {k} eigenpairs have relative residuals of up to {worst:.1g} after {products} "
        "products; ask for fewer vectors"
    )


def _orthogonal(vector: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """What a basis [j, P] leaves of a vector, and the parts that it takes; twice is enough."""
    first = basis @ vector
    rest = vector - first @ basis
    second = basis @ rest
    return rest - second @ basis, first + second


@dataclass(frozen=True)
class Sums:
    """Sums over all eigenvalues: estimates, each with its standard error over probes.

    Attributes:
        trace, trace_error: Σλ.
        square, square_error: Σλ².
    """

    trace: float
    trace_error: float
    square: float
    square_error: float


def sums(product: Product, found: Leading, seed: int, probes: int) -> Sums:
    """Traces of M and of M²: exact in the leading subspace, estimated outside of it.

    Source: Hutchinson 1990; Meyer et al. 2021, arXiv:2010.09649 (without the leading part).

    Args:
        product: v [P] -> M v.
        found: its leading eigenpairs.
        seed: of the probes.
        probes: random vectors of signs, one product each.
    """
    signs = normal_vectors(seed, probes, found.vectors.shape[1]).sign()
    outside = signs - (signs @ found.vectors.T) @ found.vectors
    images = torch.stack([product(z) for z in outside])
    rest = torch.stack([(outside * images).sum(1), images.square().sum(1)])
    error, middle = rest.std(1) / math.sqrt(probes), rest.mean(1)
    trace, square = (float(x) for x in (found.values.sum(), found.values.square().sum()))
    return Sums(
        trace + float(middle[0]), float(error[0]), square + float(middle[1]), float(error[1])
    )
