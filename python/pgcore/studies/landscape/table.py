"""The maps of a landscape study in numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.studies.measures.divergence import simulation_remarks
from pgcore.studies.measures.surfaces import smooth_degree

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
    """The maps in numbers, a line each.

    Args:
        data: of :func:`pgcore.studies.landscape.opening.open_landscape`.
    """
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
    return "\n".join([*lines, *simulation_remarks(data)]) + "\n"


def _shown(own: xr.Dataset, name: str) -> str:
    middle, low, high = (float(own[n]) for n in (name, f"{name}_low", f"{name}_high"))
    if not np.isfinite(middle):
        return "-"
    return f"{middle:.2f}" + (f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else "")


def _number(own: xr.Dataset, name: str, digits: int) -> str:
    x = float(own[name])
    return f"{x:.{digits}f}" if np.isfinite(x) else "-"


def _map_line(own: xr.Dataset) -> str:
    name = [own[d].item() for d in ("agent", "iteration", "trial", "source", "pairs")]
    names = ("one_step_change", "one_step_change_low", "one_step_change_high")
    change = [float(own[n]) for n in names]
    one = "{:+.1f} [{:+.0f}, {:+.0f}]".format(*change) if np.isfinite(change).all() else "-"
    rough = "-"
    if np.isfinite(own["unexplained"]):
        rough = f"{_number(own, 'unexplained', 2)} / {_number(own, 'unexplained_by_noise', 2)}"
    return (
        f"{name[0]!s:<14}{name[1]:>5}{name[2]:>6}{name[3]:>8}{name[4]:>8}"
        f"{float(own['mean_trajectories']):>7.0f}{_shown(own, 'sign_agreement'):>19}"
        f"{_shown(own, 'rank_correlation'):>21}{one:>26}{rough:>14}{_shown(own, 'jagged'):>21}"
        f"{_number(own, 'kl_at_one_step', 4):>8}{float(own['step_norm']):>8.3f}"
        f"{_number(own, 'pairing_gain', 3):>8}"
    )
