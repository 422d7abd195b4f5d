"""The maps of a landscape study in numbers."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from scipy import stats

from pgcore.studies.landscape.figures import along_the_step, has_common_numbers, is_plane
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.surfaces import (
    Interval,
    RewardSurface,
    rank_correlation,
    roughness,
    sign_agreement,
    smooth_degree,
)

_LEAST_DEGREE = 3  # of a polynomial that can tell a smooth surface from a jagged one

_LEGEND = """\
agree: share of the steps along the step direction where surrogate and reward both rise or fall;
rank: Kendall's correlation of the two over the plane; both with 95 % bounds for the true reward;
one step: reward change at one full step, 95 % interval (linear between grid points);
rough: share of the reward's variation over the plane that a polynomial of degree {degree} does not
explain / that the points' errors alone would leave; jagged: share of the true reward's that it does
not explain, 95 % interval (of 30 points or more); KL at one step; |step| (random direction: 2);
paired: variance of the differences to the centre over that of independent points, the median; -:
not known, and with common random numbers neither are bounds; of a few trajectories (traj, mean per
point) means are too high where good ones are long, and intervals too narrow"""


def landscape_table(data: xr.Dataset) -> str:
    """The maps in numbers, a line each."""
    degree = smooth_degree(data.sizes["step_scale"] * data.sizes["random_scale"])
    lines = [
        _LEGEND.format(degree=degree),
        f"{'':<14}{'iter':>5}{'trial':>6}{'source':>8}{'pairs':>8}{'traj':>7}{'agree':>19}"
        f"{'rank':>21}{'one step':>26}{'rough':>14}{'jagged':>21}{'KL':>8}{'|step|':>8}"
        f"{'paired':>8}",
    ]
    stacked = data.stack(row=("agent", "iteration", "trial", "source", "pairs"))
    for index in range(stacked.sizes["row"]):
        own = stacked.isel(row=index)
        if not bool(own["trajectories"].notnull().all()):
            continue  # not computed
        lines.append(_map_line(own))
        if lost := int((~np.isfinite(own["reward"])).sum()):
            lines.append(
                f"  {lost} of {own['reward'].size} points of this map have no finite reward: agree "
                "and rank leave them out, what needs all points is -"
            )
    if bool((data["step_norm"] == 0).any()):
        lines.append("|step| 0: the update was refused (TRPO's line search); there is no direction")
    unstable = float(data["warnings"].sum()) if "warnings" in data else 0.0
    if unstable:
        lines.append(f"MuJoCo warned {unstable:.0f} times of an unstable simulation")
    if blown := divergence_note(data):
        lines.append(blown)
    return "\n".join(lines) + "\n"


def _surface(data: xr.Dataset) -> RewardSurface:
    """The reward of one map, or of a line through it."""
    names = [d for d in ("step_scale", "random_scale") if d in data["reward"].dims]
    own = data.transpose(*names, ...)
    columns = ("reward", "reward_error", "trajectories")
    return RewardSurface(*(own[c].values for c in columns))


def reward_change(cut: xr.Dataset, level: float = 0.95) -> tuple[float, float, float]:
    """Reward change from the centre to one full step, and its interval (Welch's t).

    Linear between the grid points next to one step; NaN where the centre is not on the grid. With
    common random numbers, from the paired differences (whose errors then add up).

    Args:
        cut: of one map, along the step direction.
        level: of the interval.
    """
    steps = cut["step_scale"].values
    weights = np.array([np.interp(1.0, steps, unit) for unit in np.eye(len(steps))])
    if not (steps == 0).any() or not steps[0] <= 1 <= steps[-1]:
        return math.nan, math.nan, math.nan
    if np.isfinite(cut["difference"].values).all():
        used = weights > 0
        count = float(cut["paired_count"].values[used].min()) if "paired_count" in cut else 2.0
        change = float(weights @ cut["difference"].values)
        spread, freedom = float(weights @ cut["difference_error"].values), count - 1
    else:
        weights = weights - (steps == 0)
        change = float(weights @ cut["reward"].values)
        parts = np.square(weights * cut["reward_error"].values)
        spread = float(np.sqrt(parts.sum()))
        each = np.maximum(cut["trajectories"].values - 1, 1)
        freedom = float(parts.sum() ** 2 / max(float((parts**2 / each).sum()), 1e-300))
    width = float(stats.t.ppf(0.5 + level / 2, max(freedom, 1.0))) * spread
    return change, change - width, change + width


def _shown(x: Interval, bounds: bool = True) -> str:
    if not np.isfinite(x.estimate):
        return "-"
    known = bounds and np.isfinite(x.low)
    return f"{x.estimate:.2f}" + (f" [{x.low:.2f}, {x.high:.2f}]" if known else "")


def _kl_at_one_step(cut: xr.Dataset) -> float:
    """Interpolated as it grows, with the square of the distance; NaN off the grid."""
    steps = cut["step_scale"].values
    root = np.sqrt(np.maximum(cut["kl"].values, 0.0))
    return float(np.interp(1.0, steps, root, left=math.nan, right=math.nan)) ** 2


def _pairing_gain(own: xr.Dataset) -> float:
    """What common random numbers make of the variance of a difference to the centre."""
    centre = own.isel(random_scale=along_the_step(own)).sel(step_scale=0, method="nearest")
    apart = own["reward_error"] ** 2 + centre["reward_error"] ** 2
    ratio = (own["difference_error"] ** 2 / apart).where(own["difference_error"] > 0)
    return float(ratio.median())  # NaN where no point has two pairs of trajectories


def _map_line(own: xr.Dataset) -> str:
    name = [own[d].item() for d in ("agent", "iteration", "trial", "source", "pairs")]
    cut = own.isel(random_scale=along_the_step(own))
    kl, change, agree = math.nan, (math.nan,) * 3, Interval(*(math.nan,) * 3)
    if float(cut["random_scale"]) == 0:
        kl, change = _kl_at_one_step(cut), reward_change(cut)
        agree = sign_agreement(cut["surrogate"].values, _surface(cut))
    surrogate = own["surrogate"].transpose("step_scale", "random_scale").values
    independent = not has_common_numbers(own)  # the errors of the points are
    gain = math.nan if independent else _pairing_gain(own)
    fine = is_plane(own) and smooth_degree(surrogate.size) >= _LEAST_DEGREE
    rough = roughness(_surface(own)) if independent and fine else None
    known = rough is not None and np.isfinite(rough.unexplained)
    shares = f"{rough.unexplained:.2f} / {rough.noise:.2f}" if rough and known else "-"
    one = "{:+.1f} [{:+.0f}, {:+.0f}]".format(*change) if np.isfinite(change).all() else "-"
    return (
        f"{name[0]!s:<14}{name[1]:>5}{name[2]:>6}{name[3]:>8}{name[4]:>8}"
        f"{float(own['trajectories'].mean()):>7.0f}{_shown(agree, independent):>19}"
        f"{_shown(rank_correlation(surrogate, _surface(own)), independent):>21}"
        f"{one:>26}{shares:>14}{_shown(rough.jagged) if rough else '-':>21}"
        f"{f'{kl:.4f}' if np.isfinite(kl) else '-':>8}{float(own['step_norm']):>8.3f}"
        f"{f'{gain:.3f}' if np.isfinite(gain) else '-':>8}"
    )
