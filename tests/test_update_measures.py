"""Statistics along updates: what is carried, what is left, and intervals that cover."""

import numpy as np
import pytest
import xarray as xr

from pgcore.studies.measures import updates as measures
from pgcore.studies.measures.updates import Along, Verdict

REPEATS = 2000


def dataset(at, accepted=None, **variables):
    """A dataset of one agent, iteration and n, from arrays [T, K, P]."""
    at = np.asarray(at, dtype=float)
    dims = ("trial", "update", "point")
    given = {"at": at, "accepted": np.full(at.shape, np.nan) if accepted is None else accepted}
    others = {n: np.full(at.shape, np.nan) for n in measures._NAMES if n not in given}
    values = others | given | variables
    data = xr.Dataset({n: (dims, np.asarray(v, dtype=float)) for n, v in values.items()})
    data["change"] = data["change"].expand_dims(measure=["return"])
    return data.assign_coords(trial=[f"t{i}" for i in range(at.shape[0])])


NAN = np.nan


def test_an_update_that_has_ended_stays_where_it_is():
    at = [[[1, 2, 2.5, NAN, NAN], [1, 2, 3, 4, NAN]]]
    change = [[[5, 6, 4, NAN, NAN], [1, 2, 3, 7, NAN]]]
    along = Along.of(dataset(at, change=change, surrogate=change))
    np.testing.assert_array_equal(along.at, [1, 2, 3, 4])
    np.testing.assert_array_equal(along.values["change"], [[[5, 6, 4, 4], [1, 2, 3, 7]]])
    np.testing.assert_array_equal(along.ends("change"), [[4, 7]])
    rest = [[[4, -1, -2, 0, NAN], [7, 6, 5, 4, NAN]]]
    np.testing.assert_array_equal(along.rest("change"), rest)
    assert measures.over_units(along.values["change"][..., 3]).estimate == 5.5


def test_a_line_search_keeps_what_it_accepts_and_else_nothing():
    at = [[[1, 0.5, NAN], [1, NAN, NAN], [1, 0.5, 0.25]]]
    accepted = [[[0, 1, NAN], [1, NAN, NAN], [0, 0, 0]]]
    change = [[[-8, 3, NAN], [2, NAN, NAN], [-5, -4, -1]]]
    along = Along.of(dataset(at, accepted, change=change))
    assert along.search
    np.testing.assert_array_equal(along.at, [1, 0.5, 0.25])
    np.testing.assert_array_equal(along.ends("change"), [[3, 2, 0]])
    rest = [[[3, 11, NAN, NAN], [2, NAN, NAN, NAN], [0, 5, 4, 1]]]
    np.testing.assert_array_equal(along.rest("change"), rest)
    assert measures.over_units(along.values["change"][..., 1]).estimate == -0.5


def test_trials_that_are_not_finished_are_left_out():
    data = dataset([[[1, 2]] * 2, [[NAN, NAN]] * 2], change=[[[1, 2]] * 2, [[NAN, NAN]] * 2])
    assert Along.of(data).trials == ("t0",)


def test_units_are_trials_where_there_are_several():
    values = np.array([[1.0, 3.0, np.nan], [5.0, np.nan, np.nan], [6.0, 9.0, 12.0]])
    got = measures.over_units(values)
    means = np.array([2.0, 5.0, 9.0])
    width = 4.302652 * means.std(ddof=1) / np.sqrt(3)
    assert got.estimate == pytest.approx(means.mean())
    assert got.high - got.estimate == pytest.approx(width, rel=1e-5)
    one = measures.over_units(values[2:])
    assert one.estimate == 9 and one.high - 9 == pytest.approx(4.302652 * 3 / np.sqrt(3), rel=1e-5)
    assert np.isnan(measures.over_units(np.full((2, 3), np.nan)).estimate)


@pytest.mark.parametrize(("T", "K"), [(1, 10), (6, 5)])
def test_the_rest_covers_at_all_points_together(T, K):
    """Random walks of P steps with a drift, trials with drifts of their own; P + 1 intervals."""
    generator, P = np.random.default_rng(T), 8
    truth = np.arange(P, 0, -1) * 0.3  # the start's, and after each point but the last
    inside = single = 0
    for _ in range(REPEATS):
        drift = 0.3 + (0.2 * generator.standard_normal((T, 1, 1)) if T > 1 else 0.0)
        change = np.cumsum(drift + generator.standard_normal((T, K, P)), axis=-1)
        along = Along(tuple("abcdef"[:T]), False, np.arange(P), {"change": change})
        ends = along.rest_intervals()[:-1]
        inside += all(x.low <= t <= x.high for x, t in zip(ends, truth, strict=True))
        each = [measures.over_units(along.rest("change")[..., p]) for p in range(P)]
        single += all(x.low <= t <= x.high for x, t in zip(each, truth, strict=True))
    assert 0.94 <= inside / REPEATS <= 0.99, inside
    assert single / REPEATS < 0.92  # one by one they are not enough


def test_a_verdict_is_of_clear_intervals_alone():
    from pgcore.studies.measures.surfaces import Interval

    none = Interval(np.nan, np.nan, np.nan)
    up, down, open_ = Interval(2, 1, 3), Interval(-2, -3, -1), Interval(1, -1, 3)
    assert Verdict.of([up, up, open_, down, down, none]) == Verdict(1, 3)
    assert Verdict.of([open_, none]) == Verdict(None, None)
    assert Verdict.of([down, down, none]) == Verdict(None, 0)
