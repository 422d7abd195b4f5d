"""What a step study says in a report: sentences, tidy tables, and their limits."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.studies.engine.findings import Answer, Column, Findings, Number, Table
from pgcore.studies.engine.sentences import (
    Part,
    against_zero,
    iterations_of,
    may_decide,
    named,
    nearest,
    sampling,
    trials_of,
)
from pgcore.studies.engine.tidy import compared, pick, range_of, tidy
from pgcore.studies.measures.differences import differences_of

_STEP = {"kind": "step", "measure": "return"}
_PLACE = ("agent", "iteration", "n", "fraction")
_COLUMNS = (
    ("change", "mean_change", None, _STEP),
    ("discounted", "mean_change", None, {"kind": "step", "measure": "discounted"}),
    ("spread", "change_spread", None, _STEP),
    ("lowers", "lowering_share", 2, _STEP),
    ("r", "gain_correlation", 2, _STEP),
    ("reliability", "change_reliability", 2, _STEP),
    ("random step", "mean_change", None, {"kind": "random", "measure": "return"}),
    ("true gradient", "mean_change", None, {"kind": "true", "measure": "return"}),
)


def step_findings(data: xr.Dataset) -> Findings:
    """Of the dataset of :func:`pgcore.studies.step.opening.open_step`."""
    return Findings(_answers(data), _tables(data), _limits(data))


def whole_step(data: xr.Dataset) -> float:
    """The fraction that is nearest to a whole step."""
    fractions = data["fraction"].values
    return float(fractions[np.argmin(np.abs(fractions - 1.0))])


def _answers(data: xr.Dataset) -> list[Answer]:
    from pgcore.studies.style import AGENT_PAIRS

    n = nearest(data["n"].values, AGENT_PAIRS)
    fraction = whole_step(data)
    own = data.sel(n=[n], kind=["step"], fraction=[fraction], measure=["return"])
    ends = {agent: known[-1] for agent, known in iterations_of(own, "change")}
    if not ends:
        return []
    trials = {agent: trials_of(own, "change", agent, i) for agent, i in ends.items()}
    counts = [len(t) for t in trials.values()]

    def number(agent: str, variable: str, digits: int | None) -> Number:
        at = {"agent": agent, "iteration": ends[agent], "n": n, "fraction": fraction, **_STEP}
        if max(counts) > 1:
            return pick(data, Column("", f"{variable}_over_trials", digits), at)
        return pick(data, Column("", variable, digits), {**at, "trial": trials[agent][0]})

    change = [(f"{a}, iteration {i}", number(a, "mean_change", None)) for a, i in ends.items()]
    lowers = [(a, number(a, "lowering_share", 2)) for a in ends]
    together = [(a, number(a, "gain_correlation", 2)) for a in ends]
    parts: list[Part] = [f"A step from {n} pairs changes the mean return by ", *named(change)]
    parts += [" on average; the share of measured changes below 0 is ", *named(lowers), "."]
    parts += [" Between the steps of a trial, the surrogate's gain and the reward's change have a "]
    parts += ["correlation of ", *named(together), "."]
    if may_decide(counts):
        parts.append(against_zero(change, "the mean change"))
    return [Answer(parts, sampling(counts, f"its {data.sizes['step']} steps"))]


def _tables(data: xr.Dataset) -> list[Table]:
    several = data.sizes["trial"] > 1
    steps = data.sizes["step"]
    tables = []
    if several:
        over = [Column(t, f"{name}_over_trials", d, at) for t, name, d, at in _COLUMNS]
        title = f"{steps} steps of each trial: over trials, 95 % intervals over them"
        tables.append(tidy(data, "agents", title, _PLACE, over))
    each = [Column(t, name, d, at) for t, name, d, at in _COLUMNS]
    title = f"Each trial: 95 % intervals over its {steps} steps"
    tables.append(tidy(data, "trials", title, (*_PLACE, "trial"), each, not several))
    own = data.sel({"fraction": whole_step(data), **_STEP})
    found = {
        f"change, n = {n}": differences_of(own.sel(n=n), "mean_change") for n in data["n"].values
    }
    return tables + compared(found)


def _limits(data: xr.Dataset) -> list[str]:
    limits = []
    own = data.sel(kind="step", fraction=whole_step(data))
    kept = range_of(own, Column("", "change_reliability", 2, {"measure": "return"}), {})
    if kept.known:
        limits.append(
            f"A share of {kept.text()} of the variance of the measured changes is no evaluation "
            "noise (over agents, iterations, n and trials). Noise draws the share of steps that "
            "lower the reward to a half."
        )
    norms = data["norm"].sel(kind="step")
    if refused := int((norms == 0).sum()):
        limits.append(f"{refused} of {int(norms.notnull().sum())} steps were refused (length 0).")
    return limits
