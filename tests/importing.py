"""Tools of the importers' tests: what torch says of a file's networks, and lines of refusal."""

import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import foreign
from pgcore.cli import main
from pgcore.importers.table import import_agent

HOPPER = "Hopper-v4"
PENDULUM = "InvertedPendulum-v4"
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


def refused(capsys, *arguments):
    """The one line of an error."""
    with pytest.raises(SystemExit) as stop:
        main(["import", *map(str, arguments)])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def rewritten(path, out, **members):
    """A copy of a zip with some members replaced."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, members.get(name, old.read(name)))
    return out


def sb3_agents(folder):
    """Real agents by name: (task, model, its VecNormalize); .folder has NAME.zip and NAME.pkl."""
    from sb3_contrib import TRPO
    from stable_baselines3 import A2C, PPO

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
