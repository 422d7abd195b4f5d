"""An agent, whatever it came from: by hand, from a run, from a file; with a task of one's own."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import pgcore
from conftest import BALL_XML, assert_same_batch, make_policy, small_config
from pgcore.learning import objectives
from pgcore.learning.a2c import A2cSettings
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import Algorithm
from pgcore.learning.ppo import PpoSettings
from pgcore.learning.trpo import TrpoSettings
from pgcore.policies.mlp import ACTIVATIONS
from pgcore.policies.normalize import Normalizer
from pgcore.studies.engine.sources import Agents
from pgcore.training import Run, TrainConfig
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.command_line import train
from pgcore.training.start import LATEST

SMALL = {"pairs": (64,), "estimates": 3, "true_pairs": 256, "true_step_pairs": 128}
ARM = """
xml = "ball.xml"
frame_skip = 1
time_limit = 40
observation = [{ term = "qpos" }, { term = "qvel", clip = 10.0 }]
reset = [{ term = "uniform", target = "qpos", scale = 0.1 }]
reward = [{ term = "coordinate_velocity" }, { term = "control_cost", weight = 0.1 }]
"""


def modules(obs=11, act=3):
    torch.manual_seed(0)
    actor = nn.Sequential(nn.Linear(obs, 8), nn.ReLU(), nn.Linear(8, act))
    critic = nn.Sequential(nn.Linear(obs, 8), nn.Tanh(), nn.Linear(8, 1))
    return actor, critic


def by_hand():
    actor, critic = modules()
    policy = pgcore.policy_from_module(actor, log_std=torch.full((3,), -0.5))
    statistics = Normalizer(np.array([2.0]), np.ones((1, 11)), np.full((1, 11), 4.0), 5.0)
    value = pgcore.value_from_module(critic)
    return pgcore.Agent(
        "Hopper-v4", policy, value, statistics, actions="clip", reward_std=np.array([2.0]),
        reward_clip=10.0, algorithm="trpo", iteration=7,
    )  # fmt: skip


def test_modules_and_networks_agree():
    actor, critic = modules()
    agent, x = by_hand(), torch.randn(20, 11)
    with torch.no_grad():
        np.testing.assert_allclose(agent.policy.mean(x[None])[0], actor(x), atol=1e-6)
        np.testing.assert_allclose(agent.value(x[None])[0], critic(x)[:, 0], atol=1e-6)
    for activation in ACTIVATIONS.values():
        if not isinstance(activation.module, nn.Identity):
            module = nn.Sequential(nn.Linear(11, 8), activation.module, nn.Linear(8, 1))
            with torch.no_grad():
                value = pgcore.value_from_module(module)(x[None])[0]
                np.testing.assert_allclose(value, module(x)[:, 0], atol=1e-6)
    for bad in (nn.Sequential(nn.Linear(3, 2), nn.ELU(alpha=2), nn.Linear(2, 1)), nn.Tanh(),
                nn.Sequential(nn.Linear(3, 2), nn.Mish(), nn.Linear(2, 1)),
                nn.Sequential(nn.Linear(3, 2), nn.Tanh())):  # fmt: skip
        with pytest.raises(ValueError, match="module: expected linear layers"):
            pgcore.value_from_module(bad)


def test_a_file_holds_the_whole_agent(tmp_path):
    agent = by_hand()
    agent.save(tmp_path / "mine.safetensors")
    loaded = pgcore.load_agent(tmp_path / "mine.safetensors")
    assert loaded.digest() == agent.digest()
    assert loaded.task is agent.task and loaded.settings == agent.settings
    for name in ("actions", "reward_clip", "judgement", "iteration", "rate"):
        assert getattr(loaded, name) == getattr(agent, name), name
    assert_same_batch(agent.collect(50, seed=1), loaded.collect(50, seed=1))
    spoiled = (tmp_path / "mine.safetensors").read_bytes()
    (tmp_path / "bad.safetensors").write_bytes(spoiled[:-3] + b"abc")
    with pytest.raises(pgcore.CheckpointError, match="corrupt"):
        pgcore.load_agent(tmp_path / "bad.safetensors")
    with pytest.raises(ValueError, match=r"value.obs_dim: expected 11, got 4"):
        pgcore.Agent("Hopper-v4", agent.policy, pgcore.ValueNet(4))
    with pytest.raises(TypeError, match="policy: expected a GaussianPolicy, got int"):
        pgcore.Agent("Hopper-v4", 3)


def test_clipped_actions_are_what_costs_see(tmp_path):
    """The recorded action stays the sample; native and twin agree."""
    task = pgcore.make_task("HalfCheetah-v4")
    policy = make_policy(task, 1, (8,), spread=0.5)
    raw, clipped = (pgcore.collect(task, policy, 30, seed=2, actions=a) for a in ("none", "clip"))
    np.testing.assert_array_equal(raw.actions[:, 0], clipped.actions[:, 0])
    np.testing.assert_array_equal(raw.obs, clipped.obs)  # MuJoCo clamps either
    seen = np.clip(clipped.actions.astype(float), -1, 1)
    paid = 0.1 * (np.square(clipped.actions.astype(float)) - np.square(seen)).sum(-1)
    assert paid.max() > 0.1
    np.testing.assert_allclose(clipped.rewards - raw.rewards, paid, atol=1e-9)
    twin = pgcore.collect(task, policy, 5, seed=2, actions="clip", backend="python")
    np.testing.assert_allclose(twin.rewards, clipped.rewards[:, :5], atol=1e-3)


def test_an_agent_by_hand_is_studied_beside_a_run(runs, tmp_path):
    task = pgcore.make_task("Hopper-v2")
    mine = pgcore.Agent(task, make_policy(task, 1, (5,)), pgcore.ValueNet(11, (4,)))
    data = pgcore.studies.gradient_quality(
        {"ppo": runs[0], "mine": mine}, tmp_path / "g", iterations=(2,), trials=1, **SMALL
    )
    assert list(data["agent"].values) == ["ppo", "mine"]
    assert list(data["iteration"].values) == [0, 2]
    known = data["gram"].notnull().all(("estimate", "other", "n", "trial"))
    np.testing.assert_array_equal(known.values, [[False, True], [True, False]])
    assert np.isnan(data["step_square"].sel(agent="mine")).all()
    with pytest.raises(ValueError, match="this agent has none; give"):
        pgcore.studies.landscape({"mine": mine}, tmp_path / "l", sources=(128,), pairs=(64,))
    with pytest.raises(ValueError, match="two are called 'ppo'; give labels"):
        Agents.of([runs[0], runs[0]], (2,))


def test_a_task_file_is_trained_and_studied(tmp_path, monkeypatch, capsys):
    """A model of one's own: the same bits on 1 and 2 threads, and a changed model is refused."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "ball.xml").write_text(BALL_XML.format(memory="1M", gear="1"))
    (folder / "arm.toml").write_text(ARM)
    out = tmp_path / "run"
    options = "--trials 2 --iterations 2 --pairs 128 --minibatches 4 --keep 0 1 --hidden 8"
    train(["--task", str(folder / "arm.toml"), "--out", str(out), *options.split()])
    assert "2 iterations" in capsys.readouterr().out
    monkeypatch.chdir("/")
    one, two = (
        pgcore.studies.gradient_quality(out, tmp_path / str(n), num_threads=n, **SMALL)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one["gram"], two["gram"])
    values = {"held_out_pairs": 200, "returns": "cut", "variance_iterations": ()}
    pgcore.studies.value_prediction(out, tmp_path / "v", **values)
    few = {"sources": (128,), "pairs": (80,), "points": (2, 2), "scout_pairs": 100}
    maps = pgcore.studies.landscape(out, tmp_path / "l", iterations=(1,), **few)
    assert np.isfinite(maps["reward"]).all()
    (folder / "ball.xml").write_text(BALL_XML.format(memory="1M", gear="2"))
    with pytest.raises(pgcore.CheckpointError, match="was trained on another model"):
        load_checkpoint(out / "checkpoints" / "000001.safetensors").task()


