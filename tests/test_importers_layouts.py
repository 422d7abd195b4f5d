"""Recorded layouts of other libraries' files: what is read computes what their modules do."""

import numpy as np
import pytest
import torch

import foreign
import pgcore
from importing import (
    HOPPER,
    LAYOUTS,
    PENDULUM,
    assert_says,
    refused,
    torch_says,
)
from pgcore import _core
from pgcore.importers.build import build_agent
from pgcore.importers.check import compute, draw_observations
from pgcore.importers.parts import Options
from pgcore.importers.table import import_agent, read_parts
from pgcore.importers.task_ids import find_task


@pytest.mark.parametrize("name", LAYOUTS)
def test_recorded_layouts_compute_what_their_modules_do(name, tmp_path):
    make, log_std, mean, scale, clip = LAYOUTS[name]
    path, policy, value = make(tmp_path)
    agent = import_agent(path, HOPPER, trajectories=2)
    assert agent.origin["library"].lower().replace("-", "_").startswith(name[:3])
    obs = draw_observations(agent, 200, seed=5)
    ours = compute(agent, obs)
    bound = np.inf if clip is None else clip
    x = np.clip((obs - mean) / scale, -bound, bound)
    means, log_probs, values = torch_says(policy, value, log_std, x, ours.actions)
    if name in ("skrl",) or name.startswith("rl_games"):  # value normalisers: mean 2, variance 9
        values = 2.0 + 3.0 * values
    if name == "rsl_rl":  # its critic has statistics of its own
        values = torch_says(policy, value, log_std, (obs - 3.0) / 0.51, ours.actions)[2]
    assert_says(ours, means, log_probs, values)
    assert ("shared_trunk" in agent.origin["notes"]) == (name == "rl_games")
    raw = ("spinning_up", "skrl", "rsl_rl", "rsl_rl before 5")
    map_ = "none" if name in raw else "clip" if name == "cleanrl" else "scale"
    assert agent.actions == map_
    assert ("activation" in agent.origin["notes"]) == (name != "spinning_up")


@pytest.mark.parametrize("maker", [foreign.tianshou, foreign.rl_games])
def test_actions_mapped_to_the_range_of_the_controls(maker, tmp_path):
    path, policy, _ = maker(tmp_path / "file.pth", obs=4, act=1)
    agent = import_agent(path, PENDULUM, trajectories=2)
    obs = draw_observations(agent, 50)
    means = torch_says(policy, None, -0.5, agent.normalizer.inputs(obs), np.zeros((55, 1)))[0]
    np.testing.assert_allclose(compute(agent, obs).means, means.numpy(), rtol=1e-5, atol=1e-6)
    assert agent.actions == "scale" and (agent.policy.log_std == -0.5).all()
    batch = agent.collect(20, seed=1)
    controls = 3.0 * np.clip(batch.actions[:, :1].astype(float), -1, 1)
    start = {"qpos": batch.obs[:, 0, :2].copy(), "qvel": batch.obs[:, 0, 2:].copy()}
    there = _core.replay(task=agent.task.native, **start, actions=controls, num_threads=1)
    np.testing.assert_array_equal(there["obs"][:, 0], batch.obs[:, 1])


def test_statistics_of_the_critic_of_old_rsl_rl(tmp_path):
    """Privileged ones of its own, folded into its first layer."""
    path, _, critic = foreign.rsl_rl(tmp_path / "m.pt", 3)
    content = torch.load(path, weights_only=True)
    own = {k: 3.0 * v for k, v in content["obs_norm_state_dict"].items()}
    path = foreign.save(path, {**content, "privileged_obs_norm_state_dict": own})
    agent = import_agent(path, HOPPER, trajectories=2)
    obs = draw_observations(agent, 50)
    x = torch.as_tensor((obs - 3.0) / 6.01, dtype=torch.float32)
    expected = critic(x).detach().reshape(-1)
    np.testing.assert_allclose(compute(agent, obs).values, expected, rtol=1e-5, atol=1e-5)


def test_options_that_nothing_uses_are_refused(tmp_path, capsys):
    path, _, _ = foreign.skrl(tmp_path / "agent_1.pt")
    out = ("--task", HOPPER, "--out", "x")
    assert "--normalizer" in refused(capsys, path, "--normalizer", tmp_path / "ppo.pkl", *out)
    assert "not for skrl" in refused(capsys, path, "--check-with-library", *out)
    assert "--library" in refused(capsys, path, "--library", "brax", *out)


