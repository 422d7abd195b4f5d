"""The claims C1 to C14 and the numbers, rules and studies that they are judged by.

What a claim says in words ("near 0", "about 0.5", "a tenth") is made a number here. A trial's value
is its mean over the iterations after the start, unless the claim is about iterations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from claimed.gradients import c1, c2, c3, c4, c5, c13, c14
from claimed.parts import FALLS, RISES, UNKNOWN, after_start, mean, own_study
from claimed.rules import Part, Rule
from claimed.sources import Sources
from claimed.trials import per_trial
from pgcore.base.arrays import F64
from pgcore.studies.measures.own_pairs import nearest_to_agents
from pgcore.studies.measures.statistics import iqm_ratio_interval
from pgcore.studies.measures.step_summary import Steps
from pgcore.studies.measures.surfaces import smooth_degree

SMALL_ERROR = Rule(high=0.2, by_factors=True)  # mean relative error
ABOUT_A_HALF = Rule(0.25, 1.0, by_factors=True)
OFTEN = Rule(low=0.25)  # share of steps
ROUGH, SMOOTH = Rule(low=0.1), Rule(high=0.1)  # share of a map's variation
FIFTH = Rule(high=0.2, by_factors=True)  # "almost an order of magnitude"
LESS, MORE = Rule(high=1.0, by_factors=True), Rule(low=1.0, by_factors=True)
CLOSE = Rule(-0.1, 0.1)  # of two cosines
MANY_PAIRS = 500_000  # of a step that C12 is about
SMOOTH_PAIRS = 100_000  # per point of a map that C10 calls smooth

Measure = Callable[[Sources, str, str], Sequence[Part]]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes:
        name: C1 to C14.
        says: in a line.
        measure: of sources, task and algorithm, its parts; none: nobody measured them.
    """

    name: str
    says: str
    measure: Measure


def _errors(data: xr.Dataset, which: str, target: str) -> F64:
    """Mean relative errors of each trial."""
    return per_trial(after_start(data)["error"].sel(set=which, target=target, measure="mre"))


