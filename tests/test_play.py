"""`pgcore play`: what is shown are the states of `collect`, and the video is one of them."""

import contextlib
import os
import sys
import types
from fractions import Fraction

import mujoco
import numpy as np
import pytest

import pgcore
from conftest import ball_spec, make_policy
from pgcore.cli import main
from pgcore.playback import offscreen
from pgcore.playback.camera import View, choose_view
from pgcore.playback.drawing import load_model, pictures
from pgcore.playback.trajectories import frame_rate, shown_steps
from playing import SIZE, decoded


def test_trajectories_are_those_of_collect(hopper, grey, tmp_path):
    one = hopper.select(1)
    for options in ({}, {"deterministic": True}):
        played = pgcore.play(
            hopper, tmp_path / f"{len(options)}.mp4", trial=1, trajectories=3, seed=7, fps=125,
            width=32, height=16, **options,
        )  # fmt: skip
        batch = one.collect(1000, 3, seed=7, keep_states=True, **options)
        for s, trajectory in enumerate(played.trajectories):
            last = int(np.flatnonzero(batch.terminated[s] | batch.truncated[s])[0])
            assert trajectory.length == last + 1
            assert trajectory.total == batch.rewards[s, : last + 1].sum()
            assert trajectory.ended == "terminated"
            np.testing.assert_array_equal(trajectory.states, batch.states[s, : last + 1])
        assert played.frames == sum(t.length for t in played.trajectories)
        everything = np.concatenate([t.states for t in played.trajectories])
        np.testing.assert_array_equal(grey, everything)
        grey.clear()


def test_how_a_trajectory_ends(tmp_path, grey):
    def ended(name, max_steps=None, **options):
        task = pgcore.make_task(ball_spec(tmp_path, **options))
        agent = pgcore.Agent(task, make_policy(task, 1, (4,)))
        played = pgcore.play(
            agent, tmp_path / f"{name}.mp4", max_steps=max_steps, width=16, height=16
        )
        return played.trajectories[0].ended, played.trajectories[0].length

    assert ended("limit") == ("truncated", 50)
    assert ended("few", max_steps=7) == ("cut", 7)
    assert ended("many", max_steps=70) == ("truncated", 50)
    assert ended("unlimited", time_limit=None)[1] == 1000
    word, length = ended("explodes", gear="1e12", time_limit=500)
    assert word == "diverged" and length < 500


