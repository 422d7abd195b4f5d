"""What the families of environments have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, NamedTuple

from pgcore.tasks.term import Term

Interval = tuple[float, float]


class Parts(NamedTuple):
    """What a family makes of its options: the fields of a ``TaskSpec`` of these names."""

    xml: str
    frame_skip: int
    reset: tuple[Term, ...]
    observation: tuple[Term, ...]
    reward: tuple[Term, ...]
    termination: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Family:
    """A family of environments.

    Attributes:
        build: (version, options) to parts; its keyword parameters are the options of all versions.
        note: one line on what the task is.
        only_v5, only_v4: options that the other version's constructor lacks.
        v4_values: what v4 has in place of v5's defaults, for options that it lacks.
        time_limit: steps, as registered.
        no_v4: why v4 cannot run here, if so.
    """

    build: Callable[..., Parts]
    note: str
    only_v5: tuple[str, ...] | Literal["all"]
    only_v4: tuple[str, ...] = ()
    v4_values: Mapping[str, Any] = field(default_factory=dict)
    time_limit: int = 1000
    no_v4: str | None = None

    def options(self, version: int) -> dict[str, tuple[Any, Any]]:
        """Name to (type, default) of the options of a version."""
        parameters = inspect.signature(self.build, eval_str=True).parameters.values()
        known = {p.name: (p.annotation, p.default) for p in parameters if p.kind == p.KEYWORD_ONLY}
        if version == 4 and self.only_v5 == "all":
            return {}
        missing = self.only_v5 if version == 4 else self.only_v4
        return {name: known[name] for name in known if name not in missing}


def limits(interval: Interval, low: str = "low", high: str = "high") -> dict[str, float]:
    """An interval as parameters of a term; an infinite end is the terms' default."""
    named = {low: interval[0], high: interval[1]}
    return {name: value for name, value in named.items() if abs(value) != inf}


def noise(scale: float, velocity: str = "uniform") -> tuple[Term, ...]:
    return (
        Term.of("uniform", target="qpos", scale=scale),
        Term.of(velocity, target="qvel", scale=scale),
    )


def positions(skipped: int) -> Term:
    return Term.of("qpos", start=int(skipped)) if skipped else Term.of("qpos")


def unhealthy(terminate: bool, kind: str, **parameters: float | str) -> Term:
    return Term.of(kind, **parameters) if terminate else Term.of(kind, ends=0, **parameters)


def healthy(version: int, value: float, terminate: bool = True) -> Term:
    """v4 pays on every step, the last one included, unless it goes on when unhealthy."""
    return Term.of(
        "healthy", value=value, when="always" if version == 4 and terminate else "healthy"
    )
