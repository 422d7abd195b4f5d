"""Measures of the value study: errors, known returns, and intervals that cover the truth."""

import dataclasses

import numpy as np
import pytest

import pgcore
from pgcore.studies.measures.misfit import misfit, misfit_interval, misfit_parts
from pgcore.studies.measures.value import MEASURES, error_measures, variance_ratio
from pgcore.studies.value.returns import resolved_returns


def test_error_measures_of_known_errors():
    targets, values = np.array([1.0, -2.0, 4.0, 10.0]), np.array([1.5, -1.0, 4.0, 12.0])
    got = dict(zip(MEASURES, error_measures(values, targets), strict=True))
    assert got["mre"] == pytest.approx((0.5 + 0.5 + 0 + 0.2) / 4)
    assert got["median_re"] == pytest.approx(0.35)
    assert got["squared_re"] == pytest.approx((0.25 + 0.5 + 0 + 0.4) / 4)
    assert got["normalized"] == pytest.approx(np.sqrt(5.25 / 4) / targets.std())
    assert got["mean_error"] == pytest.approx((0.5 + 1 + 0 + 2) / 4 / targets.std())
    assert error_measures(targets, targets)[MEASURES.index("explained_variance")] == 1


@pytest.mark.parametrize("shift", [0.0, 3.0, -0.4])
def test_the_mean_error_and_the_rest_make_up_the_error(shift):
    """normalized² = mean_error² + rest²; a constant is all mean error, and so is its sign."""
    generator = np.random.default_rng(0)
    targets = generator.standard_normal(500)
    noise = 0.3 * generator.standard_normal(500)
    got = dict(zip(MEASURES, error_measures(targets + shift + noise, targets), strict=True))
    assert got["normalized"] ** 2 == pytest.approx(got["mean_error"] ** 2 + got["rest"] ** 2)
    assert got["explained_variance"] == pytest.approx(1 - got["rest"] ** 2)
    assert got["mean_error"] == pytest.approx((shift + noise.mean()) / targets.std())
    alone = dict(zip(MEASURES, error_measures(targets + shift, targets), strict=True))
    assert alone["rest"] < 1e-12
    assert alone["normalized"] == pytest.approx(abs(alone["mean_error"]))


def test_misfit_takes_the_noise_off():
    generator = np.random.default_rng(0)
    truth = generator.standard_normal(20_000)
    measured = truth + 0.5 * generator.standard_normal(20_000)
    prediction = truth + 0.3 * generator.standard_normal(20_000)
    error, noise = misfit(prediction, measured, np.full(20_000, 0.5))
    assert error == pytest.approx(0.09, abs=0.02) and noise == pytest.approx(0.25, abs=0.02)


def test_resolved_returns_leave_out_what_is_cut():
    task = pgcore.make_task("Hopper-v2")
    batch = pgcore.collect(task, pgcore.GaussianPolicy(11, 3), 300, streams=3)
    tail = 44  # 0.9^44 < 0.01
    returns, known = resolved_returns(batch.rewards, batch, 0.9, 60)
    for s in range(3):
        age = 0
        for t in range(300):
            assert known[s, t] == (t + tail <= 300 and age + tail <= 60)
            age = 0 if batch.terminated[s, t] else age + 1
    everywhere = resolved_returns(batch.rewards, batch, 0.9, None)[1]
    assert everywhere[:, : 300 - tail + 1].all() and not everywhere[:, 300 - tail + 1 :].any()
    plain = pgcore.discounted_returns(
        batch.rewards, np.zeros_like(batch.rewards), batch.terminated, batch.truncated, 0.9
    )
    np.testing.assert_array_equal(returns, plain)


def test_the_ratio_of_variances_covers_the_truth():
    """Of 10 paired estimates whose noise differs by a known factor."""
    generator, scale = np.random.default_rng(5), np.geomspace(0.2, 2, 40)
    truth = (np.square(0.5 * scale) + 0.3**2).sum() / np.square(scale).sum()
    hits, repeats = 0, 300
    for _ in range(repeats):
        shared = generator.standard_normal((10, 40)) * scale
        noisy, quiet = 1 + shared, 1 + 0.5 * shared
        other = quiet + 0.3 * generator.standard_normal((10, 40))
        middle, low, high = variance_ratio(other @ other.T, noisy @ noisy.T)
        assert 0 < low < middle < high
        hits += low <= truth <= high
        exact = variance_ratio(quiet @ quiet.T, noisy @ noisy.T)
        np.testing.assert_allclose(exact, 0.25, rtol=1e-6)  # paired: the noise cancels
    assert hits >= repeats * (0.95 - 3 * 0.0126)  # less three binomial errors


