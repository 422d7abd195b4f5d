"""Step studies: closed forms, controls, and the same bits however they are computed."""

import shutil

import numpy as np
import pytest
import torch
from scipy import stats

import linear_quadratic as lq
import pgcore
from conftest import assert_same_dataset
from pgcore.agent import Agent
from pgcore.learning.advantages import Judgement
from pgcore.learning.trpo import TrpoSettings
from pgcore.studies import figures, update_steps
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.surfaces import standard_error
from pgcore.studies.measures import steps as measures
from pgcore.studies.step.controls import kl_of, random_step
from pgcore.studies.step.opening import step_quantities
from pgcore.studies.step.study import StepStudy
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import checkpoint_path

GAMMA = 0.95
SMALL = {"iterations": (0, 2), "steps": 2, "pairs": (128,), "reward_pairs": 100, "true_pairs": 256}


@pytest.fixture(scope="module")
def linear():
    """With steps so large that some help and others harm."""
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=(), log_std=-0.5)
    gains = [-0.3, 0.2, 0.1, -0.5, -0.4, 0.0, 0.1, -0.6, 0.1, -0.2, -0.5, -0.3]
    policy.load_flat(torch.tensor([gains]))
    value = pgcore.ValueNet(4, (8,))
    large, rule = TrpoSettings(kl=0.3), Judgement(gamma=GAMMA)
    return Agent(task, policy, value, algorithm="trpo", settings=large, judgement=rule)


def _moves(agent, settings, steps, tmp_path):
    """The steps that a study takes, computed again."""
    agents = Agents.of(agent)
    cell = settings.plans(agents, tmp_path)["dataset.zarr"].function
    at = {"agent": agents.labels[0], "iteration": 0, "trial": 0, "n": settings.pairs[0]}
    seed = agents.seed(at, settings.seed, "step", at["n"])
    return np.stack(
        [agent.updated(cell._data(agent, at, k, "step", 1), seed, k) for k in range(steps)]
    )


@pytest.mark.parametrize("noise", ["independent", "common"])
def test_every_change_is_the_closed_form(linear, tmp_path, noise):
    """Undiscounted and discounted, at a half and a whole step, against each step's own truth."""
    options = {"steps": 12, "pairs": (200,), "reward_pairs": 16_000, "fractions": (0.5, 1.0)}
    data = update_steps(linear, tmp_path / "s", noise=noise, **options)
    moves = _moves(linear, StepStudy(**options), 12, tmp_path)
    theta = linear.policy.flat[0].double().numpy()
    own = data.squeeze().sel(kind="step").transpose("measure", "fraction", "step", ...)
    for m, gamma in enumerate((1.0, GAMMA)):
        here = lq.mean_return(theta, gamma)
        for f, fraction in enumerate((0.5, 1.0)):
            truth = np.array([lq.mean_return(theta + fraction * d, gamma) - here for d in moves])
            z = (own["change"].values[m, f] - truth) / own["change_error"].values[m, f]
            assert np.abs(z).max() < 4, (gamma, fraction, z)
            if fraction == 1:
                assert np.abs(truth).max() > 3 * own["change_error"].values[m, f].mean()
    np.testing.assert_allclose(
        data["norm"].squeeze().sel(kind="step"), np.linalg.norm(moves, axis=1), rtol=1e-6
    )


def test_mean_and_spread_cover_the_closed_form(linear, tmp_path, monkeypatch):
    """40 studies of 10 large steps each; the truth is that of all their steps, in closed form.

    The changes are skewed (-2), and measured with noise. Of such steps the interval of the spread
    covers 94 to 98 %, that of the mean, which supposes normal changes, 91 to 95 %.
    """
    options = {"steps": 10, "pairs": (200,), "reward_pairs": 4000, "random": False}
    theta, here = linear.policy.flat[0].double().numpy(), lq.mean_return(linear.policy.flat[0])
    moves, updated = [], Agent.updated

    def recorded(*arguments):
        moves.append(updated(*arguments))
        return moves[-1]

    monkeypatch.setattr(Agent, "updated", recorded)
    agents, found = Agents.of(linear), []
    at = {"agent": agents.labels[0], "iteration": 0, "trial": 0, "n": 200}
    for seed in range(40):
        cell = (
            StepStudy(**options, seed=seed).plans(agents, tmp_path)["dataset.zarr"].function(at, 1)
        )
        rewards = [np.squeeze(cell[name]) for name in ("count", "total", "square")]
        count, total, square = rewards[0][0], rewards[1][0, 0], rewards[2][0, 0]
        centre = [float(cell[f"centre_{n}"].flat[0]) for n in ("count", "total", "square")]
        change, error = total / count - centre[1] / centre[0], standard_error(count, total, square)
        mean = measures.mean_change(change, float(standard_error(*np.array(centre))))
        found.append((mean, measures.spread(change, error)))
    truth = np.array([lq.mean_return(theta + d) - here for d in moves])
    assert len(truth) == 400 and stats.skew(truth) < -1
    inside = [
        sum(x[i].low <= t <= x[i].high for x in found)
        for i, t in enumerate((truth.mean(), truth.std()))
    ]
    assert inside[0] >= 32 and inside[1] >= 34, inside  # binomial: below with 1 in 100 and 250
    assert sum(s.low > 0 for _, s in found) > 30  # the spread is no noise


