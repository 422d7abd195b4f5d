"""Do two versions of pgcore give the same numbers? Small work in two interpreters, compared.

    python benchmarks/bench_bits.py                                   # this version's digests
    python benchmarks/bench_bits.py --before OLD/bin/python --after NEW/bin/python

Prints a table: what is equal to the bit, what is equal within a rounding, and what a rule has
changed on purpose; a difference that no rule explains ends it with status 1. `docs/bits.md` has the
table of the versions so far. The studies of both look at agents that the first one trained, so that
a difference in training is not one of the studies, too.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

import pgcore

Arrays = dict[str, Any]
SEED = 3
ITERATIONS = 2
LAYOUT = "sums of the networks in another order"
MARGINS = "the paper's contact margins"
ORDER = "the order of contacts is MuJoCo's own"
LABELS = "a cell's random numbers follow from its agent"


# What is called otherwise in older versions, all of it.


def training() -> tuple[Any, Any]:
    """TrainConfig and Run; modules were flat before there were rooms."""
    try:
        room = importlib.import_module("pgcore.training")
        return room.TrainConfig, room.Run
    except ImportError:
        config, train = (importlib.import_module(f"pgcore.{n}") for n in ("config", "train"))
        return config.TrainConfig, train.Run


@contextmanager
def older_seeds() -> Iterator[None]:
    """Cells take the seeds that they had before agents had labels: from names, not digests."""
    try:
        agents = importlib.import_module("pgcore.studies.engine.sources").Agents
        derive = importlib.import_module("pgcore.base.seeds").derive_seed
    except ImportError:
        yield
        return
    newer = agents.seed
    agents.seed = lambda self, at, seed, purpose, *more: derive(
        seed, purpose, at["agent"], at["iteration"], at["trial"], *more
    )
    try:
        yield
    finally:
        agents.seed = newer


# What is computed. Every case takes the folder of the agents that studies look at.


def policy_of(task: Any, members: int = 2) -> Any:
    """Policies whose actions depend on what they see."""
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, (16, 16), members)
    noise = torch.randn(policy.flat.shape, generator=torch.Generator().manual_seed(SEED))
    policy.load_flat(policy.flat + 0.3 * noise)
    return policy


def batch_of(task: Any) -> Any:
    """400 steps of each policy, with statistics that move."""
    statistics = pgcore.Normalizer.create(task.obs_dim, 2, 10.0)
    return pgcore.collect(
        task, policy_of(task), 400, 1, SEED, normalizer=statistics, update_normalizer=True
    )


def rollouts(task_id: str, lowered: bool = True) -> Callable[[Path], Arrays]:
    """Transitions and scores of whole trajectories."""

    def compute(_: Path) -> Arrays:
        task = pgcore.make_task(task_id, lowered=lowered)
        batch = batch_of(task)
        fields = ("obs", "inputs", "actions", "log_probs", "rewards", "terminated", "truncated")
        more = ("bootstrap_obs", "bootstrap_index")
        arrays = {name: getattr(batch, name) for name in (*fields, *more)}
        arrays |= {n: getattr(batch.normalizer, n) for n in ("count", "mean", "m2")}
        scores = pgcore.evaluate(task, policy_of(task), 2_000, SEED)
        return arrays | {f"score.{n}": getattr(scores, n) for n in ("returns", "lengths", "member")}

    return compute


def advantages(_: Path) -> Arrays:
    batch = batch_of(pgcore.make_task("Hopper-v4"))
    values, after = np.random.Generator(np.random.Philox(SEED)).normal(size=(2, 2, 400))
    flags = (batch.terminated, batch.truncated)
    gains, targets = pgcore.gae(batch.rewards, values, after, *flags)
    returns = pgcore.discounted_returns(batch.rewards, after, *flags)
    return {"advantages": gains, "targets": targets, "returns": returns}


def monte_carlo(_: Path) -> Arrays:
    task = pgcore.make_task("Hopper-v4")
    found = pgcore.monte_carlo_values(
        task, policy_of(task, 1), np.array([0, 7, 40]), 5, SEED, tail=100
    )
    return {name: getattr(found, name) for name in ("values", "errors", "returns", "obs")}


def settings(algorithm: str, task: str = "Hopper-v4") -> dict[str, Any]:
    """Of a small run in which everything takes part."""
    return {
        "task": task,
        "algorithm": algorithm,
        "trials": 2,
        "iterations": 4,
        "pairs": 512,
        "minibatches": 8,
        "policy_epochs": 3,
        "value_epochs": 3,
        "normalize_rewards": True,
        "normalize_advantages": "batch" if algorithm == "trpo" else "minibatch",
        "value_clip": 0.2,
        "max_grad_norm": 0.5,
        "fisher_fraction": 0.5,
        "anneal": algorithm == "ppo",
        "seed": SEED,
        "keep": (0, ITERATIONS),
    }


def trained(algorithm: str, iterations: int) -> Callable[[Path], Arrays]:
    """Metrics and the whole state of a run after some iterations."""

    def compute(_: Path) -> Arrays:
        trainer = pgcore.Trainer(training()[0](**settings(algorithm)))
        arrays: Arrays = {}
        for record in trainer.run():
            arrays |= {f"{k}.{record.iteration}": v for k, v in record.metrics.items()}
            if trainer.iteration == iterations:
                break
        return arrays | trainer.state()

    return compute


def untrained(algorithm: str) -> Callable[[Path], Arrays]:
    """Initial networks, and the returns of the first iteration, which no update has touched."""

    def compute(_: Path) -> Arrays:
        trainer = pgcore.Trainer(training()[0](**settings(algorithm)))
        arrays = dict(trainer.state())
        metrics = next(trainer.run()).metrics
        return arrays | {n: a for n, a in metrics.items() if n.startswith("return")}

    return compute


def study(name: str, older: bool, **options: Any) -> Callable[[Path], Arrays]:
    """Every store of a study of the agents in a folder."""

    def compute(agents: Path) -> Arrays:
        measure = getattr(pgcore.studies, name)
        with tempfile.TemporaryDirectory() as out, older_seeds() if older else nullcontext():
            runs = [agents / "ppo", agents / "trpo"]
            measure(runs, out, iterations=(0, ITERATIONS), trials=2, seed=SEED, **options)
            return {
                f"{store.stem}.{variable}": values.values
                for store in sorted(Path(out).glob("*.zarr"))
                for variable, values in importlib.import_module("xarray")
                .open_zarr(store, consolidated=False)
                .data_vars.items()
            }

    return compute


GRADIENT = {"pairs": (100, 300), "estimates": 3, "true_pairs": 4_096, "true_step_pairs": 512}
VALUE = {
    "variance_iterations": (ITERATIONS,),
    "held_out_pairs": 1_024,
    "true_value_pairs": 8_192,
    "states": 3,
    "continuations": 3,
    "pairs": (300,),
    "estimates": 3,
}
MAP = {"points": (3, 3), "pairs": (400,), "sources": (256,), "noise": "common"}


@dataclass(frozen=True)
class Case:
    """What is compared: a name, how it is computed, and the rule that may change it.

    Attributes:
        rounding: largest difference that the rule may make, in units of an array's largest number;
            None: any.
    """

    name: str
    compute: Callable[[Path], Arrays]
    rule: str = ""
    rounding: float | None = None


CASES = (
    *(
        Case(f"collect, evaluate: {i}", rollouts(i))
        for i in ("Hopper-v4", "Walker2d-v4", "HalfCheetah-v4")
    ),
    Case("collect, evaluate: Humanoid-v4, plain loop", rollouts("Humanoid-v4", False)),
    Case("collect, evaluate: Humanoid-v4", rollouts("Humanoid-v4"), ORDER),
    Case("collect, evaluate: Hopper-v2", rollouts("Hopper-v2"), MARGINS),
    Case("GAE, returns", advantages),
    Case("Monte Carlo values", monte_carlo),
    Case("PPO: networks, first pairs", untrained("ppo")),
    Case("TRPO: networks, first pairs", untrained("trpo")),
    Case("PPO: one iteration", trained("ppo", 1), LAYOUT, 1e-3),
    Case("TRPO: one iteration", trained("trpo", 1), LAYOUT, 1e-3),
    Case("PPO: three iterations", trained("ppo", 3), LAYOUT, 1e-2),
    Case("TRPO: three iterations", trained("trpo", 3), LAYOUT, 1e-2),
    Case("gradient study, older seeds", study("gradient_quality", True, **GRADIENT), LAYOUT, 1e-3),
    Case("value study, older seeds", study("value_prediction", True, **VALUE), LAYOUT, 1e-3),
    Case("landscape study, older seeds", study("landscape", True, **MAP), LAYOUT, 1e-2),
    Case("gradient study", study("gradient_quality", False, **GRADIENT), LABELS),
    Case("value study", study("value_prediction", False, **VALUE), LABELS),
    Case("landscape study", study("landscape", False, **MAP), LABELS),
)


def train_agents(folder: Path) -> None:
    """The runs that studies look at, unless they are there."""
    config, run = training()
    for algorithm in ("ppo", "trpo"):
        if not (folder / algorithm).exists():
            with run(folder / algorithm, config(**settings(algorithm))) as running:
                for _ in running.iterations():
                    pass


def record(agents: Path) -> Arrays:
    """Every array of every case, by "case/array"."""
    torch.set_num_threads(1)
    train_agents(agents)
    found: Arrays = {}
    for case in CASES:
        print(f"  {case.name}", file=sys.stderr, flush=True)
        found |= {f"{case.name}/{n}": np.asarray(a) for n, a in case.compute(agents).items()}
    return found


def of_case(found: Arrays, case: Case) -> Arrays:
    """The arrays of one case, by their names in it."""
    start = f"{case.name}/"
    return {n.removeprefix(start): a for n, a in found.items() if n.startswith(start)}


def digest(arrays: Arrays) -> str:
    """A short hash of names and bits."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        sha.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return sha.hexdigest()[:12]


