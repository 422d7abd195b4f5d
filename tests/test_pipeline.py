"""Blocks run ahead of one another; what is seen of them is in order."""

import threading
import time
from itertools import islice

import numpy as np
import pytest

from conftest import small_config
from pgcore.training.block import Outcome
from pgcore.training.pipeline import LEAD, outcomes
from pgcore.training.trainer import Trainer


class Clock:
    """Counts what overlaps."""

    def __init__(self):
        self.lock, self.updating, self.together = threading.Lock(), 0, 0
        self.begun = {}

    def update(self, seconds):
        with self.lock:
            self.updating += 1
            self.together = max(self.together, self.updating)
        time.sleep(seconds)
        with self.lock:
            self.updating -= 1


class Pretender:
    """A block that only sleeps: ``rollout`` seconds, then ``update`` seconds in its turn."""

    def __init__(self, name, clock, rollout, update=0.002):
        self.name, self.clock, self.rollout, self.update = name, clock, rollout, update

    def iterate(self, iteration, num_threads, turn):
        begun = self.clock.begun.setdefault(self.name, [])
        assert begun == list(range(iteration)), "a block's iterations follow one another"
        begun.append(iteration)
        time.sleep(self.rollout)
        with turn:
            self.clock.update(self.update)
        return Outcome({"block": np.array([self.name])}, {"at": np.array(iteration)}, 0.0, 0.0)


@pytest.mark.parametrize(("blocks", "workers"), [(1, 1), (2, 2), (5, 2), (3, 3), (4, 8)])
def test_iterations_end_in_order_and_nobody_runs_away(blocks, workers):
    clock = Clock()
    slow_and_fast = [Pretender(b, clock, 0.004 * (b % 3)) for b in range(blocks)]
    for iteration, results in enumerate(outcomes(slow_and_fast, range(6), workers, 1)):
        assert [int(r.state["at"]) for r in results] == [iteration] * blocks
        assert [int(r.metrics["block"][0]) for r in results] == list(range(blocks))
        ahead = max(len(begun) for begun in clock.begun.values())
        assert ahead <= iteration + 1 + LEAD
    assert iteration == 5
    assert clock.together == 1 or workers > 3, "updates take turns on few threads"


def test_one_simulates_while_another_updates():
    """Two equal blocks on two threads take about rollout + update each, not rollout + 2 update."""
    clock = Clock()
    pair = [Pretender(b, clock, rollout=0.03, update=0.02) for b in range(2)]
    start = time.perf_counter()
    assert len(list(outcomes(pair, range(12), 2, 1))) == 12
    # 12 x 0.05 and the first wait of 0.02; in step it would be 12 x 0.07 = 0.84
    assert time.perf_counter() - start < 0.74


def test_a_failure_in_a_block_is_the_runs():
    class Broken(Pretender):
        def iterate(self, iteration, num_threads, turn):
            if iteration == 2:
                raise FloatingPointError("block 1")
            return super().iterate(iteration, num_threads, turn)

    clock = Clock()
    results = outcomes([Pretender(0, clock, 0.0), Broken(1, clock, 0.01)], range(9), 2, 1)
    assert len(list(islice(results, 2))) == 2
    with pytest.raises(FloatingPointError, match="block 1"):
        next(results)


def test_stopping_anywhere_leaves_the_state_of_the_last_record():
    """Though blocks are ahead then; going on gives the bits of an unbroken run."""
    config = small_config(trials=4, block=1, iterations=5)
    whole = Trainer(config, 3)
    states = [{k: v.copy() for k, v in whole.state().items()} for _ in whole.run()]
    cut = Trainer(config, 2)
    for stop in (1, 3, 5):
        for record in cut.run():
            time.sleep(0.05)  # so that the others do run ahead
            if record.iteration + 1 == stop:
                break
        assert cut.iteration == stop
        for name, array in states[stop - 1].items():
            np.testing.assert_array_equal(cut.state()[name], array, err_msg=name)