def test_the_centre_is_measured_with_the_pairs_of_all_its_steps(linear, tmp_path):
    own = update_steps(linear, tmp_path, steps=5, pairs=(100,), reward_pairs=1000).squeeze()
    assert float(own["centre_count"]) == 5 * 1000 / 20
    assert (own["count"].sel(kind="step") == 50).all()
    assert own["count"].sel(kind="true").isnull().all()  # nobody asked


def test_common_streams_take_noise_from_changes(linear, tmp_path):
    options = {"steps": 6, "pairs": (200,), "reward_pairs": 2000}
    apart = update_steps(linear, tmp_path / "a", **options)
    paired = update_steps(linear, tmp_path / "b", noise="common", **options)
    assert (paired["paired_count"].sel(kind="step") == paired["count"].sel(kind="step")).all()
    ratio = (paired["change_error"] / apart["change_error"]).sel(kind="step").mean()
    assert float(ratio) < 0.7
    np.testing.assert_array_equal(paired["surrogate"], apart["surrogate"])


def test_a_random_step_has_the_kl_that_is_asked_for(runs):
    agent = load_checkpoint(checkpoint_path(runs[0], 2)).agent().select(0)
    cell = StepStudy(pairs=(500,)).plans(Agents.of(agent), runs[0])["dataset.zarr"].function
    at = {"agent": "ppo", "iteration": agent.iteration, "trial": 0, "n": 500}
    data = cell._data(agent, at, 0, "step", 1)
    for kl, guess in ((1e-3, 1.0), (0.05, 1e-3), (0.5, 10.0)):
        found = kl_of(agent, data, random_step(agent, data, kl, guess, 3))
        assert found == pytest.approx(kl, rel=0.011)
    assert not random_step(agent, data, 0.0, 0.0, 3).any()


def test_equal_bits_for_threads_extension_and_a_lost_cell(runs, tmp_path):
    """1 and 3 threads; agents, iterations and n that come later; a cell that was lost."""
    small = {**SMALL, "trials": 1}
    sources = {"first": runs[0], "second": runs[1]}
    whole = update_steps(sources, tmp_path / "one", num_threads=1, **{**small, "pairs": (128, 64)})
    other = {"first": runs[0]}
    update_steps(other, tmp_path / "two", num_threads=3, **{**small, "iterations": (0,)})
    chunk = tmp_path / "two" / "dataset.zarr" / "finished" / "c" / "0" / "0" / "0" / "0"
    assert chunk.is_file()
    chunk.unlink()  # as a kill before the last write of a cell leaves it
    shutil.rmtree(tmp_path / "two" / "dataset.zarr" / "count" / "c" / "0" / "0" / "0")
    grown = update_steps(sources, tmp_path / "two", num_threads=3, **{**small, "pairs": (128, 64)})
    assert_same_dataset(whole, grown)
    assert whole["change"].sel(kind=["step", "random", "true"]).notnull().all()
    other_seed = update_steps(other, tmp_path / "three", seed=1, **{**small, "iterations": (0,)})
    own = whole["change"].sel(agent=["first"], iteration=[0], n=[128])
    assert (other_seed["change"] != own).all() and other_seed["change"].shape == own.shape


def test_table_claims_and_figure(runs, tmp_path):
    data = update_steps(
        runs, tmp_path, **{**SMALL, "iterations": (2,), "steps": 2, "pairs": (64, 2048)}
    )
    table = figures.step_table(data)
    assert table.count("\nppo  ") == table.count("\ntrpo  ") == 2 * 2 * 3  # and a line over trials
    assert "\ntrpo - ppo     2    2 paired" in table  # two runs of the same seed
    assert "fewer than 6: what is said about agents is a description" in table
    text = figures.claims(data)
    assert "ppo, iteration 2, n 2048:" in text and "needs ppo and trpo" in text
    figure = figures.step_figure(data)
    titles = [ax.get_title().partition(":") for ax in figure.axes]
    assert [agent for agent, _, _ in titles] == ["PPO", "TRPO"]
    assert all(text.endswith(" trajectories after a step") for _, _, text in titles)
    assert figure.get_suptitle().startswith("Hopper-v2: PPO, TRPO; ")
    assert figure.get_supxlabel().startswith("2 independent steps of each of 2 trials.")
    STUDIES["step"].report(data, tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"steps.png", "steps_discounted.png", "summary.txt"} <= names


def test_claims_decide_by_their_rules(linear, tmp_path):
    """Changes put in by hand: clearly lower, clearly higher, and unclear."""
    data = update_steps(linear, tmp_path, steps=20, pairs=(2000,), reward_pairs=200)
    data = data.assign_coords(iteration=[450])
    data["surrogate"] = abs(data["surrogate"]) + 1e-3
    data["change_error"] = 0 * data["change_error"] + 1
    for value, verdict in ((-9.0, "holds"), (9.0, "fails"), (0.5, "open")):
        data["change"] = 0 * data["change"] + value
        assert f"n 2000: {verdict};" in figures.claims(data), value
    # steps of length 0 change nothing, whatever noise was measured of them
    kept = open_study(tmp_path / "dataset.zarr")
    refused = step_quantities(kept.assign(norm=0 * kept["norm"])).sel(kind="step")
    assert (refused["change"] == 0).all() and (refused["lowering_share"] == 0).all()
    assert (step_quantities(kept)["lowering_share"] > 0).any()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"steps": 1}, "steps"),
        ({"pairs": (8,)}, "pairs"),
        ({"fractions": (0.0,)}, "fractions"),
        ({"noise": "some"}, "noise"),
    ],
)
def test_bad_settings_say_their_name(change, name):
    with pytest.raises(ValueError, match=name):
        StepStudy(**change)
