"""The command line as a user meets it."""

import pytest

import pgcore
from pgcore.cli import main


def refused(capsys, *arguments):
    """The one line of an error."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.err


def test_without_arguments_it_says_what_it_does(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for command in ("train", "study", "tasks", "presets", "info"):
        assert command in out


def test_info(capsys):
    main(["info"])
    out = capsys.readouterr().out
    for word in ("pgcore", "mujoco", "torch", "compiler", "threads", "CPU affinity", "cgroup"):
        assert word in out


def test_task_list_and_one_task(capsys):
    main(["tasks"])
    out = capsys.readouterr().out
    assert all(task in out for task in pgcore.task_ids())
    main(["tasks", "Hopper-v2"])
    out = capsys.readouterr().out
    for text in ("observation (11)", "rootz", "rad/s", "thigh_joint", "truncated after 1000 steps"):
        assert text in out, text
    assert "0.7" in out  # the height below which it has fallen


def test_presets(capsys):
    main(["presets", "--diff"])
    out = capsys.readouterr().out
    assert "0.00045" in out and "0.0003" in out
    main(["presets"])
    assert "0.13" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("frobnicate",), "unknown command 'frobnicate'; commands: train"),
        (("tasks", "Hoper-v2"), "did you mean Hopper-v2"),
        (("train", "--task", "Nothing-v1", "--out", "new"), "unknown id 'Nothing-v1'"),
        (("train", "--trials", "0", "--out", "new"), "trials: expected an integer >= 1, got 0"),
        (
            ("train", "--preset", "paper", "--task", "HalfCheetah-v4", "--out", "new"),
            "exists for Humanoid, Walker2d, Hopper only",
        ),
        (("study", "nothing"), "unknown study 'nothing'; studies: gradient"),
        (("study", "gradient", "no-run", "--out", "new"), "no-run"),
    ],
)
def test_errors_are_one_line_and_exit_2(capsys, tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    error = refused(capsys, *arguments)
    assert text in error
    assert len(error.strip().splitlines()) == 1


def test_unwritable_output(capsys, tmp_path):
    """A file where the folder should be: also root cannot write there."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    error = refused(capsys, "train", "--task", "Hopper-v2", "--out", blocked / "run")
    assert "file" in error and len(error.strip().splitlines()) == 1


def helped(capsys, *arguments):
    """What is printed for --help."""
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_documents_every_field(capsys):
    out = helped(capsys, "train")
    for field in ("--policy-lr", "--kl", "--time-limit-rule", "--normalize-rewards", "--baseline"):
        assert field in out, field
    assert "Bound of the probability" not in out
    assert helped(capsys, "study", "gradient").count("--") > 8
