"""What is trained and measured at each scale of `reproduce.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """One scale of the reproduction.

    Attributes:
        tasks: what is trained, with PPO and TRPO each.
        trials: agents per task and algorithm.
        iterations: updates per agent.
        zero_baseline: whether agents without a baseline are trained, too (claim C9).
        checkpoints: iterations that the studies look at.
        measured: trials that the studies look at.
        gradient_pairs: values of n in the gradient study.
        true_pairs: pairs of the true gradient.
        largest_step: steps are computed up to this n.
        variance_checkpoints: iterations at which baselines are compared.
        variance_pairs: values of n there.
        true_value_pairs: pairs that the true value is fitted to.
        states: whose Monte Carlo values are measured.
        continuations: of each state.
        grid: points along each side of a landscape.
        sources: pairs that the step of a landscape is computed from.
        map_pairs: pairs per grid point.
    """

    tasks: tuple[str, ...]
    trials: int
    iterations: int
    zero_baseline: bool
    checkpoints: tuple[int, ...]
    measured: int
    gradient_pairs: tuple[int, ...]
    true_pairs: int
    largest_step: int
    variance_checkpoints: tuple[int, ...]
    variance_pairs: tuple[int, ...]
    true_value_pairs: int
    states: int
    continuations: int
    grid: int
    sources: tuple[int, ...]
    map_pairs: tuple[int, ...]

    @property
    def keep(self) -> tuple[int, ...]:
        """Iterations whose checkpoints the runs keep: the studied ones and every 50th."""
        return tuple(sorted({*self.checkpoints, *range(0, self.iterations + 1, 50)}))

    @property
    def value_checkpoints(self) -> tuple[int, ...]:
        """Iterations at which the value network is judged: every 50th."""
        return tuple(range(0, self.iterations, 50))


PAPER_TASKS = ("Hopper-v2", "Walker2d-v2", "Humanoid-v2")
PAPER_CHECKPOINTS = (0, 150, 300, 450)

SCALES = {
    # minutes on two cores
    "demo": Scale(
        tasks=("Hopper-v2",),
        trials=4,
        iterations=120,
        zero_baseline=False,
        checkpoints=(0, 50, 100),
        measured=2,
        gradient_pairs=(100, 500, 2000, 5000),
        true_pairs=50_000,
        largest_step=2000,
        variance_checkpoints=(100,),
        variance_pairs=(500, 2000, 5000),
        true_value_pairs=50_000,
        states=20,
        continuations=5,
        grid=7,
        sources=(2000, 10_000),
        map_pairs=(500, 2000),
    ),
    # some days on two cores
    "laptop": Scale(
        tasks=PAPER_TASKS,
        trials=8,
        iterations=500,
        zero_baseline=True,
        checkpoints=PAPER_CHECKPOINTS,
        measured=3,
        gradient_pairs=(100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000),
        true_pairs=1_000_000,
        largest_step=10_000,
        variance_checkpoints=(150, 450),
        variance_pairs=(500, 2000, 10_000, 100_000),
        true_value_pairs=500_000,
        states=100,
        continuations=20,
        grid=11,
        sources=(2000, 100_000),
        map_pairs=(2000, 20_000, 100_000),
    ),
    # many cores
    "paper": Scale(
        tasks=PAPER_TASKS,
        trials=24,
        iterations=500,
        zero_baseline=True,
        checkpoints=PAPER_CHECKPOINTS,
        measured=10,
        gradient_pairs=(*(m * 10**e for e in (2, 3, 4, 5) for m in (1, 2, 5)), 1_000_000),
        true_pairs=10_000_000,
        largest_step=100_000,
        variance_checkpoints=PAPER_CHECKPOINTS,
        variance_pairs=(100, 1000, 2000, 10_000, 100_000, 1_000_000),
        true_value_pairs=5_000_000,
        states=500,
        continuations=50,
        grid=31,
        sources=(2000, 1_000_000),
        map_pairs=(2000, 20_000, 100_000, 1_000_000),
    ),
}
