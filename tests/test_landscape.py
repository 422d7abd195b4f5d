"""Landscapes: closed forms, laws at the centre, and the same bits however they are computed."""

import dataclasses
import time
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

import linear_quadratic as lq
import pgcore
from campaigns import warm
from campaigns.targets import measure
from conftest import assert_same_dataset, small_config
from pgcore.agent import Agent
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.directions import random_direction
from pgcore.studies.landscape.maps import centre_of
from pgcore.studies.landscape.study import LandscapeStudy
from pgcore.studies.landscape.surfaces import plane, reward_sums, surrogate_surface
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.pairs.steps import step_data
from pgcore.studies.value.study import ValueStudy
from pgcore.training.run import Run

SMALL = {
    "iterations": (2,),
    "sources": (128,),
    "pairs": (100, 300),
    "points": (3, 4),
    "random_range": (0.0, 3.0),
    "part_pairs": 200,
}


@pytest.fixture
def linear():
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=(), log_std=-0.5)
    gains = [-1.0, 0.2, 0.1, -1.5, -1.2, 0.0, 0.1, -1.6, 0.1, -0.2, -0.5, -0.3]
    policy.load_flat(torch.tensor([gains]))
    return Agent(task, policy, pgcore.ValueNet(4, (8,)))


def test_true_reward_map_equals_the_closed_form(linear):
    """95 % of the points inside 95 % intervals, within binomial error."""
    axis = np.linspace(0, 3, 9)
    step, random = (0.4 * random_direction(12, s) for s in (1, 2))
    policies = plane(linear, step, random, axis, axis)
    sums = reward_sums(linear, policies, 20_000, 4, False, None, 2)
    mean = sums.total / sums.count
    expected = np.array([lq.mean_return(flat) for flat in policies.flat])
    width = stats.t.ppf(0.975, sums.count - 1) * sums.standard_error()
    inside = int((np.abs(mean - expected) < width).sum())
    low, high = stats.binom.interval(0.999, 81, 0.95)
    assert low <= inside <= high
    assert np.ptp(expected) > 10 * sums.standard_error().max()  # the map has a shape


def _agents(runs):
    from pgcore.training.checkpoint import load_checkpoint
    from pgcore.training.run import checkpoint_path

    return [load_checkpoint(checkpoint_path(r, 2)).agent().select(0) for r in runs]


def test_surrogate_at_the_centre(runs):
    """Zero there, with the directional derivative as slope; KL zero; TRPO's step within delta."""
    for agent in _agents(runs):
        sampling = Sampling(conventions="agent")
        data = step_data(agent, 1000, [0], 3, sampling, 1)
        step = agent.updated(data, 3, 0)
        random = random_direction(len(step), 7)
        h = 1e-2
        for direction in (step / np.linalg.norm(step), random / 2):
            stack = plane(agent, direction, random, np.array([0.0, h, -h]), np.array([0.0]))
            gradient = _surrogate_gradient(agent, data)
            for algorithm in ("ppo", "trpo"):  # no ratio leaves 1 ± ε so near
                judge = dataclasses.replace(agent, algorithm=algorithm, settings=None)
                values, kl = surrogate_surface(stack, judge, data, 2)
                assert abs(values[0]) < 1e-6 and abs(kl[0]) < 1e-7
                slope = (values[1] - values[2]) / (2 * h)
                assert abs(slope - gradient @ direction) < 1e-4 * max(1, np.linalg.norm(gradient))
        if agent.algorithm.name == "trpo":
            full = plane(agent, step, random, np.array([1.0]), np.array([0.0]))
            _, kl = surrogate_surface(full, agent, data, 1)
            assert 0 < kl[0] <= agent.settings.kl * (1 + 1e-4)


def _surrogate_gradient(agent, data):
    from pgcore.learning import objectives, trpo

    advantages = objectives.normalize_advantages(data.advantages)
    return trpo.surrogate_gradient(agent.policy, data, advantages)[0].double().numpy()


