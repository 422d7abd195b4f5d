"""Labels: which agents are compared, and which are trials of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pgcore.agent import Agent
from pgcore.base.errors import check_type
from pgcore.studies.engine.moments import AnySources, Moment, Source, find_moments


def named_sources(sources: AnySources) -> Iterator[tuple[str | None, Source]]:
    """(label or None, source) of everything that was given."""
    if isinstance(sources, Mapping):
        for label, source in sources.items():
            if isinstance(source, Sequence) and not isinstance(source, str):
                if not source:
                    raise ValueError(f"agents: expected at least one of {label!r}, got none")
                yield from ((_checked_label(label), one) for one in source)
            else:
                yield _checked_label(label), source
        return
    if not isinstance(sources, str | Path | Agent | Sequence):
        got = type(sources).__name__
        raise TypeError(f"agents: expected run folders, agent files or agents, got {got}")
    for source in [sources] if isinstance(sources, str | Path | Agent) else sources:
        label, equals, path = str(source).partition("=")
        there = not isinstance(source, Agent) and Path(source).exists()  # its name may have a "="
        if not isinstance(source, Agent) and equals and "/" not in label and not there:
            if not path:
                raise ValueError(f"agents: expected LABEL=PATH, got {source!r}")
            yield _checked_label(label), Path(path)
        else:
            yield None, source


def _checked_label(label: Any) -> str:
    check_type("agents", label, str, "labels that are texts")
    if not label.strip() or not label.isprintable():
        raise ValueError(f"agents: expected a label of printable letters, got {label!r}")
    return str(label)


def find_all(
    named: Sequence[tuple[str | None, Source]], iterations: Sequence[int] | None
) -> list[Moment]:
    """The moments of all sources: those of one label are its trials, one source after the other."""
    found: list[Moment] = []
    taken: dict[str, int] = {}
    for name, source in named:
        first = taken.get(name, 0) if name else 0
        own = [dataclasses.replace(m, first=first) for m in find_moments(name, source, iterations)]
        if name:
            taken[name] = first + max((m.members for m in own), default=0)
        found += own
    return label_moments(found, [name for name, _ in named])


def label_moments(found: list[Moment], names: list[str | None]) -> list[Moment]:
    """The moments with labels where none was given."""
    unnamed = [m for m in found if not m.label]
    algorithms = {}
    for m in unnamed:
        algorithm = m.agent().algorithm
        algorithms[m] = "agent" if algorithm is None else getattr(algorithm, "name", "agent")
    holders: dict[str, set[str]] = {}
    for m in unnamed:
        holders.setdefault(algorithms[m], set()).add(_place(m))
    taken = {n for n in names if n}
    named = []
    for m in found:
        label = m.label
        if not label:
            label = algorithms[m]
            if len(holders[label]) > 1 or label in taken:
                label = Path(_place(m)).name or label
        named.append(dataclasses.replace(m, label=label))
    if len({m.name for m in named}) < len(named):
        twice = next(m.label for i, m in enumerate(named) if m.name in {n.name for n in named[:i]})
        raise ValueError(
            f"agents: two are called {twice!r}; give labels, as in LABEL=PATH: two to compare "
            "them, or one if they are trials of one agent"
        )
    return named


def _place(moment: Moment) -> str:
    """The folder of a run, the file of an agent without its ending, or what stands for it."""
    path = Path(moment.path)
    if moment.config:
        return str(path.parent.parent)
    return str(path.with_suffix("")) if moment.path else moment.digest[:8]


def check_one_task(found: list[Moment]) -> None:
    tasks = {(t.id, t.definition_hash()) for t in (m.agent().task for m in found)}
    if len(tasks) != 1:
        names = ", ".join(sorted({name for name, _ in tasks}))
        several = "" if "," in names else f" in {len(tasks)} definitions"
        raise ValueError(
            f"agents: expected agents on one task (with one model and one set of rules), got "
            f"{names}{several}"
        )


def check_trials(found: Sequence[Moment]) -> None:
    """ValueError where agents of one label are the same, or differ in more than their trial."""
    for m in found:
        others = [n for n in found if n.label == m.label and n.first < m.first]
        kinds = [_kind(n.agent()) for n in (*others[:1], m)]
        if differing := [name for name in kinds[0] if kinds[0][name] != kinds[-1][name]]:
            raise ValueError(
                f"agents: trials of {m.label!r} differ in {', '.join(differing)}; agents to be "
                "compared have labels of their own"
            )
        if others:
            _check_recipes(others[0], m)
        if any(_share_a_trial(n, m) for n in others):
            raise ValueError(
                f"agents: {m.label!r} is given one agent twice ({m.path or 'an Agent'}); its "
                "trials are agents of different seeds, or of different trials of a seed"
            )


def _share_a_trial(one: Moment, other: Moment) -> bool:
    """Whether two sources have an agent in common, by seed and trial or, unknown, by its arrays."""
    if one.seeds is not None and other.seeds is not None:
        (seed, numbers), (other_seed, others) = one.seeds, other.seeds
        return seed == other_seed and not set(numbers).isdisjoint(others)
    if one.iteration != other.iteration:
        return False
    every = [{m.agent().select(t - m.first).digest() for t in m.trials} for m in (one, other)]
    return not every[0].isdisjoint(every[1])


def _check_recipes(one: Moment, other: Moment) -> None:
    """ValueError where the runs of two moments were trained by other settings."""
    checkpoints = one.checkpoint(), other.checkpoint()
    if checkpoints[0] is None or checkpoints[1] is None:
        return
    recipes = [c.config.recipe() for c in checkpoints if c is not None]
    names = recipes[0].keys() | recipes[1].keys()
    if differing := sorted(n for n in names if recipes[0].get(n) != recipes[1].get(n)):
        raise ValueError(
            f"agents: trials of {other.label!r} were trained with other {', '.join(differing)}; "
            "agents to be compared have labels of their own"
        )


def _kind(agent: Agent) -> dict[str, Any]:
    """What the trials of one agent have in common."""
    policy, value, normalizer = agent.policy, agent.value, agent.normalizer
    return {
        "algorithm": getattr(agent.algorithm, "name", None),
        "settings": agent.settings,
        "judgement": agent.judgement,
        "policy network": (policy.sizes, policy.activation, policy.head),
        "value network": None if value is None else (value.sizes, value.activation),
        "statistics": None if normalizer is None else normalizer.clip,
        "actions": agent.actions,
        "reward_clip": agent.reward_clip,
    }
