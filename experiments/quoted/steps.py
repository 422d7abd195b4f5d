"""Quotations of the step study of eight trials (claim C11)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import xarray as xr
from pack import study

from pgcore.studies.measures.differences import paired_difference
from pgcore.studies.measures.step_summary import Steps
from pgcore.studies.measures.surfaces import Interval
from quoted.studies import AGENTS
from quoted.writing import interval, number, table


def steps(results: Path) -> dict[str, str]:
    """What whole steps of an iteration's pairs do to the reward, over trials."""
    data = study("hopper-step", results).isel(n=0).sel(fraction=1.0, kind="step")
    walker = study("walker-step", results).isel(n=0).sel(fraction=1.0, kind="step")
    head = ["", "iteration", "mean change", "spread of steps", "share that lowers"]
    head += [
        "median gain of the surrogate",
        "mean on fresh pairs",
        "correlation of gain and change",
    ]
    last = {a: _of(data, a, int(data["iteration"].max())) for a in AGENTS}
    shares = {a: own.lowering_shares() for a, own in last.items()}
    trials = len(next(iter(last.values())).trials)
    sure, may = (
        "; ".join(f"{interval(_ends(shares[a][k]))} ({a.upper()})" for a in AGENTS) for k in (0, 1)
    )
    return (
        _controls(results)
        | {"conventions": _conventions(results)}
        | _many(study("hopper-step-1000000", results), "many")
        | _many(study("walker-step-1000000", results), "walker.many")
        | {
            "gains": _largest_gains(data),
            "table": table(head, _rows(data)),
            "walker": table(head, _rows(walker)),
            "clear": "; ".join(
                f"{a.upper()} {interval(_ends(shares[a][0]))} ({interval(_ends(shares[a][1]))} may)"
                for a in AGENTS
            ),
            "trials": f"{data.sizes['step']} steps of each of {trials} trials",
            "c11": f"undecided: of {data.sizes['step']} steps of each of {trials} trials at "
            f"{int(data['iteration'].max())}, all of which raise the surrogate, a share of {sure} "
            f"clearly lower the reward, but {may} may",
        }
    )


def _controls(results: Path) -> dict[str, str]:
    """Steps beside random ones of equal KL, and ones of equal length along the true gradient."""
    data = study("hopper-controls", results).isel(n=0, iteration=0).sel(fraction=1.0)
    own = data.sel(measure="return")
    kinds = ("step", "random", "true")
    head = ["", "the step", "random, equal KL", "true gradient, equal length"]
    head += ["the step less random", "less the true gradient"]
    rows = []
    for a in AGENTS:
        each = [own.sel(agent=a, kind=kind) for kind in kinds]
        changes = [part["change"].mean("step").values for part in each]
        less = [dataclasses.astuple(paired_difference(changes[0], c))[:3] for c in changes[1:]]
        ends = [*(_over_trials(part, "mean_change") for part in each), *less]
        rows.append([a.upper(), *(interval(x, 0, "+") for x in ends)])
    sizes = f"{data.sizes['step']} steps of each of {data.sizes['trial']} trials"
    return {"controls": table(head, rows), "controls.size": sizes}


def _conventions(results: Path) -> str:
    """Steps judged as training does, and less those that are judged correctly, over trials."""
    found = []
    last = {"iteration": 450, "fraction": 1.0, "kind": "step", "measure": "return"}
    kept = [
        study(name, results).isel(n=0).sel(last) for name in ("hopper-step-agent", "hopper-step")
    ]
    for a in AGENTS:
        changes = [data["change"].sel(agent=a).mean("step").values for data in kept]
        less = dataclasses.astuple(paired_difference(*changes))[:3]
        own = interval(_over_trials(kept[0].sel(agent=a), "mean_change"), 0, "+")
        found.append(f"{own} ({a.upper()}; to the table's {interval(less, 0, '+')})")
    return "; ".join(found)


def _many(data: xr.Dataset, name: str) -> dict[str, str]:
    """C12: steps from 10^6 pairs, at the last iteration."""
    data = data.isel(n=0, iteration=0).sel(fraction=1.0, kind="step")
    rows, found = [], {}
    for agent in AGENTS:
        own, steps = data.sel(agent=agent), Steps.of(data.sel(agent=agent))
        sure, may = steps.lowering_shares()[:2]
        each = sorted(steps.change.mean(axis=1))
        found[f"{name}.{agent}"] = ", ".join(number(x, 0, "+") for x in each)
        rows.append(
            [agent.upper(), interval(_ends(steps.mean()), 0, "+")]
            + [interval(_ends(steps.lowers()))]
            + [f"{interval(_ends(sure))}, {interval(_ends(may))}"]
            + [interval(_over_trials(own, "median_gain"), 4, "+")]
            + [interval(_over_trials(own, "mean_fresh_gain"), 4, "+")]
        )
    head = ["", "mean change", "share that lowers", "clearly, may"]
    head += ["median gain of the surrogate", "mean on fresh pairs"]
    sizes = f"{data.sizes['step']} steps of each of {data.sizes['trial']} trials"
    return {name: table(head, rows), f"{name}.size": sizes, **found}


def _largest_gains(data: xr.Dataset) -> str:
    """How many steps have a gain above 1, and which."""
    gains = data["surrogate"].sel(agent="trpo").values
    large = sorted((float(x) for x in gains[gains > 1]), reverse=True)
    texts = " and ".join(number(x, 1) for x in large)
    return f"{len(large)} of {int((gains == gains).sum())} steps of TRPO have a gain of {texts}"


def _of(data: xr.Dataset, agent: str, iteration: int) -> Steps:
    return Steps.of(data.sel(agent=agent, iteration=iteration))


def _over_trials(data: xr.Dataset, name: str) -> tuple[float, float, float]:
    ends = [float(data[f"{name}_over_trials{end}"]) for end in ("", "_low", "_high")]
    return ends[0], ends[1], ends[2]


def _ends(x: Interval) -> tuple[float, float, float]:
    return x.estimate, x.low, x.high


def _rows(data: xr.Dataset) -> list[list[str]]:
    iterations = [int(i) for i in data["iteration"].values]
    return [_row(data, a, i) for a in AGENTS for i in iterations]


def _row(data: xr.Dataset, agent: str, iteration: int) -> list[str]:
    own = _of(data, agent, iteration)
    there = data.sel(agent=agent, iteration=iteration)
    first = iteration == int(data["iteration"].values[0])
    return [
        agent.upper() if first else "",
        str(iteration),
        interval(_ends(own.mean()), 0, "+"),
        interval(_ends(own.spread()), 0),
        interval(_ends(own.lowers())),
        interval(_over_trials(there, "median_gain"), 3, "+"),
        interval(_over_trials(there, "mean_fresh_gain"), 4, "+"),
        interval(_ends(own.correlations()[0])),
    ]
