"""Whether an imported agent computes what its library does, and what it returns on the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgcore.agent import Agent
from pgcore.base.arrays import F32, F64
from pgcore.base.quantiles import t_factor
from pgcore.importers.inert import refused
from pgcore.importers.parts import refuse

TOLERANCE = 1e-5  # of max(1, |reference|): float32 networks, summed in another order
FAR = 30  # standard deviations: beyond the bounds at which libraries clip
_NAMES = ("means", "log_probs", "values")


@dataclass(frozen=True)
class Reference:
    """What the source library says about some observations.

    Attributes:
        by: who says it.
        obs: [N, O] float64, raw.
        actions: [N, A] float32, as sampled, ahead of any map.
        means: [N, A]; log_probs: [N]; values: [N], or None.
        inputs: [N, O] float32, what the networks saw, or None.
    """

    by: str
    obs: F64
    actions: F32
    means: F64
    log_probs: F64
    values: F64 | None
    inputs: F32 | None = None


def draw_observations(agent: Agent, count: int = 1000, seed: int = 0) -> F64:
    """Observations around the statistics, and a tenth as many from a rollout, [N, O].

    Of those around statistics a tenth is far away, where inputs are clipped.
    """
    normal = np.random.Generator(np.random.Philox(key=seed)).standard_normal
    obs: F64 = normal((count, agent.task.obs_dim))
    if agent.normalizer is not None:
        obs[::10] *= FAR
        scale = np.sqrt(agent.normalizer.m2[0] / (agent.normalizer.count[0] - 1)) + 1e-8
        obs = agent.normalizer.mean[0] + scale * obs
    real = agent.collect(steps=max(1, count // 10), streams=1, seed=seed).obs[0]
    return np.concatenate([obs, real])


def compute(agent: Agent, obs: F64, actions: F32 | None = None, seed: int = 1) -> Reference:
    """What the agent itself says; actions are drawn if none are given."""
    inputs = obs.astype(np.float32)
    if agent.normalizer is not None:
        inputs = agent.normalizer.inputs(obs)
    x = torch.from_numpy(inputs).unsqueeze(0)
    with torch.no_grad():
        there = agent.policy.distribution(x)
        means = there.mean
        if actions is None:
            normal = np.random.Generator(np.random.Philox(key=seed)).standard_normal
            noise = torch.from_numpy(normal(means.shape[1:])).float()
            actions = there.sample(noise)[0].numpy()
        log_probs = agent.policy.log_prob(x, torch.from_numpy(actions).unsqueeze(0))[0]
        values = None if agent.value is None else agent.value(x)[0].numpy().astype(np.float64)
    return Reference(
        by="pgcore",
        obs=obs,
        actions=actions,
        means=means[0].numpy().astype(np.float64),
        log_probs=log_probs.numpy().astype(np.float64),
        values=values,
        inputs=inputs,
    )


def compare(agent: Agent, reference: Reference) -> dict[str, Any]:
    """Largest differences, of max(1, |reference|); CheckpointError beyond the tolerance."""
    sizes = (agent.task.obs_dim, agent.task.act_dim)
    if (reference.obs.shape[1], reference.actions.shape[1]) != sizes or not len(reference.obs):
        raise refuse(
            f"check: expected numbers of {reference.by} for some observations of {sizes[0]} and "
            f"actions of {sizes[1]}, as {agent.task.id} has, got observations "
            f"{list(reference.obs.shape)} and actions {list(reference.actions.shape)}"
        )
    ours = compute(agent, reference.obs, reference.actions)
    found: dict[str, Any] = {"by": reference.by, "observations": len(reference.obs)}
    if reference.inputs is not None and ours.inputs is not None:
        found["inputs_equal"] = float((reference.inputs == ours.inputs).mean())
    for name in _NAMES:
        a, b = getattr(ours, name), getattr(reference, name)
        if a is None or b is None:
            continue
        error = float(np.max(np.abs(a - b) / np.maximum(1.0, np.abs(b)), initial=0.0))
        if not error <= TOLERANCE:
            raise refuse(
                f"check: {name} differ from those of {reference.by} by {error:.2g}, where "
                f"{TOLERANCE:g} is allowed: the agent is not what that library runs "
                "(another activation, normaliser or file?)"
            )
        found[name] = error
    return found


def read_reference(path: Path) -> Reference:
    """The numbers that the exporter stored in an ``.npz``."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = {k: file[k] for k in file.files}
        count = len(arrays["obs"])
        return Reference(
            by=str(arrays["by"]),
            obs=arrays["obs"].astype(np.float64).reshape(count, -1),
            actions=arrays["actions"].astype(np.float32).reshape(count, -1),
            means=arrays["means"].astype(np.float64).reshape(count, -1),
            log_probs=arrays["log_probs"].astype(np.float64).reshape(count),
            values=_values(arrays, count),
        )
    except Exception as error:
        raise refused(path, f"no numbers of the exporter ({error})") from error