def difference(before: Any, after: Any) -> float:
    """Largest difference in units of the largest number; 0: equal to the bit."""
    if before.shape != after.shape or before.dtype != after.dtype:
        return np.inf
    if before.tobytes() == after.tobytes():
        return 0.0
    before, after = before.astype(float), after.astype(float)
    known = ~np.isnan(before)
    if (known == np.isnan(after)).any():
        return np.inf
    gap = float(np.abs(before - after)[known].max())
    tiny = float(np.finfo(float).tiny)  # bits differ, numbers do not: -0 and 0
    return max(gap / max(float(np.abs(before[known]).max()), tiny), tiny)


def verdict(case: Case, before: Arrays, after: Arrays) -> tuple[str, bool]:
    """What a case's row says, and whether that is as it should be."""
    common = sorted(set(before) & set(after))
    if not common:
        return "NOTHING TO COMPARE", False
    gaps = {name: difference(before[name], after[name]) for name in common}
    worst = max(gaps, key=lambda name: gaps[name])
    changed = sum(gap > 0 for gap in gaps.values())
    if not changed:
        return f"equal to the bit ({len(common)} arrays)", True
    text = f"{changed} of {len(common)} arrays, {worst} by {gaps[worst]:.1e}"
    if case.rule and case.rounding is None:
        return f"changed on purpose, {case.rule} ({text})", True
    if case.rule and gaps[worst] <= case.rounding:  # type: ignore[operator]
        return f"equal within {gaps[worst]:.0e}, {case.rule} ({text})", True
    return f"DIFFERENT ({text})", False


def compare(before: Arrays, after: Arrays) -> bool:
    """Print the table; whether every difference has a rule."""
    print("| what | before and after |\n|---|---|")
    sound = True
    for case in CASES:
        text, fine = verdict(case, of_case(before, case), of_case(after, case))
        print(f"| {case.name} | {text} |")
        sound &= fine
    return sound


def recorded(python: str, agents: Path, file: Path) -> Arrays:
    """The arrays of another interpreter."""
    command = [python, __file__, "--agents", str(agents), "--record", str(file)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with np.load(file) as arrays:
        return dict(arrays)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--before", help="the interpreter of one pgcore")
    parser.add_argument("--after", default=sys.executable, help="of the other; default: this one")
    parser.add_argument("--record", type=Path, help="only write this one's arrays, as npz")
    parser.add_argument("--agents", type=Path, help="folder of the agents that studies look at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        agents = options.agents or folder / "agents"
        if options.record:
            np.savez(options.record, **record(agents))
            return 0
        if options.before:
            before = recorded(options.before, agents, folder / "before.npz")
            after = recorded(options.after, agents, folder / "after.npz")
            return 0 if compare(before, after) else 1
        found = record(agents)
    for case in CASES:
        print(f"{digest(of_case(found, case))}  {case.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
