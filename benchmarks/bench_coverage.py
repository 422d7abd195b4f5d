"""Do the 95 % intervals of studies cover the truth: cosines, returns, surfaces, spreads, trials?

On the linear-quadratic task, where estimates are cheap and the return is known in closed form. The
truth of cosine and noise scale is their value over all estimates together. The measures of surfaces
are those of a made-up surface with known errors; their bounds hold for any dependence between the
comparisons, so that they cover more than 95 %.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
from coverage_over_trials import spreads_and_trials
from coverage_variance import budgets
from scipy import stats
from timing import header

import pgcore
from pgcore.agent import Agent
from pgcore.studies.landscape.spending import error_bound
from pgcore.studies.measures import statistics
from pgcore.studies.measures.differences import paired_difference, unpaired_difference
from pgcore.studies.measures.maps import Centre, reward_change
from pgcore.studies.measures.surfaces import (
    Interval,
    RewardSurface,
    rank_correlation,
    roughness,
    sign_agreement,
)
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import linear_quadratic as lq

INTERVALS, ESTIMATES = 400, 10


def line(name: str, covered: int, total: int) -> None:
    """A coverage and its binomial error."""
    share = covered / total
    error = 1.96 * np.sqrt(0.05 * 0.95 / total)
    print(f"{name}: {100 * share:.1f} % of {total} (binomial error ±{100 * error:.1f})", flush=True)


def surfaces(trajectories: int, error: float) -> None:
    """Coverage of the measures of an 11 x 11 surface whose points have normal errors."""
    generator = np.random.Generator(np.random.Philox(key=4))
    a = np.linspace(0, 1, 11)
    truth = np.sin(6 * a[:, None]) + a[None, :] ** 2
    truth += 0.1 * generator.standard_normal(truth.shape)
    surrogate, n = a[:, None] - 0.3 * a[None, :], np.full(truth.shape, float(trajectories))

    def measured(surface: RewardSurface) -> tuple[Interval, ...]:
        line = RewardSurface(*(x[:, 0] for x in dataclasses.astuple(surface)))
        return (
            sign_agreement(surrogate[:, 0], line),
            rank_correlation(surrogate, surface),
            roughness(surface).jagged,
        )

    expected = measured(RewardSurface(truth, np.zeros_like(truth), n))
    hits, widths = np.zeros(3, dtype=int), np.zeros(3)
    for _ in range(INTERVALS):
        noise = error * generator.standard_normal((trajectories, *truth.shape))
        draws = truth + np.sqrt(trajectories) * noise
        spread = draws.std(0, ddof=1) / np.sqrt(trajectories)
        found = measured(RewardSurface(draws.mean(0), spread, n))
        hits += [f.low <= e.estimate <= f.high for f, e in zip(found, expected, strict=True)]
        widths += [f.high - f.low for f in found]
    names = ("sign agreement", "rank correlation", "jagged share")
    for name, hit, width in zip(names, hits, widths / INTERVALS, strict=True):
        what = f"{name}, {trajectories} trajectories a point, mean width {width:.2f}"
        line(what, hit, INTERVALS)


def stopping(kind: str, part: int, wanted: int, repeats: int = 20_000) -> None:
    """Coverage of a mean whose point stopped at a target error, as in an adaptive landscape.

    Args:
        kind: of returns of variance 1, "normal" or "exponential".
        part: trajectories of a part; there are at most 20.
        wanted: trajectories that have the target error.
        repeats: points.
    """
    generator = np.random.Generator(np.random.Philox(key=5))
    draw = generator.standard_normal if kind == "normal" else generator.standard_exponential
    returns = draw((repeats, 20 * part)) - (kind == "exponential")
    number, going = np.zeros(repeats, dtype=int), np.ones(repeats, dtype=bool)
    for n in range(part, 20 * part + 1, part):
        number[going] = n
        own = returns[:, :n]
        sums = own.sum(1), np.square(own).sum(1)
        going &= error_bound(np.full(repeats, float(n)), *sums) > wanted**-0.5
    used = np.arange(20 * part) < number[:, None]
    mean = (returns * used).sum(1) / number
    spread = np.sqrt((np.square(returns - mean[:, None]) * used).sum(1) / (number - 1) / number)
    hits = int((np.abs(mean) < stats.t.ppf(0.975, number - 1) * spread).sum())
    what = f"mean of {kind} returns, parts of {part}, stopped after {int(np.median(number))}"
    line(what, hits, repeats)


def differences(kind: str, trials: int, correlation: float, repeats: int = 20_000) -> None:
    """Coverage of the difference between two agents over trials, paired and unpaired.

    Args:
        kind: of values of variance 1, "normal" or "exponential".
        trials: of each agent.
        correlation: between the two trials of a pair.
        repeats: pairs of agents; Welch's interval is measured on independent trials.
    """
    generator = np.random.Generator(np.random.Philox(key=6))
    draw = generator.standard_normal if kind == "normal" else generator.standard_exponential
    own, other, shared, apart = draw((4, repeats, trials)) - (kind == "exponential")
    one, two = (np.sqrt(1 - correlation) * x + np.sqrt(correlation) * shared for x in (own, other))
    hits, widths = np.zeros(2, dtype=int), np.zeros(2)
    for a, b, c in zip(one, two, apart, strict=True):
        paired, far = paired_difference(a, b), unpaired_difference(a, c)
        hits += [x.low <= 0 <= x.high for x in (paired, far)]
        widths += [x.high - x.low for x in (paired, unpaired_difference(a, b))]
    what = f"{kind} trials, {trials} of each agent"
    share = f"{widths[0] / widths[1]:.2f} of the unpaired width"
    line(f"paired difference, {what}, correlation {correlation}, {share}", hits[0], repeats)
    line(f"unpaired difference, {what}, which share nothing", hits[1], repeats)


def changes(kind: str, point: int, centre: int, repeats: int = 20_000) -> None:
    """Coverage of the change at one step of a map whose centre is pooled over maps.

    Args:
        kind: of returns of variance 1, "normal" or "exponential".
        point: trajectories of each of the two grid points next to one step.
        centre: trajectories of the pooled centre.
        repeats: maps.
    """
    generator = np.random.Generator(np.random.Philox(key=7))
    draw = generator.standard_normal if kind == "normal" else generator.standard_exponential
    steps, hits = np.array([0.0, 0.9, 1.2]), 0
    for _ in range(repeats):
        parts = [draw(n) - (kind == "exponential") for n in (centre, point, point)]
        mean, error = (np.array([f(p) for p in parts]) for f in (np.mean, stats.sem))
        count = np.array([point, point, point], dtype=float)
        pooled = Centre(float(mean[0]), float(error[0]), float(centre))
        found = reward_change(steps, RewardSurface(mean, error, count), pooled)
        hits += found.low <= 0 <= found.high
    line(f"change at one step, {kind} returns, {point} trajectories a point, centre {centre}", hits,
         repeats)  # fmt: skip


def main() -> None:
    header(__doc__.splitlines()[0])
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=())
    policy.load_flat(torch.full((1, 12), -0.3))
    agent = Agent(task, policy, pgcore.ValueNet(4, (8,)))
    sampling = Sampling(gamma=0.95, baseline="zero", stream_steps=20)
    for n in (1000, 4000, 16_000):
        groups = np.arange(INTERVALS * ESTIMATES) * (1 << 18)
        vectors = sum_gradients(agent, n, groups, 8, sampling, 2).gradients
        gram = vectors @ vectors.T
        cosine = statistics.mean_pairwise(statistics.cosines(gram))
        shared = statistics.mean_pairwise(gram)
        B = n * (float(np.diagonal(gram).mean()) - shared) / shared
        hits = np.zeros(2, dtype=int)
        for i in range(0, len(gram), ESTIMATES):
            own = gram[i : i + ESTIMATES, i : i + ESTIMATES]
            _, low, high = statistics.pairwise_cosine_interval(own)
            hits[0] += low <= cosine <= high
            _, low, high = statistics.noise_scale_interval(own, n)
            hits[1] += low <= B <= high
        line(f"pairwise cosine {cosine:.3f} of {ESTIMATES} estimates, n = {n}", hits[0], INTERVALS)
        line(f"noise scale {B:.3g} of {ESTIMATES} estimates, n = {n}", hits[1], INTERVALS)
    truth, total = lq.mean_return(policy.flat[0]), 2000
    for trajectories in (50, 400):
        scores = pgcore.evaluate(task, policy, trajectories * 20 * total, streams=total, seed=2)
        returns = scores.returns.reshape(total, -1)[:, :trajectories]
        hits_return = 0
        for row in returns:
            _, low, high = statistics.mean_interval(row)
            hits_return += low <= truth <= high
        line(f"mean return of {trajectories} trajectories", hits_return, total)
    for trajectories, error in ((5, 0.3), (50, 0.1), (500, 0.03)):
        surfaces(trajectories, error)
    for kind in ("normal", "exponential"):
        for point, centre in ((5, 20), (20, 100), (80, 600)):
            changes(kind, point, centre)
    for kind in ("normal", "exponential"):
        for trials in (3, 6, 8, 24):
            differences(kind, trials, 0.8)
        for part, wanted in ((4, 12), (4, 40), (20, 40)):
            stopping(kind, part, wanted)
    spreads_and_trials(line)
    budgets(line)


if __name__ == "__main__":
    main()