@pytest.mark.parametrize("draw", ["normal", "heavy"])
def test_the_interval_of_a_misfit_covers_it(draw):
    """20 states, as small as a study has, whose Monte Carlo values have noise."""
    generator = np.random.default_rng(3)

    def sample():
        heavy = generator.standard_t(4, 20) / np.sqrt(2)
        return heavy if draw == "heavy" else generator.standard_normal(20)

    hits, repeats = 0, 300
    for _ in range(repeats):
        value, error = sample(), np.full(20, 0.1)
        measured = value + error * generator.standard_normal(20)
        own = misfit_interval(value + np.sqrt(0.3) * sample(), measured, error)
        assert 0 <= own[1] <= own[0] <= own[2] < (30 if draw == "normal" else np.inf)
        hits += own[1] <= 0.3 <= own[2]
    assert hits >= repeats * (0.93 - 3 * 0.0147)  # heavy tails: 0.935 of 400


def states(generator, count, draw="normal", mean=0.5, rest=0.3, noise=0.3):
    """Prediction, Monte Carlo values and their errors at states: values of variance 1."""

    def sample():
        if draw == "heavy":
            return generator.standard_t(4, count) / np.sqrt(2)
        return generator.standard_normal(count)

    value, errors = sample(), np.full(count, noise)
    measured = value + noise * generator.standard_normal(count)
    return value + mean + np.sqrt(rest) * sample(), measured, errors


def test_a_misfit_is_squared_mean_error_and_rest():
    """Noise is taken off both, unbiased: of few states, too."""
    generator = np.random.default_rng(1)
    mean, square, rest = misfit_parts(*states(generator, 2000))[::3]
    assert (mean, square, rest) == pytest.approx((0.5, 0.25, 0.3), abs=0.07)
    assert misfit_parts(*states(generator, 2000, mean=-0.5))[0] == pytest.approx(-0.5, abs=0.07)
    squares = []
    for _ in range(1000):
        prediction, measured, errors = states(generator, 12, mean=1.0, rest=3.0)
        parts = misfit_parts(prediction, measured, errors)
        variance = measured.var(ddof=1) - 0.3**2
        squares.append(parts[3] * variance)
        if parts[3] > 0 and parts[6] > 0:
            whole = misfit(prediction, measured, errors)[0]
            assert parts[3] + parts[6] == pytest.approx(whole)
    tolerance = 4 * np.std(squares) / np.sqrt(1000)
    assert np.mean(squares) == pytest.approx(1.0, abs=tolerance)
    assert tolerance < (3 + 0.09) / 12  # what the errors' variance adds to the square of their mean
    exact = misfit_parts(np.arange(10.0) + 3, np.arange(10.0), np.zeros(10))
    assert exact[3] == pytest.approx(9 / np.arange(10.0).var(ddof=1)) and exact[6] < 1e-12


@pytest.mark.parametrize(("draw", "mean"), [("normal", 0.5), ("normal", 0.0), ("heavy", 0.5)])
def test_the_intervals_of_the_parts_of_a_misfit_cover_them(draw, mean):
    """20 states; with a mean error of 0 the square's interval holds 0 where the mean's does."""
    generator = np.random.default_rng(3)
    hits, repeats = np.zeros(3), 600
    for _ in range(repeats):
        parts = misfit_parts(*states(generator, 20, draw, mean))
        for i, truth in enumerate((mean, mean**2, 0.3)):
            middle, low, high = parts[3 * i : 3 * i + 3]
            assert low <= middle <= high
            hits[i] += low <= truth <= high
    assert (hits >= repeats * (0.93 - 3 * 0.0104)).all(), hits  # heavy tails cover 93 %


def test_no_part_of_a_misfit_is_known_of_values_that_differ_by_noise_alone():
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(30)
    assert np.isnan(misfit_parts(noise, noise, np.full(30, 2.0))).all()


def test_returns_that_are_known_are_not_selected_by_what_happens_later():
    """Balls that end at random: near the cut, those that end soon have low returns."""
    generator = np.random.default_rng(0)
    S, T, end = 4000, 60, 0.02
    terminated = generator.random((S, T)) < end
    nothing = np.zeros((S, T), dtype=bool)
    batch = dataclasses.replace(
        pgcore.collect(pgcore.make_task("Hopper-v2"), pgcore.GaussianPolicy(11, 3), 1),
        terminated=terminated,
        truncated=nothing,
    )
    returns, known = resolved_returns(np.ones((S, T)), batch, 0.9, None)
    value = 1 / (1 - 0.9 * (1 - end))  # of a constant reward, at every step
    error = returns[known].std() / np.sqrt(S)  # streams are the independent units, at least
    assert abs(returns[known].mean() - value) < 4 * error + 0.01 * value  # and the missing tail
