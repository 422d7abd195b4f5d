"""What a process leaves that is killed between any two changes of a folder is gone on from."""

import itertools
import json
import os
import shutil

import numpy as np
import pytest

from conftest import small_config
from pgcore.studies.engine.store import Schema, Store, missing_cells
from pgcore.training.divergence import DivergedError
from pgcore.training.run import Run

CHANGES = ("rename", "unlink", "rmdir", "mkdir", "link")
DIMS = {"agent": ["a"], "trial": [0, 1]}


class Killed(BaseException):
    """As little caught as a signal."""


def moments_of(monkeypatch, prepare, change):
    """Do a change in fresh folders, and kill it ahead of its first, second, ... step until it ends.

    Yields what it was done to, after each.
    """
    own = {name: getattr(os, name) for name in CHANGES}
    for last in itertools.count(1):
        subject, steps = prepare(last), itertools.count(1)

        def counted(name, steps=steps, last=last):
            def call(*args, **kwargs):
                if next(steps) >= last:
                    raise Killed
                return own[name](*args, **kwargs)

            return call

        with monkeypatch.context() as patched:
            for name in CHANGES:
                patched.setattr(os, name, counted(name))
            try:
                change(subject)
            except Killed:
                killed = True
            else:
                killed = False
        yield subject
        if not killed:
            assert last > 5, "it was killed at no moment"
            return


def schema(spec=1, trials=2):
    return Schema({"agent": ["a"], "trial": list(range(trials))}, {}, {"x": ((), "1", "it")},
                  {"study": "test", "spec": spec}, {"a/0": "0"})  # fmt: skip


def test_a_store_without_a_cell_is_replaced_or_there(tmp_path, monkeypatch):
    """By one of corrected settings; what is left of either never refuses the next call."""

    def prepare(number):
        path = tmp_path / str(number) / "dataset.zarr"
        path.parent.mkdir()
        Store(path, schema(), {})
        return path

    for path in moments_of(monkeypatch, prepare, lambda path: Store(path, schema(2), {})):
        assert len(missing_cells(path, schema(2))) == 2
        Store(path, schema(2), {}).write((0, 1), {"x": 3.0})
        assert missing_cells(path, schema(2)) == [(0, 0)]
        Store(path, schema(2), {})
        assert sorted(p.name for p in path.parent.iterdir()) == ["dataset.zarr"]


def test_a_store_that_grows_keeps_its_cells(tmp_path, monkeypatch):
    def prepare(number):
        path = tmp_path / str(number) / "dataset.zarr"
        path.parent.mkdir()
        Store(path, schema(), {}).write((0, 1), {"x": 3.0})
        return path

    for path in moments_of(monkeypatch, prepare, lambda path: Store(path, schema(1, 3), {})):
        assert missing_cells(path, schema(1, 3)) == [(0, 0), (0, 2)]
        store = Store(path, schema(1, 3), {})
        assert np.array_equal(store.group["x"][0], [np.nan, 3, np.nan], equal_nan=True)
        assert sorted(p.name for p in path.parent.iterdir()) == ["dataset.zarr"]


def test_a_store_that_its_owner_removed_does_not_come_back(tmp_path):
    """Nor does what is left of the one before it."""
    path = tmp_path / "dataset.zarr"
    Store(path, schema(), {}).write((0, 1), {"x": 3.0})
    path.rename(tmp_path / ".dataset.zarr.replaced")
    shutil.rmtree(tmp_path / ".dataset.zarr.replaced" / "x")
    assert len(missing_cells(path, schema(2))) == 2
    Store(path, schema(2), {})
    assert [p.name for p in tmp_path.iterdir()] == ["dataset.zarr"]


def test_a_start_over_one_that_diverged_at_once(tmp_path, monkeypatch):
    """The corrected command is refused by nothing that is left."""
    wild = small_config(trials=1, iterations=2, policy_lr=1e9, keep=(0,))
    mended = small_config(trials=1, iterations=2, keep=(0,))
    first = tmp_path / "first"
    with pytest.raises(DivergedError), Run(first, wild) as run:
        list(run.iterations())
    assert (first / "diverged.csv").exists() and (first / "metrics.csv").exists()

    def start(path):
        with Run(path, mended):
            pass

    def prepare(number):
        return shutil.copytree(first, tmp_path / str(number))

    for path in moments_of(monkeypatch, prepare, start):
        start(path)
        assert json.loads((path / "config.json").read_text())["policy_lr"] == mended.policy_lr
        assert not (path / "diverged.csv").exists()
