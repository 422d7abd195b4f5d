"""Landscapes: closed forms, laws at the centre, and the same bits however they are computed."""

import dataclasses
import multiprocessing
import time

import numpy as np
import pytest
import torch
from scipy import stats

import linear_quadratic as lq
import pgcore
from conftest import assert_same_dataset
from pgcore.studies import figures, statistics
from pgcore.studies.agent import Agent
from pgcore.studies.landscape import (
    LandscapeStudy,
    describe_landscape,
    open_landscape,
)
from pgcore.studies.landscape_maps import centre_of, random_direction
from pgcore.studies.sampling import Sampling
from pgcore.studies.steps import computed_step, step_data
from pgcore.studies.surfaces import plane, reward_sums, surrogate_surface

SMALL = {
    "iterations": (2,),
    "sources": (128,),
    "pairs": (100, 300),
    "points": (3, 4),
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
    from pgcore.checkpoint import load_checkpoint
    from pgcore.train import checkpoint_path

    return [Agent.of(load_checkpoint(checkpoint_path(r, 2)), 0) for r in runs]


def test_surrogate_at_the_centre(runs):
    """Zero there, with the directional derivative as slope; KL zero; TRPO's step within delta."""
    for agent in _agents(runs):
        sampling = Sampling(conventions="agent")
        data = step_data(agent, 1000, [0], 3, sampling, 1)
        step = computed_step(agent, data, 3, 0)
        random = random_direction(len(step), 7)
        h = 1e-2
        for direction in (step / np.linalg.norm(step), random / 2):
            stack = plane(agent, direction, random, np.array([0.0, h, -h]), np.array([0.0]))
            values, kl = surrogate_surface(stack, agent, data, None, 2)
            assert abs(values[0]) < 1e-6 and abs(kl[0]) < 1e-7
            gradient = _surrogate_gradient(agent, data)
            slope = (values[1] - values[2]) / (2 * h)
            assert abs(slope - gradient @ direction) < 1e-4 * max(1, np.linalg.norm(gradient))
        if agent.config.algorithm == "trpo":
            full = plane(agent, step, random, np.array([1.0]), np.array([0.0]))
            _, kl = surrogate_surface(full, agent, data, None, 1)
            assert 0 < kl[0] <= agent.config.kl * (1 + 1e-4)


def _surrogate_gradient(agent, data):
    from pgcore import objectives, trpo

    advantages = objectives.normalize_advantages(data.advantages)
    return trpo.surrogate_gradient(agent.policy, data, advantages)[0].double().numpy()


def test_surrogate_blocks_do_not_change_the_bits_with_threads(runs):
    agent = _agents(runs)[0]
    data = step_data(agent, 9000, list(range(5)), 3, Sampling(), 1)
    random = random_direction(agent.policy.flat.shape[1], 7)
    stack = plane(agent, random / 10, random, np.linspace(0, 1, 5), np.linspace(0, 1, 4))
    one = surrogate_surface(stack, agent, data, 0.2, 1)
    three = surrogate_surface(stack, agent, data, 0.2, 3)
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


def _study(folders, out):
    pgcore.studies.landscape(folders, out, num_threads=1, **SMALL)


@pytest.mark.timeout(120)
def test_same_bits_for_threads_pieces_and_kills(runs, tmp_path):
    whole = pgcore.studies.landscape(runs, tmp_path / "a", num_threads=2, **SMALL)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pgcore.studies.landscape"])
    for delay in (0.0, 0.1):
        process = context.Process(target=_study, args=(runs, tmp_path / "b"))
        process.start()
        while process.is_alive() and not (tmp_path / "b" / "reward.zarr").exists():
            time.sleep(0.002)
        time.sleep(delay)
        process.kill()
        process.join()
    assert_same_dataset(whole, pgcore.studies.landscape(runs, tmp_path / "b", **SMALL))
    cluster = pgcore.studies.landscape(runs, tmp_path / "c", cluster="local:2", **SMALL)
    assert_same_dataset(whole, cluster)
    assert np.isfinite(whole["reward"].values).all()
    assert (whole["pairs_used"].sel(pairs=300) >= 300).all()


def test_adaptive_spends_where_the_error_is(runs, tmp_path):
    settings = SMALL | {"pairs": (2000,), "part_pairs": 100}
    fixed = pgcore.studies.landscape(runs, tmp_path / "a", **settings)
    target = float(fixed["reward_error"].median()) * 2
    adaptive = pgcore.studies.landscape(runs, tmp_path / "b", target_error=target, **settings)
    assert adaptive["pairs_used"].sum() < 0.8 * fixed["pairs_used"].sum()
    below = adaptive["reward_error"].values <= target
    spent = adaptive["pairs_used"].values >= 2000
    assert (below | spent).all()


def test_figures_page_and_table(runs, tmp_path):
    pgcore.studies.landscape(runs, tmp_path / "a", noise="common", **SMALL)
    data = open_landscape(tmp_path / "a")
    for draw in (figures.surface_figure, figures.contour_figure):
        figures.save_figure(draw(data, "ppo", 0, 128), tmp_path / "figure")
    page = figures.landscape_page(data)
    assert "common" in data.attrs["spec"] and "Plotly.newPlot" in page
    assert 'src="http' not in page  # self-contained
    assert len(figures.landscape_table(data).splitlines()) == 4 + 4
    assert np.isfinite(data["difference"].values).all()


def test_dry_run_and_bad_settings(runs, tmp_path):
    text = describe_landscape(runs, tmp_path / "x", **SMALL)
    assert "3 x 4 points" in text and "6 of 6 cells" in text
    for change, match in (
        ({"noise": "pink"}, "noise: expected one of independent, common"),
        ({"high": -1.0}, "high: expected more than low"),
        ({"points": (0, 3)}, "points: expected an integer >= 1"),
        ({"target_error": 0.0}, "target_error: expected a number > 0"),
    ):
        with pytest.raises(ValueError, match=match):
            LandscapeStudy(**(SMALL | change))


def test_measures_of_surfaces():
    a = np.linspace(0, 1, 6)
    smooth = a[:, None] ** 2 + a[None, :]
    noisy = smooth + 0.3 * np.random.default_rng(0).standard_normal(smooth.shape)
    assert statistics.roughness(smooth, np.zeros_like(smooth))[0] < 1e-12
    unexplained, noise = statistics.roughness(noisy, np.full_like(noisy, 0.3))
    assert unexplained == pytest.approx(noise, rel=0.6)
    assert statistics.rank_correlation(smooth, smooth**3) == 1
    assert statistics.sign_agreement(a, -a) == 0 and statistics.sign_agreement(a, a**2) == 1
    assert np.isnan(statistics.rank_correlation(smooth, np.zeros_like(smooth)))


def test_settings_are_plain_data():
    assert dataclasses.asdict(LandscapeStudy())["points"] == (11, 11)
