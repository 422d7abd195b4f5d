"""Rollouts: the same bits whatever runs them, boundaries, normalisation, scores."""

import dataclasses

import numpy as np
import pytest

import pgcore
from conftest import TASKS, assert_same_batch, ball_spec, make_policy
from pgcore import Normalizer


@pytest.mark.parametrize("task_id", TASKS)
def test_same_bits_for_any_threads_and_grouping(task_id):
    task = pgcore.make_task(task_id)
    policy = make_policy(task)
    whole = pgcore.collect(task, policy, 60, streams=3, seed=7, num_threads=1)
    for threads in (2, 3, 8):
        again = pgcore.collect(task, policy, 60, streams=3, seed=7, num_threads=threads)
        assert_same_batch(whole, again)
    # the same streams, collected in two calls
    for part in (slice(0, 2), slice(2, 6)):
        piece = pgcore.collect(
            task, policy, 60, whole.member[part], 7, stream_ids=whole.stream_ids[part]
        )
        for name in ("obs", "inputs", "actions", "log_probs", "rewards", "terminated"):
            assert np.array_equal(getattr(piece, name), getattr(whole, name)[part]), name


def test_streams_are_permutation_equivariant():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task)
    order = np.array([3, 0, 2, 1])
    member, ids = np.array([0, 0, 1, 1]), np.arange(4)
    a = pgcore.collect(task, policy, 80, member, 1, stream_ids=ids)
    b = pgcore.collect(task, policy, 80, member[order], 1, stream_ids=ids[order])
    assert np.array_equal(a.obs[order], b.obs)
    assert np.array_equal(a.rewards[order], b.rewards)


def test_equal_stream_ids_are_common_random_numbers():
    task = pgcore.make_task("Hopper-v2")
    one = make_policy(task, 1)
    twins = one.with_members(one.flat.repeat(2, 1))
    common = pgcore.collect(task, twins, 100, stream_ids=np.array([5, 5]))
    assert np.array_equal(common.obs[0], common.obs[1])
    independent = pgcore.collect(task, twins, 100)
    assert not np.array_equal(independent.obs[0], independent.obs[1])


def test_bootstrap_observations_follow_truncations_and_the_cut(tmp_path):
    task = pgcore.make_task(ball_spec(tmp_path, time_limit=7))
    policy = make_policy(task, 1)
    batch = pgcore.collect(task, policy, 20, streams=2, seed=1)
    assert batch.truncated.sum() == 4 and not batch.terminated.any()
    expected = [[s, t] for s in range(2) for t in (6, 13, 19)]
    assert batch.bootstrap_index.tolist() == expected
    # one step later the same stream shows the cut's observation as an ordinary one
    longer = pgcore.collect(task, policy, 21, streams=2, seed=1)
    np.testing.assert_array_equal(batch.bootstrap_obs[[2, 5]], longer.obs[:, 20])
    # after a truncation the next observation is a reset, not the bootstrap observation
    assert not np.array_equal(batch.bootstrap_obs[0], batch.obs[0, 7])


def test_no_bootstrap_where_the_last_step_terminates():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 1)
    batch = pgcore.collect(task, policy, 200, streams=8, seed=3)
    last = {int(s) for s, t in batch.bootstrap_index if t == 199}
    assert last == set(np.nonzero(~batch.terminated[:, -1])[0])
    assert batch.terminated.sum() > 8


def test_live_normaliser_equals_welford_over_the_stream():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 2)
    start = Normalizer.create(task.obs_dim, 2, clip=5.0)
    native, python = (
        pgcore.collect(
            task, policy, 40, seed=2, normalizer=start, update_normalizer=True, backend=backend
        )
        for backend in ("native", "python")
    )
    assert start.count.tolist() == [0, 0], "the argument is not written into"
    after, twin = native.normalizer, python.normalizer
    # every observation once: 40 before steps, one after each end and at the cut
    ends = native.terminated.sum(axis=1) + (~native.terminated[:, -1]).astype(int)
    np.testing.assert_array_equal(after.count, 40 + ends)
    np.testing.assert_array_equal(after.count, twin.count)
    np.testing.assert_array_equal(native.inputs[:, 0], 0)  # one observation: no spread yet
    # the closed loop amplifies float32 differences between torch and native, so only the start
    np.testing.assert_allclose(native.inputs[:, :10], python.inputs[:, :10], atol=1e-3)
    assert np.abs(native.inputs).max() <= 5.0


