"""Returns of exported agents in plain Gymnasium: the worker of `drift.py`, in any environment.

    python experiments/drift_worker.py --versions
    python experiments/drift_worker.py < JOB

Needs NumPy, Gymnasium and MuJoCo alone, and neither pgcore nor torch, so that it runs beside old
versions of them. A job is JSON: a list of cells. A cell has

    agent          path of an agent's file, as `drift.export_agent` writes it: arrays, no pickle
    rules          see `Environment`
    seed, trial    with a trajectory's number they key its start and its action noise, the same in
                   every version
    trajectories   how many, each from its own reset to its end
    out            file that is written, whole or not at all: returns and lengths, and the versions

A cell whose file is there is not computed again. The path of each finished one is printed; one
that fails is named on the standard error, and the status is 1 at the end.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


def softplus(x: Any) -> Any:
    """log(1 + eˣ)."""
    return np.logaddexp(np.float32(0.0), x)


def elu(x: Any) -> Any:
    """x, and below zero eˣ - 1."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


# those that NumPy has, or that take a line
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, np.float32(0.0)),
    "elu": elu,
    "silu": lambda x: x / (1.0 + np.exp(-x)),
    "leaky_relu": lambda x: np.where(x > 0, x, np.float32(0.01) * x),
    "softplus": softplus,
    "linear": lambda x: x,
}


class Policy:
    """A Gaussian policy a ~ N(μ(s), diag σ²): a network in float32, a Gaussian in float64.

    Args:
        path: of an agent's file: weights w0 [in, out] and biases b0 [out], w1, b1, ...; log_std [A]
            where it is a parameter; mean and scale [O] of observations, where they are normalized;
            and "kind", JSON: activation, std, std_map, log_std_range, min_std, mean_map, clip (of
            normalized observations, or null), actions ("none", "clip",
            "scale" or "tanh").
    """

    def __init__(self, path: str) -> None:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        self.kind = json.loads(str(arrays["kind"]))
        count = sum(name[0] == "w" for name in arrays)
        self.layers = [(arrays[f"w{i}"], arrays[f"b{i}"]) for i in range(count)]
        self.log_std = arrays.get("log_std")
        self.mean, self.scale = arrays.get("mean"), arrays.get("scale")
        self.between = ACTIVATIONS[self.kind["activation"]]
        self.mean_map = ACTIVATIONS[self.kind["mean_map"]]

    def inputs(self, obs: Any) -> Any:
        """Network inputs for observations [..., O]."""
        if self.mean is None:
            return np.asarray(obs, dtype=np.float32)
        scaled = (obs - self.mean) / self.scale
        bound = self.kind["clip"]
        return (scaled if bound is None else np.clip(scaled, -bound, bound)).astype(np.float32)

    def moments(self, obs: Any) -> tuple[Any, Any]:
        """μ and σ [..., A], float64, for observations [..., O]."""
        x = self.inputs(obs)
        for w, b in self.layers[:-1]:
            x = self.between(x @ w + b)
        w, b = self.layers[-1]
        outputs = x @ w + b
        if self.log_std is not None:
            return self.mean_map(outputs).astype(np.float64), np.exp(self.log_std.astype(float))
        half = outputs.shape[-1] // 2
        mean, raw = self.mean_map(outputs[..., :half]), outputs[..., half:]
        if self.kind["std_map"] == "softplus":
            std = softplus(raw).astype(float) + self.kind["min_std"]
        else:
            std = np.exp(np.clip(raw.astype(float), *self.kind["log_std_range"]))
        return mean.astype(np.float64), std


