"""One gradient, one landscape point and one value error of an agent, for a check from outside.

    python experiments/independent_cases.py RUN --iteration 300 --out CASES/hopper

The agent and what three studies say of it are put into CASES/hopper.safetensors, which
`independent.py` reads.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
import xarray as xr
from safetensors.numpy import save_file

import pgcore
from pgcore.studies.measures.statistics import pairwise_cosine_interval
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import checkpoint_path

PAIRS, REWARD_PAIRS, ESTIMATES = 2000, 20_000, 30
CORNER = (1.0, 1.0)  # of the landscape's plane: a step, and a random vector of norm 2


@dataclass(frozen=True)
class Command:
    """Make the case of one agent."""

    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    out: Path
    """Folder of the studies; the case is written beside it, as OUT.safetensors."""
    iteration: int = 300
    """Of the run's checkpoints."""
    trial: int = 0
    """Whose agent."""


def main(command: Command) -> None:
    checkpoint = load_checkpoint(checkpoint_path(command.run, command.iteration))
    agent = checkpoint.agent().select(command.trial)
    command.out.mkdir(parents=True, exist_ok=True)
    path = command.out / "agent.safetensors"
    agent.save(path)
    gradient = pgcore.studies.gradient_quality(
        path, command.out / "gradient", pairs=(PAIRS,), estimates=ESTIMATES, true_pairs=2 * PAIRS,
        true_step_pairs=2 * PAIRS, largest_step=100,
    )  # fmt: skip
    values = pgcore.studies.value_prediction(
        path, command.out / "value", variance_iterations=(), returns="cut"
    )
    points = pgcore.studies.landscape(
        path, command.out / "landscape", sources=(PAIRS,), pairs=(REWARD_PAIRS,), points=(2, 2),
        step_range=(0.0, CORNER[0]), random_range=(0.0, CORNER[1]),
    )  # fmt: skip
    stored = stored_numbers(gradient, values, points)
    arrays = {name: np.ascontiguousarray(a[0]) for name, a in networks(agent).items()}
    axes = xr.open_zarr(command.out / "landscape" / "surrogate.zarr", consolidated=False)
    step, random = (axes[n].values.ravel()[: len(arrays["policy"])] for n in ("step", "random"))
    arrays["point"] = arrays["policy"] + CORNER[0] * step + CORNER[1] * random
    header = {
        "task": agent.task.id,
        "agent": f"{checkpoint.config.algorithm}, iteration {command.iteration}, "
        f"trial {command.trial}",
        "hidden": json.dumps({"policy": agent.policy.hidden, "value": agent.check_value().hidden}),
        "rules": json.dumps(dataclasses.asdict(agent.judgement)),
        "pairs": json.dumps({"estimate": PAIRS, "value": 20_000, "reward": REWARD_PAIRS}),
        "stored": json.dumps(stored),
    }
    save_file({k: np.asarray(v, np.float64) for k, v in arrays.items()},
              command.out.with_suffix(".safetensors"), header)  # fmt: skip
    print(json.dumps(stored, indent=1))


def networks(agent: pgcore.Agent) -> dict[str, Any]:
    """What acts and what judges [1, ...], as plain arrays."""
    seen = agent.normalizer
    assert seen is not None  # every agent of the paper normalises
    arrays = {
        "policy": agent.policy.flat.numpy(),
        "value": agent.check_value().flat.numpy(),
        "mean": seen.mean,
        "std": np.sqrt(seen.m2 / (seen.count[:, None] - 1)),
    }
    if agent.reward_std is not None:
        arrays["reward_std"] = agent.reward_std[:, None]
    return arrays


def stored_numbers(
    gradient: xr.Dataset, values: xr.Dataset, points: xr.Dataset
) -> dict[str, dict[str, float]]:
    """Each number with its standard error; of value errors a study has none."""
    gram = gradient.gram.squeeze(drop=True).values
    cosine, low, high = pairwise_cosine_interval(gram)
    norms = np.log10(np.diagonal(gram))
    found = {
        "gradient: mean pairwise cosine": {"value": cosine, "error": (high - low) / 3.92},
        "gradient: mean log10 of |g|^2": {
            "value": norms.mean(),
            "error": norms.std(ddof=1) / np.sqrt(len(norms)),
        },
    }
    for target in ("gae", "returns"):
        for measure in ("median_re", "normalized"):
            own = values.error.sel(set="held-out", target=target, measure=measure)
            found[f"value, {target}: {measure}"] = {"value": own.item(), "error": float("nan")}
    place = points.isel(source=0, pairs=0, step_scale=-1, random_scale=-1).squeeze(drop=True)
    found["landscape: reward at (1, 1)"] = {
        "value": place.reward.item(),
        "error": place.reward_error.item(),
    }
    return found


if __name__ == "__main__":
    main(tyro.cli(Command))
