"""Measures of studies against the same numbers by another way, at small sizes."""

import math

import numpy as np
import pytest
from scipy import stats

from pgcore.studies.measures import misfit, over_trials, own_pairs, statistics, value

NAN, INF = math.nan, math.inf
VECTORS = np.random.default_rng(1).normal(1.0, 0.7, (6, 5))
GRAM = VECTORS @ VECTORS.T


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def student(x, level=0.95):
    """Mean and interval of independent numbers, by SciPy."""
    interval = stats.t.interval(level, len(x) - 1, np.mean(x), stats.sem(x))
    return (np.mean(x), *interval)


def test_cosines_of_vectors():
    np.testing.assert_allclose(statistics.cosines(GRAM), unit(VECTORS) @ unit(VECTORS).T)
    other = np.arange(1.0, 6.0)
    found = statistics.cosines_to(GRAM[None], (VECTORS @ other)[None], np.array([other @ other]))
    np.testing.assert_allclose(found, (unit(VECTORS) @ unit(other))[None])


def test_a_vector_of_length_zero_has_no_cosine():
    gram = np.diag([0.0, 4.0])
    np.testing.assert_array_equal(statistics.cosines(gram), [[NAN, NAN], [NAN, 1.0]])
    found = statistics.cosines_to(gram, np.array([0.0, 1.0]), np.array(0.0))
    assert np.isnan(found[0]) and found[1] == INF


def test_mean_over_pairs():
    matrix = np.array([[9.0, 1.0, 2.0], [1.0, 9.0, 6.0], [2.0, 6.0, 9.0]])
    assert statistics.mean_pairwise(matrix) == 3.0
    assert statistics.mean_pairwise(matrix[:2, :2]) == 1.0
    assert math.isnan(statistics.mean_pairwise(matrix[:1, :1]))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_jackknife_of_a_mean_is_students_interval(level):
    x = VECTORS[:, 0]
    found = statistics.jackknife_interval(lambda i: x[i].mean(), len(x), level)
    np.testing.assert_allclose(found, student(x, level))
    np.testing.assert_allclose(statistics.mean_interval(x, level), student(x, level))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_pairwise_cosines_have_the_interval_of_their_z(level):
    matrix = unit(VECTORS) @ unit(VECTORS).T

    def z(rows):
        part = matrix[np.ix_(rows, rows)]
        return np.arctanh(part[np.triu_indices(len(rows), 1)].mean())

    every = np.arange(6)
    without = np.array([z(np.delete(every, i)) for i in every])
    width = stats.t.ppf((1 + level) / 2, 5) * math.sqrt(5 * without.var())
    wanted = np.tanh(z(every) + width * np.array([0, -1, 1]))
    np.testing.assert_allclose(statistics.pairwise_cosine_interval(GRAM, level), wanted)
    if level == 0.95:
        np.testing.assert_allclose(statistics.pairwise_cosine_interval(GRAM), wanted)


