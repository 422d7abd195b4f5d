"""Advantages and returns: the NumPy twin, stable-baselines3, and laws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pgcore
from pgcore.rollout import reference
from pgcore.rollout.returns import discounted_returns, successor_values


def random_case(seed, S=4, T=30):
    rng = np.random.default_rng(seed)
    terminated = rng.random((S, T)) < 0.1
    truncated = (rng.random((S, T)) < 0.1) & ~terminated
    return (
        rng.normal(size=(S, T)),
        rng.normal(size=(S, T)),
        rng.normal(size=(S, T)),
        terminated,
        truncated,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_native_equals_reference(seed, gamma, lam):
    rewards, values, after, *flags = random_case(seed)
    for native, twin in zip(
        pgcore.gae(rewards, values, after, *flags, gamma, lam),
        reference.gae(rewards, values, after, *flags, gamma, lam),
        strict=True,
    ):
        np.testing.assert_allclose(native, twin, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        pgcore.discounted_returns(rewards, after, *flags, gamma),
        reference.discounted_returns(rewards, after, *flags, gamma),
        rtol=1e-12,
        atol=1e-12,
    )


def test_float32_values_are_used_as_they_are():
    rewards, values, after, *flags = random_case(1)
    v, n = values.astype(np.float32), after.astype(np.float32)
    single = pgcore.gae(rewards, v, n, *flags)
    double = pgcore.gae(rewards, v.astype(np.float64), n.astype(np.float64), *flags)
    np.testing.assert_array_equal(single, double)


def test_laws():
    rewards, values, after, terminated, truncated = random_case(2)
    delta = rewards + 0.9 * after * ~terminated - values
    lam0, _ = pgcore.gae(rewards, values, after, terminated, truncated, 0.9, 0.0)
    np.testing.assert_allclose(lam0, delta)
    # lam = 1: the return minus the value, for values that agree where trajectories go on
    after[:, :-1] = np.where((terminated | truncated)[:, :-1], after[:, :-1], values[:, 1:])
    lam1, _ = pgcore.gae(rewards, values, after, terminated, truncated, 0.9, 1.0)
    returns = pgcore.discounted_returns(rewards, after, terminated, truncated, 0.9)
    np.testing.assert_allclose(lam1, returns - values)
    myopic, _ = pgcore.gae(rewards, values, after, terminated, truncated, 0.0, 0.5)
    np.testing.assert_allclose(myopic, rewards - values)


def test_streams_concatenate():
    a, b = random_case(3), random_case(4)
    both = [np.concatenate(pair) for pair in zip(a, b, strict=True)]
    whole = pgcore.gae(*both)[0]
    np.testing.assert_array_equal(whole, np.concatenate([pgcore.gae(*a)[0], pgcore.gae(*b)[0]]))


def test_equals_stable_baselines3_where_both_are_defined():
    """Terminations and the cut; sb3 has no truncation of its own."""
    from gymnasium.spaces import Box
    from stable_baselines3.common.buffers import RolloutBuffer

    rewards, values, _, terminated, _ = random_case(5, S=3, T=40)
    last = np.random.default_rng(0).normal(size=3).astype(np.float32)
    space = Box(-1, 1, (1,))
    buffer = RolloutBuffer(40, space, space, gae_lambda=0.95, gamma=0.99, n_envs=3)
    starts = np.ones(3)
    for t in range(40):
        buffer.add(
            np.zeros((3, 1)), np.zeros((3, 1)), rewards[:, t], starts,
            torch.from_numpy(values[:, t]), torch.zeros(3),
        )  # fmt: skip
        starts = terminated[:, t]
    buffer.compute_returns_and_advantage(torch.from_numpy(last), terminated[:, -1])
    v = buffer.values.T.astype(np.float32).copy()  # sb3 keeps float32
    r = buffer.rewards.T.astype(np.float64).copy()
    after = np.concatenate([v[:, 1:], last[:, None]], axis=1)
    mine = pgcore.gae(r, v, after, terminated, np.zeros_like(terminated), 0.99, 0.95)
    # 1e-5: stable-baselines3 accumulates in float32
    np.testing.assert_allclose(mine[0], buffer.advantages.T, atol=1e-5)
    np.testing.assert_allclose(mine[1], buffer.returns.T, atol=1e-5)


def test_successor_values_and_the_biased_conventions():
    values = np.array([[1, 2, 3, 4, 5]], dtype=np.float32)
    truncated = np.array([[False, True, False, False, False]])
    index = np.array([[0, 1], [0, 4]])
    bootstrap = np.array([20, 50], dtype=np.float32)

    def after(**options):
        return successor_values(values, bootstrap, index, truncated, **options).tolist()

    assert after() == [[2, 20, 4, 5, 50]]
    assert after(cut="current") == [[2, 20, 4, 5, 5]]
    assert after(cut="zero") == [[2, 20, 4, 5, 0]]
    assert after(time_limit="terminate") == [[2, 0, 4, 5, 50]]
    # a limit on the last step is a limit, not a cut
    at_end = np.array([[False, False, False, False, True]])
    got = successor_values(values, bootstrap[1:], index[1:], at_end, cut="current")
    assert got.tolist() == [[2, 3, 4, 5, 50]]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"values": np.zeros((4, 29))}, ValueError, r"values: expected \[S, T\] = \[4, 30\]"),
        ({"rewards": np.zeros(30)}, ValueError, r"rewards: expected \[S, T\]"),
        ({"rewards": np.zeros((4, 30), np.float32)}, TypeError, "rewards.*float64, got.*float32"),
        ({"terminated": np.zeros((4, 30))}, TypeError, "terminated.*bool.*convert it"),
        ({"next_values": np.zeros((30, 4)).T}, ValueError, "next_values.*C-contiguous"),
        ({"gamma": 1.5}, ValueError, "gamma: expected a number from 0 to 1, got 1.5"),
        ({"lam": -1}, ValueError, "lam"),
        ({"rewards": [[1.0]]}, TypeError, "rewards: expected a numpy array"),
    ],
)
def test_bad_arguments_are_named(change, error, text):
    rewards, values, after, terminated, truncated = random_case(6)
    arguments = {
        "rewards": rewards,
        "values": values,
        "next_values": after,
        "terminated": terminated,
        "truncated": truncated,
    }
    with pytest.raises(error, match=text):
        pgcore.gae(**(arguments | change))


ARRAYS = ("rewards", "values", "next_values", "bootstrap", "terminated", "truncated")


@pytest.mark.parametrize("name", ARRAYS)
def test_what_is_no_array_is_named(name):
    arrays = dict.fromkeys(ARRAYS, np.zeros((2, 3))) | dict.fromkeys(
        ARRAYS[-2:], np.zeros((2, 3), dtype=bool)
    )
    wrong = arrays | {name: [[0.0]]}
    for function, others in ((pgcore.gae, {"bootstrap"}), (discounted_returns, set(ARRAYS[1:3]))):
        if name not in others:
            with pytest.raises(TypeError, match=f"^{name}: expected a numpy array.*got list"):
                function(**{k: v for k, v in wrong.items() if k not in others})


@pytest.mark.parametrize("number", [1.5, -0.1])
def test_discounts_are_shares(number):
    flags = {"terminated": np.zeros((1, 2), bool), "truncated": np.zeros((1, 2), bool)}
    zeros = np.zeros((1, 2))
    for name in ("gamma", "lam"):
        with pytest.raises(ValueError, match=f"^{name}: "):
            pgcore.gae(rewards=zeros, values=zeros, next_values=zeros, **flags, **{name: number})
    with pytest.raises(ValueError, match=r"^gamma: "):
        discounted_returns(rewards=zeros, bootstrap=zeros, **flags, gamma=number)


def test_the_usual_discount():
    ones, no = np.ones((1, 3)), np.zeros((1, 3), bool)
    found = discounted_returns(ones, 0 * ones, no, no)
    np.testing.assert_allclose(found, [[1 + 0.99 + 0.99**2, 1.99, 1.0]])


@pytest.mark.parametrize("name", ["time_limit", "cut"])
def test_conventions_are_named(name):
    values, index = np.zeros((1, 2), np.float32), np.array([[0, 1]])
    with pytest.raises(ValueError, match=f"^{name}: "):
        successor_values(
            values, values[0, :1], index, np.zeros((1, 2), bool), **{name: "sometimes"}
        )
