"""What a variance study says in a report: sentences, tidy tables, and their limits."""

from __future__ import annotations

from typing import Any

import xarray as xr

from pgcore.studies.engine.findings import Answer, Column, Findings, Number
from pgcore.studies.engine.sentences import Part, iterations_of, named, sampling, trials_of
from pgcore.studies.engine.tidy import compared, pick, tidy
from pgcore.studies.measures.differences import differences_of

_PLACE = ("agent", "iteration", "baseline")
_NUMBERS = (("tr Σ", "total"), ("tr Σ left", "total_left"), ("pairs left", "pairs_left"))


def variance_findings(data: xr.Dataset) -> Findings:
    """Of the dataset of :func:`pgcore.studies.variance.opening.open_variance`."""
    several = data.sizes["trial"] > 1
    columns = [Column(title, name) for title, name in _NUMBERS]
    columns += [Column(str(p), "share", 3, {"part": str(p)}) for p in data["part"].values]
    tables = []
    if several:
        over = [Column(c.title, f"{c.variable}_over_trials", c.digits, c.at) for c in columns]
        title = "Variance and its parts: over trials, 95 % intervals over them"
        tables.append(tidy(data, "agents", title, _PLACE, over))
    title = "Each trial: 95 % intervals over trajectories, with a state of each"
    tables.append(tidy(data, "trials", title, (*_PLACE, "trial"), columns, not several))
    found = {
        f"{title}, {baseline}": differences_of(data.sel(baseline=baseline), name)
        for title, name in _NUMBERS[1:]
        for baseline in ("value net", "fitted value")
    }
    return Findings(_answers(data), tables + compared(found), _LIMITS)


_LIMITS = (
    "Shares and what is left are of returns that end at the time limit, with lambda 1. The best "
    "state baseline leaves least to the pairs, which is not the same as to a whole trajectory; it "
    "knows the step, too.",
)


def _answers(data: xr.Dataset) -> list[Answer]:
    own = data.sel(baseline=["none"])
    ends = {agent: known[-1] for agent, known in iterations_of(own, "total")}
    if not ends:
        return []
    trials = {a: trials_of(own, "total", a, i) for a, i in ends.items()}
    counts = [len(t) for t in trials.values()]

    def numbers(variable: str, digits: int, at: dict[str, Any]) -> list[tuple[str, Number]]:
        several = max(counts) > 1
        column = Column("", f"{variable}_over_trials" if several else variable, digits)
        return [
            (f"{a}, iteration {i}", pick(data, column, place if several else place | {"trial": t}))
            for (a, i), t in zip(ends.items(), (t[0] for t in trials.values()), strict=True)
            for place in [{"agent": a, "iteration": i, **at}]
        ]

    net = numbers("pairs_left", 2, {"baseline": "value net"})
    fitted = numbers("pairs_left", 2, {"baseline": "fitted value"})
    best = numbers("pairs_left", 2, {"baseline": "best"})
    rest = numbers("share", 2, {"baseline": "value net", "part": "rest"})
    shared = numbers("share", 2, {"baseline": "value net", "part": "covariance"})
    parts: list[Part] = ["Of the variance that single pairs have without a baseline, the value net"]
    parts += [" leaves ", *named(net), "; a value fitted to many returns ", *named(fitted)]
    parts += [", and the best state baseline ", *named(best), "."]
    parts += [" With the value net, the rest of the trajectory is a share of ", *named(rest)]
    parts += [" of tr Σ, and the covariance between pairs ", *named(shared), "."]
    return [Answer(parts, sampling(counts, "its trajectories"))]
