"""Statistics of steps: exact cases, and intervals that cover what they should."""

import numpy as np
import pytest
from scipy import stats

from pgcore.studies.measures import steps as measures
from pgcore.studies.measures.step_summary import Steps, agent_summary, trial_summary

REPEATS = 4000


def covered(intervals, truth):
    """Share of the intervals that hold the truth; within 1.1 % by chance (99 % of 4000 repeats)."""
    return np.mean([x.low <= truth <= x.high for x in intervals])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(("K", "centre"), [(8, 0.1), (20, 0.0), (20, 0.5), (20, 3.0)])
def test_mean_change_covers_with_the_error_of_the_centre(K, centre):
    """Steps N(1, 2), own noise 1, and a centre that all share, from less to more than theirs."""
    z, common = normal(REPEATS, K), centre * normal(REPEATS, 1, seed=1)
    changes = 1 + np.sqrt(2**2 + 1**2) * z + common
    share = covered([measures.mean_change(c, centre) for c in changes], 1.0)
    assert 0.93 <= share <= 0.97, share


@pytest.mark.parametrize("kind", ["normal", "heavy", "gamma", "lognormal"])
@pytest.mark.parametrize("K", [8, 10, 20])
def test_mean_change_covers_where_steps_are_skewed(K, kind):
    """Student's interval covers 0.88 of eight steps of skewness -2.3."""
    share = covered([measures.mean_change(c) for c in changes(kind, 8000, K)], 0.0)
    assert 0.925 <= share <= 0.975, share  # 0.0024 of it by chance


def changes(kind, *shape):
    """Steps of standard deviation 1: normal, heavy-tailed, and of skewness -2.3 in two shapes."""
    generator = np.random.default_rng(0)
    if kind == "normal":
        return generator.standard_normal(shape)
    if kind == "heavy":
        return generator.standard_t(5, shape) / np.sqrt(5 / 3)
    if kind == "gamma":
        k = (2 / 2.3) ** 2
        return (k - generator.standard_gamma(k, shape)) / np.sqrt(k)
    s = 0.6071  # of the logarithm: skewness (w + 2) sqrt(w - 1) with w = exp(s²)
    w = np.exp(s**2)
    return (np.exp(s**2 / 2) - np.exp(s * generator.standard_normal(shape))) / np.sqrt(w * (w - 1))


@pytest.mark.parametrize("kind", ["normal", "heavy", "gamma", "lognormal"])
@pytest.mark.parametrize(("K", "noise"), [(8, 0.3), (10, 0.0), (12, 1.0), (20, 0.3)])
def test_spread_covers_without_evaluation_noise(K, noise, kind):
    """Errors are estimates themselves, of 20 trajectories each."""
    generator, repeats = np.random.default_rng(2), 2000
    errors = noise * np.sqrt(generator.chisquare(19, (repeats, K)) / 19)
    values = 2 * changes(kind, repeats, K) + 2 * noise * generator.standard_normal((repeats, K))
    found = [measures.spread(v, 2 * e) for v, e in zip(values, errors, strict=True)]
    share = covered(found, 2.0)
    assert 0.92 <= share <= 0.985, share  # 93 to 98 %, and a binomial error and a half
    square = np.mean([x.estimate**2 for x in found])
    assert square == pytest.approx(4.0, rel=0.1)
    if kind in ("gamma", "lognormal") and not noise:  # a normal's interval would cover far less
        tails = stats.chi2.ppf([0.975, 0.025], K - 1)
        ends = (K - 1) * values.var(axis=1, ddof=1)[:, None] / tails
        assert np.mean((ends[:, 0] <= 4) & (ends[:, 1] >= 4)) < 0.82


def test_spread_of_noise_alone_is_none():
    found = [measures.spread(x, np.ones(20)) for x in normal(1000, 20)]
    assert np.mean([x.low == 0 for x in found]) > 0.93  # 95.5 % are missed above or not at all
    assert 0.4 < np.mean([x.estimate == 0 for x in found]) < 0.6


