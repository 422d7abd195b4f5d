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
from quoted.writing import number

from claimed.rules import Ends, Part, Rule
from claimed.sources import Sources
from claimed.trials import per_trial
from pgcore.base.arrays import F64
from pgcore.studies.measures.differences import unpaired_difference
from pgcore.studies.measures.over_trials import geometric_over_trials
from pgcore.studies.measures.own_pairs import nearest_to_agents
from pgcore.studies.measures.statistics import iqm_ratio_interval, mean_interval
from pgcore.studies.measures.step_summary import Steps
from pgcore.studies.measures.surfaces import smooth_degree

NEAR_ZERO = Rule(high=0.1)  # of a cosine
SMALL_ERROR = Rule(high=0.2, by_factors=True)  # mean relative error
ABOUT_A_HALF = Rule(0.25, 1.0, by_factors=True)
ABOUT_A_TENTH = Rule(0.05, 0.2, by_factors=True)
FALLS, RISES = Rule(high=0.0), Rule(low=0.0)
MANY_TIMES = Rule(low=10.0, by_factors=True)
OFTEN = Rule(low=0.25)  # share of steps
ROUGH, SMOOTH = Rule(low=0.1), Rule(high=0.1)  # share of a map's variation
FIFTH = Rule(high=0.2, by_factors=True)  # "almost an order of magnitude"
LESS, MORE = Rule(high=1.0, by_factors=True), Rule(low=1.0, by_factors=True)
CLOSE = Rule(-0.1, 0.1)  # of two cosines
NEAR_TRUE = 0.9  # cosine to the true gradient
MANY_PAIRS = 500_000  # of a step that C12 is about
SMOOTH_PAIRS = 100_000  # per point of a map that C10 calls smooth
UNKNOWN = (np.nan, np.nan, np.nan)
RANDOM_NORM = 2.0
HARD = "Humanoid-v2"

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


def _late(data: xr.Dataset) -> xr.Dataset:
    return data.sel(iteration=data["iteration"] > 0)


def _mean(title: str, values: F64, rule: Rule) -> list[Part]:
    """A mean over trials, or a geometric one; no part where no trial is known.

    What is infinite gives no interval: the trials that it is over are the finite ones.
    """
    if not len(values):
        return []
    ends = geometric_over_trials(values) if rule.by_factors else mean_interval(values)
    return [Part(title, ends, int(np.isfinite(values).sum()), rule)]


def _own(sources: Sources, task: str, algorithm: str, *kinds: str) -> xr.Dataset | None:
    """The first study of some kinds that has one algorithm."""
    for data in (sources.study(task, kind) for kind in kinds):
        if data is not None and algorithm in data["agent"].values:
            return data.sel(agent=algorithm)
    return None


def _at_own_pairs(sources: Sources, task: str, algorithm: str) -> xr.Dataset | None:
    """The gradient study at the n that is nearest to an iteration's pairs."""
    data = _own(sources, task, algorithm, "trials-gradient", "gradient")
    return None if data is None else data.sel(n=nearest_to_agents(data["n"].values))


def _falls(title: str, values: xr.DataArray) -> list[Part]:
    """From the start to the end, and from the first iteration after the start to the end."""
    times = [int(i) for i in np.sort(values["iteration"].values)]
    parts = []
    for first in times[:2] if len(times) > 2 else times[:1]:
        change = values.sel(iteration=times[-1]) - values.sel(iteration=first)
        parts += _mean(f"{title}, {times[-1]} less {first}", per_trial(change), FALLS)
    return parts


