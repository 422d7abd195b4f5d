"""Parity with the installed Gymnasium, from injected states and the same actions."""

import dataclasses
import warnings

import gymnasium
import numpy as np
import pytest

import pgcore
from conftest import TASKS, make_policy
from parity import assert_equal_pieces, replay_env
from pgcore.rollout.twin import make_env

STEPS = 1000
GYMNASIUM_IDS = [t for t in TASKS if t.endswith(("-v4", "-v5"))]


@pytest.mark.parametrize("task_id", GYMNASIUM_IDS)
def test_a_thousand_steps_equal_gymnasium(task_id):
    task = pgcore.make_task(task_id)
    env = make_env(task)
    rng = np.random.default_rng(3)
    # float32 values as a policy makes them, beyond the control range at times
    actions = rng.normal(0, 0.7, (STEPS, task.act_dim)).astype(np.float32).astype(np.float64)
    pieces = replay_env(env, STEPS, actions, seed=11)
    ends = sum(p["terminated"].any() for p in pieces)
    assert ends > 3 or not task.spec.termination, "terminations occur"
    assert_equal_pieces(task, pieces, actions)


@pytest.mark.parametrize("task_id", ["Hopper-v5", "HalfCheetah-v4", "Walker2d-v4", "Humanoid-v5"])
def test_time_limits_equal_gymnasium(task_id):
    """A limit of 20 steps, so that truncations occur on tasks that fall over early, too."""
    spec = pgcore.make_task(task_id).spec
    short = pgcore.TaskSpec(**{**spec.__dict__, "time_limit": 20})
    task = pgcore.make_task(short)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env = gymnasium.make(task_id, max_episode_steps=20, disable_env_checker=True)
    rng = np.random.default_rng(4)
    actions = rng.normal(0, 0.3, (200, task.act_dim))
    pieces = replay_env(env, 200, actions, seed=5)
    assert sum(p["truncated"].any() for p in pieces) >= 2
    assert_equal_pieces(task, pieces, actions)


def test_humanoid_v2_has_the_impact_cost():
    task = pgcore.make_task("Humanoid-v2")
    v4 = pgcore.make_task("Humanoid-v4").spec
    base = pgcore.make_task(dataclasses.replace(v4, contact_margins="max"))
    policy = make_policy(task, 1, (8,), spread=0.1)
    with_cost = pgcore.collect(task, policy, 300, seed=1)
    without = pgcore.collect(base, policy, 300, seed=1)
    np.testing.assert_array_equal(with_cost.obs, without.obs)
    forces = with_cost.obs[0, 1:, -84:]  # cfrc_ext of 14 bodies, seen after each step
    cost = np.minimum(0.5e-6 * np.square(forces).sum(axis=-1), 10.0)
    paid = (without.rewards - with_cost.rewards)[0, :-1]
    inside = ~(with_cost.terminated | with_cost.truncated)[0, :-1]
    np.testing.assert_allclose(paid[inside], cost[inside], atol=1e-12)
    assert cost[inside].max() > 1e-3

    # and with zeros for contact forces neither them nor the cost
    zero = pgcore.make_task("Humanoid-v2-zero-forces")
    assert zero.obs_dim == 376
    policy.tensors[0].data[:, -84:] = 0.0  # blind to them
    blind, seeing = (pgcore.collect(t, policy, 300, seed=1) for t in (zero, base))
    assert not blind.obs[..., -84:].any()
    np.testing.assert_array_equal(blind.obs[..., :-84], seeing.obs[..., :-84])
    np.testing.assert_array_equal(blind.rewards, seeing.rewards)


@pytest.mark.parametrize(
    "task_id",
    ["Hopper-v2", "Walker2d-v5", "HalfCheetah-v4", "Humanoid-v2", "Humanoid-v2-zero-forces"],
)
def test_python_twin_follows_the_native_path(task_id):
    task = pgcore.make_task(task_id)
    policy = make_policy(task, 2, (16,), spread=0.05)
    native = pgcore.collect(task, policy, 25, streams=1, seed=3)
    twin = pgcore.collect(task, policy, 25, streams=1, seed=3, backend="python")
    # rounding of the two float32 networks grows with every step of contact dynamics
    scale = 1 + np.abs(native.obs[:, :12]).max()
    np.testing.assert_allclose(twin.obs[:, :12], native.obs[:, :12], atol=1e-4 * scale)
    np.testing.assert_allclose(twin.rewards[:, :12], native.rewards[:, :12], atol=1e-3)
    np.testing.assert_allclose(twin.log_probs[:, :12], native.log_probs[:, :12], atol=1e-4)
    assert [f for f in twin.arrays()] == [f for f in native.arrays()]


def test_python_twin_takes_any_environment():
    task = "Pendulum-v1"
    policy = pgcore.GaussianPolicy(3, 1, (8,))
    by_name = pgcore.collect(task, policy, 250, streams=2, seed=1, backend="python")
    called = pgcore.collect(
        lambda: gymnasium.make(task), policy, 250, streams=2, seed=1, backend="python"
    )
    assert np.array_equal(by_name.obs, called.obs)
    assert by_name.truncated.sum() == 2 and by_name.bootstrap_index.tolist() == [
        [0, 199],
        [0, 249],
        [1, 199],
        [1, 249],
    ]
    with pytest.raises(ValueError, match="Box action_space"):
        pgcore.collect("CartPole-v1", pgcore.GaussianPolicy(4, 1), 5, backend="python")


def test_a_changed_definition_is_not_run_by_the_one_it_came_from():
    """The time limit is followed; what Gymnasium's environment would not do is refused."""
    spec = pgcore.make_task("HalfCheetah-v4").spec
    short = pgcore.make_task(dataclasses.replace(spec, id="short", time_limit=10))
    policy = make_policy(short, 1)
    native, twin = (pgcore.collect(short, policy, 25, backend=b) for b in ("native", "python"))
    np.testing.assert_array_equal(native.truncated, twin.truncated)
    assert twin.truncated.sum() == 2
    changes = {
        "frame_skip": 1,
        "reward": spec.reward[:1],
        "observation": spec.observation[:1],
        "termination": (pgcore.Term.of("qpos_range", index=0, low=-100.0),),
    }
    for name, value in changes.items():
        task = pgcore.make_task(dataclasses.replace(spec, id="mine", **{name: value}))
        with pytest.raises(ValueError, match=f"mine differs from HalfCheetah-v4.* in {name};"):
            pgcore.collect(task, make_policy(task, 1), 5, backend="python")
