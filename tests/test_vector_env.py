"""Native vector environments: Gymnasium's own checks, parity with it, and with `collect`."""

import dataclasses
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import (
    check_reset_options,
    check_reset_seed_determinism,
    check_returned_data_not_reused,
    data_equivalence,
)
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import vector as wrappers

import pgcore
from conftest import ball_spec, make_policy
from pgcore.rollout.reference_resets import reset_state
from pgcore.rollout.twin import make_env

MODES = list(AutoresetMode)


def actions_of(env, steps, seed=0):
    """Actions beyond the control range at times; numbers of float32, as a policy makes them.

    As float64, since Gymnasium sums its costs in the dtype of the actions.
    """
    rng = np.random.default_rng(seed)
    shape = (steps, *env.action_space.shape)
    return rng.normal(0, 0.7, shape).astype(np.float32).astype(np.float64)


class NativeStart(gymnasium.Wrapper):
    """Gymnasium's environment, from the states that a native one begins with."""

    def __init__(self, task, seed, stream):
        super().__init__(make_env(task))
        self.task, self.address, self.trajectory = task, (seed, stream), -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.trajectory += 1
        inner = self.env.unwrapped
        start = inner.init_qpos, inner.init_qvel
        spec = self.task.spec
        inner.set_state(*reset_state(spec.reset, *start, *self.address, self.trajectory))
        return inner._get_obs(), {}


def shared(info):
    """Of an info, what both have: `diverged` is ours, positions and speeds are Gymnasium's."""
    return {k: v for k, v in info.items() if k in ("final_obs", "_final_obs", "_final_info")}


