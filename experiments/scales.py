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
        checkpoints: iterations that the studies look at.
        measured: trials that the studies look at.
        gradient_pairs: values of n in the gradient study.
        estimates: gradient estimates at each n.
    """

    tasks: tuple[str, ...]
    trials: int
    iterations: int
    checkpoints: tuple[int, ...]
    measured: int
    gradient_pairs: tuple[int, ...]
    estimates: int = 10

    @property
    def keep(self) -> tuple[int, ...]:
        """Iterations whose checkpoints the runs keep: the studied ones and every 50th."""
        return tuple(sorted({*self.checkpoints, *range(0, self.iterations + 1, 50)}))


PAPER_TASKS = ("Hopper-v2", "Walker2d-v2", "Humanoid-v2")

SCALES = {
    # minutes on two cores
    "demo": Scale(
        tasks=("Hopper-v2",),
        trials=4,
        iterations=150,
        checkpoints=(0, 50, 100),
        measured=2,
        gradient_pairs=(100, 200, 500, 1000, 2000, 5000),
    ),
    # a day on two cores
    "laptop": Scale(
        tasks=PAPER_TASKS,
        trials=8,
        iterations=500,
        checkpoints=(0, 150, 300, 450),
        measured=3,
        gradient_pairs=(100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000),
    ),
    # many cores
    "paper": Scale(
        tasks=PAPER_TASKS,
        trials=24,
        iterations=500,
        checkpoints=(0, 150, 300, 450),
        measured=10,
        gradient_pairs=tuple(m * 10**e for e in (2, 3, 4, 5) for m in (1, 2, 5)) + (1_000_000,),
    ),
}
