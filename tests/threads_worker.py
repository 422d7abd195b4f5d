"""Trains both algorithms and makes every study, below the folder given, for a test of threads."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from conftest import small_config
from pgcore.studies.catalog import STUDIES
from pgcore.training.run import Run
from test_cluster import CASES

# so many pairs, and so wide networks, that libraries share a product or a sum among threads
NETS = {"hidden": (64, 64), "value_hidden": (64, 64), "normalize_advantages": "batch"}
LARGE = {
    "gradient": {"pairs": (256,), "true_pairs": 2000, "true_step_pairs": 2000},
    "value": {"held_out_pairs": 2000, "true_value_pairs": 2000, "states": 4, "pairs": (256,)},
    "landscape": {"sources": (2000,), "pairs": (100,), "points": (2, 2), "scout_pairs": 200},
    "step": {"pairs": (2000,), "steps": 2},
    "update": {"pairs": (2000,)},
    "variance": {"trajectories": 10, "fit_pairs": 2000},
    "curvature": {"pairs": (1000,), "vectors": 2, "updates": 1},
}


def main(out: Path) -> None:
    """Everything but the sample regime, which is trainings, gradient and step studies."""
    for algorithm in ("ppo", "trpo"):
        config = small_config(algorithm=algorithm, trials=2, iterations=2, pairs=2048, **NETS)
        with Run(out / algorithm, config) as run:
            list(run.iterations())
    for name, large in LARGE.items():
        few = {"iterations": (2,), "trials": 1}
        STUDIES[name].measure([out / "ppo"], out / name, **CASES[name][2] | large | few)


if __name__ == "__main__":
    assert torch.get_num_threads() == 4, "the one thread of the caller would be compared with one"
    main(Path(sys.argv[1]))