def test_normaliser_with_several_streams_is_frozen_then_merged():
    task = pgcore.make_task("HalfCheetah-v4")  # which never terminates
    policy = make_policy(task, 1)
    fresh = Normalizer.create(task.obs_dim)
    warm = pgcore.collect(
        task, policy, 50, streams=2, seed=1, normalizer=fresh, update_normalizer=True
    )
    frozen = warm.normalizer
    batch = pgcore.collect(
        task, policy, 50, streams=3, seed=2, normalizer=frozen, update_normalizer=True
    )
    np.testing.assert_array_equal(batch.inputs, frozen.inputs(batch.obs))
    seen = np.concatenate([warm.obs.reshape(-1, task.obs_dim), warm.bootstrap_obs,
                           batch.obs.reshape(-1, task.obs_dim), batch.bootstrap_obs])  # fmt: skip
    np.testing.assert_allclose(batch.normalizer.mean[0], seen.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        batch.normalizer.m2[0] / (len(seen) - 1), seen.var(axis=0, ddof=1), rtol=1e-10
    )


def test_statistics_of_several_streams_see_terminal_observations():
    """Which no array of the batch holds: against the twin, and by their number."""
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 2)
    start = Normalizer.create(task.obs_dim, 2)
    options = {"streams": 2, "seed": 4, "normalizer": start, "update_normalizer": True}
    native, python = (
        pgcore.collect(task, policy, 60, backend=b, **options) for b in ("native", "python")
    )
    assert native.terminated.sum() > 3
    for m in range(2):
        own = native.member == m
        cuts = np.isin(native.bootstrap_index[:, 0], np.nonzero(own)[0]).sum()
        assert native.normalizer.count[m] == 120 + native.terminated[own].sum() + cuts
    # they lie outside what Hopper may do, so that leaving them out would show
    np.testing.assert_allclose(native.normalizer.mean, python.normalizer.mean, atol=1e-6)
    np.testing.assert_allclose(native.normalizer.m2, python.normalizer.m2, rtol=1e-5)


def joined(first, second):
    """Two batches of the same streams, one behind the other; bootstraps of the cut left out."""
    names = ("obs", "inputs", "actions", "log_probs", "rewards", "terminated", "truncated")
    return {
        name: np.concatenate([getattr(first, name), getattr(second, name)], axis=1)
        for name in names
    }


@pytest.mark.parametrize("name", ["Hopper-v2", "Humanoid-v2", "Ant-v5", "Swimmer-v5"])
@pytest.mark.parametrize("live", [True, False])
def test_two_calls_give_what_one_would(name, live):
    """Cut anywhere, in a trajectory or at its end, with statistics that follow."""
    task = pgcore.make_task(name)
    policy = make_policy(task, 3)
    normalizer = Normalizer.create(task.obs_dim, 3)
    normalizer.merge(np.random.default_rng(0).normal(0, 2, (9, task.obs_dim)))
    streams = 1 if live else 2
    options = {"streams": streams, "seed": 6, "normalizer": normalizer, "update_normalizer": live}
    whole = pgcore.collect(task, policy, 60, **options)
    ends = np.nonzero(whole.terminated[0])[0]
    cuts = [25] if len(ends) == 0 else [25, int(ends[0]) + 1, int(ends[0]) + 2]
    for cut in cuts:
        first = pgcore.collect(task, policy, cut, keep_end=True, num_threads=1, **options)
        options["normalizer"] = first.normalizer if live else normalizer
        start = first.end
        second = pgcore.collect(task, policy, 60 - cut, start=start, num_threads=2, **options)
        options["normalizer"] = normalizer
        for field, array in joined(first, second).items():
            np.testing.assert_array_equal(array, getattr(whole, field), err_msg=field)
        if live:
            np.testing.assert_array_equal(second.normalizer.count, whole.normalizer.count)
            np.testing.assert_array_equal(second.normalizer.m2, whole.normalizer.m2)
        assert second.end is None


