"""A gradient study in numbers."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from pgcore.studies.differences_table import difference_table
from pgcore.studies.measures.differences import differences_of
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.style import AGENT_PAIRS

_INTERVAL = "interval"
_COLUMNS = (  # title, variable, width, format
    ("pairwise", "pairwise_cosine", 22, _INTERVAL),
    ("to true", "cosine_to_true", 22, _INTERVAL),
    ("B", "true_noise_scale", 10, ".3g"),
    ("B of the estimates", "noise_scale", 30, _INTERVAL),
    ("split", "split_half_cosine", 7, ".2f"),
    ("|g|", "true_norm", 10, ".3g"),
    ("traj", "mean_trajectories", 7, ".1f"),
    ("step pw", "step_pairwise_cosine", 9, ".3f"),
    ("step true", "step_cosine_to_true", 10, ".3f"),
)
_COMPARED = {
    "pairwise": "pairwise_cosine",
    "to true": "cosine_to_true",
    "step pw": "step_pairwise_cosine",
    "step true": "step_cosine_to_true",
}


def gradient_table(data: xr.Dataset) -> str:
    """The study in numbers, at the n nearest to an agent's pairs: a line per agent.

    Args:
        data: of :func:`pgcore.studies.gradient.opening.open_gradient`.
    """
    n = int(data["n"].values[np.argmin(np.abs(np.log(data["n"].values / AGENT_PAIRS)))])
    own = data.sel(n=n)
    lines = [
        f"at n = {n}, {data.sizes['estimate']} estimates, [95 % intervals over them]: pairwise "
        "cosine; cosine to the true gradient;\nnoise scale B in pairs, from the true gradient's "
        "streams, and from the estimates; split-half cosine of the true gradient\nand its norm; "
        "trajectories of an estimate; pairwise cosine of computed steps, and to the true step; "
        "median over trials,\nand mean of the cosines [95 % intervals over trials]",
        f"{'':<14}{'iter':>5}{'trial':>7}" + "".join(f"{t:>{w}}" for t, _, w, _ in _COLUMNS),
    ]
    for agent in data["agent"].values:
        for iteration in data["iteration"].values:
            part = own.sel(agent=agent, iteration=iteration)
            part = part.isel(trial=np.flatnonzero(part["true_norm"].notnull()))
            place = f"{agent!s:<14}{iteration:>5}"
            for trial in part["trial"].values:
                lines.append(f"{place}{trial:>7}" + _line(part.sel(trial=trial)))
            if part.sizes["trial"] > 1:
                lines.append(f"{place}{'median':>7}" + _line(_median(part)))
                lines.append(f"{place}{'mean':>7}" + _mean_line(part))
    lines += difference_table({t: differences_of(own, name) for t, name in _COMPARED.items()})
    lines += [blown] if (blown := divergence_note(data)) else []
    return "\n".join(lines) + "\n"


def _median(part: xr.Dataset) -> xr.Dataset:
    """Over trials, without intervals."""
    return part[[name for _, name, _, _ in _COLUMNS]].median("trial", skipna=False)


def _line(part: xr.Dataset) -> str:
    return "".join(_cell(part, name, width, kind) for _, name, width, kind in _COLUMNS)


def _mean_line(part: xr.Dataset) -> str:
    """The cosines over trials."""
    cells = []
    for _, name, width, kind in _COLUMNS:
        whole = f"{name}_over_trials"
        cells.append(_cell(part, whole, width, kind) if whole in part else " " * width)
    return "".join(cells).rstrip()


def _cell(part: xr.Dataset, name: str, width: int, kind: str) -> str:
    if kind != _INTERVAL:
        return f"{float(part[name]):>{width}{kind}}"
    numbers = [float(part[n]) for n in (name, f"{name}_low", f"{name}_high") if n in part]
    texts = [f"{x:.3g}" if abs(x) >= 10 else f"{x:.2f}" for x in numbers]
    ends = f" [{texts[1]}, {texts[2]}]" if len(texts) == 3 and not math.isnan(numbers[1]) else ""
    return f"{texts[0]}{ends}".rjust(width)
