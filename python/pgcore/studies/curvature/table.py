"""Curvature in numbers: spectra, shares of gradients and steps, and how long subspaces last."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pgcore.studies.differences_table import difference_table
from pgcore.studies.measures.differences import differences_of, few_trials, fewest_trials
from pgcore.studies.measures.divergence import simulation_remarks
from pgcore.studies.measures.subspaces import LEAST_COSINE
from pgcore.studies.step.table import shown
from pgcore.studies.style import spec_of

_LEGEND = """\
first, last: magnitudes of the {k} leading eigenvalues of the policy's Fisher matrix, and of the
Hessian of what the algorithm ascends; neg: how many of them are negative; trace: sum of all
eigenvalues (Hessian: from random probes); rank: sum of all squares over the largest; holds: share
of that sum in the leading ones; split: overlap of the leading subspaces from two halves of n pairs
each: what other pairs alone leave of 1, so that no overlap with another iteration can be expected
to be more; next, first it: overlap with the next iteration here, and with the first, mean over all
pairs of halves; random: k / P, the overlap of random subspaces; traj: trajectories of a half
gradient: share of |gradient|² in the leading subspace, of estimates of the surrogate's gradient
from {update_pairs} pairs; step: of the updates from these pairs; true: of the gradient from
{true_pairs} pairs, noise removed (cos: cosine of its halves; -: below {least}); random: of a
random vector. All shares are of pairs independent of those that gave the eigenvectors: the gradient
of those pairs themselves would have more, by having been fitted. In brackets 95 % intervals
{units}"""
_UNITS = {
    True: "over trials",
    False: "over gradient estimates and steps of the one trial, given its subspace",
}
_COMPARED = {"gradient": "gradient_share", "true": "true_share", "step": "step_share",
             "split": "split_half"}  # fmt: skip


def curvature_table(data: xr.Dataset) -> str:
    """The study in numbers: a line per agent, iteration, n and matrix.

    Args:
        data: of :func:`pgcore.studies.curvature.opening.open_curvature`.
    """
    spec = {name: spec_of(data).get(name, "?") for name in ("update_pairs", "true_pairs")}
    several = data.sizes["trial"] > 1
    lines = [
        _LEGEND.format(k=data.sizes["vector"], units=_UNITS[several], least=LEAST_COSINE, **spec)
    ]
    head = f"{'':<12}{'iter':>5}{'n':>8} {'matrix':<8}"
    lines.append(
        f"{head}{'first':>9}{'last':>9}{'neg':>5}{'trace':>9}{'rank':>7}{'holds':>7}{'split':>20}{'next':>20}"
        f"{'first it':>20}{'random':>8}{'traj':>6}"
    )
    lines += [place + _spectrum_line(one) for place, one in _groups(data)]
    lines.append(f"{head}{'gradient':>22}{'true':>22}{'cos':>7}{'step':>22}{'random':>8}")
    lines += [place + _share_line(one) for place, one in _groups(data)]
    for n in data["n"].values:
        for matrix in data["matrix"].values:
            own = data.sel(n=n, matrix=matrix)
            lines += difference_table(
                {f"{t}, {matrix}, n={n}": differences_of(own, v) for t, v in _COMPARED.items()}
            )
    refused = int((data["step_shares"].isnull() & data["gradient_shares"].notnull()).sum())
    refused //= data.sizes["n"] * data.sizes["matrix"]
    if refused:
        lines.append(f"{refused} steps were refused (their length is 0) and have no share")
    remarks = few_trials(fewest_trials(data["split_half"])) + simulation_remarks(data)
    return "\n".join([*lines, *remarks]) + "\n"


def _groups(data: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """What was measured: the beginning of its line, and means over trials, or the single one."""
    for agent in data["agent"].values:
        for iteration in data["iteration"].values:
            for n in data["n"].values:
                for matrix in data["matrix"].values:
                    own = data.sel(agent=agent, iteration=iteration, n=n, matrix=matrix)
                    known = own["split_half"].notnull().values
                    if not known.any():
                        continue
                    place = f"{agent!s:<12}{iteration:>5}{n:>8} {matrix!s:<8}"
                    yield place, _whole(own, np.flatnonzero(known))


def _whole(own: xr.Dataset, known: NDArray[np.intp]) -> xr.Dataset:
    """Of several trials means of those known, with intervals over trials; of a single one its own.

    One known trial of several has no interval: the table's are over trials.
    """
    single, own = own.sizes["trial"] == 1, own.isel(trial=known)
    if single:
        return own.isel(trial=0).mean("half", keep_attrs=True)
    named = {str(n): str(n).replace("_over_trials", "") for n in own if "_over_trials" in str(n)}
    rest = own.drop_vars([*named, *named.values()], errors="ignore").mean(["trial", "half"])
    return xr.merge([rest, own[list(named)].rename(named)])


def _spectrum_line(one: xr.Dataset) -> str:
    values = one["magnitude"].values
    text = f"{values[0]:>9.3g}{values[-1]:>9.3g}{float(one['negative']):>5.1f}"
    text += f"{float(one['trace']):>9.3g}"
    text += f"{float(one['effective_rank']):>7.1f}{float(one['spectrum_share']):>7.2f}"
    for name in ("split_half", "overlap_with_next", "overlap_with_first"):
        text += f"{shown(one, name, 2):>20}"
    return text + f"{float(one['random_level']):>8.4f}{float(one['trajectories']):>6.0f}"


def _share_line(one: xr.Dataset) -> str:
    gradient, true, step = (shown(one, f"{name}_share", 3) for name in ("gradient", "true", "step"))
    cosine = float(one["true_cosine"])
    return f"{gradient:>22}{true:>22}{cosine:>7.2f}{step:>22}{float(one['random_level']):>8.4f}"