def test_a_state_of_another_task_is_refused():
    hopper, cheetah = (pgcore.make_task(n) for n in ("Hopper-v4", "HalfCheetah-v4"))
    end = pgcore.collect(hopper, make_policy(hopper, 1), 5, keep_end=True).end
    with pytest.raises(ValueError, match=r"start.simulator: expected \[S, N\]"):
        pgcore.collect(cheetah, make_policy(cheetah, 1), 5, start=end)
    with pytest.raises(ValueError, match="start: not with backend='python'"):
        pgcore.collect(hopper, make_policy(hopper, 1), 5, start=end, backend="python")
    with pytest.raises(TypeError, match=r"start: expected batch\.end of Hopper-v4"):
        pgcore.collect(hopper, make_policy(hopper, 1), 5, start=3)


def test_scores_are_the_trajectories_of_the_rollout():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 2)
    scores = pgcore.evaluate(task, policy, pairs=600, streams=2, seed=9, num_threads=2)
    batch = pgcore.collect(task, policy, 600, streams=2, seed=9)
    for s in range(4):
        ends = np.nonzero(batch.terminated[s] | batch.truncated[s])[0] + 1
        pieces = np.split(batch.rewards[s], ends)[:-1]
        mine = scores.stream == s
        assert scores.lengths[mine].sum() >= 300 > scores.lengths[mine][:-1].sum()
        count = mine.sum()
        np.testing.assert_array_equal(scores.lengths[mine], [len(p) for p in pieces[:count]])
        np.testing.assert_allclose(
            scores.returns[mine], [p.sum() for p in pieces[:count]], rtol=1e-12
        )
    assert np.array_equal(np.unique(scores.member), [0, 1])
    one_thread = pgcore.evaluate(task, policy, pairs=600, streams=2, seed=9, num_threads=1)
    assert np.array_equal(scores.returns, one_thread.returns)


def test_discounted_scores():
    task = pgcore.make_task("HalfCheetah-v4")
    policy = make_policy(task, 1)
    scores = pgcore.evaluate(task, policy, pairs=1000, seed=1, gamma=0.9)
    batch = pgcore.collect(task, policy, 1000, seed=1)
    np.testing.assert_allclose(scores.returns[0], batch.rewards[0] @ 0.9 ** np.arange(1000))


def test_a_task_of_ones_own_needs_no_code(tmp_path):
    spec = ball_spec(tmp_path, drop=0.1)
    task = pgcore.make_task(spec)
    assert (task.obs_dim, task.act_dim, task.dt) == (4, 1, 0.01)
    batch = pgcore.collect(task, make_policy(task, 1), 60, seed=1)
    start = batch.obs[0, 0, :2]
    assert (np.abs(start) <= 0.1).all() and (start != 0).all()
    moved = np.diff(batch.obs[0, :, 0])[:40] / task.dt
    np.testing.assert_allclose(batch.rewards[0, :40], moved, rtol=1e-9)
    other = pgcore.make_task(dataclasses.replace(spec, time_limit=None))
    assert not pgcore.collect(other, make_policy(other, 1), 200).truncated.any()


def test_evaluate_gives_plain_and_discounted_sums_of_the_same_trajectories():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task)
    plain = pgcore.evaluate(task, policy, 500, seed=3)
    both = pgcore.evaluate(task, policy, 500, seed=3, gamma=0.9)
    np.testing.assert_array_equal(plain.returns, plain.totals)
    np.testing.assert_array_equal(both.totals, plain.totals)
    assert (both.returns != both.totals).any()
