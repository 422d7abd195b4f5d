"""What a file says beside its weights is taken, or refused by name: never passed over."""

import dataclasses
import pickle
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

import foreign
import pgcore
from importing import HOPPER, read_sb3
from pgcore.base.errors import CheckpointError
from pgcore.importers.check import compare, draw_observations
from pgcore.importers.inert import read_pickle
from pgcore.importers.library_check import ask_library
from pgcore.importers.parts import Options
from pgcore.importers.table import import_agent, read_parts


def parts_of(path, normalizer=None):
    return read_parts(path, Options(normalizer))[1]


def _last(layer):
    def change(whole):
        whole.pi.mu_net.append(layer)

    return change


def _between(layer, network="pi.mu_net"):
    def change(whole):
        whole.get_submodule(network)[1] = layer

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [(_last(nn.Tanh()), "pi.mu_net: expected linear layers .* got Linear, ReLU, Linear, Tanh"),
     (_between(nn.LayerNorm(foreign.H, elementwise_affine=False)), "LayerNorm"),
     (_between(nn.Tanh(), "v.v_net"), "activations ReLU and Tanh in one agent"),
     (_between(nn.LeakyReLU(0.5)), "activation LeakyReLU with negative_slope=0.5"),
     (_between(nn.ELU(2.0)), "activation ELU with alpha=2.0"),
     (_between(nn.Softplus(beta=3.0)), "activation Softplus with beta=3.0"),
     (_between(nn.GELU(approximate="tanh")), "activation GELU with approximate='tanh'")],
)  # fmt: skip
def test_modules_of_spinning_up_are_those_of_its_agents(change, said, tmp_path):
    path, _, _ = foreign.spinning_up(tmp_path / "model.pt", change)
    with pytest.raises(CheckpointError, match=said):
        import_agent(path, HOPPER, trajectories=2)


def test_agents_of_spinning_up_without_hidden_layers(tmp_path):
    """With the Identity that it puts behind every network."""

    def change(whole):
        whole.pi.mu_net = nn.Sequential(nn.Linear(foreign.OBS, foreign.ACT), nn.Identity())
        whole.v.v_net = nn.Sequential(nn.Linear(foreign.OBS, 1), nn.Identity())

    path, _, _ = foreign.spinning_up(tmp_path / "model.pt", change)
    assert import_agent(path, HOPPER, trajectories=2).policy.sizes == (foreign.OBS, foreign.ACT)


def test_statistics_of_older_rl_games(tmp_path):
    """Beside the model; what rewards were divided by is not known there."""
    path, _, _ = foreign.rl_games(tmp_path / "a.pth")
    new, content = parts_of(path), torch.load(path)
    model, found = content["model"], {}
    for place in ("running_mean_std", "value_mean_std"):
        names = [name for name in model if name.startswith(place)]
        found[place] = {n.removeprefix(f"{place}."): model.pop(n) for n in names}
    content["running_mean_std"] = found["running_mean_std"]
    old = parts_of(foreign.save(tmp_path / "b.pth", content))
    for name in ("mean", "scale"):
        own, other = (getattr(parts.observations, name) for parts in (new, old))
        np.testing.assert_array_equal(own, other)
    assert old.value is not None
    content["reward_mean_std"] = found["value_mean_std"]
    old = parts_of(foreign.save(tmp_path / "c.pth", content))
    assert old.value is None and "reward_mean_std" in old.notes["value"]


def test_a_central_value_of_rl_games_is_not_the_model_s(tmp_path):
    path, _, _ = foreign.rl_games(tmp_path / "a.pth")
    content = torch.load(path) | {"assymetric_vf_nets": {"x": torch.zeros(1)}}
    parts = parts_of(foreign.save(tmp_path / "b.pth", content))
    assert parts.value is None and "central value" in parts.notes["value"]
    assert "shared_trunk" not in parts.notes


def test_statistics_of_states_of_skrl_are_told(tmp_path):
    path, _, _ = foreign.skrl(tmp_path / "agent_9.pt")
    content = torch.load(path)
    (name,) = {"observation_preprocessor", "state_preprocessor"} & set(content)
    assert "states" not in parts_of(path).notes
    both = {"observation_preprocessor": content[name], "state_preprocessor": content[name]}
    parts = parts_of(foreign.save(tmp_path / "agent_8.pt", content | both))
    assert "statistics of states" in parts.notes["states"]


