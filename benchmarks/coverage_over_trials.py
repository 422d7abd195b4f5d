"""Coverage of intervals of spreads between steps, of statistics over trials, and of misfits.

What bench_coverage.py adds of them; a "line" prints a coverage of so many repeats.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from pgcore.base.arrays import F64
from pgcore.studies.measures import statistics
from pgcore.studies.measures.misfit import misfit_parts
from pgcore.studies.measures.over_trials import (
    cosine_over_trials,
    geometric_over_trials,
    noise_scale_over_trials,
)
from pgcore.studies.measures.steps import (
    mean_change,
    share_over_trials,
    spread,
    spread_over_trials,
    within_trials,
)

Line = Callable[[str, int, int], None]
KINDS = ("normal", "heavy", "gamma", "lognormal")


def draws(kind: str, generator: np.random.Generator, shape: tuple[int, ...]) -> F64:
    """Numbers of mean 0 and variance 1: normal, t with 5 degrees, or of skewness -2.3."""
    if kind == "normal":
        return generator.standard_normal(shape)
    if kind == "heavy":
        return generator.standard_t(5, shape) / np.sqrt(5 / 3)
    if kind == "gamma":
        k = (2 / 2.3) ** 2
        return (k - generator.standard_gamma(k, shape)) / np.sqrt(k)
    s = 0.6071  # of the logarithm: skewness (w + 2) sqrt(w - 1) with w = exp(s²)
    w = np.exp(s**2)
    return (np.exp(s**2 / 2) - np.exp(s * generator.standard_normal(shape))) / np.sqrt(w * (w - 1))


def step_means(line: Line, steps: int, repeats: int = 20_000) -> None:
    """Coverage of the mean change by the steps of one trial, and that of Student's interval."""
    for kind in KINDS:
        generator = np.random.Generator(np.random.Philox(key=12))
        changes = draws(kind, generator, (repeats, steps))
        hits = sum(x.low <= 0 <= x.high for x in map(mean_change, changes))
        width = stats.t.ppf(0.975, steps - 1) * stats.sem(changes, axis=1)
        plain = 100 * np.mean(np.abs(changes.mean(axis=1)) <= width)
        line(f"mean of {steps} {kind} steps; Student {plain:.1f} %", hits, repeats)


def spreads(line: Line, steps: int, noise: float, repeats: int = 4000) -> None:
    """Coverage of the spread between steps of one trial, and that of a χ² interval.

    Args:
        line: prints.
        steps: K.
        noise: standard error of a change, in units of the spread.
        repeats: trials.
    """
    for kind in KINDS:
        generator = np.random.Generator(np.random.Philox(key=7))
        changes = draws(kind, generator, (repeats, steps))
        changes += noise * generator.standard_normal(changes.shape)
        errors = noise * np.sqrt(generator.chisquare(19, changes.shape) / 19)  # of 20 trajectories
        found = [spread(*one) for one in zip(changes, errors, strict=True)]
        hits = sum(x.low <= 1 <= x.high for x in found)
        tails = stats.chi2.ppf([0.975, 0.025], steps - 1)
        ends = (steps - 1) * changes.var(axis=1, ddof=1)[:, None] / tails
        plain = np.sqrt(np.maximum(ends - np.square(errors).mean(1, keepdims=True), 0))
        other = 100 * np.mean((plain[:, 0] <= 1) & (plain[:, 1] >= 1))
        high = np.median([x.high for x in found])
        what = f"spread of {steps} {kind} steps, noise {noise}, median high end {high:.1f}"
        line(f"{what}; chi-square {other:.1f} %", hits, repeats)


def spreads_over_trials(
    line: Line, trials: int, apart: float, noise: float, repeats: int = 2000
) -> None:
    """Coverage of the root mean square over trials of the spreads between ten steps.

    Args:
        line: prints.
        trials: T.
        apart: standard deviation of the logarithm of the trials' own spreads.
        noise: standard error of a change, in units of the median spread.
        repeats: agents.
    """
    truth = np.exp(apart**2)
    for kind in KINDS:
        generator = np.random.Generator(np.random.Philox(key=8))
        own = np.exp(apart * generator.standard_normal((repeats, trials, 1)))
        changes = own * draws(kind, generator, (repeats, trials, 10))
        changes += noise * generator.standard_normal(changes.shape)
        found = [spread_over_trials(x, np.full(x.shape, noise)) for x in changes]
        hits = sum(x.low <= truth <= x.high for x in found)
        what = f"spread over {trials} trials of 10 {kind} steps, apart by {apart}, noise {noise}"
        line(what, hits, repeats)


def correlations(line: Line, trials: int, apart: float, differs: float) -> None:
    """Coverage of the correlation between the steps of a trial, over trials of eight steps.

    Args:
        line: prints.
        trials: T.
        apart: standard deviation of the logarithm of the trials' scales.
        differs: standard deviation of Fisher's z between trials, about 0.
    """
    generator, repeats = np.random.Generator(np.random.Philox(key=10)), 4000
    scale = np.exp(apart * generator.standard_normal((repeats, trials, 1)))
    rho = np.tanh(differs * generator.standard_normal((repeats, trials, 1)))
    one, noise = scale * generator.standard_normal((2, repeats, trials, 8))
    other = rho * one + np.sqrt(1 - rho**2) * noise
    found = [within_trials(a, b) for a, b in zip(one, other, strict=True)]
    hits = sum(x.low <= 0 <= x.high for x in found)
    what = f"correlation within {trials} trials of 8 steps, scales apart by {apart}, z by {differs}"
    line(what, hits, repeats)


