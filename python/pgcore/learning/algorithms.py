"""The table of algorithms: name -> settings, update, objective."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pgcore.base.errors import check_choice
from pgcore.learning import a2c, ppo, trpo

Update = Callable[..., dict[str, Tensor]]
Objective = Callable[[Tensor, Tensor, Any], Tensor]


@dataclass(frozen=True)
class Algorithm:
    """A policy update that can be trained with and studied; also one of a user's own.

    Attributes:
        name: how it is called in configs, files and figures.
        settings: a frozen dataclass with defaults. A field of
            :class:`pgcore.training.TrainConfig` of the same name sets it in training.
        update: (policy, data, settings, optimizer, orders) -> statistics [M] by name. Changes the
            stack ``policy`` in place; members must not mix. ``optimizer`` is Adam of
            ``policy.flat`` with its learning rate already annealed; ``orders`` gives permutations.
            One that can be watched takes ``watch`` (:data:`pgcore.learning.watch.Watch`), too.
        objective: (ratio [M, B], advantages [M, B], settings) -> [M], what the update ascends,
            for landscapes; ratio = π_θ(a|s) / π_old(a|s), advantages are normalised.
    """

    name: str
    settings: type[Any]
    update: Update
    objective: Objective

    @property
    def can_be_watched(self) -> bool:
        """Whether its update tells where it comes by."""
        return "watch" in inspect.signature(self.update).parameters

    def make_settings(self, values: Mapping[str, Any]) -> Any:
        """Settings from those of ``values`` that it has; the others take their defaults."""
        names = [f.name for f in dataclasses.fields(self.settings)]
        return self.settings(**{n: values[n] for n in names if n in values})


ALGORITHMS: dict[str, Algorithm] = {
    "ppo": Algorithm("ppo", ppo.PpoSettings, ppo.update, ppo.objective),
    "trpo": Algorithm("trpo", trpo.TrpoSettings, trpo.update, trpo.objective),
    "a2c": Algorithm("a2c", a2c.A2cSettings, a2c.update, a2c.objective),
}


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of a name; ValueError if there is none."""
    return ALGORITHMS[check_choice("algorithm", name, list(ALGORITHMS))]