def test_the_clipped_surrogate_far_from_the_centre(runs):
    """PPO's, where ratios leave 1 ± ε on both sides; against the formula in float64."""
    agent = _agents(runs)[0]
    data = step_data(agent, 500, [0], 3, Sampling(), 1)
    random = random_direction(agent.policy.flat.shape[1], 7)
    stack = plane(agent, random, random, np.array([0.7]), np.array([0.0]))
    value, _ = surrogate_surface(stack, agent, data, 1)

    def log_prob(policy):
        with torch.no_grad():
            mean, std = policy.mean(data.inputs).double(), policy.log_std.detach().double().exp()
        return torch.distributions.Normal(mean, std).log_prob(data.actions.double()).sum(-1)

    ratio = (log_prob(stack) - log_prob(agent.policy)).exp()
    assert (ratio < 0.8).any() and (ratio > 1.2).any()
    a = data.advantages.double()
    a = (a - a.mean()) / a.std()
    expected = torch.minimum(ratio * a, ratio.clamp(0.8, 1.2) * a).mean()
    assert value[0] == pytest.approx(float(expected), abs=1e-5)


def test_surrogate_blocks_do_not_change_the_bits_with_threads(runs):
    agent = _agents(runs)[0]
    data = step_data(agent, 9000, list(range(5)), 3, Sampling(), 1)
    random = random_direction(agent.policy.flat.shape[1], 7)
    stack = plane(agent, random / 10, random, np.linspace(0, 1, 5), np.linspace(0, 1, 4))
    one = surrogate_surface(stack, agent, data, 1)
    three = surrogate_surface(stack, agent, data, 3)
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a, b)


def test_common_random_numbers(linear):
    """Identical points give identical returns; differences have less variance than independent."""
    step = 0.02 * random_direction(12, 1)
    axis = np.array([0.0, 1.0])
    policies = plane(linear, step, step * 0, axis, axis)  # the random direction changes nothing
    common = reward_sums(linear, policies, 4000, 4, True, 0, 2)
    assert common.total[0] == common.total[1] and common.paired_total[1] == 0
    independent = reward_sums(linear, policies, 4000, 4, False, 0, 2)
    assert independent.total[0] != independent.total[1]
    n = common.paired_count[2]
    paired = (common.paired_square[2] - common.paired_total[2] ** 2 / n) / (n - 1)
    unpaired = 2 * (independent.standard_error()[0] ** 2) * independent.count[0]
    assert paired < 0.05 * unpaired


def test_the_random_direction_has_norm_2():
    assert np.linalg.norm(random_direction(5000, 3)) == pytest.approx(2)
    assert centre_of(np.array([-1.0, 0, 1]), np.array([0.0, 1])) == 2
    assert centre_of(np.array([1.0]), np.array([0.0])) is None


@pytest.mark.timeout(120)
def test_same_bits_for_threads_pieces_and_kills(runs, tmp_path):
    whole = pgcore.studies.landscape(runs, tmp_path / "a", num_threads=2, **SMALL)
    finished = []
    for store, number in (("surrogate.zarr/finished", 1), ("reward.zarr/finished", 2)):
        process = warm.start(measure, "landscape", SMALL, runs, tmp_path / "b")
        chunks = tmp_path / "b" / store / "c"
        while process.is_alive() and sum(p.is_file() for p in chunks.rglob("*")) < number:
            time.sleep(0.001)
        process.kill()
        process.join()
        finished += [(p, p.stat().st_mtime_ns) for p in chunks.rglob("*") if p.is_file()]
    rewards = [p for p, _ in finished if "reward.zarr" in str(p)]
    assert 2 <= len(rewards) < 6  # killed between the cells of a map
    assert_same_dataset(whole, pgcore.studies.landscape(runs, tmp_path / "b", **SMALL))
    assert np.isfinite(whole["reward"].values).all()
    assert (whole["pairs_used"].sel(pairs=300) >= 300).all()
    for path, written in finished:  # and nothing was computed again
        assert path.stat().st_mtime_ns == written


