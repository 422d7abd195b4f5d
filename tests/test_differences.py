"""Derived quantities of a study's dataset, and paired differences between agents."""

import pickle
import shutil

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import pgcore
from conftest import GRADIENTS as SMALL
from conftest import small_config
from pgcore.studies import figures
from pgcore.studies.engine.derived import derive
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.sources import Agents
from pgcore.studies.measures.differences import (
    SEEDS,
    agent_difference,
    differences_of,
    fewest_trials,
    paired_difference,
    unpaired_difference,
)
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import Run, checkpoint_path

REPEATS = 4000
SAME = np.array([[7.0, t] for t in range(24)])  # seed and trial
UNKNOWN = np.full((24, 2), np.nan)


def trials(T, correlation, seed=0):
    """Trials of two agents [REPEATS, 2, T] with means 1 and 0."""
    z = np.random.default_rng(seed).standard_normal((3, REPEATS, T))
    own, shared = np.sqrt(1 - correlation), np.sqrt(correlation)
    return np.stack([1 + own * z[0] + shared * z[2], own * z[1] + shared * z[2]], axis=1)


def inside(intervals, truth):
    return np.mean([x.low <= truth <= x.high for x in intervals])


@pytest.mark.parametrize("T", [3, 6, 8, 24])
def test_paired_intervals_cover_and_are_narrower_where_trials_go_together(T):
    """4000 repeats: within 1.1 % of the true coverage by chance."""
    values = trials(T, correlation=0.8)
    paired = [paired_difference(*v) for v in values]
    apart = [unpaired_difference(*v) for v in values]
    assert 0.93 <= inside(paired, 1.0) <= 0.97
    widths = [np.mean([x.high - x.low for x in found]) for found in (paired, apart)]
    assert widths[0] < (0.75 if T == 3 else 0.55) * widths[1]


@pytest.mark.parametrize("T", [6, 8, 24])
def test_unpaired_intervals_cover_trials_that_are_independent(T):
    values = trials(T, correlation=0.0, seed=1)
    found = [unpaired_difference(one, 3 * other[: T - 2]) for one, other in values]
    assert 0.93 <= inside(found, 1.0) <= 0.97
    one, other = values[0]
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    got = unpaired_difference(one, other)
    np.testing.assert_allclose([got.low, got.high], expected, rtol=1e-9)


def test_swapping_agents_flips_the_sign():
    one, other = trials(5, 0.5)[0]
    for seeds in (SAME[:5], UNKNOWN[:5]):
        a = agent_difference(one, seeds, other, seeds)
        b = agent_difference(other, seeds, one, seeds)
        assert (a.estimate, a.low, a.high) == (-b.estimate, -b.high, -b.low)
        assert a.trials == b.trials == 5 and a.paired == b.paired


def test_trials_are_paired_by_seed_not_by_place():
    one, other = trials(5, 0.5)[0]
    straight = agent_difference(one, SAME[:5], other, SAME[:5])
    turned = agent_difference(one, SAME[:5], other[::-1], SAME[:5][::-1])
    assert straight.paired and straight.estimate == pytest.approx(turned.estimate)
    assert straight.low == pytest.approx(turned.low)
    some = agent_difference(one, SAME[:5], other, SAME[3:8])  # trials 3 and 4 are in both
    assert (some.trials, some.paired) == (2, True)
    assert some.estimate == pytest.approx((one[3:] - other[:2]).mean())
    missing = agent_difference(np.where(np.arange(5) == 2, np.nan, one), SAME[:5], other, SAME[:5])
    assert (missing.trials, missing.paired) == (4, True)
    for seeds in (UNKNOWN[:5], SAME[:5] + [1, 0]):  # not known, or of another run's seed
        found = agent_difference(one, SAME[:5], other, seeds)
        assert not found.paired and found.low == unpaired_difference(one, other).low


def test_of_one_trial_there_is_no_interval():
    found = agent_difference(np.array([3.0]), SAME[:1], np.array([1.0]), SAME[:1])
    assert found.estimate == 2 and np.isnan([found.low, found.high]).all()
    assert np.isnan(agent_difference(np.array([np.nan]), SAME[:1], np.ones(1), SAME[:1]).estimate)
    with pytest.raises(ValueError, match=r"other: expected the trials of one, \(2,\), got \(3,\)"):
        paired_difference(np.ones(2), np.ones(3))


