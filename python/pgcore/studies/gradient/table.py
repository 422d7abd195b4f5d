"""A gradient study in numbers."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from pgcore.studies.differences_table import difference_table
from pgcore.studies.measures.differences import differences_of, few_trials, fewest_trials
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.own_pairs import nearest_to_agents

_Columns = tuple[tuple[str, str, int, str], ...]
_GRADIENT: _Columns = (  # title, variable, width, format
    ("pairwise", "pairwise_cosine", 22, ".2f"),
    ("to true", "cosine_to_true", 22, ".2f"),
    ("B", "true_noise_scale", 34, ".3g"),
    ("B of the estimates", "noise_scale", 34, ".3g"),
    ("traj", "mean_trajectories", 22, ".1f"),
    ("split", "split_half_cosine", 22, ".2f"),
    ("|g|", "true_norm", 28, ".3g"),
)
_STEP: _Columns = (
    ("pairwise", "step_pairwise_cosine", 25, ".3f"),
    ("to true", "step_cosine_to_true", 25, ".3f"),
    ("split", "step_split_half_cosine", 25, ".3f"),
    ("length", "step_norm", 28, ".3g"),
)
_COMPARED = {
    "pairwise": "pairwise_cosine",
    "to true": "cosine_to_true",
    "step pw": "step_pairwise_cosine",
    "step true": "step_cosine_to_true",
}
_NONE = {
    "gradients": "gradients: none was measured",
    "steps": "steps: none was computed; an agent without an algorithm has none, nor has an n of "
    "few pairs, or one above largest_step",
}
_LEGEND = """\
Gradients: pairwise cosine; cosine to the true gradient; noise scale B in pairs, from the true
gradient's streams, and from the estimates; trajectories of an estimate; cosine between the halves
of the true gradient, and its norm without its noise. Steps: pairwise cosine of computed steps,
cosine to the true step, between that one's halves, and their length. all: over trials [95 %
interval over trials], the mean of cosines (between halves: of Fisher's z) and the geometric mean of
the others. A trial whose |g| is not seen in its noise has B = inf and |g| = 0 and is not left out:
the means are then inf and 0, and the other ends of their intervals those of the other trials."""


def gradient_table(data: xr.Dataset) -> str:
    """The study in numbers, at the n nearest to an agent's pairs: a line per trial, one over them.

    Args:
        data: of :func:`pgcore.studies.gradient.opening.open_gradient`.
    """
    n = nearest_to_agents(data["n"].values)
    own = data.sel(n=n)
    head = f"at n = {n}, {data.sizes['estimate']} estimates [95 % intervals over them]"
    lines = [head, _LEGEND]
    for title, columns in (("gradients", _GRADIENT), ("steps", _STEP)):
        if not bool(data[columns[0][1]].notnull().any()):
            lines.append(_NONE[title])
            continue
        titles = "".join(f"{t:>{w}}" for t, _, w, _ in columns)
        lines.append(f"{title:<14}{'iter':>5}{'trial':>7}" + titles)
        for agent in data["agent"].values:
            for iteration in data["iteration"].values:
                part = own.sel(agent=agent, iteration=iteration)
                part = part.isel(trial=np.flatnonzero(_measured(part)))
                place = f"{agent!s:<14}{iteration:>5}"
                for trial in part["trial"].values:
                    lines.append(f"{place}{trial:>7}" + _line(part.sel(trial=trial), columns))
                if part.sizes["trial"] > 1:
                    lines.append(f"{place}{'all':>7}" + _line(part, columns, "_over_trials"))
    lines += _trial_remarks(own)
    lines += difference_table({t: differences_of(own, name) for t, name in _COMPARED.items()})
    lines += [blown] if (blown := divergence_note(data)) else []
    return "\n".join(lines) + "\n"


def _measured(own: xr.Dataset) -> xr.DataArray:
    """Of which trials there are estimates."""
    return own["gram"].notnull().any(["estimate", "other"])


def _trial_remarks(own: xr.Dataset) -> list[str]:
    """How many trials stand behind what is said of agents, where they are fewest."""
    trials, true = (fewest_trials(own[name]) for name in ("gram", "true_norm"))
    if true == trials:
        return few_trials(trials)
    lines = [f"{trials} trials, of which {true} have a true gradient and what is compared with it"]
    return lines + few_trials(trials) + [f"true gradient: {x}" for x in few_trials(true)]


def _line(own: xr.Dataset, columns: _Columns, suffix: str = "") -> str:
    return "".join(_cell(own, name, suffix, kind).rjust(width) for _, name, width, kind in columns)


def _cell(own: xr.Dataset, name: str, suffix: str, kind: str) -> str:
    """A number with its interval, where there is one."""
    whole = name + suffix
    known = [n for n in (whole, f"{whole}_low", f"{whole}_high") if n in own]
    middle, *ends = (float(own[n]) for n in known) if known else (math.nan,)
    if math.isnan(middle):
        return "-"
    between = f" [{ends[0]:{kind}}, {ends[1]:{kind}}]" if ends and not math.isnan(ends[0]) else ""
    count = f"{name}_unseen_trials"
    unseen = int(own[count]) if suffix and count in own else 0
    return f"{middle:{kind}}{between}" + (f" {unseen} unseen" if unseen else "")