def test_frames_follow_the_time_of_the_simulation():
    assert frame_rate(0.008, None) == Fraction(125, 3)
    assert frame_rate(0.05, None) == 20
    assert frame_rate(1 / 60, None) == 60
    np.testing.assert_array_equal(shown_steps(8, 0.008, Fraction(125, 3)), [0, 3, 6])
    np.testing.assert_array_equal(shown_steps(3, 0.05, Fraction(40)), [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(shown_steps(1, 0.05, Fraction(1)), [0])
    assert len(shown_steps(1000, 0.008, Fraction(30))) == 240


def test_each_picture_is_drawn_of_its_state(hopper):
    seen = []

    class Renderer:
        def update_scene(self, data, camera):
            seen.append((data.qpos.copy(), data.qvel.copy(), camera.fixedcamid))

        def render(self):
            return np.zeros((2, 2, 3), np.uint8)

    batch = hopper.collect(20, 1, seed=3, keep_states=True)
    model = load_model(hopper.task.native.model_bytes())
    view = choose_view(model, batch.states[0], None)
    assert len(list(pictures(model, batch.states[0], view, Renderer()))) == 20
    np.testing.assert_array_equal([s[0] for s in seen], batch.qpos[0])
    np.testing.assert_array_equal([s[1] for s in seen], batch.qvel[0])
    assert {s[2] for s in seen} == {model.camera("track").id}


def test_views(tmp_path):
    task = pgcore.make_task(ball_spec(tmp_path))
    model = load_model(task.native.model_bytes())
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    data, size = mujoco.MjData(model), mujoco.mj_stateSize(model, kind)

    def states(xs):
        out = np.zeros((len(xs), size))
        for row, x in zip(out, xs, strict=True):
            data.qpos[:] = [x, 0.0]
            mujoco.mj_getState(model, data, row, kind)
        return out

    near = choose_view(model, states([-0.05, 0.05]), None)
    assert near.follow == -1 and near.lookat == pytest.approx((0, 0, 1))
    far = choose_view(model, states([0.0, 10.0]), None)
    assert far.follow == 1 and far.distance < 2
    camera = far.camera(model)
    data.qpos[:] = [7.0, 0.5]
    mujoco.mj_forward(model, data)
    far.move(camera, data)
    assert camera.lookat == pytest.approx([7.0, 0, 1])
    for free in (-1, "-1"):
        assert choose_view(model, states([0.0]), free) == View()


def test_a_video_of_a_run(runs, grey, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(
        [
            "play",
            str(runs[0]),
            "--iteration",
            "2",
            "--trial",
            "1",
            "--seed",
            "2",
            "--max-steps",
            "30",
            *SIZE,
        ]
    )
    said = capsys.readouterr()
    (film,) = tmp_path.glob("*.mp4")
    assert film.name == f"{runs[0].name}-iteration2-trial1.mp4"
    assert not [p for p in tmp_path.iterdir() if p != film]
    agent = pgcore.load_checkpoint(runs[0] / "checkpoints" / "000002.safetensors").agent()
    batch = agent.select(1).collect(30, 1, seed=2)
    ends = np.flatnonzero(batch.terminated[0] | batch.truncated[0])
    length = int(ends[0]) + 1 if len(ends) else 30
    assert f"{length} steps" in said.out
    assert f"return {float(batch.rewards[0, :length].sum())!r}" in said.out
    assert "sampled actions, seed 2" in said.out
    assert f"video: {-(-length // 3)} of {-(-length // 3)} frames" in said.err
    meta, frames = decoded(film)
    assert len(frames) == -(-length // 3)
    assert meta["size"] == (96, 64) and meta["fps"] == pytest.approx(125 / 3, abs=0.01)
    brightness = [int(f.mean()) for f in frames]
    wanted = [int(s[0] * 500) % 256 for s in grey]
    np.testing.assert_allclose(brightness, wanted, atol=3)


def test_every_kind_of_source_is_the_same_agent(runs, hopper, grey, tmp_path):
    def total(source, name, **options):
        path = tmp_path / f"{name}.mp4"
        played = pgcore.play(source, path, max_steps=20, width=16, height=16, **options)
        return played.trajectories[0].total

    checkpoint = runs[0] / "checkpoints" / "000000.safetensors"
    assert total(runs[0], "run", iteration=0) == total(checkpoint, "file")
    assert total(runs[0], "last") != total(checkpoint, "again")
    hopper.save(tmp_path / "agent.safetensors")
    file = tmp_path / "agent.safetensors"
    assert total(hopper, "object", trial=1) == total(file, "agent", trial=1)


def test_real_drawing(hopper, no_window, tmp_path):
    """By whichever of EGL and OSMesa there is; one of them has to be."""
    path = tmp_path / "film.mp4"
    played = pgcore.play(hopper, path, seed=1, max_steps=30, width=96, height=64)
    meta, frames = decoded(path)
    assert meta["size"] == (96, 64)
    assert len(frames) == played.frames == -(-played.trajectories[0].length // 3)
    assert np.std(frames[0]) > 5, "not of one colour"
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 30, "and it moves"


def test_playing_leaves_the_environment_alone(hopper, tmp_path, no_window, monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    before = dict(os.environ)
    pgcore.play(hopper, tmp_path / "film.mp4", max_steps=2, width=16, height=16)
    assert dict(os.environ) == before
    assert offscreen.libraries({}) == ["egl", "osmesa"]
    assert offscreen.libraries({"DISPLAY": ":0"}) == ["egl", "osmesa", "glfw"]
    assert offscreen.libraries({"MUJOCO_GL": "osmesa"}) == ["osmesa"]


def test_the_window_shows_the_states_until_it_is_closed(hopper, monkeypatch):
    """Again from the start, where it is left open."""
    shown = []

    class Window:
        """What MuJoCo's viewer gives, without a window."""

        def __init__(self, model, data):
            self.data, self.cam = data, mujoco.MjvCamera()

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.closed = True

        def lock(self):
            return contextlib.nullcontext()

        def is_running(self):
            return len(shown) < 11

        def sync(self):
            shown.append(self.data.qpos.copy())

    monkeypatch.setitem(sys.modules, "mujoco.viewer", types.SimpleNamespace(launch_passive=Window))
    monkeypatch.setattr(mujoco, "viewer", sys.modules["mujoco.viewer"], raising=False)
    monkeypatch.setattr("pgcore.playback.play.check_window", lambda: None)
    played = pgcore.play(hopper, viewer=True, max_steps=13)
    assert played.path is None and played.frames == 0
    qpos = played.trajectories[0].states[::3, 1:7]
    np.testing.assert_array_equal(shown, [*qpos, *qpos, *qpos][:11])
