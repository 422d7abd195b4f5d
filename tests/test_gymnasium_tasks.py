"""Any Gymnasium environment as a task: what it is, and the same bits in any number of processes."""

import functools
import pickle

import gymnasium
import numpy as np
import pytest
import torch

import pgcore
from conftest import assert_same_batch, make_policy
from environments import Crane, Duck, limited
from pgcore.cli import main
from pgcore.rollout.environments import NativeOutputs
from pgcore.tasks.gymnasium import GymnasiumSpec

PENDULUM = "gym:Pendulum-v1"


@pytest.fixture(scope="module")
def pendulum():
    return pgcore.make_task(PENDULUM)


@pytest.fixture(scope="module")
def crane():
    return pgcore.make_task(limited)


def test_a_task_says_what_it_is(pendulum, crane):
    assert (pendulum.obs_dim, pendulum.act_dim) == (3, 1)
    assert (pendulum.id, pendulum.time_limit, pendulum.dt) == (PENDULUM, 200, 0.05)
    assert pendulum.spec == GymnasiumSpec("Pendulum-v1") and pendulum.action_high.tolist() == [2.0]
    assert (crane.id, crane.spec, crane.time_limit, crane.dt) == ("gym:<Crane>", None, 20, 0.25)
    assert crane.action_low.tolist() == [-0.5, -2.0] and crane.action_low.dtype == np.float64
    assert pgcore.make_task(Crane).time_limit is None
    assert np.isnan(pgcore.make_task("gym:MountainCarContinuous-v0").dt)
    for task in (pendulum, crane):
        copy = pickle.loads(pickle.dumps(task))
        assert (copy.id, copy.obs_dim, copy.spec) == (task.id, task.obs_dim, task.spec)
        assert copy.model_hash() == task.model_hash() and len(task.model_hash()) == 64
    assert crane.model_hash() != pendulum.model_hash()


def test_options_are_literals_and_part_of_the_id(pendulum):
    task = pgcore.make_task("gym:Pendulum-v1(max_episode_steps=7, g=1.5)")
    assert task.id == "gym:Pendulum-v1(g=1.5, max_episode_steps=7)" and task.time_limit == 7
    assert task.spec == GymnasiumSpec("Pendulum-v1", (("g", 1.5), ("max_episode_steps", 7)))
    assert pgcore.make_task(task.id).spec == task.spec == pgcore.make_task(task.spec).spec
    assert task.model_hash() != pendulum.model_hash()
    policy = make_policy(task, 1)
    lighter, plain = (pgcore.collect(t, policy, 7, seed=1) for t in (task, pendulum))
    assert lighter.truncated[0, -1] and not np.array_equal(lighter.obs, plain.obs)


@pytest.mark.parametrize(
    ("task", "kind", "text"),
    [
        ("gym:Pendulm-v1", ValueError, r"gym:Pendulm-v1: .*[Dd]id you mean.*Pendulum"),
        ("gym:no.such.module:Crane-v0", ValueError, "No module named"),
        ("gym:Pendulum-v1(g=open())", ValueError, "task: expected an id such as"),
        ("gym:Pendulum-v1(gravity=3)", ValueError, "cannot be made: TypeError: .*gravity"),
        ("gym:CartPole-v1", ValueError, r"expected a Box action_space, got Discrete\(2\)"),
        (lambda: gymnasium.make("FrozenLake-v1"), ValueError, "expected a Box observation_space"),
        (3, TypeError, "task: expected an id, a TaskSpec, or a function that makes"),
        (lambda: 3, ValueError, "expected a Box observation_space, got None"),
    ],
)
def test_what_is_no_task(task, kind, text):
    with pytest.raises(kind, match=text):
        pgcore.make_task(task)