def _values(arrays: Mapping[str, NDArray[Any]], count: int) -> F64 | None:
    return arrays["values"].astype(np.float64).reshape(count) if "values" in arrays else None


def returns(agent: Agent, trajectories: int, seed: int) -> dict[str, Any]:
    """Mean return of some trajectories with its 95 % interval; also of the mean action."""
    found: dict[str, Any] = {"trajectories": trajectories}
    if agent.task.time_limit is None:
        return {"missing": f"{agent.task.id} has no time limit"}
    for name, deterministic in (("sampled", False), ("mean_action", True)):
        scores = agent.evaluate(
            pairs=trajectories, streams=trajectories, seed=seed, deterministic=deterministic
        ).returns
        error = t_factor(max(1, len(scores) - 1)) * scores.std(ddof=1) / np.sqrt(len(scores))
        mean = float(scores.mean())
        found[name] = [mean, mean - float(error), mean + float(error)]
    return found


def lines(check: Mapping[str, Any]) -> list[str]:
    """The check in words."""
    said = []
    if check.get("status") == "verified":
        parts = [f"{n} {check[n]:.1e}" for n in _NAMES if n in check]
        equal = ""
        if "inputs_equal" in check:
            equal = f"inputs equal to the bit in {100 * check['inputs_equal']:.4g} %, "
        said.append(
            f"check       verified by {check['by']} on {check['observations']} observations: "
            f"{equal}largest differences {', '.join(parts)}"
        )
        said.append(f"            statistics: {check['statistics']}")
    else:
        said.append(
            "check       UNVERIFIED: no numbers of the library to compare with "
            "(--check-with-library, or --exporter and --reference)"
        )
    values = check.get("returns", {})
    if "missing" in values:
        said.append(f"return      not measured: {values['missing']}")
    for name, words in (("sampled", "sampled actions"), ("mean_action", "mean actions")):
        if name in values:
            mean, low, high = values[name]
            said.append(
                f"return      {mean:.1f} [{low:.1f}, {high:.1f}] over {values['trajectories']} "
                f"trajectories, {words}"
            )
    return said


def trust(agent: Agent) -> str:
    """What limits every result of an imported agent, for the tables of studies; "" if nothing."""
    origin, notes = agent.origin, agent.origin["notes"]
    said = []
    if origin["check"]["status"] != "verified":
        said.append("not verified against its library")
    if "reestimated" in origin:
        said.append("observation statistics re-estimated, not those of its training")
    elif "normalizer" in notes:
        said.append("observation statistics perhaps missing")
    if "moment" in notes:
        said.append("observation statistics perhaps of another moment")
    if {"reward_scale", "value_scale"} & notes.keys():
        said.append("scale of its values unknown: advantages may mix units")
    if "annealed" in notes:
        said.append("steps are at the learning rate that training began with")
    if "shared_trunk" in notes:
        said.append("layers that policy and value network shared are copies: steps are not its own")
    elif "joint_clip" in notes:
        said.append("max_grad_norm bounds the policy's gradient alone here: steps are not its own")
    return "; ".join(said)