def test_the_stored_maps_are_those_of_the_agents(runs, tmp_path):
    """Every number of a study again, from its parts, far from the centre of an uneven grid."""
    settings = SMALL | {"sources": (128, 256), "noise": "common", "random_range": (0.0, 2.0)}
    data = pgcore.studies.landscape(runs, tmp_path, **settings)
    stored = open_study(tmp_path / "surrogate.zarr")
    steps, randoms = (data[d].values for d in ("step_scale", "random_scale"))
    seeds = Agents.of(runs, (2,), 1)
    for agent, algorithm in zip(_agents(runs), ("ppo", "trpo"), strict=True):
        where = {"agent": algorithm, "iteration": 2, "trial": 0}
        directions = stored.sel(where | {"source": 256})
        step, random = (directions[n].values for n in ("step", "random"))
        seed = seeds.seed(where, 0, "step", 256)
        batch = step_data(agent, 256, [0], seed, Sampling(), 1)
        np.testing.assert_array_equal(step, agent.updated(batch, seed, 0))
        flat = agent.policy.flat[0].double().numpy() + steps[2] * step + randoms[1] * random
        point = agent.policy.with_members(torch.from_numpy(flat.astype(np.float32))[None])
        expected, kl = _surrogate_by_hand(agent, point, batch, algorithm == "ppo")
        own = data.sel(where | {"source": 256}).isel(step_scale=2, random_scale=1)
        # float32 networks, float64 by hand
        assert float(own["surrogate"]) == pytest.approx(expected, abs=1e-5)
        assert float(own["kl"]) == pytest.approx(kl, rel=1e-4)
        assert abs(expected) > 1e-3
        both = agent.policy.with_members(torch.cat([agent.policy.flat, point.flat]))
        returns = [[], []]
        for part, pairs in enumerate((200, 100)):
            key = seeds.seed(where, 0, "reward", 256, 300, part)
            normalizer = agent.normalizer.select(np.zeros(2, dtype=np.int64))
            scores = pgcore.evaluate(
                agent.task, both, pairs, key, 1, normalizer,
                streams=np.array([0, 1]), stream_ids=np.array([0, 0]),
            )  # fmt: skip
            for member in (0, 1):
                returns[member].append(scores.returns[scores.member == member])
        mine = np.concatenate(returns[1])
        own = own.sel(pairs=300)
        assert float(own["trajectories"]) == len(mine)
        assert float(own["reward"]) == pytest.approx(mine.mean())
        assert float(own["reward_error"]) == pytest.approx(stats.sem(mine))
        paired = [b[: len(a)] - a[: len(b)] for a, b in zip(*returns, strict=True)]
        differences = np.concatenate(paired)
        assert float(own["paired_count"]) == len(differences)
        assert float(own["difference"]) == pytest.approx(differences.mean())
        assert float(own["difference_error"]) == pytest.approx(stats.sem(differences))


def _surrogate_by_hand(agent, point, data, clipped):
    """PPO's or TRPO's surrogate and the mean KL, in float64 from their formulas."""

    def normal(policy):
        with torch.no_grad():
            mean, std = policy.mean(data.inputs).double(), policy.log_std.detach().double().exp()
        return torch.distributions.Normal(mean, std)

    old, new = normal(agent.policy), normal(point)
    actions = data.actions.double()
    ratio = (new.log_prob(actions) - old.log_prob(actions)).sum(-1).exp()
    a = data.advantages.double()
    a = (a - a.mean()) / a.std()
    gain = ratio * a
    if clipped:
        clip = agent.settings.clip
        assert (ratio < 1 - clip).any() and (ratio > 1 + clip).any()
        gain = torch.minimum(gain, ratio.clamp(1 - clip, 1 + clip) * a)
    kl = torch.distributions.kl_divergence(old, new).sum(-1)
    return float(gain.mean()), float(kl.mean())


def test_maps_and_their_parts_have_random_numbers_of_their_own(runs, tmp_path):
    """The policy at the centre is the same in all of an agent's maps; no two have its returns."""
    few = {"sources": (128, 256), "pairs": (200, 400), "trials": 2, "points": (2, 2)}
    settings = SMALL | few
    pgcore.studies.landscape(runs, tmp_path, **settings)
    total = open_study(tmp_path / "reward.zarr")["total"].sel(step_scale=0, random_scale=0)
    sums = total.values[np.isfinite(total.values)]
    assert len(sums) == 2 * 2 * 2 * (1 + 2)  # agents, sources, parts of both levels
    assert len(np.unique(sums)) == len(sums)


def test_an_agent_that_has_stopped_learning_takes_no_step(tmp_path):
    """A rate that is annealed to 0 over the run."""
    with Run(tmp_path / "run", small_config(iterations=2, keep=(1,), anneal=True)) as run:
        list(run.iterations())
    for study in (LandscapeStudy, partial(ValueStudy, variance_iterations=())):
        with pytest.raises(
            ValueError, match="the learning rate of ppo is 0 at 2, the end of its run"
        ):
            study(iterations=(1, 2)).plans(Agents.of(tmp_path / "run", (1, 2)), tmp_path)
        study(iterations=(1,)).plans(Agents.of(tmp_path / "run", (1,)), tmp_path)
