"""Update studies: closed forms along an update, its end, and the same bits however computed."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

import linear_quadratic as lq
import pgcore
from conftest import assert_same_dataset
from pgcore.agent import Agent
from pgcore.learning.a2c import A2cSettings
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import ALGORITHMS
from pgcore.learning.ppo import PpoSettings
from pgcore.learning.trpo import TrpoSettings
from pgcore.learning.watch import Point
from pgcore.studies import figures, update_paths, update_steps
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.sources import Agents
from pgcore.studies.measures.updates import Along, over_units
from pgcore.studies.update.points import chosen_points, points_of
from pgcore.studies.update.study import UpdateStudy

GAMMA = 0.95
SETTINGS = {
    "ppo": PpoSettings(policy_lr=0.05, policy_epochs=4, minibatches=2),
    "trpo": TrpoSettings(kl=1.0, accept_ratio=0.8),  # refuses some tries
    "a2c": A2cSettings(policy_lr=0.1),
}
SMALL = {"iterations": (0, 2), "updates": 2, "pairs": (128,), "reward_pairs": 100, "points": 4}


def linear(name, **changes):
    """An agent on the linear-quadratic task with steps so large that rewards change by much."""
    policy = pgcore.GaussianPolicy(4, 2, hidden=(), log_std=-0.5)
    gains = [-0.3, 0.2, 0.1, -0.5, -0.4, 0.0, 0.1, -0.6, 0.1, -0.2, -0.5, -0.3]
    policy.load_flat(torch.tensor([gains]))
    settings = dataclasses.replace(SETTINGS[name], **changes)
    return Agent(
        pgcore.make_task("LinearQuadratic-v0"),
        policy,
        pgcore.ValueNet(4, (8,)),
        algorithm=name,
        settings=settings,
        judgement=Judgement(gamma=GAMMA),
    )


def paths(agent, tmp_path, **options):
    """The points of the updates that a study looks at, computed again; and each whole step."""
    settings = UpdateStudy(**options)
    agents = Agents.of(agent)
    cell = settings.plans(agents, tmp_path)["dataset.zarr"].function
    at = {"agent": agents.labels[0], "iteration": 0, "trial": 0, "n": settings.pairs[0]}
    seed = agents.seed(at, settings.seed, "step", at["n"])
    data = [cell.data(agent, at, k, "step", 1) for k in range(settings.updates)]
    rule = (settings.every, settings.points)
    found = [points_of(agent, d, seed, k, *rule) for k, d in enumerate(data)]
    return found, [agent.updated(d, seed, k) for k, d in enumerate(data)]


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_change_is_the_closed_form(tmp_path, name):
    """Undiscounted and discounted, at every point against its own truth; and their means."""
    agent = linear(name)
    options = {"updates": 8, "pairs": (200,), "reward_pairs": 16_000, "points": 6}
    data = update_paths(agent, tmp_path, **options).squeeze()
    found, _ = paths(agent, tmp_path, **options)
    theta = agent.policy.flat[0].double().numpy()
    known = data["at"].notnull().transpose("update", "point").values
    assert known.sum() == sum(map(len, found))
    # 64 streams of 250 pairs, to the end of a trajectory of 20; each has a part of the start's own
    each = 64 * 13
    assert (data["paired_count"].transpose("update", "point").values[known] == each).all()
    assert (data["count"].transpose("update", "point").values[known] == each).all()
    assert float(data["centre_count"]) == 8 * each
    for measure, gamma in (("return", 1.0), ("discounted", GAMMA)):
        here = lq.mean_return(theta, gamma)
        own = data.sel(measure=measure).transpose("update", "point")
        truth = np.full(known.shape, np.nan)
        for k, points in enumerate(found):
            for slot, point in points.items():
                truth[k, slot] = lq.mean_return(point.flat[0], gamma) - here
        np.testing.assert_array_equal(np.isfinite(truth), known)
        z = ((own["change"].values - truth) / own["change_error"].values)[known]
        assert np.abs(z).max() < 4, z
        assert np.sqrt(np.mean(z**2)) < 1.6, z
        errors = own["change_error"].values[known]
        assert np.abs(truth[known]).max() > 5 * errors.mean()
        centre = float(own["centre"]) - here
        assert abs(centre) < 4 * float(own["centre_error"])
    if name == "trpo":
        assert 0 < float(data["accepted"].mean()) < 1


def test_intervals_cover_the_closed_form(tmp_path):
    """12 studies of 8 updates each; the truth is the mean of 150 others, in closed form."""
    agent = linear("ppo")
    options = {"updates": 8, "pairs": (200,), "reward_pairs": 1000, "points": 4}
    found, _ = paths(agent, tmp_path, **{**options, "updates": 150}, seed=999)
    here = lq.mean_return(agent.policy.flat[0])
    moves = [[lq.mean_return(p.flat[0]) - here for p in points.values()] for points in found]
    change = np.mean(moves, axis=0)
    rest = np.concatenate([change[-1:], change[-1] - change[:-1]])
    inside = np.zeros(2)
    for seed in range(12):
        data = update_paths(agent, tmp_path / str(seed), **options, seed=seed)
        along = Along.of(data.isel(agent=0, iteration=0, n=0))
        each = [over_units(along.values["change"][..., p]) for p in range(4)]
        inside[0] += np.mean([x.low <= t <= x.high for x, t in zip(each, change, strict=True)])
        together = zip(along.rest_intervals()[:-1], rest, strict=True)
        inside[1] += all(x.low <= t <= x.high for x, t in together)
    assert (inside >= 9).all(), inside  # binomial, p = 0.95: below 9 with 1 in 447


@pytest.mark.parametrize("name", list(SETTINGS))
def test_the_last_point_is_the_step_bit_by_bit(tmp_path, name):
    agent = linear(name)
    options = {"updates": 3, "pairs": (200,)}
    for points, step in zip(*paths(agent, tmp_path, **options), strict=True):
        last = points[max(points)]
        move = (last.flat - agent.policy.flat)[0].numpy().astype(np.float64)
        np.testing.assert_array_equal(move, step)
        assert step.any()
    mine = update_paths(agent, tmp_path / "a", reward_pairs=100, **options)
    theirs = update_steps(agent, tmp_path / "b", steps=3, pairs=(200,), reward_pairs=100)
    ends = {n: Along.of(mine.isel(agent=0, iteration=0, n=0)).ends(n)[0] for n in ("norm", "fresh")}
    for key, end in ends.items():
        other = theirs[key].squeeze().sel(kind="step").values
        np.testing.assert_allclose(end, other, rtol=1e-5, atol=1e-7)


def test_the_surrogate_along_an_update(tmp_path):
    """Against the formulas, on own and on fresh pairs; clipping only takes away."""
    agent = linear("ppo")
    options = {"updates": 2, "pairs": (200,), "reward_pairs": 100}
    data = update_paths(agent, tmp_path, **options).squeeze()
    found, _ = paths(agent, tmp_path, **options)
    at = {"agent": "ppo", "iteration": 0, "trial": 0, "n": 200}
    cell = UpdateStudy(**options).plans(Agents.of(agent), tmp_path)["dataset.zarr"].function

    def expected_of(point, purpose, plain, clipped):
        own = cell.data(agent, at, 1, purpose, 1)
        a = ((own.advantages - own.advantages.mean()) / (own.advantages.std() + 1e-8))[0].double()
        log_prob = agent.policy.with_members(point.flat).log_prob(own.inputs, own.actions)
        ratio = torch.exp(log_prob - own.log_probs)[0].detach().double()
        beyond = ((ratio - 1).abs() > 0.2).double().mean()
        lower = torch.minimum(ratio * a, ratio.clamp(0.8, 1.2) * a)
        return {plain: (ratio * a).mean(), clipped: lower.mean()}, {"clip_fraction": beyond}

    for slot, point in found[1].items():
        fresh, _ = expected_of(point, "fresh", "unclipped_fresh", "fresh")
        gains, beyond = expected_of(point, "step", "unclipped", "surrogate")
        norm = {"norm": np.linalg.norm((point.flat - agent.policy.flat).double())}
        expected = fresh | gains | beyond | norm
        for key, value in expected.items():
            got = float(data[key].transpose("update", "point")[1, slot])
            assert got == pytest.approx(float(value), abs=1e-5), key
    assert (data["surrogate"].dropna("point") <= data["unclipped"].dropna("point") + 1e-6).all()
    np.testing.assert_array_equal(data["at"].values[0][:5], [1, 2, 3, 4, np.nan])


def seen(count, of, per_pass=1, search=False):
    """What an update tells that ends at a point of a number, or accepts it."""
    points = [Point(torch.zeros(1, 1), i, of, per_pass) for i in range(1, count + 1)]
    if search:
        one, ends = torch.ones(1), [torch.tensor([p.number == count]) for p in points]
        return [
            dataclasses.replace(p, fraction=one, accepted=end)
            for p, end in zip(points, ends, strict=True)
        ]
    return points


@pytest.mark.parametrize(
    ("points", "every", "slots", "expected"),
    [
        (seen(320, 320, 32), "pass", 16, {i: 32 * (i + 1) for i in range(10)}),
        (seen(320, 320, 32), "pass", 4, {0: 96, 1: 192, 2: 288, 3: 320}),
        (seen(320, 320, 32), "minibatch", 4, {i: 80 * (i + 1) for i in range(4)}),
        (seen(100, 320, 32), "pass", 4, {0: 96, 1: 100}),  # has ended in its fourth pass
        (seen(7, 320, 32), "pass", 16, {0: 7}),
        (seen(3, 11, search=True), "pass", 16, {0: 1, 1: 2, 2: 3}),
        (seen(1, 1), "minibatch", 1, {0: 1}),
        (seen(5, 5), "minibatch", 2, {0: 3, 1: 5}),
    ],
)
def test_points_are_thinned_evenly_and_the_last_is_kept(points, every, slots, expected):
    chosen = chosen_points(points, every, slots)
    assert {slot: p.number for slot, p in chosen.items()} == expected


def test_equal_bits_for_threads_extension_and_a_lost_cell(runs, tmp_path):
    """1 and 3 threads; agents, iterations and n that come later; a cell that was lost."""
    small = {**SMALL, "trials": 1}
    sources = {"first": runs[0], "second": runs[1]}
    whole = update_paths(sources, tmp_path / "one", num_threads=1, **{**small, "pairs": (128, 64)})
    other = {"first": runs[0]}
    update_paths(other, tmp_path / "two", num_threads=3, **{**small, "iterations": (0,)})
    chunk = tmp_path / "two" / "dataset.zarr" / "finished" / "c" / "0" / "0" / "0" / "0"
    assert chunk.is_file()
    chunk.unlink()  # as a kill before the last write of a cell leaves it
    shutil.rmtree(tmp_path / "two" / "dataset.zarr" / "count" / "c" / "0" / "0" / "0")
    grown = update_paths(sources, tmp_path / "two", num_threads=3, **{**small, "pairs": (128, 64)})
    assert_same_dataset(whole, grown)
    assert whole["change"].isel(point=0).notnull().all()
    other_seed = update_paths(other, tmp_path / "three", seed=1, **small)
    first = whole["change"].sel(agent=["first"], n=[128]).isel(point=0)
    assert (other_seed["change"].isel(point=0) != first).all()


def test_table_and_figures(runs, tmp_path):
    data = update_paths(runs, tmp_path, **{**SMALL, "iterations": (2,), "every": "minibatch"})
    table = figures.update_table(data)
    assert table.count("\nppo ") == 2 * (1 + 4)  # the start, and eight minibatches in four points
    assert "\nppo, iteration 2, n 128 (2 trials: description, not a decision):" in table
    assert "fewer than 6: what is said about agents is a description" in table
    figure = figures.update_figure(data, 2, 128)
    titles = [ax.get_title().partition(":") for ax in figure.axes]
    assert [agent for agent, _, _ in titles] == ["PPO", "TRPO", "", ""]
    assert all(text.endswith(" trajectories at a point") for _, _, text in titles[:2])
    assert figure.axes[2].get_xlabel() == "passes over the pairs"
    assert figure.axes[3].get_xlabel() == "fraction of the step that is tried"
    title = "Hopper-v2: PPO, TRPO; updates at iteration 2, from 128 pairs each"
    assert figure.get_suptitle() == title
    assert figure.get_supxlabel().startswith("2 independent updates of each of 2 trials.")
    STUDIES["update"].report(data, tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"update-2-128.png", "update-2-128-discounted.png"} <= names
    assert (tmp_path / "summary.txt").read_text() == table


def test_the_verdict_says_where_ascent_stops_to_pay(tmp_path):
    """Changes put in by hand: up to pass 2 and down again, only up, and nothing."""
    options = {"updates": 6, "pairs": (64,), "reward_pairs": 100}
    data = update_paths(linear("ppo"), tmp_path, **options)
    noise = 0.1 * np.random.default_rng(0).standard_normal((6, 1))
    for rise, expected in (
        ([5, 9, 7, 4], ["pays: what follows the start", "stops to pay: what follows pass 1 "]),
        ([2, 4, 6, 8], ["reward: pays: what follows pass 3 adds 2.0"]),
        ([-2, -3, -4, -5], ["reward: stops to pay: what follows the start adds -5"]),
    ):
        own = data.copy()
        own["change"] = data["change"].transpose(..., "update", "point").copy()
        own["change"].values[..., :4] = (1 + noise) * np.array(rise, dtype=float)
        table = figures.update_table(own)
        for text in expected:
            assert text in table, table
    own["change"].values[..., :4] = 100 * noise
    assert "reward: open: what follows the start" in figures.update_table(own)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"updates": 1}, "updates"),
        ({"pairs": (8,)}, "pairs"),
        ({"points": 0}, "points"),
        ({"every": "epoch"}, "every"),
        ({"reward_pairs": 0}, "reward_pairs"),
    ],
)
def test_bad_settings_say_their_name(change, name):
    with pytest.raises(ValueError, match=name):
        UpdateStudy(**change)


def test_an_algorithm_that_cannot_be_watched_is_refused_by_name(tmp_path):
    known = ALGORITHMS["a2c"]

    def update(policy, data, settings, optimizer, orders):
        return known.update(policy, data, settings, optimizer, orders)

    mine = dataclasses.replace(known, name="mine", update=update)
    agent = dataclasses.replace(linear("a2c"), algorithm=mine)
    with pytest.raises(ValueError, match=r"agents: .* got mine of own; let its update take watch="):
        update_paths({"own": agent}, tmp_path / "s")
    assert not (tmp_path / "s").exists()