def test_what_is_infinite_is_told_from_nothing():
    """A noise scale whose gradient is not seen: the interval was [inf, inf]."""
    found = unpaired_difference(np.array([1.0, np.inf, 3.0]), np.array([2.0, 3.0, 4.0]))
    assert np.isnan([found.low, found.high]).all()


def test_the_fewest_trials_are_those_of_the_last_iteration():
    """Of agents and iterations where any is known; one of the other dimensions is enough."""
    known = np.ones((2, 3, 6, 2))
    known[0, 2, 4:] = np.nan  # two trials of an agent have ended
    known[1, 2] = np.nan  # the other agent is not there
    known[1, 1, 0, 0] = np.nan
    values = xr.DataArray(known, dims=("agent", "iteration", "trial", "n"))
    assert fewest_trials(values) == 4 and fewest_trials(values.isel(agent=1)) == 6
    assert fewest_trials(values.where(False)) == 0


@pytest.fixture(scope="module")
def studied(runs, gradients, tmp_path_factory):
    """A gradient study of PPO, of PPO from another seed, and of one trial of TRPO as an object."""
    folder = tmp_path_factory.mktemp("differences")
    config = small_config(trials=2, seed=3, normalize_advantages="batch")
    with Run(folder / "other", config) as run:
        list(run.iterations())
    second = load_checkpoint(checkpoint_path(runs[1], 2)).agent().select(1)
    second.save(folder / "second.safetensors")
    sources = {"ppo": runs[0], "trpo": runs[1], "other seed": folder / "other"}
    sources["second"] = folder / "second.safetensors"
    shutil.copytree(gradients, folder / "study")
    pgcore.studies.gradient_quality(sources, folder / "study", **SMALL)
    return folder / "study"


def test_runs_of_one_seed_are_paired_and_others_are_not(studied):
    found = pgcore.differences(studied, "pairwise_cosine").sel(iteration=2)
    data = pgcore.open(studied).sel(iteration=2)
    pair = found.sel(agent="trpo", other="ppo", n=64)
    assert pair["paired"] == 1 and pair["trials"] == 2
    cosine = data["pairwise_cosine"].sel(n=64)
    expected = paired_difference(cosine.sel(agent="trpo").values, cosine.sel(agent="ppo").values)
    assert float(pair["difference"]) == expected.estimate and float(pair["low"]) == expected.low
    assert (found.sel(agent="trpo", other="other seed")["paired"] == 0).all()
    np.testing.assert_array_equal(
        found["difference"], -found["difference"].transpose("other", "agent", ...)
    )
    second = found.sel(agent="second", other="ppo", n=64)  # trial 1 of its run, trial 0 here
    assert second["paired"] == 1 and second["trials"] == 1 and np.isnan(second["low"])
    own = data["pairwise_cosine"].sel(n=64)
    difference = own.sel(agent="second", trial=0) - own.sel(agent="ppo", trial=1)
    assert float(second["difference"]) == float(difference)
    assert all("description" in v.attrs and "units" in v.attrs for v in found.data_vars.values())


def test_the_table_says_how_trials_were_compared(studied):
    table = figures.gradient_table(pgcore.open(studied))
    words = " ".join(table.split())
    for line in (
        "trpo - ppo 2 2 paired",
        "second - ppo 2 1 paired",
        "other seed - ppo 2 2 unpaired",
        "of one trial there is no interval",
        "fewer than 6 trials: a description, not a decision",
    ):
        assert line in words, table
    assert "nan nan nan" not in words  # an agent that is not there has no line
    figure = figures.gradient_figure(pgcore.open(studied))
    labels = figure.axes[-1].get_legend_handles_labels()[1]
    assert labels == ["TRPO - PPO", "other seed - PPO", "second - PPO"]


def test_seeds_survive_that_agents_come_later(runs, tmp_path):
    few = {"iterations": (2,), "trials": 1, "pairs": (64,), "estimates": 2, "true_pairs": 64}
    for sources in (runs[:1], runs):
        pgcore.studies.gradient_quality(sources, tmp_path, true_step_pairs=128, **few)
    data = pgcore.open(tmp_path)
    assert (data["run_seed"] == 0).all() and (data["run_trial"] == 0).all()
    del data.attrs["seeds"], data["run_seed"], data["run_trial"]
    assert "seeds" in open_study(tmp_path / "dataset.zarr").attrs
    (moment,) = Agents.of(load_checkpoint(checkpoint_path(runs[0], 2)).agent()).moments
    assert moment.seeds == (0, (0, 1))


