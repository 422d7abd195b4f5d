"""Updates in numbers: a line per point, and where ascent of the surrogate stops to pay."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, few_trials, fewest_trials
from pgcore.studies.measures.divergence import simulation_remarks
from pgcore.studies.measures.steps import share_over_trials
from pgcore.studies.measures.updates import Along, Verdict, groups, over_units

_LEGEND = """\
at: passes over the pairs, or the fraction of its step that a line search tries; updates: that have
a value there (one that has ended stays where it is); kept: share of the tries that are accepted;
change of the true reward from the start: mean and 95 % interval, over the updates of a single
trial, over trials where there are several; disc: of the discounted return; rest: what the update
adds to the reward after this point (of a line search: after a refused try), with intervals that
hold for all points together (Bonferroni); lowers: share of the measured changes below 0; traj:
trajectories behind a change of one update; gain of what the algorithm maximises on the update's
own and on fresh pairs, rest: what the update adds to the latter; unclip: the same of the mean of
ratio times advantage; KL, clip fraction and distance from the start on the own pairs"""
_RULE = """\
Rule: ascent pays up to the last point after which the rest is clearly a gain, and stops to pay by
the first after which it is clearly a loss, by the intervals of rest; else it is open."""
_GAINS = ("surrogate", "fresh", "unclipped", "unclipped_fresh", "kl", "clip_fraction", "norm")
_JUDGED = (("reward", "change", 1), ("objective on fresh pairs", "fresh", 4))


def update_table(data: xr.Dataset) -> str:
    """The study in numbers: rewards, surrogates, and where ascent pays."""
    head = f"{'':<12}{'iter':>5}{'n':>8}{'at':>8}"
    tops = [
        f"{'updates':>8}{'kept':>6}{'change':>26}{'disc':>26}{'rest':>26}{'lowers':>20}{'traj':>6}",
        f"{'gain':>9}{'fresh':>9}{'rest':>28}{'unclip':>9}{'fresh':>9}{'KL':>9}{'clip':>6}"
        f"{'|step|':>9}",
    ]
    lines = [f"{data.sizes['update']} updates of each checkpoint.", _LEGEND]
    for top, block in zip(tops, (_reward_lines, _surrogate_lines), strict=True):
        lines.append(head + top)
        for agent, iteration, n, along, discounted in groups(data):
            at = [0.0, *along.at]
            for x, line in zip(at, block(along, discounted), strict=True):
                lines.append(f"{agent:<12}{iteration:>5}{n:>8}{x:>8.3g}{line}")
    lines.append(_RULE)
    for agent, iteration, n, along, _ in groups(data):
        lines.append(f"{agent}, iteration {iteration}, n {n} ({_unit(along)}):")
        lines += [f"  {what}: {verdict_text(along, name, d)}" for what, name, d in _JUDGED]
    return "\n".join([*lines, *_remarks(data)]) + "\n"


def _reward_lines(along: Along, discounted: Along) -> list[str]:
    """Of the start, and of each point."""
    rest = along.rest_intervals()
    lines = [f"{'':>66}{rest[0].text():>26}"]
    for p in range(len(along.at)):
        change = along.values["change"][..., p]
        known = np.isfinite(change)
        lowers = share_over_trials(((change < 0) & known).sum(axis=1), known.sum(axis=1))
        kept = f"{_mean(along, 'accepted', p):.2f}" if along.search else "-"
        lines.append(
            f"{known.sum():>8}{kept:>6}{over_units(change).text():>26}"
            f"{over_units(discounted.values['change'][..., p]).text():>26}"
            f"{rest[p + 1].text():>26}{lowers.text(2):>20}{_mean(along, 'trajectories', p):>6.0f}"
        )
    return lines


def _surrogate_lines(along: Along, _: Along) -> list[str]:
    """Of the start, and of each point."""
    rest = along.rest_intervals("fresh")
    lines = [f"{'':>18}{rest[0].text(4):>28}"]
    for p in range(len(along.at)):
        gain, fresh, unclipped, there, kl, clip, norm = (_mean(along, name, p) for name in _GAINS)
        lines.append(
            f"{gain:>9.4f}{fresh:>9.4f}{rest[p + 1].text(4):>28}{unclipped:>9.4f}{there:>9.4f}"
            f"{kl:>9.4f}{clip:>6.2f}{norm:>9.4f}"
        )
    return lines


def _mean(along: Along, name: str, p: int) -> float:
    """Over all updates that have a value there."""
    values: F64 = along.values[name][..., p]
    return float(values[np.isfinite(values)].mean())


def verdict_text(along: Along, name: str, digits: int) -> str:
    """Where ascent stops to pay, in words."""
    rest, own = along.rest_intervals(name), along.rest("surrogate")
    verdict = Verdict.of(rest)
    unit = "the try of" if along.search else "pass"

    def what(p: int) -> str:
        where = "the start" if p == 0 else f"{unit} {along.at[p - 1]:.3g}"
        gain = over_units(own[..., p]).estimate
        return (
            f"what follows {where} adds {rest[p].text(digits)} to it, and {gain:.4f} to the "
            "objective on the own pairs"
        )

    parts = []
    if verdict.pays is not None:
        parts.append(f"pays: {what(verdict.pays)}")
    if verdict.stops is not None:
        parts.append(f"stops to pay: {what(verdict.stops)}")
    return "; ".join(parts) or f"open: {what(0)}"


def _unit(along: Along) -> str:
    T, K = along.values["at"].shape[:2]
    if T == 1:
        return f"{K} updates of one trial"
    return f"{T} trials" + ("" if T >= TRIALS_TO_DECIDE else ": description, not a decision")


def _remarks(data: xr.Dataset) -> list[str]:
    lines = []
    lines += few_trials(fewest_trials(data["change"]))
    return lines + simulation_remarks(data)
