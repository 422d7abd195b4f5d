"""A forked child has none of its parent's threads, and does not wait for them."""

import os
import subprocess
import sys

import pytest

# What is before the fork, and what the child does; each child's sum must be the parent's.
PARENT = """
import os
import pgcore
from pgcore import _core
task = pgcore.make_task("Hopper-v2")
policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, hidden=(8,))
def total(_=0):
    return pgcore.evaluate(task, policy, 500, streams=4, num_threads=2).returns.sum()
"""

FORK = """
expected, clock = total(), _core.clock_address()
child = os.fork()
if child == 0:
    raise SystemExit(0 if total() == expected and _core.clock_address() == clock else 1)
assert os.waitpid(child, 0)[1] == 0
assert total() == expected
"""

POOL = """
from multiprocessing import get_context
expected = total()
with get_context("fork").Pool(2) as pool:
    assert pool.map(total, range(4)) == [expected] * 4
"""

# The thread's call is in flight at the fork: it holds the clock, and its batch is no idle one.
BUSY = """
import threading
expected, clock = total(), _core.clock_address()
run = dict(pairs=20_000, streams=4, num_threads=2)
thread = threading.Thread(target=lambda: pgcore.evaluate(task, policy, **run))
thread.start()
while _core.clock_address() != 0:
    pass
child = os.fork()
if child == 0:
    os._exit(0 if _core.clock_address() == clock and total() == expected else 1)
assert os.waitpid(child, 0)[1] == 0
thread.join()
assert _core.clock_address() == clock
"""

TORCH = """
import torch
torch.set_num_threads(2)
torch.randn(400, 400) @ torch.randn(400, 400)
"""


def test_a_forked_child_calls_the_simulator():
    """Of a parent that has called nothing but the simulator, and of one that has used torch."""
    script = PARENT + FORK + POOL + BUSY + TORCH + FORK + POOL + BUSY
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    # a group of its own, so that a child that hangs ends with it
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        pytest.fail("the child hangs")
    assert process.returncode == 0, errors
