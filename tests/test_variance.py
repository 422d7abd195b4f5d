"""Variance studies: closed forms, brute force, the same bits, growth, and errors."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

import pgcore
import variance_forms
from conftest import HEADS, assert_same_dataset, make_policy
from pgcore.agent import Agent
from pgcore.policies.fisher import fisher_traces, score_squares
from pgcore.policies.gaussian import gradient_sums
from pgcore.rollout.continuations import grouped_continuations
from pgcore.studies import figures, variance_budget
from pgcore.studies.catalog import STUDIES
from pgcore.studies.measures.variance import JUDGES, budget, restored_parts
from pgcore.studies.variance.study import VarianceStudy
from report_reading import reported

SMALL = {
    "iterations": (0, 2),
    "trajectories": 10,
    "first_actions": 3,
    "rests": 2,
    "fit_pairs": 500,
}
GAMMA = 0.9


@pytest.fixture(scope="module")
def linear():
    """An agent whose actions matter on the linear-quadratic task, with a value net of no use."""
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=())
    flat = torch.full((1, 12), -0.3)
    flat[:, 10:] = 1.5
    policy.load_flat(flat)
    rule = dataclasses.replace(Agent(task, policy).judgement, gamma=GAMMA, lam=1.0)
    return Agent(task, policy, pgcore.ValueNet(4, (16,), seed=3), judgement=rule)


@pytest.fixture(scope="module")
def measured(runs, tmp_path_factory):
    """The study of two agents, two iterations and two trials, on one thread; and its folder."""
    folder = tmp_path_factory.mktemp("variance")
    return variance_budget(runs, folder, num_threads=1, **SMALL), folder


def within(data, name, expected, at):
    """Whether a number is within four standard errors of what is expected."""
    middle, low, high = (float(data[f"{name}{e}"].sel(at).squeeze()) for e in ("", "_low", "_high"))
    width = stats.t.ppf(0.975, data.sizes["trajectory"] - 1)
    if name != "share":  # an interval of the logarithm
        middle, low, high, expected = np.log([middle, low, high, expected])
    error = min(high - middle, middle - low) / width  # the end that is not moved out for skewness
    assert abs(middle - expected) < 4 * error, (name, at, middle, expected, error)
    return error


def test_the_budget_is_the_closed_form(linear, tmp_path):
    data = variance_budget(
        linear, tmp_path, trajectories=1500, first_actions=6, fit_pairs=100_000, num_threads=2
    )
    flat = linear.policy.flat[0].numpy()
    exact = variance_forms.closed_parts(flat, GAMMA)
    own = sum(exact[name] for name in ("states", "actions", "rest"))

    def value(states):
        with torch.no_grad():
            return linear.value(torch.from_numpy(states.astype(np.float32))[None])[0].numpy()

    brute = {
        "none": variance_forms.simulated(flat, GAMMA, 50_000, lambda s: 0.0),
        "value net": variance_forms.simulated(flat, GAMMA, 50_000, value),
    }
    assert abs(brute["none"][1] / own - 1) < 0.03  # 50,000 heavy-tailed trajectories
    assert within(data, "pairs", own, {"baseline": "none"}) < 0.15
    best = {"baseline": "best"}
    assert (
        within(data, "pairs_left", exact["best"] / own, best) < 0.8
    )  # of a logarithm; heavy tails
    for baseline, (total, pairs) in brute.items():
        assert within(data, "total", total, {"baseline": baseline}) < 0.15
        within(data, "pairs", pairs, {"baseline": baseline})
        for part, expected in (("states", exact["states"]), ("rest", exact["rest"]),
                               ("covariance", total - pairs)):  # fmt: skip
            at = {"baseline": baseline, "part": part}
            error = within(data, "share", expected / total, at)
            assert error < 0.1  # of the covariance; the others have less
    assert within(data, "share", exact["rest"] / brute["none"][0],
                  {"baseline": "none", "part": "rest"}) < 0.004  # of 0.025  # fmt: skip
    left = data["pairs_left"].squeeze()
    assert float(left.sel(baseline="best")) < float(left.sel(baseline="fitted value")) < 1
    # GAE with lambda 1 takes V at the time limit, too, which changes little here
    assert float(data["total"].sel(baseline=JUDGES[-1]).squeeze()) > 0
    parts = data["share"].isel(baseline=[0, 1, 2]).sum("part")
    np.testing.assert_allclose(parts, 1.0, rtol=1e-9)


@pytest.mark.parametrize("head", HEADS)
def test_squared_scores_and_their_mean_are_those_of_the_gradients(head):
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = make_policy(task, 1, (5,), spread=0.4, log_std=-0.5, seed=3, **HEADS[head])
    batch = pgcore.collect(task, policy, 30, streams=1, seed=1)
    x, a = torch.from_numpy(batch.inputs), torch.from_numpy(batch.actions)
    each = gradient_sums(
        policy, batch.inputs[0][:, None], batch.actions[0][:, None], np.ones((30, 1))
    )
    got = score_squares(policy, x, a)[0].numpy()
    np.testing.assert_allclose(got, np.square(each).sum(1), rtol=2e-5)  # float32
    state = np.repeat(batch.inputs[:, :1], 40_000, axis=1)
    with torch.no_grad():
        there = policy.distribution(torch.from_numpy(state[:, :1]))
    noise = np.random.Generator(np.random.Philox(key=1)).standard_normal((1, 40_000, 2))
    drawn = there.sample(torch.from_numpy(noise.astype(np.float32)))
    sizes = score_squares(policy, torch.from_numpy(state), drawn.detach())[0].double().numpy()
    exact = float(fisher_traces(policy, x[:, :1].double(), policy.flat.double()))
    assert abs(sizes.mean() - exact) < 4 * sizes.std() / 200


def test_continuations_share_their_first_action_and_end_where_the_trajectory_does():
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = make_policy(task, 1)
    at, ids = np.array([0, 7, 19]), np.array([4, 2, 9])
    arguments = (task, policy, at, ids, 3, 2, 20, 5)
    one, two = (grouped_continuations(*arguments, threads) for threads in (1, 2))
    for name in ("inputs", "actions", "rewards", "lengths", "diverged"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.lengths == 20 - at[:, None, None]).all()  # the time limit is 20
    assert (one.rewards[..., 0] == one.rewards[:, :, :1, 0]).all()  # the first action's
    assert (one.rewards[:2, :, 0, 1] != one.rewards[:2, :, 1, 1]).all()
    assert len(np.unique(one.actions[..., 0])) == 9
    assert (one.rewards[1, :, :, 13:] == 0).all() and (one.rewards[2, :, :, 1:] == 0).all()
    with pytest.raises(ValueError, match="stream_ids: expected 3 different ids"):
        grouped_continuations(task, policy, at, np.zeros(3, dtype=np.int64), 3, 2, 20)
    with pytest.raises(ValueError, match="restore a simulator"):
        grouped_continuations(pgcore.make_task("gym:Pendulum-v1"), policy, at, ids, 3, 2, 20)


def test_estimates_at_a_state_are_unbiased():
    """Of a made-up state: a score that is normal, a return that depends on it, and noise."""
    draw = np.random.Generator(np.random.Philox(key=2)).standard_normal
    B, J, K, P = 40_000, 3, 2, 2
    eps = draw((B, J, P))
    q = 1.0 + eps[..., 0]  # E[score q] = (1, 0)
    returns = q[..., None] + 0.5 * draw((B, J, K))
    found = restored_parts(eps, returns, np.full(B, 0.3), np.full(B, float(P)))
    # E|eps|² = 2, E[|eps|² q] = 2 and E[|eps|² q²] = 6; b* = 1
    expected = {"state": 1.0, "rest": 2 * 0.25, "pair": 6 - 0.6 * 2 + 0.09 * 2 + 0.5,
                "least": 6 - 2 + 0.5}  # fmt: skip
    for name, value in expected.items():
        x = found[name]
        assert abs(x.mean() - value) < 4 * x.std() / np.sqrt(B), name


def test_leaving_a_trajectory_out_is_measuring_without_it():
    """And sums of inner products are those of the gradients themselves."""
    draw = np.random.Generator(np.random.Philox(key=3))
    N = 7
    lengths = draw.integers(1, 9, N).astype(float)
    G, square = draw.standard_normal((4, N, 5)), draw.random((4, N)) + 5
    states = {name: draw.random(N) + 1 for name in ("rest", "state", "pair", "least")}

    def stored(kept):
        own, g = lengths[kept], G[:, kept]
        return {
            "length": own, "square": square[:, kept], "own": (g**2).sum(-1),
            "to_sum": np.einsum("jip,jp->ji", g, g.sum(1)),
            "to_weighted": np.einsum("jip,jp->ji", g, (own[:, None] * g).sum(1)),
            **{name: x[kept] for name, x in states.items()},
        }  # fmt: skip

    whole = budget(stored(np.arange(N)))
    without = budget(stored(np.delete(np.arange(N), 2)))
    for name in ("total", "pairs", "parts"):
        left_out, direct = getattr(whole, name)[..., 3], getattr(without, name)[..., 0]
        np.testing.assert_allclose(left_out, direct, rtol=1e-9, atol=1e-9)
    mean = G[0].sum(0) / lengths.sum()
    expected = np.square(G[0] - lengths[:, None] * mean).sum() / (N - 1)
    np.testing.assert_allclose(whole.total[0, 0], expected)


def test_the_same_bits_on_two_threads_and_when_it_grows(runs, measured, tmp_path):
    data, _ = measured
    own = runs[:1]
    variance_budget(own, tmp_path, num_threads=2, **{**SMALL, "iterations": (2,)}, trials=1)
    grown = variance_budget(own, tmp_path, num_threads=2, **SMALL)
    assert_same_dataset(grown, data.sel(agent=["ppo"]))
    with pytest.raises(ValueError, match="choose another"):
        variance_budget(own, tmp_path, **{**SMALL, "trajectories": 12})


def test_figure_table_and_report_say_what_was_measured(measured, tmp_path):
    data, _ = measured
    table = figures.variance_table(data)
    assert "10 trajectories" in table and "over trials" in table and "best" in table
    figure = figures.budget_figure(data)
    assert [ax.get_title() for ax in figure.axes[:2]] == ["PPO", "TRPO"]
    assert len(figure.axes[0].patches) == 2 * 3 * 4  # iterations, baselines, parts
    STUDIES["variance"].report(data, tmp_path)
    assert {"variance_budget.png", "summary.txt"} <= {p.name for p in tmp_path.iterdir()}
    answer = STUDIES["variance"].findings(data).answers[0].text()
    assert "the best state baseline" in answer
    assert "the best state baseline" in reported(data, tmp_path / "report")
    one = data.isel(trial=[0], agent=[0])
    assert "of the one trial" in figures.variance_table(one)
    figures.budget_figure(one)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"trajectories": 2}, "trajectories"),
        ({"first_actions": 2}, "first_actions"),
        ({"rests": 1}, "rests"),
        ({"fit_pairs": 0}, "fit_pairs"),
    ],
)
def test_bad_settings_say_their_name(change, name):
    with pytest.raises(ValueError, match=name):
        VarianceStudy(**change)


def test_agents_that_cannot_be_studied_are_refused_before_any_work(linear, tmp_path):
    with pytest.raises(ValueError, match="fit_pairs: with the discount of"):
        variance_budget(linear, tmp_path / "s", fit_pairs=30)
    gym = pgcore.make_task("gym:Pendulum-v1")
    agent = Agent(gym, pgcore.GaussianPolicy(3, 1), pgcore.ValueNet(3))
    with pytest.raises(ValueError, match=r"restore a simulator.* use a task"):
        variance_budget(agent, tmp_path / "s")
    spec = dataclasses.replace(linear.task.spec, id="endless", time_limit=None)
    task = pgcore.make_task(spec)
    endless = Agent(task, pgcore.GaussianPolicy(4, 2), pgcore.ValueNet(4))
    with pytest.raises(ValueError, match="whole trajectories"):
        variance_budget(endless, tmp_path / "s")
    assert not (tmp_path / "s").exists()
