"""Agents of other libraries: what is read is what they run, and nothing of a file is executed."""

import base64
import contextlib
import dataclasses
import io
import json
import pickle
import re
import shlex
import warnings
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import foreign
import pgcore
from conftest import ROOT
from foreign import Hostile
from pgcore import _core
from pgcore.base.errors import CheckpointError
from pgcore.cli import main
from pgcore.importers.build import build_agent
from pgcore.importers.check import compute, draw_observations
from pgcore.importers.export_snippet import exporter
from pgcore.importers.parts import Options
from pgcore.importers.table import READERS, import_agent, read_parts
from pgcore.importers.task_ids import find_task

HOPPER = "Hopper-v4"
PENDULUM = "InvertedPendulum-v4"


@pytest.fixture(scope="module")
def sb3(tmp_path_factory):
    """Real agents by name: (task, model, its VecNormalize); .folder has NAME.zip and NAME.pkl."""
    from sb3_contrib import TRPO
    from stable_baselines3 import A2C, PPO

    folder = tmp_path_factory.mktemp("sb3")
    few = {"n_steps": 128, "batch_size": 32, "n_epochs": 2}
    relu = {"activation_fn": torch.nn.ReLU, "net_arch": [256, 256], "log_std_init": -2}
    kinds = {
        "ppo": (PPO, HOPPER, few),
        "a2c": (A2C, HOPPER, {}),
        "trpo": (TRPO, HOPPER, {"n_steps": 128, "sub_sampling_factor": 2}),
        "relu": (PPO, PENDULUM, {**few, "policy_kwargs": relu}),
        "linear": (PPO, PENDULUM, {**few, "policy_kwargs": {"net_arch": []}}),
        "sde": (PPO, PENDULUM, {**few, "use_sde": True}),
    }
    made = {}
    for name, (kind, task, options) in kinds.items():
        made[name] = (task, *foreign.sb3_agent(folder, name, kind, task, **options))
    return SimpleNamespace(folder=folder, **made)


def read_sb3(sb3, name, **options):
    task, _, _ = getattr(sb3, name)
    files = sb3.folder / f"{name}.zip", sb3.folder / f"{name}.pkl"
    return import_agent(files[0], task, normalizer=files[1], trajectories=2, **options)


def torch_says(policy, value, log_std, x, actions):
    """Means, log-probabilities and values of plain torch modules for inputs x."""
    x = torch.as_tensor(x, dtype=torch.float32)
    with torch.no_grad():
        mean = policy(x)
        normal = torch.distributions.Normal(mean, torch.as_tensor(log_std).exp().expand_as(mean))
        log_probs = normal.log_prob(torch.as_tensor(actions)).sum(-1)
        return mean, log_probs, None if value is None else value(x).reshape(-1)


def assert_says(ours, means, log_probs, values):
    for name, theirs in (("means", means), ("log_probs", log_probs), ("values", values)):
        if theirs is not None:
            np.testing.assert_allclose(
                getattr(ours, name), theirs.numpy(), rtol=1e-5, atol=1e-5, err_msg=name
            )


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


