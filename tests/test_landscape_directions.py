"""Directions of landscapes by name, the scout line, the corner, and what is pooled."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

import linear_quadratic as lq
import pgcore
from pgcore.agent import Agent
from pgcore.learning.advantages import Judgement
from pgcore.learning.trpo import TrpoSettings
from pgcore.policies.normalize import Normalizer
from pgcore.studies import figures
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.directions import Target, filter_direction
from pgcore.studies.landscape.scout import fall_distances, rounded_up
from pgcore.studies.landscape.study import LandscapeStudy
from pgcore.studies.landscape.style import DIRECTIONS
from pgcore.studies.measures.maps import in_corner
from pgcore.studies.measures.statistics import mean_interval
from pgcore.studies.measures.surfaces import RewardSurface, rank_correlation
from pgcore.studies.report.write import report
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import checkpoint_path
from test_landscape import SMALL

GAMMA = 0.95
FAR = torch.tensor([[-0.3, 0.2, 0.1, -0.5, -0.4, 0.0, 0.1, -0.6, 0.1, -0.2, -0.5, -0.3]])  # of best
LINE = SMALL | {"points": (4, 1), "pairs": (100,), "random_range": None}


@pytest.fixture
def linear():
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=(), log_std=-0.5)
    gains = [-1.0, 0.2, 0.1, -1.5, -1.2, 0.0, 0.1, -1.6, 0.1, -0.2, -0.5, -0.3]
    policy.load_flat(torch.tensor([gains]))
    value, rule = pgcore.ValueNet(4, (8,)), Judgement(gamma=GAMMA)
    settings = TrpoSettings(kl=0.05)
    return Agent(task, policy, value, algorithm="trpo", settings=settings, judgement=rule)


def test_discounted_and_undiscounted_maps_are_the_closed_forms(linear, tmp_path):
    """95 % of the points of both inside their 95 % intervals, within binomial error."""
    linear.policy.load_flat(FAR)
    data = pgcore.studies.landscape(
        linear, tmp_path, sources=(500,), pairs=(8000,), points=(6, 6), random_range=(0.0, 1.0)
    ).squeeze()
    stored = open_study(tmp_path / "surrogate.zarr").squeeze()
    ways = [stored[name].values for name in ("step", "random")]
    flat = linear.policy.flat[0].double().numpy()
    axes = [data[name].values for name in ("step_scale", "random_scale")]
    for kind, gamma in (("", 1.0), ("discounted_", GAMMA)):
        truth = np.array(
            [
                [lq.mean_return(flat + a * ways[0] + b * ways[1], gamma) for b in axes[1]]
                for a in axes[0]
            ]
        )
        width = stats.t.ppf(0.975, data["trajectories"] - 1) * data[f"{kind}reward_error"]
        inside = int((np.abs(data[f"{kind}reward"] - truth) < width).sum())
        low, high = stats.binom.interval(0.999, 36, 0.95)
        assert low <= inside <= high
        near = np.interp(1.0, axes[0], truth[:, 0]) - truth[0, 0]
        ends = [float(data[f"{kind}one_step_change{end}"]) for end in ("_low", "_high")]
        assert ends[0] < near < ends[1], "of this seed; coverage is the benchmark's"
        assert np.ptp(truth) > ends[1] - ends[0]  # not so wide that anything would be inside


def test_the_centre_is_that_of_all_maps_of_a_checkpoint(runs, tmp_path):
    settings = SMALL | {"sources": (128, 256), "step_range": (0.0, 2.0)}
    data = pgcore.studies.landscape(runs[:1], tmp_path, **settings)
    own = data.sel(agent="ppo", iteration=2, trial=0)
    here = own.sel(step_scale=0, random_scale=0)
    count = here["trajectories"].values.ravel()
    mean = (here["reward"].values.ravel() * count).sum() / count.sum()
    assert float(own["centre"]) == pytest.approx(mean)
    assert float(own["centre_trajectories"]) == count.sum() > count.max()
    within = np.square(here["reward_error"].values.ravel()) * count * (count - 1)
    between = count * np.square(here["reward"].values.ravel() - mean)
    square = (within + between).sum() / (count.sum() - 1) / count.sum()  # of all trajectories
    assert float(own["centre_error"]) == pytest.approx(np.sqrt(square))
    at_one = own["reward"].sel(step_scale=1.0, random_scale=0)
    np.testing.assert_allclose(own["one_step_change"], at_one - mean)


def test_the_corner_is_measured_by_itself(linear, tmp_path):
    options = {"sources": (500,), "pairs": (400,), "points": (6, 4), "random_range": (0.0, 0.9)}
    data = pgcore.studies.landscape(linear, tmp_path, **options).squeeze()
    inside = in_corner(tuple(data["step_scale"].values), tuple(data["random_scale"].values))
    np.testing.assert_array_equal(np.argwhere(inside), [[a, b] for a in range(3) for b in range(2)])
    names = ("reward", "reward_error", "trajectories")
    part = RewardSurface(*(data[n].values[inside] for n in names))
    expected = rank_correlation(data["surrogate"].values[inside], part)
    found = [float(data[f"corner_rank_correlation{e}"]) for e in ("", "_low", "_high")]
    assert found == list(dataclasses.astuple(expected))
    assert float(data["rank_correlation"]) != expected.estimate
    assert np.isnan(pgcore.studies.landscape(
        linear, tmp_path / "coarse", **options | {"points": (3, 2)}
    )["corner_rank_correlation"].values).all()  # fmt: skip


def test_several_trials_have_a_line_of_their_own(runs, tmp_path):
    data = pgcore.studies.landscape(runs[:1], tmp_path, **SMALL | {"trials": 2, "pairs": (100,)})
    own = data.squeeze()
    expected = mean_interval(own["one_step_change"].values)
    found = [float(own[f"one_step_change_over_trials{e}"]) for e in ("", "_low", "_high")]
    assert found == pytest.approx(expected)
    table = figures.landscape_table(data)
    assert [line.split()[2] for line in table.splitlines() if line.startswith("ppo")] == [
        "0", "1", "all",
    ]  # fmt: skip
    assert "2 trials, fewer than 6: what is said about agents is a description" in table


def test_filter_directions_have_the_norms_of_the_neurons(runs):
    agent = load_checkpoint(checkpoint_path(runs[0], 2)).agent().select(0)
    way = agent.policy.split(torch.from_numpy(filter_direction(agent, 3))[None])
    for i, (drawn, own) in enumerate(zip(way, agent.policy.tensors, strict=True)):
        if i < agent.policy.layer_tensors and i % 2 == 0:
            norms = [torch.linalg.vector_norm(t.detach(), dim=1) for t in (drawn, own)]
            torch.testing.assert_close(norms[0].float(), norms[1], rtol=1e-5, atol=0)
        else:
            assert not drawn.any()


def test_the_true_gradient_as_a_direction(linear, tmp_path):
    """Along the closed form's gradient, as long as the step."""
    linear.policy.load_flat(FAR)
    options = {"sources": (500,), "pairs": (100,), "points": (2, 1), "gradient_pairs": 800_000}
    sampling = pgcore.studies.catalog.GradientStudy().sampling
    sampling = dataclasses.replace(sampling, gamma=GAMMA, baseline="zero", stream_steps=20)
    pgcore.studies.landscape(
        linear, tmp_path, directions=("gradient", "step"), sampling=sampling, **options
    )
    stored = open_study(tmp_path / "surrogate.zarr").squeeze()
    way, step = stored["step"].values, stored["random"].values
    assert np.linalg.norm(way) == pytest.approx(np.linalg.norm(step))
    flat = linear.policy.flat[0].double()
    truth = np.asarray(lq.policy_gradient(flat, GAMMA))
    cosine = way @ truth / np.linalg.norm(way) / np.linalg.norm(truth)
    assert cosine > 0.97  # 40,000 trajectories; the discount of late states is left out


