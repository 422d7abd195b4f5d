"""Numbers of a source library that is installed here, from its own classes.

Its own loading would execute what its files hold, so its classes are made anew and given the
weights, which are read as plain tensors.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.importers.check import Reference, compute
from pgcore.importers.inert import open_zip, read_tensors
from pgcore.importers.parts import Parts, refuse
from pgcore.policies.mlp import ACTIVATIONS


def ask_library(library: str, path: Path, parts: Parts, agent: Agent, obs: F64) -> Reference:
    """What the library says about observations [N, O]; only Stable-Baselines3 is known.

    Raises:
        CheckpointError: another library, or it is not installed.
    """
    if library != "sb3" or path.suffix == ".npz":
        raise refuse(
            f"--check-with-library: not for {library}; `pgcore import --exporter {library}` prints "
            "a script that stores its numbers"
        )
    try:
        policies = importlib.import_module("stable_baselines3.common.policies")
        normalize = importlib.import_module("stable_baselines3.common.vec_env.vec_normalize")
    except ImportError as error:
        raise refuse(f"--check-with-library: {error}; pip install stable-baselines3") from error
    policy = _policy(policies, path, parts)
    inputs = _inputs(normalize, parts, obs)
    actions = compute(agent, obs).actions
    x = torch.from_numpy(inputs)
    with torch.no_grad():
        values, log_probs, _ = policy.evaluate_actions(x, torch.from_numpy(actions))
        means = policy.get_distribution(x).distribution.mean
    return Reference(
        by=f"stable_baselines3 {version('stable_baselines3')}",
        obs=obs,
        actions=actions,
        means=means.numpy().astype(np.float64),
        log_probs=log_probs.numpy().astype(np.float64),
        values=values.reshape(-1).numpy().astype(np.float64),
        inputs=inputs,
    )


def _policy(policies: Any, path: Path, parts: Parts) -> Any:
    """The library's own policy with the weights of the file."""
    spaces = importlib.import_module("gymnasium.spaces")
    obs_dim, act_dim = parts.policy.weights[0].shape[1], parts.log_std.numel()
    if parts.value is None or "shared_trunk" in parts.notes:
        raise refuse("--check-with-library: not for networks that share layers")
    if "activation" in parts.notes:
        raise refuse("--check-with-library: not with an activation that the file does not name")
    policy = policies.ActorCriticPolicy(
        spaces.Box(-np.inf, np.inf, (obs_dim,), np.float64),
        spaces.Box(-1.0, 1.0, (act_dim,), np.float32),
        lambda _: 0.0,
        net_arch={
            "pi": [len(bias) for bias in parts.policy.biases[:-1]],
            "vf": [len(bias) for bias in parts.value.biases[:-1]],
        },
        activation_fn=type(ACTIVATIONS[parts.policy.activation].module),
    )
    policy.load_state_dict(read_tensors(path, content=open_zip(path)["policy.pth"]))
    policy.set_training_mode(False)
    return policy


def _inputs(normalize: Any, parts: Parts, obs: F64) -> Any:
    """What VecNormalize makes of observations, by its own arithmetic."""
    known = parts.observations
    if known is None:
        return obs.astype(np.float32)
    bound = np.inf if known.clip is None else known.clip
    own = SimpleNamespace(epsilon=known.eps, clip_obs=bound)
    rms = SimpleNamespace(mean=known.mean, var=known.variance)
    scaled = normalize.VecNormalize._normalize_obs(own, obs, rms)
    return scaled.astype(np.float32)
