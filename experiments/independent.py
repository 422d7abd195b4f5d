"""Stored results recomputed by plain PyTorch and Gymnasium: nothing here imports pgcore.

    python experiments/independent.py experiments/results/independent/*.safetensors

Each file holds an agent and what pgcore's studies say of it (`independent_cases.py` makes them).
Everything is sampled anew with other random numbers, so numbers agree within their errors: of the
differences, divided by their standard errors, about one in twenty is above 2. Trajectories (or
whole gradient estimates) are the unit of every error.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

LIMIT = 1000  # steps of a trajectory
BOUND = 10.0  # of normalised observations and rewards
STREAM = 2048  # pairs between two fresh starts, at most
BOOTSTRAPS = 500


class Network:
    """tanh layers from a flat vector: for each layer the weights [in, out], then the biases."""

    def __init__(self, flat: Tensor, sizes: list[int]) -> None:
        self.flat, self.sizes = flat, sizes

    def __call__(self, x: Tensor) -> Tensor:
        start = 0
        for layer, (a, b) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            weight = self.flat[start : start + a * b].view(a, b)
            bias = self.flat[start + a * b : start + (a + 1) * b]
            start += (a + 1) * b
            x = x @ weight + bias
            if layer < len(self.sizes) - 2:
                x = torch.tanh(x)
        return x


@dataclass
class Stream:
    """Pairs from a fresh start on, with what follows the last pair of each trajectory."""

    inputs: Tensor  # [T, O], normalised
    actions: Tensor  # [T, A]
    rewards: np.ndarray  # [T], as the environment gives them
    ends: list[tuple[int, str, Tensor]]  # behind the last pair, why it ended, input after


class Case:
    """An agent, its environment, and the numbers that are to be found again."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            header: dict[str, str] = file.metadata()
            self.arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        self.task, self.agent = header["task"], header["agent"]
        self.stored: dict[str, dict[str, float]] = json.loads(header["stored"])
        self.pairs: dict[str, int] = json.loads(header["pairs"])
        self.rules: dict[str, Any] = json.loads(header["rules"])
        hidden = json.loads(header["hidden"])
        self.env = environment(self.task)
        self.impact_cost = self.task == "Humanoid-v2"
        obs, act = len(self.arrays["mean"]), self.env.action_space.shape[0]
        self.policy_sizes = [obs, *hidden["policy"], act]
        self.value = Network(self.arrays["value"], [obs, *hidden["value"], 1])

    def policy(self, flat: Tensor) -> tuple[Network, Tensor]:
        """The network of the means, and the log standard deviations behind its parameters."""
        return Network(flat, self.policy_sizes), flat[-self.policy_sizes[-1] :]

    def seen(self, observation: np.ndarray) -> Tensor:
        """An observation as the networks see it."""
        scaled = (torch.from_numpy(observation) - self.arrays["mean"]) / (self.arrays["std"] + 1e-8)
        return scaled.clamp(-BOUND, BOUND)

    def stream(self, flat: Tensor, steps: int, seed: int, whole: bool = False) -> Stream:
        """Pairs of a policy; with ``whole`` the last trajectory runs on to its end."""
        generator = np.random.default_rng(seed)
        mean, log_std = self.policy(flat)
        std = log_std.exp().numpy()
        inputs, actions, rewards, ends = [], [], [], []
        observation, _ = self.env.reset(seed=int(generator.integers(2**31)))
        age = 0
        while len(rewards) < steps or (whole and age):
            seen = self.seen(observation)
            action = mean(seen).numpy() + std * generator.standard_normal(len(std))
            observation, reward, terminated, _, _ = self.env.step(action)
            if self.impact_cost:
                forces = self.env.unwrapped.data.cfrc_ext
                reward -= min(5e-7 * float(np.square(forces).sum()), 10.0)
            inputs.append(seen)
            actions.append(action)
            rewards.append(float(reward))
            age += 1
            why = "terminated" if terminated else "limit" if age == LIMIT else ""
            if why or (len(rewards) == steps and not whole):
                ends.append((len(rewards), why or "cut", self.seen(observation)))
                observation, _ = self.env.reset(seed=int(generator.integers(2**31)))
                age = 0
        return Stream(
            torch.stack(inputs), torch.from_numpy(np.array(actions)), np.array(rewards), ends
        )

    def advantages(
        self, stream: Stream, time_limit: str = "bootstrap", cut: str = "next"
    ) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """GAE advantages, targets V + A, and returns that are cut where the trajectory is.

        At a time limit and a cut the value of what follows stands for the rest; the paper's code
        takes a time limit for death, and the value of the last observation at a cut.
        """
        gamma, lam = self.rules["gamma"], self.rules["lam"]
        values = self.value(stream.inputs)[:, 0].numpy()
        rewards = stream.rewards
        if "reward_std" in self.arrays:
            std = self.arrays["reward_std"].item()
            rewards = np.clip(rewards / (std + 1e-8), -BOUND, BOUND)
        advantages, returns = np.zeros_like(values), np.zeros_like(values)
        start = 0
        for end, why, after in stream.ends:
            following = self.value(after).item()
            if why == "terminated" or (why == "limit" and time_limit == "terminate"):
                following = 0.0
            elif why == "cut" and cut == "current":
                following = values[end - 1]
            advantage = total = 0.0
            for t in reversed(range(start, end)):
                delta = rewards[t] + gamma * following - values[t]
                advantage = delta + gamma * lam * advantage
                total = rewards[t] + gamma * total
                advantages[t], returns[t], following = advantage, total, values[t]
            start = end
        return torch.from_numpy(advantages), values + advantages, returns