def test_a_line_leads_to_another_checkpoint_with_its_statistics(runs, tmp_path):
    """At 1 it acts as that one, which normalises observations otherwise; at 0 as itself."""
    settings = LINE | {"iterations": (0,), "directions": ("agent", "random"), "pairs": (4000,)}
    data = pgcore.studies.landscape(
        runs[:1], tmp_path, towards="2", **settings | {"points": (2, 1)}
    )
    assert list(data["step_scale"]) == [0.0, 1.0]
    other = load_checkpoint(checkpoint_path(runs[0], 2)).agent().select(0)
    scores = other.evaluate(4000, 5)
    own = data.squeeze()
    error = np.hypot(stats.sem(scores.totals), float(own["reward_error"][1]))
    assert abs(float(own["reward"][1]) - scores.totals.mean()) < 4 * error
    agents = Agents.of(runs[0], (0,))
    at = {"agent": "ppo", "iteration": 0, "trial": 0}
    start = agents.agent(at)
    assert not np.allclose(start.normalizer.mean, other.normalizer.mean, atol=1e-3)
    way = Target("2").direction(agents, at)
    moved = start.policy.with_members(start.policy.flat + torch.from_numpy(way).float())
    obs = other.collect(200).obs[0, :200]
    means = [
        policy.mean(torch.from_numpy(who.normalizer.inputs(obs))[None]).detach()
        for policy, who in ((moved, start), (other.policy, other))
    ]
    torch.testing.assert_close(*means, rtol=1e-4, atol=1e-5)  # float32 networks
    title = figures.contour_figure(data, "ppo", 0, 128).get_suptitle()
    assert "the way to iteration 2" in title