def test_a_model_found_twice_needs_its_path(tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ball.xml").write_text(BALL_XML.format(memory="1M", gear="1"))
    (tmp_path / "here" / "arm.toml").write_text(ARM)
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(ValueError, match="give its path"):
        pgcore.make_task(str(tmp_path / "here" / "arm.toml"))
    monkeypatch.chdir(tmp_path / "here")
    assert pgcore.make_task("arm.toml").obs_dim == 4
    spoiled = {
        "x = [": "no TOML",
        "speed = 3" + ARM: "unknown field 'speed'",
        ARM.replace("term = ", "kind = "): "expected tables such as",
    }
    for text, match in spoiled.items():
        (tmp_path / "here" / "bad.toml").write_text(text)
        with pytest.raises(ValueError, match=match):
            pgcore.make_task("bad.toml")


def test_an_edited_model_is_compiled_anew(tmp_path):
    path = tmp_path / "ball.xml"
    (tmp_path / "arm.toml").write_text(ARM)
    hashes = []
    for gear in ("1", "22"):
        path.write_text(BALL_XML.format(memory="1M", gear=gear))
        hashes.append(pgcore.make_task(str(tmp_path / "arm.toml")).model_hash())
    assert hashes[0] != hashes[1]


def test_a2c_trains_and_steps(tmp_path):
    config = small_config(algorithm="a2c", normalize_advantages="batch", trials=2)
    with Run(tmp_path / "run", config) as run:
        records = list(run.iterations())
    assert all(np.isfinite(r.metrics["kl"]).all() for r in records)
    maps = pgcore.studies.landscape(
        tmp_path / "run",
        tmp_path / "l",
        iterations=(2,),
        sources=(128,),
        pairs=(80,),
        points=(2, 2),
        scout_pairs=100,
    )
    assert np.isfinite(maps["surrogate"]).all() and list(maps["agent"].values) == ["a2c"]


@dataclasses.dataclass(frozen=True)
class PlainSettings:
    rate: float = 0.1


def plain_update(policy, data, settings, optimizer, orders):
    """A user's own: one step up the gradient of mean(ratio A)."""
    tensors = [t.detach().clone().requires_grad_() for t in policy.tensors]
    gain = (policy.log_prob(data.inputs, data.actions, tensors) * data.advantages).mean(-1).sum()
    rows = torch.autograd.grad(gain, tensors)
    with torch.no_grad():
        policy.flat.add_(settings.rate * torch.cat([r.reshape(len(r), -1) for r in rows], 1))
    return {}


def plain_objective(ratio, advantages, settings):
    return objectives.surrogate(ratio, advantages)


def test_an_update_of_one_s_own_is_studied(tmp_path):
    task = pgcore.make_task("Hopper-v2")
    own = Algorithm("plain", PlainSettings, plain_update, plain_objective)
    agent = pgcore.Agent(task, make_policy(task, 1, (5,)), pgcore.ValueNet(11, (4,)), algorithm=own)
    maps = pgcore.studies.landscape(
        agent, tmp_path, sources=(128,), pairs=(80,), points=(2, 2), scout_pairs=100, iterations=()
    )
    assert float(maps["step_norm"].squeeze()) > 0 and list(maps["agent"].values) == ["plain"]


def test_a_file_of_an_agent_replaces_agents_alone(tmp_path):
    """Not a text, a run's checkpoint or another library's file; its folder is made."""
    task = pgcore.make_task("Hopper-v2")
    first, second = (pgcore.Agent(task, make_policy(task, 1, (n,))) for n in (3, 4))
    path = tmp_path / "new" / "agent"
    first.save(path)
    second.save(path)
    assert pgcore.load_agent(path).digest() == second.digest()
    path.write_bytes(b"")
    first.save(path)
    with Run(tmp_path / "run", small_config(iterations=1)) as run:
        list(run.iterations())
    (tmp_path / "text").write_text("text")
    files = ["text", *(f"run/{name}" for name in ("config.json", LATEST))]
    before = [(tmp_path / name).read_bytes() for name in files]
    for name in files:
        with pytest.raises(ValueError, match="is no agent of pgcore, which alone"):
            first.save(tmp_path / name)
    assert [(tmp_path / name).read_bytes() for name in files] == before


def test_a_state_of_adam_that_fits_no_policy_is_refused():
    """Its shapes were broadcast to the policy's."""
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 2, (3,))
    P = policy.flat.shape[1]
    sound = {"exp_avg": np.full((2, P), -1.0), "exp_avg_sq": np.ones((2, P)), "step": np.ones(2)}
    pgcore.Agent(task, policy, algorithm="ppo", optimizer=sound)
    for name in sound:
        odd = [] if name == "exp_avg" else [-sound[name]]
        for value in (*odd, sound[name][:1], np.ones((1, 1)), sound[name].astype(str)):
            with pytest.raises(ValueError, match=rf"optimizer\.{name}: expected "):
                pgcore.Agent(task, policy, algorithm="ppo", optimizer=sound | {name: value})


