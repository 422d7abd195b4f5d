"""Files of other libraries: real ones of Stable-Baselines3, and the recorded layouts of the rest.

The layouts are state dicts of plain torch modules under the names that the libraries use.
"""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import os
import pickle
import sys
import types
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

OBS, ACT, H = 11, 3, 16  # Hopper-v4


def mlp(sizes, activation=nn.Tanh):
    """Linear layers at 0, 2, ..., activations in between; weights that are not small."""
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


def named(prefix, module):
    """A module's state dict under a prefix."""
    return {f"{prefix}.{k}": v for k, v in module.state_dict().items()}


def sb3_agent(folder, name, kind, env, steps=256, **options):
    """A short training of the library itself; saves NAME.zip and NAME.pkl."""
    import gymnasium
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vec = VecNormalize(DummyVecEnv([lambda: gymnasium.make(env)]))
        model = kind("MlpPolicy", vec, device="cpu", seed=0, **options)
        model.learn(steps)
        model.save(folder / f"{name}.zip")
        vec.save(str(folder / f"{name}.pkl"))
        vec.close()
    return model, vec


def save(path, content):
    torch.save(content, path)
    return path


@contextlib.contextmanager
def modules(*names):
    """Packages that are there while a file is written, and then no more."""
    made = {}
    for name in names:
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            full = ".".join(parts[:i])
            made[full] = sys.modules[full] = types.ModuleType(full)
    try:
        yield made
    finally:
        for full in made:
            del sys.modules[full]


def cleanrl(path, table=False):
    actor, critic = mlp([OBS, H, H, ACT]), mlp([OBS, H, H, 1])
    state = named("actor_mean", actor) | named("critic", critic)
    state["actor_logstd"] = torch.full((1, ACT), -0.5)
    args = {"gamma": 0.98, "num_minibatches": 4, "clip_coef": 0.3, "learning_rate": 1e-4}
    content = {"model_weights": state, "args": args} if table else state
    if table:
        content["obs_rms"] = {"mean": np.ones(OBS), "var": np.full(OBS, 4.0), "count": 100.0}
    return save(path, content), actor, critic


def spinning_up(path, change=lambda whole: None):
    name = "spinup.algos.pytorch.ppo.core"
    with modules(name) as made:

        class MLPGaussianActor(nn.Module):
            def __init__(self):
                super().__init__()
                self.log_std = nn.Parameter(torch.full((ACT,), -0.5))
                self.mu_net = mlp([OBS, H, ACT], nn.ReLU)

        class MLPCritic(nn.Module):
            def __init__(self):
                super().__init__()
                self.v_net = mlp([OBS, H, 1], nn.ReLU)

        class MLPActorCritic(nn.Module):
            def __init__(self):
                super().__init__()
                self.pi, self.v = MLPGaussianActor(), MLPCritic()

        for kind in (MLPGaussianActor, MLPCritic, MLPActorCritic):
            kind.__module__, kind.__qualname__ = name, kind.__name__
            setattr(made[name], kind.__name__, kind)
        whole = MLPActorCritic()
        change(whole)
        save(path, whole)
    return path, whole.pi.mu_net, whole.v.v_net


def tianshou(path, rms=True, act=ACT, obs=OBS, conditioned=False):
    trunk, head = mlp([obs, H, H, 1])[:4], nn.Linear(H, act)
    critic, last = mlp([obs, H, H, 1])[:4], nn.Linear(H, 1)
    state = named("policy.actor.preprocess.model.model", trunk)
    state |= named("policy.actor.mu.model.0", head) | named("critic.last.model.0", last)
    state |= named("critic.preprocess.model.model", critic)
    if conditioned:
        state |= named("policy.actor.sigma.model.0", nn.Linear(H, act))
    else:
        state["policy.actor.sigma_param"] = torch.full((act, 1), -0.5)
    content = {"model": state}
    name = "tianshou.utils.statistics"
    with modules(name) as made:
        if rms:
            kind = type("RunningMeanStd", (), {"__module__": name})
            made[name].RunningMeanStd = kind
            statistics = kind()
            statistics.mean, statistics.var = np.ones(obs), np.full(obs, 4.0)
            statistics.count, statistics.eps = 100, np.finfo(np.float32).eps.item()
            statistics.clip_max = 10.0
            content["obs_rms"] = statistics
        save(path, content)
    return path, nn.Sequential(*trunk, head), nn.Sequential(*critic, last)


def torchrl(path):
    actor = mlp([OBS, H, H, ACT])
    state = named("module.0.module.0", actor)
    state["module.0.module.1.state_independent_scale"] = torch.full((ACT,), -0.5)
    vecnorm = {"loc": torch.ones(OBS), "scale": torch.full((OBS,), 2.0)}
    return save(path, {"model_state_dict": state, "vecnorm": vecnorm}), actor, None