def test_a_line_leads_to_another_run(runs, tmp_path):
    """From each trial to the same one of the other run, at the same iteration."""
    settings = LINE | {"directions": ("agent", "random"), "points": (2, 1), "trials": None}
    data = pgcore.studies.landscape(runs[:1], tmp_path, towards=str(runs[1]), **settings)
    others = load_checkpoint(checkpoint_path(runs[1], 2)).agent()
    for trial in range(2):
        agents = Agents.of(runs[0], (2,))
        at = {"agent": "ppo", "iteration": 2, "trial": trial}
        way = Target(str(runs[1])).direction(agents, at)
        moved = agents.agent(at).policy.flat + torch.from_numpy(way).float()
        other = others.select(trial)
        obs = other.collect(200).obs[0, :200]
        torch.testing.assert_close(
            agents.agent(at).policy.with_members(moved).mean(
                torch.from_numpy(agents.agent(at).normalizer.inputs(obs))[None]
            ),
            other.policy.mean(torch.from_numpy(other.normalizer.inputs(obs))[None]),
            rtol=1e-4, atol=1e-5,
        )  # fmt: skip
    title = figures.contour_figure(data.isel(trial=[0]), "ppo", 0, 128).get_suptitle()
    assert f"the way to {runs[1].name}" in title
    report(tmp_path, tmp_path / "page")
    page = (tmp_path / "page" / "report.html").read_text()
    assert "The agents (1)" in page, "the other one is led to, not measured"


