"""Statistics of gradients and of trials against the same numbers by another way."""

import math

import numpy as np
import pytest
from scipy import stats

from by_hand import GRAM, VECTORS, student, unit
from pgcore.studies.measures import over_trials, own_pairs, statistics

NAN, INF = math.nan, math.inf


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


@pytest.mark.parametrize(
    "of_trials",
    [
        over_trials.bounded_over_trials,
        over_trials.cosine_over_trials,
        over_trials.geometric_over_trials,
        over_trials.noise_scale_over_trials,
        statistics.mean_over_trials,
        statistics.iqm_over_trials,
    ],
)
def test_one_trial_has_no_interval_over_trials(of_trials):
    middle, *ends = of_trials(np.array([NAN, 0.25]))
    assert middle == pytest.approx(0.25) and np.isnan(ends[:2]).all()


def test_means_of_what_has_bounds():
    """Student's, cut at the bounds; equal values are no surer than each is of its own."""
    x = np.array([0.2, 0.4, NAN, 0.6])
    np.testing.assert_allclose(over_trials.bounded_over_trials(x), student([0.2, 0.4, 0.6]))
    middle, low, high = over_trials.bounded_over_trials(np.array([0.1, 0.9]), least=0.0)
    assert (low, high) == (0.0, 1.0) and middle == pytest.approx(0.5)
    equal, low, high = np.full(3, 0.5), np.array([0.1, 0.2, NAN]), np.array([0.6, 0.9, 0.9])
    found = over_trials.bounded_over_trials(equal, low, high)
    np.testing.assert_allclose(found, (0.5, 0.15, 0.8), rtol=1e-14)
    assert over_trials.bounded_over_trials(equal, NAN * low, NAN * high) == (0.5, 0.5, 0.5)
    found = over_trials.bounded_over_trials(np.full(2, 1.5), most=1.0)
    assert found == (1.5, 1.5, 1.5), "what noise was taken off may lie outside"


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


def test_the_number_of_pairs_that_is_nearest_to_an_iterations():
    assert own_pairs.nearest_to_agents([100, 1024, 4097]) == 1024  # ratios: half, a hair over two
    assert own_pairs.nearest_to_agents((4095, 1024)) == 4095
    assert own_pairs.nearest_to_agents([500]) == 500


def test_a_dotted_line_is_told_of_where_the_axis_shows_it():
    """An axis of less than a decade reaches a factor of sqrt(10) from its middle, 500 here."""
    n = np.array([250.0, 1000.0])
    assert own_pairs.decade_around(n) == pytest.approx((500 / 10**0.5, 500 * 10**0.5))
    assert own_pairs.decade_around(np.array([250.0, 2500.0])) is None
    assert own_pairs.dotted(n) == own_pairs.dotted(n * 100) == ""
    assert own_pairs.dotted(np.array([250.0, 2500.0])) == " Dotted: n = 2048."
    assert own_pairs.dotted(n * 2, ", here") == " Dotted: n = 2048, here."
    edge = np.array([2048 * 10**0.5])  # the line is at the lower end of the axis
    assert own_pairs.dotted(edge * 0.999) and not own_pairs.dotted(edge * 1.001)
    assert own_pairs.dotted(edge * 0.1001) and not own_pairs.dotted(edge * 0.0999)


def test_two_estimates_have_no_jackknife():
    middle, *ends = statistics.noise_scale_interval(GRAM[:2, :2], 50)
    assert np.isfinite(middle) and np.isnan(ends).all()


def test_a_ratio_of_single_trials_has_no_interval():
    for one, other in (([500.0], [2000.0]), ([500.0], [1.0, 2000.0, 3.0]), ([5.0, 6.0], [2.0])):
        middle, *ends = statistics.iqm_ratio_interval(np.array(one), np.array(other))
        assert np.isfinite(middle) and np.isnan(ends).all()


@pytest.mark.parametrize("skewness", [-1.3, -0.2, 0.3, 2.0])
@pytest.mark.parametrize("t", [0.5, 2.0, 4.0])
def test_skewed_quantiles_solve_halls_cubic(skewness, t):
    """y + s y² / 3 + s² y³ / 27 + s / 6 = x (Hall 1992), solved by `numpy.roots`."""

    def root(x):
        roots = np.roots([skewness**2 / 27, skewness / 3, 1.0, skewness / 6 - x])
        return float(roots[np.argmin(np.abs(roots.imag))].real)

    found = statistics.skewed_quantiles(np.array(skewness), t)
    np.testing.assert_allclose(found, (max(root(t), t), max(-root(-t), t)), rtol=1e-6)
    assert max(found) > t, "a side is farther"


def test_what_is_not_skewed_has_students_quantiles():
    for skewness in (0.0, NAN):
        assert statistics.skewed_quantiles(np.array(skewness), 2.0) == (2.0, 2.0)


def test_a_ratio_of_two_trials_each_has_an_interval():
    found = statistics.iqm_ratio_interval(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert np.isfinite(found).all() and found[1] < found[0] < found[2]


def test_a_jackknife_is_of_95_percent():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    found = statistics.jackknife_interval(lambda i: float(values[i].mean()), 4)
    np.testing.assert_allclose(found, student(values))
