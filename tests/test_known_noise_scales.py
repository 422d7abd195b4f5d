"""Noise scales of known gradients, by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from by_hand import GRAM
from pgcore.studies.measures import statistics

NAN, INF = math.nan, math.inf


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


def test_no_noise_scale_depends_on_the_unit_of_gradients():
    found = statistics.noise_scale_interval(1e-4 * GRAM, 50)
    np.testing.assert_allclose(found, statistics.noise_scale_interval(GRAM, 50))


def test_a_gradient_that_is_not_seen_has_an_infinite_noise_scale():
    opposite = np.array([[1.0, -0.5, -0.4], [-0.5, 1.0, -0.5], [-0.4, -0.5, 1.0]])
    assert statistics.noise_scale_interval(opposite, 10) == (INF, INF, INF)
    assert statistics.noise_scale_interval(np.eye(4), 10) == (INF, INF, INF)
    # four streams of 5 pairs, mean square 3, square of the mean 2: trace 4/3, signal 5/3
    square, signal = np.array([3.0, 3.0, NAN]), np.array([2.0, 0.5, 2.0])
    found = statistics.true_noise_scale(square, signal, np.array(4.0), np.array(5.0))
    np.testing.assert_allclose(found, [5 * (4 / 3) / (5 / 3), INF, NAN])
    seen = statistics.true_signal(square, signal, np.array(4.0))
    np.testing.assert_allclose(seen, [5 / 3, 0.5 - 2.5 / 3, NAN])
    small = statistics.true_noise_scale(square / 8, signal / 8, np.array(4.0), np.array(5.0))
    np.testing.assert_allclose(small, found)
    # two streams whose noise is all that there is: the signal is 0 exactly
    two = np.array(2.0)
    assert statistics.true_noise_scale(two, np.array(1.0), two, np.array(5.0)) == INF


def test_what_the_noise_scale_predicts():
    n, B = np.array([10.0, 40.0]), np.array([30.0, 40.0])
    np.testing.assert_allclose(statistics.predicted_pairwise(n, B), [0.25, 0.5])
    np.testing.assert_allclose(statistics.predicted_to_true(n, B), [0.5, math.sqrt(0.5)])