def _c6(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = own_study(sources, task, algorithm, "trials-value", "trials-value-cut", "value")
    if data is None:
        return []
    return [
        part
        for which in ("train", "held-out")
        for part in mean(
            f"{which} relative error on the GAE target after the start",
            _errors(data, which, "gae"),
            SMALL_ERROR,
        )
    ]


def _c7(sources: Sources, task: str, algorithm: str) -> list[Part]:
    """Of returns as the agent cuts them. That the error is small in training is figure 11's."""
    data = own_study(sources, task, algorithm, "trials-value-cut", "value-cut")
    if data is None:
        return []
    held, train = (_errors(data, which, "returns") for which in ("held-out", "train"))
    parts = mean("held-out relative error on cut returns after the start", held, ABOUT_A_HALF)
    beside = mean("figure 11: the same on training pairs", train, SMALL_ERROR)
    return parts + [dataclasses.replace(part, judged=False) for part in beside]


def _c8(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = own_study(sources, task, algorithm, "baselines", "value")
    if data is None or "variance_ratio" not in data:
        return []
    late = after_start(data)
    most = np.log(late["variance_ratio"].sel(n=late["n"].max()))
    true, none = (np.exp(per_trial(most.sel(baseline=b))) for b in ("true value", "zero"))
    few = late["pairwise_cosine"].sel(n=nearest_to_agents(late["n"].values))
    apart = per_trial(few.sel(baseline="value net") - few.sel(baseline="zero"))
    parts = mean("variance with the true value over the value network's", true, LESS)
    parts += mean("variance without a baseline over the value network's", none, MORE)
    n = nearest_to_agents(late["n"].values)
    return parts + mean(f"pairwise cosine at {n} less that without a baseline", apart, CLOSE)


def _c9(sources: Sources, task: str, algorithm: str) -> list[Part]:
    own = sources.scores(task, algorithm)
    without = sources.scores(task, f"{algorithm}, no baseline")
    if own is None or without is None:
        return []
    ends = iqm_ratio_interval(without, own)
    trials = min(len(own), len(without))
    return [Part("final return without a baseline over that with one", ends, trials, FIFTH)]


def _c10(sources: Sources, task: str, algorithm: str) -> list[Part]:
    kinds = ("trials-landscape", "landscape", f"landscape-{algorithm}")
    data = own_study(sources, task, algorithm, *kinds)
    if data is None:
        return []
    few = data["pairs"].values.min()
    late = after_start(data).isel(source=0)
    most = max(
        (n for n in data["pairs"].values if bool(late["unexplained"].sel(pairs=n).notnull().any())),
        default=few,
    )
    rough, smooth = (per_trial(late["unexplained"].sel(pairs=n)) for n in (few, most))
    points = data.sizes["step_scale"] * data.sizes["random_scale"]
    title = f"share of a map's variation that no polynomial of degree {smooth_degree(points)} has"
    parts = mean(f"{title}, {few} pairs per point", rough, ROUGH)
    many = mean(f"{title}, {most} pairs per point", smooth, SMOOTH)
    if most < SMOOTH_PAIRS:  # what is smooth there is smooth with more, but not the reverse
        many = [dataclasses.replace(part, against=UNKNOWN) for part in many]
    return parts + many


def _steps(data: xr.Dataset, iteration: int, n: int) -> Steps | None:
    """Whole steps; None where no trial has them."""
    own = data.sel(iteration=iteration, n=n, fraction=1.0, kind="step")
    steps = Steps.of(own)
    return steps if len(steps.trials) else None


def _c11(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = own_study(sources, task, algorithm, "step")
    if data is None:
        return []
    n = nearest_to_agents(data["n"].values)
    parts = []
    title = "change of the reward by a step, 0"
    start = _steps(data, 0, n) if 0 in data["iteration"].values else None
    if start is None:  # the claim has two halves, and does not hold by one
        parts.append(Part(title, UNKNOWN, 0, RISES))
    else:
        parts += mean(title, start.change.mean(axis=1), RISES)
    last = int(data["iteration"].max())
    if last > 0 and (late := _steps(data, last, n)):
        sure, may, count = late.lowering_shares()
        if count:
            title = f"share of steps that raise the surrogate and clearly lower the reward, {last}"
            ends, against = (dataclasses.astuple(x) for x in (sure, may))
            if len(late.trials) < 2:  # its intervals are over steps
                ends, against = ((x[0], np.nan, np.nan) for x in (ends, against))
            parts.append(Part(title, ends, len(late.trials), OFTEN, against))
    return parts


def _c12(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = own_study(sources, task, algorithm, "step-1000000", "step")
    if data is None or (n := int(data["n"].max())) < MANY_PAIRS:
        return []
    last = int(data["iteration"].max())
    steps = _steps(data, last, n) if last > 0 else None
    if steps is None:
        return []
    rule = RISES if algorithm == "trpo" else FALLS
    return mean(f"change of the reward by a step, {last}", steps.change.mean(axis=1), rule)


CLAIMS = (
    Claim("C1", "gradient estimates from 2000 pairs hardly agree", c1),
    Claim("C2", "they agree less as training goes on", c2),
    Claim("C3", "and less on harder tasks", c3),
    Claim("C4", "a near-true gradient takes many times the pairs", c4),
    Claim("C5", "the same is true of computed steps", c5),
    Claim("C6", "the value network fits its GAE target", _c6),
    Claim("C7", "but not the returns (error about 0.5)", _c7),
    Claim("C8", "variance: true value < value network < none, the latter two close at 2K", _c8),
    Claim("C9", "without a baseline almost 10 times less reward", _c9),
    Claim("C10", "the reward is jagged at 2000 pairs, smooth at 10^5", _c10),
    Claim("C11", "steps raise the reward at first, and late often lower it", _c11),
    Claim("C12", "with 10^6 pairs TRPO's step raises the reward, PPO's lowers it", _c12),
    Claim("C13", "fewer trajectories per iteration as training goes on", c13),
    Claim("C14", "a step is a tenth of the random direction", c14),
)
