"""Adaptive landscapes: pairs go where the error is, to the same bits however they are computed."""

import re
import shutil
import time

import numpy as np
import pytest
import zarr
from scipy import stats

import pgcore
from campaigns import warm
from campaigns.folders import finished_work, repeated
from campaigns.targets import measure
from conftest import assert_same_dataset
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.reading import open_study
from pgcore.studies.landscape.opening import open_landscape
from pgcore.studies.landscape.spending import Spending, error_bound
from test_landscape import SMALL

SETTINGS = SMALL | {"iterations": (0, 2), "pairs": (600,), "part_pairs": 100}


@pytest.fixture(scope="module")
def run(runs):
    """One agent, two trials at each of two iterations: four maps."""
    return runs[0]


@pytest.fixture(scope="module")
def fixed(run, tmp_path_factory):
    """The study that spends all parts everywhere."""
    out = tmp_path_factory.mktemp("fixed")
    pgcore.studies.landscape(run, out, **SETTINGS)
    return out


def test_a_target_stops_where_it_is_reached(run, tmp_path, fixed):
    whole = open_landscape(fixed)
    target = float(whole["reward_error"].median()) * 1.5
    own = pgcore.studies.landscape(run, tmp_path, target_error=target, **SETTINGS)
    assert own["pairs_used"].sum() < 0.9 * whole["pairs_used"].sum()
    everything = own["pairs_used"] == whole["pairs_used"]
    assert ((own["reward_error"] <= target) | everything).all()
    parts, all_parts = open_study(tmp_path / "reward.zarr"), open_study(fixed / "reward.zarr")
    spent = parts["count"] > 0  # a part that is spent is that of the whole study, to the bit
    assert 0.2 < float(spent.mean()) < 0.9
    for name in ("count", "total", "square", "pairs_used"):
        np.testing.assert_array_equal(
            parts[name].values, all_parts[name].where(spent, 0.0).values, err_msg=name
        )


def test_a_budget_goes_to_the_maps_that_need_it(runs, tmp_path):
    """The largest error of all maps falls below that of the same pairs spread evenly."""
    pgcore.studies.landscape(runs, tmp_path / "even", **SETTINGS | {"pairs": (300,)})
    even = open_study(tmp_path / "even" / "reward.zarr").sum("part")
    budget = int(even["pairs_used"].sum())
    own = pgcore.studies.landscape(runs, tmp_path / "own", budget=budget, **SETTINGS)
    used = float(own["pairs_used"].sum())
    assert 0.85 * budget < used < 1.05 * budget  # a part's price is known on average only
    errors = error_bound(*(even[n].values for n in ("count", "total", "square")))
    parts = open_study(tmp_path / "own" / "reward.zarr").sum("part")
    adaptive = error_bound(*(parts[n].values for n in ("count", "total", "square")))
    assert adaptive.max() < errors.max()
    shares = own["pairs_used"].mean(("trial", "source", "step_scale", "random_scale"))
    assert float(shares.max()) > 1.3 * float(shares.min())
    text = STUDIES["landscape"].describe(runs, tmp_path / "x", budget=budget, **SETTINGS)
    said = float(re.search(r"reward .* ([0-9.e+]+) state-action", text).group(1))
    assert "adaptive, so that it may be less" in text and said == pytest.approx(budget, rel=0.01)


@pytest.mark.timeout(120)
def test_a_killed_adaptive_study_loses_a_part_at_most(run, tmp_path, fixed):
    settings = {"target_error": 1e-3, **SETTINGS}
    process = warm.start(measure, "landscape", settings, run, tmp_path)
    store = tmp_path / "reward.zarr"
    chunks = store / "finished" / "c"
    while process.is_alive() and (not chunks.exists() or len(list(chunks.rglob("*"))) < 20):
        time.sleep(0.002)
    process.kill()
    process.join()
    finished = open_study(store, whole=True)["finished"] == 1
    assert 0 < int(finished.sum()) < finished.size
    before = finished_work(tmp_path)
    measure("landscape", settings, run, tmp_path)
    assert before and not repeated(before, tmp_path)
    # nothing is below 1e-3, so that all parts are spent
    assert_same_dataset(open_landscape(tmp_path).drop_attrs(), open_landscape(fixed).drop_attrs())


def test_common_random_numbers_are_judged_by_their_differences(run, tmp_path):
    settings = SETTINGS | {"iterations": (2,), "noise": "common"}
    own = pgcore.studies.landscape(run, tmp_path, target_error=0.5, **settings)
    refined = own["pairs_used"] > 1.5 * own["pairs_used"].min()
    assert refined.any()
    # every part of a point is paired with the centre's: one trajectory of each at least
    parts = (open_study(tmp_path / "reward.zarr")["count"] > 0).sum("part")
    assert float(parts.max()) > 1
    assert (own["paired_count"].where(refined, np.inf) >= parts).all()
    assert float(own["difference"].sel(step_scale=0, random_scale=0).max()) == 0


