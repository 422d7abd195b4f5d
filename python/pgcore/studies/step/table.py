"""Steps in numbers: changes, shares, tails, surrogate and controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pgcore.base.words import interval_text
from pgcore.studies.differences_table import difference_table
from pgcore.studies.measures.differences import differences_of, few_trials, fewest_trials
from pgcore.studies.measures.divergence import simulation_remarks
from pgcore.studies.measures.step_summary import groups

_MEANS = ("centre", "mean_trajectories", "mean_kl", "mean_norm")
_OVER = ("", "_over_trials")
_CHANGES = (
    "mean_change",
    "centre",
    "mean_trajectories",
    "change_spread",
    "lowering_share",
    "clearly_lowering_share",
    "clearly_raising_share",
)
_OTHERS = (
    "mean_change", "left_tail", "lowest_tenth", "mean_kl", "mean_norm", "mean_gain", "median_gain",
    "mean_fresh_gain", "gain_correlation", "change_reliability", "gain_correlation_without_noise",
    "gain_correlation_between_trials",
)  # fmt: skip
_LEGEND = """\
change of the true reward by a step: mean and 95 % interval over steps (all: over trials), the
centre's error in it; spread between steps, evaluation noise removed; lowers: share of the measured
changes below 0, and in brackets its interval; clear: shares of the steps whose own 95 % interval is
below / above 0; disc: the change of the discounted return; LTP: probability that the return after a
step is below half its mean; CVaR: mean of the lowest tenth of these returns, evaluation noise
removed from both; gain: surrogate's, on the step's own pairs (mean, and median, which a few steps
of large ratios do not move) and on fresh ones; r: correlation of gain and change between the steps
of a trial (all: mean of Fisher's z over trials), and what it is without evaluation noise (rel:
share of the changes' variance that is none; -: noise alone); between: that of the trials' means,
from four trials on; random: change by random steps of equal KL; true: by steps of equal length
along the true gradient; n: pairs of one step"""


def step_table(data: xr.Dataset) -> str:
    """The study in numbers: a line per trial, and one over trials.

    Args:
        data: of :func:`pgcore.studies.step.opening.open_step`.
    """
    head = f"{'':<12}{'iter':>5}{'n':>8}{'of step':>8}{'trial':>6}"
    tops = [
        f"{'traj':>7}{'centre':>9}{'change':>24}{'spread':>22}{'lowers':>20}{'clear':>12}{'disc':>24}",
        f"{'LTP':>6}{'CVaR':>9}{'KL':>9}{'|step|':>8}{'gain':>27}{'median':>27}{'fresh':>27}"
        f"{'r':>21}{'rel':>6}{'r true':>8}{'between':>21}{'random':>24}{'true':>24}",
    ]
    lines = [f"{data.sizes['step']} steps each. {_LEGEND}"]
    for top, line, names in zip(
        tops, (_change_line, _other_line), (_CHANGES, _OTHERS), strict=True
    ):
        lines.append(head + top)
        for agent, iteration, n, fraction, own in groups(_only(data, ("change", *names))):
            known = own["mean_change"].sel(kind="step", measure="return").notnull()
            single = own.drop_vars([n for n in own if "_between_trials" in str(n)])
            parts = {str(t): single.sel(trial=t) for t in own["trial"].values[known.values]}
            parts |= {"all": _over_trials(own)} if len(parts) > 1 else {}
            for name, part in parts.items():
                place = f"{agent:<12}{iteration:>5}{n:>8}{fraction:>8.3g}{name:>6}"
                lines.append(place + line(part))
    return "\n".join([*lines, *_difference_lines(data), *_remarks(data)]) + "\n"


def _only(data: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Some numbers, over trials, too, with their bounds: to select from all takes far longer."""
    every = {f"{n}{over}{end}" for n in names for over in _OVER for end in ("", "_low", "_high")}
    return data[[n for n in data.data_vars if n in every]]


def _remarks(data: xr.Dataset) -> list[str]:
    lines = []
    norm = data["norm"].sel(kind="step")
    refused = int((norm == 0).sum())
    if refused:
        lines.append(
            f"{refused} of {int(norm.notnull().sum())} steps were refused: their length is 0"
        )
    lines += few_trials(fewest_trials(norm.where(norm.notnull().all("step"))))
    return lines + simulation_remarks(data)


def _over_trials(own: xr.Dataset) -> xr.Dataset:
    """What a trial has, over the finished trials, by the same names."""
    whole = {str(n): str(n).replace("_over_trials", "") for n in own if "_over_trials" in str(n)}
    between = [str(n) for n in own if "_between_trials" in str(n)]
    means = own[[n for n in _MEANS if n in own]].mean("trial")
    return xr.merge([means, own[[*whole]].rename(whole), own[between]])


def _change_line(own: xr.Dataset) -> str:
    one = own.sel(kind="step", measure="return")
    down, up = (float(one[n]) for n in ("clearly_lowering_share", "clearly_raising_share"))
    return (
        f"{float(one['mean_trajectories']):>7.0f}{float(one['centre']):>9.1f}"
        f"{shown(one, 'mean_change'):>24}{shown(one, 'change_spread'):>22}"
        f"{shown(one, 'lowering_share', 2):>20}{f'{down:.2f} / {up:.2f}':>12}"
        f"{shown(own.sel(kind='step', measure='discounted'), 'mean_change'):>24}"
    )


def _other_line(own: xr.Dataset) -> str:
    one = own.sel(kind="step", measure="return")
    low, kl, norm = (float(one[n]) for n in ("lowest_tenth", "mean_kl", "mean_norm"))
    gains = [shown(one, name, 4) for name in ("mean_gain", "median_gain", "mean_fresh_gain")]
    between = "gain_correlation_between_trials"
    controls = [
        shown(own.sel(kind=kind, measure="return"), "mean_change") for kind in ("random", "true")
    ]
    return (
        f"{shown(one, 'left_tail', 2):>6}{low:>9.1f}{kl:>9.4f}"
        f"{norm * float(one['fraction']):>8.3f}"
        + "".join(f"{text:>27}" for text in gains)
        + f"{shown(one, 'gain_correlation', 2):>21}"
        f"{float(one['change_reliability']):>6.2f}"
        f"{shown(one, 'gain_correlation_without_noise', 2):>8}"
        f"{shown(one, between, 2) if between in one else '-':>21}"
        + "".join(f"{text:>24}" for text in controls)
    )


def _difference_lines(data: xr.Dataset) -> list[str]:
    """Of the mean changes by whole steps, by n."""
    fraction = data["fraction"].values[np.argmin(np.abs(data["fraction"].values - 1.0))]
    own = data.sel(kind="step", measure="return", fraction=fraction)
    columns = {
        f"change, n = {n}": differences_of(own.sel(n=n), "mean_change") for n in data["n"].values
    }
    return difference_table(columns)


def shown(data: xr.Dataset, name: str, digits: int = 1) -> str:
    """A number in a table, with its interval where that is known."""
    known = [n for n in (name, f"{name}_low", f"{name}_high") if n in data]
    middle, low, high = (*(float(data[n]) for n in known), np.nan, np.nan)[:3]
    return interval_text(middle, low, high, digits)
