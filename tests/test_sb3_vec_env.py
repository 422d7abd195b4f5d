"""Native tasks in Stable-Baselines3's own vector environments."""

import sys

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

import pgcore
from conftest import ball_spec


def test_ppo_trains_on_it(tmp_path):
    env = VecNormalize(pgcore.sb3_vec_env("Hopper-v4", 4))
    agent = PPO("MlpPolicy", env, n_steps=64, n_epochs=2, seed=3)
    agent.learn(512)
    assert agent.num_timesteps == 512 and len(agent.ep_info_buffer) > 3
    mean, _ = evaluate_policy(agent, env, n_eval_episodes=4)
    assert mean > 0
    agent.save(tmp_path / "agent.zip")
    again = PPO("MlpPolicy", VecNormalize(pgcore.sb3_vec_env("Hopper-v4", 4)), n_steps=64,
                n_epochs=2, seed=3)  # fmt: skip
    again.learn(512)
    for mine, other in zip(agent.policy.parameters(), again.policy.parameters(), strict=True):
        assert np.array_equal(mine.detach(), other.detach()), "equal seeds, equal bits"


def test_steps_are_those_of_the_vector_environment(tmp_path):
    task = pgcore.make_task(ball_spec(tmp_path, time_limit=3))
    env = pgcore.sb3_vec_env(task, 2, seed=5, monitor=False)
    plain = pgcore.vector_env(task, 2, autoreset_mode="SameStep")
    np.testing.assert_array_equal(env.reset(), plain.reset(seed=5)[0])
    for t in range(1, 8):
        actions = np.array([[0.5], [np.nan if t == 5 else -0.5]])
        obs, rewards, ended, infos = env.step(actions)
        expected, paid, terminated, truncated, info = plain.step(actions)
        np.testing.assert_array_equal(obs, expected)
        np.testing.assert_array_equal(rewards, paid.astype(np.float32))
        np.testing.assert_array_equal(ended, terminated | truncated)
        for i in range(2):
            if not ended[i]:
                assert infos[i] == {}
                continue
            np.testing.assert_array_equal(infos[i]["terminal_observation"], info["final_obs"][i])
            assert infos[i]["TimeLimit.truncated"] == (not terminated[i])
            assert ("diverged" in infos[i]) == bool(terminated[i])
    np.testing.assert_array_equal(env.states(), plain.states())
    assert env.env_is_wrapped(object) == [False, False]
    assert env.get_attr("task", [1]) == [task]
    with pytest.raises(AttributeError, match="no method 'render'"):
        env.env_method("render")
    with pytest.raises(ValueError, match="step_async"):
        env.step_wait()


def test_without_stable_baselines3_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "pgcore.rollout.sb3_vector")
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.vec_env", None)
    monkeypatch.delitem(vars(pgcore), "sb3_vec_env", raising=False)
    with pytest.raises(ImportError, match=r"pip install stable-baselines3"):
        pgcore.sb3_vec_env("Hopper-v4", 4)