def test_a_spread_of_few_steps_has_no_ends():
    few = measures.spread(np.array([1.0, 2.0, 4.0, 8.0]), np.zeros(4))
    assert few.estimate == pytest.approx(np.std([1, 2, 4, 8], ddof=1)) and np.isnan(few.low)
    five = measures.spread(np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.zeros(5))
    assert 0 < five.low < five.estimate < five.high
    none = measures.spread(np.full(6, 3.0), np.zeros(6))
    assert (none.estimate, none.low, none.high) == (0, 0, 0)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("K", [20, 60])
def test_a_share_covers(K, p):
    """Exactly, by the binomial: Wilson's coverage swings about 95 %."""
    counts = np.arange(K + 1)
    inside = [measures.share_interval(int(c), K) for c in counts]
    weights = stats.binom.pmf(counts, K, p)
    share = sum(w for w, x in zip(weights, inside, strict=True) if x.low <= p <= x.high)
    assert 0.925 <= share <= 0.98, share


@pytest.mark.parametrize("T", [3, 6, 10])
def test_over_trials_covers_where_resampling_does_not(T):
    """Trials N(1, 1), steps N(trial, 2), a centre's error 0.3 in each trial; K = 20."""
    trials = normal(REPEATS, T, 1) + 0.3 * normal(REPEATS, T, 1, seed=1)
    changes = 1 + trials + 2 * normal(REPEATS, T, 20, seed=2)
    share = covered([measures.over_trials(c.mean(1)) for c in changes], 1.0)
    assert 0.93 <= share <= 0.97, share
    few = changes[:400]
    resampled = covered([measures.resampled_trials(c, resamples=300) for c in few], 1.0)
    assert resampled < (0.92 if T < 10 else 0.95), resampled


@pytest.mark.parametrize("T", [3, 6])
def test_a_share_over_trials_covers(T):
    """Trials whose shares differ (Beta) and trials that are all alike; the hull may cover more."""
    generator = np.random.default_rng(5)
    K = np.full(T, 20)
    for alike in (False, True):
        p = np.full((1000, T), 0.3) if alike else generator.beta(3, 7, (1000, T))
        counts = generator.binomial(20, p)
        share = covered([measures.share_over_trials(c, K) for c in counts], 0.3)
        assert share >= 0.93, (alike, share)
    none = measures.share_over_trials(np.zeros(T), K)
    assert none.estimate == 0 and none.high > 0.02  # equal shares are no certainty


@pytest.mark.parametrize(("T", "K"), [(1, 20), (4, 20), (8, 8)])
@pytest.mark.parametrize("apart", [0.0, 0.8])
def test_correlation_within_trials_covers(T, K, apart):
    """Truth 0.6 within trials, whatever their means are, and their scales."""
    scale = np.exp(apart * normal(REPEATS, T, 1, seed=3))
    one = scale * normal(REPEATS, T, K)
    other = 0.6 * one + 0.8 * scale * normal(REPEATS, T, K, seed=1)
    other += 5 * normal(REPEATS, T, 1, seed=2)
    share = covered([measures.within_trials(a, b) for a, b in zip(one, other, strict=True)], 0.6)
    assert 0.93 <= share <= 0.97, share


def test_correlations_that_differ_between_trials_are_covered():
    """Fisher's z of the trials is normal about the truth, 0: trials are the units."""
    rho = np.tanh(0.4 * normal(REPEATS, 8, 1, seed=3))
    one = normal(REPEATS, 8, 8)
    other = rho * one + np.sqrt(1 - rho**2) * normal(REPEATS, 8, 8, seed=1)
    pairs = list(zip(one, other, strict=True))
    share = covered([measures.within_trials(a, b) for a, b in pairs], 0.0)
    assert 0.93 <= share <= 0.97, share
    pooled = covered([measures.correlation(a.ravel(), b.ravel()) for a, b in pairs], 0.0)
    assert pooled < 0.88, pooled  # what it would be without trials as units


def test_reliability_undoes_what_noise_takes_from_a_correlation():
    one, noise = normal(2000, 20), 0.75
    true = 0.6 * one + 0.8 * normal(2000, 20, seed=1)
    measured = true + noise * normal(2000, 20, seed=2)
    errors = np.full(one.shape, noise)
    kept = measures.reliability(measured, errors)
    assert kept == pytest.approx(1 / (1 + noise**2), abs=0.02)
    r = measures.within_trials(one, measured).estimate
    assert r / np.sqrt(kept) == pytest.approx(0.6, abs=0.02)


