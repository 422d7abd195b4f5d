"""Measures of values and of their errors against the same numbers by another way."""

import math

import numpy as np
import pytest

from by_hand import GRAM, VECTORS, jackknife
from pgcore.studies.measures import misfit, value


@pytest.fixture
def predicted():
    """Predictions, Monte Carlo values and their standard errors, of 12 states."""
    generator = np.random.default_rng(7)
    values = generator.normal(2.0, 3.0, 12)
    return values + generator.normal(1.5, 1.0, 12), values, generator.uniform(0.2, 0.6, 12)


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

    width = jackknife(log_ratio, (VECTORS, other))
    wanted = np.exp(log_ratio(VECTORS, other) + width * np.array([0, -1, 1]))
    found = value.variance_ratio(GRAM, other @ other.T)
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(value.variance_removed(GRAM, other @ other.T), 1 - wanted[[0, 2, 1]])