def test_a_way_that_cannot_be_taken_is_refused(runs, linear, tmp_path):
    agents = Agents.of(runs, (2,))
    ppo = load_checkpoint(checkpoint_path(runs[0], 2)).agent().select(0)
    scale = np.full((1, ppo.task.obs_dim), 1e-3)  # all its inputs are clipped
    bold = ppo.policy.with_members(ppo.policy.flat)
    bold.split(bold.flat)[bold.layer_tensors - 2] *= 100  # means that differ from state to state
    odd = dataclasses.replace(
        ppo, policy=bold, normalizer=Normalizer.frozen(0 * scale, scale, 10.0)
    )
    wide = pgcore.GaussianPolicy(ppo.task.obs_dim, ppo.task.act_dim, hidden=(5, 7))
    for other, match in (
        (odd, "clipping does not let one act in the other's statistics"),
        (dataclasses.replace(ppo, policy=wide, optimizer={}), "have different networks"),
        (linear, "act on different tasks"),
    ):
        path = tmp_path / "other.safetensors"
        other.save(path)
        with pytest.raises(ValueError, match=match):
            Target(str(path)).check(agents)
    for name, match in (
        ("2", "are the same; there is no way between them"),
        ("nobody", "expected an iteration of the same run, another run's folder, or an agent's"),
        (str(tmp_path), "towards: runs: expected a training run"),
    ):
        with pytest.raises(ValueError, match=match):
            LandscapeStudy(directions=("agent", "random"), towards=name).plans(agents, tmp_path)
    for change, match in (
        ({"directions": ("step", "agent")}, "towards: expected the other agent with"),
        ({"towards": "trpo"}, "towards: expected the other agent with the direction agent"),
        ({"directions": ("step", "step")}, "directions: expected two that differ, got step"),
        ({"directions": ("step", "up")}, "directions: expected one of step, gradient, random"),
        (
            {"points": (3, 1), "random_range": (0.0, 2.0)},
            r"random_range: expected none for a line \(points 3 1\), got 0 2",
        ),
        ({"gradient_pairs": 0}, "gradient_pairs: expected an integer >= 1"),
        ({"scout_pairs": 0}, "scout_pairs: expected an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=match):
            LandscapeStudy(**(SMALL | change))


def test_other_agents_make_another_store(runs, tmp_path):
    settings = LINE | {"directions": ("agent", "random")}
    first, second = (str(tmp_path / f"{name}.safetensors") for name in "ab")
    for path, iteration in ((first, 0), (second, 2)):
        agent = load_checkpoint(checkpoint_path(runs[0], iteration)).agent().select(1)
        agent.save(path)
    out = tmp_path / "study"
    pgcore.studies.landscape(runs[:1], out, towards=first, **settings)
    with pytest.raises(ValueError, match="holds another agent as ppo/2 towards"):
        pgcore.studies.landscape(runs[:1], out, towards=second, **settings)
    with pytest.raises(ValueError, match="other settings of directions"):
        pgcore.studies.landscape(runs[:1], out, **LINE)
    assert set(DIRECTIONS) == {"step", "gradient", "random", "filter", "agent"}


@pytest.mark.parametrize("second", ["random", "filter"])
def test_the_second_axis_is_chosen_from_a_scout_line(linear, tmp_path, second):
    """Twice the distance at which the closed form's return has fallen half way."""
    options = {"sources": (500,), "pairs": (100,), "points": (2, 3), "scout_pairs": 1000}
    options["directions"] = ("step", second)
    text = STUDIES["landscape"].describe(linear, tmp_path, **options)
    assert "scout line" in text and f"{second} axis from 0 to what the scout line says" in text
    data = pgcore.studies.landscape(linear, tmp_path, num_threads=1, **options)
    way = open_study(tmp_path / "surrogate.zarr").squeeze()["random"].values
    scout = open_study(tmp_path / "scout.zarr")
    flat, x = linear.policy.flat[0].double().numpy(), scout["distance"].values
    line = np.array([lq.mean_return(flat + s * way) for s in x])
    half = (line[0] + line.min()) / 2
    first = int(np.argmax(line <= half))
    (found,) = fall_distances(scout)
    assert x[first - 1] * 0.9 < found < x[first] * 1.1  # noise may move it over a grid point
    assert float(data["random_scale"][-1]) == min(rounded_up(2 * found), 3.0)
    assert "the second chosen from a scout line" in figures.landscape_table(data)
    again = pgcore.studies.landscape({"other": linear, "trpo": linear}, tmp_path, **options)
    np.testing.assert_array_equal(again["random_scale"], data["random_scale"])  # maps keep theirs
    threads = pgcore.studies.landscape(linear, tmp_path / "b", num_threads=3, **options)
    np.testing.assert_array_equal(threads["reward"], data["reward"])