def test_tails_without_evaluation_noise():
    """Normal returns: the tails of the true ones, from ones with as much noise as spread."""
    generator = np.random.default_rng(4)
    true = 10 + 3 * generator.standard_normal(20_000)
    measured, errors = true + 3 * generator.standard_normal(20_000), np.full(20_000, 3.0)
    assert measures.lower_tail(measured, errors) == pytest.approx(np.mean(true < 5), abs=0.005)
    assert np.mean(measured < 5) > 2 * np.mean(true < 5)  # what noise alone would add
    expected = np.sort(true)[:2000].mean()
    assert measures.lower_mean(measured, errors) == pytest.approx(expected, abs=0.1)
    shrunk = measures.without_noise(measured, errors)
    assert shrunk.mean() == pytest.approx(measured.mean())
    assert shrunk.var(ddof=1) == pytest.approx(measured.var(ddof=1) - 9)


def test_tails_exactly():
    returns = np.array([1.0, 4.0, *np.full(18, 10.0)])
    assert measures.lower_tail(returns, np.zeros(20)) == 0.1
    assert measures.lower_mean(returns, np.zeros(20)) == 2.5
    assert measures.lower_mean(returns[:5], np.zeros(5)) == 1.0  # a tenth of five: half a step
    assert np.isnan(measures.lower_tail(-returns, np.zeros(20)))


def test_clear_shares_are_of_intervals_beside_zero():
    changes = np.array([-3.0, -1.0, 1.0, 3.0])
    widths = measures.change_width(np.ones(4), np.array([1e6, 1e6, 1e6, 3.0]))
    np.testing.assert_allclose(widths, [1.96, 1.96, 1.96, 4.303], atol=1e-3)
    assert measures.clear_shares(changes, widths) == (0.25, 0.0)  # of three trajectories: unclear


def test_an_unknown_error_is_no_knowledge():
    """One trajectory of a step, or of the centre, gives a change without an error."""
    values, errors = 1000 + 50 * normal(12), np.full(12, 10.0)
    errors[3] = np.nan
    assert np.isnan(measures.lower_tail(values, errors))
    assert np.isnan(measures.lower_mean(values, errors))
    assert np.isnan(measures.reliability(values, errors))
    assert np.isnan(measures.clear_shares(values, errors)).all()
    shape = (8, 20)
    steps = Steps(
        change=np.full(shape, -50.0), change_error=np.full(shape, np.nan),
        apart_error=np.full(shape, np.nan), compared=np.ones(shape), surrogate=np.ones(shape),
        centre=np.full(8, 100.0), common_error=np.full(8, np.nan), trials=tuple("01234567"),
    )  # fmt: skip
    sure, may, count = steps.lowering_shares()
    assert (sure.estimate, may.estimate, count) == (0.0, 1.0, 160)


def test_one_trial_of_several_has_no_interval_over_trials():
    K = 12
    of_steps = [normal(3, K, seed=i) for i in range(5)]
    of_steps[1:4] = [np.abs(x) + 1 for x in of_steps[1:4]]
    of_steps[0][1:] = np.nan  # two trials are not there
    found = np.array(agent_summary(*of_steps, np.ones(3), np.ones(3)))
    middles = [0, 3, 6, 9, 18, 21, 24]
    ends = [i + end for i in middles for end in (1, 2)]
    assert np.isnan(found[ends]).all() and np.isfinite(found[[0, 3, 6, 9, 21, 24]]).all()
    alone = np.array(trial_summary(*(x[0] for x in of_steps), 1.0, 1.0))
    assert np.isfinite(alone[[1, 2, 4, 5, 7, 8, 10, 11]]).all(), "over its steps it has them"


@pytest.mark.parametrize("T", [1, 2, 3, 6, 8])
def test_the_interval_of_a_share_holds_it(T):
    """Rounding has put an end of 0 or 1 on the other side, and figures refused it."""
    for K in range(2, 61):
        for count in (0, 1, K):
            found = measures.share_over_trials(np.full(T, float(count)), np.full(T, float(K)))
            assert found.low <= found.estimate <= found.high
