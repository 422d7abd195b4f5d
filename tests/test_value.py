"""The value study: its measures, the fitted true value, and paired baselines."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
import torch
import xarray as xr

import pgcore
from conftest import assert_same_dataset
from pgcore.learning.advantages import batch_values
from pgcore.rollout.returns import successor_values
from pgcore.studies import figures
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import missing_cells
from pgcore.studies.measures.differences import few_trials
from pgcore.studies.measures.over_trials import geometric_over_trials
from pgcore.studies.measures.value import MEASURES, error_measures
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.errors import ValueErrors
from pgcore.studies.value.opening import STORES
from pgcore.training.records import read_metrics

SMALL = {
    "iterations": (0, 2),
    "variance_iterations": (2,),
    "held_out_pairs": 300,
    "returns": "cut",  # on 300 pairs no return is known
    "true_value_pairs": 500,
    "states": 6,
    "continuations": 3,
    "pairs": (64, 128),
    "estimates": 4,
}


@pytest.fixture(scope="module")
def studied(runs, tmp_path_factory):
    """The small study and its folder."""
    out = tmp_path_factory.mktemp("value")
    return out, pgcore.studies.value_prediction(runs, out, num_threads=1, **SMALL)


def test_the_study_is_the_same_on_any_threads(runs, studied, tmp_path):
    out, one = studied
    three = pgcore.studies.value_prediction(runs, tmp_path, num_threads=3, **SMALL)
    assert_same_dataset(*(open_study(p / "true_value.zarr") for p in (out, tmp_path)))
    assert_same_dataset(one, three)
    assert {"error", "fit_error", "value", "gram"} <= set(one)  # of the four stores
    errors = one["error"].sel(target="gae")
    assert np.isfinite(errors.values).all()


def test_the_iteration_that_is_judged_is_the_one_that_training_ran(runs):
    """From the checkpoint, one trial alone: the losses and returns of the run's own metrics."""
    for run in runs:
        checkpoints = Agents.of(run, (2,), None)
        errors = ValueErrors(checkpoints, 100, "resolved", 0, Sampling())
        agents = errors._trainer({"agent": checkpoints.labels[0], "iteration": 2, "trial": 1})
        metrics = agents.iterate(2).metrics
        recorded = read_metrics(run)
        for name in ("value_loss", "policy_loss", "return_mean", "explained_variance"):
            np.testing.assert_allclose(
                metrics[name][0], recorded[name][2, 1], rtol=1e-3, atol=1e-5, err_msg=name
            )


def test_the_errors_are_those_of_the_iteration_s_targets(runs, studied):
    """The cell against V, V_old + A and cut returns, put together from primitives."""
    for run in runs:
        checkpoints = Agents.of(run, (2,), None)
        algorithm = checkpoints.labels[0]
        own = ValueErrors(checkpoints, 300, "cut", 0, Sampling())
        at = {"agent": algorithm, "iteration": 2, "trial": 1}
        agents = own._trainer(at)
        old, policy = (n.with_members(n.flat) for n in (agents.value, agents.policy))
        batch = agents.rollout(2, 1)
        training = agents.training_data(batch)
        targets = training.targets.numpy().astype(np.float64).reshape(batch.rewards.shape)
        agents.update(training, 2)
        count, _, squares, _ = agents.scaler.state[0]
        scale = np.sqrt(squares / (count - 1))
        held_out = pgcore.collect(
            checkpoints.task(), policy, 100,  # 300 in streams no longer than the agent's 128
            np.zeros(3, dtype=np.int64), seed=checkpoints.seed(at, 0, "held-out"),
            normalizer=agents.normalizer, stream_ids=np.arange(3) + (1 << 30),
        )  # fmt: skip
        expected = {}
        for name, pairs in (("train", batch), ("held-out", held_out)):
            member = np.zeros(len(pairs.rewards), dtype=np.int64)
            one = dataclasses.replace(pairs, member=member)
            rewards = pairs.rewards / (scale + 1e-8)
            zeros = np.zeros_like(rewards)
            before = batch_values(old, one)
            after = batch_values(agents.value, one)[0].astype(np.float64)
            if name == "held-out":
                config = agents.config
                following = successor_values(
                    *before, one.bootstrap_index, one.truncated,
                    time_limit=config.time_limit_rule, cut=config.cut_rule,
                )  # fmt: skip
                flags = (one.terminated, one.truncated, config.gamma, config.lam)
                targets = before[0] + pgcore.gae(rewards, before[0], following, *flags)[0]
            returns = pgcore.discounted_returns(rewards, zeros, one.terminated, one.truncated, 0.99)
            expected[name, "gae"] = error_measures(after.ravel(), targets.ravel())
            expected[name, "returns"] = error_measures(after.ravel(), returns.ravel())
        stored = studied[1]["error"].sel(agent=algorithm, iteration=2, trial=1)
        for (name, target), measures in expected.items():
            got = stored.sel(set=name, target=target).values
            np.testing.assert_allclose(got, measures, rtol=1e-5, err_msg=f"{name} {target}")


