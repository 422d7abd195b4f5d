"""The table of docs/errors.md: each input gives the line that stands beside it."""

import contextlib
import os
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pgcore
from conftest import ROOT, ball_spec, drop_file, small_config
from pgcore.base.folders import LOCK_NAME, FolderLock
from pgcore.base.words import counted, spanned
from pgcore.cli import main
from pgcore.training.config import TrainConfig
from pgcore.training.run import Run

RECORDED = ROOT / "tests" / "data" / "agents"
ROW = re.compile(r"\| `([^|]+)` \| (`+)([^|]+?)\2 \|")
ROWS = [(m[1], m[3]) for m in ROW.finditer((ROOT / "docs" / "errors.md").read_text())]


@pytest.fixture(scope="module")
def folder(runs, tmp_path_factory):
    """The files that the table speaks of."""
    folder = tmp_path_factory.mktemp("errors")
    shutil.copytree(runs[0], folder / "run")
    shutil.copytree(runs[0], folder / "edited")
    config = folder / "edited" / "config.json"
    config.write_text(config.read_text().replace('"trials": 2', '"trials": 1'))
    (folder / "other").mkdir()
    (folder / "other" / "metrics.csv").write_text("epoch,loss\n")
    (folder / "notes.txt").write_text("notes")
    (folder / "broken.xml").write_text("<mujoco><nonsense/></mujoco>")
    shutil.copy(ROOT / "tests" / "models" / "refused" / "sleeping.xml", folder / "asleep.xml")
    shutil.copy(RECORDED / "skrl_separate.pt", folder / "agent.pt")
    shutil.copytree(RECORDED / "rllib_separate", folder / "checkpoint")
    drop_file(folder, 1.0)
    with contextlib.chdir(folder), Run("dropped", small_config(task="drop.toml", trials=1)) as run:
        next(run.iterations())
    drop_file(folder, 5.0)
    (folder / "unwell.py").write_text("raise KeyError('no environment today')")
    task = pgcore.make_task("Hopper-v2")
    pgcore.Agent(task, pgcore.GaussianPolicy(11, 3, (8,))).save(folder / "agent.safetensors")
    os.mkfifo(folder / "pipe")
    with FolderLock(folder / "busy"):
        yield folder


def names(folder):
    """What the inputs of the table may name."""
    task = pgcore.make_task("Hopper-v2")
    return {
        "pgcore": pgcore,
        "np": np,
        "torch": torch,
        "Path": Path,
        "Term": pgcore.Term,
        "TrainConfig": TrainConfig,
        "make_task": pgcore.make_task,
        "replace": replace,
        "task": task,
        "policy": pgcore.GaussianPolicy(11, 3),
        "ball": ball_spec(folder),
    }


def said(entry, folder, capsys):
    """What a user sees of an input."""
    if not entry.startswith("pgcore "):
        with pytest.raises(Exception) as caught:
            eval(entry, names(folder))
        return f"{type(caught.value).__name__}: {caught.value}"
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(entry)[1:])
    assert stop.value.code == 2
    return capsys.readouterr().err.removesuffix("\n")


def times(folder):
    """When the files were written, but for the model, which every row writes anew, and locks."""
    free = ("ball.xml", LOCK_NAME)
    files = (p for p in folder.rglob("*") if "__pycache__" not in p.parts)
    return {p: p.stat().st_mtime_ns for p in files if p.name not in free}


def test_the_table_is_read_whole():
    text = (ROOT / "docs" / "errors.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(ROWS) > 50


@pytest.mark.parametrize(("entry", "line"), ROWS, ids=[entry[:70] for entry, _ in ROWS])
def test_an_input_gives_its_line(entry, line, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    before = times(folder)
    got = said(entry, folder, capsys).replace(f"{folder}/", "")
    got = re.sub(r"[\d.e+]+ GiB", "… GiB", got)
    got = re.sub(r"process \d+ on [^;\s]+", "process … on …", got)
    assert got == line
    assert times(folder) == before


def test_numbers_of_things_and_ranges_in_words():
    assert [counted(n, "trial") for n in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
    assert spanned(3, 8) == "3 to 8" and spanned(8192, 8192, ",") == "8,192"
    assert spanned(17.6, 18.4, ".0f") == "18"  # as they are written