def test_old_ids_of_tasks():
    task, note = find_task("Walker2d-v3")
    assert task.id == "Walker2d-v4" and "stands for Walker2d-v3" in note
    assert find_task("InvertedPendulum-v2")[0].id == "InvertedPendulum-v4"
    assert find_task("Hopper-v2") == (pgcore.make_task("Hopper-v2"), None)  # there is one


def test_torchrl_is_read_with_its_squash(tmp_path):
    """The sample is ahead of the tanh, and its law the Gaussian's."""
    path, actor, _ = foreign.torchrl(tmp_path / "render.pt")
    agent = import_agent(path, HOPPER, trajectories=2)
    assert agent.actions == "tanh" and "ahead of the tanh" in agent.origin["notes"]["actions"]
    x = np.random.default_rng(0).standard_normal((20, 11))
    ours = compute(agent, 1.0 + 2.0 * x)
    assert_says(ours, *torch_says(actor, None, -0.5, x, ours.actions))


@pytest.mark.parametrize("task", [HOPPER, "Humanoid-v4"])
def test_rllib_s_default_has_a_deviation_that_depends_on_the_state(tmp_path, task, monkeypatch):
    """Means and log-probabilities against the distribution written out."""
    there = pgcore.make_task(task)
    monkeypatch.setattr(foreign, "OBS", there.obs_dim)
    monkeypatch.setattr(foreign, "ACT", there.act_dim)
    path, actor, _ = foreign.rllib(tmp_path / "c", free=False, statistics=False)
    _, parts = read_parts(path, Options())
    agent = build_agent(parts, there, {})
    assert agent.policy.head.std == "state" and agent.actions == "scale"
    obs = np.random.default_rng(0).standard_normal((50, there.obs_dim))
    ours = compute(agent, obs)
    with torch.no_grad():
        out = actor(torch.from_numpy(obs).float()).double().numpy()
    mean, std = out[:, : there.act_dim], np.exp(out[:, there.act_dim :])
    np.testing.assert_allclose(ours.means, mean, atol=1e-5)
    z = (ours.actions - mean) / std
    expected = (-0.5 * z**2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(1)
    np.testing.assert_allclose(ours.log_probs, expected, rtol=1e-5, atol=1e-4)
    assert np.ptp(std, axis=0).min() > 1e-3, "it does depend on the state"


def test_deviations_by_other_maps_are_refused(tmp_path, capsys):
    paths = [
        foreign.rl_games(tmp_path / "a.pth", sigma="linear")[0],
        foreign.rsl_rl(tmp_path / "m.pt", hetero=True)[0],
        foreign.tianshou(tmp_path / "policy.pth", conditioned=True)[0],
    ]
    for path in paths:
        line = refused(capsys, path, "--task", HOPPER, "--out", tmp_path / "x")
        assert "depends on the state by this map" in line


def test_cleanrl_without_statistics_is_told_and_reestimated(tmp_path, capsys):
    path, _, _ = foreign.cleanrl(tmp_path / "ppo.cleanrl_model")
    agent = import_agent(path, HOPPER, trajectories=2)
    assert agent.normalizer is None and "--reestimate" in agent.origin["notes"]["normalizer"]
    assert agent.judgement.time_limit == "terminate"
    agent = import_agent(path, HOPPER, trajectories=2, reestimate_pairs=500)
    assert agent.normalizer.count >= 500 and agent.reward_std > 0
    assert "500 pairs" in agent.origin["reestimated"]["observations"]
    statistics = tmp_path / "rms.npz"
    np.savez(statistics, mean=np.ones(11), var=np.full(11, 4.0), count=100)
    agent = import_agent(path, HOPPER, trajectories=2, normalizer=statistics)
    np.testing.assert_array_equal(agent.normalizer.mean[0], np.ones(11))
    table, _, _ = foreign.cleanrl(tmp_path / "new.cleanrl_model", table=True)
    agent = import_agent(table, HOPPER, trajectories=2)
    assert (agent.settings.clip, agent.settings.minibatches) == (0.3, 4)
    line = refused(capsys, table, "--task", HOPPER, "--out", "x", "--reestimate", "500")
    assert "has its statistics" in line