def test_baselines_are_what_they_are_called(runs, studied):
    """Grams from agents that have the stored network, their own and none; Monte Carlo values."""
    out, data = studied
    where = {"agent": "ppo", "iteration": 2, "trial": 1}
    agents = Agents.of(runs[0], (2,), None)
    agent = agents.agent(where)
    parameters = (
        open_study(out / "true_value.zarr")["parameters"].sel(where).values.astype(np.float32)
    )
    assert np.abs(parameters - agent.value.flat[0].numpy()).max() > 1e-3  # it was fitted
    fitted = agent.value.with_members(torch.from_numpy(parameters)[None])
    seed = agents.seed(where, 0, "variance", 128)
    groups = np.arange(4) * (1 << 20)
    for baseline, value in (("true value", fitted), ("value net", agent.value), ("zero", None)):
        sampling = Sampling(baseline="zero" if value is None else "value")
        own = dataclasses.replace(agent, value=value or agent.value)
        g = sum_gradients(own, 128, groups, seed, sampling, 1).gradients
        gram = data["gram"].sel({**where, "n": 128, "baseline": baseline}).values
        np.testing.assert_allclose(gram, g @ g.T, rtol=1e-9, err_msg=baseline)
    values = pgcore.monte_carlo_values(
        agent.task, agent.policy, np.arange(6) * 2048 // 6, 3,
        agents.seed(where, 0, "monte carlo"), 1, agent.normalizer,
    )  # fmt: skip
    own = data.sel(where)
    np.testing.assert_array_equal(own["value"].values, values.values)
    with torch.no_grad():
        inputs = torch.from_numpy(values.inputs)[None]
        for name, network in (("value_net", agent.value), ("fitted", fitted)):
            predicted = agent.reward_std[0] * network(inputs)[0].numpy()
            np.testing.assert_allclose(own[name].values, predicted, rtol=1e-5)


def test_a_lost_cell_of_every_store_is_computed_again(runs, studied):
    out, data = studied
    for name in STORES:
        store = out / f"{name}.zarr"
        first = next(iter(open_study(store).data_vars))  # any variable; all are written anew
        for variable in open_study(store, whole=True).data_vars:
            chunks = [c for c in (store / variable / "c").rglob("*") if c.is_file()]
            sorted(chunks)[-1].unlink()
        assert np.isnan(open_study(store)[first].values).any()
    again = pgcore.studies.value_prediction(runs, out, **SMALL)
    assert_same_dataset(data, again)


def test_what_does_not_change_is_kept_and_the_rest_is_named_before_any_work(
    runs, studied, tmp_path
):
    """Another lambda, or number of estimates, changes these, not the fit that they use."""
    out, _ = studied
    for change in ({"sampling": Sampling(lam=0.5)}, {"estimates": 5}):
        more = tmp_path / "more"
        shutil.copytree(out, more)
        shutil.rmtree(more / "errors.zarr")
        with pytest.raises(ValueError, match=r"variance.zarr holds .* or remove .*variance.zarr"):
            pgcore.studies.value_prediction(runs, more, **(SMALL | change))
        assert not (more / "errors.zarr").exists()
        shutil.rmtree(more / "variance.zarr")
        text = STUDIES["value"].describe(runs, more, **(SMALL | change))
        assert len(re.findall(r": 0 of \d+ cells", text)) == 2  # the fits, the values of states
        shutil.rmtree(more)


