"""Updates in numbers: a line per point, and where ascent of the surrogate stops to pay."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.measures.steps import share_over_trials
from pgcore.studies.measures.surfaces import Interval
from pgcore.studies.measures.updates import Along, Verdict, groups, over_units
from pgcore.studies.step.table import TRIALS_TO_DECIDE, shown

_LEGEND = """\
at: passes over the pairs, or the fraction of its step that a line search tries; updates: that have
a value there (one that has ended stays where it is); kept: share of the tries that are accepted;
change of the true reward from the start: mean and 95 % interval, over the updates of a single
trial, over trials where there are several; disc: of the discounted return; rest: what the update
adds to the reward after this point (of a line search: after a refused try), with intervals that
hold for all points together (Bonferroni); lowers: share of the measured changes below 0; gain of
what the algorithm maximises on the update's own and on fresh pairs, and (plain) of the mean of
ratio times advantage, unclipped; KL, clip fraction and distance from the start on the own pairs;
traj: trajectories behind a change of one update"""
_RULE = """\
Rule: ascent pays up to the last point after which the rest clearly raises the reward, and stops
to pay by the first after which the rest clearly lowers it, by the intervals of rest; else open."""


def update_table(data: xr.Dataset) -> str:
    """The study in numbers."""
    head = (
        f"{'':<12}{'iter':>5}{'n':>8}{'at':>8}{'updates':>8}{'kept':>6}{'change':>26}{'disc':>26}"
        f"{'rest':>26}{'lowers':>20}{'gain':>9}{'fresh':>9}{'plain':>9}{'fresh':>9}{'KL':>9}"
        f"{'clip':>6}{'|step|':>8}{'traj':>6}"
    )
    lines = [f"{data.sizes['update']} updates of each agent. {_LEGEND}", head]
    said = []
    for agent, iteration, n, along, discounted in groups(data):
        place = f"{agent:<12}{iteration:>5}{n:>8}"
        rest = along.rest_intervals()
        lines += [place + line for line in _lines(along, discounted, rest)]
        said.append(f"  {agent}, iteration {iteration}, n {n}: {verdict_text(along, rest)}")
    return "\n".join([*lines, _RULE, *said, *_remarks(data)]) + "\n"


def _lines(along: Along, discounted: Along, rest: list[Interval]) -> list[str]:
    """The start, and each point."""
    none = f"{'':>{8 + 6 + 26 + 26}}"
    lines = [f"{0:>8}{none}{shown(rest[0]):>26}"]
    for p, at in enumerate(along.at):
        change = along.values["change"][..., p]
        known = np.isfinite(change)
        lowers = share_over_trials(((change < 0) & known).sum(axis=1), known.sum(axis=1))
        kept = f"{_mean(along, 'accepted', p):.2f}" if along.search else "-"
        gains = "".join(
            f"{_mean(along, name, p):>9.4f}"
            for name in ("surrogate", "fresh", "unclipped", "unclipped_fresh", "kl")
        )
        lines.append(
            f"{at:>8.3g}{known.sum():>8}{kept:>6}{shown(over_units(change)):>26}"
            f"{shown(over_units(discounted.values['change'][..., p])):>26}"
            f"{shown(rest[p + 1]):>26}{shown(lowers, 2):>20}{gains}"
            f"{_mean(along, 'clip_fraction', p):>6.2f}{_mean(along, 'norm', p):>8.3f}"
            f"{_mean(along, 'trajectories', p):>6.0f}"
        )
    return lines


def _mean(along: Along, name: str, p: int) -> float:
    """Over all updates that have a value there."""
    values: F64 = along.values[name][..., p]
    return float(values[np.isfinite(values)].mean())


def verdict_text(along: Along, rest: list[Interval]) -> str:
    """Where ascent stops to pay, in words."""
    verdict = Verdict.of(rest)
    surrogate = along.rest("surrogate")
    unit = "the try of" if along.search else "pass"

    def what(p: int) -> str:
        where = "the start" if p == 0 else f"{unit} {along.at[p - 1]:.3g}"
        gain = over_units(surrogate[..., p]).estimate
        return (
            f"what follows {where} changes the reward by {shown(rest[p])}, the surrogate by "
            f"{gain:+.4f}"
        )

    parts = []
    if verdict.pays is not None:
        parts.append(f"pays: {what(verdict.pays)}")
    if verdict.stops is not None:
        parts.append(f"stops to pay: {what(verdict.stops)}")
    if not parts:
        parts.append(f"open: {what(0)}")
    return "; ".join(parts) + f" ({_unit(along)})"


def _unit(along: Along) -> str:
    T, K = along.values["at"].shape[:2]
    if T == 1:
        return f"{K} updates of one trial"
    return f"{T} trials" + ("" if T >= TRIALS_TO_DECIDE else ": description, not a decision")


def _remarks(data: xr.Dataset) -> list[str]:
    lines = []
    if data.sizes["trial"] < TRIALS_TO_DECIDE:
        lines.append(
            f"{data.sizes['trial']} trial(s), fewer than {TRIALS_TO_DECIDE}: what is said about "
            "agents is a description, not a decision"
        )
    unstable = float(data["warnings"].sum())
    if unstable:
        lines.append(f"MuJoCo warned {unstable:.0f} times of an unstable simulation")
    lines += [blown] if (blown := divergence_note(data)) else []
    return lines
