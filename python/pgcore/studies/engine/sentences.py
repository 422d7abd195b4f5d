"""Sentences about a study's numbers: which agents, over what, and what may be decided."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.words import spanned
from pgcore.studies.engine.findings import Number
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE

Part = str | Number
_MOST_NAMED = 3  # agents of one sentence; of more, the lowest and the highest


def spec_of(data: xr.Dataset) -> dict[str, Any]:
    """The settings that made a study's dataset."""
    spec: dict[str, Any] = json.loads(data.attrs.get("spec", "{}"))
    return spec


def nearest(values: Any, wanted: float) -> int:
    """The number of pairs that is nearest to a wanted one, as a ratio."""
    known = np.asarray(values)
    return int(known[np.argmin(np.abs(np.log(known / wanted)))])


def iterations_of(data: xr.Dataset, variable: str) -> Iterator[tuple[str, list[int]]]:
    """Each agent with the iterations at which a variable is known; agents with none are left out.

    Args:
        data: of a study.
        variable: with the dimensions agent and iteration.
    """
    own = data[variable]
    known = own.notnull().any([d for d in own.dims if d not in ("agent", "iteration")])
    known = known.transpose("agent", "iteration")
    for agent, row in zip(data["agent"].values, known.values, strict=True):
        if row.any():
            yield str(agent), data["iteration"].values[row].tolist()


def trials_of(data: xr.Dataset, variable: str, agent: str, iteration: int) -> list[int]:
    """The trials at which an agent has a variable."""
    own = data[variable].sel(agent=agent, iteration=iteration)
    known = own.notnull().any([d for d in own.dims if d != "trial"])
    return [int(t) for t in data["trial"].values[known.values]]


def named(numbers: Sequence[tuple[str, Number]]) -> list[Part]:
    """``0.1 (ppo), 0.2 (trpo) and 0.3 (a2c)``; of more agents the lowest and the highest.

    Args:
        numbers: with whose they are.
    """
    known = [(who, number) for who, number in numbers if number.known]
    if not known:
        return ["not known"]
    if len(known) > _MOST_NAMED:
        known.sort(key=lambda pair: pair[1].key)
        (low, first), (high, last) = known[0], known[-1]
        return ["from ", first, f" ({low}) to ", last, f" ({high}), {len(known)} agents"]
    parts: list[Part] = []
    for i, (who, number) in enumerate(known):
        joint = "" if i == 0 else " and " if i == len(known) - 1 else ", "
        parts += [joint, number, f" ({who})"] if joint else [number, f" ({who})"]
    return parts


def sampling(trials: Sequence[int], within: str, mean: str = "means") -> str:
    """What was sampled, and what intervals are over.

    Args:
        trials: how many each agent has.
        within: what the intervals of one trial are over.
        mean: what is said of several trials.
    """
    fewest, most = min(trials), max(trials)
    if most < 2:
        return (
            f"One trial of each agent; intervals are 95 % over {within} and say nothing about "
            "other trials. This describes these agents and decides nothing about their algorithms."
        )
    count = spanned(fewest, most)
    text = f"{mean[0].upper()}{mean[1:]} over {count} trials of each agent (the sampling unit)"
    if fewest < TRIALS_TO_DECIDE:
        return (
            f"{text}; fewer than {TRIALS_TO_DECIDE} trials describe, and decide nothing about "
            "the algorithms."
        )
    return f"{text}."


def may_decide(trials: Sequence[int]) -> bool:
    """Whether every agent has as many trials as a decision takes."""
    return bool(trials) and min(trials) >= TRIALS_TO_DECIDE


def against_zero(numbers: Sequence[tuple[str, Number]], what: str) -> str:
    """A sentence on which intervals exclude 0; for as many trials as a decision takes.

    Args:
        numbers: with whose they are.
        what: the thing that is above or below 0.
    """
    sides: dict[str, list[str]] = {}
    for who, x in numbers:
        if x.has_interval:
            side = "above 0" if x.low > 0 else "below 0" if x.high < 0 else "not clear of 0"
            sides.setdefault(side, []).append(who)
    if not sides:
        return ""
    texts = [f"{side} for {', '.join(who)}" for side, who in sides.items()]
    return f" By its 95 % interval {what} is {'; '.join(texts)}."