def test_figures_and_table(studied, tmp_path):
    _, data = studied
    errors = figures.value_figure(data)
    figures.save_figure(errors, tmp_path / "errors")
    # of iterations 0 and 2 the first is off the axis, and there is no half iteration
    assert all(ax.get_xticks().tolist() == [2] for ax in errors.axes)
    figures.save_figure(figures.variance_figure(data), tmp_path / "variance")
    table = figures.value_table(data)
    assert "true value" in table and "Monte Carlo" in table and "companion" in table
    counts = re.findall(r"in \d+ of (\d+) checkpoints of (\d+) agents, more in \d+", table)
    assert counts == [("4", "4")] * 2  # two trials of two algorithms at one iteration
    assert table.count(few_trials(2)[0]) == 1
    assert len(re.findall(r"^(?:ppo|trpo) +2 +all ", table, re.MULTILINE)) == 2 * 2
    assert "in each trial the square of the first is the sum of those of the others" in table


def test_checkpoints_and_agents_are_counted_where_they_are(studied):
    """Ratios put in by hand: a trial at two iterations is one agent and two checkpoints."""
    data = studied[1].copy()
    n = int(data["n"].max())
    more = xr.concat([data.sel(iteration=[2]), data.sel(iteration=[2])], "iteration")
    data = more.assign_coords(iteration=[150, 450])
    for name, value in {"": 0.5, "_low": 0.2, "_high": 0.9}.items():
        ratio = 0 * data["variance_ratio"].load() + value
        gone = (ratio["agent"] == "trpo") & (ratio["trial"] == 1)
        late = (ratio["agent"] == "trpo") & (ratio["iteration"] == 450)
        data[f"variance_ratio{name}"] = ratio.where(~gone & ~late)
    line = next(x for x in figures.value_table(data).splitlines() if x.startswith("true value: l"))
    assert line.endswith("in 5 of 5 checkpoints of 3 agents, more in 0 (95 %)"), (n, line)


def test_what_is_said_over_trials_is_the_geometric_mean_of_the_trials(studied):
    own = studied[1].sel(agent="ppo", iteration=2)
    ratio = own["variance_ratio"].sel(baseline="zero", n=128)
    expected = geometric_over_trials(ratio.values)
    names = [f"variance_ratio_over_trials{end}" for end in ("", "_low", "_high")]
    got = [float(own[name].sel(baseline="zero", n=128)) for name in names]
    np.testing.assert_array_equal(got, expected)
    misfit = own["value_net_misfit"].values
    np.testing.assert_array_equal(
        float(own["value_net_misfit_over_trials"]), geometric_over_trials(misfit)[0]
    )


def older_store(path, folder):
    """A store of an older pgcore, which had fewer error measures."""
    data = xr.open_zarr(path, consolidated=False).load()
    data = data.isel(measure=slice(0, MEASURES.index("mean_error")))
    for variable in data.variables.values():
        variable.encoding = {}
    data.to_zarr(folder / path.name, consolidated=False)


def test_a_study_of_fewer_measures_opens_and_gains_the_others(runs, studied, tmp_path):
    out, data = studied
    for name in STORES:
        if name in ("errors", "true_value"):
            older_store(out / f"{name}.zarr", tmp_path)
        else:
            shutil.copytree(out / f"{name}.zarr", tmp_path / f"{name}.zarr")
    older = pgcore.open(tmp_path)
    assert "mean_error" not in older["measure"] and "mean_error" in data["measure"]
    table = figures.value_table(older)
    assert "in each trial the square" not in table and "Monte Carlo" in table
    plans = STUDIES["value"].plan(runs, tmp_path, None, SMALL)[1]
    missing = {n: len(missing_cells(tmp_path / n, plan.schema)) for n, plan in plans.items()}
    assert missing == {
        "errors.zarr": 8, "true_value.zarr": 4, "monte_carlo.zarr": 0, "variance.zarr": 0,
    }  # fmt: skip
    assert_same_dataset(pgcore.studies.value_prediction(runs, tmp_path, **SMALL), data)
