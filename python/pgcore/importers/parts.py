"""What a reader finds in the files of a library, in that library's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgcore.base.arrays import F64
from pgcore.base.errors import CheckpointError
from pgcore.policies.mlp import ACTIVATIONS

State = Mapping[str, Any]
_TORCH = ("torch", "nn", "F")  # where its activations are, as people write it


@dataclass(frozen=True)
class Options:
    """What a user says beside the file.

    Attributes:
        normalizer: a file of observation statistics.
        activation: between the layers, where the file does not say.
        library: name of the reader; None: found out.
    """

    normalizer: Path | None = None
    activation: str | None = None
    library: str | None = None


@dataclass(frozen=True)
class Statistics:
    """Frozen observation statistics: the input is clip((obs - mean) / scale, ±clip).

    Attributes:
        mean, scale: [O] float64.
        clip: bound, or None.
        count: observations that they are of, as far as the file says.
        variance, eps: what the scale was made of, where it is sqrt(variance + eps); else None.
    """

    mean: F64
    scale: F64
    clip: float | None
    count: float | None = None
    variance: F64 | None = None
    eps: float = 0.0


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron as torch holds it.

    Attributes:
        weights: of each layer, [out, in].
        biases: of each layer, [out].
        activation: between the layers.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    activation: str


@dataclass(frozen=True)
class Parts:
    """An agent in its library's terms.

    Attributes:
        library: its name.
        policy: of the mean.
        log_std: [A]; with ``std="state"`` empty.
        value: in units of the (scaled) reward, or None.
        std: "free", or "state": the second half of the policy's outputs.
        log_std_range: with "state": between these the outputs are held; None: another map.
        mean_map: "none", or "tanh" of the policy's outputs.
        observations: statistics, or None.
        observations_missing: why statistics that it was trained with are not there; None: none.
        observations_proof: what in the files shows that the statistics are its own; "" if nothing.
        actions: a key of :data:`~pgcore.tasks.actions.ACTION_MAPS`.
        bounds: of the actions that it was trained with, lowest and highest of each [A], if known.
        reward_std, reward_clip: see :class:`pgcore.Agent`.
        algorithm, settings: of pgcore, as far as found.
        judgement: fields of :class:`~pgcore.learning.advantages.Judgement` that differ.
        moments: Adam's exp_avg and exp_avg_sq as networks with their log_std, and step.
        iteration: updates made.
        timesteps: environment steps made, if known.
        notes: by name, what a user has to know.
        source: other plain values for the agent's origin.
    """

    library: str
    policy: Network
    log_std: Tensor
    value: Network | None
    std: str = "free"
    log_std_range: tuple[float, float] | None = None
    mean_map: str = "none"
    observations: Statistics | None = None
    observations_missing: str | None = None
    observations_proof: str = ""
    actions: str = "clip"
    bounds: tuple[F64, F64] | None = None
    reward_std: float | None = None
    reward_clip: float | None = None
    algorithm: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    judgement: Mapping[str, Any] = field(default_factory=dict)
    moments: Mapping[str, Any] = field(default_factory=dict)
    iteration: int = 0
    timesteps: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)


def refuse(reason: str) -> CheckpointError:
    """The one line for an agent that cannot be one of pgcore."""
    return CheckpointError(reason)


def check_representable(parts: Parts) -> None:
    """The one place that knows what a pgcore agent cannot be; CheckpointError by name."""
    if parts.std == "state" and parts.log_std_range is None:
        raise refuse(
            "a standard deviation that depends on the state by this map (or Beta) is not supported"
        )
    if parts.mean_map != "none":
        raise refuse(f"a mean behind {parts.mean_map} is not supported")
    for network in (parts.policy, parts.value):
        if network is not None and network.activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise refuse(f"activation {network.activation!r} is not supported; known: {known}")


def activation_named(text: str) -> str:
    """pgcore's name of an activation from a class or function of torch.

    A class of another module computes what it likes under the same name: it keeps its whole name.
    """
    place, _, name = text.strip("<>'\" ").removeprefix("class '").rpartition(".")
    if place and place.split(".")[0] not in _TORCH:
        return f"{place}.{name}"
    name = name.lower()
    return {"swish": "silu", "leakyrelu": "leaky_relu", "identity": "linear"}.get(name, name)


def chosen_activation(
    options: Options, default: str, notes: dict[str, str], why: str = "the library's default"
) -> str:
    """The activation that the user gives or, with a note, the usual one of the library."""
    if options.activation is not None:
        return activation_named(options.activation)
    notes["activation"] = f"the file does not say; {default} is assumed, {why}"
    return default


def agreed_activation(options: Options, found: str) -> str:
    """The activation that a file names; another one that the user gives only if that is unknown."""
    found = activation_named(found)
    asked = found if options.activation is None else activation_named(options.activation)
    if asked != found and found in ACTIVATIONS:
        raise refuse(f"--activation: the file says {found}, got {asked}; leave it away")
    return asked


def optimizer_settings(content: Any, name: str, notes: dict[str, str]) -> dict[str, float]:
    """Rate and epsilon that the state of one Adam for all says; says itself that there is no more.

    Args:
        content: of the file.
        name: of the optimiser's state in it.
        notes: gets a note on the settings.
    """
    notes["settings"] = "the file has none; pgcore's defaults of ppo are assumed"
    state = content.get(name) if isinstance(content, Mapping) else None
    groups = state.get("param_groups") if isinstance(state, Mapping) else None
    if not isinstance(groups, list) or len(groups) != 1 or not isinstance(groups[0], Mapping):
        return {}
    rate, eps = (groups[0].get(key) for key in ("lr", "eps"))
    if not isinstance(rate, float) or not isinstance(eps, float) or not (rate > 0 and eps > 0):
        return {}
    notes["settings"] = (
        "learning rate and epsilon are those that its optimizer had last; the file has no more, "
        "and pgcore's defaults of ppo are assumed"
    )
    return {"policy_lr": rate, "adam_eps": eps}


class Keys:
    """A state dict whose entries are taken one by one, so that none is overlooked."""

    def __init__(self, state: Any, library: str) -> None:
        if not isinstance(state, Mapping) or not all(isinstance(k, str) for k in state):
            raise refuse(f"expected a state dict of {library}, got {type(state).__name__}")
        self.left = {k: v for k, v in state.items() if isinstance(v, Tensor)}
        self.library = library

    def has(self, beginning: str) -> bool:
        """Whether a key that was not taken begins so."""
        return any(k.startswith(beginning) for k in self.left)

    def take(self, key: str) -> Tensor:
        """One tensor as float32, finite."""
        if key not in self.left:
            near = ", ".join(list(self.left)[:6])
            raise refuse(f"{self.library}: expected {key!r} in its state dict, which has {near}")
        tensor: Tensor = self.left.pop(key).detach().to(torch.float32)
        if not bool(torch.isfinite(tensor).all()):
            raise refuse(f"{key}: expected finite values, got NaN or infinity")
        return tensor

    def numbered(self, prefix: str) -> list[str]:
        """Names of the linear layers ``prefix.0, prefix.2, ...``; activations are in between."""
        inside = [k[len(prefix) + 1 :] for k in self.left if k.startswith(prefix + ".")]
        numbers = sorted({int(k.split(".")[0]) for k in inside if k.split(".")[0].isdigit()})
        if numbers != list(range(0, 2 * len(numbers), 2)):
            raise refuse(
                f"{prefix}: expected linear layers and activations in turn, numbered 0, 2, ...; "
                f"got {', '.join(map(str, numbers))} (dropout, normalisation layers: unsupported)"
            )
        return [f"{prefix}.{n}" for n in numbers]

    def layers(self, names: list[str], activation: str) -> Network:
        """The network of some linear layers, taken."""
        taken = [(n, self.take(f"{n}.weight"), self.take(f"{n}.bias")) for n in names]
        return network_of(taken, activation)

    def chain(self, prefix: str, *heads: str, activation: str) -> Network:
        """The linear layers of ``prefix`` and then ``heads``, as a network."""
        names = [*self.numbered(prefix), *heads]
        if not names:
            near = ", ".join(list(self.left)[:6])
            raise refuse(
                f"{self.library}: expected layers {prefix}.0, {prefix}.2, ... in its state dict, "
                f"which has {near}"
            )
        return self.layers(names, activation)

    def put_back(self, state: State, prefix: str) -> None:
        """Make entries that begin so available again, for a second network that has them, too."""
        self.left |= {k: v for k, v in state.items() if k.startswith(prefix)}

    def finish(self) -> None:
        """CheckpointError if something is left: a part that the reader does not know."""
        if self.left:
            shown = ", ".join(list(self.left)[:4])
            kinds = {
                "cnn": "a CNN",
                "lstm": "a recurrent network",
                "rnn": "a recurrent network",
                "gru": "a recurrent network",
            }
            said = [v for k, v in kinds.items() if any(k in name for name in self.left)]
            what = f" ({said[0]}, which is not supported)" if said else ""
            raise refuse(f"{self.library}: unknown parts in its state dict: {shown}{what}")


def network_of(layers: list[tuple[str, Tensor, Tensor]], activation: str) -> Network:
    """A network of named layers whose shapes fit one behind the other."""
    if not layers:
        raise refuse("expected at least one layer, got none")
    width: int | None = None
    for name, weight, bias in layers:
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise refuse(
                f"{name}: expected a linear layer, weight [out, in] and bias [out], got "
                f"{list(weight.shape)} and {list(bias.shape)}"
            )
        if width is not None and weight.shape[1] != width:
            raise refuse(f"{name}: expected [.., {width}], got {list(weight.shape)}")
        width = weight.shape[0]
    return Network(tuple(w for _, w, _ in layers), tuple(b for _, _, b in layers), activation)


def copied_trunk(notes: dict[str, str]) -> None:
    """Say that a trunk which both networks share became two."""
    notes["shared_trunk"] = (
        "policy and value network share layers there; here each has a copy: gradients and "
        "landscapes of the policy are exact, its joint update is not"
    )


JOINT_CLIP = (
    "the gradient of policy and value network is cut to max_grad_norm together there, the "
    "policy's alone here"
)
