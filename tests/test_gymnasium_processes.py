"""The processes of Gymnasium tasks: errors, ends, interruptions, and what can be sent to them."""

import functools
import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

import pgcore
from conftest import assert_same_batch, make_policy, small_config
from environments import Broken, Crane, Fatal, Growing, Slow, Troubled, limited
from pgcore.tasks.gymnasium import GymnasiumTask
from pgcore.training import Run, Trainer

PENDULUM = "gym:Pendulum-v1"


@pytest.fixture(scope="module")
def pendulum():
    return pgcore.make_task(PENDULUM)


@pytest.fixture(scope="module")
def crane():
    return pgcore.make_task(limited)


def children():
    """The workers of this process; it may have other children, such as a tracker of resources."""
    every = psutil.Process().children()
    return [c for c in every if any("pgcore.rollout" in word for word in c.cmdline())]


def wait_until(condition, seconds=20.0):
    """Whether a condition came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


# What such a task is


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_one_stream_leaves_the_others(threads):
    policy = make_policy(pgcore.make_task(Crane), 1)
    expected = pgcore.collect(pgcore.make_task(Crane), policy, 30, 9, num_threads=1)
    task = pgcore.make_task(Troubled)
    with pytest.raises(pgcore.SimulationError, match="an environment raised") as caught:
        pgcore.collect(task, policy, 30, 9, num_threads=threads)
    failed = np.nonzero((expected.obs[..., 0] > 0.7).any(axis=1))[0]
    # a long trajectory may begin too late in a stream to reach its seventh step
    assert 0 < len(caught.value.streams) < 9 and set(caught.value.streams) <= set(failed)
    assert "RuntimeError: the rope broke (trajectory" in caught.value.messages[0]
    assert ", step 7)" in caught.value.messages[0]
    batch = caught.value.result
    assert np.isnan(batch.rewards[caught.value.streams]).all()
    rest = np.setdiff1d(np.arange(9), caught.value.streams)
    for name in ("obs", "actions", "rewards", "terminated"):
        np.testing.assert_array_equal(getattr(batch, name)[rest], getattr(expected, name)[rest])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    with pytest.raises(pgcore.SimulationError) as scored:
        pgcore.evaluate(
            pgcore.make_task(functools.partial(limited, Troubled)), policy, 400, streams=9,
            num_threads=threads,
        )  # fmt: skip
    assert np.isfinite(scored.value.result.returns).all() and len(scored.value.result.returns) > 9


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Broken, r"OSError: no crane here \(trajectory 0, step 0\)"),
        (Growing, r"expected an observation \[3\], got \[4\]"),
    ],
)
@pytest.mark.parametrize("backend", [None, "python"])
def test_every_stream_fails(kind, text, backend):
    task = pgcore.make_task(kind)
    with pytest.raises(pgcore.SimulationError, match=text) as caught:
        pgcore.collect(task, make_policy(task, 1), 9, 3, num_threads=2, backend=backend)
    assert caught.value.streams == [0, 1, 2] and np.isnan(caught.value.result.rewards).all()


@pytest.mark.timeout(60)
def test_an_environment_that_ends_its_process():
    policy = make_policy(pgcore.make_task(Crane), 1)
    expected = pgcore.collect(pgcore.make_task(Crane), policy, 12, 4, num_threads=1)
    with pytest.raises(pgcore.SimulationError, match="ended with exit status 3") as caught:
        pgcore.collect(pgcore.make_task(Fatal), policy, 12, 4, num_threads=4)
    failed, batch = caught.value.streams, caught.value.result
    assert 0 < len(failed) < 4
    assert f"while it ran streams [{failed[0]}]" in caught.value.messages[0]
    rest = np.setdiff1d(np.arange(4), failed)
    np.testing.assert_array_equal(batch.obs[rest], expected.obs[rest])
    assert np.isnan(batch.rewards[failed]).all() and np.isfinite(batch.rewards[rest]).all()
    with pytest.raises(pgcore.SimulationError, match=r"while it ran streams \[0, 1, 2, 3, 4\]"):
        pgcore.collect(pgcore.make_task(Fatal), policy, 60, 10, num_threads=2)


@pytest.mark.timeout(60)
def test_a_worker_that_is_killed(crane):
    policy = make_policy(crane, 1)
    slow = pgcore.make_task(Slow)
    pgcore.collect(crane, policy, 5, 2, num_threads=2)
    victims = children()
    timer = threading.Timer(0.5, victims[0].kill)
    timer.start()
    with pytest.raises(pgcore.SimulationError, match="ended by signal SIGKILL") as caught:
        pgcore.collect(slow, policy, 20, 2, num_threads=2)
    timer.join()
    assert len(caught.value.streams) == 1
    for child in children():  # idle ones
        child.kill()
        child.wait()
    assert_same_batch(
        pgcore.collect(crane, policy, 5, 2, num_threads=2),
        pgcore.collect(crane, policy, 5, 2, num_threads=1),
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_the_call_and_its_processes(crane, threads):
    slow = pgcore.make_task(Slow)
    policy = make_policy(slow, 1)
    pgcore.collect(crane, policy, 5, 2, num_threads=2)
    before = children()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pgcore.collect(slow, policy, 10_000, 2, num_threads=threads)
    assert time.monotonic() - start < 5
    timer.join()
    if threads == 2:
        assert sum(not p.is_running() for p in before) == 2, "those of the call have ended"
    assert pgcore.collect(crane, policy, 5, 2, num_threads=threads).obs.shape == (2, 5, 3)


SCRIPT = """
import gymnasium, numpy as np, pgcore, sys
class Mine(gymnasium.Env):  # of the script itself, which no process may run again
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,))
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.uniform(-1, 1, 1).astype(np.float32), {}
    def step(self, action):
        return np.clip(action, -1, 1), 0.0, False, False, {}
