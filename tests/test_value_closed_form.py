"""The value study on the linear-quadratic task, whose values have a closed form."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

import linear_quadratic as lq
import pgcore
from pgcore.agent import Agent
from pgcore.learning.advantages import batch_values
from pgcore.studies.measures.value import MEASURES, error_measures, variance_ratio
from pgcore.studies.pairs.estimates import compare_judges
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.fit import fit_value
from pgcore.studies.value.returns import resolved_returns


@pytest.fixture(scope="module")
def linear():
    """An agent on the linear-quadratic task whose trajectories are long enough to be resolved."""
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=(), log_std=-0.5)
    policy.load_flat(torch.full((1, 12), -0.3))
    return Agent(task, policy, pgcore.ValueNet(4, (32, 32)))


def test_fitted_value_approaches_the_closed_form(linear):
    gamma = 0.6  # 0.6^10 < 0.01: half of each trajectory is resolved
    sampling = Sampling(gamma=gamma, stream_steps=400)
    value, _, share = fit_value(linear, 400_000, 3, sampling, 2)
    assert 0.4 < share < 0.7
    batch = pgcore.collect(linear.task, linear.policy, 400, streams=5, seed=9)
    left = 20 - np.arange(400) % 20
    flat = linear.policy.flat[0].numpy()
    expected = np.stack([lq.values_at(flat, obs, left, gamma) for obs in batch.obs])
    mask = np.broadcast_to(left >= 10, expected.shape)
    with torch.no_grad():
        got = value(torch.from_numpy(batch.inputs.reshape(1, -1, 4)))[0].numpy()
    got = got.reshape(expected.shape)
    explained = MEASURES.index("explained_variance")
    assert error_measures(got[mask], expected[mask])[explained] > 0.97


def test_errors_against_returns_are_misfit_and_noise_of_the_closed_form(linear):
    """E(V - G)² = E(V - V*)² + E(G - V*)², of any V; so the explained variance is known, too."""
    gamma = 0.6
    sampling = Sampling(gamma=gamma, stream_steps=400)
    flat = torch.cat([linear.policy.flat[:, :-2], torch.ones(1, 2)], 1)  # actions of std e
    linear = dataclasses.replace(linear, policy=linear.policy.with_members(flat))
    value, errors, _ = fit_value(linear, 100_000, 3, sampling, 2)
    batch = pgcore.collect(linear.task, linear.policy, 400, streams=400, seed=9)
    left = 20 - np.arange(400) % 20
    flat = linear.policy.flat[0].numpy()
    true = np.stack([lq.values_at(flat, obs, left, gamma) for obs in batch.obs])
    returns, known = resolved_returns(batch.rewards, batch, gamma, linear.task.time_limit)
    # 0.6^10 < 0.01: what is left of a return ten steps ahead of the limit
    np.testing.assert_array_equal(known, np.broadcast_to(left >= 10, known.shape))
    with torch.no_grad():
        got = value(torch.from_numpy(batch.inputs.reshape(1, -1, 4)))[0].numpy()
    for predicted in (got.reshape(true.shape), true + 1.0, 0 * true):
        misfit, noise = (predicted - true) ** 2, (returns - true) ** 2
        gap = np.where(known, (predicted - returns) ** 2 - misfit - noise, 0.0).sum(1)
        # streams are independent; their sums' mean is 0 but for its standard error
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
    misfit, noise = (np.square(x - true)[known].mean() for x in (got.reshape(true.shape), returns))
    assert noise > 0.05 * misfit  # it matters
    expected = np.sqrt((misfit + noise) / returns[known].var())
    normalized = MEASURES.index("normalized")
    # the fit was judged on 25 other streams; how much such a judgement varies
    judged = [
        error_measures(got.reshape(true.shape)[b][known[b]], returns[b][known[b]])[normalized]
        for b in (slice(i, i + 25) for i in range(0, 400, 25))
    ]
    assert abs(errors[normalized] - expected) < 4 * np.std(judged) < 0.5 * expected


def test_a_better_baseline_removes_more_variance(linear):
    """tr Σ: value in closed form < a network fitted to few pairs < nothing, on the same pairs."""
    gamma = 0.6
    sampling = Sampling(gamma=gamma, lam=1.0, stream_steps=20)
    fitted, _, _ = fit_value(linear, 20_000, 3, Sampling(gamma=gamma, stream_steps=400), 2)
    flat = linear.policy.flat[0].numpy()
    left = 20 - np.arange(20)

    def closed_form(batch):
        return np.stack([lq.values_at(flat, obs, left, gamma) for obs in batch.obs])

    def judge(values):
        def advantages(batch):
            zeros = np.zeros_like(batch.rewards)
            flags = (batch.terminated, batch.truncated)
            return pgcore.discounted_returns(batch.rewards, zeros, *flags, gamma) - values(batch)

        return advantages

    judges = [judge(closed_form), judge(lambda b: batch_values(fitted, b)[0]), judge(lambda b: 0)]
    groups = np.arange(100) * (1 << 20)
    sums = compare_judges(linear, 200, groups, 2, sampling, judges, 2)
    grams = [s.gradients @ s.gradients.T for s in sums]
    for better, worse in itertools.pairwise(grams):
        assert variance_ratio(better, worse)[2] < 0.8  # the interval's upper end
    expected = lq.policy_gradient(flat, gamma)  # the baseline does not bias the estimate
    for s in sums:
        error = s.gradients.std(0, ddof=1) / 10
        assert (np.abs(s.gradients.mean(0) - expected) < 4.5 * error).all()
