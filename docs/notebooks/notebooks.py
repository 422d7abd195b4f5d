"""The notebooks of this folder, one per study, from what differs between them.

    python docs/notebooks/notebooks.py

They are kept without outputs; `tests/test_notebooks.py` runs them all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
AGENT = """\
from pathlib import Path

from IPython.display import Image

import pgcore
from pgcore.studies import figures
from pgcore.training.config import TrainConfig
from pgcore.training.run import Run

config = TrainConfig(
    task="Hopper-v5", trials=2, iterations=4, keep=(0, 2), pairs=128, minibatches=4,
    policy_epochs=2, value_epochs=2, hidden=(8, 8), value_hidden=(8, 8), normalize_rewards=True,
)
run = Path("notebook_agent")  # the notebooks share it
if not run.exists():
    with Run(run, config) as training:
        list(training.iterations())"""


class Notebook(NamedTuple):
    """What a notebook of a study says and does."""

    call: str  # the study's function and settings
    question: str
    measure: str  # what is measured, two sentences
    figure: str
    see: str  # what the figure shows, two sentences
    table: str
    read: str  # how to read the table, two sentences


NOTEBOOKS = {
    "gradient": Notebook(
        "gradient_quality(\n    run, out, iterations=(0, 2), pairs=(64, 256), estimates=4,\n"
        "    true_pairs=512, true_step_pairs=256, largest_step=64,\n)",
        "How concentrated are gradient estimates from n pairs, and how near the true gradient?",
        "Four independent estimates are made at each n, and compared with each other. The true "
        "gradient is an estimate from many more pairs.",
        "gradient_figure(data)",
        "A mean cosine of 1 says that estimates agree, one of 0 that each points anywhere. The "
        "dashed line is what the noise scale of the true gradient predicts.",
        "gradient_table(data)",
        "A row is an agent at one iteration and n, with 95 % intervals. Noise scale is the number "
        "of pairs from which an estimate has as much signal as noise.",
    ),
    "value": Notebook(
        "value_prediction(\n    run, out, iterations=(0, 2), variance_iterations=(2,), "
        'held_out_pairs=300,\n    returns="cut", true_value_pairs=2000, states=6, continuations=3, '
        "pairs=(64, 128),\n    estimates=4,\n)",
        "Does the value network predict value, and how much variance does it remove?",
        "Predictions are compared with returns, on the pairs that they were fitted to and on "
        "others. Gradient estimates are made with the network, without a baseline, and with a "
        "network fitted to far more pairs.",
        "value_figure(data)",
        "Errors are relative, so that 0 is perfect. What is low on GAE's targets and high on "
        "returns has learnt its own predictions.",
        "value_table(data)",
        "The first part has the errors, with 95 % intervals. The second has the cosines of "
        "estimates with each baseline, and Monte Carlo values of single states.",
    ),
    "landscape": Notebook(
        "landscape(\n    run, out, iterations=(2,), sources=(128,), pairs=(200,), points=(3, 4),\n"
        "    random_range=(0.0, 3.0), part_pairs=200,\n)",
        "Do the surrogate's landscape and the true reward's look alike around the policy?",
        "Both are measured on a plane through the agent: along its update step, and along a random "
        "direction. The surrogate comes from the step's own pairs, the reward from new ones.",
        'surface_figure(data, "ppo", 0, 128)',
        "Left is what the algorithm ascends, right what it is paid for. Where they differ in slope "
        "at the corner of the policy, the step follows the wrong hill.",
        "landscape_table(data)",
        "A row is a map, with the correlation of its two surfaces. Where the noise of the reward "
        "is as large as its differences, the row says so.",
    ),
    "step": Notebook(
        "update_steps(\n    run, out, iterations=(0, 2), steps=3, pairs=(128,), reward_pairs=100,"
        "\n    true_pairs=256,\n)",
        "How often does an update step raise the true reward, and by how much?",
        "Independent steps are computed from the same agent, each from its own pairs. Their true "
        "rewards are measured beside random steps of equal KL and steps along the true gradient.",
        "step_figure(data)",
        "Above 0 a step has raised the reward. What the algorithm's steps gain beyond random ones "
        "of the same KL is what their direction is worth.",
        "step_table(data)",
        "A row is a kind of step at one iteration and n, with 95 % intervals. Below are the "
        "shares of steps that helped.",
    ),
    "update": Notebook(
        "update_paths(\n    run, out, iterations=(0, 2), updates=2, pairs=(128,), "
        "reward_pairs=100, points=4,\n)",
        "Where, inside one update, does ascent of the surrogate stop to pay in true reward?",
        "An update is stopped at points on its way. There the surrogate on its own pairs, on fresh "
        "ones, and the true reward are measured.",
        "update_figure(data, 2, 128)",
        "The surrogate on its own pairs goes up, as it was made to. Where the one on fresh pairs "
        "turns down, the update begins to fit noise.",
        "update_table(data)",
        "A row is a point of an update, with means over updates and 95 % intervals. The last "
        "rows say what the rest of the update gave from there on.",
    ),
    "curvature": Notebook(
        "curvature_subspaces(\n    run, out, iterations=(0, 2), pairs=(128,), vectors=3, "
        "updates=2,\n    update_pairs=64, true_pairs=256,\n)",
        "Do gradients and steps lie in few directions of large curvature, and do these last?",
        "The leading eigenvectors of the Fisher matrix and of the surrogate's Hessian come from "
        "two halves of the pairs. Gradients and steps come from other pairs.",
        'curvature_figure(data, "fisher", 128)',
        "The first row is the spectrum, the second the share of gradients and steps inside the "
        "leading subspace. The third is how much of the subspace is left later; dotted is chance.",
        "curvature_table(data)",
        "A row is a matrix at one iteration and n, with 95 % intervals. Compare shares with the "
        "random level, never with 0.",
    ),
    "variance": Notebook(
        "variance_budget(\n    run, out, iterations=(0, 2), trajectories=10, first_actions=3, "
        "rests=2,\n    fit_pairs=1000,\n)",
        "What is the noise of gradient estimates made of, and what do baselines leave of it?",
        "States of the agent's own trajectories are continued many times, in groups that share "
        "their first action. That splits the noise into states, actions and the rest.",
        "budget_figure(data)",
        "A bar is the noise with one baseline, cut into its sources. What is left with the best "
        "baseline no baseline can remove.",
        "variance_table(data)",
        "A row is a baseline, with the noise that it leaves and its 95 % interval. Shares are of "
        "the noise without a baseline.",
    ),
    "regime": Notebook(
        'sample_regime(\n    "Hopper-v5", out, configs={"ppo": config}, algorithms=("ppo",), '
        "pairs=(64, 128),\n    rates=(1.0,), total_pairs=256, trials=2, shares=(0.5,), "
        "estimates=2,\n    true_pairs=256, steps=2, reward_pairs=100,\n)",
        "How do training and its estimates change with the pairs of an iteration and the rate?",
        "The study trains agents at every point of the grid, all on equally many pairs. Their "
        "rewards, gradients and steps are then measured as the other studies do.",
        "regime_figure(data)",
        "A line is a learning rate, along the pairs of an iteration. Few pairs make many noisy "
        "updates of a given budget, many pairs few good ones.",
        "regime_table(data)",
        "A row is a point of the grid, with means over trials and 95 % intervals. Two trials "
        "describe; six or more may decide.",
    ),
}


def notebook(name: str) -> dict[str, Any]:
    """A study's notebook, as Jupyter keeps it."""
    own = NOTEBOOKS[name]
    texts = [
        ("markdown", f"# Study: {name}\n\n{own.question}\n\nEverything is tiny here, so that the "
         "notebook runs in seconds; numbers of this size decide nothing.\n\n## Agents"),
        ("code", AGENT),
        ("markdown", f"## Measurement\n\n{own.measure}"),
        ("code", f'out = Path("notebook_studies") / "{name}"\ndata = pgcore.studies.{own.call}'),
        ("markdown", f"## Figure\n\n{own.see}"),
        ("code", f'figures.save_figure(figures.{own.figure}, out / "figure")\n'
         'Image(str(out / "figure.png"), width=900)'),
        ("markdown", f"## Table\n\n{own.read}"),
        ("code", f"print(figures.{own.table})"),
    ]  # fmt: skip
    cells = [_cell(kind, f"{name}-{i}", text) for i, (kind, text) in enumerate(texts)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _cell(kind: str, number: str, text: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": number, "metadata": {}, "source": text.splitlines(True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def text_of(name: str) -> str:
    """The file of a study's notebook."""
    return json.dumps(notebook(name), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in NOTEBOOKS:
        (HERE / f"{name}.ipynb").write_text(text_of(name))
