"""Monte Carlo values: states restored to the bit, and the closed form of the linear task."""

import numpy as np
import pytest
import torch

import linear_quadratic as lq
import pgcore
from conftest import TASKS, ball_spec, make_policy
from pgcore.rollout.monte_carlo import default_tail


@pytest.mark.parametrize("name", TASKS)
def test_a_restored_state_continues_as_the_stream_did(name):
    """With the stream's own seed a continuation is the original trajectory, to the bit.

    The second one is: another has been run from the state before it.
    """
    task = pgcore.make_task(name)
    policy = make_policy(task, 1)
    batch = pgcore.collect(task, policy, 60, streams=4, seed=3)
    at, tail = np.array([0, 5, 17, 30]), 30 if task.time_limit > 60 else 3
    values = pgcore.monte_carlo_values(
        task, policy, at, 2, 3, branch_seeds=np.array([8, 3]), tail=tail, gamma=0.97
    )
    only_healthy = {term.kind for term in task.spec.reward} == {"healthy"}  # the same every step
    compared = 0
    for s, t in enumerate(at):
        np.testing.assert_array_equal(values.obs[s], batch.obs[s, t])
        np.testing.assert_array_equal(values.inputs[s], batch.inputs[s, t])
        ends = np.nonzero(batch.terminated[s, t : t + tail])[0]
        length = ends[0] + 1 if len(ends) else tail
        if batch.truncated[s, t : t + length].any():
            continue  # a continuation goes on beyond the time limit
        total, discount = 0.0, 1.0
        for reward in batch.rewards[s, t : t + length]:
            total += discount * reward
            discount *= 0.97
        assert values.returns[s, 1] == total
        assert values.returns[s, 0] != total or only_healthy
        compared += 1
    assert compared >= 2


def test_a_failed_state_is_named_and_the_others_are_as_without_it(tmp_path):
    """Balls that begin low enough to touch the floor run out of the little memory there is."""
    at = np.full(16, 3)
    values = {}
    for memory in ("1M", "1500"):
        (tmp_path / memory).mkdir()
        task = pgcore.make_task(ball_spec(tmp_path / memory, memory=memory, drop=0.85))
        policy = make_policy(task, 1)
        try:
            values[memory] = pgcore.monte_carlo_values(task, policy, at, 3, 1, 2, tail=30)
        except pgcore.SimulationError as error:
            values[memory], failed = error.result, error.streams
    assert 0 < len(failed) < 16
    assert np.isnan(values["1500"].returns[failed]).all()
    assert np.isnan(values["1500"].values[failed]).all()
    rest = np.setdiff1d(np.arange(16), failed)
    np.testing.assert_array_equal(values["1500"].returns[rest], values["1M"].returns[rest])
    assert np.isfinite(values["1M"].returns).all()


def test_same_bits_for_any_threads_and_different_continuations():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 1)
    at = np.array([3, 50, 9])
    one = pgcore.monte_carlo_values(task, policy, at, 5, 1, 1)
    many = pgcore.monte_carlo_values(task, policy, at, 5, 1, 3)
    np.testing.assert_array_equal(one.returns, many.returns)
    assert all(len(np.unique(row)) == 5 for row in one.returns)


def test_values_are_the_closed_form():
    """Within their standard errors: the squared z-scores of 60 states average to one."""
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=(), log_std=-0.5)
    policy.load_flat(torch.full((1, 12), -0.3))
    at = np.arange(60) % 20
    values = pgcore.monte_carlo_values(task, policy, at, 200, 5, gamma=0.9, tail=160)
    _, V = lq.action_values(policy.flat[0].numpy(), 0.9, horizon=400)
    y = np.concatenate([values.obs, np.ones((60, 1))], axis=1)
    expected = -np.einsum("ni,ij,nj->n", y, V[0], y)
    z = (values.values - expected) / values.errors
    assert np.abs(z).max() < 5
    assert 0.6 < np.mean(z**2) < 1.5  # chi-squared, 60 degrees: 2.5 sigma
    assert values.errors.max() < 0.2 * np.ptp(expected)


@pytest.mark.parametrize("gamma", [0.6, 0.9, 0.99])
def test_the_default_tail_leaves_out_a_thousandth(gamma):
    tail = default_tail(gamma)
    assert gamma**tail <= 0.001 < gamma ** (tail - 1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"at": np.array([-1])}, "at: expected steps >= 0, got -1"),
        ({"at": [3]}, "at: expected an int64 array"),
        ({"continuations": 0}, "continuations: expected an integer >= 1"),
        ({"gamma": 1.0}, "tail: expected a count"),
        (
            {"branch_seeds": np.array([1, 2, 3])},
            r"branch_seeds: expected int64 \[K\] = \[20\], got",
        ),
        ({"branch_seeds": [1, 2], "continuations": 2}, r"got \[2\] of list"),
        ({"branch_seeds": np.array([1, -2]), "continuations": 2}, "expected numbers >= 0, got -2"),
        ({"stream_ids": np.array([1, 2])}, r"stream_ids: expected int64 \[B\] = \[1\]"),
        ({"gamma": float("nan"), "tail": 3}, "gamma: expected a number from 0 to 1, got nan"),
    ],
)
def test_bad_arguments(change, text):
    task = pgcore.make_task("Hopper-v2")
    arguments = {"at": np.array([3])} | change
    with pytest.raises(ValueError, match=text):
        pgcore.monte_carlo_values(task, make_policy(task, 1), **arguments)


def test_without_weight_on_the_future_a_value_is_the_next_reward():
    task = pgcore.make_task("Hopper-v2")
    policy, at = make_policy(task, 1), np.array([0, 3])
    for gamma, tail in ((0.0, None), (0.5, 1)):
        found = pgcore.monte_carlo_values(task, policy, at, 3, gamma=gamma, tail=tail)
        expected = pgcore.monte_carlo_values(task, policy, at, 3, gamma=1.0, tail=1)
        np.testing.assert_array_equal(found.returns, expected.returns)
    with pytest.raises(ValueError, match=r"tail: expected a count, because gamma is 1"):
        pgcore.monte_carlo_values(task, policy, at, 3, gamma=1.0)
    for odd, text in ((np.array([-3, 1]), "got -3"), (np.array([], dtype=np.int64), r"got \[0\]")):
        with pytest.raises(ValueError, match=f"at: expected .*{text}"):
            pgcore.monte_carlo_values(task, policy, odd, 3)