def test_an_unfinished_part_is_not_passed_over(tmp_path, run, fixed):
    spending = Spending(str(fixed / "reward.zarr"), 6, False, None, 10**6)
    at = {"agent": "ppo", "iteration": 0, "trial": 0, "source": 128, "pairs": 600, "part": 3}
    alone = Spending(str(fixed / "reward.zarr"), 6, False, 0.5, None)
    assert spending.chosen(at).shape == (12,)
    out = shutil.copytree(fixed, tmp_path / "killed")
    chunk = sorted((out / "reward.zarr" / "finished" / "c").rglob("*"))
    next(c for c in chunk if c.is_file()).unlink()
    with pytest.raises(ValueError, match="needs the parts before 3 of all maps"):
        Spending(str(out / "reward.zarr"), 6, False, None, 10**6).chosen(at)
    # a target is a map's own: what others lack is nothing to it
    lacking = open_study(out / "reward.zarr", whole=True)["finished"].isel(part=slice(0, 3)) != 1
    other = {"iteration": 2 if bool(lacking.sel(iteration=0).any()) else 0}
    mine = Spending(str(out / "reward.zarr"), 6, False, 0.5, None).chosen(at | other)
    np.testing.assert_array_equal(mine, alone.chosen(at | other))
    partial = open_landscape(out)  # a map with a missing part is missing
    assert int(partial["reward"].isnull().all(("step_scale", "random_scale")).sum()) == 1


def test_an_adaptive_study_grows_where_maps_are_their_own(run, tmp_path):
    """With a target each map stands alone; with a budget others would have had other pairs."""
    target = SETTINGS | {"target_error": 1.0}
    pgcore.studies.landscape(run, tmp_path / "a", **target | {"iterations": (2,)})
    grown = pgcore.studies.landscape(run, tmp_path / "a", **target)
    whole = pgcore.studies.landscape(run, tmp_path / "b", **target)
    for name in ("reward", "pairs_used"):
        np.testing.assert_array_equal(grown[name].sel(iteration=[0, 2]).values, whole[name].values)
    shared = SETTINGS | {"budget": 8000}
    pgcore.studies.landscape(run, tmp_path / "c", **shared | {"iterations": (2,)})
    with pytest.raises(ValueError, match="other settings of maps"):
        pgcore.studies.landscape(run, tmp_path / "c", **shared)


def test_a_map_that_was_left_out_takes_no_share(run, tmp_path, fixed):
    """Its errors are not large, but nothing."""
    out = shutil.copytree(fixed, tmp_path / "out")
    group = zarr.open_group(out / "reward.zarr", mode="r+", use_consolidated=False)
    for name in ("count", "total", "square", "pairs_used"):
        group[name][:, 1] = np.nan  # at iteration 2
    at = {"agent": "ppo", "iteration": 0, "trial": 0, "source": 128, "pairs": 600, "part": 3}
    spending = Spending(str(out / "reward.zarr"), 6, False, None, 10**6)
    assert spending.chosen(at).all() and not spending.chosen(at | {"iteration": 2}).any()


def test_an_allocation():
    errors = np.array([[5.0, 1.0, np.inf], [3.0, 4.0, 0.5]])
    rule = Spending("", 5, False, 0.9, 1000)
    chosen = rule.allocation(errors, 600, 100, 3)  # 400 left, in two parts: two points
    np.testing.assert_array_equal(chosen, [[True, False, True], [False, False, False]])
    assert rule.allocation(errors, 600, 100, 4).sum() == 4
    assert rule.allocation(errors, 600, 150, 4).sum() == 2  # trajectories are long
    assert not rule.allocation(errors, 1100, 100, 1).any()
    everything = Spending("", 5, False, 0.9, None).allocation(errors, 600, 100, 3)
    np.testing.assert_array_equal(everything, errors > 0.9)


def test_the_bound_of_an_error_holds():
    """With 95 %, from three trajectories on; less three binomial errors."""
    generator, repeats = np.random.default_rng(2), 4000
    for n in (3, 10, 50):
        x = generator.standard_normal((repeats, n))
        bound = error_bound(np.full(repeats, float(n)), x.sum(1), np.square(x).sum(1))
        low, high = stats.binom.interval(0.997, repeats, 0.95)
        assert low <= (bound >= 1 / np.sqrt(n)).sum() <= high
    assert np.isinf(error_bound(np.array([1.0]), np.array([1.0]), np.array([1.0])))[0]


def test_a_budget_must_reach_everywhere(run, tmp_path):
    settings = SETTINGS | {"budget": 2399}
    with pytest.raises(ValueError, match="budget: expected at least 2400, a first part at every"):
        STUDIES["landscape"].plan(run, tmp_path, None, settings)
