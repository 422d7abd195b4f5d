"""The schedule of cells on some cores, on paper: who is finished when, from the times of the parts.

A cell is a sequence of phases; a phase is a set of tasks, each on one core. Up to P tasks of a
phase run at a time, in order, the next one where one ends (as MuJoCo's ``mjb_apply`` hands out
streams); the phase ends with its last task. Tasks in work share the cores evenly. Tasks that run
Python code hold the interpreter's lock for a share of their time, and these shares add up to 1 at
most.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pgcore.base.arrays import F64


@dataclass(frozen=True)
class Phase:
    """Tasks that may run at the same time.

    Attributes:
        seconds: of each task, in the order in which they are begun.
        lock: share of the time for which a task holds the interpreter's lock.
    """

    seconds: F64
    lock: float = 0.0


Cell = Sequence[Phase]


def serial(seconds: float, lock: float = 0.0) -> Phase:
    """A phase of one task."""
    return Phase(np.array([seconds]), lock)


def work(cells: Sequence[Cell]) -> float:
    """Seconds of all tasks together."""
    return float(sum(phase.seconds.sum() for cell in cells for phase in cell))


class _Tasks:
    """Tasks in work that advance at one rate: their ends, on a clock that runs at that rate."""

    def __init__(self) -> None:
        self.clock, self.locks = 0.0, 0.0
        self.ends: list[tuple[float, int, float, int]] = []  # end, number, lock, cell

    def add(self, seconds: float, number: int, lock: float, cell: int) -> None:
        self.locks += lock
        heapq.heappush(self.ends, (self.clock + seconds, number, lock, cell))

    def pop(self) -> int:
        _, _, lock, cell = heapq.heappop(self.ends)
        self.locks -= lock
        return cell


class _Schedule:
    """Cells in work on some cores, and the time."""

    def __init__(self, cells: Sequence[Cell], cores: int) -> None:
        self.cells, self.cores, self.time = cells, cores, 0.0
        self.free, self.locked = _Tasks(), _Tasks()
        self.coming = iter(range(len(cells)))
        self.begun = 0
        self.phases: dict[int, Iterator[Phase]] = {}
        self.current: dict[int, tuple[Phase, Iterator[float]]] = {}
        self.running: dict[int, int] = {}

    def begin_cell(self) -> None:
        """The next cell, if there is one."""
        cell = next(self.coming, None)
        if cell is not None:
            self.phases[cell] = iter(self.cells[cell])
            self._begin_phase(cell)

    def _begin_phase(self, cell: int) -> bool:
        phase = next(self.phases[cell], None)
        if phase is None:
            return False
        self.current[cell], self.running[cell] = (phase, iter(phase.seconds.tolist())), 0
        for _ in range(min(self.cores, len(phase.seconds))):
            self._begin_task(cell)
        return True

    def _begin_task(self, cell: int) -> bool:
        phase, rest = self.current[cell]
        seconds = next(rest, None)
        if seconds is None:
            return False
        self.begun += 1
        self.running[cell] += 1
        (self.locked if phase.lock else self.free).add(seconds, self.begun, phase.lock, cell)
        return True

    def _rates(self) -> list[tuple[_Tasks, float]]:
        """How fast the two kinds of tasks advance, where there are any."""
        free, locked = len(self.free.ends), len(self.locked.ends)
        share = min(1.0, self.cores / (free + locked))
        slow = min(share, 1 / self.locked.locks) if locked else 0.0
        fast = min(1.0, (self.cores - slow * locked) / free) if free else 0.0
        return [(t, r) for t, r in ((self.free, fast), (self.locked, slow)) if t.ends]

    def advance(self) -> bool:
        """Until the next task ends, and what follows it begins; False if nothing is in work."""
        if not (self.free.ends or self.locked.ends):
            return False
        rates = self._rates()
        ends = [(tasks.ends[0][0] - tasks.clock) / rate for tasks, rate in rates]
        step = min(ends)
        self.time += step
        for tasks, rate in rates:
            tasks.clock += step * rate
        cell = rates[ends.index(step)][0].pop()
        self.running[cell] -= 1
        if not self._begin_task(cell) and not self.running[cell] and not self._begin_phase(cell):
            self.begin_cell()
        return True


def makespan(cells: Sequence[Cell], cores: int, overlap: int) -> float:
    """Seconds until the last cell is finished; ``overlap`` cells are in work at a time."""
    schedule = _Schedule(cells, cores)
    for _ in range(overlap):
        schedule.begin_cell()
    while schedule.advance():
        pass
    return schedule.time


def efficiency(stages: Sequence[Sequence[Cell]], cores: int, overlap: int) -> float:
    """Share of the cores' time that is work, with stages one after the other."""
    total = sum(makespan(cells, cores, overlap) for cells in stages)
    return sum(work(cells) for cells in stages) / (cores * total)


def check_laws() -> None:
    """What holds for every schedule."""
    generator = np.random.default_rng(0)
    cells = [
        [Phase(generator.uniform(0.1, 2, 50)), serial(0.5, 0.4), Phase(generator.uniform(0, 1, 9))]
        for _ in range(6)
    ]
    for overlap in (1, 3, 6):
        assert np.isclose(makespan(cells, 1, overlap), work(cells))
        for cores in (2, 8, 64):
            span = makespan(cells, cores, overlap)
            longest = max(sum(p.seconds.max() for p in cell) for cell in cells)
            assert max(work(cells) / cores, longest) <= span * (1 + 1e-9)
            one = makespan(cells[:1], cores, 1)
            assert overlap > 1 or np.isclose(one + makespan(cells[1:], cores, 1), span)
    updates = [[serial(1.0, 0.5)] for _ in range(10)]  # two at a time hold the whole lock
    assert np.isclose(makespan(updates, 64, 10), 5.0)