def test_configs_of_today_stay_readable():
    """Fields that a file lacks take their defaults; tasks travel as plain data."""
    values = TrainConfig(task="Walker2d-v4").to_dict()
    del values["actions"], values["lowered"]
    assert TrainConfig.from_dict(values) == TrainConfig(task="Walker2d-v4")
    spec = pgcore.make_task("Ant-v5").spec
    again = TrainConfig.from_dict(TrainConfig(task=spec).to_dict())
    assert again.task == spec
    with pytest.raises(ValueError, match="unknown fields"):
        TrainConfig.from_dict(values | {"sped": 1})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PpoSettings(clip=-1.0), "clip: expected a number > 0, got -1"),
        (lambda: PpoSettings(policy_lr=-3.0), "policy_lr: expected a number >= 0, got -3"),
        (lambda: PpoSettings(minibatches=0), "minibatches: expected an integer >= 1, got 0"),
        (lambda: PpoSettings(policy_epochs=1.5), "policy_epochs: expected an integer"),
        (lambda: PpoSettings(policy_lr="abc"), "policy_lr: expected a number >= 0, got 'abc'"),
        (lambda: PpoSettings(normalize_advantages="some"), "normalize_advantages: expected one"),
        (lambda: TrpoSettings(kl=0.0), "kl: expected a number > 0, got 0"),
        (lambda: TrpoSettings(fisher_fraction=2.0), "fisher_fraction: expected a number from 0"),
        (lambda: A2cSettings(max_grad_norm=0.0), "max_grad_norm: expected a number > 0"),
        (lambda: Judgement(gamma=5.0), "gamma: expected a number from 0 to 1, got 5"),
        (lambda: Judgement(time_limit="terminat"), "time_limit: expected one of bootstrap"),
    ],
)
def test_settings_of_an_update_and_a_judgement_have_ranges(make, text):
    """Beyond them a step has no length, or another direction, and nothing says so."""
    with pytest.raises((ValueError, TypeError), match=text):
        make()