def _c1(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    own = per_trial(_late(data)["pairwise_cosine"])
    return _mean("pairwise cosine after the start", own, NEAR_ZERO)


def _c2(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _at_own_pairs(sources, task, algorithm)
    return [] if data is None else _falls("pairwise cosine", data["pairwise_cosine"])


def _harder(
    sources: Sources, task: str, algorithm: str, of: str, name: str = "pairwise_cosine"
) -> list[Part]:
    """Humanoid's cosines less those of the other tasks, at the late iterations that both have."""
    hard = _at_own_pairs(sources, task, algorithm)
    if task != HARD or hard is None:
        return []
    parts = []
    for easier in ("Hopper-v2", "Walker2d-v2"):
        easy = _at_own_pairs(sources, easier, algorithm)
        if easy is None:
            continue
        shared = np.intersect1d(_late(hard)["iteration"].values, easy["iteration"].values)
        one, other = (per_trial(d[name].sel(iteration=shared)) for d in (hard, easy))
        ends: Ends = (float(one.mean() - other.mean()), np.nan, np.nan)
        if min(len(one), len(other)) > 1:
            ends = dataclasses.astuple(unpaired_difference(one, other))
        title = f"pairwise cosine{of} after the start, less {easier}'s"
        parts.append(Part(title, ends, min(len(one), len(other)), FALLS))
    return parts


def _c3(sources: Sources, task: str, algorithm: str) -> list[Part]:
    return _harder(sources, task, algorithm, "")


def _c4(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    needed = _late(data)["true_noise_scale"] * NEAR_TRUE**2 / (1 - NEAR_TRUE**2)
    times = np.exp(per_trial(np.log(needed / float(data["n"]))))
    return _mean(f"pairs for a cosine of {NEAR_TRUE} to the true gradient, in n", times, MANY_TIMES)


def _c5(sources: Sources, task: str, algorithm: str) -> list[Part]:
    """C1 to C4 of steps. The true step of these trials is from n pairs: C4's part is unknown."""
    data = _at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    late = per_trial(_late(data)["step_pairwise_cosine"])
    parts = _mean("pairwise cosine of steps after the start", late, NEAR_ZERO)
    parts += _falls("pairwise cosine of steps", data["step_pairwise_cosine"])
    parts += _harder(sources, task, algorithm, " of steps", "step_pairwise_cosine")
    title = f"pairs for a cosine of {NEAR_TRUE} to the true step, in n"
    return [*parts, Part(title, UNKNOWN, 0, MANY_TIMES)]


def _errors(data: xr.Dataset, which: str, target: str) -> F64:
    """Mean relative errors of each trial."""
    return per_trial(_late(data)["error"].sel(set=which, target=target, measure="mre"))


def _c6(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _own(sources, task, algorithm, "trials-value", "trials-value-cut", "value")
    if data is None:
        return []
    return [
        part
        for which in ("train", "held-out")
        for part in _mean(
            f"{which} relative error on the GAE target after the start",
            _errors(data, which, "gae"),
            SMALL_ERROR,
        )
    ]


def _c7(sources: Sources, task: str, algorithm: str) -> list[Part]:
    """Of returns as the agent cuts them. That the error is small in training is figure 11's."""
    data = _own(sources, task, algorithm, "trials-value-cut", "value-cut")
    if data is None:
        return []
    held, train = (_errors(data, which, "returns") for which in ("held-out", "train"))
    parts = _mean("held-out relative error on cut returns after the start", held, ABOUT_A_HALF)
    beside = _mean("figure 11: the same on training pairs", train, SMALL_ERROR)
    return parts + [dataclasses.replace(part, judged=False) for part in beside]


def _c8(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _own(sources, task, algorithm, "baselines", "value")
    if data is None or "variance_ratio" not in data:
        return []
    late = _late(data)
    most = np.log(late["variance_ratio"].sel(n=late["n"].max()))
    true, none = (np.exp(per_trial(most.sel(baseline=b))) for b in ("true value", "zero"))
    few = late["pairwise_cosine"].sel(n=nearest_to_agents(late["n"].values))
    apart = per_trial(few.sel(baseline="value net") - few.sel(baseline="zero"))
    parts = _mean("variance with the true value over the value network's", true, LESS)
    parts += _mean("variance without a baseline over the value network's", none, MORE)
    n = nearest_to_agents(late["n"].values)
    return parts + _mean(f"pairwise cosine at {n} less that without a baseline", apart, CLOSE)


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
    data = _own(sources, task, algorithm, *kinds)
    if data is None:
        return []
    few = data["pairs"].values.min()
    late = _late(data).isel(source=0)
    most = max(
        (n for n in data["pairs"].values if bool(late["unexplained"].sel(pairs=n).notnull().any())),
        default=few,
    )
    rough, smooth = (per_trial(late["unexplained"].sel(pairs=n)) for n in (few, most))
    points = data.sizes["step_scale"] * data.sizes["random_scale"]
    title = f"share of a map's variation that no polynomial of degree {smooth_degree(points)} has"
    parts = _mean(f"{title}, {few} pairs per point", rough, ROUGH)
    many = _mean(f"{title}, {most} pairs per point", smooth, SMOOTH)
    if most < SMOOTH_PAIRS:  # what is smooth there is smooth with more, but not the reverse
        many = [dataclasses.replace(part, against=UNKNOWN) for part in many]
    return parts + many


def _steps(data: xr.Dataset, iteration: int, n: int) -> Steps | None:
    """Whole steps; None where no trial has them."""
    own = data.sel(iteration=iteration, n=n, fraction=1.0, kind="step")
    steps = Steps.of(own)
    return steps if len(steps.trials) else None


def _c11(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _own(sources, task, algorithm, "step")
    if data is None:
        return []
    n = nearest_to_agents(data["n"].values)
    parts = []
    title = "change of the reward by a step, 0"
    start = _steps(data, 0, n) if 0 in data["iteration"].values else None
    if start is None:  # the claim has two halves, and does not hold by one
        parts.append(Part(title, UNKNOWN, 0, RISES))
    else:
        parts += _mean(title, start.change.mean(axis=1), RISES)
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
    data = _own(sources, task, algorithm, "step-1000000", "step")
    if data is None or (n := int(data["n"].max())) < MANY_PAIRS:
        return []
    last = int(data["iteration"].max())
    steps = _steps(data, last, n) if last > 0 else None
    if steps is None:
        return []
    rule = RISES if algorithm == "trpo" else FALLS
    return _mean(f"change of the reward by a step, {last}", steps.change.mean(axis=1), rule)


def _c13(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    count = data["mean_trajectories"]
    first, last = (count.sel(iteration=f(count["iteration"].values)) for f in (np.min, np.max))
    return _mean("trajectories of n pairs, last less first", per_trial(last - first), FALLS)


def _c14(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = _at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    share = np.exp(per_trial(np.log(_late(data)["step_norm"] / RANDOM_NORM)))
    title = f"length of a step over {number(RANDOM_NORM, 0)} after the start"
    return _mean(title, share, ABOUT_A_TENTH)


CLAIMS = (
    Claim("C1", "gradient estimates from 2000 pairs hardly agree", _c1),
    Claim("C2", "they agree less as training goes on", _c2),
    Claim("C3", "and less on harder tasks", _c3),
    Claim("C4", "a near-true gradient takes many times the pairs", _c4),
    Claim("C5", "the same is true of computed steps", _c5),
    Claim("C6", "the value network fits its GAE target", _c6),
    Claim("C7", "but not the returns (error about 0.5)", _c7),
    Claim("C8", "variance: true value < value network < none, the latter two close at 2K", _c8),
    Claim("C9", "without a baseline almost 10 times less reward", _c9),
    Claim("C10", "the reward is jagged at 2000 pairs, smooth at 10^5", _c10),
    Claim("C11", "steps raise the reward at first, and late often lower it", _c11),
    Claim("C12", "with 10^6 pairs TRPO's step raises the reward, PPO's lowers it", _c12),
    Claim("C13", "fewer trajectories per iteration as training goes on", _c13),
    Claim("C14", "a step is a tenth of the random direction", _c14),
)
