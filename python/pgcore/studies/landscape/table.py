"""The maps of a landscape study in numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.base.words import interval_text
from pgcore.studies.landscape.style import names_of, range_text
from pgcore.studies.measures.differences import few_trials, fewest_trials
from pgcore.studies.measures.divergence import simulation_remarks
from pgcore.studies.measures.maps import CORNER
from pgcore.studies.measures.surfaces import smooth_degree

SMOOTH = 0.05  # share of the variation below which a surface is called smooth, above it jagged
_LEGEND = """\
agree: share of the steps along the first direction where surrogate and reward both rise or fall;
rank: Kendall's correlation of the two over the map; corner: over its corner where a step lives (up
to {0:g} along the first, {1:g} along the second direction; -: the first is no step); all with 95 %
bounds for the true reward; one step: change of the reward at one unit of the first direction, 95 %
interval (linear between grid points; the centre pooled over the maps of a checkpoint); disc: the
same of discounted returns, which is what the surrogate discounts; rough: share of the reward's
variation over the plane that a polynomial of degree {degree} does not explain / that the points'
errors alone would leave; jagged: share of the true reward's that it does not explain, 95 % interval
(of 30 points or more), and what follows: smooth (below {smooth:g}), jagged (above), open; KL at one
unit; |1|, |2|: length of a unit of each direction; paired: variance of the differences to the
centre over that of independent points, the median; -: not known, and with common random numbers
neither are bounds; of a few trajectories (traj, mean per point) means are too high where good ones
are long, and intervals too narrow; all: means over trials, Student's intervals over them (agree,
rank, corner and jagged: cut at their bounds, and no narrower than the maps' own on average)"""
_ALL = "_over_trials"


def landscape_table(data: xr.Dataset) -> str:
    """The maps in numbers, a line each, and a line over trials where there are several.

    Args:
        data: of :func:`pgcore.studies.landscape.opening.open_landscape`.
    """
    degree = smooth_degree(data.sizes["step_scale"] * data.sizes["random_scale"])
    lines = [
        f"directions: {' and '.join(names_of(data))}; {range_text(data)}",
        _LEGEND.format(*CORNER, degree=degree, smooth=SMOOTH),
        f"{'':<14}{'iter':>5}{'trial':>6}{'source':>8}{'pairs':>8}{'traj':>7}{'agree':>19}"
        f"{'rank':>21}{'corner':>21}{'one step':>26}{'disc':>26}{'rough':>14}{'jagged':>28}"
        f"{'KL':>8}{'|1|':>8}{'|2|':>7}{'paired':>8}",
    ]
    maps = data.stack(row=("agent", "iteration", "source", "pairs"))
    for index in range(maps.sizes["row"]):
        own = maps.isel(row=index)
        there = own["trajectories"].notnull().all(["step_scale", "random_scale"])
        for trial in own["trial"].values[there.values]:
            lines += _lines(own.sel(trial=trial), f"{trial}")
        if int(there.sum()) > 1:
            lines.append(_place(own, "all") + _over_trials(own))
    if bool((data["step_norm"] == 0).any()):
        lines.append("|1| 0: the update was refused (TRPO's line search); there is no direction")
    if data.sizes["trial"] > 1:
        lines += few_trials(fewest_trials(data["reward"]))
    return "\n".join([*lines, *simulation_remarks(data)]) + "\n"


def verdict(low: float, high: float) -> str:
    """Whether a true surface is smooth or jagged, by the interval of its jagged share."""
    if not np.isfinite([low, high]).all():
        return ""
    return "smooth" if high < SMOOTH else "jagged" if low > SMOOTH else "open"


def _place(own: xr.Dataset, trial: str) -> str:
    agent, iteration, source, pairs = own["row"].item()
    return f"{agent!s:<14}{iteration:>5}{trial:>6}{source:>8}{pairs:>8}"


def _lines(own: xr.Dataset, trial: str) -> list[str]:
    """Of one map, and what is said of points that are not finite."""
    lines = [_place(own, trial) + _map_line(own)]
    if lost := int((~np.isfinite(own["reward"])).sum()):
        lines.append(
            f"  {lost} of {own['reward'].size} points of this map have no finite reward: agree and "
            "rank leave them out, what needs all points is -"
        )
    return lines


def _shown(own: xr.Dataset, name: str) -> str:
    if name not in own:
        return "-"  # an older pgcore did not measure it
    middle, low, high = (float(own[n]) for n in (name, f"{name}_low", f"{name}_high"))
    return interval_text(middle, low, high, 2, more=0)  # of shares, in narrow columns


def _number(own: xr.Dataset, name: str, digits: int) -> str:
    x = float(own[name]) if name in own else np.nan
    return f"{x:.{digits}f}" if np.isfinite(x) else "-"


def _change(own: xr.Dataset, name: str) -> str:
    if name not in own:
        return "-"  # an older pgcore did not measure it
    middle, low, high = (float(own[n]) for n in (name, f"{name}_low", f"{name}_high"))
    text = interval_text(middle, low, high, 1, 0, "+")
    return text if "[" in text else "-"


def _measures(own: xr.Dataset, suffix: str = "") -> str:
    jagged = f"jagged{suffix}"
    rough = "-"
    if not suffix and np.isfinite(own["unexplained"]):
        rough = f"{_number(own, 'unexplained', 2)} / {_number(own, 'unexplained_by_noise', 2)}"
    said = verdict(float(own[f"{jagged}_low"]), float(own[f"{jagged}_high"]))
    return (
        f"{_shown(own, f'sign_agreement{suffix}'):>19}"
        f"{_shown(own, f'rank_correlation{suffix}'):>21}"
        f"{_shown(own, f'corner_rank_correlation{suffix}'):>21}"
        f"{_change(own, f'one_step_change{suffix}'):>26}"
        f"{_change(own, f'discounted_one_step_change{suffix}'):>26}{rough:>14}"
        f"{f'{_shown(own, jagged)} {said}'.strip():>28}"
    )


def _map_line(own: xr.Dataset) -> str:
    return (
        f"{float(own['mean_trajectories']):>7.0f}{_measures(own)}"
        f"{_number(own, 'kl_at_one_step', 4):>8}{float(own['step_norm']):>8.3f}"
        f"{_number(own, 'random_norm', 2):>7}{_number(own, 'pairing_gain', 3):>8}"
    )


def _over_trials(own: xr.Dataset) -> str:
    """Means over trials; what has no interval over them is left out."""
    mean = own[["mean_trajectories", "kl_at_one_step", "step_norm"]].mean("trial")
    return (
        f"{float(mean['mean_trajectories']):>7.0f}{_measures(own, _ALL)}"
        f"{_number(mean, 'kl_at_one_step', 4):>8}{float(mean['step_norm']):>8.3f}"
    )
