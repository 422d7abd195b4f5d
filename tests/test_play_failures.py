"""What `pgcore play` cannot show is refused in one line, and leaves nothing."""

import importlib.util
from fractions import Fraction

import pytest

import pgcore
from conftest import make_policy
from pgcore.cli import main
from pgcore.playback import video
from playing import SIZE, decoded, refused


def test_without_opengl(hopper, no_window, tmp_path, monkeypatch, capsys):
    hopper.save(tmp_path / "agent.safetensors")
    monkeypatch.setenv("MUJOCO_GL", "nothing")
    file, film = tmp_path / "agent.safetensors", tmp_path / "film.mp4"
    line = refused(capsys, file, "--out", film, "--max-steps", 2)
    for word in ("nothing: ", "MUJOCO_GL=egl", "libegl1", "MUJOCO_GL=osmesa", "libosmesa6"):
        assert word in line
    assert not list(tmp_path.glob("*film*"))


def test_without_the_encoder(runs, no_window, tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "imageio_ffmpeg" else find(name)
    )
    line = refused(capsys, runs[0], "--out", tmp_path / "film.mp4")
    assert "pip install '.[video]'" in line


def test_refusals(runs, hopper, grey, tmp_path, capsys):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"mine")
    (tmp_path / "file").write_text("")
    pendulum = pgcore.make_task("gym:Pendulum-v1")
    foreign = tmp_path / "foreign.safetensors"
    pgcore.Agent(pendulum, make_policy(pendulum, 1, (4,))).save(foreign)
    hopper.save(tmp_path / "agent.safetensors")
    new = tmp_path / "new.mp4"
    for arguments, text in [
        ((runs[0], "--out", film), f"{film} is there already; give --overwrite"),
        ((runs[0], "--out", tmp_path / "file" / "a.mp4"), "file"),
        ((runs[0], "--out", tmp_path), "expected a file such as film.mp4, got the folder"),
        ((runs[0], "--out", tmp_path / "film.avi"), "expected a file that ends in .mp4"),
        ((runs[0], "--out", new, "--camera", "side"), "no camera 'side'; the model has 'track'"),
        ((runs[0], "--out", new, "--trajectories", 0), "trajectories: expected an integer >= 1"),
        ((runs[0], "--out", new, "--max-steps", 0), "max_steps: expected an integer >= 1, got 0"),
        ((runs[0], "--out", new, "--width", 33), "width: expected an even number"),
        ((runs[0], "--out", new, "--height", 2), "height: expected an integer from 16 to 4096"),
        ((runs[0], "--out", new, "--fps", 0), "fps: expected a number from 1 to 240, got 0"),
        ((runs[0], "--out", new, "--seed", -1), "seed: expected an integer from 0"),
        ((runs[0], "--out", new, "--trial", 2), "trial: expected an integer from 0 to 1, got 2"),
        ((runs[0], "--out", new, "--iteration", 1), f"iteration: {runs[0]} has no checkpoint 1"),
        ((tmp_path / "agent.safetensors", "--iteration", 1), "of one moment already"),
        ((tmp_path / "nowhere",), "which is not there"),
        ((tmp_path,), "has no checkpoints"),
        ((film,), "no pgcore agent"),
        ((foreign,), "simulated by Gymnasium, not by pgcore"),
        ((runs[0], "--viewer"), "there is no display (DISPLAY is not set); --no-viewer"),
        ((runs[0], "--viewer", "--out", new), "expected none with a viewer"),
        ((runs[0], "--viewer", "--no-viewer"), "expected it without --no-viewer"),
        ((runs[0], "--deterministic", "--sample"), "expected it without --sample"),
    ]:
        assert text in refused(capsys, *arguments), arguments
    assert film.read_bytes() == b"mine" and not new.exists() and not grey
    main(["play", str(runs[0]), "--out", str(film), "--overwrite", "--max-steps", "4", *SIZE])
    assert len(decoded(film)[1]) == 2


def test_a_display_that_opens_no_window(runs, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":987")
    assert "no window opens on the display :987" in refused(capsys, runs[0])


def test_an_interrupted_video_leaves_nothing(tmp_path):
    def frames():
        yield bytes(16 * 16 * 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video.write_video(tmp_path / "film.mp4", frames(), 16, 16, Fraction(20))
    assert not list(tmp_path.iterdir())


def test_what_ffmpeg_says_is_one_line_with_the_name_of_the_file(tmp_path):
    """Such as that of an odd size, which is refused before."""
    with pytest.raises(
        OSError, match=r"film\.mp4: ffmpeg could not write it: .*divisible"
    ) as error:
        video.write_video(tmp_path / "film.mp4", [bytes(17 * 16 * 3)], 17, 16, Fraction(20))
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())
