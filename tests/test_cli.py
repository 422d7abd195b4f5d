"""The command line as a user meets it."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pgcore
from pgcore import cli
from pgcore.cli import main
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.labels import named_sources
from pgcore.studies.report import write
from pgcore.studies.report.drawn import Drawn


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


@pytest.mark.parametrize("study", STUDIES)
def test_help_names_what_a_text_may_be(study, capsys):
    """Whatever the settings refuse with a list of names, and what is given without an option."""
    out = " ".join(helped(capsys, "study", study).replace("│", " ").split())
    assert ("] TASK" if STUDIES[study].trains else "] [LABEL=]SOURCE [[LABEL=]SOURCE ...]") in out
    assert "STR [STR" not in out and "(default: )" not in out
    settings = STUDIES[study].settings()
    listed = 0
    for part in (settings, getattr(settings, "sampling", None)):
        for field in dataclasses.fields(part) if part else ():
            if field.name == "sampling":
                continue
            wrong = {"algorithms": ("x",), "directions": ("x", "x")}.get(field.name, "x")
            try:
                dataclasses.replace(part, **{field.name: wrong})
            except (TypeError, ValueError) as error:
                if found := re.search("expected one of (.*);", str(error)):
                    names = "{" + found[1].replace(", ", ",") + "}"
                    assert names in re.sub(", (?=[a-z_,]+})", ",", out), field.name
                    listed += 1
    assert listed >= (2 if study == "regime" else 0 if study == "variance" else 3)


def test_a_value_that_is_no_number_is_said_without_pythons_words(capsys, tmp_path):
    """Beside where it stands: a list takes the sources that follow it, too."""
    behind = "an option takes all that follows it: what is none of its values goes before it"
    for words, says in (
        ("--steps abc", "--steps: expected a whole number, got 'abc'"),
        ("--steps 1.5", "--steps: expected a whole number, got '1.5'"),
        ("--trials x", "--trials: expected a whole number, got 'x'"),
        ("--gamma x", "--gamma: expected a number, got 'x'"),
        ("--fractions x", "--fractions: expected numbers, got 'x'"),
        ("--iterations 1.5 2", "--iterations: expected whole numbers, got '1.5'"),
        ("--pairs 1.5 2", "--pairs: expected whole numbers, got '1.5'"),
        ("--iterations 4 runs", f"--iterations: expected whole numbers, got 'runs'; {behind}"),
        ("--pairs 64 a=runs/ppo b", f"--pairs: expected numbers, got 'a=runs/ppo'; {behind}"),
    ):
        error = refused(capsys, "study", "step", "run", "--out", tmp_path, *words.split())
        assert error == f"pgcore study: {says}; see pgcore study step --help\n"
    error = refused(capsys, "train", "--out", tmp_path, "--hidden", "64", "x")
    assert error.startswith("pgcore train: --hidden: expected numbers, got 'x'; an option")


def test_a_folder_is_no_file_to_write(capsys, tmp_path):
    """A text that ends in / names a folder, also one that is not there yet."""
    task = ["--task", "Hopper-v2"]
    agent = tmp_path / "agent.safetensors"
    pgcore.Agent(pgcore.make_task("Hopper-v2"), pgcore.GaussianPolicy(11, 3, (8,))).save(agent)
    for command in (["import", "agent.zip", *task], ["play", agent]):
        error = refused(capsys, *command, "--out", f"{tmp_path}/new/")
        assert f"out: expected a file, got the folder {tmp_path}/new/" in error
    assert not (tmp_path / "new").exists()


def test_a_home_is_one_in_every_command(gradients, tmp_path, monkeypatch, capsys):
    """Where a shell leaves the tilde, as in `--out=~/R`."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(gradients, tmp_path / "home" / "S")
    monkeypatch.setattr(write, "draw", lambda study, data: Drawn((), ""))
    main(["report", "~/S", "--out=~/R"])
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'home' / 'R'}: report.html") and "-1 LaTeX" not in said
    assert not (tmp_path / "~").exists()
    with pytest.raises(SystemExit):
        main(["import", "~/none.zip", "--task", "Hopper-v4", "--out", "x"])
    assert str(tmp_path / "home" / "none.zip") in capsys.readouterr().err


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_closed_fail_no_command(closed):
    line = f"exec {sys.executable} -m pgcore presets {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_letter_that_a_terminal_does_not_know_is_no_error():
    code = "from pgcore import cli; cli.COMMANDS['info'] = lambda _: print('tr \u03a3')"
    code += "; cli.command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "info"], capture_output=True, timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"tr ?\n")


def test_what_leaves_nothing_behind_says_so_when_it_is_stopped(monkeypatch, capsys):
    def stopped(_):
        raise KeyboardInterrupt

    for name, said in (("play", "nothing was written"), ("study", "what was finished is on disk")):
        monkeypatch.setitem(cli.COMMANDS, name, stopped)
        with pytest.raises(SystemExit) as stop:
            main([name])
        assert stop.value.code == 130 and said in capsys.readouterr().err


def test_a_folder_whose_name_has_an_equals_sign(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(runs[0], tmp_path / "lr=3e-4")
    assert list(named_sources("lr=3e-4")) == [(None, "lr=3e-4")]
    assert list(named_sources("mine=lr=3e-4")) == [("mine", Path("lr=3e-4"))]
