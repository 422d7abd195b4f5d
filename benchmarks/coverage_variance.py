"""Coverage of a variance study's intervals on the linear-quadratic task, by its closed forms."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import pgcore
from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.studies.engine.sources import Agents
from pgcore.studies.measures.over_trials import geometric_over_trials
from pgcore.studies.measures.statistics import mean_over_trials
from pgcore.studies.measures.variance import (
    BASELINES,
    PARTS,
    Budget,
    budget,
    jackknife,
    less_bias,
    log_jackknife,
    log_less_bias,
)
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.fit import fit_value
from pgcore.studies.variance.cells import Variance

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import variance_forms as forms

GAMMA, BRUTE, TRIALS, GROUPS = 0.9, 100_000, 6, 2000
LOGARITHMS = ("total", "pairs", "best")


def budgets(line: Callable[[str, int, int], None], repeats: int = 400) -> None:
    """Coverage of totals, shares and what the best baseline leaves, of two agents.

    Args:
        line: prints a coverage.
        repeats: studies of each agent at each number of trajectories.
    """
    draws = np.random.default_rng(0)  # of studies, as trials
    for log_std in (1.5, 0.0):  # what actions and what the rest of a trajectory add differ
        agent, truth = _agent(log_std)
        fitted, _, _ = fit_value(agent, 40_000, 1, Sampling(gamma=GAMMA), 2, limited=True)
        for trajectories, actions in ((400, 6), (40, 4)):
            cell = Variance(Agents.of(agent), trajectories, actions, 2, 40_000, 0)
            numbers = range(1000, 1000 + repeats)
            found = [_found(budget(cell.measured(agent, fitted, i, 2))) for i in numbers]
            what = f"log std {log_std}, {trajectories} trajectories"
            for name, expected in truth.items():
                own = [one[name] for one in found]
                if trajectories == 400:  # the default, for a single trial
                    hits = sum(low <= expected <= high for _, low, high, _ in own)
                    line(f"variance study, {what}, {name}", int(hits), repeats)
                over = geometric_over_trials if name in LOGARITHMS else mean_over_trials
                groups = np.array(own)[draws.integers(0, repeats, (GROUPS, TRIALS)), 3]
                ends = [over(group) for group in groups]
                hits = sum(low <= expected <= high for _, low, high in ends)
                line(f"the same over {TRIALS} trials, {what}, {name}", int(hits), GROUPS)


def _agent(log_std: float) -> tuple[Agent, dict[str, float]]:
    """An agent whose actions matter, and the truth of what is covered."""
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=())
    flat = torch.full((1, 12), -0.3)
    flat[:, 10:] = log_std
    policy.load_flat(flat)
    agent = Agent(task, policy, pgcore.ValueNet(4, (16,), seed=3))
    agent = dataclasses.replace(
        agent, judgement=dataclasses.replace(agent.judgement, gamma=GAMMA, lam=1.0)
    )
    exact = forms.closed_parts(flat[0].numpy(), GAMMA)
    pairs = sum(exact[name] for name in PARTS[:3])
    total, _ = forms.simulated(flat[0].numpy(), GAMMA, BRUTE, lambda s: 0.0, seed=9)
    truth = {"total": total, "pairs": pairs, "best": exact["best"] / pairs}
    truth |= {name: exact[name] / total for name in PARTS[:3]}
    return agent, truth | {"covariance": 1 - pairs / total}


def _found(of: Budget) -> dict[str, F64]:
    """Estimates with their intervals, and less their bias, [4] each."""
    best = of.pairs[BASELINES.index("best")] / of.pairs[0]
    logarithms = {"total": of.total[0], "pairs": of.pairs[0], "best": best}
    rows = {n: np.append(log_jackknife(v), log_less_bias(v)) for n, v in logarithms.items()}
    shares = {p: of.parts[0, i] / of.total[0] for i, p in enumerate(PARTS)}
    return rows | {n: np.append(jackknife(v), less_bias(v)) for n, v in shares.items()}
