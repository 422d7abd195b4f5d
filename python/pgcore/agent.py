"""An agent: whatever acts, judges and learns, at one moment of one or several trials.

Training makes one, an importer makes one, a user makes one by hand; studies take them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.agent_parts import check_parts
from pgcore.base.arrays import F64
from pgcore.base.errors import check_count, check_new_file, check_type
from pgcore.base.files import check_replaces, digest_of, write_arrays
from pgcore.base.threads import one_torch_thread
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import Algorithm, find_algorithm
from pgcore.learning.data import Orders, TrainingData
from pgcore.learning.optimizer import Adam
from pgcore.learning.watch import Watch
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch, Scores
from pgcore.rollout.collect import collect, evaluate
from pgcore.tasks.gymnasium import AnyTask
from pgcore.tasks.make import identity_of, make_task, plain_task
from pgcore.tasks.task import TaskSpec

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Agent:
    """Everything of an agent at one moment, frozen: M trials as the members of stacks.

    Attributes:
        task: what it acts in.
        policy: M members.
        value: M value networks, or None: studies that need none run without.
        normalizer: observation statistics of M members, or None.
        actions: what becomes of a sampled action: "none", "clip" to the control range,
            "scale" (clipped to [-1, 1], then mapped to the range) or "tanh" (likewise); costs see
            the result. None: as the task's kind does ("none" for native tasks).
        reward_std: [M], what rewards are divided by on the scale of the value network; None: 1.
        reward_clip: bound of the scaled rewards; None: no bound.
        judgement: discount, lambda and conventions that it was trained with.
        algorithm: its update, by name or as :class:`~pgcore.learning.algorithms.Algorithm`; None:
            studies of steps say that it is missing.
        settings: of the algorithm; None: its defaults.
        rate: share of the learning rate that annealing has left.
        optimizer: Adam's state of the policy (exp_avg [M, P], exp_avg_sq [M, P], step [M]); empty:
            from the start.
        iteration: updates that were made, as far as known; else 0.
        origin: where it came from, plain values; of a run: its ``seed`` and the ``trials`` in it.
    """

    task: AnyTask
    policy: GaussianPolicy
    value: ValueNet | None = None
    normalizer: Normalizer | None = None
    actions: str | None = None
    reward_std: F64 | None = None
    reward_clip: float | None = None
    judgement: Judgement = field(default_factory=Judgement)
    algorithm: Algorithm | str | None = None
    settings: Any = None
    rate: float = 1.0
    optimizer: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    iteration: int = 0
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.task, str | TaskSpec):
            object.__setattr__(self, "task", make_task(self.task))
        if isinstance(self.algorithm, str):
            object.__setattr__(self, "algorithm", find_algorithm(self.algorithm))
        kinds = Algorithm | None
        check_type("algorithm", self.algorithm, kinds, "a name such as 'ppo', or an Algorithm")
        if self.algorithm is not None and self.settings is None:
            object.__setattr__(self, "settings", self.algorithm.settings())  # type: ignore[union-attr]
        check_parts(self)

    @property
    def members(self) -> int:
        """M, the number of trials."""
        return self.policy.members

    def select(self, trial: int) -> Agent:
        """One trial, as a stack of one member."""
        check_count("trial", trial, 0, self.members - 1)
        own = slice(trial, trial + 1)
        value, normalizer, std = self.value, self.normalizer, self.reward_std
        origin = dict(self.origin)
        if "trials" in origin:
            origin["trials"] = [origin["trials"][trial]]
        return dataclasses.replace(
            self,
            policy=self.policy.with_members(self.policy.flat[own]),
            value=None if value is None else value.with_members(value.flat[own]),
            normalizer=None if normalizer is None else normalizer.select(own),
            reward_std=None if std is None else std[own],
            optimizer={name: array[own] for name, array in self.optimizer.items()},
            origin=origin,
        )

    def rewards(self, raw: F64) -> F64:
        """Rewards of one trial on the scale that its value network was trained on."""
        if self.reward_std is None:
            return raw
        bound = self.reward_clip or np.inf
        return np.asarray(np.clip(raw / (self.reward_std[0] + 1e-8), -bound, bound))

    def digest(self) -> str:
        """SHA-256 of what acts, judges and learns, and of its task.

        Of settings, those that are not the defaults, so that a setting to come changes no digest;
        of the task the model, and its rules where they are not those of a built-in task.
        """
        changed = {"judgement": _changed(self.judgement), "settings": _changed(self.settings)}
        rules = {**self._rules(), **changed, **identity_of(self.task)}
        text = json.dumps(rules, sort_keys=True, default=str)
        return digest_of(self._arrays() | {"rules": np.frombuffer(text.encode(), dtype=np.uint8)})

    def collect(self, steps: int, streams: int = 1, seed: int = 0, **options: Any) -> RolloutBatch:
        """Transitions of its policy; see :func:`pgcore.collect`."""
        _check_not_its_own(options)
        return collect(
            self.task,
            self.policy,
            steps,
            streams,
            seed,
            normalizer=self.normalizer,
            actions=self.actions,
            **options,
        )

    def evaluate(self, pairs: int = 100_000, seed: int = 0, **options: Any) -> Scores:
        """Returns of whole trajectories; see :func:`pgcore.evaluate`."""
        _check_not_its_own(options)
        return evaluate(
            self.task,
            self.policy,
            pairs,
            seed,
            normalizer=self.normalizer,
            actions=self.actions,
            **options,
        )

    def updated(
        self, data: TrainingData, seed: int, label: int = 0, watch: Watch | None = None
    ) -> F64:
        """θ' - θ [P] after one policy update of one trial, from its optimiser's state.

        Args:
            data: the pairs [1, N, ...] that the update is computed from.
            seed, label: of its random orders.
            watch: what the update tells as it goes, of an algorithm that can be watched.

        Raises:
            ValueError: the agent has no algorithm.
        """
        algorithm = self.check_algorithm()
        policy = self.policy.with_members(self.policy.flat)
        settings = vars(self.settings)
        rate = settings.get("policy_lr", 0.0) * self.rate
        eps = settings.get("adam_eps", 1e-5)
        optimizer = Adam(policy.flat, policy.flat_grad, rate, eps)
        if self.optimizer:
            optimizer.load_state(self.optimizer)
        with one_torch_thread():
            orders = Orders(seed, [label], self.iteration)
            told = {} if watch is None else {"watch": watch}
            algorithm.update(policy, data, self.settings, optimizer, orders, **told)
        step: F64 = (policy.flat - self.policy.flat)[0].numpy().astype(np.float64)
        return step

    def check_algorithm(self) -> Algorithm:
        """The algorithm; ValueError if the agent has none."""
        if not isinstance(self.algorithm, Algorithm):
            raise ValueError(
                "agent: a step needs the algorithm that makes it, and this agent has none; give "
                "Agent(..., algorithm=, settings=)"
            )
        return self.algorithm

    def check_value(self) -> ValueNet:
        """The value network; ValueError if the agent has none."""
        if self.value is None:
            raise ValueError(
                "agent: advantages need a value network, and this agent has none; give it one in "
                "Python (Agent(..., value=)), or choose a study that can do without (baseline zero)"
            )
        return self.value

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {"policy.flat": self.policy.flat.numpy()}
        if self.value is not None:
            arrays["value.flat"] = self.value.flat.numpy()
        if self.normalizer is not None:
            for name in ("count", "mean", "m2"):
                arrays[f"normalizer.{name}"] = getattr(self.normalizer, name)
        if self.reward_std is not None:
            arrays["reward_std"] = np.asarray(self.reward_std, dtype=np.float64)
        return arrays | {f"optimizer.{name}": a for name, a in self.optimizer.items()}

    def _rules(self) -> dict[str, Any]:
        """What makes numbers beside the arrays, as plain values."""
        return {
            "policy": self.policy.kind(),
            "value": None if self.value is None else _value_kind(self.value),
            "obs_clip": None if self.normalizer is None else self.normalizer.clip,
            "actions": self.actions,
            "reward_clip": self.reward_clip,
            "judgement": dataclasses.asdict(self.judgement),
            "algorithm": None if self.algorithm is None else self.check_algorithm().name,
            "settings": None if self.settings is None else dataclasses.asdict(self.settings),
            "rate": self.rate,
        }

    def save(self, path: str | Path) -> None:
        """Write the agent as one safetensors file, which :func:`pgcore.load_agent` reads.

        An earlier agent's file, or an empty one, is replaced; its folder is made if need be.

        Raises:
            ValueError: another file is there.
        """
        path = check_new_file("path", path)
        check_replaces(path, "agent")
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {
            "kind": "agent",
            "format": FORMAT,
            "task": plain_task(self.task),
            "model": self.task.model_hash(),
            **self._rules(),
            "iteration": self.iteration,
            "origin": dict(self.origin),
        }
        write_arrays(path, header, self._arrays())


def _check_not_its_own(options: Mapping[str, Any]) -> None:
    """TypeError for what an agent itself brings to a call."""
    for name in ("task", "policy", "normalizer", "actions"):
        if name in options:
            raise TypeError(
                f"{name}: expected none, since the agent brings its own; dataclasses.replace("
                f"agent, {name}=...) is another agent"
            )


def _changed(settings: Any) -> dict[str, Any]:
    """The fields of some settings that differ from their defaults."""
    fields = () if settings is None else dataclasses.fields(settings)
    return {f.name: v for f in fields if (v := getattr(settings, f.name)) != f.default}


def _value_kind(network: ValueNet) -> dict[str, Any]:
    """What a network is, but for its sizes and parameters."""
    return {"hidden": list(network.hidden), "activation": network.activation}