def shares(line: Line, trials: int, mean: float, concentration: float) -> None:
    """Coverage of the share of eight steps over trials whose own shares are beta distributed."""
    generator, repeats = np.random.Generator(np.random.Philox(key=11)), 4000
    shape = (mean * concentration, (1 - mean) * concentration)
    own = generator.beta(*shape, size=(repeats, trials))
    counts = generator.binomial(8, own)
    found = [share_over_trials(row, np.full(trials, 8.0)) for row in counts]
    hits = sum(x.low <= mean <= x.high for x in found)
    what = f"share of 8 steps over {trials} trials, mean {mean}, beta concentration {concentration}"
    line(what, hits, repeats)


def factors(line: Line, trials: int, repeats: int = 20_000) -> None:
    """Coverage of means over trials of what differs by factors, and of cosines near 1."""
    generator = np.random.Generator(np.random.Philox(key=9))
    logs = 0.8 * generator.standard_normal((repeats, trials))
    cosines = 1 / (1 + 7e4 * np.exp(logs) / 5e5)  # between halves of 5 x 10^5 pairs
    many = 1 / (1 + 7e4 * np.exp(0.8 * generator.standard_normal(10**6)) / 5e5)
    cases = (
        ("geometric mean of lognormal values", geometric_over_trials, np.exp(logs), 1.0),
        (
            "geometric mean of values with skewed logarithms (2)",
            geometric_over_trials,
            np.exp(generator.standard_exponential(logs.shape)),
            np.e,
        ),
        (
            "geometric mean of values with skewed logarithms (1)",
            geometric_over_trials,
            np.exp(generator.standard_gamma(4, logs.shape)),
            np.exp(4),
        ),
        ("split-half cosine", cosine_over_trials, cosines, np.tanh(np.arctanh(many).mean())),
    )
    for what, measure, values, truth in cases:
        hits = sum(low <= truth <= high for _, low, high in map(measure, values))
        line(f"{what}, {trials} trials", int(hits), repeats)


def unseen(line: Line, trials: int, scale: float, repeats: int = 1000) -> None:
    """Coverage of the geometric mean of noise scales, where |g| is not seen in some trials.

    Args:
        line: prints.
        trials: T, whose noise scales differ by factors.
        scale: their geometric mean; each is measured from ten estimates of 2000 pairs.
        repeats: agents.
    """
    generator, n, dims = np.random.Generator(np.random.Philox(key=10)), 2000, 20
    hits, missing = 0, 0.0
    for _ in range(repeats):
        own = scale * np.exp(0.5 * generator.standard_normal(trials))
        noise = generator.standard_normal((trials, 10, dims))
        estimates = np.eye(1, dims) + noise * np.sqrt(own / n / dims)[:, None, None]
        found = np.full(trials, np.inf)
        for t, vectors in enumerate(estimates):
            gram = vectors @ vectors.T
            shared = statistics.mean_pairwise(gram)
            if shared > 0:
                found[t] = n * (np.diagonal(gram).mean() / shared - 1)
        _, low, high, count = noise_scale_over_trials(found)
        hits += low <= scale <= high
        missing += count / trials / repeats
    what = f"geometric mean of noise scales about {scale:.0f}, {trials} trials"
    line(f"{what}, {100 * missing:.1f} % of them not seen", hits, repeats)


def misfits(line: Line, kind: str, count: int, repeats: int = 2000) -> None:
    """Coverage of the parts of a misfit of B states: mean error, its square, and the rest."""
    generator = np.random.Generator(np.random.Philox(key=11))
    hits = np.zeros(3, dtype=int)
    for _ in range(repeats):
        value, error = draws(kind, generator, (2, count))
        measured = value + 0.2 * generator.standard_normal(count)
        found = misfit_parts(value + 0.5 + np.sqrt(0.3) * error, measured, np.full(count, 0.2))
        truths = (0.5, 0.25, 0.3)
        hits += [found[3 * i + 1] <= t <= found[3 * i + 2] for i, t in enumerate(truths)]
    for what, hit in zip(("mean error", "its square", "the rest"), hits, strict=True):
        line(f"misfit of {count} {kind} states, {what}", int(hit), repeats)


def spreads_and_trials(line: Line) -> None:
    """All of them, at the numbers of steps, trials and states that studies have."""
    for steps in (8, 10, 12, 20):
        step_means(line, steps)
        for noise in (0.0, 0.3, 1.0):
            spreads(line, steps, noise)
    for trials in (3, 6, 8, 24):
        for apart, noise in ((0.0, 0.0), (0.25, 0.3), (0.5, 0.0), (0.5, 1.0)):
            spreads_over_trials(line, trials, apart, noise)
        factors(line, trials)
        for apart, differs in ((0.0, 0.0), (0.8, 0.0), (0.0, 0.4), (0.8, 0.4)):
            correlations(line, trials, apart, differs)
        for mean, concentration in ((0.11, 1e6), (0.11, 6), (0.11, 2), (0.3, 6), (0.5, 6)):
            shares(line, trials, mean, concentration)
        for scale in (5000, 20_000, 50_000):
            unseen(line, trials, scale)
    for kind in ("normal", "heavy"):
        for count in (20, 40, 100):
            misfits(line, kind, count)
