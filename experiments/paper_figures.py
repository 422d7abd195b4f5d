"""The paper's twenty figures: what each shows there, and which of our pictures stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALL = ("hopper", "walker", "humanoid")
BOTH = ("PPO", "TRPO")


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper.

    Attributes:
        number: in the paper.
        title: what is drawn, in our words.
        shows: what the paper reads from it.
        claims: that rest on it.
        tasks, algorithms: that the paper draws.
        pictures: of ours: beginnings of their names, `{task}` standing for each of the tasks.
        like: another figure of the paper that ours is shown at; None: here.
    """

    number: int
    title: str
    shows: str
    claims: Sequence[str]
    tasks: Sequence[str] = ALL
    algorithms: Sequence[str] = BOTH
    pictures: Sequence[str] = ()
    like: int | None = None


_QUALITY = ("{task}-gradient-gradient_quality", "{task}-trials-gradient-gradient_quality")
_ERRORS = ("{task}-value-cut-value_errors", "{task}-trials-value-cut-value_errors",
           "{task}-value-value_errors")  # fmt: skip


def _maps(number: int, task: str, algorithm: str, shows: str, like: int | None) -> PaperFigure:
    """Surrogate and reward around one agent, for steps from few and from many pairs."""
    own = algorithm.lower()
    return PaperFigure(
        number, f"Surrogate and true reward around {algorithm}'s policies", shows,
        ("C11", "C12"), (task,), (algorithm,),
        (f"{{task}}-landscape-surface-{own}", f"{{task}}-landscape-{own}-surface-{own}",
         f"{{task}}-landscape-1000000-surface-{own}"), like,
    )  # fmt: skip


def _levels(number: int, algorithm: str, shows: str, like: int | None) -> PaperFigure:
    """The same reward from more and more pairs."""
    own = algorithm.lower()
    return PaperFigure(
        number, f"The true reward around {algorithm}'s policies from 2000 to 10^5 pairs per point",
        shows, ("C10",), ("humanoid",), (algorithm,),
        (f"{{task}}-landscape-levels-{own}", f"{{task}}-landscape-{own}-levels-{own}"), like,
    )  # fmt: skip


FIGURES = (
    PaperFigure(
        1, "How well ten gradient estimates agree, by their pairs, on Humanoid",
        "At 2000 pairs the mean pairwise cosine is near 0 after the start of training; agreement "
        "takes many times the pairs.",
        ("C1", "C2"), ("humanoid",), like=9,
    ),
    PaperFigure(
        2, "How near estimates are to the true gradient, by their pairs, on Humanoid",
        "Estimates come near the true gradient only with several times the pairs that are used.",
        ("C4",), ("humanoid",), like=10,
    ),
    PaperFigure(
        3, "Errors of the value network on held-out pairs, Walker2d",
        "Small against the GAE target; about one half against the returns.",
        ("C6", "C7"), ("walker",), like=12,
    ),
    PaperFigure(
        4, "Agreement of estimates under three baselines",
        "The true value reduces the variance much more than the value network, which is near to "
        "none at 2000 pairs.",
        ("C8",), ("walker", "hopper"), BOTH,
        ("{task}-value-variance", "{task}-value-5000000-variance", "{task}-baselines-variance"),
    ),
    _levels(5, "TRPO", "At iteration 150 noisy from 2000 pairs, well-behaved from 10^5.", 19),
    _maps(6, "humanoid", "TRPO", "Surrogate and reward align early; later they do not where the "
          "step comes from few pairs.", 14),
    _maps(7, "humanoid", "PPO", "They align early; later a higher surrogate is a lower reward.",
          13),
    PaperFigure(
        8, "Mean reward along training",
        "Both algorithms learn on all tasks; 24 trials, of which ten are drawn.",
        ("C9",), pictures=("{task}-learning",),
    ),
    PaperFigure(
        9, "How well ten gradient estimates agree, by their pairs",
        "As figure 1, for all tasks: worse later in training, and worst on Humanoid.",
        ("C1", "C2", "C3"), pictures=_QUALITY,
    ),
    PaperFigure(
        10, "How near estimates are to the true gradient, by their pairs",
        "As figure 2, for all tasks.", ("C4",), like=9,
    ),
    PaperFigure(
        11, "Errors of the value network on the pairs that it was trained on",
        "Small against both targets.", ("C6", "C7"), like=12,
    ),
    PaperFigure(
        12, "Errors of the value network on held-out pairs",
        "As figure 3, for all tasks.", ("C6", "C7"), pictures=_ERRORS,
    ),
    _maps(13, "humanoid", "PPO", "As figure 7, at all four checkpoints.", None),
    _maps(14, "humanoid", "TRPO", "As figure 6, at all four checkpoints.", None),
    _maps(15, "walker", "PPO", "As figure 13, on Walker2d.", None),
    _maps(16, "walker", "TRPO", "As figure 14, on Walker2d.", None),
    _maps(17, "hopper", "PPO", "As figure 13, on Hopper.", None),
    _maps(18, "hopper", "TRPO", "As figure 14, on Hopper.", None),
    _levels(19, "TRPO", "As figure 5, at all four checkpoints.", None),
    _levels(20, "PPO", "As figure 19.", None),
)  # fmt: skip