@pytest.mark.parametrize("mode", MODES, ids=lambda m: m.value)
@pytest.mark.parametrize("task_id", ["Hopper-v4", "Walker2d-v5", "HalfCheetah-v4"])
def test_every_step_equals_gymnasiums_own_vector_environment(task_id, mode):
    """Its test of equal implementations (tests/vector/test_vector_env.py), from equal states."""
    N, seed = 3, 11
    task = pgcore.make_task(task_id)
    ours = pgcore.vector_env(task, N, autoreset_mode=mode, num_threads=2)
    theirs = SyncVectorEnv(
        [lambda i=i: NativeStart(task, seed, i) for i in range(N)], autoreset_mode=mode
    )
    for name in ("num_envs", "observation_space", "action_space", "single_action_space"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is mode
    (obs, info), (expected, _) = ours.reset(seed=seed), theirs.reset(seed=seed)
    np.testing.assert_array_equal(obs, expected)
    assert info == {}
    ends = 0
    for action in actions_of(ours, 150):
        mine, other = ours.step(action), theirs.step(action)
        for i in (0, 2, 3):
            np.testing.assert_array_equal(mine[i], other[i])
            assert mine[i].dtype == other[i].dtype
        np.testing.assert_allclose(mine[1], other[1], rtol=1e-12, atol=1e-12)  # order of sums
        assert data_equivalence(shared(mine[4]), shared(other[4]), exact=True)
        assert mine[0] in ours.observation_space
        ended = mine[2] | mine[3]
        ends += int(ended.sum())
        if mode is AutoresetMode.DISABLED and ended.any():
            with pytest.raises(ValueError, match="have ended; reset them"):
                ours.step(action)
            again, _ = ours.reset(options={"reset_mask": ended})
            expected, _ = theirs.reset(options={"reset_mask": ended})
            np.testing.assert_array_equal(again, expected)
    assert ends > 3 or not task.spec.termination
    ours.close()
    theirs.close()


@pytest.mark.parametrize("mode", MODES, ids=lambda m: m.value)
def test_gymnasiums_checks_of_environments(mode):
    env = pgcore.vector_env("Hopper-v4", 1, autoreset_mode=mode)
    assert isinstance(env, VectorEnv)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_reset_seed_determinism(env)
        check_reset_options(env)
        check_returned_data_not_reused(env)
    env.close()
    env.close()
    for call in (env.reset, env.states):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_it_goes_where_the_streams_of_collect_go():
    """Equal actions give equal bits, through resets and time limits, on 1 or 3 threads."""
    spec = dataclasses.replace(pgcore.make_task("Hopper-v4").spec, time_limit=14)
    task = pgcore.make_task(spec)
    batch = pgcore.collect(task, make_policy(task, 1, (8,)), 120, 5, seed=7, keep_states=True)
    assert batch.terminated.any() and batch.truncated.any()
    for threads in (1, 3):
        env = pgcore.vector_env(task, 5, autoreset_mode="SameStep", num_threads=threads)
        obs, _ = env.reset(seed=7)
        for t in range(120):
            np.testing.assert_array_equal(obs, batch.obs[:, t])
            np.testing.assert_array_equal(env.states(), batch.states[:, t])
            obs, rewards, terminated, truncated, info = env.step(batch.actions[:, t])
            np.testing.assert_array_equal(rewards, batch.rewards[:, t])
            np.testing.assert_array_equal(terminated, batch.terminated[:, t])
            np.testing.assert_array_equal(truncated, batch.truncated[:, t])
            ended = terminated | truncated
            assert ("final_obs" in info) == ended.any()
            for i in np.flatnonzero(ended):
                assert info["final_obs"][i].shape == (11,) and info["_final_info"][i]
                assert not np.array_equal(info["final_obs"][i], obs[i])


def test_seeds():
    env, other = (pgcore.vector_env("Hopper-v4", 3) for _ in range(2))
    first, _ = env.reset(seed=5)
    second, _ = env.reset()
    np.testing.assert_array_equal(other.reset(seed=5)[0], first)
    assert not np.array_equal(first, second) and len(np.unique(first, axis=0)) == 3
    np.testing.assert_array_equal(other.reset()[0], second)
    assert not np.array_equal(other.reset(seed=6)[0], first)
    listed, _ = env.reset(seed=[5, 8, 5])
    np.testing.assert_array_equal(listed[0], first[0])
    np.testing.assert_array_equal(listed[2], listed[0])
    drawn = [pgcore.vector_env("Hopper-v4", 1) for _ in range(2)]
    assert not np.array_equal(drawn[0].reset()[0], drawn[1].reset()[0])
    seed = drawn[0].np_random_seed
    again, _ = drawn[1].reset(seed=seed)
    drawn[0].reset(seed=seed)
    np.testing.assert_array_equal(drawn[1].reset()[0], drawn[0].reset()[0])
    assert again.dtype == np.float64


def test_simulations_that_blow_up_end_as_terminated(tmp_path):
    task = pgcore.make_task(ball_spec(tmp_path, time_limit=5))
    for mode in ("NextStep", "SameStep"):
        env = pgcore.vector_env(task, 2, autoreset_mode=mode)
        start, _ = env.reset(seed=0)
        actions = np.array([[np.nan], [0.1]])
        obs, rewards, terminated, truncated, info = env.step(actions)
        assert terminated.tolist() == info["diverged"].tolist() == [True, False]
        assert rewards[0] == 0.0 and not truncated.any() and np.isfinite(obs).all()
        if mode == "SameStep":
            assert info["final_info"]["diverged"].tolist() == [True, False]
            assert not info["final_obs"][0].any()
            np.testing.assert_array_equal(obs[0], start[0])
        else:
            obs, rewards, terminated, _, info = env.step(actions)  # begins anew, no action
            assert not terminated[0] and not info["diverged"][0] and rewards[0] == 0.0


def test_errors_of_the_engine_stay_in_their_environment(tmp_path):
    task = pgcore.make_task(ball_spec(tmp_path, memory="1500", drop=0.85, time_limit=200))
    env = pgcore.vector_env(task, 8, num_threads=2)
    env.reset(seed=0)
    zero = np.zeros((8, 1))

    def fall():
        for _ in range(60):
            env.step(zero)

    with pytest.raises(pgcore.SimulationError, match="memory") as caught:
        fall()
    failed = caught.value.streams
    assert 0 < len(failed) < 8
    _, rewards, *_ = caught.value.result
    assert np.isnan(rewards[failed]).all() and np.isfinite(np.delete(rewards, failed)).all()


def test_wrappers_that_cleanrl_trains_through():
    env = pgcore.vector_env("Hopper-v4", 4, observation_dtype="float32")
    env = wrappers.RecordEpisodeStatistics(env)
    env = wrappers.ClipAction(env)
    env = wrappers.NormalizeObservation(env)
    env = wrappers.NormalizeReward(env, gamma=0.99)
    env.reset(seed=1)
    lengths = []
    for action in actions_of(env, 80):
        obs, rewards, *_, info = env.step(action)
        assert obs.shape == (4, 11) and np.isfinite(rewards).all()
        if "episode" in info:
            lengths += info["episode"]["l"][info["_episode"]].tolist()
    assert lengths and all(2 < n <= 80 for n in lengths)


def test_clipped_actions_are_what_costs_see():
    free, bound = (pgcore.vector_env("HalfCheetah-v4", 1, actions=a) for a in ("none", "clip"))
    for env in (free, bound):
        env.reset(seed=0)
    far, near = np.full((1, 6), 3.0), np.ones((1, 6))
    *_, rewards = free.step(far)[:2]
    *_, clipped = bound.step(far)[:2]
    free.reset(seed=0)
    *_, plain = free.step(near)[:2]
    assert clipped == plain and rewards == pytest.approx(plain - 0.1 * 6 * 8)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"task": "Hoper-v4"}, ValueError, "unknown id"),
        ({"task": "gym:Pendulum-v1"}, ValueError, "runs in Python; use gymnasium.make_vec"),
        ({"task": 3}, TypeError, "task: expected an id"),
        ({"num_envs": 0}, ValueError, "num_envs: expected an integer >= 1, got 0"),
        ({"num_envs": 10**12}, ValueError, "num_envs: expected what fits"),
        ({"autoreset_mode": "Never"}, ValueError, "autoreset_mode: expected one of NextStep"),
        ({"actions": "wrap"}, ValueError, "actions: expected one of none, clip, scale, tanh"),
        ({"observation_dtype": "int8"}, ValueError, "observation_dtype: expected one of"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_bad_arguments(change, error, text):
    arguments = {"task": "Hopper-v4", "num_envs": 2} | change
    with pytest.raises(error, match=text):
        pgcore.vector_env(arguments.pop("task"), arguments.pop("num_envs"), **arguments)


def test_bad_calls():
    env = pgcore.vector_env("Hopper-v4", 2)
    with pytest.raises(ValueError, match=r"expected a reset\(\) ahead"):
        env.step(np.zeros((2, 3)))
    for seed, error in (
        (-1, ValueError),
        (0.5, TypeError),
        ([1], ValueError),
        ([1, None], ValueError),
    ):
        with pytest.raises(error, match="seed: expected"):
            env.reset(seed=seed)
    env.reset(seed=0)
    for actions in (np.zeros((3, 2)), np.zeros((2, 3), dtype=bool), [["a"] * 3] * 2):
        with pytest.raises(ValueError, match=r"actions: expected numbers \[N, A\] = \[2, 3\]"):
            env.step(actions)
    for mask in ([True, False], np.zeros(2, dtype=bool), np.ones(3, dtype=bool)):
        with pytest.raises((TypeError, ValueError), match="options: reset_mask"):
            env.reset(options={"reset_mask": mask})
    with pytest.raises(ValueError, match="options: expected 'reset_mask' alone, got 'x'"):
        env.reset(options={"x": 1})
