"""What a landscape study says in a report: sentences, a tidy table, limits, and surfaces."""

from __future__ import annotations

from typing import Any

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
    spec_of,
    trials_of,
)
from pgcore.studies.engine.tidy import pick, tidy

_COLUMNS = (
    Column("trajectories", "mean_trajectories", 0),
    Column("agree", "sign_agreement", 2),
    Column("rank", "rank_correlation", 2),
    Column("rank in the corner", "corner_rank_correlation", 2),
    Column("one step", "one_step_change"),
    Column("one step, discounted", "discounted_one_step_change"),
    Column(
        "jagged",
        "jagged",
        2,
        meaning="share of the true reward's variation over the plane that a smooth polynomial "
        "does not explain",
    ),
    Column("KL", "kl_at_one_step", 4),
    Column("step length", "step_norm", 3),
)
_PLACE = ("agent", "iteration", "trial", "source", "pairs")


def landscape_findings(data: xr.Dataset) -> Findings:
    """Of the dataset of :func:`pgcore.studies.landscape.opening.open_landscape`."""
    from pgcore.studies.landscape.page import landscape_surfaces
    from pgcore.studies.landscape.surface_figures import is_plane

    surfaces = [landscape_surfaces(data)] if is_plane(data) else []
    return Findings(_answers(data), [_table(data)], _limits(data), [s for s in surfaces if s.data])


def _table(data: xr.Dataset) -> Table:
    trials = "" if data.sizes["trial"] == 1 else ", each of one trial"
    title = f"Maps{trials}: 95 % intervals over the trajectories of their points"
    return tidy(data, "maps", title, _PLACE, _COLUMNS, needs="mean_trajectories")


def _most_pairs(data: xr.Dataset, source: int, agent: str, iteration: int) -> int:
    """The most pairs per point of the maps that an agent has at an iteration."""
    own = data["reward"].sel(source=source, agent=agent, iteration=iteration)
    known = own.notnull().any([d for d in own.dims if d != "pairs"])
    return int(data["pairs"].values[known.values].max())


def _answers(data: xr.Dataset) -> list[Answer]:
    from pgcore.studies.style import AGENT_PAIRS

    source = nearest(data["source"].values, AGENT_PAIRS)
    own = data.sel(source=[source])
    ends = {agent: known[-1] for agent, known in iterations_of(own, "reward")}
    if not ends:
        return []
    places = {
        agent: {
            "agent": agent,
            "iteration": i,
            "source": source,
            "pairs": _most_pairs(data, source, agent, i),
        }
        for agent, i in ends.items()
    }
    trials = {
        agent: trials_of(own.sel(pairs=[places[agent]["pairs"]]), "reward", agent, i)
        for agent, i in ends.items()
    }
    counts = [len(t) for t in trials.values()]

    def number(agent: str, variable: str, digits: int | None) -> Number:
        if max(counts) > 1:
            return pick(data, Column("", f"{variable}_over_trials", digits), places[agent])
        at = {**places[agent], "trial": trials[agent][0]}
        return pick(data, Column("", variable, digits), at)

    agree = [
        (
            f"{a}, iteration {i}, {places[a]['pairs']} pairs per point",
            number(a, "sign_agreement", 2),
        )
        for a, i in ends.items()
    ]
    rank = [(a, number(a, "rank_correlation", 2)) for a in ends]
    change = [(a, number(a, "one_step_change", None)) for a in ends]
    parts: list[Part] = [
        f"Along a step from {source} pairs, the share of the grid's intervals in which surrogate "
        "and true reward rise or fall together is ",
        *named(agree),
        "; over the whole map their rank correlation is ",
        *named(rank),
        ". One full step changes the mean return by ",
        *named(change),
        ".",
    ]
    if may_decide(counts):
        parts.append(against_zero(change, "the change by one full step"))
    within = "the trajectories of the points of one step and one random direction"
    return [Answer(parts, sampling(counts, within))]


def _limits(data: xr.Dataset) -> list[str]:
    from pgcore.studies.landscape.figures import LEAST_TRAJECTORIES

    limits = [
        "A map shows one step and one random direction of each trial; other draws of the step give "
        "other maps."
    ]
    means: Any = data["mean_trajectories"].values
    few, known = int((means < LEAST_TRAJECTORIES).sum()), int(np.isfinite(means).sum())
    if few:
        limits.append(
            f"In {few} of {known} maps a point has fewer than {LEAST_TRAJECTORIES} trajectories "
            "on average: means are too high where good trajectories are long, and intervals too "
            "narrow."
        )
    if spec_of(data).get("noise") == "common":
        limits.append(
            "All points share random numbers: differences along the map are paired, and there are "
            "no bounds for agreement and rank correlation."
        )
    whole = data["trajectories"].notnull()
    if lost := int((whole & ~np.isfinite(data["reward"])).sum()):
        limits.append(f"{lost} points have no finite reward, and are left out of their maps.")
    if refused := int((data["step_norm"] == 0).sum()):
        limits.append(f"{refused} updates were refused: there is no direction to show.")
    return limits