def test_spaces_must_be_flat():
    class Wide(Crane):
        observation_space = gymnasium.spaces.Box(-1, 1, (8, 8))

    class Whole(Crane):
        action_space = gymnasium.spaces.Box(-1, 1, (2,), np.int32)

    with pytest.raises(ValueError, match=r"got shape \[8, 8\]; wrap it in .*FlattenObservation"):
        pgcore.make_task(Wide)
    with pytest.raises(ValueError, match="actions of a float dtype, got int32"):
        pgcore.make_task(Whole)
    flat = pgcore.make_task(lambda: gymnasium.wrappers.FlattenObservation(Wide()))
    assert flat.obs_dim == 64


def test_the_command_line_describes_it(capsys):
    main(["tasks", PENDULUM])
    text = capsys.readouterr().out
    for part in (
        "one step is 0.05 s",
        "     0..1  [-1, 1]\n        2  [-8, 8]",
        "[-2, 2]",
        "truncated after 200 steps",
        "pydoc gymnasium.envs.classic_control.pendulum.PendulumEnv",
    ):
        assert part in text


# Equal bits


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("streams", [1, 5])
def test_bits_do_not_depend_on_processes(crane, update, streams):
    policy = make_policy(crane, 3, (8,))
    start = pgcore.Normalizer.create(3, 3)
    first = None
    for threads in (1, 2, 3):
        batch = pgcore.collect(
            crane, policy, 60, streams, seed=4, num_threads=threads, normalizer=start,
            update_normalizer=update,
        )  # fmt: skip
        first = first or batch
        assert_same_batch(batch, first)
        for name in ("count", "mean", "m2"):
            mine, theirs = getattr(batch.normalizer, name), getattr(first.normalizer, name)
            np.testing.assert_array_equal(mine, theirs)
    assert (first.normalizer.count > 0).all() == update and (start.count == 0).all()


def test_bits_do_not_depend_on_grouping(crane):
    policy = make_policy(crane, 2, (8,))
    member = np.array([1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1])
    ids = np.arange(11) * 7
    whole = pgcore.collect(crane, policy, 40, member, seed=2, stream_ids=ids, num_threads=1)
    scores = pgcore.evaluate(crane, policy, 600, 3, 1, streams=member, stream_ids=ids)
    for chosen in (np.array([4]), np.array([9, 2, 0]), np.arange(11)[::-1].copy()):
        own = {"streams": member[chosen], "stream_ids": ids[chosen], "num_threads": 2}
        part = pgcore.collect(crane, policy, 40, seed=2, **own)
        for name in ("obs", "inputs", "actions", "log_probs", "rewards", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[chosen])
        most = np.bincount(member[chosen]).max()
        part = pgcore.evaluate(crane, policy, 100 * int(most), 3, **own)
        for s, stream in enumerate(chosen):
            np.testing.assert_array_equal(
                part.returns[part.stream == s], scores.returns[scores.stream == stream]
            )


def test_three_seeds(pendulum):
    policy = make_policy(pendulum, 1)
    one, again, other = (pgcore.collect(pendulum, policy, 20, seed=s) for s in (1, 1, 2))
    assert_same_batch(one, again)
    assert not np.array_equal(one.obs, other.obs)


def test_native_means_are_those_of_torch():
    """No bit of a stream's mean depends on which streams share the call."""
    policy = pgcore.GaussianPolicy(5, 2, (32, 16), 3, log_std=-0.5)
    policy.load_flat(policy.flat + 0.2 * torch.randn(policy.flat.shape))
    member = np.array([0, 1, 2, 1, 0, 0])
    x = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    means = NativeOutputs(policy.flat.numpy()[member], policy.sizes, policy.kind())
    found = means(x, np.arange(6))[0]
    with torch.no_grad():
        expected = policy.mean(torch.from_numpy(x).expand(3, 6, 5))[member, np.arange(6)]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)
    for rows in ([3], [5, 0], [1, 2, 4]):
        np.testing.assert_array_equal(means(x[rows], np.array(rows))[0], found[rows])
    alone = NativeOutputs(policy.flat.numpy()[1:2], policy.sizes, policy.kind())
    np.testing.assert_array_equal(alone(x, np.arange(6))[0][[1, 3]], found[[1, 3]])


