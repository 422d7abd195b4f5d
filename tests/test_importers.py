"""Agents of other libraries: what is read is what they run, and nothing of a file is executed."""

import dataclasses
import io
import json
import re
import shlex
import warnings
import zipfile

import numpy as np
import pytest
import torch

import pgcore
from conftest import ROOT
from importing import (
    HOPPER,
    PENDULUM,
    assert_says,
    read_sb3,
    refused,
    rewritten,
)
from pgcore.cli import main
from pgcore.importers.check import compute, draw_observations
from pgcore.importers.parts import Options
from pgcore.importers.table import import_agent, read_parts


@pytest.mark.parametrize("name", ["ppo", "a2c", "trpo", "relu", "linear"])
def test_an_agent_of_sb3_computes_what_sb3_does(sb3, name):
    _, model, vec = getattr(sb3, name)
    agent = read_sb3(sb3, name, check_with_library=True)
    obs = draw_observations(agent, seed=3)
    ours = compute(agent, obs)
    np.testing.assert_array_equal(ours.inputs, vec.normalize_obs(obs))
    x = torch.as_tensor(ours.inputs)
    with torch.no_grad():
        values, log_probs, _ = model.policy.evaluate_actions(x, torch.as_tensor(ours.actions))
        means = model.policy.get_distribution(x).distribution.mean
    assert_says(ours, means, log_probs, values.reshape(-1))
    raw = np.linspace(-50, 50, 200)
    np.testing.assert_allclose(agent.rewards(raw), vec.normalize_reward(raw), rtol=1e-6)  # float32
    check = agent.origin["check"]
    assert check["status"] == "verified" and check["inputs_equal"] == 1.0
    assert max(check[n] for n in ("means", "log_probs", "values")) < 1e-5
    assert agent.actions == "clip" and agent.origin["observations_seen"] == vec.obs_rms.count
    low_mean_high = check["returns"]["mean_action"]
    assert low_mean_high[1] <= low_mean_high[0] <= low_mean_high[2]


def test_settings_of_sb3_in_our_words(sb3):
    ppo, a2c, trpo = (read_sb3(sb3, name) for name in ("ppo", "a2c", "trpo"))
    values = dataclasses.asdict(ppo.settings)
    assert ppo.algorithm.name == "ppo" and ppo.iteration == 2
    assert values == {
        **values,
        "policy_lr": 3e-4,
        "adam_eps": 1e-5,
        "policy_epochs": 2,
        "minibatches": 4,
        "clip": 0.2,
        "max_grad_norm": 0.5,
        "normalize_advantages": "minibatch",
    }
    assert (ppo.judgement.gamma, ppo.judgement.lam) == (0.99, 0.95)
    assert a2c.algorithm.name == "a2c" and a2c.settings.normalize_advantages == "none"
    assert a2c.settings.policy_lr == 7e-4 and "RMSprop" in a2c.origin["notes"]["optimizer"]
    assert not a2c.optimizer and not trpo.optimizer
    assert trpo.algorithm.name == "trpo" and trpo.settings.cg_steps == 15
    assert trpo.settings.fisher_fraction == 0.5


def test_adam_of_sb3_goes_on(sb3):
    """Its state has the layout of the policy."""
    _, model, _ = sb3.ppo
    agent = read_sb3(sb3, "ppo")
    state = model.policy.optimizer.state
    for slot in ("exp_avg", "exp_avg_sq"):
        rows = agent.policy.split(torch.from_numpy(agent.optimizer[slot]))
        weight = state[model.policy.mlp_extractor.policy_net[2].weight][slot]
        torch.testing.assert_close(rows[2][0], weight.T, rtol=0, atol=0)
        torch.testing.assert_close(rows[5][0], state[model.policy.action_net.bias][slot])
        torch.testing.assert_close(rows[6][0], state[model.policy.log_std][slot])
    assert agent.optimizer["step"] == [float(state[model.policy.log_std]["step"])]


def test_an_imported_agent_is_written_read_and_studied(sb3, tmp_path):
    agent = read_sb3(sb3, "ppo")
    agent.save(tmp_path / "agent.safetensors")
    again = pgcore.load_agent(tmp_path / "agent.safetensors")
    assert again.digest() == agent.digest()
    assert again.origin["check"] == agent.origin["check"]
    assert (again.actions, again.settings) == (agent.actions, agent.settings)
    data = pgcore.studies.gradient_quality(
        {"sb3": tmp_path / "agent.safetensors"},
        tmp_path / "study",
        pairs=(100, 200),
        estimates=2,
        true_pairs=400,
        true_step_pairs=200,
        largest_step=200,
    )
    assert np.isfinite(data["dot_true"].values).all()
    assert np.isfinite(data["step_dot_true"].values).all()


def test_traps_of_the_zoo_are_told(sb3, tmp_path):
    best = tmp_path / "best_model.zip"
    best.write_bytes((sb3.folder / "ppo.zip").read_bytes())
    _, parts = read_parts(best, Options(sb3.folder / "ppo.pkl"))
    assert "best" in parts.notes["moment"]
    _, vec = sb3.ppo[1:]
    count, vec.obs_rms.count = vec.obs_rms.count, 2e6
    vec.save(str(tmp_path / "vecnormalize.pkl"))
    vec.obs_rms.count = count
    _, parts = read_parts(sb3.folder / "ppo.zip", Options(tmp_path / "vecnormalize.pkl"))
    assert "2000000 observations" in parts.notes["moment"]
    _, parts = read_parts(best, Options())
    assert "--normalizer" in parts.notes["normalizer"]


