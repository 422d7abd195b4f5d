"""What a value study says in a report: sentences, tidy tables, and their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from pgcore.studies.engine.findings import Answer, Column, Findings, Number, Table
from pgcore.studies.engine.sentences import (
    Part,
    iterations_of,
    named,
    sampling,
    spec_of,
    trials_of,
)
from pgcore.studies.engine.tidy import compared, pick, range_of, tidy
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, differences_of
from pgcore.studies.measures.divergence import divergence_note

_MEANINGS = {
    "mre": "mean relative error",
    "median_re": "median relative error",
    "normalized": "root mean square error over the target's standard deviation",
    "explained_variance": "explained variance",
}
_HELD_OUT = {"set": "held-out", "measure": "mre"}


def value_findings(data: xr.Dataset) -> Findings:
    """Of the dataset of :func:`pgcore.studies.value.opening.open_value`."""
    return Findings(_answers(data), _tables(data), _limits(data))


def _answers(data: xr.Dataset) -> list[Answer]:
    ends = {agent: known[-1] for agent, known in iterations_of(data, "error")}
    if not ends:
        return []
    counts = [len(trials_of(data, "error", agent, i)) for agent, i in ends.items()]

    def errors(target: str) -> list[tuple[str, Number]]:
        column = Column("", "error_iqm", 2, {**_HELD_OUT, "target": target})
        return [
            (
                f"{agent}, iteration {i}" if target == "gae" else agent,
                pick(data, column, {"agent": agent, "iteration": i}),
            )
            for agent, i in ends.items()
        ]

    parts: list[Part] = ["On held-out pairs the value network's mean relative error is "]
    parts += [*named(errors("gae")), " against its own target (GAE), and "]
    parts += [*named(errors("returns")), " against the returns."]
    if "gram" in data:
        parts += _variance_parts(data) + _misfit_parts(data)
    return [Answer(parts, _unit(data, counts))]


def _unit(data: xr.Dataset, counts: list[int]) -> str:
    if max(counts) < 2:
        return sampling(counts, "its states or estimates, where there are any,")
    few = min(counts) < TRIALS_TO_DECIDE
    over = "about the range of the trials" if few else "95 % over trials (bootstrap)"
    text = f"{sampling(counts, '', 'interquartile means')} In brackets: {over}"
    return f"{text}; a range (to) is that of the trials." if "gram" in data else f"{text}."


def _late(data: xr.Dataset, column: Column) -> list[tuple[str, Number]]:
    """Ranges over the trials, of each agent's last iteration at which there is a number."""
    return [
        (
            f"{agent}, iteration {known[-1]}",
            range_of(data, column, {"agent": agent, "iteration": known[-1]}),
        )
        for agent, known in iterations_of(data, column.variable)
    ]


def _variance_parts(data: xr.Dataset) -> list[Part]:
    n = int(data["n"].values.max())
    ratios = _late(data, Column("", "variance_ratio", 2, {"baseline": "true value", "n": n}))
    text = f" With a fitted true value as the baseline, gradient estimates from {n} pairs have "
    whose = " times the variance that they have with the value network (all trials)."
    return [text, *named(ratios), whose] if ratios else []


def _misfit_parts(data: xr.Dataset) -> list[Part]:
    shares = _late(data, Column("", "value_net_misfit", 3))
    text = f" Against Monte Carlo values of {data.sizes['state']} states it misses a share of "
    return [text, *named(shares), " of the variance of value over states."] if shares else []


def _tables(data: xr.Dataset) -> list[Table]:
    several = data.sizes["trial"] > 1
    over = "95 % intervals over them" if data.sizes["trial"] >= TRIALS_TO_DECIDE else "their range"
    whose = f"interquartile means over trials, in brackets {over}" if several else "of one trial"
    place = ("agent", "iteration")
    errors = [_error(f"{t}, {s}", t, s, "mre") for t in ("gae", "returns") for s in _sets(data)]
    title = f"Mean relative error of the value network on its target (GAE) and returns: {whose}"
    tables = [tidy(data, "errors", title, place, errors)]
    further = [
        _error(f"{t}, {name}", t, "held-out", measure)
        for t in ("gae", "returns")
        for name, measure in (
            ("median", "median_re"),
            ("rms/std", "normalized"),
            ("explained", "explained_variance"),
        )
    ]
    title = f"Further errors on held-out pairs: {whose}"
    tables.append(tidy(data, "further-errors", title, place, further, main=False))
    if "gram" in data:
        tables += _of_estimates(data)
    return tables + compared(_differences(data))