# What a batch holds


def test_pendulum_by_its_id_by_a_function_and_by_the_twin(pendulum):
    policy = make_policy(pendulum, 2, (8,))
    called = pgcore.make_task(lambda: gymnasium.make("Pendulum-v1"))
    batch = pgcore.collect(pendulum, policy, 250, 2, seed=1, num_threads=2)
    assert_same_batch(batch, pgcore.collect(called, policy, 250, 2, seed=1, num_threads=2))
    twin = pgcore.collect(pendulum, policy, 250, 2, seed=1, backend="python")
    np.testing.assert_allclose(batch.log_probs, twin.log_probs, atol=1e-4)
    np.testing.assert_allclose(batch.obs, twin.obs, atol=1e-3)  # rounding, grown by the dynamics
    for name in ("terminated", "truncated", "bootstrap_index"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(twin, name))

    assert np.argwhere(batch.truncated).tolist() == [[s, 199] for s in range(4)]
    assert batch.bootstrap_index.tolist() == [[s, t] for s in range(4) for t in (199, 249)]
    assert not batch.terminated.any()
    speed = batch.obs[:, 199, 2] - batch.bootstrap_obs[::2, 2]
    assert (np.abs(speed) < 2).all() and not (batch.obs[:, 200] == batch.bootstrap_obs[::2]).any()


def test_the_environment_sees_clipped_actions_and_the_sample_is_recorded(crane):
    policy = make_policy(crane, 1, spread=0.5)
    low, high = crane.action_low, crane.action_high
    batch = pgcore.collect(crane, policy, 200, seed=3)
    sampled = batch.actions.astype(np.float64)
    assert (sampled < low).any() and (sampled > high).any()
    seen = np.clip(sampled, low, high)
    np.testing.assert_array_equal(batch.rewards, seen[..., 0] + 10 * seen[..., 1])
    with torch.no_grad():
        log_probs = policy.log_prob(*(torch.from_numpy(a) for a in (batch.inputs, batch.actions)))
    np.testing.assert_allclose(batch.log_probs, log_probs, atol=1e-4)
    raw = pgcore.collect(crane, policy, 5, seed=3, actions="none")
    np.testing.assert_array_equal(raw.actions, batch.actions[:, :5])
    np.testing.assert_array_equal(raw.rewards, (sampled[..., 0] + 10 * sampled[..., 1])[:, :5])
    means = pgcore.collect(crane, policy, 5, deterministic=True).actions
    assert np.abs(np.diff(means, axis=1)).max() > 0 and not np.array_equal(means, raw.actions)


def test_terminations_and_what_follows_them(crane):
    batch = pgcore.collect(crane, make_policy(crane, 1), 100, 3, num_threads=2)
    mark, resets, steps = (batch.obs[..., i] for i in range(3))
    length = 5 + (20 * mark).astype(int)
    np.testing.assert_array_equal(batch.terminated, steps + 1 == length)
    np.testing.assert_array_equal(batch.truncated, steps + 1 == 20)
    ended = batch.terminated | batch.truncated
    assert (steps[:, 1:][ended[:, :-1]] == 0).all() and batch.terminated.any()
    # the environment is the stream's own, and new: it has been reset once per trajectory
    np.testing.assert_array_equal(resets[:, 1:], 1 + np.cumsum(ended, axis=1)[:, :-1])
    index = batch.bootstrap_index
    kept = ~batch.terminated & (batch.truncated | (np.arange(100) == 99))
    assert index.tolist() == np.argwhere(kept).tolist()
    np.testing.assert_array_equal(batch.bootstrap_obs[:, 2], steps[tuple(index.T)] + 1)


