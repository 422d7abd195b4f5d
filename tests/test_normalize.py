"""Running statistics: the NumPy twin, and merging."""

import numpy as np
import pytest

from pgcore import Normalizer
from pgcore.policies.normalize import RewardScaler
from pgcore.rollout import reference


def test_reward_scaling_equals_the_reference():
    rng = np.random.default_rng(0)
    rewards = rng.normal(1.0, 2.0, (2, 200))
    ended = rng.random((2, 200)) < 0.05
    scaler = RewardScaler.create(2, gamma=0.9, clip=2.0)
    pieces = [
        scaler.scale(rewards[:, s].copy(), ended[:, s].copy())
        for s in (slice(0, 70), slice(70, 200))
    ]
    expected = [
        reference.scale_rewards(r, e, 0.9, 2.0) for r, e in zip(rewards, ended, strict=True)
    ]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), expected, rtol=1e-9)
    assert np.abs(expected).max() == 2.0


def test_streams_of_an_agent_share_one_scale():
    """All returns of a step are counted ahead of its rewards: the definition, step by step."""
    rng = np.random.default_rng(3)
    rewards, ended = rng.normal(1.0, 2.0, (6, 40)), rng.random((6, 40)) < 0.1
    scaler = RewardScaler.create(2, 0.9, None, streams=3)
    scaled = np.concatenate(
        [
            scaler.scale(rewards[:, s].copy(), ended[:, s].copy())
            for s in (slice(25), slice(25, 40))
        ],
        axis=1,
    )
    for own in (slice(0, 3), slice(3, 6)):
        discounted, seen = np.zeros(3), []
        for t in range(40):
            discounted = 0.9 * discounted + rewards[own, t]
            seen += list(discounted)
            expected = rewards[own, t] / (np.std(seen, ddof=1) + 1e-8)
            np.testing.assert_allclose(scaled[own, t], expected, rtol=1e-9)
            discounted[ended[own, t]] = 0.0


def test_a_new_iteration_starts_new_trajectories():
    scaler = RewardScaler.create(1)
    scaler.scale(np.ones((1, 10)), np.zeros((1, 10), bool))
    assert scaler.state[0, 3] > 1
    scaler.begin()
    assert scaler.state[0, 3] == 0 and scaler.state[0, 0] == 10


def test_merge_equals_push():
    rng = np.random.default_rng(1)
    data = rng.normal(3.0, 5.0, (100, 4))
    pushed, merged = Normalizer.create(4), Normalizer.create(4)
    for row in data:
        pushed.push(row)
    merged.merge(data[:30])
    merged.merge(data[30:])
    for name in ("count", "mean", "m2"):
        np.testing.assert_allclose(getattr(pushed, name), getattr(merged, name), rtol=1e-12)


def test_bad_normalisers_are_named():
    for count in (np.nan, np.inf, -1.0):
        with pytest.raises(ValueError, match="count: expected finite numbers >= 0, got "):
            Normalizer(np.array([count]), np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="clip: expected a number > 0"):
        Normalizer.create(3, clip=0)
    with pytest.raises(ValueError, match="members"):
        Normalizer.create(3, 0)
