"""How busy would 1 to 128 cores be? On paper, from times that are measured here.

    python benchmarks/bench_schedule.py

Measured, around an agent that is trained for a minute: a pair's time in the simulator, the streams'
lengths over a landscape, and the parts that one core does: reading and storing, an update, gradient
sums, blocks of the surrogate. From these follows the schedule on P cores (``schedule.py``), and the
share of the cores' time that is work: with one cell at a time, with overlapping cells as pgcore has
them, and with a process for every core (``--cluster local:P``). Not in the model: cores that get
slower when all are busy, and memory's bandwidth.

What limits it, on 64 cores:

- Few pairs: 8 maps of 11 x 11 points and 2000 pairs are two seconds of work for 64 cores. A map has
  242 streams, 4 a core, and the last one ends up to 1999 pairs after it began; overlapping hides
  that, but each cell also runs Python code of its own (reading, planning, storing), one cell at a
  time. Maps of 20,000 pairs, or of 31 x 31 points, are over 95 %.
- A landscape study's surrogate cells come before its maps, and each is an update on one core.
- A gradient study's computed steps: an update of one agent holds the interpreter's lock for half of
  its time and more, so that one process makes no more than two at a time. ``--cluster local:P``
  makes one on every core; there it is the true gradients, one core each, that are waited for, and
  more agents (checkpoints, trials) than cores keep all busy.
- Training: a trial's iteration is a chain of 2048 steps in the simulator and 640 minibatches. 24
  trials use at most 24 cores for the former, and the latter are quickest in 3 blocks
  (``--block 8``); smaller ones wait for the lock and waste work. Another grouping changes bits
  (products of stacks of another size sum differently), so the number of blocks is a setting and
  never follows from the cores. Runs side by side (algorithms, tasks, seeds), with two or three
  ``--threads`` each, keep many cores busy.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import schedule
from schedule import Cell, Phase, serial
from schedule_times import ALGORITHMS, POINTS, Times, cpu, measured, trained_run
from timing import header

import pgcore
from pgcore.base.threads import chosen_threads, one_torch_thread
from pgcore.studies.engine.overlap import overlapping_cells
from pgcore.studies.gradient.study import DEFAULT_PAIRS
from pgcore.studies.pairs.sampling import Sampling
from pgcore.training.block import Block
from pgcore.training.presets import preset_config

CORES = (1, 2, 4, 8, 16, 32, 64, 128)
MAPS = 8  # of a landscape study: two algorithms, four checkpoints
TRIALS = 4  # of a gradient study: 32 agents
ESTIMATES = 10


def map_cell(times: Times, points: int, pairs: int, generator: np.random.Generator) -> Cell:
    """A map of points x points: streams of 1000 pairs, to the end of a trajectory."""
    seconds = []
    places = np.linspace(0, POINTS - 1, points).round().astype(int)
    for a in places:
        for b in places:
            drawn = generator.choice(times.lengths[a * POINTS + b], (pairs // 1000, 1000))
            whole = drawn.cumsum(axis=1)
            seconds.append(whole[np.arange(len(whole)), (whole < 1000).sum(axis=1)] * times.pair)
    half = serial(times.overhead / 2, 1.0)  # ahead of the streams, and behind them
    return [half, Phase(np.concatenate(seconds)), half]


def surrogate_cell(times: Times, algorithm: str, points: int) -> Cell:
    """Pairs, the step of one update, and the surface around it."""
    blocks = np.full(-(-(points**2) // 8), times.block)
    half = serial(times.overhead / 2, 1.0)
    pairs = serial(2000 * (times.pair + 2 * times.judged))
    return [half, pairs, times.updates[algorithm].phase(2000), Phase(blocks), half]


def sampled(times: Times, streams: int, steps: int, used: float) -> list[Phase]:
    """Blocks of streams; the next one is simulated while one is used."""
    size = max(8, 200_000 // steps)
    phases, use = [], np.zeros(0)
    for first in range(0, streams, size):
        count = min(size, streams - first)
        phases.append(Phase(np.concatenate([use, np.full(count, steps * times.pair)])))
        use = np.array([count * steps * used])
    return [*phases, Phase(use)]


def true_cell(times: Times, algorithm: str) -> Cell:
    """The true gradient from 10^6 pairs, and a step from 10^5."""
    count, steps = Sampling().streams(500_000)
    own, own_steps = Sampling().streams(100_000)
    return [
        serial(times.overhead / 2, 1.0),
        *sampled(times, 2 * count, steps, times.summed),
        *sampled(times, own, own_steps, 2 * times.judged),
        times.updates[algorithm].phase(100_000),
        serial(times.overhead / 2, 1.0),
    ]


def estimates_cell(times: Times, algorithm: str, n: int) -> Cell:
    """Ten estimates from n pairs, and ten steps, one after the other."""
    count, steps = Sampling().streams(n)
    update = times.updates[algorithm].phase(n)
    one = [*sampled(times, count, steps, 2 * times.judged), update]
    half = serial(times.overhead / 2, 1.0)
    return [half, *sampled(times, ESTIMATES * count, steps, times.summed), *one * ESTIMATES, half]


def table(name: str, values: dict[int, float], seconds: float) -> None:
    """One line: percent by cores."""
    cells = "".join(f"{100 * values[p]:6.1f}" for p in CORES)
    print(f"{name:<56}{cells}{seconds:10.1f}", flush=True)


def study_tables(name: str, stages: list[list[Cell]], alone: bool = False) -> None:
    """Efficiency with one cell at a time, overlapping, and in processes."""
    seconds = sum(schedule.work(cells) for cells in stages)
    ways: dict[str, Callable[[int], float]] = {
        "one cell at a time": lambda p: schedule.efficiency(stages, p, 1),
        "overlapping": lambda p: schedule.efficiency(stages, p, overlapping_cells(p)),
        "local:P": lambda p: schedule.efficiency(
            [[[Phase(np.array([schedule.work([c]) for c in cells]))]] for cells in stages], p, 1
        ),
    }
    for way, efficiency in list(ways.items())[: 1 if alone else 3]:
        table(f"{name}, {way}", {p: efficiency(p) for p in CORES}, seconds)


def training_tables(times: Times) -> None:
    """24 trials in blocks; work is what two blocks of 12, the default, would take on one core."""
    base = 0.0
    for members in (12, 8, 6, 4, 2, 1):
        config = dataclasses.replace(preset_config("paper", "Hopper-v2", "ppo"), trials=24)
        agents = Block(pgcore.make_task("Hopper-v2"), config, list(range(members)))
        with one_torch_thread():
            data = agents.training_data(agents.rollout(0, chosen_threads(None)))
            update = cpu(lambda agents=agents, data=data: agents.update(data, 0))
        lock = min(1.0, times.updates["ppo"].lock * 2 / update)  # of policy and value network
        rollout = Phase(np.full(members, config.pairs * times.pair))
        cells = [[rollout, serial(update, lock)] for _ in range(24 // members)]
        base = base or schedule.work(cells)
        spans = {p: schedule.makespan(cells, p, min(p, len(cells))) for p in CORES}
        table(
            f"24 trials, {len(cells)} blocks, {1e3 * spans[64]:.0f} ms an iteration on 64",
            {p: base / (p * span) for p, span in spans.items()},
            schedule.work(cells),
        )


def print_times(times: Times) -> None:
    """What was measured."""
    mean = np.mean(np.concatenate(times.lengths))
    print(
        f"a pair {1e6 * times.pair:.1f} us; trajectories of {mean:.0f} steps over the plane; a map "
        f"{1e3 * times.overhead:.0f} ms beside its streams; advantages and gradient sums "
        f"{1e6 * times.summed:.2f} us a pair"
    )
    for name, update in times.updates.items():
        seconds = update.fixed + 2000 * update.pair
        print(
            f"{name}'s update: {1e3 * seconds:.0f} ms from 2000 pairs, at most "
            f"{1e3 * update.lock:.0f} ms of it under the lock"
        )


def main() -> None:
    header(__doc__.splitlines()[0])
    schedule.check_laws()
    with tempfile.TemporaryDirectory() as folder:
        trained_run(Path(folder))
        times = measured(Path(folder))
    print_times(times)
    cores = "".join(f"{p:6d}" for p in CORES)
    print(f"\n{'percent of the cores at work, by cores':<56}{cores}    core-s")
    generator = np.random.default_rng(0)
    for points in (11, 31):
        first = [surrogate_cell(times, a, points) for a in ALGORITHMS * (MAPS // 2)]
        for pairs in (2000, 20_000):
            maps = [map_cell(times, points, pairs, generator) for _ in range(MAPS)]
            name = f"{points} x {points}, {pairs} pairs"
            study_tables(f"{name}, 1 map alone", [maps[:1]], alone=True)
            study_tables(f"{name}, {MAPS} maps", [maps])
            study_tables(f"{name}, study", [first, maps])
    agents = ALGORITHMS * 4 * TRIALS
    true = [true_cell(times, a) for a in agents]
    estimates = [estimates_cell(times, a, n) for a in agents for n in DEFAULT_PAIRS]
    study_tables(f"{len(agents)} true gradients", [true])
    study_tables("gradient study", [true, estimates])
    training_tables(times)


if __name__ == "__main__":
    main()