def test_scores_are_those_of_the_transitions(crane):
    policy = make_policy(crane, 2, (8,))
    normalizer = pgcore.Normalizer.create(3, 2)
    normalizer.merge(np.random.default_rng(0).normal(5, 3, (50, 3)))
    settings = {"seed": 5, "normalizer": normalizer}
    scores = pgcore.evaluate(crane, policy, 90, num_threads=2, streams=3, gamma=0.9, **settings)
    batch = pgcore.collect(crane, policy, 60, 3, **settings)
    for stream in range(6):
        own = scores.stream == stream
        lengths = scores.lengths[own]
        assert lengths.sum() >= 30 > lengths[:-1].sum()
        assert (scores.member[own] == stream // 3).all()
        start = 0
        for length, value, total in zip(
            lengths, scores.returns[own], scores.totals[own], strict=True
        ):
            rewards = batch.rewards[stream, start : start + length]
            assert value == pytest.approx((0.9 ** np.arange(length) * rewards).sum(), rel=1e-12)
            assert total == pytest.approx(rewards.sum(), rel=1e-12)
            start += length
        assert (batch.terminated | batch.truncated)[stream, start - 1]


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"policy": (4, 2)}, ValueError, "policy: expected obs_dim 3 of the task, got 4"),
        ({"policy": (3, 1)}, ValueError, "policy: expected act_dim 2 of the task, got 1"),
        ({"streams": np.array([0, 7])}, ValueError, "streams: expected members from 0 to 0, got 7"),
        ({"streams": np.zeros(0, np.int64)}, ValueError, "streams: expected at least one stream"),
        ({"stream_ids": np.array([-1])}, ValueError, "stream_ids: expected ids from 0 to 2"),
        ({"stream_ids": np.arange(2)}, ValueError, r"expected \[S\] = \[1\] of int64, got \[2\]"),
        ({"stream_ids": np.array([0.5])}, TypeError, r"stream_ids: .* got \[1\] of float64"),
        ({"backend": "native"}, ValueError, "backend: gym:<Crane> runs in Python"),
        (
            {"actions": "squash"},
            ValueError,
            "actions: expected one of none, clip, scale, tanh; got 'squash'",
        ),
    ],
)
def test_bad_arguments(crane, arguments, kind, text):
    settings = {"policy": (3, 2), "steps": 5} | arguments
    policy = pgcore.GaussianPolicy(*settings.pop("policy"))
    with pytest.raises(kind, match=text):
        pgcore.collect(crane, policy, **settings)


def test_what_such_a_task_cannot_do(crane):
    policy = make_policy(crane, 1)
    with pytest.raises(ValueError, match=r"monte_carlo_values: needs to restore .*gym:<Crane> can"):
        pgcore.monte_carlo_values(crane, policy, np.array([3]))
    endless = pgcore.make_task(Crane)
    with pytest.raises(ValueError, match="task: expected a time_limit"):
        pgcore.evaluate(endless, policy)
    with pytest.raises(ValueError, match="policy: expected obs_dim 3 of the task, got 5"):
        pgcore.evaluate(crane, pgcore.GaussianPolicy(5, 2), 10)
    native = pgcore.make_task("Hopper-v2")
    with pytest.raises(
        ValueError, match="actions: expected one of none, clip, scale, tanh; got 'squash'"
    ):
        pgcore.collect(native, make_policy(native, 1), 5, actions="squash")
    assert_same_batch(
        *(pgcore.collect(native, make_policy(native, 1), 5, actions=a) for a in (None, "none"))
    )


# Training


def test_what_a_task_is_does_not_depend_on_where_it_lies_in_memory():
    kept = [Duck(), Duck()]  # each at another address
    assert str(kept[0]) != str(kept[1])
    one, two = (pgcore.make_task(functools.partial(kept.__getitem__, i)) for i in range(2))
    assert one.model_hash() == two.model_hash()
