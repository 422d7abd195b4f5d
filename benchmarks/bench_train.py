"""How long does an iteration of Hopper-v2 agents take, against stable-baselines3 and bare physics?

Table 1's settings: 2048 pairs, 10 passes of 32 minibatches for policy and value. Wall time per
trial and iteration, on two cores:
- pgcore, 24 trials in one stack (PPO and TRPO), and one trial alone;
- stable-baselines3's PPO as two single-thread processes (one trial each) side by side;
- bare physics: MuJoCo's own batched stepping of as many steps, without policy or update.
"""

from __future__ import annotations

import multiprocessing
import time
import warnings

import mujoco
import numpy as np
from mujoco.batch import Batch
from timing import check, header

from pgcore.base.arrays import F64
from pgcore.tasks.make import make_task
from pgcore.training.presets import preset_config
from pgcore.training.trainer import Trainer

ITERATIONS = 8
PAIRS = 2048


def train_sb3(start, seconds, iterations: int) -> None:
    """One trial of stable-baselines3 in a process of its own, on one thread."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    env = VecNormalize(make_vec_env("Hopper-v4", n_envs=1))
    settings = {
        "n_steps": PAIRS,
        "batch_size": PAIRS // 32,
        "n_epochs": 10,
        "learning_rate": 4.5e-4,
        "max_grad_norm": 1e9,
        "policy_kwargs": {"net_arch": {"pi": [64, 64], "vf": [64, 64]}},
    }
    agent = PPO("MlpPolicy", env, device="cpu", **settings)
    times: list[float] = []

    class Clock(BaseCallback):
        def _on_rollout_start(self) -> None:
            times.append(time.perf_counter())

        def _on_step(self) -> bool:
            return True

    start.wait()
    agent.learn(PAIRS * iterations, callback=Clock())
    seconds.put(np.diff(times))


def sb3(processes: int) -> F64:
    """Seconds per iteration of stable-baselines3, of every process."""
    context = multiprocessing.get_context("spawn")
    start, queue = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=train_sb3, args=(start, queue, ITERATIONS)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    seconds = np.concatenate([queue.get() for _ in workers])
    for worker in workers:
        worker.join()
    return seconds


def pgcore(algorithm: str, trials: int) -> tuple[F64, float]:
    """Seconds per iteration, and the share of work time that simulation takes."""
    config = preset_config("paper", "Hopper-v2", algorithm)
    values = config.to_dict() | {"trials": trials, "iterations": ITERATIONS}
    records = list(Trainer(type(config).from_dict(values), 2).run())[1:]
    check(all(np.isfinite(r.metrics["kl"]).all() for r in records), "a training run")
    rollout = sum(r.seconds["rollout_seconds"] for r in records)
    update = sum(r.seconds["update_seconds"] for r in records)
    seconds = np.array([r.seconds["iteration_seconds"] for r in records])
    return seconds, rollout / (rollout + update)


def physics(trials: int) -> F64:
    """Seconds of the bare simulator steps of one iteration."""
    task = make_task("Hopper-v2")
    model = mujoco.MjModel.from_xml_path(str(task.spec.xml_path()))
    engine = Batch(model, trials, 2)
    generator = np.random.default_rng(0)
    seconds = []
    for _ in range(5):
        engine.reset()
        total = 0.0
        for _ in range(PAIRS // 32):  # short pieces, as trajectories of a young agent are
            engine.reset()
            controls = np.repeat(generator.uniform(-1, 1, (trials, 32, model.nu)), 4, axis=1)
            begin = time.perf_counter()
            engine.rollout(32 * task.frame_skip, controls)
            total += time.perf_counter() - begin
        seconds.append(total)
    return np.array(seconds)


def main() -> None:
    header(__doc__.splitlines()[0])
    per_trial: dict[str, float] = {}
    rounds: dict[str, list[float]] = {}
    for _ in range(2):  # interleaved
        for name, trials, seconds, share in (
            ("pgcore PPO x24", 24, *pgcore("ppo", 24)),
            ("physics x24", 24, physics(24), 1.0),
            ("pgcore TRPO x24", 24, *pgcore("trpo", 24)),
            ("pgcore PPO x1", 1, *pgcore("ppo", 1)),
            ("sb3 PPO, 2 processes", 2, sb3(2), None),
            ("sb3 PPO, 1 process", 1, sb3(1), None),
        ):
            rounds.setdefault(name, []).extend(seconds / trials)
            middle = float(np.median(rounds[name]))
            per_trial[name] = middle
            split = "" if share is None else f", {100 * share:.0f} % simulation"
            print(f"{name:<22} {1e3 * middle:8.1f} ms per trial and iteration{split}", flush=True)
    ppo = per_trial["pgcore PPO x24"]
    print(
        f"24 trials: {per_trial['sb3 PPO, 2 processes'] / ppo:.1f} x faster than "
        f"stable-baselines3 in two processes; {ppo / per_trial['physics x24']:.2f} x the bare "
        f"physics (TRPO {per_trial['pgcore TRPO x24'] / per_trial['physics x24']:.2f} x); "
        f"single trial: {per_trial['sb3 PPO, 1 process'] / per_trial['pgcore PPO x1']:.1f} x faster"
    )


if __name__ == "__main__":
    main()
