"""The settings of a training run: config, command line and documentation in one definition."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from pgcore.base.command import one_of
from pgcore.base.errors import check_count, check_type
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import ALGORITHMS, Algorithm, find_algorithm
from pgcore.policies.mlp import ACTIVATIONS
from pgcore.tasks.task import TaskSpec
from pgcore.training.fields import check_fields

MOST_TRIALS = 1 << 32  # over all runs that share them
VERSION = 2  # of the settings' form; files of an older one take defaults for what they lack

_TASK_ARGUMENT = tyro.constructors.PrimitiveConstructorSpec(
    nargs=1,
    metavar="TASK",
    instance_from_str=lambda arguments: arguments[0],
    is_instance=lambda value: isinstance(value, str | TaskSpec),
    str_from_instance=lambda value: [value if isinstance(value, str) else value.id],
)


@dataclass(frozen=True)
class TrainConfig:
    """Train a stack of agents. Defaults are correct practice; presets say what a source did."""

    task: Annotated[str | TaskSpec, _TASK_ARGUMENT] = "Hopper-v2"
    """Task: an id (`pgcore tasks` lists them), a task file (arm.toml), or gym:ID."""
    algorithm: Annotated[str, one_of(ALGORITHMS)] = "ppo"
    """Policy update: one of the table of algorithms."""
    trials: int = 1
    """Agents trained side by side. Trial i begins with the same networks and random numbers in any
    number of trials; sums of another number differ in their last digit, and training follows."""
    first_trial: int = 0
    """Trials that other runs have: trial i here is trial first_trial + i of a run that has all."""
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
    activation: Annotated[str, one_of(ACTIVATIONS)] = "tanh"
    """Activation between the layers."""
    value_activation: Annotated[str | None, one_of(ACTIVATIONS)] = None
    """The value network's, where it is another."""
    init: Literal["orthogonal", "xavier"] = "orthogonal"
    """Initial weights."""
    value_init: Literal["orthogonal", "xavier"] | None = None
    """The value network's, where they are others."""
    log_std: float = 0.0
    """Initial log standard deviation of the actions."""
    std: Literal["free", "state"] = "free"
    """Standard deviation of the actions: a parameter, or an output of the network."""
    std_map: Literal["clamp", "softplus"] = "clamp"
    """With --std state: what makes it of that output."""
    mean_map: Annotated[str, one_of(ACTIVATIONS)] = "linear"
    """What makes the mean of the network's outputs, such as tanh."""

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
    value_minibatches: int | None = None
    """The value network's, where they are others."""
    adam_eps: float = 1e-5
    """Adam's epsilon."""
    anneal: bool = False
    """Let both learning rates fall linearly to 0 over the run."""
    max_grad_norm: float | None = None
    """Bound of each agent's gradient norm."""
    value_max_grad_norm: float | None = None
    """The value network's, where it is another."""
    clip: float = 0.2
    """PPO: clipping epsilon of the probability ratio."""
    entropy: float = 0.0
    """PPO: coefficient of the entropy bonus."""
    target_kl: float | None = None
    """PPO: an agent's passes end once KL(old || new) over the pairs exceeds this."""
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

    persist: bool = False
    """Go on with the trajectories of the last iteration, instead of from fresh resets."""
    actions: Literal["none", "clip", "scale", "tanh"] | None = None
    """What the task gets of a sampled action: itself (MuJoCo clamps it, but costs see it whole),
    clipped to its range, or, clipped to [-1, 1] (scale) or its tanh, mapped to that range. Default:
    none, and clip for gym:ID."""

    time_limit_rule: Literal["bootstrap", "terminate"] = "bootstrap"
    """At the time limit: bootstrap from the value, or treat it as death (biased)."""
    cut_rule: Literal["next", "current", "zero"] = "next"
    """At the end of an iteration's pairs: bootstrap from V(s_T), from V(s_T-1) or not (biased)."""
    value_skip_terminal: bool = False
    """Leave the last step of every trajectory out of the value loss."""

    lowered: bool = True
    """Make the simulator cheaper where that changes no bit; off: the plain loop."""
    keep: tuple[int, ...] | None = None
    """Iterations whose checkpoints are kept; the last one always is. Default: 0, 150, 300 and 450,
    or 0, 30, 60 and 90 % of a shorter run."""
    save_every: int = 10
    """Iterations between writes of the newest checkpoint, from which a run resumes."""
    block: int = 12
    """Trials that are updated as one batched tensor operation."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.pairs % self.streams:
            raise ValueError(
                f"pairs: expected a multiple of streams ({self.streams}), got {self.pairs}"
            )
        for name in ("minibatches", "value_minibatches"):
            count = getattr(self, name)
            if count is not None and check_count(name, count) > self.pairs:
                raise ValueError(f"{name}: expected at most pairs ({self.pairs}), got {count}")
        if self.first_trial + self.trials > MOST_TRIALS:
            most = MOST_TRIALS - self.trials
            raise ValueError(
                f"first_trial: expected at most {most} for {self.trials} trials, whose streams are "
                f"counted in 32 bits, got {self.first_trial}"
            )
        find_algorithm(self.algorithm)
        if self.algorithm != "ppo" and self.normalize_advantages == "minibatch":
            raise ValueError(
                f"normalize_advantages: {self.algorithm} has no minibatches; use batch or none"
            )

    @property
    def trial_numbers(self) -> range:
        """Its trials, counted over all runs that share them; random numbers follow from these."""
        return range(self.first_trial, self.first_trial + self.trials)

    @property
    def task_id(self) -> str:
        """The task's name."""
        return self.task if isinstance(self.task, str) else self.task.id

    def kept(self) -> tuple[int, ...]:
        """The iterations whose checkpoints are kept."""
        if self.keep is not None:
            return (*self.keep, self.iterations)
        spread = tuple(self.iterations * tenths // 10 for tenths in (0, 3, 6, 9))
        papers = (0, 150, 300, 450)
        return (*(papers if papers[-1] < self.iterations else spread), self.iterations)

    def algorithm_entry(self) -> Algorithm:
        """The row of the table of algorithms."""
        return find_algorithm(self.algorithm)

    def settings(self) -> Any:
        """The algorithm's own settings."""
        return self.algorithm_entry().make_settings(vars(self))

    def policy_network(self) -> dict[str, Any]:
        """What a policy stack is, but for its sizes and initial weights."""
        return {
            "hidden": self.hidden,
            "activation": self.activation,
            "std": self.std,
            "std_map": self.std_map,
            "mean_map": self.mean_map,
        }

    def value_network(self) -> dict[str, Any]:
        """What a value stack is, but for its sizes and initial weights."""
        return {
            "hidden": self.value_hidden,
            "activation": self.value_activation or self.activation,
        }

    def judgement(self) -> Judgement:
        """How training judges its pairs."""
        return Judgement(self.gamma, self.lam, self.baseline, self.time_limit_rule, self.cut_rule)

    def remaining(self, iteration: int) -> float:
        """The share of the learning rates that annealing has left."""
        return 1 - iteration / self.iterations if self.anneal else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if isinstance(self.task, TaskSpec):
            values["task"] = self.task.resolved().to_dict()
        return {k: _plain(v) for k, v in values.items()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> TrainConfig:
        """The config of :meth:`to_dict`; missing fields take their defaults.

        Raises:
            ValueError: unknown fields.
        """
        check_type("config", values, dict, "a table of settings")
        unknown = sorted(set(values) - {f.name for f in dataclasses.fields(TrainConfig)})
        if unknown:
            raise ValueError(f"config: unknown fields {unknown}; written by a newer pgcore?")
        lists: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        keep, length = lists.get("keep"), lists.get("iterations", TrainConfig.iterations)
        if isinstance(keep, tuple) and all(type(i) is int for i in (*keep, length)):
            # an older pgcore let any number pass
            lists["keep"] = tuple(i for i in keep if 0 <= i <= length)
        if isinstance(lists.get("task"), dict):
            lists["task"] = TaskSpec.from_dict(lists["task"])
        return TrainConfig(**lists)

    def digest(self) -> str:
        """A stable hash of all fields."""
        return _digest(self.to_dict())

    def recipe(self) -> dict[str, Any]:
        """What makes an agent at an iteration of its task, but for its seed and its trial.

        How long the run is counts where a rate falls over it.
        """
        beside = _BESIDE if self.anneal else (*_BESIDE, "iterations")
        return {k: v for k, v in self.to_dict().items() if k not in beside}

    def training(self) -> str:
        """A stable hash of the recipe, the seed and the trials, which a resumed run keeps."""
        return _digest([self.recipe(), self.seed, list(self.trial_numbers)])


_BESIDE = ("task", "trials", "first_trial", "seed", "keep", "save_every", "lowered", "block")


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A setting as JSON takes it: NumPy's numbers are numbers, and tuples lists."""
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
