"""What native calls refuse before they begin, and what they leave behind where they fail."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

import pgcore
from conftest import ROOT
from pgcore import Normalizer, TaskSpec, Term, _core
from pgcore.policies.normalize import RewardScaler

LIMIT = 10
BALL = """<mujoco><option timestep="0.01"/><size memory="{memory}"/><worldbody>
<geom type="plane" size="5 5 .1"/><body pos="0 0 .15">
<joint name="x" type="slide" axis="1 0 0"/><joint type="slide" axis="0 0 1"/>
<geom type="sphere" size=".1" mass="1"/></body></worldbody>
<actuator><motor joint="x"/></actuator></mujoco>"""


def short_task():
    """One that never terminates, with a time limit of a few steps."""
    spec = pgcore.make_task("HalfCheetah-v4").spec
    return pgcore.make_task(dataclasses.replace(spec, id="short", time_limit=LIMIT))


def policy_of(task, members=1):
    return pgcore.GaussianPolicy(task.obs_dim, task.act_dim, hidden=(4,), members=members, seed=0)


def ball(folder, memory):
    """A ball that falls on a floor, in so much memory: 1500 bytes are too few for the contact."""
    path = folder / f"ball_{memory}.xml"
    path.write_text(BALL.format(memory=memory))
    return TaskSpec(
        id="ball",
        xml=str(path),
        frame_skip=1,
        time_limit=400,
        reset=(Term.of("uniform", target="qpos", scale=0.01),),
        observation=(Term.of("qpos"), Term.of("qvel")),
        reward=(Term.of("healthy", when="always"),),
    )


def fall(env):
    for _ in range(200):
        env.step(np.zeros((1, 1)))


@pytest.mark.parametrize("steps", [1, 2, 7, 9, 10, 11, 25])
@pytest.mark.parametrize("before", [1, 9, 10, 15])
def test_going_on_keeps_every_bootstrap(before, steps):
    """Of the cut and of each time limit, wherever in the call it is reached, as one call does."""
    task = short_task()
    policy = policy_of(task)
    options = {"streams": 5, "seed": 3}
    first = pgcore.collect(task, policy, before, keep_end=True, **options)
    found = pgcore.collect(task, policy, steps, start=first.end, num_threads=2, **options)
    whole = pgcore.collect(task, policy, before + steps, **options)
    last = before + steps - 1
    places = [t for t in range(before, last + 1) if (t + 1) % LIMIT == 0 or t == last]
    assert found.bootstrap_index.tolist() == [[s, t - before] for s in range(5) for t in places]
    kept = [tuple(place) for place in whole.bootstrap_index.tolist()]
    rows = [kept.index((s, t)) for s in range(5) for t in places]
    np.testing.assert_array_equal(found.bootstrap_obs, whole.bootstrap_obs[rows])
    np.testing.assert_array_equal(found.bootstrap_inputs, whole.bootstrap_inputs[rows])


@pytest.mark.parametrize(
    ("field", "value", "most"),
    [("step", -1, LIMIT - 1), ("step", LIMIT, LIMIT - 1), ("step", 2**40, LIMIT - 1),
     ("trajectory", -1, 2**32 - 1), ("trajectory", 2**32, 2**32 - 1)],
)  # fmt: skip
def test_a_place_that_no_stream_can_have_is_refused(field, value, most):
    task = short_task()
    end = pgcore.collect(task, policy_of(task), 3, keep_end=True).end
    bad = dataclasses.replace(end, **{field: np.array([value])})
    with pytest.raises(
        ValueError, match=rf"start\.{field}: expected numbers from 0 to {most}, got {value}"
    ):
        pgcore.collect(task, policy_of(task), 3, start=bad)


@pytest.mark.parametrize(
    ("streams", "message"),
    [([], "expected at least one stream, got none"), ([-1], "expected members from 0 to 1, got -1"),
     ([0, 2], "got 2"), ([2**40], f"got {2**40}")],
)  # fmt: skip
@pytest.mark.parametrize("call", [pgcore.evaluate, pgcore.collect])
def test_members_that_there_are_not(call, streams, message):
    """Ahead of anything that is counted by member."""
    task = short_task()
    with pytest.raises(ValueError, match=f"streams: .*{message}"):
        call(task, policy_of(task, 2), 5, streams=np.array(streams, dtype=np.int64))


@pytest.mark.parametrize(("name", "value"), [("mean", np.nan), ("mean", np.inf), ("m2", -1.0)])
def test_statistics_of_nothing_finite_are_refused(name, value):
    """Not told by a batch of which every step has diverged."""
    task = short_task()
    normalizer = Normalizer.create(task.obs_dim)
    getattr(normalizer, name)[0, 1] = value
    with pytest.raises(ValueError, match=rf"normalizer\.{name}: expected finite numbers"):
        pgcore.collect(task, policy_of(task), 3, normalizer=normalizer)


def test_arrays_that_are_not_to_be_written():
    scaler = RewardScaler.create(2)
    scaler.state.flags.writeable = False
    with pytest.raises(ValueError, match="expected a writeable array"):
        scaler.scale(np.ones((2, 4)), np.zeros((2, 4), dtype=bool))


def test_arrays_between_two_places_of_memory():
    rewards = np.zeros(8 * 6 + 1, dtype=np.uint8)[1:].view(np.float64).reshape(2, 3)
    with pytest.raises(ValueError, match="expected an aligned array"):
        RewardScaler.create(2).scale(rewards, np.zeros((2, 3), dtype=bool))


def test_no_memory_for_environments_is_an_error(tmp_path):
    """MuJoCo ends the process where it has none; what it reserves is most of it."""
    script = (
        "import resource, pgcore\n"
        "from test_native_calls import ball\n"
        "from pathlib import Path\n"
        f"task = pgcore.make_task(ball(Path({str(tmp_path)!r}), '1G'))\n"
        "pgcore.vector_env(task, 1)\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**32, -1))\n"
        "try:\n"
        "    pgcore.vector_env(task, 12)\n"
        "except RuntimeError as error:\n"
        "    print(error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        check=True,
    )
    assert found.stdout.startswith("MuJoCo has no memory for 12 simulations: ")


def test_an_engine_error_leaves_the_callers_thread_as_it_was(tmp_path):
    """Its messages are the user's again: an error leaves MuJoCo's function by a jump."""
    env = pgcore.vector_env(pgcore.make_task(ball(tmp_path, "1500")), 1, num_threads=1)
    assert _core.keep_quiet(False) is False
    env.reset(seed=0)
    with pytest.raises(pgcore.SimulationError):
        fall(env)
    assert _core.keep_quiet(False) is False