gymnasium.register("Mine-v0", Mine, max_episode_steps=10)
task = pgcore.make_task("gym:Mine-v0")
policy = pgcore.GaussianPolicy(1, 1)
one, two = (pgcore.collect(task, policy, 25, 4, num_threads=n) for n in (1, 2))
assert np.array_equal(one.obs, two.obs)
print("ready", flush=True)
if "--long" in sys.argv:
    pgcore.collect(task, policy, 10**6, 4, num_threads=2)
"""


@pytest.mark.timeout(60)
def test_a_script_needs_no_guard_and_leaves_no_orphans(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=50
    )
    assert (done.stdout, done.stderr, done.returncode) == ("ready\n", "", 0)
    with subprocess.Popen([sys.executable, script, "--long"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        process.kill()
    assert wait_until(lambda: not any(w.is_running() for w in workers))


NUMBERED = """
import os
import gymnasium, numpy as np
class Numbered(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,))
    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}
    def step(self, action):
        return np.zeros(1, np.float32), NUMBER, False, False, {}
"""


def test_workers_have_the_code_and_the_surroundings_of_their_caller(tmp_path, monkeypatch):
    """Idle ones live on: a module that was reloaded, a path, a variable and a folder come later."""
    policy = pgcore.GaussianPolicy(1, 1)

    def rewards():
        task = pgcore.make_task(numbered.Numbered)
        return [pgcore.collect(task, policy, 3, 2, num_threads=n).rewards.mean() for n in (1, 2)]

    pgcore.collect(pgcore.make_task(limited), make_policy(pgcore.make_task(limited), 1), 5, 2,
                   num_threads=2)  # fmt: skip
    module = tmp_path / "numbered.py"
    module.write_text(NUMBERED.replace("NUMBER,", "1.0,"))
    monkeypatch.syspath_prepend(str(tmp_path))
    numbered = importlib.import_module("numbered")
    assert rewards() == [1.0, 1.0]
    workers = children()
    from_outside = "float(os.environ['A']) + len(os.listdir()),"
    module.write_text(NUMBERED.replace("NUMBER,", from_outside) + "# of another size")
    importlib.reload(numbered)
    monkeypatch.setenv("A", "0.5")
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "file").touch()
    monkeypatch.chdir(tmp_path / "room")
    assert rewards() == [1.5, 1.5]
    assert not any(w.is_running() for w in workers), "they have the older code"
    workers = children()
    monkeypatch.setenv("A", "7")
    assert rewards() == [8.0, 8.0] and children() == workers
    del sys.modules["numbered"]


def test_workers_need_no_torch():
    code = "import pgcore.rollout.processes, pgcore.rollout.loops, sys; assert 'torch' not in "
    subprocess.run([sys.executable, "-c", code + "sys.modules"], check=True, timeout=50)


def test_what_cannot_be_sent_says_so():
    lock = threading.Lock()

    def make():
        with lock:
            return Crane()

    task = pgcore.make_task(make)
    policy = make_policy(task, 1)
    with pytest.raises(ValueError, match=r"cannot be sent to worker processes .*num_threads=1"):
        pgcore.collect(task, policy, 5, 2, num_threads=2)
    assert pgcore.collect(task, policy, 5, 2, num_threads=1).obs.shape == (2, 5, 3)


def test_training_is_the_same_in_any_number_of_processes(tmp_path):
    config = small_config(task=PENDULUM, iterations=2, trials=3, pairs=256, streams=2)
    states = []
    for threads in (1, 2):
        trainer = Trainer(config, threads)
        records = list(trainer.run())
        assert len(records) == 2 and np.isfinite(records[-1].metrics["kl"]).all()
        states.append(trainer.state())
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name], err_msg=name)

    with Run(tmp_path / "run", config) as run:
        list(run.iterations())
    checkpoint = pgcore.load_checkpoint(tmp_path / "run" / "checkpoints" / "latest.safetensors")
    task = checkpoint.task()
    assert isinstance(task, GymnasiumTask) and task.id == PENDULUM
    scores = pgcore.evaluate(
        task,
        checkpoint.agent().policy,
        400,
        normalizer=checkpoint.agent().normalizer,
        num_threads=2,
    )
    assert (scores.lengths == 200).all() and (scores.returns < 0).all()
