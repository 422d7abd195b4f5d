"""What an update study says in a report: sentences, tidy tables, and their limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.base.words import spanned
from pgcore.studies.engine.findings import Answer, Column, Findings, Number, Table
from pgcore.studies.engine.sentences import Part, may_decide, named, nearest, sampling
from pgcore.studies.measures.surfaces import Interval
from pgcore.studies.measures.updates import Along, Verdict, groups, over_units

_LEFT = "what an update leaves, mean over units"
_RETURN, _DISCOUNTED = {"measure": "return"}, {"measure": "discounted"}
_COLUMNS = (
    Column("change", "change", None, _RETURN, meaning="of the mean return, from the start"),
    Column("discounted", "change", None, _DISCOUNTED, meaning="the same of the discounted return"),
    Column(
        "rest",
        "change",
        None,
        _RETURN,
        meaning="what the update adds to the return after this point; its intervals hold for all "
        "points together (Bonferroni)",
    ),
    Column("gain", "surrogate"),
    Column("fresh gain", "fresh"),
    Column("KL", "kl", 4),
    Column("trajectories", "trajectories", 0, meaning="behind a change of one update"),
)


def update_findings(data: xr.Dataset) -> Findings:
    """Of the dataset of :func:`pgcore.studies.update.opening.open_update`."""
    return Findings(_answers(data), [_table(data)], _limits(data))


def _number(x: Interval, column: Column, at: dict[str, Any], how: str) -> Number:
    return column.number((x.estimate, x.low, x.high), {**at, **column.at}, how)


def _last(data: xr.Dataset, n: int) -> Iterator[tuple[str, int, Along]]:
    """The updates of each agent's last iteration."""
    found: dict[str, tuple[int, Along]] = {}
    for agent, iteration, pairs, along, _ in groups(data):
        if pairs == n:
            found[agent] = (iteration, along)
    for agent, (iteration, along) in found.items():
        yield agent, iteration, along


def _answers(data: xr.Dataset) -> list[Answer]:
    from pgcore.studies.style import AGENT_PAIRS

    n = nearest(data["n"].values, AGENT_PAIRS)
    change, own, fresh = _COLUMNS[0], _COLUMNS[3], _COLUMNS[4]
    changes, gains, others, counts, verdicts = [], [], [], [], []
    for agent, iteration, along in _last(data, n):
        at = {"agent": agent, "iteration": iteration, "n": n}
        left = {c.title: over_units(along.ends(c.variable)) for c in (change, own, fresh)}
        who = f"{agent}, iteration {iteration}"
        changes.append((who, _number(left[change.title], change, at, _LEFT)))
        gains.append((agent, _number(left[own.title], own, at, _LEFT)))
        others.append((agent, _number(left[fresh.title], fresh, at, _LEFT)))
        counts.append(len(along.trials))
        verdicts.append(f"{agent}: {_verdict(along)}")
    if not counts:
        return []
    parts: list[Part] = [f"A whole update from {n} pairs changes the mean return by "]
    parts += [
        *named(changes),
        ". What it maximises gains ",
        *named(gains),
        " on its own pairs and ",
    ]
    parts += [*named(others), " on fresh ones."]
    if may_decide(counts):
        rule = "by the 95 % intervals of what is left of an update"
        parts.append(f" Where ascent stops to pay, {rule}: {'; '.join(verdicts)}.")
    return [Answer(parts, sampling(counts, f"its {data.sizes['update']} updates"))]


def _verdict(along: Along) -> str:
    """Where ascent pays in true reward, and where it stops to, as the study's table has it."""
    verdict, unit = Verdict.of(along.rest_intervals()), "the try of" if along.search else "pass"

    def place(p: int) -> str:
        return "the start" if p == 0 else f"{unit} {along.at[p - 1]:.3g}"

    said = []
    if verdict.pays is not None:
        said.append(f"what follows {place(verdict.pays)} raises the return")
    if verdict.stops is not None:
        said.append(f"what follows {place(verdict.stops)} lowers it")
    return ", ".join(said) or "open"


def _table(data: xr.Dataset) -> Table:
    units = data.sizes["trial"] > 1
    title = (
        f"Along {data.sizes['update']} updates of each trial, at passes over the pairs, or "
        "fractions of the step that a line search tries (0: the start): means, 95 % intervals over "
        + ("trials" if units else "updates")
    )
    rows: list[tuple[Sequence[Any], Sequence[Number]]] = []
    for agent, iteration, n, along, discounted in groups(data):
        at = {"agent": agent, "iteration": iteration, "n": n}
        rest = along.rest_intervals()
        for p, x in enumerate([0.0, *along.at]):
            sources = (along, discounted, along, along, along, along, along)
            cells = [
                rest[p] if c.title == "rest" else _at(a, c.variable, p)
                for a, c in zip(sources, _COLUMNS, strict=True)
            ]
            place = (agent, iteration, n, float(f"{x:.3g}"))
            how = f"at {place[-1]}, mean over units"
            numbers = [
                _number(cell, c, at, f"rest {how}" if c.title == "rest" else how)
                for cell, c in zip(cells, _COLUMNS, strict=True)
            ]
            rows.append((place, numbers))
    columns = [_described(data, c) for c in _COLUMNS]
    return Table("points", title, ("agent", "iteration", "n", "at"), columns, rows)


def _at(along: Along, name: str, p: int) -> Interval:
    """Over the updates that have a value at a point; of the start there is nothing."""
    if not p:
        return Interval(math.nan, math.nan, math.nan)
    values: F64 = along.values[name][..., p - 1]
    whole = over_units(values)
    return whole if name in ("change", "surrogate", "fresh") else _middle(whole)


def _middle(x: Interval) -> Interval:
    return Interval(x.estimate, math.nan, math.nan)


def _described(data: xr.Dataset, column: Column) -> Column:
    attributes = data[column.variable].attrs if column.variable in data else {}
    meaning = column.meaning or str(attributes.get("long_name", column.title))
    unit = str(attributes.get("units", "1"))
    return Column(column.title, column.variable, column.digits, column.at, unit, meaning)


def _limits(data: xr.Dataset) -> list[str]:
    limits = []
    counts: Any = data["trajectories"].values
    counts = counts[np.isfinite(counts)]
    if counts.size:
        limits.append(
            f"A change of one update is from {spanned(counts.min(), counts.max(), '.0f')} "
            "trajectories, paired with those of the start."
        )
    limits.append(
        "Points of one update are of the same updates: their intervals are not independent, and "
        "those of the rest hold for all points together (Bonferroni)."
    )
    return limits