def environment(task: str) -> Any:
    """Gymnasium's v4 with the contact rule of the paper's simulator.

    MuJoCo now adds the margins of two geoms and took the larger one then. Where all margins of a
    model are equal, half of each is the old rule.
    """
    env = gymnasium.make(task.replace("-v2", "-v4"), max_episode_steps=10**9)
    margins = env.unwrapped.model.geom_margin
    if np.ptp(margins) != 0:
        raise SystemExit(f"{task}: its geoms' margins differ, so that halving is not the old rule")
    margins *= 0.5
    return env


def gradients(case: Case, count: int) -> np.ndarray:
    """Inner products [K, K] of independent estimates of the gradient (the paper's equation 1)."""
    found = []
    for k in range(count):
        flat = case.arrays["policy"]
        with torch.no_grad():
            stream = case.stream(flat, case.pairs["estimate"], seed=1000 + k)
            advantages = case.advantages(stream)[0]
        flat = flat.clone().requires_grad_()
        network, log_std = case.policy(flat)
        error = (stream.actions - network(stream.inputs)) / log_std.exp()
        log_prob = (-0.5 * error**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(1)
        (log_prob * advantages).mean().backward()
        found.append(flat.grad.numpy())
    vectors = np.array(found)
    return vectors @ vectors.T


def mean_cosine(gram: np.ndarray) -> float:
    """Mean over pairs of estimates."""
    norms = np.sqrt(np.diagonal(gram))
    cosines = gram / norms / norms[:, None]
    return float(cosines[~np.eye(len(gram), dtype=bool)].mean())


def gradient_numbers(case: Case, count: int) -> dict[str, tuple[float, float]]:
    """Cosine with its jackknife error, and the size of an estimate."""
    gram = gradients(case, count)
    without = [mean_cosine(np.delete(np.delete(gram, k, 0), k, 1)) for k in range(count)]
    spread = np.sqrt((count - 1) / count * np.square(without - np.mean(without)).sum())
    norms = np.log10(np.diagonal(gram))
    return {
        "gradient: mean pairwise cosine": (mean_cosine(gram), float(spread)),
        "gradient: mean log10 of |g|^2": (norms.mean(), norms.std(ddof=1) / math.sqrt(count)),
    }


def value_numbers(case: Case) -> dict[str, tuple[float, float]]:
    """Errors of the value network on held-out pairs; theirs are over resampled trajectories."""
    count = math.ceil(case.pairs["value"] / STREAM)
    steps = math.ceil(case.pairs["value"] / count)
    pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    with torch.no_grad():
        for k in range(count):
            stream = case.stream(case.arrays["policy"], steps, seed=2000 + k)
            rules = case.rules["time_limit"], case.rules["cut"]  # a study's targets are training's
            _, targets, returns = case.advantages(stream, *rules)
            values = case.value(stream.inputs)[:, 0].numpy()
            cuts = [end for end, _, _ in stream.ends][:-1]
            arrays = (values, targets, returns)
            pieces += zip(*(np.split(a, cuts) for a in arrays), strict=True)

    def errors(parts: list[tuple[np.ndarray, ...]]) -> np.ndarray:
        values, *both = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return np.array(
            [
                measure
                for target in both
                for measure in (
                    np.median(np.abs(values - target) / np.abs(target)),
                    np.sqrt(np.mean((values - target) ** 2)) / target.std(),
                )
            ]
        )

    generator = np.random.default_rng(0)
    draws = generator.integers(len(pieces), size=(BOOTSTRAPS, len(pieces)))
    spread = np.std([errors([pieces[i] for i in draw]) for draw in draws], axis=0)
    names = [f"value, {t}: {m}" for t in ("gae", "returns") for m in ("median_re", "normalized")]
    numbers = zip(errors(pieces).tolist(), spread.tolist(), strict=True)
    return dict(zip(names, numbers, strict=True))


def point_number(case: Case) -> dict[str, tuple[float, float]]:
    """Mean return of whole trajectories at a point of the landscape."""
    returns: list[float] = []
    pairs = 0
    with torch.no_grad():
        while pairs < case.pairs["reward"]:
            stream = case.stream(case.arrays["point"], 1, 3000 + len(returns), whole=True)
            pairs += len(stream.rewards)
            returns.append(stream.rewards.sum())
    error = float(np.std(returns, ddof=1)) / math.sqrt(len(returns))
    return {"landscape: reward at (1, 1)": (float(np.mean(returns)), error)}


def compare(path: Path, estimates: int) -> dict[str, Any]:
    """All numbers of a case: stored, found here, and their difference in standard errors."""
    case = Case(path)
    print(f"{case.task}, {case.agent}", flush=True)
    found = gradient_numbers(case, estimates) | value_numbers(case) | point_number(case)
    rows = {}
    for name, (value, error) in found.items():
        stored = case.stored[name]
        # as many pairs there as here: where no error is stored, ours stands for it
        other = error if math.isnan(stored["error"]) else stored["error"]
        apart = (value - stored["value"]) / math.hypot(error, other)
        rows[name] = {"stored": stored["value"], "found": value, "error": error, "apart": apart}
        print(f"  {name:32} {stored['value']:10.4g} {value:10.4g} +- {error:.2g} {apart:+6.2f}")
    return {"task": case.task, "agent": case.agent, "numbers": rows}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="+", type=Path)
    parser.add_argument("--estimates", type=int, default=30)
    parser.add_argument("--out", type=Path, help="also write the comparison there, as JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    compared = [compare(path, given.estimates) for path in given.cases]
    if given.out:
        given.out.write_text(json.dumps(compared, indent=1) + "\n")


if __name__ == "__main__":
    main()
