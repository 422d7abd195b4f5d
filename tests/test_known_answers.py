"""The linear-quadratic task, where value and gradient are known in closed form."""

import dataclasses

import numpy as np
import pytest
import torch

import linear_quadratic as lq
import pgcore
from pgcore.agent import Agent
from pgcore.studies.measures import statistics
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling


@pytest.fixture(scope="module")
def agent():
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=(), log_std=-0.5)
    gains = [-1.0, 0.2, 0.1, -1.5, -1.2, 0.0, 0.1, -1.6, 0.1, -0.2, -0.5, -0.3]
    policy.load_flat(torch.tensor([gains]))
    return Agent(task, policy, pgcore.ValueNet(4, (8,)))


def test_the_simulator_is_linear(agent):
    batch = pgcore.collect(agent.task, agent.policy, 60)
    flags = batch.truncated[0, :-1]
    s, a = batch.obs[0, :-1][~flags], batch.actions[0, :-1][~flags].astype(np.float64)
    after = batch.obs[0, 1:][~flags]
    np.testing.assert_allclose(after, s @ lq.A.T + a @ lq.B.T, atol=1e-12)
    reward = -np.einsum("ni,ij,nj->n", after, lq.COST, after) - lq.CONTROL * (a**2).sum(1)
    np.testing.assert_allclose(batch.rewards[0, :-1][~flags], reward, rtol=1e-12)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_mean_return_is_the_closed_form(agent, gamma):
    scores = pgcore.evaluate(agent.task, agent.policy, 400_000, gamma=gamma, seed=3)
    expected = lq.mean_return(agent.policy.flat[0], gamma)
    error = scores.returns.std(ddof=1) / np.sqrt(len(scores.returns))
    assert abs(scores.returns.mean() - expected) < 4 * error
    assert error < 0.01 * abs(expected)


def test_gradient_estimates_are_unbiased(agent):
    """A z-test at 10^6 pairs: one in 10^4 seeds would fail by chance in one of 12 components."""
    sampling = Sampling(gamma=0.95, baseline="zero", stream_steps=2000)
    groups = np.arange(25) * (1 << 20)
    sums = sum_gradients(agent, 40_000, groups, 11, sampling, 2)
    expected = lq.policy_gradient(agent.policy.flat[0], 0.95)
    error = sums.gradients.std(axis=0, ddof=1) / 5
    z = (sums.gradients.mean(axis=0) - expected) / error
    assert np.abs(z).max() < 5.5, z  # Student's t with 24 degrees
    assert (error < 0.2 * np.abs(expected).max()).all()


def test_noise_scale_predicts_the_cosines(agent):
    far = agent.policy.with_members(torch.full((1, 12), -0.3))  # its gradient is large
    agent = dataclasses.replace(agent, policy=far)
    sampling = Sampling(gamma=0.95, baseline="zero", stream_steps=20)
    n = 4000
    groups = np.arange(300) * (1 << 20)
    sums = sum_gradients(agent, n, groups, 5, sampling, 2)
    gram = sums.gradients @ sums.gradients.T
    B, low, high = statistics.noise_scale_interval(gram, n)
    assert low < B < high < 2 * low
    square = np.square(sums.gradients.mean(0)).sum()
    other = statistics.true_noise_scale(
        *(np.array(x, dtype=float) for x in (sums.square, square, sums.streams, sums.steps))
    )
    assert abs(other - B) / B < 0.1  # the same pairs, cut into streams and into estimates
    measured = statistics.mean_pairwise(statistics.cosines(gram))
    assert abs(measured - statistics.predicted_pairwise(n, B)) < 0.06  # first-order law
    expected = lq.policy_gradient(agent.policy.flat[0], 0.95)
    cosine = sums.gradients @ expected / np.sqrt(np.diagonal(gram) * (expected @ expected))
    assert abs(cosine.mean() - statistics.predicted_to_true(n, B)) < 0.04


def test_intervals_cover(agent):
    """The small version of benchmarks/bench_coverage.py: 120 intervals from 10 estimates each."""
    sampling = Sampling(gamma=0.95, baseline="zero", stream_steps=20)
    groups = np.arange(1200) * (1 << 20)
    sums = sum_gradients(agent, 200, groups, 8, sampling, 2).gradients
    gram = sums @ sums.T
    truth = statistics.mean_pairwise(statistics.cosines(gram))
    covered = 0
    for i in range(0, 1200, 10):
        _, low, high = statistics.pairwise_cosine_interval(gram[i : i + 10, i : i + 10])
        covered += low <= truth <= high
    assert 0.88 < covered / 120 <= 1  # binomial error at 0.95: three sigma are 0.06


def test_normalised_advantages_are_those_of_all_pairs_of_an_estimate(agent):
    raw = Sampling(baseline="zero", stream_steps=50)
    normalized = Sampling(baseline="zero", stream_steps=50, advantages="normalized")
    groups = np.array([0])
    got = sum_gradients(agent, 200, groups, 1, normalized, 1).gradients[0]
    batch = pgcore.collect(agent.task, agent.policy, 50, streams=4, seed=1)
    advantages = raw.judge(agent, batch)
    advantages = (advantages - advantages.mean()) / (advantages.std(ddof=1) + 1e-8)
    log_prob = agent.policy.log_prob(
        torch.from_numpy(batch.inputs.reshape(1, 200, 4)),
        torch.from_numpy(batch.actions.reshape(1, 200, 2)),
    )
    mean = (log_prob * torch.from_numpy(advantages.reshape(1, 200))).mean()
    grads = torch.autograd.grad(mean, list(agent.policy.tensors))
    np.testing.assert_allclose(got, torch.cat([g.reshape(-1) for g in grads]), rtol=1e-4, atol=1e-6)
