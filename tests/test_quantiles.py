"""What intervals multiply their errors with is what `scipy.stats` says."""

import numpy as np
from scipy import stats

from pgcore.base.quantiles import (
    chi2_quantile,
    normal_factor,
    t_factor,
    t_quantile,
    t_upper_tail,
)

FREEDOM = np.array([1.0, 1.5, 2.0, 7.0, 29.0, 1e3, 1e6])


def test_they_are_those_of_scipy_stats():
    for level in (0.5, 0.9, 0.95, 0.999):
        np.testing.assert_allclose(
            t_factor(FREEDOM, level), stats.t.ppf(0.5 + level / 2, FREEDOM), rtol=1e-12
        )
        assert abs(normal_factor(level) / stats.norm.ppf(0.5 + level / 2) - 1) < 1e-12
        np.testing.assert_allclose(
            chi2_quantile(1 - level, FREEDOM), stats.chi2.ppf(1 - level, FREEDOM), rtol=1e-9
        )
        np.testing.assert_allclose(
            t_quantile(1 - level, FREEDOM), stats.t.ppf(1 - level, FREEDOM), rtol=1e-9, atol=1e-12
        )
    for score in (-2.0, 0.0, 3.0, np.inf):
        np.testing.assert_allclose(
            t_upper_tail(np.array(score), FREEDOM), stats.t.sf(score, FREEDOM), rtol=1e-12
        )


def test_without_a_degree_of_freedom_nothing_is_known():
    assert np.isnan(t_factor(0))
