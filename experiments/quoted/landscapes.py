"""Quotations of the landscape study (claims C10 to C14), and of the picture of the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from pack import study

from quoted.studies import AGENTS, N, late_errors
from quoted.writing import effect, ends_of, estimate, interval, number, span, table, verdict

CLEAR = 100_000  # pairs per point at which late changes can be seen
LATE = (150, 300, 450)
SOURCES = (2000, 100_000)


def maps(results: Path) -> dict[str, str]:
    """C10 to C14."""
    data = study("hopper-landscape", results).isel(trial=0)
    return _jagged(data, results) | _steps(data, results) | _lengths(data, results)


def _change(data: xr.Dataset, agent: str, iteration: int, source: int, pairs: int) -> xr.Dataset:
    return data.sel(agent=agent, iteration=iteration, source=source, pairs=pairs)


def _text(own: xr.Dataset) -> str:
    """The change of the reward by one step."""
    return interval(ends_of(own, "one_step_change"), 0, "+")


def pooled_change(
    data: xr.Dataset, agent: str, iteration: int, source: int, least: int = 20_000
) -> tuple[float, float, float]:
    """The change by one step from all its maps together, of so many pairs per point or more.

    The centre is the same policy in the maps of every source. Means are weighted by trajectories,
    which are independent; one step lies between two points of the grid.
    """
    own = data.sel(agent=agent, iteration=iteration, random_scale=0.0)
    own = own.sel(pairs=own["pairs"] >= least)

    def pooled(part: xr.Dataset) -> tuple[float, float]:
        share = part["trajectories"] / part["trajectories"].sum()
        mean = float((share * part["reward"]).sum())
        return mean, float((share**2 * part["reward_error"] ** 2).sum())

    scales = own["step_scale"].values
    after = int(np.searchsorted(scales, 1.0))
    weight = (1.0 - scales[after - 1]) / (scales[after] - scales[after - 1])
    centre = pooled(own.sel(step_scale=0.0))
    before, behind = (pooled(own.sel(source=source).isel(step_scale=i)) for i in (after - 1, after))
    change = (1 - weight) * before[0] + weight * behind[0] - centre[0]
    error = (1 - weight) ** 2 * before[1] + weight**2 * behind[1] + centre[1]
    width = 1.96 * float(np.sqrt(error))  # of dozens of trajectories and more
    return change, change - width, change + width


def _jagged(data: xr.Dataset, results: Path) -> dict[str, str]:
    """C10, over the maps of iterations after the start, and Humanoid's."""
    late = data.sel(iteration=data["iteration"] > 0)
    few, some, many = (late.sel(pairs=n) for n in (2000, 20_000, CLEAR))
    clear = late.sel(pairs=late["pairs"] >= 20_000)
    known, above = clear["jagged"].notnull(), clear["jagged_low"] > 0
    humanoid = study("humanoid-landscape", results).squeeze().sel(pairs=20_000)
    count = f"{int(above.sum())} of {int(known.sum())} maps"
    most = clear["jagged_high"].max()
    found = {
        "rough.few": span(100 * few["unexplained"], 0),
        "noise.few": span(100 * few["unexplained_by_noise"], 0),
        "rough.some": span(100 * some["unexplained"], 0),
        "rough.many": number(100 * many["unexplained"].max(), 0),
        "jagged": span(clear["jagged"]),
        "jagged.high": number(most, 2),
        "jagged.clear": count,
        "jagged.humanoid": estimate(humanoid, "jagged"),
        "traj.few": span(few["mean_trajectories"], 0),
        "humanoid.step": _text(humanoid),
        "c10": f"holds; from 20,000 pairs on at most {number(100 * clear['jagged'].max(), 1)} % of "
        f"the true reward's variation are jagged (interval up to {number(100 * most, 1)} %), more "
        f"than 0 in {count}: nearly all of the jaggedness at 2K is noise",
    }
    return found


def _steps(data: xr.Dataset, results: Path) -> dict[str, str]:
    """C11 and C12: single steps, with intervals over trajectories."""
    million = study("hopper-landscape-1000000", results).isel(trial=0)
    pooled = {
        (a, i, s): pooled_change(data, a, i, s) for a in AGENTS for i in LATE for s in SOURCES
    }
    after_million = {
        (a, i): ends_of(_change(million, a, i, 1_000_000, CLEAR), "one_step_change")
        for a in AGENTS
        for i in (150, 450)
    }
    own = {i: _change(data, "trpo", i, 2000, CLEAR) for i in (150, 450)}
    centre = [float(x["reward"].sel(step_scale=0.0, random_scale=0.0)) for x in own.values()]
    falls = [-float(x["one_step_change"]) for x in own.values()]
    few = [_change(data, a, i, 2000, 20_000) for a in AGENTS for i in (150, 450)]
    signs = sum(int(x["one_step_change_low"] <= 0 <= x["one_step_change_high"]) for x in few)
    rank = data["rank_correlation"].sel(pairs=CLEAR)
    places = rank.stack(place=rank.dims).dropna("place")

    def each(numbers: Mapping[tuple[str, int], Sequence[float]]) -> str:
        """What every step does, agent by agent."""
        parts = {
            a: ", ".join(f"at {i} {effect(x)}" for (b, i), x in numbers.items() if a == b)
            for a in reversed(AGENTS)
        }
        return "; ".join(f"{a.upper()}'s {text}" for a, text in parts.items())

    one = {(a, i): ends for (a, i, s), ends in pooled.items() if s == 2000}
    return {
        "table": _table(data, million, pooled),
        "start.ppo": _text(_change(data, "ppo", 0, 2000, 20_000)),
        "start.trpo": _text(_change(data, "trpo", 0, 2000, 20_000)),
        "trpo.reward": span(np.round(centre, -2), 0),
        "trpo.share": f"{span(100 * np.divide(falls, centre), 0)} %",
        "open": f"{signs} of {len(few)}",
        "trpo.300": _text(_change(data, "trpo", 300, 2000, 20_000)),
        "ppo.pooled": interval(pooled["ppo", 450, 2000], 0, "+"),
        "trpo.300.many": _text(_change(data, "trpo", 300, 100_000, 20_000)),
        "rank.least": _rank(data, places[int(places.values.argmin())]),
        "rank.largest": _rank(data, places[int(places.values.argmax())]),
        "agree": estimate(_change(data, "trpo", 150, 100_000, CLEAR), "sign_agreement"),
        "c11": "one step of one agent at each checkpoint, so a description; `pgcore study step` "
        f"decides. What it does to the reward: {each(one)}",
        "c12": "one step of one agent at each checkpoint, so a description. What it does to the "
        f"reward: {each(after_million)}",
    }


