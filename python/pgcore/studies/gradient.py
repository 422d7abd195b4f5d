"""Gradient quality: how concentrated are gradient estimates from n state-action pairs?

Paper, section 2.1, figures 1 and 9. At each checkpoint and each n, K independent estimates of

    g = E[∇_θ log π_θ(a|s) A(s, a)]    (equation 1)

from fresh rollouts, with GAE advantages of the checkpoint's own value network. The dataset keeps
the inner products of the estimates, from which every statistic of their directions follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from pgcore.agents import batch_values, derive_seed
from pgcore.arrays import F32, F64
from pgcore.checkpoint import Checkpoint, load_checkpoint
from pgcore.collect import collect
from pgcore.errors import check_choice, check_count
from pgcore.nets import GaussianPolicy, ValueNet, mlp_backward, mlp_forward
from pgcore.normalize import Normalizer
from pgcore.objectives import gaussian_log_prob_gradient
from pgcore.provenance import attributes
from pgcore.returns import discounted_returns, gae, successor_values
from pgcore.studies.cells import run_cells
from pgcore.studies.store import Schema, Store
from pgcore.tasks import Task
from pgcore.threads import one_torch_thread
from pgcore.train import checkpoint_path

DEFAULT_PAIRS = (100, 200, 500, 1000, 2000, 5000, 10000)
_BLOCK_BYTES = 256e6  # of transitions held at a time
_ESTIMATE_IDS = 1 << 20  # stream ids that an estimate may use


@dataclass(frozen=True)
class GradientSettings:
    """What is estimated, and how pairs are sampled.

    Attributes:
        gamma, lam: of the advantages.
        baseline: "value" (the checkpoint's value network) or "zero" (returns instead).
        stream_steps: longest stream; n pairs are ceil(n / stream_steps) equal streams, each from
            a fresh reset, as an agent samples its iterations.
    """

    gamma: float = 0.99
    lam: float = 0.95
    baseline: str = "value"
    stream_steps: int = 2048

    def __post_init__(self) -> None:
        check_choice("baseline", self.baseline, ("value", "zero"))
        check_count("stream_steps", self.stream_steps)

    def streams(self, n: int) -> tuple[int, int]:
        """Number and length of the streams of one estimate from n pairs."""
        count = math.ceil(n / self.stream_steps)
        return count, math.ceil(n / count)


@dataclass(frozen=True)
class Agent:
    """One trained agent: stacks of one member, and its frozen statistics."""

    task: Task
    policy: GaussianPolicy
    value: ValueNet
    normalizer: Normalizer | None

    @staticmethod
    def of(checkpoint: Checkpoint, trial: int) -> Agent:
        """A trial of a checkpoint."""
        policy, value, normalizer = (
            checkpoint.policy(), checkpoint.value(), checkpoint.normalizer()
        )  # fmt: skip
        return Agent(
            checkpoint.task(),
            policy.with_members(policy.flat[trial : trial + 1]),
            value.with_members(value.flat[trial : trial + 1]),
            normalizer.select(slice(trial, trial + 1)) if normalizer is not None else None,
        )


def gradient_sums(
    policy: GaussianPolicy,
    inputs: F32,
    actions: F32,
    advantages: F64,
) -> F64:
    """Σ_t ∇_θ log π_θ(a_t|s_t) A_t of every stream.

    Each stream is treated as a member of a stack that shares one policy's weights.

    Args:
        policy: a stack of one member with P parameters.
        inputs: [S, T, O]; actions: [S, T, A]; advantages: [S, T].

    Returns:
        [S, P], in the order of ``policy.flat``.
    """
    S = len(inputs)
    tensors = [t.data.expand(S, *t.shape[1:]) for t in policy.tensors]
    layers, log_std = policy.layer_tensors, tensors[-1]
    out = torch.empty(S, policy.flat.shape[1])
    gradients = policy.split(out)
    with torch.no_grad():
        mean, kept = mlp_forward(tensors[:layers], torch.from_numpy(inputs), policy.activation)
        z = (torch.from_numpy(actions) - mean) * torch.exp(-log_std).unsqueeze(1)
        weights = torch.from_numpy(advantages.astype(np.float32))
        d_mean, d_log_std = gaussian_log_prob_gradient(z, log_std, weights)
        mlp_backward(tensors[:layers], kept, d_mean, policy.activation, gradients)
        gradients[-1].copy_(d_log_std)
    return out.numpy().astype(np.float64)


def estimate_gradients(
    agent: Agent,
    n: int,
    estimates: int,
    seed: int,
    settings: GradientSettings,
    num_threads: int | None = None,
) -> tuple[F64, F64]:
    """K independent estimates of equation 1 from n pairs each.

    Returns:
        estimates [K, P] and the trajectories that each used [K].
    """
    count, steps = settings.streams(n)
    total = np.zeros((estimates, agent.policy.flat.shape[1]))
    trajectories = np.zeros(estimates)
    owner = np.repeat(np.arange(estimates), count)
    ids = (np.arange(estimates)[:, None] * _ESTIMATE_IDS + np.arange(count)).reshape(-1)
    # blocks of a size that depends on the settings alone, so that the bits do, too
    block = max(1, int(_BLOCK_BYTES / (steps * (12 * agent.task.obs_dim + 1200))))
    for start in range(0, len(ids), block):
        part = slice(start, start + block)
        batch = collect(
            agent.task,
            agent.policy,
            steps,
            np.zeros(len(ids[part]), dtype=np.int64),
            seed=seed,
            num_threads=num_threads,
            normalizer=agent.normalizer,
            stream_ids=ids[part],
        )
        flags = (batch.terminated, batch.truncated)
        with one_torch_thread():
            if settings.baseline == "zero":
                zeros = np.zeros_like(batch.rewards)
                advantages = discounted_returns(batch.rewards, zeros, *flags, settings.gamma)
            else:
                values, bootstrap = batch_values(agent.value, batch)
                after = successor_values(values, bootstrap, batch.bootstrap_index, batch.truncated)
                advantages, _ = gae(
                    batch.rewards, values, after, *flags, settings.gamma, settings.lam
                )
            sums = gradient_sums(agent.policy, batch.inputs, batch.actions, advantages)
        np.add.at(total, owner[part], sums)
        ended = flags[0] | flags[1]
        np.add.at(trajectories, owner[part], ended[:, :-1].sum(axis=1) + 1.0)
    return total / (count * steps), trajectories


def gradient_quality(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    iterations: Sequence[int] = (0, 150, 300, 450),
    pairs: Sequence[int] = DEFAULT_PAIRS,
    estimates: int = 10,
    trials: int | None = None,
    seed: int = 0,
    settings: GradientSettings | None = None,
    num_threads: int | None = None,
) -> xr.Dataset:
    """Measure gradient quality at the checkpoints of one or several runs; resumes what is there.

    Args:
        runs: folders of training runs on one task, at most one per algorithm.
        out: folder of the dataset (Zarr).
        iterations: checkpoints, which the runs must have kept.
        pairs: the values of n.
        estimates: K.
        trials: how many of the runs' trials; None: all.
        seed: of the rollouts; nothing else is random.
        settings: see :class:`GradientSettings`.
        num_threads: default: what affinity, cgroup and Slurm allow.

    Returns:
        A dataset with dims algorithm, iteration, trial, n, estimate and other.

    Raises:
        ValueError: bad argument, missing checkpoint, or ``out`` holds another study.
    """
    settings = settings or GradientSettings()
    folders = [Path(r) for r in ([runs] if isinstance(runs, str | Path) else runs)]
    check_count("estimates", estimates, 2)
    for n in pairs:
        check_count("pairs", n)
    checkpoints: dict[tuple[str, int], Checkpoint] = {
        (c.config.algorithm, c.iteration): c
        for c in (load_checkpoint(checkpoint_path(f, i)) for f in folders for i in iterations)
    }
    algorithms, task_id, available = _check_runs(checkpoints, len(folders) * len(set(iterations)))
    trials = available if trials is None else check_count("trials", trials)
    if trials > available:
        raise ValueError(f"trials: expected at most {available}, which the runs have, got {trials}")

    schema = Schema(
        cell_dims={
            "algorithm": algorithms,
            "iteration": list(iterations),
            "trial": list(range(trials)),
            "n": list(pairs),
        },
        inner_dims={"estimate": list(range(estimates)), "other": list(range(estimates))},
        variables={
            "gram": (("estimate", "other"), "1", "inner products of the gradient estimates"),
            "trajectories": (("estimate",), "1", "trajectories that an estimate used"),
        },
        spec={
            "study": "gradient_quality",
            "task": task_id,
            "algorithms": algorithms,
            "iterations": list(iterations),
            "pairs": list(pairs),
            "estimates": estimates,
            "trials": trials,
            "seed": seed,
            "checkpoints": {f"{a}/{i}": c.digest for (a, i), c in checkpoints.items()},
            **asdict(settings),
        },
    )
    task = next(iter(checkpoints.values())).task()
    store = Store(Path(out), schema, {**attributes(), "model_sha256": task.model_hash()})

    def cell(at: dict[str, Any]) -> dict[str, NDArray[Any]]:
        agent = Agent.of(checkpoints[at["algorithm"], at["iteration"]], at["trial"])
        labels = (at["algorithm"], at["iteration"], at["trial"], at["n"])
        cell_seed = derive_seed(seed, "gradient", *labels)
        vectors, used = estimate_gradients(
            agent, at["n"], estimates, cell_seed, settings, num_threads
        )
        return {"gram": vectors @ vectors.T, "trajectories": used}

    run_cells(store, cell, lambda at: int(at["n"]) * estimates, f"gradient {task_id}")
    return store.dataset()


def _check_runs(
    checkpoints: dict[tuple[str, int], Checkpoint], expected: int
) -> tuple[list[str], str, int]:
    """The algorithms, the task and the number of trials that the runs share."""
    if len(checkpoints) != expected:
        raise ValueError("runs: expected one run per algorithm, got several of the same")
    tasks = sorted({c.config.task for c in checkpoints.values()})
    if len(tasks) != 1:
        raise ValueError(f"runs: expected runs on one task, got {', '.join(tasks)}")
    algorithms = sorted({a for a, _ in checkpoints})
    return algorithms, tasks[0], min(c.config.trials for c in checkpoints.values())