def test_a_file_of_tensors_alone_says_what_to_do(tmp_path):
    (tmp_path / "state.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"needs no import, and other \.safetensors files"):
        parts_of(tmp_path / "state.safetensors")


@pytest.mark.parametrize(("name", "mean", "scale"), [("de_mean_to_zero", 0.0, 2.0 + 1e-6),
                                                     ("de_std_to_one", 1.0, 1.0)])  # fmt: skip
def test_halves_of_rllib_s_filter(name, mean, scale, tmp_path):
    folder, _, _ = foreign.rllib(tmp_path / "checkpoint")
    file = folder / "env_runner/env_to_module_connector/MeanStdFilter/state.pkl"
    content = pickle.loads(file.read_bytes())
    content[None][name] = False
    file.write_bytes(pickle.dumps(content))
    known = parts_of(folder).observations
    assert known.mean.tolist() == [mean] * foreign.OBS
    np.testing.assert_allclose(known.scale, scale, rtol=1e-12)


def test_statistics_of_cleanrl_s_environments(tmp_path):
    """Those of one are taken, of several refused; the activation is assumed with a note."""
    path, _, _ = foreign.cleanrl(tmp_path / "a.cleanrl_model", table=True)
    content = torch.load(path, weights_only=False)
    one = content | {"obs_rms": [content["obs_rms"]]}
    parts = parts_of(foreign.save(tmp_path / "b.cleanrl_model", one))
    assert parts.observations.mean.tolist() == [1.0] * foreign.OBS
    assert "tanh is assumed" in parts.notes["activation"]
    for several, got in ([content["obs_rms"]] * 2, "2 of them"), (3.0, "float"):
        file = foreign.save(tmp_path / "c.cleanrl_model", content | {"obs_rms": several})
        with pytest.raises(CheckpointError, match=f"obs_rms: expected one table .* got {got}"):
            parts_of(file)


def test_a_wrong_clip_is_seen(sb3):
    """By the check with the library, whose observations lie beyond it as well."""
    agent = read_sb3(sb3, "ppo")
    path = sb3.folder / "ppo.zip"
    parts = parts_of(path, sb3.folder / "ppo.pkl")
    obs = draw_observations(agent)
    theirs = ask_library("sb3", path, parts, agent, obs)
    compare(agent, theirs)
    normalizer = dataclasses.replace(agent.normalizer, clip=6.0)
    with pytest.raises(CheckpointError, match="means"):
        compare(dataclasses.replace(agent, normalizer=normalizer), theirs)


def test_the_state_of_another_kind_of_adam_is_not_taken(tmp_path):
    stable = pytest.importorskip("stable_baselines3")
    kinds = {
        "radam": stable.PPO("MlpPolicy", "Pendulum-v1", n_steps=64, seed=0,
                            policy_kwargs={"optimizer_class": torch.optim.RAdam}),
        "a2c": stable.A2C("MlpPolicy", "Pendulum-v1", n_steps=64, seed=0, use_rms_prop=False),
    }  # fmt: skip
    for name, model in kinds.items():
        model.learn(64)
        model.save(tmp_path / f"{name}.zip")
        parts = parts_of(tmp_path / f"{name}.zip")
        assert not parts.moments and "starts anew here" in parts.notes["optimizer"], name


@pytest.mark.parametrize("forged", [
    b"cnumpy._core.multiarray\n_reconstruct\n(N}Vx\nI1\nstb.",
    b"cnumpy._core.multiarray\nscalar\n(N(dS'__defaults__'\n(I1\nI2\ntstb.",
    b"cnumpy._core.numeric\n_frombuffer\n}Vx\nI1\nsb.",
])  # fmt: skip
def test_a_forged_file_writes_into_nothing_of_ours(forged, tmp_path):
    (tmp_path / "forged.pkl").write_bytes(forged)
    with pytest.raises(CheckpointError, match="it writes into a function"):
        read_pickle(Path(tmp_path / "forged.pkl"), ())


class One(gymnasium.Env):
    """A reward of 1 for ever."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float64)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2), {}

    def step(self, action):
        return np.zeros(2), 1.0, False, False, {}


@pytest.mark.parametrize(("inner", "outer"), [(20, 200), (200, 20)])
def test_the_shortest_of_several_time_limits_counts(inner, outer):
    """By which studies tell returns that are known from those that are cut."""
    limit = gymnasium.wrappers.TimeLimit
    task = pgcore.make_task(lambda: limit(limit(One(), inner), outer))
    batch = pgcore.collect(task, pgcore.GaussianPolicy(2, 1), 50)
    assert task.time_limit == 20 and np.nonzero(batch.truncated[0])[0].tolist() == [19, 39]
