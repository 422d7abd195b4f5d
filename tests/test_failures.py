"""What goes wrong is said once, clearly, and nothing else is lost."""

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
import torch

import pgcore
from conftest import ball_spec, make_policy

# 1500 bytes hold the ball, but not a contact: the stream whose ball starts low raises an error.
CROWDED = {"memory": "1500", "drop": 0.85}


def test_an_error_in_one_stream_leaves_the_others_valid(tmp_path):
    whole = pgcore.make_task(ball_spec(tmp_path, drop=0.85))
    policy = make_policy(whole, 1)
    expected = pgcore.collect(whole, policy, 25, streams=16)
    crowded = pgcore.make_task(ball_spec(tmp_path / "..", **CROWDED))
    for threads in (1, 3):
        with pytest.raises(pgcore.SimulationError, match="out of memory") as caught:
            pgcore.collect(crowded, policy, 25, streams=16, num_threads=threads)
        failed, batch = caught.value.streams, caught.value.result
        assert 0 < len(failed) < 16 and len(caught.value.messages) == len(failed)
        assert np.isnan(batch.rewards[failed]).all()
        rest = np.setdiff1d(np.arange(16), failed)
        for name in ("obs", "actions", "rewards", "terminated", "truncated"):
            np.testing.assert_array_equal(
                getattr(batch, name)[rest], getattr(expected, name)[rest], err_msg=name
            )
    with pytest.raises(pgcore.SimulationError) as caught:
        pgcore.evaluate(crowded, policy, 200, streams=16)
    assert np.isfinite(caught.value.result.returns).all()
    copy = pickle.loads(pickle.dumps(caught.value))  # as it comes back from a worker
    assert copy.streams == caught.value.streams and str(copy) == str(caught.value)


def test_a_diverging_simulation_is_counted_for_its_stream(tmp_path, monkeypatch, capfd):
    """A push of 1e12 N makes the state blow up; MuJoCo warns and resets it."""
    monkeypatch.chdir(tmp_path)
    task = pgcore.make_task(ball_spec(tmp_path, gear="1e12", drop=0.1))
    policy = make_policy(task, 2)
    policy.flat[1] = 0  # the second member's ball is pushed by its noise only ...
    policy.flat[1, -1] = -60  # ... which is next to nothing
    batch = pgcore.collect(task, policy, 40, streams=2)
    assert (batch.warnings[:2] > 0).all()
    assert (batch.warnings[2:] == 0).all()
    assert np.isfinite(batch.rewards).all()
    assert list(tmp_path.glob("MUJOCO_LOG*")) == []
    assert capfd.readouterr().err == ""


def test_unknown_tasks_name_near_matches():
    with pytest.raises(ValueError, match=r"unknown id 'hoper-v2'; did you mean Hopper-v2"):
        pgcore.make_task("hoper-v2")


def test_nan_in_parameters():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 1)
    policy.flat[0, 3] = torch.nan
    for run in (pgcore.collect, pgcore.evaluate):
        with pytest.raises(ValueError, match="policy: expected finite parameters"):
            run(task, policy, 10)


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"steps": 0}, ValueError, "steps: expected an integer >= 1, got 0"),
        ({"steps": -5}, ValueError, "steps"),
        ({"steps": 2.5}, TypeError, "steps: expected an integer"),
        ({"streams": 0}, ValueError, "streams: expected an integer >= 1"),
        ({"streams": np.zeros(2)}, TypeError, r"streams: .* \[2\] of float64"),
        ({"streams": np.array([0, 7])}, ValueError, "members from 0 to 0, got 7"),
        ({"streams": np.zeros(0, np.int64)}, ValueError, "at least one stream"),
        ({"num_threads": 0}, ValueError, "num_threads"),
        ({"seed": -1}, ValueError, "seed: expected an integer from 0 to 2"),
        ({"backend": "cuda"}, ValueError, "backend: expected one of native, python"),
        ({"stream_ids": np.arange(3)}, ValueError, "stream_ids"),
        ({"stream_ids": np.array([-1])}, ValueError, "stream_ids: expected ids from 0"),
        ({"stream_ids": np.array([0.5])}, TypeError, "stream_ids"),
        ({"normalizer": pgcore.Normalizer.create(3)}, ValueError, r"normalizer: .*\[1, 11\]"),
    ],
)
def test_bad_arguments_of_collect(arguments, kind, text):
    task = pgcore.make_task("Hopper-v2")
    with pytest.raises(kind, match=text):
        pgcore.collect(task, make_policy(task, 1), **({"steps": 5} | arguments))


