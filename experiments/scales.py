"""What is trained and measured at each scale of `reproduce.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

PAPER_TASKS = ("Hopper-v2", "Walker2d-v2", "Humanoid-v2")
PAPER_CHECKPOINTS = (0, 150, 300, 450)
HARD = "Humanoid-v2"  # whose pairs cost four times as much


@dataclass(frozen=True)
class Gradient:
    """Gradient estimates (figures 1, 2, 9, 10).

    Attributes:
        pairs: values of n.
        sweep_trials: trials with all n and a true gradient; the others have the n of an iteration.
        true_pairs: of the true gradient; hard_true_pairs on Humanoid.
        closer: pairs of one trial's true gradient on Humanoid at two checkpoints; 0: none.
    """

    pairs: tuple[int, ...]
    sweep_trials: int
    true_pairs: int
    hard_true_pairs: int
    closer: int = 0


@dataclass(frozen=True)
class Values:
    """Errors of the value network (3, 11, 12), and baselines (4).

    Attributes:
        trials: whose errors are measured, at every 50th iteration.
        baseline_trials, baseline_iterations: where baselines are compared.
        baseline_tasks: on which.
        pairs: values of n there.
        true_value_pairs: pairs that the true value is fitted to.
        states, continuations: of the Monte Carlo values.
    """

    trials: int
    baseline_trials: int
    baseline_iterations: tuple[int, ...]
    baseline_tasks: tuple[str, ...]
    pairs: tuple[int, ...]
    true_value_pairs: int
    states: int
    continuations: int


@dataclass(frozen=True)
class Steps:
    """A step study (claims 11 and 12): K steps from n pairs of some trials and checkpoints."""

    pairs: int
    trials: int
    steps: int
    iterations: tuple[int, ...]
    reward_pairs: int
    tasks: tuple[str, ...] = PAPER_TASKS


@dataclass(frozen=True)
class Maps:
    """Landscapes of one trial (5-7, 13-20): points along a side, sources, pairs per point."""

    grid: int
    sources: tuple[int, ...]
    pairs: tuple[int, ...]
    hard_pairs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scale:
    """One scale of the reproduction.

    Attributes:
        tasks: what is trained, with PPO and TRPO each.
        trials: agents per task and algorithm.
        iterations: updates per agent.
        zero_trials: agents that are trained without a baseline (claim C9), by task.
        checkpoints: iterations that the studies look at.
        gradient, values, maps: of every task.
        steps: step studies.
        regime_tasks, regime_trials: where training is repeated with other pairs and rates.
        update_trials: whose updates are looked into.
    """

    tasks: tuple[str, ...]
    trials: int
    iterations: int
    checkpoints: tuple[int, ...]
    gradient: Gradient
    values: Values
    maps: Maps
    steps: tuple[Steps, ...] = ()
    zero_trials: dict[str, int] = field(default_factory=dict)
    regime_tasks: tuple[str, ...] = ()
    regime_trials: int = 0
    update_trials: int = 0

    @property
    def keep(self) -> tuple[int, ...]:
        """Iterations whose checkpoints the runs keep: the studied ones and every 50th."""
        return tuple(sorted({*self.checkpoints, *range(0, self.iterations + 1, 50)}))

    @property
    def value_checkpoints(self) -> tuple[int, ...]:
        """Iterations at which the value network is judged: every 50th."""
        return tuple(range(0, self.iterations, 50))


def _decades(last: int) -> tuple[int, ...]:
    """1, 2 and 5 times the powers of ten from 100 to below one, and that one."""
    return (*(m * 10**e for e in range(2, last) for m in (1, 2, 5)), 10**last)


SCALES = {
    # minutes on two cores
    "demo": Scale(
        tasks=("Hopper-v2",),
        trials=4,
        iterations=120,
        checkpoints=(0, 50, 100),
        gradient=Gradient((100, 500, 2000, 5000), 2, 50_000, 50_000),
        values=Values(2, 2, (100,), ("Hopper-v2",), (500, 2000, 5000), 50_000, 20, 5),
        maps=Maps(7, (2000, 10_000), (500, 2000)),
    ),
    # a day on two cores
    "laptop": Scale(
        tasks=PAPER_TASKS,
        trials=24,
        iterations=500,
        checkpoints=PAPER_CHECKPOINTS,
        zero_trials={"Hopper-v2": 24, "Walker2d-v2": 24, HARD: 8},
        gradient=Gradient(_decades(5), 3, 10**6, 2 * 10**6, closer=10**7),
        values=Values(
            6, 3, (150, 450), ("Hopper-v2", "Walker2d-v2"), (500, 2000, 10_000, 100_000),
            5 * 10**6, 100, 20,
        ),
        maps=Maps(11, (2000, 10**6), (2000, 20_000, 100_000), (2000, 20_000)),
        steps=(
            Steps(2000, 8, 8, PAPER_CHECKPOINTS, 20_000),
            Steps(100_000, 6, 4, (150, 450), 20_000, ("Hopper-v2", "Walker2d-v2")),
            Steps(10**6, 6, 2, (450,), 20_000, ("Hopper-v2", "Walker2d-v2")),
        ),
        regime_tasks=("Hopper-v2", "Walker2d-v2"),
        regime_trials=3,
        update_trials=1,
    ),
    # many cores
    "paper": Scale(
        tasks=PAPER_TASKS,
        trials=24,
        iterations=500,
        checkpoints=PAPER_CHECKPOINTS,
        zero_trials={task: 24 for task in PAPER_TASKS},
        gradient=Gradient(_decades(6), 10, 10**6, 10**7),
        values=Values(
            10, 10, PAPER_CHECKPOINTS, PAPER_TASKS, _decades(6)[::3], 5 * 10**6, 500, 50
        ),
        maps=Maps(31, (2000, 10**6), (2000, 20_000, 100_000, 10**6)),
        steps=tuple(Steps(n, 24, 8, PAPER_CHECKPOINTS, 100_000) for n in (2000, 10**5, 10**6)),
        regime_tasks=PAPER_TASKS,
        regime_trials=8,
        update_trials=8,
    ),
}  # fmt: skip