def rewritten(path, out, **members):
    """A copy of a zip with some members replaced."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, members.get(name, old.read(name)))
    return out


def refused(capsys, *arguments):
    """The one line of an error."""
    with pytest.raises(SystemExit) as stop:
        main(["import", *map(str, arguments)])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


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
    for name in ("Ant-v3", "Pusher-v2"):
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


# Libraries whose layouts are recorded: (maker, log_std, mean and scale of the inputs, clip).
LAYOUTS = {
    "cleanrl": (lambda p: foreign.cleanrl(p / "a.cleanrl_model", table=True), -0.5, 1.0, 2.0, 10),
    "spinning_up": (lambda p: foreign.spinning_up(p / "model.pt"), -0.5, 0.0, 1.0, None),
    "tianshou": (lambda p: foreign.tianshou(p / "policy.pth"), -0.5, 1.0, 2.0, 10),
    "rllib": (lambda p: foreign.rllib(p / "checkpoint"), -0.5, 1.0, 2.0 + 1e-6, 10),
    "skrl": (lambda p: foreign.skrl(p / "agent_9.pt"), -0.5, 1.0, 2.0, 5),
    "rl_games": (lambda p: foreign.rl_games(p / "a.pth"), -0.5, 1.0, 2.0, 5),
    "rl_games separate": (lambda p: foreign.rl_games(p / "a.pth", False), -0.5, 1.0, 2.0, 5),
    "rsl_rl": (lambda p: foreign.rsl_rl(p / "model_5.pt"), np.log(0.6), 1.0, 2.01, None),
    "rsl_rl before 5": (lambda p: foreign.rsl_rl(p / "m.pt", 3), np.log(0.6), 1.0, 2.01, None),
}


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
    assert ("activation" in agent.origin["notes"]) == (name not in ("cleanrl", "spinning_up"))


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


def test_options_that_nothing_uses_are_refused(sb3, tmp_path, capsys):
    path, _, _ = foreign.skrl(tmp_path / "agent_1.pt")
    out = ("--task", HOPPER, "--out", "x")
    assert "--normalizer" in refused(capsys, path, "--normalizer", sb3.folder / "ppo.pkl", *out)
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


def poisoned(value, marker):
    """A value with a hostile object beside what is read from it."""
    return {**value, "extra": Hostile(marker)} if isinstance(value, dict) else Hostile(marker)


def hostile_files(name, folder, marker, sb3):
    """Every file that a library's reader opens, each hostile in turn, as arguments."""
    if name == "sb3":
        for member in ("policy.pth", "policy.optimizer.pth"):
            raw = io.BytesIO()
            torch.save(Hostile(marker), raw)
            out = folder / f"{member}.zip"
            yield [rewritten(sb3.folder / "ppo.zip", out, **{member: raw.getvalue()})]
        for content in (Hostile(marker), {"obs_rms": Hostile(marker)}):
            path = folder / "vecnormalize.pkl"
            path.write_bytes(pickle.dumps(content))
            yield [sb3.folder / "ppo.zip", "--normalizer", path]
        return
    if name == "rllib":
        for part in ("learner_group", "env_runner"):
            root, _, _ = foreign.rllib(folder / part)
            (file,) = (root / part).rglob("*.pkl")
            file.write_bytes(pickle.dumps({"x": Hostile(marker)}))
            yield [root]
        return
    makers = {
        "cleanrl": foreign.cleanrl,
        "spinning_up": foreign.spinning_up,
        "tianshou": lambda p: foreign.tianshou(p, rms=False),
        "torchrl": foreign.torchrl,
        "skrl": foreign.skrl,
        "rl_games": foreign.rl_games,
        "rsl_rl": foreign.rsl_rl,
    }
    path = makers[name](folder / "good.pt")[0]
    if name != "spinning_up":
        content = torch.load(path, weights_only=True)
        yield [foreign.save(folder / "bad.pt", poisoned(content, marker))]
        legacy = folder / "legacy.pt"
        torch.save(poisoned(content, marker), legacy, _use_new_zipfile_serialization=False)
        yield [legacy]
    yield [foreign.save(folder / "worse.pt", Hostile(marker)), "--library", name]
    if name in ("cleanrl", "tianshou"):
        (folder / "rms.pkl").write_bytes(pickle.dumps(Hostile(marker)))
        yield [path, "--normalizer", folder / "rms.pkl"]


@pytest.mark.parametrize("name", READERS)
def test_nothing_in_a_file_is_executed(name, sb3, tmp_path, capsys):
    marker = tmp_path / "executed"
    out = ["--task", HOPPER, "--out", tmp_path / "x.safetensors"]
    count = 0
    for arguments in hostile_files(name, tmp_path, marker, sb3):
        line = refused(capsys, *arguments, *out)
        assert "nothing in it was executed" in line, line
        assert "system" in line, line
        assert not marker.exists()
        count += 1
    assert count >= 1
    pickle.loads(pickle.dumps(Hostile(marker)))  # it does bite where it is trusted
    assert marker.exists()