def test_policy_of_another_task():
    task = pgcore.make_task("Hopper-v2")
    other = pgcore.GaussianPolicy(17, 6)
    with pytest.raises(ValueError, match="policy: expected obs_dim 11 of the task, got 17"):
        pgcore.collect(task, other, 5)
    with pytest.raises(TypeError, match=r"task: expected pgcore.make_task"):
        pgcore.collect("Hopper-v2", other, 5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"xml": "/no/such.xml"}, "xml: expected a readable MJCF file, got '/no/such.xml'"),
        ({"frame_skip": 0}, "frame_skip"),
        ({"time_limit": 0}, "time_limit"),
        ({"observation": ()}, "observation: expected at least one term"),
        ({"reward": (pgcore.Term.of("speed"),)}, "unknown term 'speed'; known: "),
        ({"observation": (pgcore.Term.of("qpos", start=9),)}, "start"),
        ({"observation": (pgcore.Term.of("qpos", begin=1),)}, "begin"),
    ],
)
def test_bad_task_definitions(tmp_path, change, text):
    with pytest.raises(ValueError, match=text):
        pgcore.make_task(ball_spec(tmp_path, **change))


@pytest.mark.parametrize("term", [("qpos", {}), ("sensor", {"sensor": "gyro"})])
def test_a_model_that_mujoco_cannot_load(tmp_path, term):
    """Whoever reads it first, the core or a term that names a part of it."""
    spec = ball_spec(tmp_path, observation=(pgcore.Term.of(term[0], **term[1]),))
    (tmp_path / "ball.xml").write_text("<mujoco><nonsense/></mujoco>")
    with pytest.raises(ValueError, match=r"^xml: MuJoCo cannot load .*nonsense") as error:
        pgcore.Task(spec)
    assert "\n" not in str(error.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", ["the model", "an included file", "an attached model"])
@pytest.mark.parametrize(
    "element", ["<model/>", '<model name="a>b"/>', "<model name='a' file=''/>"]
)
def test_a_model_element_without_a_file(tmp_path, where, element):
    """MuJoCo's parser aborts, or never ends: such an element is refused ahead of it."""
    spec = ball_spec(tmp_path)
    faulty = f"<mujoco><asset>{element}</asset></mujoco>"
    top = {
        "the model": faulty,
        "an included file": '<mujoco><include file="part.xml"/></mujoco>',
        "an attached model": '<mujoco><asset><model file = "part.xml"/></asset></mujoco>',
    }
    (tmp_path / "part.xml").write_text(faulty)
    (tmp_path / "ball.xml").write_text(top[where])
    named = "ball" if where == "the model" else "part"
    for make in (pgcore.Task, pgcore.make_task):
        with pytest.raises(
            ValueError, match=rf"^xml: expected a file .* of .*{named}\.xml, got none"
        ):
            make(spec)


def test_a_model_element_in_a_file_beside_an_attached_model(tmp_path):
    spec = ball_spec(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "deep.xml").write_text("<mujoco><asset><model/></asset></mujoco>")
    part = '<mujoco><asset><model file="deep.xml"/></asset></mujoco>'
    (tmp_path / "parts" / "part.xml").write_text(part)
    top = '<mujoco><asset><model file="parts/part.xml"/></asset></mujoco>'
    (tmp_path / "ball.xml").write_text(top)
    with pytest.raises(ValueError, match=r"^xml: expected a file .*deep\.xml, got none"):
        pgcore.Task(spec)


def test_a_model_element_in_a_comment_is_none(tmp_path):
    spec = ball_spec(tmp_path)
    path = tmp_path / "ball.xml"
    path.write_text(path.read_text().replace("<worldbody>", "<!-- <model/> --><worldbody>"))
    assert pgcore.make_task(spec).act_dim == 1


@pytest.mark.timeout(60)
def test_ctrl_c_stops_a_long_evaluation():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 1)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pgcore.evaluate(task, policy, pairs=10**9)  # hours
    assert time.monotonic() - start < 10
    timer.join()
    assert len(pgcore.evaluate(task, policy, 100).returns) > 0


def test_what_mujoco_warns_of_a_users_model_is_shown_once(tmp_path):
    spec = ball_spec(tmp_path)
    text = (tmp_path / "ball.xml").read_text()
    old = '<compiler settotalmass="3"/>'  # deprecated
    (tmp_path / "ball.xml").write_text(text.replace("<mujoco>", f"<mujoco>{old}"))
    with pytest.warns(UserWarning, match=r"MuJoCo warns of .*ball\.xml: .*deprecated") as seen:
        assert pgcore.make_task(spec) is pgcore.make_task(spec)
    assert len(seen) == 1
    pgcore.make_task("HalfCheetah-v4", lowered=False)  # has the same, which no user can mend