def test_equal_vectors_have_a_cosine_of_one_without_an_infinite_z():
    found = statistics.pairwise_cosine_interval(np.ones((4, 4)))
    np.testing.assert_allclose(found, 1.0, atol=1e-11)
    assert all(math.isfinite(x) for x in found)
    opposite = statistics.pairwise_cosine_interval(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert opposite[0] == pytest.approx(-1.0, abs=1e-11) and opposite[0] > -1.0


def test_what_is_not_known_has_no_interval():
    gram = GRAM.copy()
    gram[0, 1] = NAN
    for found in (
        statistics.pairwise_cosine_interval(gram),
        statistics.noise_scale_interval(gram, 10),
        statistics.mean_over_trials(np.array([NAN])),
        statistics.iqm_over_trials(np.array([NAN, INF])),
    ):
        assert len(found) == 3 and np.isnan(found).all()
    assert statistics.mean_interval(np.array([2.0]))[0] == 2.0
    assert np.isnan(statistics.mean_interval(np.array([2.0]))[1:]).all()
    np.testing.assert_allclose(
        statistics.mean_over_trials(np.array([1.0, NAN, 4.0, -INF, 2.0])), student([1.0, 4.0, 2.0])
    )


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_noise_scales_have_the_interval_of_their_inverse(level):
    def inverse(rows):
        part = GRAM[np.ix_(rows, rows)]
        shared = part[np.triu_indices(len(rows), 1)].mean()
        return shared / (50 * (np.diagonal(part).mean() - shared))

    every = np.arange(6)
    without = np.array([inverse(np.delete(every, i)) for i in every])
    width = stats.t.ppf((1 + level) / 2, 5) * math.sqrt(5 * without.var())
    middle = inverse(every)
    high = 1 / (middle - width) if middle > width else INF
    wanted = (1 / middle, 1 / (middle + width), high)
    np.testing.assert_allclose(statistics.noise_scale_interval(GRAM, 50, level), wanted)
    if level == 0.95:
        np.testing.assert_allclose(statistics.noise_scale_interval(GRAM, 50), wanted)


def test_a_gradient_that_is_not_seen_has_an_infinite_noise_scale():
    opposite = np.array([[1.0, -0.5, -0.4], [-0.5, 1.0, -0.5], [-0.4, -0.5, 1.0]])
    assert statistics.noise_scale_interval(opposite, 10) == (INF, INF, INF)
    assert statistics.noise_scale_interval(np.eye(4), 10) == (INF, INF, INF)
    # four streams of 5 pairs, mean square 3, square of the mean 2: trace 4/3, signal 5/3
    square, signal = np.array([3.0, 3.0, NAN]), np.array([2.0, 0.5, 2.0])
    found = statistics.true_noise_scale(square, signal, np.array(4.0), np.array(5.0))
    np.testing.assert_allclose(found, [5 * (4 / 3) / (5 / 3), INF, NAN])
    small = statistics.true_noise_scale(square / 8, signal / 8, np.array(4.0), np.array(5.0))
    np.testing.assert_allclose(small, found)
    # two streams whose noise is all that there is: the signal is 0 exactly
    two = np.array(2.0)
    assert statistics.true_noise_scale(two, np.array(1.0), two, np.array(5.0)) == INF


def test_what_the_noise_scale_predicts():
    n, B = np.array([10.0, 40.0]), np.array([30.0, 40.0])
    np.testing.assert_allclose(statistics.predicted_pairwise(n, B), [0.25, 0.5])
    np.testing.assert_allclose(statistics.predicted_to_true(n, B), [0.5, math.sqrt(0.5)])


def test_the_mean_of_the_middle_half():
    values = np.array([[9.0, 1.0, 2.0, 4.0, 70.0], [5.0, 4.0, 3.0, 2.0, 1.0]])
    # of five, the second and the fourth count by three quarters
    found = statistics.interquartile_mean(values)
    np.testing.assert_allclose(found, [(0.75 * 2 + 4 + 0.75 * 9) / 2.5, 3.0])
    x = np.random.default_rng(2).normal(size=(3, 8))
    np.testing.assert_allclose(statistics.interquartile_mean(x), stats.trim_mean(x, 0.25, axis=1))


def test_bootstrap_intervals_of_the_middle_half():
    x, seed, resamples = np.random.default_rng(3).exponential(size=(2, 8)), 4, 300
    rows = np.random.default_rng(np.random.Philox(key=seed)).integers(0, 8, (resamples, 8))
    draws = stats.trim_mean(x[:, rows], 0.25, axis=-1)
    wanted = stats.trim_mean(x, 0.25, axis=1), *np.quantile(draws, [0.1, 0.9], axis=-1)
    np.testing.assert_allclose(statistics.iqm_interval(x, 0.8, resamples, seed), wanted)
    usual = statistics.iqm_interval(x[0], 0.95, 2000, 0)
    assert statistics.iqm_interval(x[0]) == usual
    many = np.random.default_rng(4).exponential(size=25)
    assert statistics.iqm_interval(many) == statistics.iqm_interval(many, 0.95, 2000, 0)
    assert np.shape(statistics.iqm_interval(np.ones((2, 3, 1)))[1]) == (2, 3)
    found = statistics.iqm_over_trials(np.array([*x[0], NAN, INF]))
    np.testing.assert_allclose(found, usual)
    assert all(type(v) is float for v in found)
    middle, low, high = statistics.iqm_interval(np.array([[3.0], [4.0]]))
    np.testing.assert_array_equal(middle, [3.0, 4.0])
    assert low.shape == high.shape == (2,) and np.isnan([low, high]).all()


def test_bootstrap_interval_of_a_ratio():
    generator = np.random.default_rng(5)
    one, other = generator.exponential(size=8) + 1, generator.exponential(size=4) + 2
    again = np.random.default_rng(np.random.Philox(key=6))
    first = stats.trim_mean(again.choice(one, (300, 8)), 0.25, axis=1)
    ratios = first / stats.trim_mean(again.choice(other, (300, 4)), 0.25, axis=1)
    wanted = (
        stats.trim_mean(one, 0.25) / stats.trim_mean(other, 0.25),
        *np.quantile(ratios, [0.1, 0.9]),
    )
    np.testing.assert_allclose(statistics.iqm_ratio_interval(one, other, 0.8, 300, 6), wanted)
    usual = statistics.iqm_ratio_interval(one, other, 0.95, 2000, 0)
    assert statistics.iqm_ratio_interval(one, other) == usual


def test_geometric_means_over_trials():
    x = np.array([1.0, 10.0, NAN, 100.0])
    known = x[[0, 1, 3]]
    for level in (0.5, 0.95):
        wanted = 10 ** np.array(student(np.log10(known), level))
        np.testing.assert_allclose(over_trials.geometric_over_trials(x, level), wanted)
    np.testing.assert_allclose(over_trials.geometric_over_trials(x), wanted)
    low, high = wanted[1:]
    cases = {
        (1.0, 10.0, 100.0, INF): (INF, low, INF),
        (1.0, 10.0, 100.0, 0.0): (0.0, 0.0, high),
        (1.0, 10.0, 100.0, 0.0, INF): (NAN, 0.0, INF),
        (1.0, 100.0): (10.0, *10 ** np.array(student([0.0, 2.0]))[1:]),
        (5.0, INF): (INF, 0.0, INF),
        (5.0, 0.0): (0.0, 0.0, INF),
        (5.0,): (5.0, NAN, NAN),
        (NAN,): (NAN, NAN, NAN),
    }
    for values, ends in cases.items():
        found = over_trials.geometric_over_trials(np.array(values))
        np.testing.assert_allclose(found, ends, err_msg=str(values))
    found = over_trials.noise_scale_over_trials(np.array([1.0, 10.0, 100.0, INF, INF, NAN]))
    np.testing.assert_allclose(found, (INF, low, INF, 2.0))


def test_cosines_over_trials():
    x = np.array([0.2, NAN, 0.9, 0.5])
    for level in (0.5, 0.95):
        wanted = np.tanh(student(np.arctanh(x[[0, 2, 3]]), level))
        np.testing.assert_allclose(over_trials.cosine_over_trials(x, level), wanted)
    np.testing.assert_allclose(over_trials.cosine_over_trials(x), wanted)
    assert np.isnan(over_trials.cosine_over_trials(np.array([NAN]))).all()
    sure = over_trials.cosine_over_trials(np.array([1.0, 1.0]))
    np.testing.assert_allclose(sure, 1.0, atol=1e-11)
    assert all(x < 1.0 for x in sure)
    least = over_trials.cosine_over_trials(np.array([-1.0, -1.0]))
    np.testing.assert_allclose(least, -1.0, atol=1e-11)
    assert all(x > -1.0 for x in least)


@pytest.fixture
def predicted():
    """Predictions, Monte Carlo values and their standard errors, of 12 states."""
    generator = np.random.default_rng(7)
    values = generator.normal(2.0, 3.0, 12)
    return values + generator.normal(1.5, 1.0, 12), values, generator.uniform(0.2, 0.6, 12)


def jackknife(function, arrays, level):
    """By hand: leaving out one state after another."""
    n = len(arrays[0])
    without = np.array([function(*(np.delete(a, i) for a in arrays)) for i in range(n)])
    return stats.t.ppf((1 + level) / 2, n - 1) * math.sqrt((n - 1) * without.var())


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_what_a_prediction_misses(predicted, level):
    prediction, values, errors = predicted
    noise = np.mean(errors**2)
    variance = np.var(values, ddof=1) - noise
    share = (np.mean((prediction - values) ** 2) - noise) / variance
    assert misfit.noise_share(values, errors) == pytest.approx(noise / variance)
    np.testing.assert_allclose(misfit.misfit(*predicted), (share, noise / variance))

    def log_ratio(prediction, values):
        return math.log(np.mean((prediction - values) ** 2) / np.var(values, ddof=1))

    width = jackknife(log_ratio, (prediction, values), level)
    ends = np.exp(log_ratio(prediction, values) + width * np.array([-1, 1]))
    wanted = (ends * (variance + noise) - noise) / variance
    np.testing.assert_allclose(misfit.misfit_interval(*predicted, level), (share, *wanted))
    if level == 0.95:
        np.testing.assert_allclose(misfit.misfit_interval(*predicted), (share, *wanted))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_what_is_missed_in_the_mean_and_what_else(predicted, level):
    prediction, values, errors = predicted
    error, noise, B = prediction - values, np.mean(errors**2), len(values)
    variance = np.var(values, ddof=1) - noise
    own = np.var(error, ddof=1)

    def mean(error, values):
        return np.mean(error) / math.sqrt(np.var(values, ddof=1) - noise)

    middle, width = mean(error, values), jackknife(mean, (error, values), level)
    low, high = middle - width, middle + width
    square = (np.mean(error) ** 2 - own / B) / variance
    least = 0.0 if low < 0 < high else min(low**2, high**2)
    squares = (square, min(least, square), max(low**2, high**2))

    def log_ratio(error, values):
        return math.log(np.var(error, ddof=1) / np.var(values, ddof=1))

    width = jackknife(log_ratio, (error, values), level)
    shares = np.exp(log_ratio(error, values) + width * np.array([0, -1, 1]))
    rest = np.maximum((shares * (variance + noise) - noise) / variance, 0.0)
    found = misfit.misfit_parts(*predicted, level)
    np.testing.assert_allclose(found, (middle, low, high, *squares, *rest))
    if level == 0.95:
        np.testing.assert_allclose(misfit.misfit_parts(*predicted), found)
    if level == 0.5:
        lower = misfit.misfit_parts(values - error, values, errors, level)
        np.testing.assert_allclose(lower[:6], (-middle, -high, -low, *squares))


def test_no_measure_depends_on_the_unit_of_rewards(predicted):
    small = tuple(0.01 * x for x in predicted)
    for measure in (misfit.misfit, misfit.misfit_interval, misfit.misfit_parts):
        np.testing.assert_allclose(measure(*small), measure(*predicted))
    assert misfit.noise_share(*small[1:]) == pytest.approx(misfit.noise_share(*predicted[1:]))
    one, other = GRAM, GRAM + np.diag(np.arange(6.0))
    found = value.variance_ratio(1e-4 * one, 1e-4 * other)
    np.testing.assert_allclose(found, value.variance_ratio(one, other))
    found = statistics.noise_scale_interval(1e-4 * GRAM, 50)
    np.testing.assert_allclose(found, statistics.noise_scale_interval(GRAM, 50))


def test_values_that_differ_by_noise_alone_tell_nothing():
    values, errors = np.array([1.0, 1.1, 0.9, 1.0]), np.full(4, 0.5)
    assert math.isnan(misfit.noise_share(values, errors))
    assert np.isnan(misfit.misfit(values, values, errors)).all()
    assert np.isnan(misfit.misfit_interval(values + 1, values, errors)).all()
    parts = misfit.misfit_parts(values + 1, values, errors)
    assert len(parts) == 9 and np.isnan(parts).all()
    # as do values whose variance is that of the noise exactly
    alike = np.array([-1.0, 0.0, 1.0]), np.ones(3)
    assert math.isnan(misfit.noise_share(*alike))
    assert np.isnan(misfit.misfit_interval(alike[0] + 1, *alike)).all()
    assert np.isnan(misfit.misfit_parts(alike[0] + 1, *alike)).all()
    # a prediction within the noise misses nothing
    spread = np.array([1.0, 5.0, -3.0, 2.0, 0.0])
    near = spread + np.array([0.1, -0.1, 0.05, 0.0, -0.05])
    shares = misfit.misfit_interval(near, spread, np.full(5, 0.5))
    assert shares[:2] == (0.0, 0.0) and shares[2] >= 0
    parts = misfit.misfit_parts(near, spread, np.full(5, 0.5))
    assert parts[3] == parts[4] == 0.0 and parts[6] == parts[7] == 0.0


def test_the_number_of_pairs_that_is_nearest_to_an_iterations():
    assert own_pairs.nearest_to_agents([100, 1024, 4097]) == 1024  # ratios: half, a hair over two
    assert own_pairs.nearest_to_agents((4095, 1024)) == 4095
    assert own_pairs.nearest_to_agents([500]) == 500


def test_errors_of_values():
    values, targets = np.array([1.0, 3.0, -2.0]), np.array([2.0, 2.0, -4.0])
    error = values - targets
    rmse, std = math.sqrt(np.mean(error**2)), np.std(targets)
    found = dict(zip(value.MEASURES, value.error_measures(values, targets), strict=True))
    wanted = {
        "mre": (0.5 + 0.5 + 0.5) / 3,
        "median_re": 0.5,
        "squared_re": (1 / 2 + 1 / 2 + 4 / 4) / 3,
        "normalized": rmse / std,
        "explained_variance": 1 - np.var(error) / std**2,
        "mean_error": (2 / 3) / std,
        "rest": np.std(error) / std,
    }
    assert found == pytest.approx(wanted)
    values, targets = np.random.default_rng(9).normal(1.0, 2.0, (2, 7))
    found = dict(zip(value.MEASURES, value.error_measures(values, targets), strict=True))
    small = value.error_measures(0.01 * values, 0.01 * targets)
    found["squared_re"] *= 0.01  # the one with a unit
    np.testing.assert_allclose(small, list(found.values()))
    assert found["mean_error"] == pytest.approx(np.mean(values - targets) / np.std(targets))
    assert np.isnan(value.error_measures(values[:1], targets[:1])).all()
    # targets of 0, or all alike, give large numbers and not infinite ones
    assert np.isfinite(value.error_measures(np.array([1.0, 2.0]), np.zeros(2))).all()


def test_variance_of_an_estimate():
    n = 40
    wanted = n * np.trace(np.cov(VECTORS.T))
    assert value.total_variance(GRAM, n) == pytest.approx(wanted)
    other = VECTORS + np.random.default_rng(8).normal(size=VECTORS.shape)

    def log_ratio(one, two):
        traces = (np.trace(np.cov(x.T)) for x in (one, two))
        return math.log(next(traces)) - math.log(next(traces))

    width = jackknife_rows(log_ratio, VECTORS, other)
    wanted = np.exp(log_ratio(VECTORS, other) + width * np.array([0, -1, 1]))
    found = value.variance_ratio(GRAM, other @ other.T)
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(value.variance_removed(GRAM, other @ other.T), 1 - wanted[[0, 2, 1]])


def jackknife_rows(function, one, other):
    """By hand: half a 95 % interval, leaving out one row of both after another."""
    n = len(one)
    without = [function(np.delete(one, i, 0), np.delete(other, i, 0)) for i in range(n)]
    return stats.t.ppf(0.975, n - 1) * math.sqrt((n - 1) * np.var(without))
