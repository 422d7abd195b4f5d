"""What a gradient study says in a report: sentences, tidy tables, and their limits."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.base.words import spanned
from pgcore.studies.engine.findings import Answer, Column, Findings, Number, Table, number_text
from pgcore.studies.engine.sentences import (
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

_COSINES = {
    "pairwise": ("pairwise_cosine", 2),
    "to true": ("cosine_to_true", 2),
    "steps pairwise": ("step_pairwise_cosine", 3),
    "steps to true": ("step_cosine_to_true", 3),
}


def gradient_findings(data: xr.Dataset) -> Findings:
    """Of the dataset of :func:`pgcore.studies.gradient.opening.open_gradient`."""
    return Findings(_answers(data), _tables(data), _limits(data))


def agent_pairs(data: xr.Dataset) -> int:
    """The n that is nearest to the pairs of an agent's iteration."""
    from pgcore.studies.style import AGENT_PAIRS

    return nearest(data["n"].values, AGENT_PAIRS)


def _answers(data: xr.Dataset) -> list[Answer]:
    n = agent_pairs(data)
    own = data.sel(n=[n])
    ends = dict(iterations_of(own, "pairwise_cosine"))
    if not ends:
        return []
    trials = {a: trials_of(own, "pairwise_cosine", a, known[-1]) for a, known in ends.items()}
    counts = [len(t) for t in trials.values()]
    to_true = [len(trials_of(own, "cosine_to_true", a, i[-1])) for a, i in ends.items()]

    def cosine(agent: str, iteration: int, name: str) -> Number:
        at = {"agent": agent, "iteration": iteration, "n": n}
        if max(counts) > 1:
            return pick(data, Column("", f"{name}_over_trials", 2), at)
        return pick(data, Column("", name, 2), {**at, "trial": trials[agent][0]})

    late = [
        (f"{a}, iteration {i[-1]}", cosine(a, i[-1], "pairwise_cosine")) for a, i in ends.items()
    ]
    true = [(a, cosine(a, i[-1], "cosine_to_true")) for a, i in ends.items()]
    parts = [f"Gradient estimates from {n} pairs have a mean pairwise cosine of ", *named(late)]
    fewer = "" if to_true == counts else f" (of {spanned(min(to_true), max(to_true))} trials)"
    parts += [f", and a mean cosine to the true gradient{fewer} of ", *named(true), "."]
    early = [
        (f"{a}, iteration {i[0]}", cosine(a, i[0], "pairwise_cosine"))
        for a, i in ends.items()
        if len(i) > 1
    ]
    if early:
        parts += [" At the first iteration measured the pairwise cosine was ", *named(early), "."]
    if may_decide(counts):
        parts.append(against_zero(late, "the pairwise cosine at the last iteration"))
    return [Answer(parts, sampling(counts, f"its {data.sizes['estimate']} estimates"))]


def _tables(data: xr.Dataset) -> list[Table]:
    n = agent_pairs(data)
    own = data.sel(n=n)
    several = data.sizes["trial"] > 1
    over = [Column(t, f"{name}_over_trials", digits) for t, (name, digits) in _COSINES.items()]
    tables = []
    if several:
        title = (
            f"Cosines at n = {n} pairs: means over trials, 95 % intervals over them (Student's t)"
        )
        tables.append(tidy(own, "agents", title, ("agent", "iteration"), over))
    title = (
        f"Each trial at n = {n} pairs: 95 % intervals over {data.sizes['estimate']} estimates "
        "(jackknife; to true: Student's t)"
    )
    each = [Column(t, name, digits) for t, (name, digits) in _COSINES.items()]
    each += [
        Column("B, true gradient", "true_noise_scale"),
        Column("B, estimates", "noise_scale"),
        Column("split half", "split_half_cosine", 2),
        Column("norm without noise", "true_norm"),
        Column("trajectories", "mean_trajectories", 1),
    ]
    tables.append(tidy(own, "trials", title, ("agent", "iteration", "trial"), each, not several))
    columns = over[:2] if several else each[:2]
    names = ("agent", "iteration", "n") if several else ("agent", "iteration", "trial", "n")
    title = "Cosines by pairs n: " + (
        "means over trials, 95 % intervals over them" if several else "95 % over estimates"
    )
    tables.append(tidy(data, "pairs", title, names, columns, main=False))
    found = {title: differences_of(own, name) for title, (name, _) in _COSINES.items()}
    return tables + compared(found)


def _limits(data: xr.Dataset) -> list[str]:
    limits = []
    split = range_of(data, Column("", "split_half_cosine", 2), {})
    if split.known:
        middle = float(np.nanmedian(data["split_half_cosine"].values))
        limits.append(
            "The true gradient is an estimate, too: its two halves have a cosine of "
            f"{split.text()} (median {number_text(middle, 2)}) over agents, iterations and trials; "
            "cosines to it are too small where that is low."
        )
    high = data["noise_scale_high"].sel(n=agent_pairs(data)).values
    known = ~np.isnan(high)
    if unseen := int(np.isinf(high[known]).sum()):
        limits.append(
            f"In {unseen} of {int(known.sum())} cases (agent, iteration, trial) "
            f"{data.sizes['estimate']} estimates do not show that the gradient differs "
            "from 0: their noise scale has no upper end."
        )
    return limits
