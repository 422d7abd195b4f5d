"""Agreement and jaggedness of surfaces: exact values, and bounds that cover the true surface's."""

import dataclasses

import numpy as np
import pytest

from pgcore.studies.measures import surfaces as measures


def _measured(truth, error, trajectories, generator):
    """A reward surface as a study measures it: noisy means, and noisy standard errors."""
    n = np.full(truth.shape, trajectories)
    chi = generator.chisquare(trajectories - 1, truth.shape) / (trajectories - 1)
    noise = error * generator.standard_normal(truth.shape)
    return measures.RewardSurface(truth + noise, error * np.sqrt(chi), n)


def test_measures_of_exact_surfaces():
    a = np.linspace(0, 1, 6)
    smooth = a[:, None] ** 2 + np.pi * a[None, :]  # no ties

    def exact(reward):
        return measures.RewardSurface(reward, np.zeros_like(reward), np.full(reward.shape, 5.0))

    assert measures.roughness(exact(smooth)).unexplained < 1e-12
    assert measures.rank_correlation(smooth, exact(smooth**3)).estimate == 1
    assert measures.rank_correlation(smooth, exact(-smooth)).estimate == -1
    assert measures.sign_agreement(a, exact(-a)).estimate == 0
    agree = measures.sign_agreement(a, exact(a**2))
    assert agree == measures.Interval(1.0, 1.0, 1.0)  # without noise, nothing is uncertain
    flat = np.zeros_like(smooth)
    assert np.isnan(measures.roughness(exact(flat)).jagged.estimate)
    b = np.linspace(-1, 1, 11)
    cliff = np.tanh(3 * b[:, None]) + 0 * b[None, :]  # steep, but not jagged
    assert measures.roughness(exact(cliff)).unexplained < 0.01
    assert measures.roughness(exact(cliff + 0.5 * (-1.0) ** np.arange(11))).unexplained > 0.1
    assert [measures.smooth_degree(n) for n in (1, 12, 49, 121, 961)] == [0, 1, 4, 7, 7]
    single = dataclasses.replace(exact(smooth**3), error=np.full(smooth.shape, np.nan))
    bounds = measures.rank_correlation(smooth, single)  # one trajectory a point has no error
    assert (bounds.low, bounds.estimate, bounds.high) == (-1.0, 1.0, 1.0)
    bounds = measures.rank_correlation(smooth, exact(flat))  # all ties: nothing is known
    assert (bounds.low, bounds.estimate, bounds.high) == (-1.0, 0.0, 1.0)


@pytest.mark.parametrize("error", [0.02, 0.3])
def test_bounds_of_measures_cover_the_true_surface(error):
    """Also with 4 trajectories a point, where standard errors are hardly known."""
    generator = np.random.default_rng(7)
    a = np.linspace(0, 1, 7)
    truth = np.sin(7 * a[:, None]) + a[None, :] + 0.1 * generator.standard_normal((7, 7))
    surrogate = a[:, None] + a[None, :]
    sure = measures.RewardSurface(truth, np.zeros_like(truth), np.full(truth.shape, 99.0))
    cut = measures.RewardSurface(*(x[:, 0] for x in dataclasses.astuple(sure)))
    expected = (
        measures.sign_agreement(surrogate[:, 0], cut).estimate,
        measures.rank_correlation(surrogate, sure).estimate,
        measures.roughness(sure).jagged.estimate,
    )
    hits, width, repeats = np.zeros(3), np.zeros(3), 200
    for i in range(repeats):
        own = _measured(truth, error, 4 if i % 2 else 40, generator)
        line = measures.RewardSurface(*(x[:, 0] for x in dataclasses.astuple(own)))
        found = (
            measures.sign_agreement(surrogate[:, 0], line),
            measures.rank_correlation(surrogate, own),
            measures.roughness(own).jagged,
        )
        hits += [x.low - 1e-9 <= e <= x.high + 1e-9 for x, e in zip(found, expected, strict=True)]
        width += [x.high - x.low for x in found]
    # conservative by construction; the roughness' interval, normal, covers with 92 % in 2000
    # repeats (benchmarks/bench_coverage.py); less three binomial errors
    assert (hits >= repeats * np.array([0.95, 0.95, 0.92 - 3 * 0.0192])).all(), hits
    if error == 0.02:  # and not empty words
        assert (width / repeats < [0.75, 0.8, 0.05]).all(), width / repeats


def test_points_that_are_not_finite_are_compared_with_none():
    surrogate, reward = np.arange(6.0), np.array([0.0, 1.0, np.nan, 3.0, 2.0, np.inf])
    surface = measures.RewardSurface(reward, np.full(6, 1e-6), np.full(6, 10.0))
    # of the steps 0-1 and 3-4 alone, one agrees
    assert measures.sign_agreement(surrogate, surface).estimate == 0.5
    known = np.array([0, 1, 3, 4])
    sound = measures.RewardSurface(*(a[known] for a in vars(surface).values()))
    left = measures.rank_correlation(surrogate[known], sound)
    assert measures.rank_correlation(surrogate, surface) == left
    square = measures.RewardSurface(*(np.tile(a, (6, 1)) for a in vars(surface).values()))
    assert np.isnan(measures.roughness(square).unexplained)
