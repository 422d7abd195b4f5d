"""The commands of a reproduction, with what each simulates, and what that takes on this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scales import HARD, Scale, Steps

import pgcore
from pgcore.studies.measures.own_pairs import nearest_to_agents

HERE = Path(__file__).parent
ALGORITHMS = ("ppo", "trpo")
PAIRS = 2048  # of an iteration
ESTIMATES = 10
HELD_OUT = 20_000
UPDATES = 10
UPDATE_POINTS = {"ppo": 11, "trpo": 3}  # passes, or tries of a line search, and the start
UPDATE_REWARD_PAIRS = 20_000
TO_THE_END = 1000  # pairs of a whole trajectory, at most
REGIME_PAIRS, REGIME_RATES, REGIME_TOTAL = (512, 2048, 8192), (0.5, 1.0, 2.0), 500 * PAIRS
TRAINING = 1.6  # time of an iteration over that of its simulation, as measured for 24 trials
RESERVE = 1.25  # of the sum: a fifth of the day is kept


@dataclass(frozen=True)
class Planned:
    """A command.

    Attributes:
        arguments: of the process.
        task: whose simulator it runs.
        pairs: state-action pairs that it simulates.
        factor: its time over that of the simulation.
    """

    arguments: list[str]
    task: str
    pairs: float
    factor: float = 1.0

    def hours(self, seconds: dict[str, float]) -> float:
        """At so many seconds per pair."""
        return self.pairs * self.factor * seconds[self.task] / 3600


def seconds_per_pair(tasks: Sequence[str]) -> dict[str, float]:
    """Of each task on all threads of this machine, with a policy that was not trained."""
    found = {}
    for task in tasks:
        own = pgcore.make_task(task)
        policy = pgcore.GaussianPolicy(own.obs_dim, own.act_dim)
        for _ in range(2):  # the first one warms up
            start = time.perf_counter()
            pgcore.collect(own, policy, 1000, 8, seed=0)
            found[task] = (time.perf_counter() - start) / 8000
    return found


def words(values: Sequence[int]) -> list[str]:
    """Numbers as arguments."""
    return [str(v) for v in values]


def commands(scale: Scale, out: Path) -> Iterator[Planned]:
    """Those of a scale, in order: training first, since everything else needs the agents."""
    for task in scale.tasks:
        yield from _training(task, scale, out)
    for task in scale.tasks:
        yield from _gradient(task, scale, out)
        yield from _values(task, scale, out)
        for own in scale.steps:
            if task in own.tasks:
                yield _steps(task, own, out)
        yield _maps(task, scale, out)
        if scale.update_trials:
            yield _updates(task, scale, out)
    for task in scale.regime_tasks:
        yield _regime(task, scale, out)
    kept = str(out / "kept")
    page = ["--results", kept, "--out", str(out / "paper.md"), "--turn"]
    for script, own in (
        ("claims.py", ["--studies", str(out)]),
        ("gathered.py", [str(out), "--out", kept]),
        ("paper_page.py", page),
    ):
        yield Planned([sys.executable, str(HERE / script), *own], scale.tasks[0], 0)


def _runs(task: str, out: Path) -> list[str]:
    return [str(out / "runs" / f"{task}-{a}") for a in ALGORITHMS]


def _study(name: str, task: str, out: Path, suffix: str = "") -> tuple[list[str], list[str]]:
    """The words ahead of the settings, and those behind them."""
    before = [sys.executable, "-m", "pgcore", "study", name, *_runs(task, out)]
    return before, ["--out", str(out / f"{task}-{suffix or name}")]


def _training(task: str, scale: Scale, out: Path) -> Iterator[Planned]:
    kinds = [
        (r, a, "value", scale.trials) for r, a in zip(_runs(task, out), ALGORITHMS, strict=True)
    ]
    if zero := scale.zero_trials.get(task, 0):
        kinds += [(f"{run}-zero", a, "zero", zero) for run, a, _, _ in kinds]
    for run, algorithm, baseline, trials in kinds:
        arguments = [
            sys.executable, "-m", "pgcore", "train", "--task", task, "--algorithm", algorithm,
            "--baseline", baseline, "--trials", str(trials),
            "--iterations", str(scale.iterations),
            "--keep", *words(scale.keep), "--out", run, "--resume",
        ]  # fmt: skip
        yield Planned(arguments, task, trials * scale.iterations * PAIRS, TRAINING)
    figure = ["--out", str(out / "figures" / f"{task}-learning")]
    curves = [sys.executable, str(HERE / "learning_curves.py")]
    yield Planned([*curves, *(run for run, *_ in kinds), *figure], task, 0)


def _gradient(task: str, scale: Scale, out: Path) -> Iterator[Planned]:
    own = scale.gradient
    true = own.hard_true_pairs if task == HARD else own.true_pairs
    before, after = _study("gradient", task, out)
    cells = len(ALGORITHMS) * len(scale.checkpoints)
    sweep = own.sweep_trials * cells * (ESTIMATES * sum(own.pairs) + 2 * true)
    rest = (scale.trials - own.sweep_trials) * cells * ESTIMATES * nearest_to_agents(own.pairs)
    settings = [
        "--trials", str(scale.trials), "--sweep-trials", str(own.sweep_trials),
        "--iterations", *words(scale.checkpoints), "--pairs", *words(own.pairs),
        "--true-pairs", str(true), "--true-step-pairs", str(max(2000, true // 10)),
        "--largest-step", str(own.largest_step or max(own.pairs)),
    ]  # fmt: skip
    yield Planned([*before, *settings, *after], task, sweep + rest)
    if own.closer and task == HARD:
        before, after = _study("gradient", task, out, "gradient-closer")
        ends = (scale.checkpoints[0], scale.checkpoints[-1])
        settings = [
            "--trials", "1", "--iterations", *words(ends), "--pairs", str(2000),
            "--true-pairs", str(own.closer), "--largest-step", "2000",
        ]  # fmt: skip
        pairs = len(ALGORITHMS) * len(ends) * (1.1 * own.closer + ESTIMATES * PAIRS)
        yield Planned([*before, *settings, *after], task, pairs)


def _values(task: str, scale: Scale, out: Path) -> Iterator[Planned]:
    own = scale.values
    trials = ["--trials", str(own.trials), "--iterations", *words(scale.value_checkpoints)]
    cells = len(ALGORITHMS) * own.trials * len(scale.value_checkpoints)
    for returns, suffix in (("resolved", "value"), ("cut", "value-cut")):
        before, after = _study("value", task, out, suffix)
        settings = [*trials, "--variance-iterations", "--returns", returns]
        yield Planned([*before, *settings, *after], task, cells * (HELD_OUT + PAIRS))
    if task not in own.baseline_tasks:
        return
    before, after = _study("value", task, out, "baselines")
    cells = len(ALGORITHMS) * own.baseline_trials * len(own.baseline_iterations)
    each = ESTIMATES * sum(own.pairs) + own.true_value_pairs + HELD_OUT + PAIRS
    each += own.states * own.continuations * TO_THE_END
    settings = [
        "--trials", str(own.baseline_trials), "--iterations", *words(own.baseline_iterations),
        "--variance-iterations", *words(own.baseline_iterations), "--pairs", *words(own.pairs),
        "--true-value-pairs", str(own.true_value_pairs), "--states", str(own.states),
        "--continuations", str(own.continuations),
    ]  # fmt: skip
    yield Planned([*before, *settings, *after], task, cells * each)


def _steps(task: str, own: Steps, out: Path) -> Planned:
    before, after = _study("step", task, out, "step" if own.pairs < 10_000 else f"step-{own.pairs}")
    settings = [
        "--trials", str(own.trials), "--iterations", *words(own.iterations),
        "--steps", str(own.steps), "--pairs", str(own.pairs),
        "--reward-pairs", str(own.reward_pairs), "--no-random",
    ]  # fmt: skip
    cells = len(ALGORITHMS) * own.trials * len(own.iterations)
    whole = 2 * own.reward_pairs + 2 * own.pairs  # and fresh pairs for the surrogate
    return Planned([*before, *settings, *after], task, cells * own.steps * whole)


def _maps(task: str, scale: Scale, out: Path) -> Planned:
    own = scale.maps
    pairs = own.hard_pairs if task == HARD and own.hard_pairs else own.pairs
    before, after = _study("landscape", task, out)
    settings = [
        "--trials", "1", "--random-range", "0", "3", "--iterations", *words(scale.checkpoints),
        "--points", str(own.grid), str(own.grid), "--sources", *words(own.sources),
        "--pairs", *words(pairs),
    ]  # fmt: skip
    cells = len(ALGORITHMS) * len(scale.checkpoints)
    points = cells * len(own.sources) * own.grid**2 * sum(pairs)
    return Planned([*before, *settings, *after], task, points + cells * sum(own.sources))


def _updates(task: str, scale: Scale, out: Path) -> Planned:
    before, after = _study("update", task, out)
    late = scale.checkpoints[-1]
    settings = ["--trials", str(scale.update_trials), "--iterations", str(late)]
    points = sum(UPDATE_POINTS[a] for a in ALGORITHMS)
    pairs = scale.update_trials * UPDATES * points * UPDATE_REWARD_PAIRS
    return Planned([*before, *settings, *after], task, pairs)


def _regime(task: str, scale: Scale, out: Path) -> Planned:
    agents = len(ALGORITHMS) * len(REGIME_PAIRS) * len(REGIME_RATES) * scale.regime_trials
    arguments = [
        sys.executable, "-m", "pgcore", "study", "regime", task,
        "--pairs", *words(REGIME_PAIRS), "--rates", *map(str, REGIME_RATES),
        "--total-pairs", str(REGIME_TOTAL), "--trials", str(scale.regime_trials),
        "--shares", "0.9", "--reward-pairs", str(UPDATE_REWARD_PAIRS), "--steps", str(ESTIMATES),
        "--out", str(out / f"{task}-regime"),
    ]  # fmt: skip
    measured = 10**5 + ESTIMATES * sum(REGIME_PAIRS) / len(REGIME_PAIRS)
    measured += (3 * ESTIMATES + 2) * UPDATE_REWARD_PAIRS
    return Planned(arguments, task, agents * (TRAINING * REGIME_TOTAL + measured))
