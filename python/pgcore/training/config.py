"""The settings of a training run: config, command line and documentation in one definition."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

Algorithm = Literal["ppo", "trpo"]


@dataclass(frozen=True)
class TrainConfig:
    """Train a stack of agents. Defaults are correct practice; presets say what a source did."""

    task: str = "Hopper-v2"
    """Task id; `pgcore tasks` lists them. gym:ID is any Gymnasium environment with Box spaces."""
    algorithm: Algorithm = "ppo"
    """Policy update: ppo, or trpo."""
    trials: int = 1
    """Agents trained side by side. Trial i is the same agent in any number of trials."""
    iterations: int = 500
    """Updates per agent."""
    pairs: int = 2048
    """State-action pairs per iteration and agent."""
    streams: int = 1
    """Streams that share an agent's pairs; each starts from a fresh reset."""
    seed: int = 0
    """Seed of everything random in the run."""
    gamma: float = 0.99
    """Discount factor."""
    lam: float = 0.95
    """GAE's lambda."""
    baseline: Literal["value", "zero"] = "value"
    """Baseline of the advantages: the value network, or none (advantages are returns)."""

    hidden: tuple[int, ...] = (64, 64)
    """Hidden layers of the policy."""
    value_hidden: tuple[int, ...] = (64, 64)
    """Hidden layers of the value network."""
    activation: Literal["tanh", "relu", "elu", "silu"] = "tanh"
    """Activation of both networks."""
    init: Literal["orthogonal", "xavier"] = "orthogonal"
    """Initial weights of both networks."""
    log_std: float = 0.0
    """Initial log standard deviation of the actions."""

    policy_lr: float = 3e-4
    """PPO: Adam's learning rate of the policy."""
    policy_epochs: int = 10
    """PPO: passes over the pairs per iteration."""
    value_lr: float = 3e-4
    """Adam's learning rate of the value network."""
    value_epochs: int = 10
    """Value passes over the pairs per iteration."""
    minibatches: int = 32
    """Minibatches per pass."""
    adam_eps: float = 1e-5
    """Adam's epsilon."""
    anneal: bool = False
    """Let both learning rates fall linearly to 0 over the run."""
    max_grad_norm: float | None = None
    """Bound of each agent's gradient norm."""
    clip: float = 0.2
    """PPO: clipping epsilon of the probability ratio."""
    entropy: float = 0.0
    """PPO: coefficient of the entropy bonus."""
    value_clip: float | None = None
    """Bound of the change of the value in the value loss."""
    normalize_advantages: Literal["minibatch", "batch", "none"] = "minibatch"
    """Over what advantages are normalised. TRPO: batch or none."""

    kl: float = 0.01
    """TRPO: bound delta of the mean KL divergence of a step."""
    fisher_fraction: float = 1.0
    """TRPO: fraction of the states that the Fisher-vector products use."""
    cg_steps: int = 10
    """TRPO: conjugate-gradient steps."""
    cg_damping: float = 0.1
    """TRPO: multiple of the identity added to the Fisher matrix."""
    backtracks: int = 10
    """TRPO: halvings of the step before it is given up."""
    accept_ratio: float = 0.1
    """TRPO: least surrogate gain, as a fraction of the linear prediction."""

    normalize_obs: bool = True
    """Normalise observations by their running mean and std."""
    obs_clip: float | None = 10.0
    """Bound of normalised observations."""
    normalize_rewards: bool = False
    """Divide rewards by the running std of the discounted return."""
    reward_clip: float | None = 10.0
    """Bound of normalised rewards."""

    time_limit_rule: Literal["bootstrap", "terminate"] = "bootstrap"
    """At the time limit: bootstrap from the value, or treat it as death (biased)."""
    cut_rule: Literal["next", "current", "zero"] = "next"
    """At the end of an iteration's pairs: bootstrap from V(s_T), from V(s_T-1) or not (biased)."""
    value_skip_terminal: bool = False
    """Leave the last step of every trajectory out of the value loss."""

    lowered: bool = True
    """Make the simulator cheaper where that changes no bit; off: the plain loop."""
    keep: tuple[int, ...] = (0, 150, 300, 450)
    """Iterations whose checkpoints are kept; the last one always is."""
    save_every: int = 10
    """Iterations between writes of the newest checkpoint, from which a run resumes."""
    block: int = 12
    """Trials that are updated as one batched tensor operation."""

    def __post_init__(self) -> None:
        for name in (
            "trials",
            "iterations",
            "pairs",
            "streams",
            "minibatches",
            "save_every",
            "block",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a count >= 1, got {getattr(self, name)}")
        for name in ("policy_lr", "value_lr", "adam_eps", "kl", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a number > 0, got {getattr(self, name)}")
        if not 0 < self.fisher_fraction <= 1:
            raise ValueError(f"fisher_fraction: expected 0 < x <= 1, got {self.fisher_fraction}")
        for name in ("gamma", "lam"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name}: expected a number from 0 to 1, got {getattr(self, name)}"
                )
        if self.pairs % self.streams:
            raise ValueError(
                f"pairs: expected a multiple of streams ({self.streams}), got {self.pairs}"
            )
        if self.pairs < self.minibatches:
            raise ValueError(f"minibatches: expected at most pairs ({self.pairs})")
        if self.algorithm == "trpo" and self.normalize_advantages == "minibatch":
            raise ValueError("normalize_advantages: trpo has no minibatches; use batch or none")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> TrainConfig:
        """The config of :meth:`to_dict`; missing fields take their defaults.

        Raises:
            ValueError: unknown fields.
        """
        unknown = sorted(set(values) - {f.name for f in dataclasses.fields(TrainConfig)})
        if unknown:
            raise ValueError(f"config: unknown fields {unknown}; written by a newer pgcore?")
        lists: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return TrainConfig(**lists)

    def digest(self) -> str:
        """A stable hash of all fields."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()