def export_agent(agent: Any, path: Path) -> None:
    """Write the policy of a `pgcore.Agent` of one trial as the file that :class:`Policy` reads.

    Raises:
        ValueError: its network has an activation that is not known here.
    """
    policy, stats = agent.policy, agent.normalizer
    kind = {**policy.kind(), "clip": None if stats is None else stats.clip}
    kind["actions"] = agent.actions or "none"
    for name in ("activation", "mean_map"):
        if kind[name] not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"{name}: the worker knows {known}; the agent has {kind[name]!r}")
    arrays: dict[str, Any] = {"kind": json.dumps(kind)}
    values = [tensor.detach().numpy()[0] for tensor in policy.tensors]
    for layer in range(policy.layer_tensors // 2):
        arrays[f"w{layer}"], arrays[f"b{layer}"] = values[2 * layer : 2 * layer + 2]
    if policy.head.free:
        arrays["log_std"] = values[-1]
    if stats is not None:
        seen = stats.count[0] > 1
        std = np.sqrt(stats.m2[0] / (stats.count[0] - 1)) if seen else np.ones_like(stats.mean[0])
        arrays["mean"], arrays["scale"] = stats.mean[0], std + 1e-8
    np.savez(path, **arrays)


def margins_add_up() -> bool:
    """Whether MuJoCo adds the margins of two geoms; before 3.5 the larger one counted."""
    major, minor = version("mujoco").split(".")[:2]
    return (int(major), int(minor)) >= (3, 5)


class Environment:
    """A Gymnasium environment under the rules of a task of pgcore.

    Args:
        rules: gymnasium_id; time_limit; contacts, "engine" as MuJoCo has them, or "max", the larger
            of two margins; impact_cost, null, or weight and bound of min(weight · Σ cfrc_ext²,
            bound), which Humanoid-v2 has and Gymnasium's Humanoid-v4 has not.
    """

    def __init__(self, rules: dict[str, Any]) -> None:
        import gymnasium

        gymnasium.logger.min_level = gymnasium.logger.ERROR  # notes on the age of v4
        made: Any = gymnasium.make(
            rules["gymnasium_id"],
            max_episode_steps=rules["time_limit"],
            disable_env_checker=True,
        )
        self.env, self.model, self.data = made, made.unwrapped.model, made.unwrapped.data
        self.cost = rules["impact_cost"]
        self.low, self.high = (
            np.asarray(bound, dtype=float)
            for bound in (made.action_space.low, made.action_space.high)
        )
        if rules["contacts"] == "max" and margins_add_up():
            collide = (self.model.geom_contype != 0) | (self.model.geom_conaffinity != 0)
            if len(np.unique(self.model.geom_margin[collide])) > 1:
                raise ValueError("contacts: 'max' is known for equal margins only")
            self.model.geom_margin /= 2  # two halves add up to the larger of two equal ones

    def reset(self, seed: int) -> Any:
        """The first observation [O]."""
        return self.env.reset(seed=seed)[0]

    def step(self, action: Any) -> tuple[Any, float, bool, bool]:
        """Observation [O], reward, terminated, truncated."""
        obs, reward, terminated, truncated, _ = self.env.step(action)
        if self.cost is not None:
            weight, bound = self.cost
            reward -= min(weight * float(np.square(self.data.cfrc_ext).sum()), bound)
        return obs, float(reward), bool(terminated), bool(truncated)


def mapped(actions: str, u: Any, low: Any, high: Any) -> Any:
    """What the environment gets of a sampled action u [A]."""
    if actions in ("scale", "tanh"):
        unit = np.tanh(u) if actions == "tanh" else np.clip(u, -1, 1)
        u = 0.5 * (low + high) + 0.5 * (high - low) * unit
    return u if actions == "none" else np.clip(u, low, high)


def draws(seed: int, trial: int, trajectory: int, steps: int, act_dim: int) -> tuple[int, Any]:
    """The reset's seed and the action noise [T, A] of a trajectory: of its numbers alone."""
    generator = np.random.default_rng([seed, trial, trajectory])
    return int(generator.integers(2**31)), generator.standard_normal((steps, act_dim))


def trajectory(
    env: Environment, policy: Policy, reset_seed: int, noise: Any, keep: list[Any] | None = None
) -> tuple[float, int]:
    """Undiscounted return and length of one trajectory, from a reset to its end.

    Args:
        reset_seed: of the environment.
        noise: [T, A], standard normal, T at least the time limit.
        keep: takes (observation, action, reward, next observation) of every step.

    Raises:
        RuntimeError: a reward that is not finite.
    """
    obs, total, length = env.reset(reset_seed), 0.0, 0
    terminated = truncated = False
    while not (terminated or truncated):
        mean, std = policy.moments(obs)
        action = (mean + std * noise[length]).astype(np.float32).astype(np.float64)
        action = mapped(policy.kind["actions"], action, env.low, env.high)
        after, reward, terminated, truncated = env.step(action)
        if keep is not None:
            keep.append((obs, action, reward, after))
        obs, total, length = after, total + reward, length + 1
        if not np.isfinite(total):
            raise RuntimeError(f"the reward of step {length} is not finite")
    return total, length


def versions() -> dict[str, str]:
    """Of what a return depends on here."""
    names = ("mujoco", "gymnasium", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def write_whole(path: Path, text: str) -> None:
    """A file that is there with all of its text, or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def run_cell(cell: dict[str, Any]) -> None:
    """Evaluate one agent under one set of rules, and write what it got."""
    out, policy, env = Path(cell["out"]), Policy(cell["agent"]), Environment(cell["rules"])
    limit, act_dim = cell["rules"]["time_limit"], len(env.low)
    returns, lengths = [], []
    for number in range(cell["trajectories"]):
        start, noise = draws(cell["seed"], cell["trial"], number, limit, act_dim)
        total, length = trajectory(env, policy, start, noise)
        returns.append(total)
        lengths.append(length)
    found = {"returns": returns, "lengths": lengths, "versions": versions()}
    write_whole(out, json.dumps(found))


def main() -> int:
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps(versions()))
        return 0
    failed = False
    for cell in json.load(sys.stdin):
        try:
            if not Path(cell["out"]).is_file():
                run_cell(cell)
            print(cell["out"], flush=True)
        except Exception as error:  # the other cells can still be computed
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
