"""MuJoCo's global hooks: its clock is put back whatever happens, and callbacks are refused."""

import os
import pickle
import signal
import threading
import time

import mujoco
import numpy as np
import pytest

import pgcore
from conftest import assert_same_batch, ball_spec, make_policy
from pgcore import _core


@pytest.fixture
def clock():
    """The clock that `import mujoco` installed; every test must leave it there."""
    address = _core.clock_address()
    assert address != 0
    yield address
    assert _core.clock_address() == address


@pytest.fixture(scope="module")
def hopper():
    task = pgcore.make_task("Hopper-v2")
    return task, make_policy(task, 1)


def seen_during(call):
    """The clock's addresses while ``call`` runs on another thread."""
    thread = threading.Thread(target=call)
    thread.start()
    seen = set()
    while thread.is_alive():
        seen.add(_core.clock_address())
        time.sleep(0.001)
    thread.join()
    return seen


def test_a_call_stops_the_clock_and_puts_it_back(clock, hopper):
    assert 0 in seen_during(lambda: pgcore.evaluate(*hopper, pairs=20_000, num_threads=2))


def test_an_error_puts_the_clock_back(clock, tmp_path):
    task = pgcore.make_task(ball_spec(tmp_path, memory="1500", drop=0.85))
    with pytest.raises(pgcore.SimulationError):
        pgcore.collect(task, make_policy(task, 1), 25, streams=16)
    with pytest.raises(ValueError):
        pgcore.collect(task, pgcore.GaussianPolicy(3, 1), 25)


@pytest.mark.timeout(60)
def test_ctrl_c_puts_the_clock_back(clock, hopper):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        pgcore.evaluate(*hopper, pairs=10**9)
    timer.join()


def test_overlapping_calls_put_it_back_once_all_have_ended(clock, hopper):
    def several():
        for i in range(4):
            pgcore.evaluate(*hopper, pairs=200 * (i + 1), num_threads=1)

    long = threading.Thread(target=lambda: pgcore.evaluate(*hopper, pairs=20_000, num_threads=1))
    long.start()
    while _core.clock_address() != 0:
        time.sleep(0.001)
    threads = [threading.Thread(target=several) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        seen.add(_core.clock_address())
        time.sleep(0.001)
    assert long.is_alive(), "it overlaps all of the short ones"
    assert seen == {0}, "no call that ends gives the clock to one that goes on"
    long.join()


def test_a_thread_of_mujoco_alone_goes_on_beside_a_call(clock, hopper):
    """Its trajectory is the same; only its timers miss the time of the call."""
    model = mujoco.MjModel.from_xml_path(str(hopper[0].spec.xml_path()))

    def run():
        data = mujoco.MjData(model)
        for _ in range(300):
            mujoco.mj_step(model, data)
        return data.qpos.copy()

    alone, beside = run(), []
    seen_during(
        lambda: (
            threading.Thread(target=lambda: beside.append(run())).start(),
            pgcore.evaluate(*hopper, pairs=20_000),
        )
    )
    while not beside:
        time.sleep(0.01)
    np.testing.assert_array_equal(beside[0], alone)


@pytest.mark.parametrize("name", ["control", "passive", "contactfilter", "sensor", "act_gain"])
def test_a_callback_is_refused_by_its_name(clock, hopper, name):
    install = getattr(mujoco, f"set_mjcb_{name}")
    install(lambda *_: 0)
    try:
        with pytest.raises(RuntimeError, match=rf"mjcb_{name} is installed.*set_mjcb_{name}\(None"):
            pgcore.collect(*hopper, 5)
    finally:
        install(None)
    pgcore.collect(*hopper, 5)


def test_a_copy_of_a_task_keeps_how_it_is_stepped(hopper):
    plain = pgcore.make_task("Hopper-v2", lowered=False)
    for task in (hopper[0], plain):
        copy = pickle.loads(pickle.dumps(task))
        assert (copy.lowered, copy.passes, copy.spec) == (task.lowered, task.passes, task.spec)
    assert plain.passes == () and len(hopper[0].passes) >= 3
    policy = hopper[1]
    assert_same_batch(pgcore.collect(hopper[0], policy, 300), pgcore.collect(plain, policy, 300))
