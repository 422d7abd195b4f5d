"""What is said of agents: statistics over trials whose intervals cover, and leave no trial out."""

import math

import numpy as np
import pytest

from pgcore.studies.measures.over_trials import (
    cosine_over_trials,
    geometric_over_trials,
    noise_scale_over_trials,
)
from pgcore.studies.measures.statistics import mean_interval, mean_pairwise
from pgcore.studies.measures.steps import spread_over_trials

REPEATS = 4000  # within 1.1 % of the true coverage by chance


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def covered(intervals, truth):
    return np.mean([low <= truth <= high for _, low, high in intervals])


@pytest.mark.parametrize("T", [3, 6, 8, 24])
def test_geometric_means_cover(T):
    """Trials that differ by factors: exp(1 + N(0, 1)). A plain mean covers far less of its own."""
    values = np.exp(1 + normal(REPEATS, T))
    assert 0.935 <= covered([geometric_over_trials(v) for v in values], math.e) <= 0.965
    plain = [mean_interval(v) for v in values]
    assert covered(plain, math.exp(1.5)) < 0.91


def test_geometric_means_in_numbers():
    middle, low, high = geometric_over_trials(np.array([1.0, 100.0, np.nan]))
    assert middle == pytest.approx(10)
    width = 12.706 * math.log(100) / 2  # Student's, one degree: s / sqrt(2) = log(100) / 2
    assert (math.log(low), math.log(high)) == pytest.approx(
        (math.log(10) - width, math.log(10) + width), rel=1e-4
    )
    one = geometric_over_trials(np.array([7.0, np.nan]))
    assert one[0] == 7 and np.isnan(one[1:]).all()
    assert np.isnan(geometric_over_trials(np.full(3, np.nan))).all()


def test_no_trial_is_left_out_of_a_geometric_mean():
    """What is infinite, or 0, is in the mean and in the end on its side."""
    finite = geometric_over_trials(np.array([1.0, 2.0, 4.0]))
    assert geometric_over_trials(np.array([1.0, np.inf, 2.0, 4.0])) == (
        math.inf, finite[1], math.inf,
    )  # fmt: skip
    assert geometric_over_trials(np.array([1.0, 0.0, 2.0, 4.0])) == (0.0, 0.0, finite[2])
    both = geometric_over_trials(np.array([0.0, np.inf, 2.0, 4.0]))
    assert np.isnan(both[0]) and both[1:] == (0.0, math.inf)
    assert geometric_over_trials(np.array([np.inf, np.inf])) == (math.inf, 0.0, math.inf)
    assert geometric_over_trials(np.array([np.inf, 3.0])) == (math.inf, 0.0, math.inf)
    assert noise_scale_over_trials(np.array([1.0, np.inf, np.nan]))[-1] == 1


@pytest.mark.parametrize("T", [3, 8])
def test_noise_scales_over_trials_cover_where_some_are_not_seen(T):
    """B from ten estimates of ten times fewer pairs, so that |g| is not seen in 4 % of the trials.

    Of the trials' geometric mean the interval covers 93 to 98 %, with 18 % unseen ones more.
    """
    generator, n, dims, repeats = np.random.default_rng(4), 2000, 20, 400
    hits, unseen = 0, 0
    for _ in range(repeats):
        scales = 20_000 * np.exp(0.5 * generator.standard_normal(T))
        noise = generator.standard_normal((T, 10, dims)) * np.sqrt(scales / n / dims)[:, None, None]
        estimates = noise + np.eye(1, dims)
        found = np.array([scale(e @ e.T, n) for e in estimates])
        _, low, high, missing = noise_scale_over_trials(found)
        hits += low <= 20_000 <= high
        unseen += missing > 0
    assert unseen > 0.05 * repeats
    assert hits >= repeats * (0.95 - 3 * 0.0109)  # less three binomial errors


def scale(gram, n):
    """B = n (mean |ĝ|² / mean ⟨ĝ, ĝ'⟩ - 1); infinite where the second is not positive."""
    shared = mean_pairwise(gram)
    return n * (np.diagonal(gram).mean() / shared - 1) if shared > 0 else np.inf


@pytest.mark.parametrize("T", [3, 6, 8, 24])
def test_cosines_near_one_cover_over_trials(T):
    """Cosines of halves by their law 1 / (1 + B/n), B over trials by factors; ends below 1."""
    n, law = 5e5, 7e4 * np.exp(0.8 * normal(REPEATS, T))
    found = [cosine_over_trials(c) for c in 1 / (1 + law / n)]
    many = np.arctanh(1 / (1 + 7e4 * np.exp(0.8 * normal(200_000, seed=1)) / n))
    assert 0.93 <= covered(found, math.tanh(many.mean())) <= 0.97
    assert max(high for *_, high in found) < 1
    if T == 3:  # where the plain mean's end would often be above
        assert np.mean([mean_interval(c)[2] > 1 for c in 1 / (1 + law / n)]) > 0.2


def changes(kind, generator, *shape):
    """Steps of mean 0 and standard deviation 1: normal, heavy-tailed, or of skewness -2.3."""
    if kind == "normal":
        return generator.standard_normal(shape)
    if kind == "heavy":
        return generator.standard_t(5, shape) / math.sqrt(5 / 3)
    k = (2 / 2.3) ** 2
    return (k - generator.standard_gamma(k, shape)) / math.sqrt(k)


@pytest.mark.parametrize("kind", ["normal", "heavy", "skewed"])
@pytest.mark.parametrize("T", [3, 6, 8, 24])
def test_the_spread_over_trials_covers(T, kind):
    """Ten steps in each, whose spreads differ between trials, measured with noise of 60 %."""
    generator, repeats = np.random.default_rng(6), 1000
    own = np.exp(0.25 * generator.standard_normal((repeats, T, 1)))
    values = own * changes(kind, generator, repeats, T, 10)
    values = values + 0.6 * generator.standard_normal(values.shape)
    found = [spread_over_trials(v, np.full((T, 10), 0.6)) for v in values]
    truth = math.exp(0.25**2)  # root mean square of the trials' own
    share = np.mean([x.low <= truth <= x.high for x in found])
    assert 0.92 <= share <= 0.985, share  # 93 to 98 %, and a binomial error and a half
    square = np.mean([x.estimate**2 for x in found])
    assert square == pytest.approx(truth**2, rel=0.08)


def test_the_spread_over_trials_in_numbers():
    values = np.array([[-1.0, 1.0, -1.0, 1.0], [-3.0, 3.0, -3.0, 3.0]])
    found = spread_over_trials(values, np.ones((2, 4)))
    assert found.estimate == pytest.approx(math.sqrt((4 / 3 + 12) / 2 - 1))
    assert found.low < found.estimate < found.high
    noise = spread_over_trials(values, np.full((2, 4), 9.0))
    assert noise.estimate == noise.low == 0 < noise.high
    nothing = spread_over_trials(np.zeros((2, 4)), np.zeros((2, 4)))
    assert (nothing.estimate, nothing.low, nothing.high) == (0, 0, 0)
