"""What a page says of every study: limits, settings, and where the numbers are from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import xarray as xr

from pgcore.studies.engine.identities import named_moment
from pgcore.studies.engine.report import cells_left_out
from pgcore.studies.engine.sentences import spec_of
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE
from pgcore.studies.measures.divergence import simulation_remarks
from pgcore.studies.report.sets import Given

Row = tuple[str, str]
_SHOWN_APART = ("spec", "moments", "seeds", "wall_seconds", "cells_left_out")


def general_limits(given: Given) -> list[str]:
    """What limits the answers of any study, from its dataset."""
    data = given.data
    limits = []
    if (trials := data.sizes["trial"]) < TRIALS_TO_DECIDE:
        limits.append(
            f"Few trials: {trials} of the {TRIALS_TO_DECIDE} that a statement about agents takes."
        )
    known = given.measured()
    expected = (
        _expected(given, known.any("trial")) * trials if "agent" in known.dims else known.size
    )
    if missing := expected - int(known.sum()):
        limits.append(
            f"{missing} of {expected} cases ({', '.join(given.place)}) have no number: the study "
            "has not finished them, or the trial was left out."
        )
    if left_out := str(data.attrs.get("trials_left_out", "")):
        limits.append(f"Trials that were left out: {left_out}.")
    limits += [f"Left out: {line}." for line in cells_left_out(data)]
    if warm := str(data.attrs.get("warm_up", "")):
        limits.append(f"Warm-up: {warm}.")
    if imported := str(data.attrs.get("imported", "")):
        limits.append(f"Imported agents: {imported}.")
    return limits + [f"{line}." for line in _simulation(data)]


def _expected(given: Given, known: xr.DataArray) -> int:
    """How many agents at iterations a study is about: those that it names, and has numbers of."""
    if "agent" not in known.dims:
        return known.size
    labels, iterations = (known[d].values.tolist() for d in ("agent", "iteration"))
    named = {named_moment(name)[:2] for name in given.moments}
    return sum(
        bool(known.values[a, i]) or (label, iteration) in named
        for a, label in enumerate(labels)
        for i, iteration in enumerate(iterations)
    )


def _simulation(data: xr.Dataset) -> list[str]:
    """What is said of simulations that blew up, also where it is not known of how many."""
    names = [n for n in ("diverged", "trajectories") if n in data]
    if "diverged" not in data or (len(names) == 2 and len({data[n].dims for n in names}) == 1):
        return simulation_remarks(data)
    lost = int(data["diverged"].sum())
    said = [f"{lost} trajectories ended because the simulation blew up"] if lost else []
    return said + simulation_remarks(data.drop_vars("diverged"))


def settings(given: Given) -> list[Row]:
    """The settings that made the numbers, by name; those of the sampling with a dot."""
    rows: list[Row] = []
    for name, value in sorted(spec_of(given.data).items()):
        inner = value if isinstance(value, dict) else {"": value}
        rows += [(f"{name}.{k}".rstrip("."), _text(v)) for k, v in sorted(inner.items())]
    return rows


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def provenance(given: Given) -> list[Row]:
    """What made the numbers: versions, machine, agents, time; then whatever else is stored."""
    attributes = dict(given.data.attrs)
    versions = {k: attributes.pop(k) for k in list(attributes) if k.startswith("version_")}
    rows = [("study", given.name)]
    rows.append(
        ("versions", ", ".join(f"{k.removeprefix('version_')} {v}" for k, v in versions.items()))
    )
    for name, title in (("cpu", "CPU"), ("threads", "threads"), ("engine_passes", "engine passes")):
        if name in attributes:
            rows.append((title, _text(attributes.pop(name))))
    rows += [("seconds", text) for text in [_seconds(given)] if text]
    rows += _seed_rows(attributes.get("seeds", {}))
    for name in sorted(attributes.keys() - set(_SHOWN_APART)):
        rows.append((name.replace("_", " "), _text(attributes[name])))
    return rows


def _seconds(given: Given) -> str:
    known = {n: s["wall_seconds"] for n, s in given.stores.items() if "wall_seconds" in s}
    texts = [f"{float(seconds):.0f} ({name})" for name, seconds in known.items()]
    return ", ".join(texts)


def _seed_rows(seeds: Mapping[str, Any]) -> Iterator[Row]:
    """The seed of each agent's run, once for iterations that agree."""
    found: dict[str, list[str]] = {}
    for name, (seed, trials) in seeds.items():
        label, _, iteration = str(name).rpartition("/")
        numbers = ", ".join(str(t) for t in trials)
        found.setdefault(f"{label}: seed {seed}, trials {numbers}", []).append(iteration)
    for text, iterations in found.items():
        yield "seeds", f"{text} (iterations {', '.join(iterations)})"
