"""Intervals of skewed items: never nearer than Student's, and wide enough on the tail's side."""

import numpy as np
import pytest
from scipy import stats

from by_hand import student
from pgcore.studies.measures.variance import jackknife, less_bias, log_jackknife, log_less_bias

QUANTILE = stats.t.ppf(0.975, 39)  # of Student's t, for 40 items


def left_out(values):
    """The mean of values [..., N], then without each of them, [..., 1 + N]."""
    n = values.shape[-1]
    whole = values.mean(-1, keepdims=True)
    return np.concatenate([whole, (n * whole - values) / (n - 1)], axis=-1)


@pytest.fixture
def items():
    return np.random.default_rng(2).standard_normal((500, 40))


def test_symmetric_items_have_students_interval(items):
    both = np.concatenate([items[0], -items[0]])
    np.testing.assert_allclose(jackknife(left_out(both)), student(both), atol=1e-12)


def test_ends_are_halls_where_those_are_farther(items):
    for row in np.exp(items[:20]):
        mean, low, high = student(row)
        a = np.mean((row - mean) ** 3) / np.mean((row - mean) ** 2) ** 1.5 / np.sqrt(len(row))
        found = jackknife(left_out(row))
        error = (high - mean) / QUANTILE
        # Hall's transformation of (mean - truth) / error, which is bent until it is normal
        t = -(found[2] - mean) / error
        np.testing.assert_allclose(
            t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6, -QUANTILE, rtol=1e-9
        )
        assert a > 0
        np.testing.assert_allclose(found[:2], (mean, low), rtol=1e-12)


def test_a_mirrored_number_has_the_mirrored_interval(items):
    values = left_out(np.exp(items))
    found = jackknife(values)
    # but for the last bits, in which sums are rounded
    np.testing.assert_allclose(jackknife(-values), -found[..., [0, 2, 1]], rtol=1e-14)


def test_means_of_skewed_items_are_covered():
    """Student's interval misses the mean of 40 exponentials' squares too often, and on one side."""
    generator = np.random.default_rng(3)
    squares = generator.standard_exponential((4000, 40)) ** 2
    found = jackknife(left_out(squares))
    width = QUANTILE * stats.sem(squares, axis=1)
    plain = np.stack([squares.mean(1), squares.mean(1) - width, squares.mean(1) + width], axis=-1)
    covers = [np.mean((x[:, 1] <= 2) & (x[:, 2] >= 2)) for x in (plain, found)]
    assert covers[0] < 0.87
    assert covers[1] > covers[0] + 0.03
    assert np.all(found[:, 1] <= plain[:, 1] + 1e-12)
    assert np.all(found[:, 2] >= plain[:, 2] - 1e-12)


def test_equal_items_have_no_width_and_unknown_ones_no_interval():
    assert jackknife(np.ones(5)).tolist() == [1, 1, 1]
    assert np.isnan(jackknife(np.array([np.nan, 1.0, 2.0, 3.0]))[0])
    assert np.isnan(log_jackknife(np.array([1.0, 2.0, -1.0, 3.0]))[1:]).all()


def test_a_mean_has_no_bias_to_take_off_and_a_variance_has_all_of_it(items):
    np.testing.assert_allclose(less_bias(left_out(items)), items.mean(1), atol=1e-13)
    n = items.shape[1]
    others = items[:, None, :].repeat(n, 1)[:, ~np.eye(n, dtype=bool)].reshape(-1, n, n - 1)
    plugged = np.concatenate([items.var(1)[:, None], others.var(2)], axis=1)
    np.testing.assert_allclose(less_bias(plugged), items.var(1, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(log_less_bias(np.exp(plugged)), np.exp(less_bias(plugged)))
    # one leave-one-out value below 0: a trial that has little, not none that is known
    few = np.array([[0.02, 0.03, -0.01, 0.04], [0.02, -0.5, 0.9, -0.4]])
    np.testing.assert_allclose(log_less_bias(few), np.maximum(less_bias(few), 0.0))


def test_most_of_the_bias_of_a_logarithm_is_taken_off():
    """Of means of 40 exponentials' squares, whose truth is 2."""
    squares = np.random.default_rng(4).standard_exponential((20_000, 40)) ** 2
    values = left_out(squares)
    bias, left = (np.log(x / 2).mean() for x in (values[:, 0], log_less_bias(values)))
    error = np.log(values[:, 0]).std() / np.sqrt(len(values))
    assert bias < -10 * error
    assert abs(left) < abs(bias) / 2
