"""A sample regime study in numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from pgcore.base.words import spanned
from pgcore.studies.measures.differences import few_trials
from pgcore.studies.measures.regime import PAPER
from pgcore.studies.step.table import shown
from pgcore.studies.style import spec_of

_FINAL_LEGEND = """\
n: pairs per iteration; rate: factor, and learning rate of the policy (trpo: delta); trials: of
these, those that have not diverged; final: true reward at the end of training, from complete
trajectories; less paper's: difference to n = 2048, factor 1, trials paired by their seeds; in
training: mean return of what ended within an iteration, over the last tenth of training; ended:
share of these iterations in which something did. Means over trials [95 % intervals over them]"""
_MEASURED_LEGEND = """\
After shares of training, with each agent's own n: reward: true reward; cosine: mean pairwise, of
gradient estimates; B: noise scale in pairs, from the true gradient's streams and from the
estimates, medians over trials; change: of the true reward by a step; lowers: share of the measured
changes below 0; |step|, KL: of a step. Differences are to n = 2048, factor 1, as above"""

# titles and widths
_FINAL = {"iter": 7, "trials": 9, "final": 24, "less paper's": 24, "in training": 24, "ended": 7}
_MEASURED = {
    "reward": 24,
    "cosine": 22,
    "less paper's": 22,
    "B": 10,
    "B est": 10,
    "change": 24,
    "less paper's ": 24,
    "lowers": 20,
    "|step|": 8,
    "KL": 9,
}


def regime_table(data: xr.Dataset) -> str:
    """The study in numbers: a line per point of the grid, then one per point and share.

    Args:
        data: of :func:`pgcore.studies.regime.opening.open_regime`.
    """
    least, most = int(data["training_pairs"].min()), int(data["training_pairs"].max())
    pairs = spanned(least, most, ",")
    lines = [f"{spec_of(data)['task']}: {pairs} pairs of training of each agent"]
    lines += [_FINAL_LEGEND, _head() + _titles(_FINAL)]
    lines += [_place(own) + _final_line(own) for own in _points(data)]
    if "pairwise_cosine" in data or "mean_change" in data:
        lines += [_MEASURED_LEGEND, f"{'share':>6} {_head()}{_titles(_MEASURED)}"]
        for share in data["share"].values:
            for own in _points(data.sel(share=share)):
                if _is_measured(own):
                    lines.append(f"{share:>6.3g} {_place(own)}{_measured_line(own)}")
    return "\n".join([*lines, *_remarks(data)]) + "\n"


def _points(data: xr.Dataset) -> Iterator[xr.Dataset]:
    """The points of the grid that were trained."""
    for algorithm in data["algorithm"].values:
        for pairs in data["pairs"].values:
            for rate in data["rate"].values:
                own = data.sel(algorithm=algorithm, pairs=pairs, rate=rate)
                if bool(own["rate_value"].notnull().any()):
                    yield own


def _titles(columns: dict[str, int]) -> str:
    return "".join(f"{title.strip():>{width}}" for title, width in columns.items())


def _head() -> str:
    return f"{'':<6}{'n':>7}{'rate':>17}"


def _place(own: xr.Dataset) -> str:
    value = float(own["rate_value"].max())
    rate = f"x{float(own['rate']):g} = {value:.3g}"
    return f"{own['algorithm'].item()!s:<6}{int(own['pairs']):>7}{rate:>17}"


def _final_line(own: xr.Dataset) -> str:
    begun = int(own["rate_value"].notnull().sum())
    lost = int(own["diverged_iteration"].notnull().sum())
    trials = f"{begun - lost} of {begun}" if lost else f"{begun}"
    iterations = int(own["training_pairs"]) // int(own["pairs"])
    return (
        f"{iterations:>7}{trials:>9}{shown(own, 'final_reward_over_trials'):>24}"
        f"{_difference(own, 'final_reward'):>24}{shown(own, 'training_return_over_trials'):>24}"
        f"{float(own['training_known'].mean()):>7.2f}"
    )


def _is_measured(own: xr.Dataset) -> bool:
    names = [name for name in ("pairwise_cosine", "mean_change") if name in own]
    return any(bool(own[name].notnull().any()) for name in names)


def _measured_line(own: xr.Dataset) -> str:
    scales = ("true_noise_scale_over_trials", "noise_scale_over_trials")
    return (
        f"{_shown(own, 'reward_over_trials'):>24}"
        f"{_shown(own, 'pairwise_cosine_over_trials', 2):>22}"
        f"{_difference(own, 'pairwise_cosine', 2):>22}"
        + "".join(f"{_number(own, name, '.3g'):>10}" for name in scales)
        + f"{_shown(own, 'mean_change_over_trials'):>24}{_difference(own, 'mean_change'):>24}"
        f"{_shown(own, 'lowering_share_over_trials', 2):>20}"
        f"{_number(own, 'mean_norm', '.3f'):>8}{_number(own, 'mean_kl', '.4f'):>9}"
    )


def _shown(own: xr.Dataset, name: str, digits: int = 1) -> str:
    return shown(own, name, digits) if name in own else "-"


def _number(own: xr.Dataset, name: str, form: str) -> str:
    """Its mean over trials, if it has any."""
    value = float(own[name].mean()) if name in own else np.nan
    return "-" if np.isnan(value) else f"{value:{form}}"


def _difference(own: xr.Dataset, name: str, digits: int = 1) -> str:
    """To the paper's setting; of that itself there is none."""
    is_paper = (int(own["pairs"]), float(own["rate"])) == PAPER
    return "-" if is_paper else _shown(own, f"{name}_difference", digits)


def _remarks(data: xr.Dataset) -> list[str]:
    lines = []
    if "final_reward_difference" not in data:
        lines.append(
            "no differences: the paper's setting, n = 2048 and factor 1, is not in the grid"
        )
    alive = data["final_reward"].notnull().sum("trial")
    begun = data["rate_value"].notnull().any("trial")
    return lines + few_trials(int(alive.where(begun).min()))
