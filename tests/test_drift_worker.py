"""`experiments/drift_worker.py`, in plain NumPy and Gymnasium, against pgcore."""

import sys

import numpy as np
import pytest
import torch

import pgcore
from conftest import HEADS, ROOT, make_policy
from pgcore import _core

sys.path.insert(0, str(ROOT / "experiments"))
import drift
import drift_worker

sys.path.remove(str(ROOT / "experiments"))

ACTIVATED = {f"free, {name} between": {"activation": name} for name in drift_worker.ACTIVATIONS}


def normalizer_of(task):
    rng = np.random.default_rng(5)
    made = pgcore.Normalizer.create(task.obs_dim)
    made.merge(rng.normal(1.0, 2.0, (50, task.obs_dim)))
    return made


def exported(tmp_path, agent):
    path = tmp_path / "agent.npz"
    drift_worker.export_agent(agent, path)
    return drift_worker.Policy(str(path))


@pytest.mark.parametrize("kind", (HEADS | ACTIVATED).values(), ids=(HEADS | ACTIVATED).keys())
def test_the_workers_policy_is_pgcores(tmp_path, kind):
    task = pgcore.make_task("Hopper-v4")
    policy = make_policy(task, 2, **kind)
    one = normalizer_of(task)
    both = pgcore.Normalizer(*(np.repeat(a, 2, 0) for a in (one.count, one.mean, one.m2)), clip=1.5)
    agent = pgcore.Agent(task, policy, normalizer=both).select(1)
    obs = np.random.default_rng(6).normal(0.5, 3.0, (100, task.obs_dim))
    mean, std = exported(tmp_path, agent).moments(obs)
    inputs = torch.from_numpy(both.inputs(obs))[None]
    with torch.no_grad():
        wanted = agent.policy.moments(inputs, agent.policy.tensors)
    # float32 sums of 16 terms in another order
    np.testing.assert_allclose(mean, wanted[0][0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.broadcast_to(std, mean.shape), wanted[1][0], rtol=1e-6)


def test_an_unknown_activation_is_refused(tmp_path):
    task = pgcore.make_task("Hopper-v4")
    agent = pgcore.Agent(task, make_policy(task, 1, activation="gelu"))
    with pytest.raises(ValueError, match=r"activation: the worker knows tanh.*'gelu'"):
        drift_worker.export_agent(agent, tmp_path / "agent.npz")


@pytest.mark.parametrize(
    ("trained", "version", "actions"),
    [
        ("Hopper-v2", "v2", "none"),
        ("Hopper-v2", "v4", "none"),
        ("Hopper-v2", "v5", "clip"),
        ("Walker2d-v4", "v5", "none"),
        ("HalfCheetah-v5", "v4", "none"),
        ("Humanoid-v2", "v2", "clip"),
        ("Humanoid-v4", "v4", "none"),
    ],
)
def test_transitions_are_those_of_the_native_task(tmp_path, trained, version, actions):
    """From the same start, with the actions that the worker took; v2 has the old contacts."""
    task = pgcore.make_task(trained)
    seen = normalizer_of(task)
    agent = pgcore.Agent(task, make_policy(task, 1, spread=0.1), normalizer=seen, actions=actions)
    policy = exported(tmp_path, agent)
    env = drift_worker.Environment(drift.rules_of(trained, version))
    kept = []
    for number in range(3):
        seed, noise = drift_worker.draws(7, 0, number, 1000, task.act_dim)
        env.reset(seed)
        start = {n: getattr(env.data, n).copy()[None] for n in ("qpos", "qvel")}
        steps = []
        total, length = drift_worker.trajectory(env, policy, seed, noise, steps)
        kept += steps
        before, acted, rewards, after = (np.array(x) for x in zip(*steps, strict=True))
        other = pgcore.make_task(trained[:-2] + version)
        native = _core.replay(task=other.native, **start, actions=acted[None, :100], num_threads=1)
        np.testing.assert_array_equal(native["first_obs"][0], before[0])
        np.testing.assert_array_equal(native["obs"][0], after[:100])
        np.testing.assert_allclose(native["rewards"][0], rewards[:100], rtol=1e-12, atol=1e-12)
        assert total == pytest.approx(rewards.sum(), rel=1e-12) and length == len(rewards)
        assert native["terminated"][0].any() == (length <= 100 and length < 1000)
    # the actions are pgcore's for these observations and this noise
    obs, acted = np.array([k[0] for k in kept[-length:]]), np.array([k[1] for k in kept[-length:]])
    inputs = torch.from_numpy(seen.inputs(obs))[None]
    with torch.no_grad():
        mean, std = (x[0] for x in agent.policy.moments(inputs, agent.policy.tensors))
    wanted = mean + std * noise[:length]
    if actions == "clip":
        wanted = np.clip(wanted, env.low, env.high)
        assert (np.abs(acted) == env.high).any()
    np.testing.assert_allclose(acted, wanted, rtol=1e-6, atol=2e-6)


def test_draws_are_keyed_by_their_numbers():
    seed, noise = drift_worker.draws(0, 0, 0, 20, 3)
    again = drift_worker.draws(0, 0, 0, 20, 3)
    assert seed == again[0] and np.array_equal(noise, again[1]) and noise.shape == (20, 3)
    for key in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        other = drift_worker.draws(*key, 20, 3)
        assert other[0] != seed and not np.equal(other[1], noise).any()