def test_damaged_files_give_one_line(sb3, tmp_path):
    """Cut, or with a few bytes changed: an error of ours, or an agent; nothing else."""
    files = {"a.zip": sb3.folder / "ppo.zip", "n.pkl": sb3.folder / "ppo.pkl"}
    for i, (name, (make, *_)) in enumerate(LAYOUTS.items()):
        (tmp_path / str(i)).mkdir()
        path = make(tmp_path / str(i))[0]
        files[name] = path if path.is_file() else next(path.rglob("module_state.pkl"))
    rng = np.random.default_rng(0)
    (tmp_path / "damaged").mkdir()
    for name, path in files.items():
        content = path.read_bytes()
        damaged = tmp_path / "damaged" / path.name
        for trial in range(12):
            raw = bytearray(content[: len(content) * (trial % 4 + 1) // 4])
            for at in rng.integers(0, len(raw), 8 * (trial // 4)):
                raw[at] = rng.integers(256)
            damaged.write_bytes(raw)
            with contextlib.suppress(CheckpointError):
                if name == "n.pkl":
                    read_parts(files["a.zip"], Options(damaged))
                else:
                    read_parts(damaged, Options())
    content = {"actor_state_dict": {"obs_normalizer.x": torch.ones(1)}, "critic_state_dict": None}
    with pytest.raises(CheckpointError):
        read_parts(foreign.save(tmp_path / "odd.pt", content), Options())


def test_what_is_never_opened_does_no_harm(sb3, tmp_path):
    """The serialised members of `data`, and pytorch_variables.pth."""
    marker = tmp_path / "executed"
    data = json.loads(zipfile.ZipFile(sb3.folder / "ppo.zip").read("data"))
    bite = base64.b64encode(pickle.dumps(Hostile(marker))).decode()
    for value in data.values():
        if isinstance(value, dict) and ":serialized:" in value:
            value[":serialized:"] = bite
    raw = io.BytesIO()
    torch.save(Hostile(marker), raw)
    members = {"data": json.dumps(data), "pytorch_variables.pth": raw.getvalue()}
    path = rewritten(sb3.folder / "ppo.zip", tmp_path / "bad.zip", **members)
    agent = import_agent(path, HOPPER, trajectories=2)
    assert agent.settings.clip == 0.2 and not marker.exists()


def test_arrays_of_objects_and_forged_arrays_are_refused(tmp_path, capsys):
    """NumPy would take flags of a dtype from a pickle, and so bytes for pointers."""

    class Forged:
        def __reduce__(self):
            kind = np.dtype("O")
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (
                1, (1,), kind, False, b"\x01" * 8
            )  # fmt: skip

    path, _, _ = foreign.cleanrl(tmp_path / "a.cleanrl_model")
    for content in (np.array([{}], dtype=object), Forged()):
        (tmp_path / "rms.pkl").write_bytes(pickle.dumps({"mean": content, "var": content}))
        line = refused(
            capsys, path, "--normalizer", tmp_path / "rms.pkl", "--task", HOPPER, "--out", "x"
        )
        assert "only plain numbers" in line
    np.savez(tmp_path / "rms.npz", mean=np.array([Hostile(tmp_path / "m")], dtype=object))
    refused(capsys, path, "--normalizer", tmp_path / "rms.npz", "--task", HOPPER, "--out", "x")
    assert not (tmp_path / "m").exists()


def run_exporter(library, folder, monkeypatch, capsys, **names):
    """What `pgcore import --exporter` prints, run as in the user's environment."""
    main(["import", "--exporter", library])
    text = capsys.readouterr().out
    monkeypatch.chdir(folder)
    exec(compile(text, "exporter", "exec"), dict(names))
    return folder / "agent.npz"


def test_the_exporter_of_sb3(sb3, tmp_path, monkeypatch, capsys):
    task, model, vec = sb3.ppo
    file = run_exporter("sb3", tmp_path, monkeypatch, capsys, model=model, vec=vec)
    whole = import_agent(file, task, trajectories=2)
    beside = read_sb3(sb3, "ppo", reference=file)
    for agent in (whole, beside):
        assert agent.origin["check"]["status"] == "verified"
        assert agent.origin["check"]["by"] == "sb3, by the exporter"
    np.testing.assert_array_equal(whole.policy.flat, beside.policy.flat)
    np.testing.assert_array_equal(whole.normalizer.m2, beside.normalizer.m2)
    assert whole.reward_std == pytest.approx(beside.reward_std, rel=1e-14)
    assert "algorithm" in whole.origin["notes"]
    wrong = ["--activation", "relu", "--reference", file, "--task", task, "--out", "x"]
    line = refused(capsys, sb3.folder / "ppo.zip", "--normalizer", sb3.folder / "ppo.pkl", *wrong)
    assert "differ from those of sb3" in line
    line = refused(
        capsys, sb3.folder / "ppo.zip", "--reference", file, "--task", task, "--out", "x"
    )
    assert "differ" in line, "without its statistics"


def test_the_exporter_of_cleanrl(tmp_path, monkeypatch, capsys):
    _, actor, critic = foreign.cleanrl(tmp_path / "a.cleanrl_model")
    agent = torch.nn.Module()
    agent.actor_mean, agent.critic = actor, critic
    agent.actor_logstd = torch.nn.Parameter(torch.full((1, 3), -0.5))
    rms = SimpleNamespace(mean=np.ones(11), var=np.full(11, 4.0))
    inner = SimpleNamespace(return_rms=SimpleNamespace(var=25.0))
    env = SimpleNamespace(env=SimpleNamespace(obs_rms=rms, env=inner))
    envs = SimpleNamespace(envs=[env])
    file = run_exporter("cleanrl", tmp_path, monkeypatch, capsys, agent=agent, envs=envs)
    made = import_agent(file, HOPPER, trajectories=2)
    assert made.origin["check"]["status"] == "verified"
    assert made.reward_std == pytest.approx([5.0]) and "reward_scale" not in made.origin["notes"]


def test_the_exporter_of_spinning_up(tmp_path, monkeypatch, capsys):
    _, actor, critic = foreign.spinning_up(tmp_path / "model.pt")
    ac = torch.nn.Module()
    ac.pi, ac.v = torch.nn.Module(), torch.nn.Module()
    ac.pi.mu_net, ac.v.v_net = actor, critic
    ac.pi.log_std = torch.nn.Parameter(torch.full((3,), -0.5))
    ac.v.forward = lambda x: critic(x).squeeze(-1)
    file = run_exporter("spinning_up", tmp_path, monkeypatch, capsys, ac=ac)
    made = import_agent(file, HOPPER, trajectories=2, activation="relu")
    assert made.origin["check"]["status"] == "verified"


def test_every_library_has_an_exporter():
    for name in READERS:
        compile(exporter(name, list(READERS)), name, "exec")
    with pytest.raises(ValueError, match="--exporter: expected one of sb3"):
        exporter("other", list(READERS))


def test_frozen_statistics(tmp_path):
    rng = np.random.default_rng(0)
    mean, scale = rng.standard_normal(11), 10 ** rng.uniform(-3, 3, 11)
    frozen = pgcore.Normalizer.frozen(mean, scale, 5.0)
    obs = mean + 3 * scale * rng.standard_normal((5000, 11))
    expected = np.clip((obs - mean) / scale, -5, 5).astype(np.float32)
    np.testing.assert_array_equal(frozen.inputs(obs), expected)
    assert frozen.count == [2.0]
    scale[4] = 1e-9
    with pytest.raises(ValueError, match=r"scale: .* >= 1e-8, got 1e-09 in dimension 4"):
        pgcore.Normalizer.frozen(mean, scale)
    with pytest.raises(ValueError, match=r"scale: expected \[1, 11\]"):
        pgcore.Normalizer.frozen(mean, scale[:3])


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
        words = [small.get(words[i - 1], w) if i else w for i, w in enumerate(words)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            main(words)
    assert "verified by stable_baselines3" in capsys.readouterr().out
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for block in blocks:
        exec(compile(block, "sb3.md", "exec"), {})