@pytest.mark.parametrize("variable", ["gram", "run_seed", "streams per n", "noise"])
def test_what_has_no_trials_is_refused(studied, variable):
    with pytest.raises(ValueError, match="variable: expected one that agents have in each trial"):
        pgcore.differences(studied, variable)


calls = []


def total(x, scale):
    calls.append(float(x.sum()))
    return float(x.sum()), float(scale * x.sum())


def dataset():
    values = np.arange(24.0).reshape(2, 3, 4)
    data = xr.Dataset(
        {"x": (("a", "b", "c"), values), "scale": ("b", [1.0, 2.0, 3.0])}, {"b": [10, 20, 30]}
    )
    data["x"][0, 0] = np.nan
    calls.clear()
    derive(data, total, [data["x"], data["scale"]], ["c"], {"sum": ("m", "sum"), "more": ("m", "")})
    return data


def test_a_derived_quantity_is_computed_when_it_is_used_and_once():
    data = dataset()
    assert not calls
    part = data.sel(b=20).isel(a=[1])
    assert not calls
    assert float(part["sum"][0]) == 16 + 17 + 18 + 19 and len(calls) == 1
    assert float(part["more"][0]) == 2 * 70 and len(calls) == 1
    expected = data["x"].sum("c", skipna=False)
    np.testing.assert_array_equal(data["sum"].transpose("b", "a"), expected.T)
    assert len(calls) == 5  # what is missing is not computed
    np.testing.assert_array_equal(data["more"], expected * data["scale"])
    np.testing.assert_array_equal(data["sum"][::-1, [2, 0]], expected[::-1, [2, 0]])
    assert len(calls) == 5 and data["sum"].attrs["units"] == "m"


def test_derived_quantities_can_be_pickled_and_stored(tmp_path):
    data = dataset()
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again["more"], data["more"])
    data.to_zarr(tmp_path / "x.zarr", consolidated=False)
    stored = xr.open_zarr(tmp_path / "x.zarr", consolidated=False)
    np.testing.assert_array_equal(stored["sum"], data["sum"])


def test_differences_of_a_part_of_a_dataset(studied):
    data = pgcore.open(studied)
    whole = differences_of(data, "cosine_to_true").sel(iteration=2, n=64)
    part = differences_of(data.sel(iteration=2, n=64), "cosine_to_true")
    for name in ("difference", "low", "paired"):
        np.testing.assert_array_equal(whole[name], part[name])


def test_parts_of_a_dataset_are_taken_or_named(studied, tmp_path):
    """Without seeds a paired difference would become another one in silence."""
    data = pgcore.open(studied)
    own = data[["pairwise_cosine", *SEEDS]]
    xr.testing.assert_equal(
        pgcore.differences(own, "pairwise_cosine"), pgcore.differences(data, "pairwise_cosine")
    )
    for gone, part in {
        "run_seed, run_trial": data[["pairwise_cosine"]],
        "trial": data.isel(trial=0),
        "agent": data.isel(agent=0),
    }.items():
        with pytest.raises(ValueError, match=f"study: expected a dataset with .* without {gone}"):
            pgcore.differences(part, "pairwise_cosine")
    for bad in (0, 1, 95):
        with pytest.raises(ValueError, match="level: expected a number between 0 and 1"):
            pgcore.differences(data, "pairwise_cosine", level=bad)
    with pytest.raises(ValueError, match="study: expected a dataset with all its dimensions"):
        pgcore.report(data.isel(n=0), tmp_path / "report")
    with pytest.raises(ValueError, match="one without agent"):
        pgcore.report(data.isel(agent=0), tmp_path / "report")


def test_nothing_is_known_of_two_that_are_infinite():
    """And no warning of NumPy's is shown."""
    seeds = np.array([[0.0, 0], [0, 1]])
    names = {"run_seed": 0, "run_trial": 1}
    data = xr.Dataset(
        {"x": (("agent", "trial"), np.full((2, 2), np.inf))}
        | {n: (("agent", "trial"), np.tile(seeds[:, i], (2, 1))) for n, i in names.items()},
        {"agent": ["a", "b"]},
    )
    found = differences_of(data, "x")
    assert np.isnan(found["difference"]).all()