def test_what_cannot_be_an_agent_is_refused_by_name(sb3, tmp_path, capsys):
    out = ("--out", tmp_path / "x.safetensors")
    line = refused(capsys, sb3.folder / "sde.zip", "--task", PENDULUM, *out)
    assert "gSDE" in line
    line = refused(capsys, sb3.folder / "ppo.zip", "--task", "Walker2d-v4", *out)
    assert "11 observations, Walker2d-v4 has 17" in line
    data = json.loads(zipfile.ZipFile(sb3.folder / "ppo.zip").read("data"))
    data["policy_kwargs"] = {"squash_output": True}
    bad = rewritten(sb3.folder / "ppo.zip", tmp_path / "a.zip", data=json.dumps(data))
    assert "squash_output" in refused(capsys, bad, "--task", HOPPER, *out)
    data["policy_kwargs"] = {"activation_fn": "<class 'torch.nn.modules.activation.Hardtanh'>"}
    bad = rewritten(sb3.folder / "ppo.zip", tmp_path / "b.zip", data=json.dumps(data))
    assert "activation 'hardtanh'" in refused(capsys, bad, "--task", HOPPER, *out)
    state = {
        k.replace("action_net", "action_net.0"): v
        for k, v in sb3.ppo[1].policy.state_dict().items()
    }
    raw = io.BytesIO()
    torch.save(state, raw)
    bad = rewritten(sb3.folder / "ppo.zip", tmp_path / "t.zip", **{"policy.pth": raw.getvalue()})
    assert "mean behind tanh" in refused(capsys, bad, "--task", HOPPER, *out)
    for key, word in (("lstm_actor.weight_ih_l0", "recurrent"), ("features.cnn.0.weight", "CNN")):
        state = dict(sb3.ppo[1].policy.state_dict()) | {key: torch.zeros(2, 2)}
        raw = io.BytesIO()
        torch.save(state, raw)
        bad = rewritten(
            sb3.folder / "ppo.zip", tmp_path / f"{word}.zip", **{"policy.pth": raw.getvalue()}
        )
        assert word in refused(capsys, bad, "--task", HOPPER, *out)
    assert "no file" in refused(capsys, tmp_path / "none.zip", "--task", HOPPER, *out)
    assert "--exporter" in refused(capsys, sb3.folder / "ppo.zip")
    for name in ("Ant-v2", "Ant-v3", "HumanoidStandup-v2", "Pusher-v2"):
        assert name in refused(capsys, sb3.folder / "ppo.zip", "--task", name, *out)
    assert not (tmp_path / "x.safetensors").exists()


def test_files_of_before_are_read(sb3, tmp_path):
    """A trunk that policy and value share, and a clip range that is a function."""
    state = {
        k.replace("policy_net.0", "shared_net.0").replace("policy_net.2", "policy_net.0"): v
        for k, v in sb3.ppo[1].policy.state_dict().items()
        if "value_net.0" not in k
    }
    state = {k.replace("value_net.2", "value_net.0"): v for k, v in state.items()}
    raw = io.BytesIO()
    torch.save(state, raw)
    data = json.loads(zipfile.ZipFile(sb3.folder / "ppo.zip").read("data"))
    data["clip_range"] = {":type:": "<class 'function'>", ":serialized:": "AAAA"}
    data["learning_rate"] = {":type:": "<class 'function'>", ":serialized:": "AAAA"}
    files = {"policy.pth": raw.getvalue(), "data": json.dumps(data)}
    old = rewritten(sb3.folder / "ppo.zip", tmp_path / "old.zip", **files)
    agent = import_agent(old, HOPPER, trajectories=2)
    notes = agent.origin["notes"]
    assert {"shared_trunk", "clip", "learning_rate"} <= set(notes) and not agent.optimizer
    assert agent.settings.clip == 0.2 and agent.settings.policy_lr == 3e-4
    first = [net.split(net.flat)[0] for net in (agent.policy, agent.value)]
    assert torch.equal(*first)
    assert agent.origin["check"]["status"] == "unverified"


def save_seeds(folder):
    """Agents as seeds of a training are: alike but for what they have learned."""
    agent = pgcore.load_agent(folder / "agent.safetensors")
    for seed in range(3):
        noise = 1e-3 * np.random.default_rng(seed).standard_normal(agent.policy.flat.shape)
        policy = agent.policy.with_members(agent.policy.flat + torch.from_numpy(noise).float())
        origin = {**agent.origin, "seed": None}
        own = dataclasses.replace(agent, policy=policy, origin=origin)
        own.save(folder / f"seed{seed}.safetensors")


def test_the_tutorial_works(sb3, tmp_path, monkeypatch, capsys):
    """The commands of docs/sb3.md, on a real agent under the names that they use."""
    text = (ROOT / "docs" / "sb3.md").read_text()
    monkeypatch.chdir(tmp_path)
    for kind in ("zip", "pkl"):
        name = {"zip": "ppo_hopper.zip", "pkl": "vecnormalize.pkl"}[kind]
        (tmp_path / name).write_bytes((sb3.folder / f"ppo.{kind}").read_bytes())
    commands = re.findall(r"^    pgcore (.*)$", text, re.MULTILINE)
    assert len(commands) >= 3
    small = {"--pairs": "100", "--true-pairs": "400", "--true-step-pairs": "200"}
    for command in commands:
        words = shlex.split(command.split("#")[0])
        if any("seed0" in word for word in words):
            save_seeds(tmp_path)
        words = [small.get(words[i - 1], w) if i else w for i, w in enumerate(words)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            main(words)
    assert "verified by stable_baselines3" in capsys.readouterr().out
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for block in blocks:
        exec(compile(block, "sb3.md", "exec"), {})