def _sets(data: xr.Dataset) -> list[str]:
    return [str(s) for s in data["set"].values]


def _error(title: str, target: str, which: str, measure: str) -> Column:
    at = {"set": which, "target": target, "measure": measure}
    on = "its GAE target" if target == "gae" else "returns"
    meaning = f"{_MEANINGS[measure]} against {on}, {which} pairs"
    return Column(title, "error_iqm", 3, at, meaning=meaning)


def _of_estimates(data: xr.Dataset) -> list[Table]:
    n = int(data["n"].values.max())
    place = ("agent", "iteration", "trial")
    net, true, zero = ({"baseline": b, "n": n} for b in ("value net", "true value", "zero"))
    columns = [
        Column("true value / value net", "variance_ratio", None, true),
        Column("no baseline / value net", "variance_ratio", None, zero),
        Column("cosine, true value", "pairwise_cosine", 2, true),
        Column("cosine, value net", "pairwise_cosine", 2, net),
        Column("cosine, no baseline", "pairwise_cosine", 2, zero),
    ]
    title = (
        f"Total variance over the value network's, and pairwise cosines, by baseline at n = {n} "
        "pairs: 95 % intervals over estimates"
    )
    misfits = [
        Column("value net", "value_net_misfit", 3),
        Column("fitted true value", "fitted_misfit", 3),
        Column("noise", "monte_carlo_noise", 3),
    ]
    monte_carlo = (
        f"Squared error against Monte Carlo values of {data.sizes['state']} states, as a share of "
        "the variance of value: 95 % intervals over states"
    )
    return [
        tidy(data, "variance", title, place, columns),
        tidy(data, "monte-carlo", monte_carlo, place, misfits),
    ]


def _differences(data: xr.Dataset) -> dict[str, xr.Dataset]:
    found = {
        f"{target}, held-out": differences_of(data.sel({"target": target, **_HELD_OUT}), "error")
        for target in ("gae", "returns")
    }
    if "gram" in data:
        own = data.sel(n=data["n"].values.max(), baseline="value net")
        found["variance removed"] = differences_of(own, "variance_removed")
    return found


def _limits(data: xr.Dataset) -> list[str]:
    spec: dict[str, Any] = spec_of(data)
    limits = []
    if "hidden_state" in data.attrs:
        limits.append(
            f"Not all of the state is seen: {data.attrs['hidden_state']}. A value network's error "
            "holds what they say of the return."
        )
    if spec.get("returns") == "resolved" and "share" in data:
        share = range_of(data, Column("", "share", 2, {"set": "held-out", "target": "returns"}), {})
        if share.known:
            limits.append(
                f"The return is known for {share.text()} of the held-out pairs; others are left "
                "out, so that errors against returns are of other states than those against GAE."
            )
    elif spec.get("returns") == "cut":
        limits.append(
            "Returns are cut at the time limit and at the end of the pairs, as in the paper: the "
            "error against them holds that cut, too."
        )
    if "gram" not in data:
        limits.append("Variances and Monte Carlo values were not measured.")
        return limits
    limits.append(
        f"The true value is a network fitted to {spec.get('true_value_pairs')} pairs, itself with "
        "an error (see its share of the variance of value)."
    )
    noise = range_of(data, Column("", "monte_carlo_noise", 3), {})
    if noise.known:
        limits.append(
            f"Monte Carlo values are means of {spec.get('continuations')} continuations; their "
            f"noise is {noise.text()} of the variance of value, and is taken off."
        )
    unknown = int(np.isnan(data["value_net_misfit"].values[_measured(data)]).sum())
    if unknown:
        limits.append(
            f"In {unknown} cases (agent, iteration, trial) the Monte Carlo values do not "
            "differ by more than their noise."
        )
    if blown := divergence_note(data, "estimates_diverged"):
        limits.append(f"Of the estimates: {blown}.")
    if lost := int(data.get("continuations_diverged", xr.DataArray(0.0)).sum()):
        limits.append(f"{lost} continuations ended because the simulation blew up.")
    return limits


def _measured(data: xr.Dataset) -> Any:
    return data["value"].notnull().any("state").transpose("agent", "iteration", "trial").values
