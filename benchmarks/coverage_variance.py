"""Coverage of a variance study's intervals on the linear-quadratic task, by its closed forms."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import torch

import pgcore
from pgcore.agent import Agent
from pgcore.studies.engine.sources import Agents
from pgcore.studies.measures.variance import BASELINES, PARTS, budget, jackknife, log_jackknife
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.fit import fit_value
from pgcore.studies.variance.cells import Variance

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import variance_forms as forms

GAMMA, BRUTE = 0.9, 100_000


def budgets(
    line: Callable[[str, int, int], None], trajectories: int = 400, repeats: int = 400
) -> None:
    """Coverage of totals, shares and what the best baseline leaves, in single trials.

    Args:
        line: prints a coverage.
        trajectories: of a study; 400 is its default.
        repeats: studies, with one fitted value.
    """
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = pgcore.GaussianPolicy(4, 2, hidden=())
    flat = torch.full((1, 12), -0.3)
    flat[:, 10:] = 1.5
    policy.load_flat(flat)
    agent = Agent(task, policy, pgcore.ValueNet(4, (16,), seed=3))
    agent = dataclasses.replace(
        agent, judgement=dataclasses.replace(agent.judgement, gamma=GAMMA, lam=1.0)
    )
    fitted, _, _ = fit_value(agent, 40_000, 1, Sampling(gamma=GAMMA), 2, limited=True)
    exact = forms.closed_parts(flat[0].numpy(), GAMMA)
    pairs = sum(exact[name] for name in PARTS[:3])
    total, _ = forms.simulated(flat[0].numpy(), GAMMA, BRUTE, lambda s: 0.0, seed=9)
    truth = {"total": total, "pairs": pairs, "best": exact["best"] / pairs}
    truth |= {name: exact[name] / total for name in PARTS[:3]}
    truth["covariance"] = 1 - pairs / total
    cell = Variance(Agents.of(agent), trajectories, 6, 2, 40_000, 0)
    hits = dict.fromkeys(truth, 0)
    for repeat in range(repeats):
        found = budget(cell.measured(agent, fitted, 1000 + repeat, 2))
        rows = {"total": log_jackknife(found.total[0]), "pairs": log_jackknife(found.pairs[0])}
        best = found.pairs[BASELINES.index("best")] / found.pairs[0]
        rows["best"] = log_jackknife(best)
        rows |= {p: jackknife(found.parts[0, i] / found.total[0]) for i, p in enumerate(PARTS)}
        for name, (_, low, high) in rows.items():
            hits[name] += low <= truth[name] <= high
    for name, count in hits.items():
        line(f"variance study, {name}, {trajectories} trajectories", count, repeats)