def rllib(folder, free=True, statistics=True):
    actor, critic = mlp([OBS, H, H, 1])[:4], mlp([OBS, H, H, 1])[:4]
    head, last = nn.Linear(H, ACT if free else 2 * ACT), nn.Linear(H, 1)
    state = named("encoder.actor_encoder.net.mlp", actor) | named("pi.net.mlp.0", head)
    state |= named("encoder.critic_encoder.net.mlp", critic) | named("vf.net.mlp.0", last)
    if free:
        state["pi.log_std"] = torch.full((ACT,), -0.5)
    file = folder / "learner_group/learner/rl_module/default_policy/module_state.pkl"
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps({k: v.numpy() for k, v in state.items()}, protocol=5))
    if statistics:

        def packed(array):
            raw = io.BytesIO()
            np.save(raw, array)
            return base64.b64encode(zlib.compress(raw.getvalue())).decode()

        running = {
            "num_pushes": 101,
            "mean_array": packed(np.ones(OBS)),
            "sum_sq_diff_array": packed(np.full(OBS, 400.0)),
        }
        file = folder / "env_runner/env_to_module_connector/MeanStdFilter/state.pkl"
        file.parent.mkdir(parents=True)
        content = {None: {"clip_by_value": 10.0, "running_stats": [running]}}
        file.write_bytes(pickle.dumps(content))
    return folder, nn.Sequential(*actor, head), nn.Sequential(*critic, last)


def skrl(path):
    actor, critic = mlp([OBS, H, H, ACT], nn.ELU), mlp([OBS, H, H, 1], nn.ELU)
    policy = named("net_container", actor) | {"log_std_parameter": torch.full((ACT,), -0.5)}
    scaler = {
        "running_mean": torch.ones(OBS, dtype=torch.float64),
        "running_variance": torch.full((OBS,), 4.0, dtype=torch.float64),
        "current_count": torch.tensor(100.0),
    }
    value = {
        "running_mean": torch.tensor([2.0], dtype=torch.float64),
        "running_variance": torch.tensor([9.0], dtype=torch.float64),
        "current_count": torch.tensor(100.0),
    }
    content = {
        "policy": policy,
        "value": named("net_container", critic),
        "observation_preprocessor": scaler,
        "value_preprocessor": value,
    }
    return save(path, content), actor, critic


def rl_games(path, shared=True, sigma="free", obs=OBS, act=ACT):
    trunk, mu, last = mlp([obs, H, H, 1], nn.ELU)[:4], nn.Linear(H, act), nn.Linear(H, 1)
    critic = trunk if shared else mlp([obs, H, H, 1], nn.ELU)[:4]
    state = named("a2c_network.actor_mlp", trunk) | named("a2c_network.mu", mu)
    if not shared:
        state |= named("a2c_network.critic_mlp", critic)
    state |= named("a2c_network.value", last)
    if sigma == "free":
        state["a2c_network.sigma"] = torch.full((act,), -0.5)
    else:
        state |= named("a2c_network.sigma", nn.Linear(H, act))
    for name, size, mean, var in (("running", obs, 1.0, 4.0), ("value", 1, 2.0, 9.0)):
        state[f"{name}_mean_std.running_mean"] = torch.full((size,), mean, dtype=torch.float64)
        state[f"{name}_mean_std.running_var"] = torch.full((size,), var, dtype=torch.float64)
        state[f"{name}_mean_std.count"] = torch.tensor(100.0, dtype=torch.float64)
    content = {"model": state, "epoch": 7, "frame": 1234, "optimizer": {}}
    return save(path, content), nn.Sequential(*trunk, mu), nn.Sequential(*critic, last)


def rsl_rl(path, version=5, hetero=False):
    actor = mlp([OBS, H, H, 2 * ACT if hetero else ACT], nn.ELU)
    critic = mlp([OBS, H, H, 1], nn.ELU)

    def normalizer(mean, std):
        return {
            "_mean": torch.full((1, OBS), mean),
            "_var": torch.full((1, OBS), std**2),
            "_std": torch.full((1, OBS), std),
            "count": torch.tensor(100),
        }

    if version == 5:
        pi = named("mlp", actor)
        if not hetero:
            pi["distribution.std_param"] = torch.full((ACT,), 0.6)
        pi |= {f"obs_normalizer.{k}": v for k, v in normalizer(1.0, 2.0).items()}
        v = named("mlp", critic)
        v |= {f"obs_normalizer.{k}": x for k, x in normalizer(3.0, 0.5).items()}
        content = {"actor_state_dict": pi, "critic_state_dict": v, "iter": 5}
    else:
        state = named("actor", actor) | named("critic", critic) | {"std": torch.full((ACT,), 0.6)}
        content = {"model_state_dict": state, "iter": 5}
        content["obs_norm_state_dict"] = normalizer(1.0, 2.0)
    return save(path, content), actor, critic


class Hostile:
    """A pickle of it writes a file when it is read as pickles are."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)