def _table(
    data: xr.Dataset, million: xr.Dataset, pooled: Mapping[tuple[str, int, int], Sequence[float]]
) -> str:
    """Changes of the reward by one step, bold where the interval leaves out 0."""
    columns = [(a, i) for a in AGENTS for i in LATE]
    words = {2000: "2000", 100_000: "10^5", 1_000_000: "10^6"}

    def bold(ends: Sequence[float]) -> str:
        text = interval(ends, 0, "+")
        return f"**{text}**" if ends[1] > 0 or ends[2] < 0 else text

    rows = []
    for source in SOURCES:
        for pairs, per in ((20_000, "20,000"), (CLEAR, "10^5")):
            own = [_change(data, *at, source, pairs) for at in columns]
            known = [ends_of(x, "one_step_change") for x in own]
            cells = [bold(ends) if np.isfinite(ends[0]) else "" for ends in known]
            rows.append([words[source], per, *cells])
        rows.append([words[source], "both", *(bold(pooled[(*at, source)]) for at in columns)])
    cells = [
        bold(ends_of(_change(million, a, i, 1_000_000, CLEAR), "one_step_change"))
        if i in million["iteration"]
        else ""
        for a, i in columns
    ]
    rows.append(["10^6", "10^5 (7 x 3 points)", *cells])
    return table(["step from", "pairs per point", *(f"{a.upper()}, {i}" for a, i in columns)], rows)


def _rank(data: xr.Dataset, place: xr.DataArray) -> str:
    """A rank correlation, and which map's."""
    names = {d: place[d].item() for d in ("agent", "iteration", "source")}
    own = _change(data, *names.values(), CLEAR)
    where = f"{names['agent'].upper()}, {names['iteration']}, step from {names['source']:,} pairs"
    return f"{estimate(own, 'rank_correlation')} ({where})"


def _lengths(data: xr.Dataset, results: Path) -> dict[str, str]:
    """C13, C14, and what common random numbers give."""
    common = study("hopper-landscape-common", results)["pairing_gain"]
    counts = data["mean_trajectories"].sel(pairs=2000)
    start, later = (
        span(counts.sel(iteration=0), 0),
        span(counts.sel(iteration=counts["iteration"] > 0), 0),
    )
    falls = verdict(counts.sel(iteration=0).min() > counts.sel(iteration=list(LATE)).max())
    norms = data["step_norm"].sel(source=2000) / 2
    shares = {a: [number(x) for x in norms.sel(agent=a).values] for a in AGENTS}
    kl = data["kl_at_one_step"].sel(agent="trpo")
    used = data["pairs_used"].sel(pairs=2000, iteration=data["iteration"] > 0)
    used = used.mean(["step_scale", "random_scale"])
    return {
        "common.start": span(common.sel(iteration=0), 1),
        "common.late": span(common.sel(iteration=450), 1),
        "traj.start": start,
        "traj.late": later,
        "norm.ppo": ", ".join(shares["ppo"][:-1]) + f" and {shares['ppo'][-1]}",
        "norm.trpo": ", ".join(shares["trpo"][:-1]) + f" and {shares['trpo'][-1]}",
        "kl": span(kl),
        "pairs.used": span(np.round(used.values, -1), 0),
        "c13": f"{falls}: {start} at the start, {later} later, trial 0",
        "c14": "; ".join(
            f"{a.upper()} {number(norms.sel(agent=a).max())} to {number(norms.sel(agent=a).min())}"
            for a in AGENTS
        ) + " of it",
    }  # fmt: skip


def overview(results: Path) -> dict[str, str]:
    """The three panels of the README's picture."""
    cosines = study("hopper-gradient", results)["pairwise_cosine"].sel(n=N, iteration=450)
    errors, cut = (
        late_errors(study(name, results)).sel(agent="ppo", set="held-out")
        for name in ("hopper-value", "hopper-value-cut")
    )
    data = study("hopper-landscape", results).isel(trial=0)
    step = _change(data, "trpo", 150, CLEAR, CLEAR)
    surrogate = step["surrogate"].sel(random_scale=0.0).values
    return {
        "cosines": " and ".join(
            f"{number(cosines.sel(agent=a).median())} ({a.upper()})" for a in AGENTS
        ),
        "gae": span(errors.sel(target="gae")),
        "known": span(errors.sel(target="returns")),
        "cut": span(cut.sel(target="returns")),
        "step": _text(step),
        "rises": "rises" if (np.diff(surrogate) > 0).all() else "does not rise",
    }
